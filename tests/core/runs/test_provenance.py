"""What a parent may have been trained on, and the splits that follow from it."""

import dataclasses
import shutil

import numpy as np
import pandas as pd
import pytest

from melanoma_core.data import datasets, splits
from melanoma_core.data.datasets import Dataset
from melanoma_core.data.schema import COLUMNS
from melanoma_core.errors import ModelError, RunError
from melanoma_core.models import store, training_ids
from melanoma_core.models.cards import DatasetUse
from melanoma_core.runs import provenance
from tests.support import made_models, made_parents
from tests.support.made_parents import NO_IDS

HELD_OUT = {"ISIC_0000001": "test", "ISIC_0000002": "val", "own_1": "test"}
PARENT = made_parents.parent("clinic", "ab12", HELD_OUT)
ADVICE = "Divide them otherwise."


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


def may_be_trained_on(*rows, parent=PARENT, sets=()):
    return provenance.may_be_trained_on(parent, table(*rows), sets).tolist()


def test_held_out_photographs_were_not_trained_on():
    assert may_be_trained_on(("ISIC_0000001", "elsewhere"), ("own_1", "clinic")) == [False, False]


def test_another_photograph_of_the_models_own_data_may_be_trained_on():
    assert may_be_trained_on(("own_2", "clinic")) == [True]


def test_id_of_the_archive_may_be_trained_on_whatever_its_source():
    assert may_be_trained_on(("ISIC_0000009", "elsewhere")) == [True]


def test_photograph_of_a_new_data_set_was_not_trained_on():
    assert may_be_trained_on(("2026-11-24-a", "another clinic")) == [False]


def test_data_set_under_another_name_is_known_by_its_checksum():
    assert may_be_trained_on(("b", "renamed"), sets=[dataset("renamed", "ab12")]) == [True]


def test_inherited_data_sets_may_be_trained_on_too():
    use = DatasetUse("older", "", "cd34", 5, 0, 0)
    card = dataclasses.replace(PARENT.card, inherited_datasets=(use,))
    parent = dataclasses.replace(PARENT, card=card)
    assert may_be_trained_on(("a", "older"), parent=parent) == [True]
    assert may_be_trained_on(("a", "older")) == [False]


def test_photograph_is_the_same_with_the_name_of_its_data_set_before_its_id():
    assert provenance.held_out(PARENT, table(("clinic/own_1", "clinic"))) == ["test"]
    together = made_parents.parent("other", "", {"clinic/own_1": "val"})
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
def test_training_ids_match_with_and_without_the_data_set_prefix(clinic_tables, order):
    before, now = (clinic_tables[place] for place in order)
    divided = splits.assign(before)
    listed = training_ids.of(divided[divided["split"] == "train"])
    held = divided[divided["split"] != "train"]
    held_out = dict(zip(held["image_id"], held["split"], strict=True))
    parent = made_parents.parent("clinic_a", "", held_out, listed)

    found = provenance.assign(now, parent, (), seed=0)
    provenance.check(parent, found, (), ADVICE)
    expected, split_of = (
        {row.path: row.split for row in rows.itertuples(index=False) if row.source == "clinic_a"}
        for rows in (divided, found)
    )
    assert split_of == expected
    num_train = list(expected.values()).count("train")
    tested = now[now["source"] == "clinic_a"].assign(split="test")
    with pytest.raises(RunError, match=f"{num_train} were not held out"):
        provenance.check(parent, tested, (), ADVICE)


def test_whole_list_of_training_ids_decides_alone():
    listed = training_ids.of(table(("own_2", "clinic"), ("x", "y", "lesion-7")))
    parent = dataclasses.replace(PARENT, training_ids=listed)
    rows = [("own_2", "clinic"), ("own_3", "clinic"), ("new", "z", "lesion-7")]
    assert may_be_trained_on(*rows, parent=parent) == [True, False, True]


def test_list_with_gaps_counts_beside_the_data_sets():
    listed = training_ids.union([training_ids.of(table(("x", "y", "lesion-7"))), NO_IDS])
    parent = dataclasses.replace(PARENT, training_ids=listed)
    rows = [("own_3", "clinic"), ("new", "z", "lesion-7"), ("other", "z")]
    assert may_be_trained_on(*rows, parent=parent) == [True, True, False]


def test_splits_are_those_of_the_model_and_only_new_lesions_are_drawn():
    rows = [("ISIC_0000001", "a"), ("ISIC_0000002", "a"), ("ISIC_0000009", "a")]
    rows += [(f"new_{number}", "another clinic") for number in range(40)]
    found = provenance.assign(table(*rows), PARENT, (), seed=0)
    by_id = dict(zip(found["image_id"], found["split"], strict=True))
    assert [by_id[row[0]] for row in rows[:3]] == ["test", "val", "train"]
    drawn = [by_id[row[0]] for row in rows[3:]]
    assert set(drawn) == {"train", "val", "test"}
    assert drawn.count("train") > 20
    again = provenance.assign(table(*rows), PARENT, (), seed=1)
    assert list(again["split"]) != list(found["split"])


def test_lesion_that_was_trained_on_is_for_training_with_all_its_photographs():
    rows = [("ISIC_0000009", "a", "lesion-1")]
    rows += [(f"new_{number}", "another clinic", "lesion-1") for number in range(9)]
    found = provenance.assign(table(*rows), PARENT, (), seed=0)
    assert set(found["split"]) == {"train"}


def test_training_photographs_are_never_held_out_even_where_a_class_has_no_others():
    rows = [(f"ISIC_000001{number}", "a") for number in range(8)]
    found = provenance.assign(table(*rows), PARENT, (), seed=0)
    assert set(found["split"]) == {"train"}


def test_measuring_on_what_may_have_been_trained_on_is_refused():
    rows = table(("ISIC_0000009", "a"), ("ISIC_0000001", "a"), ("new", "b"))
    divided = rows.assign(split=["test", "test", "val"])
    words = r"Of the 3 .* 1 were not held out.*\(ISIC_0000009\).*Divide them otherwise\."
    with pytest.raises(RunError, match=words):
        provenance.check(PARENT, divided, (), ADVICE)
    provenance.check(PARENT, divided.assign(split=["train", "test", "val"]), (), ADVICE)
    assert np.all(divided["split"] != "train")


def test_a_parent_is_read_whole_and_a_damaged_one_is_refused(trained_models, tmp_path):
    models_dir = shutil.copytree(trained_models, tmp_path / "models")
    parent = provenance.read(models_dir, "tiny-1")
    assert (parent.model_id, parent.card.network) == ("tiny-1", "tiny")
    assert set(store.FILES) <= set(parent.files)
    assert set(parent.held_out.values()) == {"val", "test"}
    assert len(parent.held_out) + parent.training_ids.images.size == 48
    assert parent.training_ids.is_whole
    (models_dir / "tiny-1" / "training_ids.npz").write_bytes(b"damaged")
    with pytest.raises(ModelError, match=r"training_ids\.npz of the model “tiny-1”"):
        provenance.read(models_dir, "tiny-1")
