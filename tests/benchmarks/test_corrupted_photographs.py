"""Photographs made worse: repeatable, stronger step by step, and each in its own way only."""

import numpy as np
import pytest

from benchmarks.accuracy.corrupted_photographs import CORRUPTIONS, STRENGTHS, corrupt
from melanoma_core.images import color_casts, synthetic

each_kind = pytest.mark.parametrize("kind", CORRUPTIONS)


def lesion():
    return synthetic.lesion(3, (150, 200), "melanoma")


def gray(level):
    return np.full((64, 96, 3), level, np.uint8)


@each_kind
def test_a_corruption_keeps_the_shape_and_leaves_the_photograph_as_it_is(kind):
    image = lesion()
    worse = corrupt(image, kind, 5, "ISIC_1")
    assert (worse.shape, worse.dtype) == (image.shape, np.uint8)
    assert np.array_equal(image, lesion())


@each_kind
def test_the_same_photograph_is_always_changed_alike(kind):
    once, again = (corrupt(lesion(), kind, 3, "ISIC_1") for _ in range(2))
    assert np.array_equal(once, again)


@each_kind
@pytest.mark.parametrize("image_id", ["ISIC_1", "ISIC_2", "ISIC_3"])
def test_every_strength_changes_more_than_the_one_before(kind, image_id):
    image = lesion()
    changes = [
        np.abs(corrupt(image, kind, strength, image_id) - image.astype(float)).mean()
        for strength in STRENGTHS
    ]
    assert changes[0] > 0
    assert np.all(np.diff(changes) > 0)


def test_another_photograph_has_other_noise():
    first, second = (corrupt(lesion(), "noise", 1, image_id) for image_id in ("ISIC_1", "ISIC_2"))
    assert not np.array_equal(first, second)


def test_half_of_the_photographs_become_brighter_and_half_darker():
    levels = [corrupt(gray(100), "brightness", 1, str(number))[0, 0, 0] for number in range(200)]
    assert set(levels) == {90, 110}
    assert 70 <= levels.count(110) <= 130


def test_contrast_moves_nothing_on_an_even_photograph_and_hue_nothing_on_a_gray_one():
    assert np.array_equal(corrupt(gray(100), "contrast", 5, "a"), gray(100))
    assert np.array_equal(corrupt(gray(100), "hue", 5, "a"), gray(100))


def test_hue_turns_red_towards_the_color_beside_it():
    red = np.tile(np.array([200, 50, 50], np.uint8), (64, 64, 1))
    turned = corrupt(red, "hue", 5, "a")[0, 0].astype(int)
    assert turned[1] != turned[2]
    assert abs(turned.sum() - 300) <= 1


def test_white_balance_moves_red_and_blue_beside_green_and_keeps_the_brightness():
    found = []
    for number in range(40):
        image = corrupt(gray(100), "white balance", 4, str(number))
        assert image.mean() == pytest.approx(100, abs=1)
        found.append(tuple(np.sign(color_casts.cast(image)).astype(int)))
        np.testing.assert_allclose(np.abs(color_casts.cast(image)), 0.3, atol=0.02)
    assert set(found) == {(-1, -1), (-1, 1), (1, -1), (1, 1)}


def test_dark_corners_are_black_and_leave_the_middle():
    worse = corrupt(gray(100), "dark corners", 1, "a")
    assert not worse[[0, 0, -1, -1], [0, -1, 0, -1]].any()
    assert np.array_equal(worse[16:48, 24:72], gray(100)[16:48, 24:72])
