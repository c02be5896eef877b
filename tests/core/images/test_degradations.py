"""Degraded photographs: repeatable, and stronger with each step."""

import numpy as np
import pytest

from melanoma_core.images import color_casts, degradations, synthetic
from melanoma_core.images.degradations import DEGRADATIONS, STRENGTHS, degrade

each_kind = pytest.mark.parametrize("kind", DEGRADATIONS)


def lesion():
    return synthetic.lesion(3, (200, 260), "melanoma")


@each_kind
def test_the_same_photograph_is_always_changed_in_the_same_way(kind):
    first, second = (degrade(lesion(), kind, 3, "ISIC_1") for _ in range(2))
    assert np.array_equal(first, second)


@each_kind
def test_every_strength_changes_more_than_the_one_before(kind):
    image = lesion()
    if kind == "few pixels":
        sides = [min(degrade(image, kind, strength, "a").shape[:2]) for strength in STRENGTHS]
        assert sides == [160, 128, 96, 80, 64]
        return
    changes = [
        np.abs(degrade(image, kind, strength, "a") - image.astype(float)).mean()
        for strength in STRENGTHS
    ]
    assert changes[0] > 0
    assert np.all(np.diff(changes) > 0)


def test_a_blur_is_relative_to_the_short_side():
    image = np.zeros((128, 200, 3), np.uint8)
    image[:, 100:] = 255
    expected = degradations.blur(image, 2.5)
    assert np.array_equal(degrade(image, "blur", 5, "a"), expected)


def test_a_tint_keeps_the_brightness_and_shifts_the_cast():
    gray = np.full((20, 20, 3), 100, np.uint8)
    tinted = degradations.tint(gray, 0.3, -0.2)
    assert tinted.mean() == pytest.approx(100, abs=1)
    np.testing.assert_allclose(color_casts.cast(tinted), [0.3, -0.2], atol=0.02)
