"""Lesion outlines: found in a folder or zip, read by color, or refused."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from melanoma_core.data import outline_files
from melanoma_core.errors import DatasetError
from melanoma_core.images import outlines
from tests.support.made_sets import zipped

LESION = np.kron([[0, 1, 1], [0, 0, 1]], np.ones((64, 64))).astype(bool)


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


def test_outlines_are_found_by_image_id_at_any_depth(tmp_path):
    first = write(tmp_path / "ISIC_1_segmentation.png")
    second = write(tmp_path / "masks" / "ISIC_2_segmentation.PNG")
    write(tmp_path / "ISIC_3.png")  # a photograph
    write(tmp_path / "__MACOSX" / "ISIC_4_segmentation.png")
    assert outline_files.find(tmp_path) == {"ISIC_1": first, "ISIC_2": second}


def test_a_zip_is_read_like_its_folder(tmp_path):
    write(tmp_path / "folder" / "ISIC_1_segmentation.png")
    archive = zipped(tmp_path / "folder", tmp_path / "masks.zip")
    files = outline_files.find(archive, tmp_path / "cache")
    assert list(files) == ["ISIC_1"]
    assert files["ISIC_1"].is_relative_to(tmp_path / "cache")
    assert np.array_equal(outlines.read_file(files["ISIC_1"]), LESION)


def test_an_archive_with_a_path_outside_its_folder_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "masks.zip", "w") as archive:
        archive.writestr("../ISIC_1_segmentation.png", b"")
    with pytest.raises(DatasetError, match="leads out of the folder"):
        outline_files.find(tmp_path / "masks.zip", tmp_path / "cache")


def test_a_folder_without_outlines_is_refused_with_the_expected_file_name(tmp_path):
    write(tmp_path / "ISIC_1.png")
    with pytest.raises(DatasetError, match=r"<image id>_segmentation\.png"):
        outline_files.find(tmp_path)


def test_a_missing_archive_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"no file or folder masks\.zip"):
        outline_files.find(tmp_path / "masks.zip")


def test_two_outlines_of_one_photograph_are_refused(tmp_path):
    write(tmp_path / "a" / "ISIC_1_segmentation.png")
    write(tmp_path / "b" / "ISIC_1_segmentation.png")
    with pytest.raises(DatasetError, match="two outlines of ISIC_1"):
        outline_files.find(tmp_path)
