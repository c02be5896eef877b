"""Asymmetry, border, colors and diameter of drawn shapes whose answer one can see."""

import numpy as np
import pytest

from melanoma_core.images import abcd, outlines

HEIGHT, WIDTH = 192, 256
ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH]
SKIN = (219, 171, 146)
BROWN = (104, 62, 40)


def disc(row, column, radius):
    return (ROWS - row) ** 2 + (COLUMNS - column) ** 2 <= radius**2


def ellipse(long, short, degrees=0):
    turn = np.deg2rad(degrees)
    down, right = ROWS - 96, COLUMNS - 128
    along = right * np.cos(turn) + down * np.sin(turn)
    across = down * np.cos(turn) - right * np.sin(turn)
    return (along / long) ** 2 + (across / short) ** 2 <= 1


def star():
    """Five points, half as deep as long."""
    angles = np.arange(10) * np.pi / 5 + 0.4
    radii = np.where(np.arange(10) % 2, 35, 70)
    points = zip(128 + radii * np.cos(angles), 96 + radii * np.sin(angles), strict=True)
    return outlines.from_polygon(list(points), HEIGHT, WIDTH)


def photograph(mask, color=BROWN):
    image = np.full((HEIGHT, WIDTH, 3), SKIN, np.uint8)
    image[mask] = color
    return image


HALF_DISC = disc(96, 128, 60) & (ROWS < 96)
L_SHAPE = ((abs(ROWS - 95) < 55) & (abs(COLUMNS - 95) < 15)) | (
    (abs(ROWS - 135) < 15) & (abs(COLUMNS - 140) < 60)
)


def measured(mask, **options):
    return abcd.describe(photograph(mask), mask, **options)


@pytest.mark.parametrize(
    ("mask", "num_axes", "is_irregular"),
    [
        (disc(96, 128, 60), 0, False),
        (ellipse(90, 45), 0, False),
        (ellipse(90, 45, 30), 0, False),
        (HALF_DISC, 1, False),
        (disc(96, 128, 70) & ~disc(96, 158, 60), 1, True),
        (star(), 1, True),
        (L_SHAPE, 2, True),
    ],
    ids=["circle", "ellipse", "turned ellipse", "half-moon", "crescent", "star", "L"],
)
def test_shapes_are_judged_as_they_look(mask, num_axes, is_irregular):
    made = measured(mask)
    assert made.num_asymmetric_axes == num_axes
    assert made.is_irregular == is_irregular


def test_a_half_moon_is_asymmetric_along_its_straight_side_by_the_share_that_geometry_gives():
    # Folded along the line through its center of mass, a fifth of the half disc finds no partner.
    center = 4 / (3 * np.pi)
    heights = np.linspace(0, 1, 100_001)
    mirrored = np.clip(1 - np.clip(2 * center - heights, 0, 1) ** 2, 0, None) ** 0.5
    is_inside = (2 * center - heights >= 0) & (2 * center - heights <= 1)
    own = (1 - heights**2) ** 0.5
    expected = 1 - (np.minimum(own, mirrored) * is_inside).sum() / own.sum()
    assert max(measured(HALF_DISC).asymmetry) == pytest.approx(expected, abs=0.02)
    assert min(measured(HALF_DISC).asymmetry) < 0.02


def test_irregularity_is_the_share_of_the_hull_outside_the_lesion():
    # The hull of the star is a pentagon.
    pentagon = 5 / 2 * np.sin(2 * np.pi / 5) * 70**2
    expected = 1 - 5 * np.sin(np.pi / 5) * 70 * 35 / pentagon
    assert measured(star()).border_irregularity == pytest.approx(expected, abs=0.02)


def test_colors_of_two_halves_make_a_round_lesion_asymmetric_in_color():
    mask = disc(96, 128, 60)
    image = photograph(mask)
    image[mask & (COLUMNS < 128)] = (30, 20, 18)
    made = abcd.describe(image, mask)
    assert made.num_asymmetric_axes == 0
    assert max(made.color_asymmetry) > 20
    assert max(measured(mask).color_asymmetry) < 2


@pytest.mark.parametrize(
    ("color", "name"),
    [
        ((245, 240, 236), "white"),
        ((204, 51, 51), "red"),
        ((214, 110, 110), "red"),
        ((158, 108, 74), "light brown"),
        ((153, 102, 20), "light brown"),
        ((101, 67, 33), "dark brown"),
        ((84, 48, 34), "dark brown"),
        ((112, 122, 142), "blue-gray"),
        ((110, 110, 112), "blue-gray"),
        ((70, 80, 110), "blue-gray"),
        ((20, 16, 16), "black"),
    ],
)
def test_a_patch_has_its_color_and_share(color, name):
    mask = disc(96, 128, 60)
    image = photograph(mask)
    patch = disc(96, 128, 30)
    image[patch] = color
    made = abcd.describe(image, mask)
    others = {"dark brown": 1.0} if name == "dark brown" else {"dark brown": 0.75, name: 0.25}
    expected = {color: others.get(color, 0.0) for color in abcd.COLORS}
    assert made.color_shares == pytest.approx(expected, abs=0.04)
    assert set(made.colors) == set(others)


def test_skin_and_a_small_speck_are_no_colors():
    mask = disc(96, 128, 60)
    image = photograph(mask, SKIN)
    image[disc(96, 128, 6)] = (10, 10, 10)
    assert abcd.describe(image, mask).colors == ()


def test_white_is_judged_against_the_skin_of_the_photograph():
    mask = disc(96, 128, 60)
    pale = photograph(mask, (236, 226, 220))
    pale[~mask] = (238, 226, 220)
    assert abcd.describe(pale, mask).colors == ()
    assert abcd.describe(photograph(mask, (236, 226, 220)), mask).colors == ("white",)


def test_the_dark_frame_is_not_taken_for_skin():
    mask = disc(96, 128, 60)
    image = photograph(mask, (158, 108, 74))
    image[~disc(96, 128, 75)] = 0
    assert abcd.describe(image, mask).colors == ("light brown",)


def test_diameter_needs_a_scale_to_be_in_millimeters():
    made = measured(ellipse(90, 45, 30))
    assert made.diameter_px == pytest.approx(181, abs=2)
    assert made.diameter_mm is None
    scaled = measured(ellipse(90, 45, 30), mm_per_px=0.05)
    assert scaled.diameter_mm == pytest.approx(made.diameter_px * 0.05)


def test_area_is_the_share_of_the_photograph():
    mask = disc(96, 128, 60)
    assert measured(mask).area_share == mask.sum() / (HEIGHT * WIDTH)


def test_a_lesion_of_a_single_pixel_is_measured():
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[50, 60] = True
    assert measured(mask).num_asymmetric_axes == 0


def test_an_empty_mask_is_refused():
    with pytest.raises(ValueError, match="0 px inside"):
        measured(np.zeros((HEIGHT, WIDTH), bool))
