"""Splits keep lesions together and are stratified by diagnosis; split files are checked."""

import itertools
import random

import numpy as np
import pandas as pd
import pytest

from melanoma_core.audit import duplicate_checks
from melanoma_core.data import datasets, splits
from melanoma_core.errors import DatasetError
from melanoma_core.images import reading, synthetic


def table_of(*rows: tuple[str, str | None, str, str | None]) -> pd.DataFrame:
    """Rows of image id, lesion id, diagnosis, published split."""
    return pd.DataFrame(rows, columns=["image_id", "lesion_id", "diagnosis", "split"], dtype=object)


def lesions(num_lesions: int, diagnosis: str, split: str | None = None, num_photographs: int = 1):
    return [
        (f"{diagnosis}{lesion}-{photograph}", f"{diagnosis}{lesion}", diagnosis, split)
        for lesion in range(num_lesions)
        for photograph in range(num_photographs)
    ]


def counts(table: pd.DataFrame, diagnosis: str) -> dict[str, int]:
    of_diagnosis = table[table["diagnosis"] == diagnosis]
    return of_diagnosis.groupby("split")["group_id"].nunique().to_dict()


def by_id(table: pd.DataFrame) -> dict[str, str]:
    return dict(zip(table["image_id"], table["split"], strict=True))


def test_photographs_of_one_lesion_are_in_one_split():
    table = splits.assign(table_of(*lesions(50, "NV", num_photographs=3)))
    assert table.groupby("lesion_id")["split"].nunique().eq(1).all()
    assert list(table["group_id"]) == list(table["lesion_id"])


def test_a_photograph_without_a_lesion_is_its_own_group():
    table = splits.assign(table_of(*((f"i{n}", None, "NV", None) for n in range(10))))
    assert list(table["group_id"]) == list(table["image_id"])
    assert counts(table, "NV") == {"train": 7, "val": 1, "test": 2}


def test_lesions_of_one_patient_are_in_one_split():
    rows = [*lesions(30, "NV", num_photographs=2)]
    table = table_of(*rows).assign(patient_id=[f"p{n // 6}" if n % 2 else None for n in range(60)])
    result = splits.assign(table)
    patients = [f"p{n // 6}" for n in range(60)]
    assert result["group_id"].groupby(patients).nunique().eq(1).all()
    assert result["group_id"].nunique() == 10
    assert result.groupby("group_id")["split"].nunique().eq(1).all()


def test_group_ids_are_not_patient_numbers():
    table = table_of(("b", "l2", "NV", None), ("a", None, "NV", None), ("c", None, "NV", None))
    result = splits.assign(table.assign(patient_id=["4711", "4711", None]))
    assert list(result["group_id"]) == ["a", "a", "c"]


def test_groups_that_share_copies_of_a_picture_are_merged():
    table = table_of(*lesions(30, "NV", num_photographs=2), ("x", None, "MEL", None))
    copies = [("NV3-0", "NV7-1"), ("x", "NV7-0"), ("NV4-0", "not there")]
    result = splits.assign(table, copies=copies)
    merged = result[result["group_id"] == "NV3"]
    assert list(merged["image_id"]) == ["NV3-0", "NV3-1", "NV7-0", "NV7-1", "x"]
    assert merged["split"].nunique() == 1
    assert result["group_id"].nunique() == 29
    assert list(merged["lesion_id"]) == ["NV3", "NV3", "NV7", "NV7", None]


def test_a_copy_of_a_held_out_photograph_is_held_out_too():
    table = table_of(*lesions(20, "NV", "train"), *lesions(5, "MEL", "test"))
    result = by_id(splits.assign(table, keep_existing=True, copies=[("NV2-0", "MEL1-0")]))
    assert result["NV2-0"] == result["MEL1-0"] == "test"


def test_copies_of_nothing_else_do_not_change_the_draw():
    table = table_of(*lesions(50, "NV"), *lesions(9, "MEL"))
    alone = [("NV1-0", "NV1-0"), ("gone", "NV2-0")]
    assert by_id(splits.assign(table)) == by_id(splits.assign(table, copies=alone))


def test_copies_are_found_by_their_pictures(tmp_path):
    pictures = [synthetic.lesion(seed, (90, 120)) for seed in range(4)]
    files = {f"a{n}": reading.png(picture) for n, picture in enumerate(pictures)}
    files["b0"] = reading.png(pictures[0])
    files["b1"] = reading.jpeg(np.ascontiguousarray(pictures[1][::-1]), quality=60)
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    table = table_of(*((name, None, "NV", None) for name in files))
    table = table.assign(path=[str(tmp_path / name) for name in files])
    assert duplicate_checks.near_copy_ids(table) == (("a0", "b0"), ("a1", "b1"))


def test_near_copies_across_the_research_archives_are_found(research_data):
    sets = [datasets.read(research_data / f"{name}.zip") for name in ("isic9", "isic2017")]
    table = datasets.combine(sets).table
    image_ids = ["ISIC_0012970", "ISIC_0012127", "ISIC_0000399", "ISIC_0001124", "ISIC_0012345"]
    table = table[table["image_id"].isin(image_ids) | (table["diagnosis"] == "SK")]
    assert ("ISIC_0012127", "ISIC_0012970") in {
        tuple(sorted(pair)) for pair in duplicate_checks.near_copy_ids(table)
    }


def test_each_diagnosis_is_divided_by_the_fractions():
    table = splits.assign(table_of(*lesions(100, "NV"), *lesions(20, "MEL"), *lesions(3, "DF")))
    assert counts(table, "NV") == {"train": 70, "val": 10, "test": 20}
    assert counts(table, "MEL") == {"train": 14, "val": 2, "test": 4}
    assert counts(table, "DF") == {"train": 1, "val": 1, "test": 1}


@pytest.mark.parametrize("num_groups", range(3, 40))
@pytest.mark.parametrize("fractions", [(0.7, 0.1, 0.2), (0.02, 0.49, 0.49), (0.98, 0.01, 0.01)])
def test_three_lesions_are_enough_for_three_splits(num_groups, fractions):
    table = splits.assign(table_of(*lesions(num_groups, "DF")), fractions=fractions)
    assert set(counts(table, "DF")) == {"train", "val", "test"}


def test_two_lesions_go_to_training_and_test_and_a_single_one_to_training():
    assert counts(splits.assign(table_of(*lesions(2, "DF"))), "DF") == {"train": 1, "test": 1}
    assert counts(splits.assign(table_of(*lesions(1, "DF"))), "DF") == {"train": 1}


def test_fraction_of_zero_gives_an_empty_split():
    table = splits.assign(table_of(*lesions(10, "NV")), fractions=(0.8, 0.0, 0.2))
    assert counts(table, "NV") == {"train": 8, "test": 2}


def test_the_draw_depends_on_the_seed_and_not_on_the_order_of_rows():
    rows = [*lesions(60, "NV", num_photographs=2), *lesions(20, "MEL")]
    shuffled = random.Random(1).sample(rows, len(rows))
    first = by_id(splits.assign(table_of(*rows), seed=4))
    assert by_id(splits.assign(table_of(*shuffled), seed=4)) == first
    assert by_id(splits.assign(table_of(*rows), seed=5)) != first


def test_the_draw_is_the_same_on_every_machine():
    table = splits.assign(table_of(*lesions(10, "NV")), seed=0)
    held_out = {image_id for image_id, split in by_id(table).items() if split == "test"}
    assert held_out == {"NV6-0", "NV7-0"}


def test_lesion_with_two_diagnoses_counts_for_the_first_of_the_nine():
    rows = [(f"m{n}-{code}", f"m{n}", code, None) for n in range(10) for code in ("NV", "MEL")]
    assert counts(splits.assign(table_of(*rows)), "MEL") == {"train": 7, "val": 1, "test": 2}


def test_published_splits_are_ignored_by_default():
    table = splits.assign(table_of(*lesions(10, "NV", "test")))
    assert counts(table, "NV") == {"train": 7, "val": 1, "test": 2}


def test_published_splits_are_kept_and_the_rest_is_drawn():
    rows = [
        *lesions(10, "NV"),
        *(("a" + row[0], "a" + row[1], "NV", split)
          for row, split in zip(lesions(3, "NV"), ("train", "val", "test"), strict=True)),
    ]  # fmt: skip
    table = splits.assign(table_of(*rows), keep_existing=True)
    assert [by_id(table)[f"aNV{n}-0"] for n in range(3)] == ["train", "val", "test"]
    assert counts(table, "NV") == {"train": 8, "val": 2, "test": 3}


def test_a_set_published_as_training_data_only_is_divided():
    table = splits.assign(table_of(*lesions(90, "NV", "train")), keep_existing=True)
    assert counts(table, "NV") == {"train": 63, "val": 9, "test": 18}


def test_a_set_published_without_a_test_part_keeps_its_validation_part():
    rows = [*lesions(90, "NV", "train"), ("v", "v", "NV", "val")]
    table = splits.assign(table_of(*rows), keep_existing=True)
    assert counts(table, "NV") == {"train": 70, "val": 1, "test": 20}
    assert by_id(table)["v"] == "val"


def test_a_lesion_with_one_held_out_photograph_is_held_out_entirely():
    orders = itertools.permutations(["train", "val", "test", None])
    for order in orders:
        rows = [(f"i{n}", "one", "NV", split) for n, split in enumerate(order)]
        assert set(splits.assign(table_of(*rows), keep_existing=True)["split"]) == {"test"}


def test_fractions_that_do_not_sum_to_one_are_refused():
    with pytest.raises(ValueError, match="sum to 1"):
        splits.assign(table_of(*lesions(3, "NV")), fractions=(0.7, 0.2, 0.2))


def test_assign_does_not_modify_its_table():
    table = table_of(*lesions(5, "NV"))
    before = table.copy()
    splits.assign(table)
    pd.testing.assert_frame_equal(table, before)


def split_file(tmp_path, *lines: str):
    path = tmp_path / "splits.csv"
    path.write_text("\n".join(("image_id,lesion_id,group_id,split", *lines)))
    return path


def test_a_split_file_overrides_splits_groups_and_lesions(tmp_path):
    table = table_of(("a", None, "NV", "train"), ("b", "l2", "NV", None), ("c", "l3", "NV", None))
    path = split_file(tmp_path, "c,,,TEST", "b,,g1,val", "a,l1,g1,val", "other,,g9,train")
    result = splits.apply_file(table, path)
    assert list(result["split"]) == ["val", "val", "test"]
    assert list(result["group_id"]) == ["g1", "g1", "l3"]
    assert list(result["lesion_id"]) == ["l1", "l2", "l3"]


def test_a_split_file_may_leave_groups_and_lesions_empty(tmp_path):
    table = table_of(("a", "l1", "NV", None), ("b", "l1", "NV", None), ("c", None, "NV", None))
    path = tmp_path / "mine.csv"
    path.write_text("image_id,group_id,split\na,,val\nb,,val\nc,,test\n")
    result = splits.apply_file(table, path)
    assert list(result["group_id"]) == ["l1", "l1", "c"]
    assert list(result["lesion_id"]) == ["l1", "l1", None]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        # Only the table has a and b as one lesion, whatever groups the file has.
        (["a,,,train", "b,,,test", "c,,,val"], r"group own is in train \(a\) and in test \(b"),
        (["a,,g1,train", "b,,g2,test", "c,,,val"], r"lesion own is in train \(a\) and in test"),
        (
            ["a,x,g1,train", "b,y,g2,test", "c,,,val"],
            r"lesion own is in .* lesions in two splits: 1",
        ),
        # Only the file has a and c as one lesion.
        (
            ["a,x,g1,train", "b,x,g1,train", "c,x,g2,val"],
            r"lesion x is in train \(a\) and in v",
        ),
        # The file has the lesion of one photograph, and the table that of the others.
        (
            ["a,,g1,train", "b,,g1,train", "c,own,g2,val"],
            r"lesion own is in train \(a\) and in",
        ),
    ],
)
def test_a_lesion_in_two_splits_is_refused_whichever_source_has_it(tmp_path, lines, message):
    table = table_of(("a", "own", "NV", None), ("b", "own", "NV", None), ("c", None, "NV", None))
    with pytest.raises(DatasetError, match=message):
        splits.apply_file(table, split_file(tmp_path, *lines))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["a,,,train"], r"no row for 4 of 5 photographs \(b, c, d, …\)"),
        (["a,,g1,train", "b,,g1,test"], r"splits.csv, line 3: the group g1 is in test and in"),
        (["a,l1,,train", "b,l1,,test"], r"line 3: the group l1"),
        (["a,,,train", "a,,,train"], r"line 3: a is listed twice"),
        (["a,,,holdout"], r"line 2: the split is “holdout”; it must be one of train, val, test"),
        (["a,,train"], r"line 2: 3 cells where the header has 4"),
    ],
)
def test_an_invalid_split_file_is_refused(tmp_path, lines, message):
    table = table_of(*((image_id, None, "NV", None) for image_id in "abcde"))
    with pytest.raises(DatasetError, match=message):
        splits.apply_file(table, split_file(tmp_path, *lines))


def test_a_split_file_without_its_columns_is_refused(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("image_id,split\na,train\n")
    with pytest.raises(DatasetError, match=r"mine.csv has no column group_id"):
        splits.apply_file(table_of(("a", None, "NV", None)), path)
