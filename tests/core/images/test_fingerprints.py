"""Fingerprints keep a photograph's pixels' hash, thumbnail, size and color, and name refusals."""

import numpy as np
import pytest

from melanoma_core.data import row_groups
from melanoma_core.images import fingerprints, near_duplicates, reading, synthetic


@pytest.fixture
def files(tmp_path):
    images = [synthetic.lesion(seed, (90, 120)) for seed in (1, 2)]
    contents = {"a.png": reading.png(images[0]), "empty.jpg": b"", "b.png": reading.png(images[1])}
    contents["text.jpg"] = b"not a photograph"
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    return [tmp_path / name for name in contents], images


def test_every_photograph_has_its_place_and_its_facts(files):
    paths, images = files
    found = fingerprints.of_files(paths)
    assert found.sha256[0] == fingerprints.pixel_sha256(images[0])
    assert found.sha256[2] == fingerprints.pixel_sha256(images[1])
    assert found.sizes.tolist() == [[90, 120], [0, 0], [90, 120], [0, 0]]
    assert found.colors[0] == pytest.approx(images[0].mean(axis=(0, 1)), abs=1e-3)
    assert (found.thumbnails[2] == fingerprints.thumbnail(images[1])).all()


def test_file_that_cannot_be_read_is_named_and_holds_no_picture(files):
    found = fingerprints.of_files(files[0])
    assert sorted(found.refused) == [1, 3]
    assert "“empty.jpg” is empty" in found.refused[1]
    assert found.sha256[1] is None
    assert np.isnan(found.colors[3]).all()


def test_progress_is_told_after_each_photograph(files):
    told = []
    fingerprints.of_files(files[0], lambda done, of_all: told.append((done, of_all)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_facts_give_checksums_and_sizes_and_no_picture():
    found = fingerprints.of_facts(["a", "b", "a"], np.array([[90, 120]] * 3, np.int32))
    assert row_groups.equal_rows(found.sha256) == [(0, 2)]
    assert near_duplicates.near(found) == []
    assert np.isnan(found.colors).all()
    assert not found.refused


def test_pixels_of_another_shape_are_another_picture():
    pixels = np.arange(24, dtype=np.uint8)
    digests = {fingerprints.pixel_sha256(pixels.reshape(shape)) for shape in ((2, 4, 3), (4, 2, 3))}
    assert len(digests) == 2


def test_same_pixels_in_another_file_are_the_same_picture(tmp_path):
    image = synthetic.lesion(3, (90, 120))
    png = reading.png(image)
    (tmp_path / "a.png").write_bytes(png)
    # What stands behind a PNG's last chunk is none of its pixels.
    (tmp_path / "b.png").write_bytes(png + b"padding")
    found = fingerprints.of_files([tmp_path / "a.png", tmp_path / "b.png"])
    assert not found.refused
    assert found.sha256[0] == found.sha256[1]
