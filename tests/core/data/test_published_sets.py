"""Small versions of HAM10000, the ISIC challenge sets of 2016 to 2020, and the ISIC Archive."""

from pathlib import Path

import pytest

from melanoma_core.data import datasets, schema, splits
from melanoma_core.errors import DatasetError
from tests.support.made_sets import HAM_HEADER, lines, made, zipped

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
    assert tuple(dataset.table.columns) == (*schema.COLUMNS, "diagnosis_confirm_type")
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
        "diagnosis_confirm_type": "histopathology",
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


def test_2016_benign_is_kept_as_benign_without_a_name(tmp_path):
    made(
        tmp_path,
        *("Train/ISIC_1.jpg", "Train/ISIC_2.jpg", "Test/ISIC_3.jpg", "Test/ISIC_4.jpg"),
        ISBI2016_ISIC_Part3_Training_GroundTruth="ISIC_1,malignant\nISIC_2,benign\n",
        ISBI2016_ISIC_Part3_Test_GroundTruth="ISIC_3,0.0\nISIC_4,1.0\n",
    )
    assert labels(tmp_path) == {
        "ISIC_1": ("MEL", "train"),
        "ISIC_2": ("BENIGN", "train"),
        "ISIC_3": ("BENIGN", "test"),
        "ISIC_4": ("MEL", "test"),
    }
    dataset = datasets.read(tmp_path)
    assert (dataset.name, dataset.license) == ("isic2016", "CC0")
    assert dataset.notes == ("Benign, and no table names the diagnosis: 2.",)


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


ISIC2020 = (
    "image_name,patient_id,sex,age_approx,anatom_site_general_challenge,diagnosis,"
    "benign_malignant,target",
    "ISIC_1,IP_1,female,45.0,torso,unknown,benign,0",
    "ISIC_2,IP_1,female,45.0,torso,nevus,benign,0",
    "ISIC_3,IP_2,male,60.0,palms/soles,melanoma,malignant,1",
    "ISIC_4,IP_3,male,,head/neck,seborrheic keratosis,benign,0",
    "ISIC_5,IP_3,male,,head/neck,lentigo NOS,benign,0",
)


def isic2020(root):
    """The ISIC 2020 challenge set as published."""
    files = [f"ISIC_2020_Training_JPEG/train/ISIC_{n}.jpg" for n in range(1, 6)]
    return made(root, *files, ISIC_2020_Training_GroundTruth=lines(*ISIC2020))


@pytest.mark.parametrize("is_zipped", [False, True])
def test_2020_keeps_unknown_as_benign_without_a_name_and_knows_patients(tmp_path, is_zipped):
    root = isic2020(tmp_path / "set")
    dataset = datasets.read(zipped(root, tmp_path / "isic2020.zip") if is_zipped else root)
    assert (dataset.name, dataset.license) == ("isic2020", "CC BY-NC 4.0")
    table = dataset.table.set_index("image_id")
    assert table["diagnosis"].to_dict() == {
        "ISIC_1": "BENIGN",
        "ISIC_2": "NV",
        "ISIC_3": "MEL",
        "ISIC_4": "SK",
    }
    assert table["patient_id"].tolist() == ["IP_1", "IP_1", "IP_2", "IP_3"]
    assert table.loc["ISIC_3", "anatom_site_general"] == "palms/soles"
    assert set(table["split"]) == {"train"}
    assert dataset.notes == (
        "Benign, and no table names the diagnosis: 1.",
        "Left out, as they are none of the nine classes: lentigo NOS 1.",
    )
    ((name, (path,)),) = dataset.other_files.items()
    assert (name, Path(path).name) == ("lentigo NOS", "ISIC_5.jpg")


def test_2020_patients_are_groups_of_a_split(tmp_path):
    table = splits.assign(datasets.read(isic2020(tmp_path)).table).set_index("image_id")
    assert table.loc["ISIC_1", "group_id"] == table.loc["ISIC_2", "group_id"]
    assert "IP_1" not in set(table["group_id"])


ARCHIVE = (
    "isic_id,attribution,copyright_license,age_approx,anatom_site_general,anatom_site_special,"
    "diagnosis_1,diagnosis_2,diagnosis_3,diagnosis_4,diagnosis_5,diagnosis_confirm_type,"
    "fitzpatrick_skin_type,image_type,lesion_id,patient_id,sex",
    "ISIC_1,Clinic A,CC-BY,40,palms/soles,acral NOS,Benign,,,,,,II,dermoscopic,IL_1,IP_1,male",
    "ISIC_2,Clinic A,CC-BY,40,palms/soles,acral NOS,Benign,Benign melanocytic proliferations,"
    'Nevus,"Nevus, NOS, Compound",,histopathology,,dermoscopic,IL_2,IP_1,male',
    'ISIC_3,"Clinic B, Town",CC-BY-NC,,palms/soles,acral NOS,Malignant,'
    "Malignant melanocytic proliferations (Melanoma),Melanoma metastasis,,,histopathology,,"
    "dermoscopic,,IP_2,",
    'ISIC_4,"Clinic B, Town",CC-BY-NC,,palms/soles,acral NOS,Benign,'
    "Benign soft tissue proliferations - Fibro-histiocytic,Scar,,,,,dermoscopic,,,",
    "ISIC_5,Clinic A,CC-0,,palms/soles,acral NOS,Benign,"
    "Benign soft tissue proliferations - Vascular,,,,,,dermoscopic,,,",
    "ISIC_6,Clinic A,CC-0,,palms/soles,acral NOS,Benign,,,,,,,clinical: close-up,,,",
)


@pytest.mark.parametrize("is_zipped", [False, True])
def test_download_from_the_archive(tmp_path, is_zipped):
    root = made(tmp_path / "soles", *(f"ISIC_{n}.jpg" for n in range(1, 7)), "licenses/")
    made(root, metadata=lines(*ARCHIVE))
    (root / "attribution.txt").write_text("Clinic A\nClinic B, Town\n")
    (root / "licenses" / "CC-BY.txt").write_text("Creative Commons …")
    dataset = datasets.read(zipped(root, tmp_path / "soles.zip") if is_zipped else root)
    assert (dataset.name, dataset.license) == ("soles", "CC BY 2, CC BY-NC 2, CC0 2")
    table = dataset.table.set_index("image_id")
    assert table["diagnosis"].to_dict() == {
        "ISIC_1": "BENIGN",
        "ISIC_2": "NV",
        "ISIC_3": "MEL",
        "ISIC_5": "VASC",
    }
    assert table["fitzpatrick_skin_type"].tolist() == ["II", None, None, None]
    assert table["anatom_site_general"].tolist() == ["palms/soles"] * 4
    third = table.loc["ISIC_3"]
    assert (third["attribution"], third["copyright_license"]) == ("Clinic B, Town", "CC BY-NC")
    assert third["diagnosis_confirm_type"] == "histopathology"
    assert (third["lesion_id"], third["patient_id"]) == (None, "IP_2")
    assert dataset.notes == (
        "“Melanoma metastasis” is read as Melanoma: 1.",
        "Benign, and no table names the diagnosis: 1.",
        "Left out, as they are none of the nine classes: Scar 1, clinical: close-up 1.",
    )
    assert {name: len(files) for name, files in dataset.other_files.items()} == {
        "Scar": 1,
        "clinical: close-up": 1,
    }


def test_a_table_that_names_the_diagnosis_completes_one_that_says_benign(tmp_path):
    made(tmp_path, "ISIC_1.jpg", "ISIC_2.jpg")
    made(
        tmp_path,
        ISBI2016_ISIC_Part3_Training_GroundTruth="ISIC_1,benign\nISIC_2,malignant\n",
        ISIC_2018_Training=lines(ONE_HOT_2018, "ISIC_1,0,0,0,0,0,1,0"),
    )
    assert labels(tmp_path) == {"ISIC_1": ("DF", "train"), "ISIC_2": ("MEL", "train")}


def test_benign_in_one_table_and_melanoma_in_another_is_refused(tmp_path):
    made(
        tmp_path,
        "ISIC_1.jpg",
        ISBI2016_ISIC_Part3_Training_GroundTruth="ISIC_1,benign\n",
        ISIC_2018_Training=lines(ONE_HOT_2018, "ISIC_1,1,0,0,0,0,0,0"),
    )
    with pytest.raises(DatasetError, match="ISIC_1 is “mel” here and “benign” in ISBI2016"):
        datasets.read(tmp_path)


@pytest.mark.parametrize(
    ("name", "counts", "license", "num_patients", "parts"),
    [
        (
            "isic2020",
            {"MEL": 578, "NV": 138, "SK": 3, "BENIGN": 3033},
            "CC BY-NC 4.0",
            839,
            {"train": (454, 638), "val": (67, 115), "test": (57, 86)},
        ),
        (
            "isic_archive_acral",
            {"MEL": 496, "NV": 998, "SK": 6, "VASC": 8, "BENIGN": 398},
            "CC BY 996, CC BY-NC 925, CC0 11",
            581,
            {"train": (358, 440), "val": (44, 57), "test": (94, 84)},
        ),
    ],
)
def test_the_published_archives(research_data, name, counts, license, num_patients, parts):
    dataset = datasets.read(research_data / f"{name}.zip")
    assert dataset.table["diagnosis"].value_counts().to_dict() == counts
    assert dataset.license == license
    assert dataset.table["patient_id"].nunique() == num_patients
    table = splits.apply_file(datasets.combine([dataset]).table, research_data / "splits.csv")
    for split, part in table.groupby("split"):
        num_melanomas = int((part["diagnosis"] == "MEL").sum())
        assert (num_melanomas, part["patient_id"].nunique()) == parts[split]


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
