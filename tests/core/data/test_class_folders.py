"""Class-folder sets: nested or not, divided or not, with all sorts of names."""

import pytest

from melanoma_core.data import datasets
from melanoma_core.errors import DatasetError
from tests.support.made_sets import made


def rows(root) -> set[tuple[str, str, str | None]]:
    table = datasets.read(root).table
    return set(table[["image_id", "diagnosis", "split"]].itertuples(index=False, name=None))


@pytest.mark.parametrize("wrapping", ["", "Skin cancer/", "a/b/"])
def test_a_divided_set_is_read_at_any_depth(tmp_path, wrapping):
    made(
        tmp_path,
        f"{wrapping}Train/melanoma/ISIC_1.jpg",
        f"{wrapping}TEST/Seborrheic_Keratosis/ISIC_2.png",
        f"{wrapping}validation/nv/ISIC_3.jpeg",
    )
    assert rows(tmp_path) == {
        ("ISIC_1", "MEL", "train"),
        ("ISIC_2", "SK", "test"),
        ("ISIC_3", "NV", "val"),
    }


def test_classes_at_top_level_have_no_split(tmp_path):
    made(tmp_path, "nevus/ISIC_1.jpg", "Basal Cell Carcinoma/ISIC_2.jpg")
    assert rows(tmp_path) == {("ISIC_1", "NV", None), ("ISIC_2", "BCC", None)}


def test_a_set_is_named_after_its_folder_and_its_license_is_unknown(tmp_path):
    dataset = datasets.read(made(tmp_path / "My Lesions", "nevus/a.jpg", "melanoma/b.jpg"))
    assert (dataset.name, dataset.license) == ("my-lesions", "not stated")
    assert set(dataset.table["source"]) == {"my-lesions"}
    assert not dataset.is_official


@pytest.mark.parametrize("path", ["LICENSE", "license.txt", "LICENCE.TXT", "Skin cancer/Licence"])
def test_the_license_is_the_first_line_of_the_file_above_all_photographs(tmp_path, path):
    made(tmp_path, "Skin cancer/nevus/a.jpg", "Skin cancer/melanoma/b.jpg")
    (tmp_path / path).write_text("\ufeff\n \n  CC BY-NC 4.0\x1b[2J \nThe rest of it.\n")
    assert datasets.read(tmp_path).license == "CC BY-NC 4.0[2J"


def test_a_long_license_is_cut_and_an_empty_or_partial_one_is_ignored(tmp_path):
    made(tmp_path, "nevus/a.jpg", "melanoma/b.jpg")
    (tmp_path / "nevus" / "LICENSE").write_text("CC0")
    (tmp_path / "LICENSE").write_text(" \n\n")
    assert datasets.read(tmp_path).license == "not stated"
    (tmp_path / "LICENSE").write_text("x" * 201)
    assert datasets.read(tmp_path).license == "x" * 200


def test_every_file_has_a_row_and_contradictions_are_noted(tmp_path):
    made(tmp_path, "Train/nv/ISIC_1.jpg", "Test/mel/ISIC_1.jpg", "Train/nv/ISIC_1 (1).jpg")
    dataset = datasets.read(tmp_path)
    assert list(dataset.table["image_id"]) == ["ISIC_1"] * 3
    assert dataset.notes == ("Photographs filed under two diagnoses: 1.",)


def test_different_photographs_of_the_same_plain_name_get_their_path_as_id(tmp_path):
    made(tmp_path, "nevus/1.jpg", "melanoma/1.jpg", "nevus/2.jpg")
    (tmp_path / "nevus" / "1.jpg").write_text("another photograph")
    assert rows(tmp_path) == {
        ("nevus/1", "NV", None),
        ("melanoma/1", "MEL", None),
        ("2", "NV", None),
    }


def test_metadata_beside_the_folders_is_merged(tmp_path):
    made(tmp_path, "nv/ISIC_1.jpg", "mel/ISIC_2.jpg", meta="image_id,age,sex\nISIC_2,40,male\n")
    table = datasets.read(tmp_path).table.set_index("image_id")
    assert table.loc["ISIC_2", "age_approx"] == 40
    assert table.loc["ISIC_2", "sex"] == "male"
    assert table.loc["ISIC_1", "sex"] is None


def test_an_unknown_class_is_named_with_its_folder_and_count(tmp_path):
    made(tmp_path, "Train/nevus/1.jpg", "Train/freckle/2.jpg", "Train/freckle/3.jpg")
    message = r"folder “Train/freckle” \(photographs: 2\): “freckle” is not a diagnosis"
    with pytest.raises(DatasetError, match=message):
        datasets.read(tmp_path)


def test_a_photograph_outside_the_class_folders_is_refused(tmp_path):
    made(tmp_path, "Train/nevus/1.jpg", "Train/2.jpg")
    with pytest.raises(DatasetError, match=r"folder “Train” \(photographs: 1\)"):
        datasets.read(tmp_path)


def test_an_empty_class_folder_is_named(tmp_path):
    made(tmp_path, "Train/nevus/1.jpg", "Train/melanoma/notes.txt")
    with pytest.raises(DatasetError, match=r"class folder “Train/melanoma” has no photographs"):
        datasets.read(tmp_path)


@pytest.mark.parametrize("folder", ["", "images/"])
def test_photographs_in_one_folder_without_a_diagnosis_are_refused(tmp_path, folder):
    made(tmp_path, f"{folder}1.jpg", f"{folder}2.jpg")
    with pytest.raises(DatasetError, match="no table of diagnoses and no class folders"):
        datasets.read(tmp_path)
