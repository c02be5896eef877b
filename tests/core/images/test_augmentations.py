"""Augmented images: the same for the same seed, and changed only as configured."""

import dataclasses
from dataclasses import replace

import numpy as np
import pytest

from melanoma_core.images import reading, synthetic
from melanoma_core.images.augmentations import (
    NO_AUGMENTATION,
    AugmentConfig,
    augment,
    augment_with_mask,
)

SIZE = 48
ALL = AugmentConfig()
GEOMETRY = replace(
    ALL, brightness=0, contrast=0, saturation=0, hue_degrees=0, blur=0, sharpen=0, noise=0,
    jpeg=0, cutout=0, dark_corners=0,
)  # fmt: skip


@pytest.fixture(scope="module")
def lesion():
    return reading.resize(synthetic.lesion(3), SIZE)


@pytest.fixture
def noise():
    """Random pixels, so that a misplaced pixel is noticed."""
    return np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)


def views(image, config, num_views=40):
    return [augment(image, (0, epoch), config) for epoch in range(num_views)]


def plain(level):
    return np.full((SIZE, SIZE, 3), level, np.uint8)


def test_the_same_seed_gives_the_same_image_and_another_seed_another(lesion):
    again = augment(lesion, (1, 2, 3), ALL)
    np.testing.assert_array_equal(augment(lesion, (1, 2, 3), ALL), again)
    assert not np.array_equal(augment(lesion, (1, 2, 4), ALL), again)
    assert not np.array_equal(augment(lesion, (2, 1, 3), ALL), again)


def test_augmentation_keeps_shape_and_type_and_does_not_modify_its_input(lesion):
    before = lesion.copy()
    for view in views(lesion, ALL):
        assert view.shape == lesion.shape
        assert view.dtype == np.uint8
    np.testing.assert_array_equal(lesion, before)


def test_no_augmentation_changes_nothing(noise):
    for view in views(noise, NO_AUGMENTATION, 5):
        np.testing.assert_array_equal(view, noise)


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(AugmentConfig)])
def test_each_setting_has_an_effect_alone(noise, name):
    config = replace(NO_AUGMENTATION, **{name: getattr(ALL, name)})
    assert any(not np.array_equal(view, noise) for view in views(noise, config))


def test_flips_and_quarter_turns_are_the_eight_symmetries_of_the_square(noise):
    turns = [np.rot90(noise, k).astype(int) for k in range(4)]
    symmetries = [view for turn in turns for view in (turn, turn[:, ::-1])]
    symmetries_drawn = set()
    for view in views(noise, replace(NO_AUGMENTATION, flip=True), 100):
        # Pillow truncates, so 1e-14 below a whole level is one level below.
        matches = [k for k in range(8) if np.abs(view - symmetries[k]).max() <= 1]
        assert len(matches) == 1
        symmetries_drawn.update(matches)
    assert symmetries_drawn == set(range(8))


def test_rotation_keeps_the_mean_color(lesion):
    for view in views(lesion, replace(NO_AUGMENTATION, flip=True, rotate_degrees=180)):
        np.testing.assert_allclose(view.mean(axis=(0, 1)), lesion.mean(axis=(0, 1)), atol=6)


def test_margins_are_mirrored_so_that_no_corner_is_empty():
    for view in views(plain(200), GEOMETRY, 500):
        np.testing.assert_array_equal(view, 200)


def test_shift_is_limited_to_its_fraction_of_the_side():
    image = plain(0)
    image[SIZE // 2, SIZE // 2] = 255
    shifts = []
    for view in views(image, replace(NO_AUGMENTATION, shift=0.25), 200):
        row, column = np.unravel_index(view[..., 0].argmax(), (SIZE, SIZE))
        shifts += [row - SIZE // 2, column - SIZE // 2]
    assert max(np.abs(shifts)) <= 0.25 * SIZE + 0.5
    assert min(shifts) < -0.2 * SIZE
    assert max(shifts) > 0.2 * SIZE


def test_scale_enlarges_and_shrinks_equally():
    rows, columns = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    image = plain(0)
    image[rows**2 + columns**2 < 10**2] = 255
    config = replace(NO_AUGMENTATION, scale=0.2)
    areas = [view[..., 0].mean() / image[..., 0].mean() for view in views(image, config, 100)]
    assert 1 / 1.2**2 - 0.05 < min(areas) < 0.8
    assert 1.3 < max(areas) < 1.2**2 + 0.05
    assert np.median(areas) == pytest.approx(1, abs=0.1)


def test_hue_and_saturation_keep_gray():
    image = np.repeat(np.arange(SIZE * SIZE).reshape(SIZE, SIZE, 1) % 256, 3, axis=2)
    image = image.astype(np.uint8)
    for view in views(image, replace(NO_AUGMENTATION, hue_degrees=180, saturation=1)):
        np.testing.assert_array_equal(view, image)


def test_hue_rotates_colors_and_keeps_their_mean_level():
    red = plain(80)
    red[..., 0] = 140
    turned = views(red, replace(NO_AUGMENTATION, hue_degrees=60))
    assert len({tuple(view[0, 0]) for view in turned}) > 10
    for view in turned:
        assert view[0, 0].mean() == pytest.approx(100, abs=1)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    # 60 is 67.5 below mid gray.
    [("brightness", 60 * 0.8, 60 * 1.2), ("contrast", 127.5 - 67.5 * 1.2, 127.5 - 67.5 * 0.8)],
)
def test_brightness_and_contrast_cover_exactly_their_range(name, low, high):
    config = replace(NO_AUGMENTATION, **{name: 0.2})
    levels = [view[0, 0, 0] for view in views(plain(60), config, 200)]
    assert low - 1 <= min(levels) < low + 2
    assert high - 2 < max(levels) <= high + 1


def test_contrast_keeps_mid_gray():
    for view in views(plain(127), replace(NO_AUGMENTATION, contrast=0.5), 20):
        assert np.abs(view.astype(int) - 127).max() <= 1


def test_about_one_image_in_four_is_blurred_and_one_in_two_has_a_cutout(noise):
    blurred = views(noise, replace(NO_AUGMENTATION, blur=3), 200)
    assert 30 < sum(not np.array_equal(view, noise) for view in blurred) < 70
    cut = views(noise, replace(NO_AUGMENTATION, cutout=0.3), 200)
    assert 75 < sum(not np.array_equal(view, noise) for view in cut) < 125


def sharpness(view):
    return np.abs(np.diff(view.astype(float), axis=1)).mean()


def test_about_one_image_in_four_is_sharpened_and_never_a_blurred_one(noise):
    sharpened = views(noise, replace(NO_AUGMENTATION, sharpen=2), 200)
    changed = [view for view in sharpened if not np.array_equal(view, noise)]
    assert 30 < len(changed) < 70
    assert all(sharpness(view) > sharpness(noise) for view in changed)
    both = views(noise, replace(NO_AUGMENTATION, sharpen=2, blur=3), 200)
    assert 70 < sum(not np.array_equal(view, noise) for view in both) < 130


def test_noise_has_at_most_the_configured_deviation_and_no_bias():
    gray = np.full((64, 64, 3), 128, np.uint8)
    noisy = views(gray, replace(NO_AUGMENTATION, noise=8), 200)
    deviations = [view.std() for view in noisy if view.std() > 0]
    assert 30 < len(deviations) < 70
    assert 6 < max(deviations) < 8.5
    assert abs(np.mean(noisy) - 128) < 0.05


def test_compression_loses_more_at_a_lower_quality(lesion):
    def loss(quality):
        compressed = views(lesion, replace(NO_AUGMENTATION, jpeg=quality), 200)
        changed = [view for view in compressed if not np.array_equal(view, lesion)]
        assert 30 < len(changed) < 70
        return max(np.abs(view.astype(float) - lesion).mean() for view in changed)

    assert 2 * loss(95) < loss(10)


def test_cutout_is_a_square_in_the_mean_color_of_limited_size(noise):
    mean = noise.mean(axis=(0, 1)).astype(np.uint8)
    for view in views(noise, replace(NO_AUGMENTATION, cutout=0.3)):
        rows, columns = np.nonzero((view != noise).any(axis=2))
        if len(rows):
            square = view[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
            assert square.shape[0] == square.shape[1] <= 0.3 * SIZE
            assert (square == mean).all()


def test_about_one_image_in_four_has_dark_corners_and_an_unchanged_middle(noise):
    cornered = views(noise, replace(NO_AUGMENTATION, dark_corners=0.35), 200)
    changed = [view for view in cornered if not np.array_equal(view, noise)]
    assert 30 < len(changed) < 70
    middle = slice(SIZE // 4, -SIZE // 4)
    corners = np.ix_([0, -1], [0, -1])
    for view in changed:
        assert np.abs(view[middle, middle].astype(int) - noise[middle, middle]).max() <= 1
        assert (view <= noise).all()
    darkest = [view[corners].mean() / noise[corners].mean() for view in changed]
    assert min(darkest) < 0.05


def test_a_mask_is_moved_with_its_image():
    rows, columns = np.mgrid[:SIZE, :SIZE]
    mask = (rows - 20) ** 2 + (columns - 30) ** 2 < 9**2
    image = np.where(mask[..., np.newaxis], np.uint8(40), np.uint8(220)).repeat(3, axis=2)
    for seed in range(40):
        view, moved = augment_with_mask(image, mask, (0, seed), GEOMETRY)
        np.testing.assert_array_equal(view, augment(image, (0, seed), GEOMETRY))
        is_dark = view[..., 0] < 130
        assert (moved ^ is_dark).sum() < 0.1 * mask.sum()


def test_what_is_darkened_leaves_the_mask(noise):
    config = replace(NO_AUGMENTATION, dark_corners=0.5)
    whole = np.ones((SIZE, SIZE), bool)
    masks = [augment_with_mask(noise, whole, (0, seed), config)[1] for seed in range(40)]
    darkened = [mask for mask in masks if not mask.all()]
    assert 4 < len(darkened) < 20
    for mask in darkened:
        assert mask[SIZE // 2, SIZE // 2]
        assert not mask[0, 0]
