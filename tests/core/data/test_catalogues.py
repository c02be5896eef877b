"""Catalogues: every row counted once, filters by hand, and large tables fast."""

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


def test_every_row_is_counted_once_and_missing_values_are_listed():
    catalogue = catalogues.build(FOUR)
    assert catalogues.value_counts(catalogue, "diagnosis") == {"MEL": 1, "AK": 1, "NV": 2}
    ages = {"0–9": 1, "40–49": 1, "90+": 1, NOT_RECORDED: 1}
    assert list(catalogues.value_counts(catalogue, "age").items()) == list(ages.items())
    assert catalogues.value_counts(catalogue, "site") == {NOT_RECORDED: 4}


def test_classes_are_counted_by_split():
    counts = catalogues.class_counts(catalogues.build(FOUR))
    by_code = {
        split: dict(zip(catalogues.LABELS_BY_GROUP, row, strict=True))
        for split, row in counts.items()
    }
    assert list(counts) == ["train", "test", NOT_RECORDED]
    assert by_code["train"]["NV"] == by_code["train"]["MEL"] == 1
    assert by_code[NOT_RECORDED]["AK"] == 1
    assert sum(row.sum() for row in counts.values()) == 4


def test_filters_are_combined_and_an_empty_one_accepts_everything():
    catalogue = catalogues.build(FOUR)

    def rows(**filters):
        return catalogues.matching_rows(catalogue, filters).tolist()

    assert rows() == [0, 1, 2, 3]
    assert rows(diagnosis=["NV"], split=[]) == [0, 2]
    assert rows(diagnosis=["NV", "AK"], split=["train", NOT_RECORDED]) == [0, 3]
    assert rows(sex=["male"], diagnosis=["MEL"]) == []
    assert rows(age=["100 years"]) == []


def test_totals_are_none_where_not_recorded():
    assert catalogues.totals(catalogues.build(FOUR)) == {
        "Photographs": 4, "Lesions": 2, "Patients": None, "Classes": 3,
    }  # fmt: skip


def test_a_negative_age_is_refused():
    with pytest.raises(DatasetError, match="ages of 1 photographs are below 0"):
        catalogues.build(dataset(diagnosis=["NV"], age_approx=[-1]))


def test_hundreds_of_thousands_of_rows_are_filtered_within_a_second():
    num = 300_000
    rng = np.random.default_rng(0)
    large = catalogues.build(
        dataset(
            diagnosis=rng.choice(["NV", "MEL", "SK"], num),
            split=rng.choice(["train", "val", "test"], num),
            age_approx=rng.integers(0, 90, num).astype(float),
        )
    )
    started = time.monotonic()
    rows = catalogues.matching_rows(
        large, {"diagnosis": ["MEL"], "split": ["train"], "age": ["40–49"]}
    )
    catalogues.class_counts(large)
    assert time.monotonic() - started < 1
    assert 0 < len(rows) < num / 9
