"""Masks and polygons of lesions: one region, no holes, there and back."""

import numpy as np
import pytest
from PIL import Image

from melanoma_core.errors import ImageError
from melanoma_core.images import outlines

LESION = np.kron([[0, 1, 1], [0, 0, 1]], np.ones((64, 64))).astype(bool)
ROWS, COLUMNS = np.mgrid[:60, :80]


def disc(row, column, radius):
    return (ROWS - row) ** 2 + (COLUMNS - column) ** 2 <= radius**2


def logits(inside, strength=4.0):
    return np.where(inside, strength, -4.0).astype(np.float32)


def test_mask_is_the_largest_region_without_its_holes():
    lesion = disc(30, 30, 15)
    seen = (lesion & ~disc(30, 30, 4)) | disc(30, 70, 5)
    mask = outlines.mask(logits(seen), 60, 80)
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, lesion)


def test_mask_is_the_region_that_the_decoder_is_surest_of():
    lesion, shadow = disc(30, 30, 8), disc(30, 70, 11)
    seen = np.maximum(logits(lesion), logits(shadow, strength=1.5))
    np.testing.assert_array_equal(outlines.mask(seen, 60, 80), lesion)


def test_mask_is_stretched_to_the_photograph():
    mask = outlines.mask(logits(disc(30, 40, 15)), 240, 160)
    rows, columns = np.mgrid[:240, :160]
    expected = ((rows - 122) / 60) ** 2 + ((columns - 81) / 30) ** 2 <= 1
    assert outlines.dice(mask, expected) > 0.98


@pytest.mark.parametrize(
    "seen",
    [
        logits(np.zeros((60, 80), bool)),
        logits(disc(30, 40, 1)),
        logits(disc(30, 40, 15), strength=0.3),
    ],
    ids=["nothing", "next to nothing", "hardly sure"],
)
def test_there_is_no_mask_without_a_lesion(seen):
    assert outlines.mask(seen, 60, 80) is None


def test_border_goes_round_the_corners_of_the_pixels_clockwise():
    mask = np.zeros((4, 4), bool)
    mask[1, 1] = mask[2, 1:3] = True
    assert outlines.border(mask).tolist() == [
        [1, 1], [2, 1], [2, 2], [3, 2], [3, 3], [2, 3], [1, 3], [1, 2],
    ]  # fmt: skip


def test_border_keeps_to_the_largest_of_regions_that_touch_at_a_corner():
    mask = np.zeros((6, 6), bool)
    mask[:2, :2] = mask[2:5, 2:5] = True
    border = outlines.border(mask)
    assert len(border) == 12
    assert border.min() == 2


@pytest.mark.parametrize(
    "mask", [disc(30, 40, 20), disc(30, 40, 20) & ~disc(30, 55, 14), disc(0, 0, 30)]
)
def test_polygon_gives_the_mask_again(mask):
    points = outlines.polygon(mask)
    assert 24 <= len(points) <= 48
    assert outlines.dice(outlines.from_polygon(points, 60, 80), mask) > 0.97


def test_polygon_of_a_known_square_is_filled_to_the_pixel():
    mask = outlines.from_polygon([(2, 1), (5, 1), (5, 4), (2, 4)], 6, 8)
    expected = np.zeros((6, 8), bool)
    expected[1:4, 2:5] = True
    np.testing.assert_array_equal(mask, expected)


def test_nothing_has_no_polygon_and_a_line_no_area():
    assert outlines.polygon(np.zeros((6, 8), bool)) == []
    assert not outlines.from_polygon([(1, 1), (5, 4)], 6, 8).any()


def test_a_mask_is_resized_by_area():
    mask = np.zeros((4, 8), bool)
    mask[:2, :4] = True
    np.testing.assert_array_equal(outlines.resize(mask, 2, 4), [[1, 1, 0, 0], [0, 0, 0, 0]])


def test_dice_of_nothing_and_nothing_is_one():
    nothing = np.zeros((2, 2), bool)
    assert outlines.dice(nothing, nothing) == 1
    assert outlines.dice(nothing, ~nothing) == 0


def write(path, mode="L"):
    """Write `LESION` to a file, lighter inside; in mode P, palette number 0 is white."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if mode == "P":
        image = Image.fromarray(np.where(LESION, 0, 255).astype(np.uint8))
        image.putpalette([255 - value for value in range(256) for _ in range(3)])
    else:
        image = Image.fromarray(np.where(LESION, 128, 127).astype(np.uint8))
    image.save(path)
    return path


@pytest.mark.parametrize("mode", ["L", "P"])
def test_the_mask_follows_the_color_not_the_palette_number(tmp_path, mode):
    mask = outlines.read_file(write(tmp_path / "a_segmentation.png", mode))
    assert mask.dtype == bool
    assert np.array_equal(mask, LESION)


def test_a_damaged_outline_is_named(tmp_path):
    path = write(tmp_path / "ISIC_1_segmentation.png")
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ImageError, match=r"ISIC_1_segmentation\.png"):
        outlines.read_file(path)


def test_an_empty_outline_is_refused(tmp_path):
    path = tmp_path / "ISIC_1_segmentation.png"
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(path)
    with pytest.raises(ImageError, match=r"ISIC_1_segmentation\.png is empty"):
        outlines.read_file(path)
