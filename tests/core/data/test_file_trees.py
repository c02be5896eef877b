"""Photographs, tables, ids and splits are recognized by name."""

from pathlib import PurePosixPath

import pytest

from melanoma_core.data import file_trees
from melanoma_core.data.file_trees import Metadata
from melanoma_core.errors import DatasetError
from tests.support.made_sets import made


def test_only_photographs_are_found_with_their_sizes(tmp_path):
    made(
        tmp_path,
        *("a/1.jpg", "a/2.JPEG", "a/deep/3.png", "4.webp", "5.tif", "6.tiff"),
        *("a/readme.txt", "a/.7.jpg", ".hidden/8.jpg", "__MACOSX/a/9.jpg", "b/"),
        *("c/1_segmentation.png", "c/1_superpixels.png"),
    )
    tree = file_trees.scan(tmp_path, "set.zip")
    assert tree.images == {
        PurePosixPath(name): len(name.rpartition("/")[2])
        for name in ("4.webp", "5.tif", "6.tiff", "a/1.jpg", "a/2.JPEG", "a/deep/3.png")
    }
    assert set(tree.empty_dirs) == {PurePosixPath("b"), PurePosixPath("c")}


def test_tables_of_thumbnails_are_ignored(tmp_path):
    made(tmp_path, "1.jpg", meta="image,age\n", hmnist_8_8_L="pixel0000,pixel0001\n1,2\n")
    made(tmp_path, "HAM10000_metadata")
    assert [t.name for t in file_trees.scan(tmp_path, "s").tables] == [
        "HAM10000_metadata",
        "meta.csv",
    ]


def test_a_folder_without_photographs_is_refused(tmp_path):
    made(tmp_path, "images.zip", table="image,age\n")
    with pytest.raises(DatasetError, match=r"set.zip holds no photographs .* zips of their own"):
        file_trees.scan(tmp_path, "set.zip")


def test_an_unreadable_file_is_named(tmp_path):
    made(tmp_path, "nevus/1.jpg")
    (tmp_path / "nevus" / "2.jpg").symlink_to(tmp_path / "gone.jpg")
    with pytest.raises(DatasetError, match=r"moles: 2.jpg cannot be read: No such file") as refusal:
        file_trees.scan(tmp_path, "moles")
    assert str(tmp_path) not in str(refusal.value)


@pytest.mark.parametrize(
    ("stem", "image_id"),
    [
        ("ISIC_0025509", "ISIC_0025509"),
        ("ISIC_0025509(1)", "ISIC_0025509"),
        ("ISIC_0025509 (12)", "ISIC_0025509"),
        ("ISIC_0000002_downsampled", "ISIC_0000002"),
        ("mole (left) 3", "mole (left) 3"),
    ],
)
def test_copies_and_small_versions_have_the_id_of_their_original(stem, image_id):
    assert file_trees.image_id_of(stem) == image_id


def test_a_photograph_held_out_anywhere_stays_held_out():
    assert file_trees.strictest_split(["train", None, "test", "val"]) == "test"
    assert file_trees.strictest_split([None, "train", "val"]) == "val"
    assert file_trees.strictest_split([None, None]) is None


def test_metadata_is_translated_and_merged_over_tables(tmp_path):
    made(
        tmp_path,
        "1.jpg",
        a="isic_id,age,sex,localization\n1,45.0,Female,Lower Extremity\n2,unknown,,unknown\n",
        b="image,lesion_id,age_approximate,sex\n1,HAM_1,99,male\n2,IL_2,,male\n",
        e="image,patient_id\n1,IP_7\n2,unknown\n",
        c="image,weather\n1,rain\n",
        d="age,sex\n5,male\n",
    )
    assert file_trees.metadata(file_trees.scan(tmp_path, "set").tables) == {
        "1": Metadata("IP_7", "HAM_1", 45.0, "female", "lower extremity"),
        "2": Metadata(None, "IL_2", None, "male", None),
    }


def test_a_negative_age_is_named_with_file_line_and_column(tmp_path):
    made(tmp_path, "1.jpg", ages="image,age\n1,0\n2,-5\n")
    with pytest.raises(DatasetError, match=r"ages.csv, line 3, column age: the age “-5” is below"):
        file_trees.metadata(file_trees.scan(tmp_path, "set").tables)


def test_an_age_that_is_not_a_number_is_named_with_file_line_and_column(tmp_path):
    made(tmp_path, "1.jpg", ages="image,age\n1,old\n")
    with pytest.raises(DatasetError, match=r"ages.csv, line 2, column age: “old” is not a number"):
        file_trees.metadata(file_trees.scan(tmp_path, "set").tables)
