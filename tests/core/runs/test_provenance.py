"""What a model may have been taught, and the splits that follow from it."""

import numpy as np
import pandas as pd
import pytest

from melanoma_core.data import datasets, splits
from melanoma_core.data.datasets import Dataset
from melanoma_core.data.schema import COLUMNS
from melanoma_core.errors import RunError
from melanoma_core.models import training_ids
from melanoma_core.runs import provenance
from melanoma_core.runs.provenance import Lineage
from tests.support import made_models

HELD_OUT = {"ISIC_0000001": "test", "ISIC_0000002": "val", "own_1": "test"}
LINEAGE = Lineage("model-1", HELD_OUT, frozenset({"clinic"}), frozenset({"ab12"}), None)


def table(*rows):
    """Rows of image id, source and, where given, lesion."""
    records = [
        dict.fromkeys(COLUMNS)
        | {"image_id": row[0], "source": row[1], "lesion_id": (*row, None)[2], "diagnosis": "NV"}
        for row in rows
    ]
    return pd.DataFrame(records, columns=COLUMNS, dtype=object).astype({"age_approx": "float64"})


def dataset(name, sha256="", rows=()):
    return Dataset(name, table(*rows), (), "not stated", sha256)


def may_be_taught(*rows, lineage=LINEAGE, sets=()):
    return provenance.may_be_taught(lineage, table(*rows), sets).tolist()


def test_what_was_held_out_was_not_taught():
    assert may_be_taught(("ISIC_0000001", "elsewhere"), ("own_1", "clinic")) == [False, False]


def test_another_photograph_of_the_models_own_data_may_be_taught():
    assert may_be_taught(("own_2", "clinic")) == [True]


def test_number_of_the_archive_may_be_taught_wherever_it_comes_from():
    assert may_be_taught(("ISIC_0000009", "elsewhere")) == [True]


def test_photograph_of_a_new_data_set_cannot_have_been_taught():
    assert may_be_taught(("2026-11-24-a", "another clinic")) == [False]


def test_data_set_under_another_name_is_known_by_its_checksum():
    assert may_be_taught(("b", "renamed"), sets=[dataset("renamed", "ab12")]) == [True]


def test_photograph_that_has_its_sets_name_before_it_is_the_same():
    assert provenance.held_out(LINEAGE, table(("clinic/own_1", "clinic"))) == ["test"]
    together = Lineage("model-2", {"clinic/own_1": "val"}, frozenset(), frozenset(), None)
    assert provenance.held_out(together, table(("own_1", "clinic"))) == ["val"]


@pytest.fixture(scope="module")
def clinic_tables(tmp_path_factory):
    """Two clinics that call their photographs alike: the first one's alone, and both together."""
    root = tmp_path_factory.mktemp("clinics")
    read = [
        datasets.read(made_models.draw_class_folders(root / name, num_each=10))
        for name in ("clinic_a", "clinic_b")
    ]
    return [datasets.combine(sets).table for sets in (read[:1], read)]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_what_was_taught_is_known_whether_or_not_another_set_has_its_name(clinic_tables, order):
    before, now = (clinic_tables[place] for place in order)
    divided = splits.assign(before)
    listed = training_ids.of(divided[divided["split"] == "train"])
    held = divided[divided["split"] != "train"]
    held_out = dict(zip(held["image_id"], held["split"], strict=True))
    lineage = Lineage("model-1", held_out, frozenset({"clinic_a"}), frozenset(), listed)

    found = provenance.assign(now, lineage, (), seed=0)
    provenance.check(lineage, found, ())
    expected, split_of = (
        {row.path: row.split for row in rows.itertuples(index=False) if row.source == "clinic_a"}
        for rows in (divided, found)
    )
    assert split_of == expected
    num_taught = list(expected.values()).count("train")
    with pytest.raises(RunError, match=f"{num_taught} were not held out"):
        provenance.check(lineage, now[now["source"] == "clinic_a"].assign(split="test"), ())


def test_whole_list_of_what_was_taught_decides_alone():
    listed = training_ids.of(table(("own_2", "clinic"), ("x", "y", "lesion-7")))
    lineage = Lineage("model-1", HELD_OUT, frozenset({"clinic"}), frozenset(), listed)
    rows = [("own_2", "clinic"), ("own_3", "clinic"), ("new", "z", "lesion-7")]
    assert may_be_taught(*rows, lineage=lineage) == [True, False, True]


def test_splits_are_those_of_the_model_and_only_new_lesions_are_drawn():
    rows = [("ISIC_0000001", "a"), ("ISIC_0000002", "a"), ("ISIC_0000009", "a")]
    rows += [(f"new_{number}", "another clinic") for number in range(40)]
    found = provenance.assign(table(*rows), LINEAGE, (), seed=0)
    by_id = dict(zip(found["image_id"], found["split"], strict=True))
    assert [by_id[row[0]] for row in rows[:3]] == ["test", "val", "train"]
    drawn = [by_id[row[0]] for row in rows[3:]]
    assert set(drawn) == {"train", "val", "test"}
    assert drawn.count("train") > 20
    again = provenance.assign(table(*rows), LINEAGE, (), seed=1)
    assert list(again["split"]) != list(found["split"])


def test_lesion_that_was_taught_is_for_training_with_all_its_photographs():
    rows = [("ISIC_0000009", "a", "lesion-1")]
    rows += [(f"new_{number}", "another clinic", "lesion-1") for number in range(9)]
    found = provenance.assign(table(*rows), LINEAGE, (), seed=0)
    assert set(found["split"]) == {"train"}


def test_what_was_taught_is_never_held_out_even_where_a_class_has_nothing_else():
    rows = [(f"ISIC_000001{number}", "a") for number in range(8)]
    found = provenance.assign(table(*rows), LINEAGE, (), seed=0)
    assert set(found["split"]) == {"train"}


def test_measuring_on_what_may_have_been_taught_is_refused():
    rows = table(("ISIC_0000009", "a"), ("ISIC_0000001", "a"), ("new", "b"))
    divided = rows.assign(split=["test", "test", "val"])
    with pytest.raises(RunError, match=r"Of the 3 .* 1 were not held out.*\(ISIC_0000009\)"):
        provenance.check(LINEAGE, divided, ())
    provenance.check(LINEAGE, divided.assign(split=["train", "test", "val"]), ())
    assert np.all(divided["split"] != "train")
