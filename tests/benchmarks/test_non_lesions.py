"""Collected pictures, and skin made with outlines."""

import struct

import numpy as np
import pytest

from benchmarks.accuracy import skins_by_outline
from benchmarks.data import non_lesions
from melanoma_core.images import reading


def pattern(width, height, pixels):
    name = b"stripes\0"
    header = struct.pack(">5I4s", 24 + len(name), 1, width, height, 3, b"GPAT")
    return header + name + bytes(pixels)


def test_a_pattern_is_repeated():
    picture = non_lesions._read_pattern(pattern(2, 1, [255, 0, 0, 0, 0, 255]))
    assert picture.shape == (256, 256, 3)
    assert picture[7, 200].tolist() == [255, 0, 0]
    assert picture[9, 201].tolist() == [0, 0, 255]


def test_another_file_is_no_pattern():
    with pytest.raises(ValueError, match="no pattern"):
        non_lesions._read_pattern(b"\x89PNG" + bytes(40))


def test_a_picture_that_is_small_damaged_or_there_twice_is_left_out(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (3, 80, 80, 3), dtype=np.uint8)
    for name, content in {
        "a.png": reading.png(noise[0]),
        "b.png": reading.png(noise[0]),
        "c.png": reading.png(noise[1][:40, :40]),
        "d.png": b"no picture",
        "e.png": reading.png(noise[2]),
    }.items():
        (tmp_path / name).write_bytes(content)
    names = [name for name, _ in non_lesions._pictures(sorted(tmp_path.iterdir()), tmp_path)]
    assert names == ["a", "e"]


def lesion():
    """A black lesion in the lower half of even skin, and its outline."""
    photograph = np.full((100, 140, 3), (210, 160, 140), np.uint8)
    outline = np.zeros((100, 140), bool)
    outline[60:80, 50:110] = True
    photograph[outline] = 0
    return photograph, outline


def test_skin_beside_a_lesion_is_the_largest_corner_without_it():
    corner = skins_by_outline.skin_beside(*lesion())
    assert corner.shape == (50, 50, 3)  # at 60 px, each corner reaches the widened outline
    assert (corner == (210, 160, 140)).all()


def test_a_lesion_filled_in_is_gone():
    filled = skins_by_outline.skin_filled_in(*lesion())
    assert np.abs(filled.astype(int) - (210, 160, 140)).max() <= 5


def test_a_lesion_across_the_photograph_leaves_no_skin():
    photograph, outline = lesion()
    outline[:] = True
    assert skins_by_outline.skin_beside(photograph, outline) is None
    assert skins_by_outline.skin_filled_in(photograph, outline) is None


def test_a_clinical_view_holds_a_small_lesion_and_the_ground():
    ground = np.full((128, 128, 3), (0, 0, 255), np.uint8)
    view = skins_by_outline.clinical_view(np.random.default_rng(0), *lesion(), ground)
    is_lesion = (view < 60).all(axis=2)
    assert 0 < is_lesion.mean() < 0.03
    assert view[0, 0].tolist() == [0, 0, 255]
