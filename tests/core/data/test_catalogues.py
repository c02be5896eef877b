"""Catalogues: every row counted once, filters by hand, and large tables without waiting."""

import time

import numpy as np
import pandas as pd
import pytest

from melanoma_core.data import catalogues
from melanoma_core.data.coverage import NOT_RECORDED
from melanoma_core.data.datasets import Dataset
from melanoma_core.data.schema import COLUMNS
from melanoma_core.errors import DatasetError


def dataset(**columns):
    num_rows = len(columns["diagnosis"])
    table = pd.DataFrame({name: [None] * num_rows for name in COLUMNS}, dtype=object)
    table["image_id"] = [f"i{k}" for k in range(num_rows)]
    table["source"] = "made"
    for name, cells in columns.items():
        table[name] = pd.Series(cells, dtype=object)
    return Dataset("made", table.astype({"age_approx": "float64"}), (), "none", "0" * 64)


FOUR = dataset(
    diagnosis=["NV", "MEL", "NV", "AK"],
    split=["train", "train", "test", None],
    age_approx=[45, None, 5, 95],
    sex=["female", None, "male", None],
    lesion_id=["L1", "L2", "L1", None],
)


def test_every_row_is_counted_once_and_what_is_missing_is_said():
    found = catalogues.catalogue(FOUR)
    assert catalogues.counts(found, "diagnosis") == {"MEL": 1, "AK": 1, "NV": 2}
    ages = {"0–9": 1, "40–49": 1, "90+": 1, NOT_RECORDED: 1}
    assert list(catalogues.counts(found, "age").items()) == list(ages.items())
    assert catalogues.counts(found, "site") == {NOT_RECORDED: 4}


def test_classes_are_counted_by_split():
    found = catalogues.class_counts(catalogues.catalogue(FOUR))
    by_code = {
        split: dict(zip(catalogues.CODES_BY_GROUP, row, strict=True))
        for split, row in found.items()
    }
    assert list(found) == ["train", "test", NOT_RECORDED]
    assert by_code["train"]["NV"] == by_code["train"]["MEL"] == 1
    assert by_code[NOT_RECORDED]["AK"] == 1
    assert sum(row.sum() for row in found.values()) == 4


def test_filters_meet_and_an_empty_one_asks_nothing():
    found = catalogues.catalogue(FOUR)

    def rows(**wanted):
        return catalogues.matching(found, wanted).tolist()

    assert rows() == [0, 1, 2, 3]
    assert rows(diagnosis=["NV"], split=[]) == [0, 2]
    assert rows(diagnosis=["NV", "AK"], split=["train", NOT_RECORDED]) == [0, 3]
    assert rows(sex=["male"], diagnosis=["MEL"]) == []
    assert rows(age=["100 years"]) == []


def test_headline_says_what_is_not_recorded():
    assert catalogues.headline(catalogues.catalogue(FOUR)) == {
        "Photographs": 4, "Lesions": 2, "Patients": None, "Classes": 3,
    }  # fmt: skip


def test_an_age_below_0_is_refused_in_words():
    with pytest.raises(DatasetError, match="ages of 1 photographs are below 0"):
        catalogues.catalogue(dataset(diagnosis=["NV"], age_approx=[-1]))


def test_hundreds_of_thousands_of_rows_are_filtered_without_waiting():
    num = 300_000
    rng = np.random.default_rng(0)
    large = catalogues.catalogue(
        dataset(
            diagnosis=rng.choice(["NV", "MEL", "SK"], num),
            split=rng.choice(["train", "val", "test"], num),
            age_approx=rng.integers(0, 90, num).astype(float),
        )
    )
    started = time.monotonic()
    rows = catalogues.matching(large, {"diagnosis": ["MEL"], "split": ["train"], "age": ["40–49"]})
    catalogues.class_counts(large)
    assert time.monotonic() - started < 1
    assert 0 < len(rows) < num / 9
