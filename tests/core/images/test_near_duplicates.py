"""Copies are found despite changes, and lesions that only look alike are not."""

import tracemalloc

import numpy as np
import pytest

from benchmarks.data import planted_copies
from melanoma_core.data import row_groups
from melanoma_core.images import fingerprints, near_duplicates, reading, synthetic
from melanoma_core.images.fingerprints import SIDE, Fingerprints


def fingerprints_of(*images) -> Fingerprints:
    """Fingerprints of images in memory."""
    num_images = len(images)
    return Fingerprints(
        sha256=tuple(fingerprints.pixel_sha256(image) for image in images),
        thumbnails=np.stack([fingerprints.thumbnail(image) for image in images]),
        sizes=np.array([image.shape[:2] for image in images], np.int32),
        colors=np.zeros((num_images, 3), np.float32),
        refused={},
    )


@pytest.fixture(scope="module")
def lesions():
    """Distinct lesions of one kind, so that they are as similar as possible."""
    return [synthetic.lesion(seed, (150, 200)) for seed in range(40)]


def pairs(prints):
    return [(copy.first, copy.second) for copy in near_duplicates.find(prints)]


def test_equal_rows_form_one_group():
    assert row_groups.equal_rows(["x", "y", "x", None, "z", "y", "x", None]) == [(0, 2, 6), (1, 5)]


def test_unreadable_files_are_not_copies_of_each_other():
    assert row_groups.equal_rows([None, None]) == []


@pytest.mark.parametrize("kind", planted_copies.COPIES)
def test_exactly_the_planted_copies_are_found(lesions, kind):
    planted = [
        reading.read(planted_copies.copy(reading.png(lesion), kind)) for lesion in lesions[:10]
    ]
    assert pairs(fingerprints_of(*lesions, *planted)) == [(n, 40 + n) for n in range(10)]


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("is_mirrored", [False, True])
def test_all_eight_views_of_a_photograph_are_copies(lesions, turns, is_mirrored):
    view = np.rot90(lesions[0][:, ::-1] if is_mirrored else lesions[0], turns)
    # One level brighter, so that the unrotated picture is not an exact copy.
    view = np.minimum(view, 254) + np.uint8(1)
    assert pairs(fingerprints_of(*lesions[:5], view)) == [(0, 5)]


def test_a_slightly_cropped_copy_is_found(lesions):
    assert (0, 5) in pairs(fingerprints_of(*lesions[:5], lesions[0][3:-2, 2:-4]))


def framed(image):
    """The photograph in a round black frame, smaller than most: its edge is the same in all."""
    height, width = image.shape[:2]
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return np.where((np.hypot(rows, columns) < 0.6)[..., np.newaxis], image, 0).astype(np.uint8)


def test_lesions_in_the_same_black_frame_are_not_copies_but_its_views_are(lesions):
    images = [framed(lesion) for lesion in lesions]
    assert pairs(fingerprints_of(*images, np.rot90(images[3]))) == [(3, 40)]


def test_lesions_that_look_alike_when_blurred_are_not_copies():
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[-1:1:150j, -1:1:200j]
    blot = 200 - 120 * np.exp(-3 * (rows**2 + columns**2))
    grain = rng.normal(0, 6, (2, 150, 200))
    images = [np.repeat((blot + one)[..., None], 3, 2).clip(0, 255).astype(np.uint8)
              for one in grain]  # fmt: skip
    prints = fingerprints_of(*images)
    assert np.corrcoef(prints.thumbnails.reshape(2, -1))[0, 1] > 0.95
    assert list(near_duplicates._confirmed(prints.thumbnails, np.array([[0, 1, 0]]))) == []
    assert pairs(prints) == []


def test_exact_copies_are_not_listed_as_near_copies(lesions):
    assert pairs(fingerprints_of(lesions[0], lesions[1], lesions[0])) == []


def test_uniform_pictures_are_not_copies():
    plain = [np.full((100, 100, 3), level, np.uint8) for level in (0, 90, 180, 255)]
    assert pairs(fingerprints_of(*plain)) == []


def test_refused_files_are_left_out(lesions):
    prints = fingerprints_of(*lesions[:3])
    assert (
        pairs(Fingerprints((None,) * 3, prints.thumbnails * 0, prints.sizes, prints.colors, {}))
        == []
    )


def test_an_empty_set_has_no_copies():
    empty = Fingerprints((), np.zeros((0, SIDE, SIDE), np.uint8), np.zeros((0, 2), np.int32),
                         np.zeros((0, 3), np.float32), {})  # fmt: skip
    assert near_duplicates.find(empty) == []


def test_the_hash_of_a_view_is_the_transformed_hash(lesions):
    thumbnails = fingerprints_of(*lesions[:2]).thumbnails
    for view in range(near_duplicates.VIEWS):
        turned = near_duplicates._turned(thumbnails.astype(np.float32), view).astype(np.uint8)
        expected = near_duplicates._view(near_duplicates.coefficients(thumbnails), view)
        assert near_duplicates.coefficients(turned) == pytest.approx(expected, abs=0.5)


def test_candidates_have_the_view_that_maps_the_second_to_the_first():
    rng = np.random.default_rng(1)
    size = (500, near_duplicates.FREQUENCIES, near_duplicates.FREQUENCIES)
    hashes = rng.normal(size=size).astype(np.float32)
    for view in range(near_duplicates.VIEWS):
        hashes[100 + view] = near_duplicates._view(hashes[view : view + 1], view)[0]
    views = {(first, second): view for first, second, view in near_duplicates.candidates(hashes)}
    for view in range(near_duplicates.VIEWS):
        mapped = near_duplicates._view(hashes[100 + view : 101 + view], views[view, 100 + view])
        assert np.array_equal(mapped[0], hashes[view])


def test_thousands_of_copies_do_not_yield_all_pairs():
    hashes = np.random.default_rng(2).normal(size=(1, 12, 12)).astype(np.float32)
    tracemalloc.start()
    candidates = near_duplicates.candidates(np.repeat(hashes, 2000, axis=0))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # All are paired with the first, in far fewer than 1,999,000 pairs.
    assert set(candidates[candidates[:, 0] == 0][:, 1]) == set(range(1, 2000))
    assert len(candidates) < 2000 * near_duplicates._BUCKET
    assert peak_bytes < 50e6
