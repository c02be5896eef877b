"""Corrupted photographs: repeatable, stronger with each step, and changed in one way only."""

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
def test_a_corruption_keeps_the_shape_and_does_not_modify_its_input(kind):
    image = lesion()
    changed = corrupt(image, kind, 5, "ISIC_1")
    assert (changed.shape, changed.dtype) == (image.shape, np.uint8)
    assert np.array_equal(image, lesion())


@each_kind
def test_the_same_photograph_is_always_changed_in_the_same_way(kind):
    first, second = (corrupt(lesion(), kind, 3, "ISIC_1") for _ in range(2))
    assert np.array_equal(first, second)


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


def test_two_photographs_get_different_noise():
    first, second = (corrupt(lesion(), "noise", 1, image_id) for image_id in ("ISIC_1", "ISIC_2"))
    assert not np.array_equal(first, second)


def test_half_of_the_photographs_become_brighter_and_half_darker():
    levels = [corrupt(gray(100), "brightness", 1, str(number))[0, 0, 0] for number in range(200)]
    assert set(levels) == {90, 110}
    assert 70 <= levels.count(110) <= 130


def test_contrast_leaves_a_uniform_photograph_and_hue_a_gray_one_unchanged():
    assert np.array_equal(corrupt(gray(100), "contrast", 5, "a"), gray(100))
    assert np.array_equal(corrupt(gray(100), "hue", 5, "a"), gray(100))


def test_hue_turns_red_toward_a_neighboring_color():
    red = np.tile(np.array([200, 50, 50], np.uint8), (64, 64, 1))
    turned = corrupt(red, "hue", 5, "a")[0, 0].astype(int)
    assert turned[1] != turned[2]
    assert abs(turned.sum() - 300) <= 1


def test_white_balance_changes_red_and_blue_and_keeps_the_brightness():
    signs = []
    for number in range(40):
        image = corrupt(gray(100), "white balance", 4, str(number))
        assert image.mean() == pytest.approx(100, abs=1)
        signs.append(tuple(np.sign(color_casts.cast(image)).astype(int)))
        np.testing.assert_allclose(np.abs(color_casts.cast(image)), 0.3, atol=0.02)
    assert set(signs) == {(-1, -1), (-1, 1), (1, -1), (1, 1)}


def test_dark_corners_are_black_and_leave_the_middle_unchanged():
    changed = corrupt(gray(100), "dark corners", 1, "a")
    assert not changed[[0, 0, -1, -1], [0, -1, 0, -1]].any()
    assert np.array_equal(changed[16:48, 24:72], gray(100)[16:48, 24:72])
