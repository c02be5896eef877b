"""Fingerprints have the pixels' checksum, thumbnail, size and color, and list refused files."""

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


def test_every_photograph_has_its_fingerprint_at_its_index(files):
    paths, images = files
    prints = fingerprints.of_files(paths)
    assert prints.sha256[0] == fingerprints.pixel_sha256(images[0])
    assert prints.sha256[2] == fingerprints.pixel_sha256(images[1])
    assert prints.sizes.tolist() == [[90, 120], [0, 0], [90, 120], [0, 0]]
    assert prints.colors[0] == pytest.approx(images[0].mean(axis=(0, 1)), abs=1e-3)
    assert (prints.thumbnails[2] == fingerprints.thumbnail(images[1])).all()


def test_an_unreadable_file_is_named_and_has_no_picture(files):
    prints = fingerprints.of_files(files[0])
    assert sorted(prints.refused) == [1, 3]
    assert "“empty.jpg” is empty" in prints.refused[1]
    assert prints.sha256[1] is None
    assert np.isnan(prints.colors[3]).all()


def test_progress_is_reported_after_each_photograph(files):
    progress = []
    fingerprints.of_files(files[0], lambda done, of_all: progress.append((done, of_all)))
    assert progress == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_facts_provide_checksums_and_sizes_but_no_pictures():
    prints = fingerprints.of_facts(["a", "b", "a"], np.array([[90, 120]] * 3, np.int32))
    assert row_groups.equal_rows(prints.sha256) == [(0, 2)]
    assert near_duplicates.find(prints) == []
    assert np.isnan(prints.colors).all()
    assert not prints.refused


def test_the_same_pixels_in_another_shape_are_another_picture():
    pixels = np.arange(24, dtype=np.uint8)
    digests = {fingerprints.pixel_sha256(pixels.reshape(shape)) for shape in ((2, 4, 3), (4, 2, 3))}
    assert len(digests) == 2


def test_the_same_pixels_in_another_file_are_the_same_picture(tmp_path):
    image = synthetic.lesion(3, (90, 120))
    png = reading.png(image)
    (tmp_path / "a.png").write_bytes(png)
    # Bytes after a PNG's last chunk are not pixels.
    (tmp_path / "b.png").write_bytes(png + b"padding")
    prints = fingerprints.of_files([tmp_path / "a.png", tmp_path / "b.png"])
    assert not prints.refused
    assert prints.sha256[0] == prints.sha256[1]
