"""Planted copies, and the search for the most similar pairs."""

import numpy as np
import pytest

from benchmarks.data import audit, planted_copies
from melanoma_core.images import reading, synthetic


@pytest.fixture(scope="module")
def photograph():
    return reading.jpeg(synthetic.lesion(0, (140, 200)), quality=95)


def made(photograph, kind):
    return reading.read(planted_copies.copy(photograph, kind)).astype(int)


def test_only_the_same_bytes_are_the_same_file(photograph):
    same = [kind for kind in planted_copies.KINDS
            if planted_copies.copy(photograph, kind) == photograph]  # fmt: skip
    assert same == [planted_copies.SAME_BYTES]


def test_copies_are_rotated_mirrored_halved_and_compressed(photograph):
    original = reading.read(photograph).astype(int)
    assert made(photograph, "half size").shape == (70, 100, 3)
    assert np.abs(made(photograph, "rotated 90°") - np.rot90(original)).mean() < 2
    assert np.abs(made(photograph, "mirrored") - original[:, ::-1]).mean() < 2
    assert len(planted_copies.copy(photograph, "quality 50")) < len(photograph) / 2


def test_most_similar_pairs_are_found_in_any_orientation():
    rng = np.random.default_rng(0)
    thumbnails = rng.integers(0, 256, (20, 64, 64)).astype(np.uint8)
    thumbnails[15] = np.rot90(thumbnails[3])
    thumbnails[16] = thumbnails[4].T
    assert audit._most_similar(thumbnails, 2) == {(3, 15), (4, 16)}
