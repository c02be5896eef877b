"""Photographs in memory: each file decoded once, squashed to the size of the network."""

import threading

import numpy as np
import pytest

from melanoma_core.images import reading, synthetic
from melanoma_core.images.squares import Squares


@pytest.fixture
def files(tmp_path):
    """Five photographs, of which the second is empty and the fourth no picture."""
    paths = [tmp_path / f"lesion_{number}.png" for number in range(5)]
    for number, path in enumerate(paths):
        path.write_bytes(reading.png(synthetic.lesion(number, (80, 100 + number))))
    paths[1].write_bytes(b"")
    paths[3].write_text("no picture")
    return [str(path) for path in paths]


def test_a_decoded_image_is_kept_as_a_square():
    squares = Squares(32)
    image = synthetic.lesion(0, (90, 120))
    squares.add("a.png", image)
    assert squares.images["a.png"].shape == (32, 32, 3)
    np.testing.assert_array_equal(squares.images["a.png"], reading.resize(image, 32))


def test_files_are_read_by_path_and_unreadable_ones_are_named_in_order(files, monkeypatch):
    decoded, read_file = [], reading.read_file
    monkeypatch.setattr(reading, "read_file", lambda p: decoded.append(str(p)) or read_file(p))
    squares, told = Squares(32), []
    squares.read(files, lambda done, total: told.append((done, total)))
    assert sorted(decoded) == files
    assert sorted(squares.images) == [files[0], files[2], files[4]]
    np.testing.assert_array_equal(
        squares.images[files[2]], reading.resize(synthetic.lesion(2, (80, 102)), 32)
    )
    assert list(squares.refused) == [files[1], files[3]]
    assert "is empty" in squares.refused[files[1]]
    assert "not a picture" in squares.refused[files[3]]
    assert told == [(number, 5) for number in range(1, 6)]


def test_order_of_the_refused_does_not_depend_on_the_threads(files, monkeypatch):
    """The first unreadable file is refused only after the last one was."""
    is_last_done, read_file = threading.Event(), reading.read_file

    def late(path):
        if str(path) == files[1]:
            assert is_last_done.wait(10)
        try:
            return read_file(path)
        finally:
            if str(path) == files[3]:
                is_last_done.set()

    monkeypatch.setattr(reading, "read_file", late)
    squares = Squares(32)
    squares.read([files[1], files[3]])
    assert list(squares.refused) == [files[1], files[3]]


def test_nothing_to_read_gives_nothing():
    squares = Squares(32)
    squares.read([])
    assert (squares.images, squares.refused) == ({}, {})
