"""Small versions of HAM10000 and the ISIC challenge sets of 2016 to 2019."""

import pytest

from melanoma_core.data import datasets, schema
from melanoma_core.errors import DatasetError
from tests.support.made_sets import HAM_HEADER, lines, made

ONE_HOT_2018 = "image,MEL,NV,BCC,AKIEC,BKL,DF,VASC"
ONE_HOT_2019 = "image,MEL,NV,BCC,AK,BKL,DF,VASC,SCC,UNK"


def labels(root) -> dict[str, tuple[str, str | None]]:
    table = datasets.read(root).table
    assert table["image_id"].is_unique
    pairs = zip(table["diagnosis"], table["split"], strict=True)
    return dict(zip(table["image_id"], pairs, strict=True))


def ham(root, *rows: str):
    """HAM10000 as published: images in two parts, thumbnails as tables."""
    made(root, "HAM10000_images_part_1/ISIC_1.jpg", "HAM10000_images_part_2/ISIC_2.jpg")
    return made(
        root,
        HAM10000_metadata=lines(HAM_HEADER, *rows),
        hmnist_8_8_L="pixel0000,label\n190,2\n",
    )


def test_ham10000_labels_and_metadata_are_translated(tmp_path):
    ham(
        tmp_path,
        "HAM_7,ISIC_1,akiec,histo,80.0,male,scalp",
        "HAM_8,ISIC_2,bkl,consensus,,unknown,unknown",
    )
    dataset = datasets.read(tmp_path)
    assert (dataset.name, dataset.license) == ("ham10000", "CC BY-NC 4.0")
    assert tuple(dataset.table.columns) == schema.COLUMNS
    first, second = dataset.table.drop(columns="path").to_dict("records")
    assert first == {
        "image_id": "ISIC_1",
        "lesion_id": "HAM_7",
        "diagnosis": "AK",
        "source": "ham10000",
        "age_approx": 80.0,
        "sex": "male",
        "anatom_site_general": "scalp",
        "split": None,
    }
    assert (second["diagnosis"], second["sex"], second["anatom_site_general"]) == (
        "PBK",
        None,
        None,
    )
    assert dataset.table["age_approx"].isna().tolist() == [False, True]
    assert dataset.notes == (
        "“akiec” (actinic keratosis or Bowen's disease) is read as Actinic keratosis: 1.",
        "“bkl” is read as Pigmented benign keratosis, though some are seborrheic: 1.",
    )


def test_paths_point_to_the_files(tmp_path):
    ham(tmp_path, "HAM_7,ISIC_1,nv,,,,", "HAM_8,ISIC_2,mel,,,,")
    for row in datasets.read(tmp_path).table.itertuples():
        with open(row.path) as file:
            assert file.read() == f"{row.image_id}.jpg"


def test_the_larger_of_two_files_is_used_and_unlisted_files_are_noted(tmp_path):
    ham(tmp_path, "HAM_7,ISIC_1,nv,,,,")
    (made(tmp_path, "a/ISIC_1.jpg", "z/ISIC_1.jpg") / "z" / "ISIC_1.jpg").write_text("larger file")
    dataset = datasets.read(tmp_path)
    assert dataset.table["path"].tolist() == [str(tmp_path / "z" / "ISIC_1.jpg")]
    assert dataset.notes == ("Image files that no table lists are left out: 1.",)


def test_2016_benign_is_left_out_because_it_is_not_a_diagnosis(tmp_path):
    made(
        tmp_path,
        *("Train/ISIC_1.jpg", "Train/ISIC_2.jpg", "Test/ISIC_3.jpg", "Test/ISIC_4.jpg"),
        ISBI2016_ISIC_Part3_Training_GroundTruth="ISIC_1,malignant\nISIC_2,benign\n",
        ISBI2016_ISIC_Part3_Test_GroundTruth="ISIC_3,0.0\nISIC_4,1.0\n",
    )
    assert labels(tmp_path) == {"ISIC_4": ("MEL", "test"), "ISIC_1": ("MEL", "train")}
    dataset = datasets.read(tmp_path)
    assert (dataset.name, dataset.license) == ("isic2016", "CC0")
    assert dataset.notes == ("“benign”, which is not a diagnosis, is left out: 2.",)


def test_2017_with_its_parts_and_metadata(tmp_path):
    made(
        tmp_path,
        *(f"ISIC-2017_Training_Data/ISIC_{n}.jpg" for n in (1, 2, 3)),
        *("ISIC-2017_Training_Data/ISIC_1_superpixels.png", "ISIC-2017_Validation_Data/ISIC_4.jpg"),
        **{
            "ISIC-2017_Training_Part3_GroundTruth": lines(
                "image_id,melanoma,seborrheic_keratosis",
                *("ISIC_1,1.0,0.0", "ISIC_2,0.0,1.0", "ISIC_3,0.0,0.0"),
            ),
            "ISIC-2017_Validation_Part3_GroundTruth": lines(
                "image_id,melanoma,seborrheic_keratosis", "ISIC_4,0,1"
            ),
            "ISIC-2017_Training_Data_metadata": lines(
                "image_id,age_approximate,sex", "ISIC_1,55,female", "ISIC_2,unknown,unknown"
            ),
        },
    )
    assert labels(tmp_path) == {
        "ISIC_1": ("MEL", "train"),
        "ISIC_2": ("SK", "train"),
        "ISIC_3": ("NV", "train"),
        "ISIC_4": ("SK", "val"),
    }
    dataset = datasets.read(tmp_path)
    assert (dataset.name, dataset.license, dataset.notes) == ("isic2017", "CC0", ())
    assert dataset.table["age_approx"].dropna().tolist() == [55]


def test_2018_counts_bowens_disease_as_actinic_keratosis(tmp_path):
    made(
        tmp_path,
        *("Input/ISIC_1.jpg", "Input/ISIC_2.jpg"),
        ISIC2018_Task3_Training_GroundTruth=lines(
            ONE_HOT_2018, "ISIC_1,0,0,0,1.0,0,0,0", "ISIC_2,0,0,0,0,1.0,0,0"
        ),
        ISIC2018_Task3_Training_LesionGroupings=lines(
            "image,lesion_id,diagnosis_confirm_type", "ISIC_1,HAM_1,histopathology"
        ),
    )
    assert labels(tmp_path) == {"ISIC_1": ("AK", "train"), "ISIC_2": ("PBK", "train")}
    dataset = datasets.read(tmp_path)
    assert (dataset.name, dataset.license) == ("isic2018", "CC BY-NC 4.0")
    assert dataset.is_ak_with_bowen
    assert dataset.table["lesion_id"].tolist() == ["HAM_1", None]
    assert len(dataset.notes) == 2


def test_2019_leaves_out_unknown_and_recognizes_downsampled_files(tmp_path):
    rows = (
        "ISIC_1_downsampled,1,0,0,0,0,0,0,0,0",
        "ISIC_2,0,0,0,1,0,0,0,0,0",
        "ISIC_3,0,0,0,0,0,0,0,1,0",
        "ISIC_4,0,0,0,0,0,0,0,0,1",
    )
    made(
        tmp_path,
        *("Input/ISIC_1_downsampled.jpg", "Input/ISIC_2.jpg", "Input/ISIC_3.jpg"),
        ISIC_2019_Training_GroundTruth=lines(ONE_HOT_2019, *rows),
        ISIC_2019_Training_Metadata=lines(
            "image,age_approx,anatom_site_general,lesion_id,sex",
            "ISIC_1_downsampled,55.0,anterior torso,BCN_1,female",
        ),
    )
    assert labels(tmp_path) == {
        "ISIC_1": ("MEL", "train"),
        "ISIC_2": ("AK", "train"),
        "ISIC_3": ("SCC", "train"),
    }
    dataset = datasets.read(tmp_path)
    assert dataset.table["anatom_site_general"].tolist() == ["anterior torso", None, None]
    assert not dataset.is_ak_with_bowen
    assert dataset.notes == ("“UNK”, which is not a diagnosis, is left out: 1.",)


def test_a_repeated_id_with_the_same_diagnosis_counts_once(tmp_path):
    ham(tmp_path, "HAM_7,ISIC_1,nv,,,,", "HAM_7,ISIC_1,nv,,,,", "HAM_8,ISIC_2,mel,,,,")
    assert labels(tmp_path) == {"ISIC_1": ("NV", None), "ISIC_2": ("MEL", None)}


def test_a_photograph_in_two_parts_of_a_challenge_is_held_out(tmp_path):
    header = "image_id,melanoma,seborrheic_keratosis"
    made(
        tmp_path,
        "ISIC_1.jpg",
        ISIC2017_Training=lines(header, "ISIC_1,1,0"),
        ISIC2017_Test=lines(header, "ISIC_1,1,0"),
    )
    assert labels(tmp_path) == {"ISIC_1": ("MEL", "test")}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            ["HAM_7,ISIC_1,nv,,,,", "HAM_8,ISIC_2,freckle,,,,"],
            r"HAM10000_metadata.csv, line 3: “freckle” is not a diagnosis of HAM10000; those are a",
        ),
        (
            ["HAM_7,ISIC_1,nv,,,,", "HAM_7,ISIC_1,mel,,,,"],
            r"line 3: ISIC_1 is “mel” here and “nv” in HAM10000_metadata.csv, line 2",
        ),
        (
            ["HAM_7,ISIC_1,nv,,,,", *(f"HAM_8,ISIC_{n},nv,,,," for n in range(3, 8))],
            r"line 3: ham has no image file for 5 of 6 photographs \(ISIC_3, ISIC_4, ISIC_5, …\)",
        ),
        (["HAM_7,ISIC_1,nv,,old,,"], r"line 2, column age: “old” is not a number"),
        (["HAM_7,,nv,,,,"], r"line 2: the image's name is empty"),
        (["HAM_7,ISIC_1,nv"], r"line 2: 3 cells where the header has 7"),
    ],
)
def test_an_invalid_row_is_named(tmp_path, rows, message):
    with pytest.raises(DatasetError, match=message) as refusal:
        datasets.read(ham(tmp_path / "ham", *rows))
    assert str(tmp_path) not in str(refusal.value)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (lines("image_id,dx", "ISIC_1,nv"), r"truth.csv has no column lesion_id"),
        (lines("image,melanoma", "ISIC_1,1"), r"truth.csv has no column seborrheic_keratosis"),
        (
            lines("image_id,melanoma,seborrheic_keratosis", "ISIC_1,1,1"),
            r"truth.csv, line 2: one diagnosis must be marked with 1, not 2",
        ),
        (
            lines("image_id,melanoma,seborrheic_keratosis", "ISIC_1,0.4,0"),
            r"line 2, column melanoma: “0.4” where 0 or 1 is expected",
        ),
        (lines(ONE_HOT_2018, "ISIC_1,0,0,0,0,0,0,0"), r"line 2: .* not 0 \(none\)"),
        (lines(ONE_HOT_2018, "ISIC_1,1,1,0,0,0,0,0"), r"line 2: .* not 2 \(mel, nv\)"),
        (lines("photo,MEL,NV,BCC", "ISIC_1,1,0,0"), r"truth.csv has no column of image ids"),
        (lines("ISIC_1,benign", "ISIC_2,perhaps"), r"truth.csv, line 2: “ISIC_2, perhaps” where"),
    ],
)
def test_an_invalid_table_is_named(tmp_path, table, message):
    with pytest.raises(DatasetError, match=message):
        datasets.read(made(tmp_path, "ISIC_1.jpg", truth=table))


def test_a_challenge_without_a_year_is_named_after_its_folder(tmp_path):
    table = lines(ONE_HOT_2018, "ISIC_1,1,0,0,0,0,0,0")
    dataset = datasets.read(made(tmp_path / "Clinic A", "ISIC_1.jpg", truth=table))
    assert (dataset.name, dataset.license) == ("clinic-a", "not stated")
