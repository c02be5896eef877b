"""From data sets to one divided table: whose splits count, and what is refused before training."""

from collections import Counter
from dataclasses import replace

import pandas as pd
import pytest

from melanoma_core.errors import DatasetError, RunError
from melanoma_core.runs import provenance, states, tables
from melanoma_core.runs.plans import RunPlan
from melanoma_core.runs.provenance import Lineage
from tests.support import made_models


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Ten drawn lesions a kind, in folders Train and Test: the last two are for the test."""
    root = tmp_path_factory.mktemp("data") / "drawn"
    flat = made_models.draw_class_folders(root.parent / "flat", num_each=10)
    for path in sorted(flat.rglob("*.png")):
        split = "Test" if int(path.stem[-3:]) >= 8 else "Train"
        target = root / split / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    return root


@pytest.fixture
def plan(drawn):
    return made_models.plan(drawn)


def read(plan, run_dir, lineage=None):
    run_dir.mkdir(exist_ok=True)
    return tables.read(plan, run_dir, lineage)


def splits_of(found):
    return dict(zip(found.rows["image_id"], found.rows["split"], strict=True))


def test_splits_of_the_data_set_stay_and_validation_is_drawn(plan, tmp_path):
    found = splits_of(read(plan, tmp_path / "run"))
    tested = {image_id for image_id, split in found.items() if split == "test"}
    assert tested == {image_id for image_id in found if int(image_id[-3:]) >= 8}
    assert Counter(found.values())["val"] == 4


def test_all_photographs_are_drawn_anew_where_the_plan_says_so(plan, tmp_path):
    found = [
        splits_of(read(replace(plan, split_by="drawn", config=config), tmp_path / "run"))
        for config in (plan.config, plan.config, replace(plan.config, seed=5))
    ]
    assert found[0] == found[1] != found[2]
    tested = {image_id for image_id, split in found[0].items() if split == "test"}
    assert len(tested) == 8
    assert tested != {image_id for image_id in found[0] if int(image_id[-3:]) >= 8}


def test_splits_are_those_of_the_model_where_the_plan_says_so(plan, tmp_path):
    held_out = {"melanoma_000": "test", "nevus_000": "test", "melanoma_001": "val"}
    held_out["nevus_001"] = "val"
    lineage = Lineage("model-1", held_out, frozenset({"drawn"}), frozenset(), None)
    plan = replace(plan, split_by="model", from_model="model-1")
    found = read(plan, tmp_path / "run", lineage)
    assert {image_id: s for image_id, s in splits_of(found).items() if s != "train"} == held_out
    assert found.notes[0] == "Training went on from the model model-1."
    with pytest.raises(RunError, match="may know them"):
        read(replace(plan, split_by="given"), tmp_path / "run", lineage)


def test_data_are_cleaned_unless_that_is_switched_off_and_either_is_said(plan, tmp_path):
    cleaned, as_they_are = (
        read(replace(plan, is_cleaned=is_cleaned), tmp_path / "run") for is_cleaned in (True, False)
    )
    assert "drawn, cleaned by the data doctor: 0 of 40 files dropped." in cleaned.notes
    assert any("as the files are" in note for note in as_they_are.notes)
    assert len(cleaned.rows) == len(as_they_are.rows) == 40


def test_status_tells_that_the_data_are_being_checked(plan, tmp_path, monkeypatch):
    told = []
    write = tables.runs.write_status

    def noted(run_dir, phase, **facts):
        write(run_dir, phase, **facts)
        told.append((phase, states.read(run_dir).share))

    monkeypatch.setattr(tables.runs, "write_status", noted)
    read(plan, tmp_path / "run")
    assert told == [("reading", None), ("checking the data", 1.0)]


def test_splits_of_a_file_are_what_the_doctor_judges_by(drawn, plan, tmp_path):
    """One lesion's copy is moved to training by the file; the doctor takes it out again."""
    target = tmp_path / "drawn"
    for path in drawn.rglob("*.png"):
        (target / path.parent.name).mkdir(parents=True, exist_ok=True)
        (target / path.parent.name / path.name).write_bytes(path.read_bytes())
    copy = target / "nevus" / "copy.png"
    copy.write_bytes((target / "nevus" / "nevus_009.png").read_bytes())
    rows = [
        (path.stem, "", "val" if path.stem.endswith("0") else "test" if path.stem[-1] == "9"
         else "train")
        for path in sorted(target.rglob("*.png"))
    ]  # fmt: skip
    columns = ["image_id", "group_id", "split"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "splits.csv", index=False)
    plan = RunPlan(plan.config, (str(target),), str(tmp_path / "splits.csv"), None)
    found = read(plan, tmp_path / "run")
    assert "copy" not in splits_of(found)
    assert splits_of(found)["nevus_009"] == "test"
    as_they_are = read(replace(plan, is_cleaned=False), tmp_path / "run")
    assert splits_of(as_they_are)["copy"] == "train"


def test_split_without_what_training_needs_is_refused(plan, tmp_path):
    lineage = Lineage("model-1", {}, frozenset({"drawn"}), frozenset(), None)
    plan = replace(plan, split_by="model", from_model="model-1")
    with pytest.raises(DatasetError, match="The val split holds nothing; it needs melanoma"):
        read(plan, tmp_path / "run", lineage)
    assert provenance.may_be_taught(lineage, read(made_models.plan(plan.datasets[0]),
                                                tmp_path / "run").rows, ()).all()  # fmt: skip
