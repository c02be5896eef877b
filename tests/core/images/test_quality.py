"""Measures of quality: each grows with its own defect, on drawn pictures."""

import cv2
import numpy as np
import pytest

from melanoma_core.images import degradations, quality, synthetic


def lesion(size=(256, 341), seed=3):
    return synthetic.lesion(seed, size, "melanoma")


def measured(image):
    return quality.measure(image)


# The color cast is judged with the model's limits.
@pytest.mark.parametrize("kind", sorted(set(degradations.DEGRADATIONS) - {"color cast"}))
def test_a_degradation_makes_its_own_measure_grow(kind):
    finding = degradations.DEGRADATIONS[kind].finding
    values = [
        measured(degradations.degrade(lesion(), kind, strength, "a"))[finding]
        for strength in (2, 4, 5)
    ]
    assert measured(lesion())[finding] < values[0] < values[1] < values[2]


def test_noise_is_measured_in_gray_levels():
    rng = np.random.default_rng(0)
    gray = np.repeat(128 + rng.normal(0, 6, (192, 192, 1)), 3, axis=2)
    assert measured(np.rint(gray).astype(np.uint8))["noise"] == pytest.approx(6, rel=0.05)


def test_black_corners_do_not_count_as_dark_or_blurred():
    image = lesion((256, 256))
    framed = degradations.darken_corners(image, 0.67)
    before, after = measured(image), measured(framed)
    assert after["dark"] == pytest.approx(before["dark"], abs=0.03)
    assert after["blur"] == pytest.approx(before["blur"], rel=0.1)
    assert before["dark_corners"] == 0
    # The disk that is left has 0.67 times half the diagonal as its radius.
    assert after["dark_corners"] == pytest.approx(1 - np.pi * 0.67**2 / 2, abs=0.03)


def test_brightness_hardly_changes_the_share_of_dark_corners():
    framed = degradations.darken_corners(lesion((256, 256)), 0.67)
    dimmed = degradations.change_brightness(framed, 0.4)
    assert measured(dimmed)["dark_corners"] == pytest.approx(
        measured(framed)["dark_corners"], abs=0.02
    )


def test_a_white_reflection_is_glare_and_a_white_photograph_is_not():
    image = lesion()
    cv2.circle(image, (60, 60), 10, (255, 255, 255), -1)
    area = np.pi * 10**2 / (256 * 341)
    assert measured(image)["glare"] == pytest.approx(area, rel=0.2)
    assert measured(np.full((192, 192, 3), 255, np.uint8))["glare"] == 0


def test_blocks_are_found_in_a_compressed_photograph_alone():
    assert measured(lesion())["compression"] < 0.2
    assert measured(degradations.compress(lesion(), 8))["compression"] > 1


def test_blocks_are_looked_for_in_the_middle_of_a_large_photograph():
    large = lesion((1040, 1304))
    assert measured(degradations.compress(large, 5))["compression"] > 1


def test_long_thin_dark_lines_are_hair_and_short_ones_are_not():
    image = np.full((192, 192, 3), 190, np.uint8)
    cv2.line(image, (20, 30), (20, 150), (40, 30, 30), 2)
    assert measured(image)["hair"] == pytest.approx(121 / 192, rel=0.05)
    short = np.full((192, 192, 3), 190, np.uint8)
    cv2.line(short, (20, 30), (20, 45), (40, 30, 30), 2)
    assert measured(short)["hair"] == 0


def test_a_dark_line_along_the_frame_is_no_hair():
    image = np.full((192, 192, 3), 190, np.uint8)
    image[-2:] = 20
    assert measured(image)["hair"] == 0


@pytest.mark.parametrize("color", [(60, 60, 160), (40, 140, 60), (110, 60, 150)])
def test_ink_is_blue_green_or_violet(color):
    image = np.full((192, 192, 3), (215, 175, 155), np.uint8)
    image[20:52, 20:116] = color
    assert measured(image)["ink"] == pytest.approx(32 * 96 / 192**2, rel=0.02)


def test_brown_and_black_are_no_ink():
    image = np.full((192, 192, 3), (215, 175, 155), np.uint8)
    image[20:80, 20:80], image[100:150, 100:150] = (110, 70, 45), (25, 20, 20)
    assert measured(image)["ink"] == 0


@pytest.mark.parametrize("turns", range(4))
def test_even_marks_along_any_side_are_a_ruler(turns):
    image = np.full((192, 192, 3), 190, np.uint8)
    image[8:20, 10:184:6] = 40
    assert measured(np.rot90(image, turns).copy())["ruler"] > 0.8


def test_marks_at_random_are_no_ruler():
    image = np.full((192, 192, 3), 190, np.uint8)
    image[8:20, np.random.default_rng(1).choice(180, 25, replace=False)] = 40
    assert measured(image)["ruler"] < 0.4


def test_a_lesion_in_the_middle_is_not_cut_off():
    outline = np.zeros((100, 100), bool)
    outline[30:70, 20:80] = True
    measures = quality.measure_outline(outline)
    assert measures["cut_off"] == 0
    assert measures["small_lesion"] == pytest.approx(1 - np.sqrt(0.4 * 0.6))


def test_a_lesion_at_the_frame_is_cut_off_by_the_share_of_its_edge():
    outline = np.zeros((100, 100), bool)
    outline[:20, 30:70] = True  # 40 of an edge of 40 + 40 + 2 · 18 px lie on the frame
    on_frame = quality.measure_outline(outline)["cut_off"]
    assert on_frame == pytest.approx(40 / (40 + 40 + 2 * 18))


def test_without_a_lesion_nothing_is_cut_off():
    measures = quality.measure_outline(np.zeros((10, 10), bool))
    assert measures == {"cut_off": 0, "small_lesion": 1}


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_uniform_picture_has_finite_measures(level):
    measures = measured(np.full((64, 90, 3), level, np.uint8))
    assert all(np.isfinite(value) for value in measures.values())


def test_the_size_is_that_of_the_photograph():
    assert measured(lesion((96, 128)))["too_small"] == quality.SIDE / 96
