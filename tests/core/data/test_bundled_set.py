"""The bundled data set: its counts are those of DATA.md, its facts those of the archives."""

import numpy as np
import pandas as pd
from PIL import Image

from benchmarks.data import bundled_table
from melanoma_core.data import bundled_set, datasets
from melanoma_core.diagnoses import CODES
from tests.support.made_sets import lines, made

TRAIN = {
    "AK": 114, "BCC": 378, "DF": 95, "MEL": 438, "NV": 357, "PBK": 462, "SK": 77, "SCC": 181,
    "VASC": 139,
}  # fmt: skip


def test_counts_are_those_of_the_downloaded_set():
    table = bundled_set.read().table
    assert len(table) == 2_359
    assert table["image_id"].nunique() == 2_202
    train = table[table["split"] == "train"]
    assert train["diagnosis"].value_counts().to_dict() == TRAIN
    test = table[table["split"] == "test"]["diagnosis"].value_counts()
    assert test.to_dict() == dict.fromkeys(CODES, 16) | {"SK": 3, "VASC": 3}


def test_it_has_what_an_audit_needs():
    table = bundled_set.read().table
    assert bundled_set.num_contradictory(table) == 155
    by_pixels = table.groupby("pixels")["diagnosis"].nunique()
    assert (by_pixels > 1).sum() == 155  # each pair identical
    is_copy = table["file"].str.contains("(1)", regex=False)
    assert is_copy.sum() == 2
    assert table.loc[~is_copy, "ham10000"].notna().sum() == 1_512
    filed_sk = table[(table["diagnosis"] == "SK") & table["isic2017"].notna()]
    assert filed_sk["isic2017"].tolist() == ["melanoma"] * 22
    assert table["path"].isna().all()
    assert bundled_set.read().table["age_approx"].dtype == "float64"


def test_its_official_labels_serve_as_references():
    table = bundled_set.read().table
    ham, isic2017 = bundled_set.references(table)
    assert (ham.name, len(ham.table), ham.is_ak_with_bowen) == ("ham10000", 1_437, True)
    assert (isic2017.name, len(isic2017.table), isic2017.is_ak_with_bowen) == (
        "isic2017", 444, False
    )  # fmt: skip
    assert set(ham.table["diagnosis"]) == {"AK", "BCC", "DF", "PBK", "VASC"}
    assert set(isic2017.table["diagnosis"]) == {"MEL", "NV"}
    assert ham.table["lesion_id"].notna().all()
    assert ham.is_official
    assert ham.table["split"].isna().all()


def test_unknown_values_are_none_rather_than_text():
    table = bundled_set.read().table
    assert {type(value) for value in table["sex"]} == {str, type(None)}


def test_a_packed_table_is_read_back_unchanged_and_packs_to_the_same_bytes(tmp_path):
    dataset = bundled_set.read()
    packed = bundled_set.pack(dataset.table)
    assert packed == bundled_set.pack(dataset.table)
    path = tmp_path / "a.csv.gz"
    path.write_bytes(packed)
    pd.testing.assert_frame_equal(bundled_set.read(path).table, dataset.table)


def test_facts_come_from_the_files_and_the_official_tables(tmp_path):
    nine = made(tmp_path / "nine", "Test/nevus/", "Train/melanoma/")
    picture = Image.fromarray(np.full((70, 80, 3), 120, np.uint8))
    for name in ("Test/nevus/ISIC_1.png", "Train/melanoma/ISIC_1.png", "Train/melanoma/ISIC_2.png"):
        picture.resize((90, 70) if "ISIC_2" in name else (80, 70)).save(nine / name)
    ham = made(
        tmp_path / "ham",
        "HAM10000_images/ISIC_1.jpg",
        HAM10000_metadata=lines(
            "lesion_id,image_id,dx,dx_type,age,sex,localization",
            "HAM_1,ISIC_1,bkl,histo,45,female,back",
        ),
    )
    isic2017 = made(
        tmp_path / "isic",
        "ISIC-2017_Training_Data/ISIC_2.jpg",
        **{
            "ISIC-2017_Training_Part3_GroundTruth": lines(
                "image_id,melanoma,seborrheic_keratosis", "ISIC_2,0.0,1.0"
            )
        },
    )
    table = bundled_table.table_of(
        datasets.read(nine), datasets.read(ham), {"ISIC_1": "bkl"}, datasets.read(isic2017)
    )
    one, same, other = table.to_dict("records")
    assert (one["file"], one["width"], one["height"]) == ("Test/nevus/ISIC_1.png", 80, 70)
    assert one["pixels"] == same["pixels"] != other["pixels"]
    assert (one["lesion_id"], one["age_approx"], one["ham10000"]) == ("HAM_1", 45, "bkl")
    assert other["isic2017"] == "seborrheic_keratosis"
