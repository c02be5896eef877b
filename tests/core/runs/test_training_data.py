"""From data sets to one divided table: whose splits count, and what is refused before training."""

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from melanoma_core.errors import DatasetError, RunError
from melanoma_core.images import reading
from melanoma_core.runs import plans, provenance, states, training_data
from melanoma_core.runs.plans import RunPlan
from tests.support import made_models, made_parents


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


def read(plan, run_dir, *parents):
    run_dir.mkdir(exist_ok=True)
    return training_data.read(plan, run_dir, parents, 32)


def splits_of(found):
    return dict(zip(found.rows["image_id"], found.rows["split"], strict=True))


def test_splits_of_the_data_set_stay_and_validation_is_drawn(plan, tmp_path):
    found = splits_of(read(plan, tmp_path / "run"))
    tested = {image_id for image_id, split in found.items() if split == "test"}
    assert tested == {image_id for image_id in found if int(image_id[-3:]) >= 8}
    assert Counter(found.values())["val"] == 4


def test_all_photographs_are_drawn_by_the_seed_where_the_plan_says_so(plan, tmp_path):
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
    parent = made_parents.parent("drawn", held_out=held_out)
    plan = replace(plan, split_by="model", parents=("model-1",))
    found = read(plan, tmp_path / "run", parent)
    assert {image_id: s for image_id, s in splits_of(found).items() if s != "train"} == held_out
    with pytest.raises(RunError, match=r"from the model “model-1”.*or start from --weights"):
        read(replace(plan, split_by="given"), tmp_path / "run", parent)


def test_data_are_cleaned_unless_that_is_switched_off_and_either_is_said(plan, tmp_path):
    cleaned, as_they_are = (
        read(replace(plan, is_cleaned=is_cleaned), tmp_path / "run") for is_cleaned in (True, False)
    )
    assert "drawn, cleaned by the data doctor: 0 of 40 files dropped." in cleaned.notes
    assert any("cleaning was switched off" in note for note in as_they_are.notes)
    assert len(cleaned.rows) == len(as_they_are.rows) == 40


@pytest.mark.parametrize("is_cleaned", [True, False])
def test_status_tells_how_many_photographs_are_read(plan, tmp_path, monkeypatch, is_cleaned):
    told = []
    write = plans.write_status

    def noted(run_dir, phase, **facts):
        write(run_dir, phase, **facts)
        told.append((phase, states.read(run_dir).share))

    monkeypatch.setattr(plans, "write_status", noted)
    read(replace(plan, is_cleaned=is_cleaned), tmp_path / "run")
    phase = "checking the data" if is_cleaned else "reading"
    assert told == [("reading", None), (phase, 1.0)]


def test_audit_judges_by_the_splits_of_the_file(drawn, plan, tmp_path):
    """One lesion's copy is moved to training by the file; the audit takes it out again."""
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
    plan = RunPlan(plan.config, (str(target),), str(tmp_path / "splits.csv"))
    found = read(plan, tmp_path / "run")
    assert "copy" not in splits_of(found)
    assert splits_of(found)["nevus_009"] == "test"
    as_they_are = read(replace(plan, is_cleaned=False), tmp_path / "run")
    assert splits_of(as_they_are)["copy"] == "train"


def test_split_without_what_training_needs_is_refused(plan, tmp_path):
    parent = made_parents.parent("drawn")
    with pytest.raises(DatasetError, match="The val split holds nothing; it needs melanoma"):
        read(replace(plan, split_by="model", parents=("model-1",)), tmp_path / "run", parent)
    rows = read(plan, tmp_path / "run").rows
    assert provenance.may_be_trained_on(parent, rows, ()).all()


@pytest.mark.parametrize("is_cleaned", [True, False])
def test_every_file_is_decoded_once_into_the_square_that_training_sees(
    plan, tmp_path, monkeypatch, is_cleaned
):
    decoded, read_file = [], reading.read_file
    monkeypatch.setattr(reading, "read_file", lambda path: decoded.append(path) or read_file(path))
    found = read(replace(plan, is_cleaned=is_cleaned), tmp_path / "run")
    assert sorted(map(str, decoded)) == sorted(found.rows["path"])
    for path, image in zip(found.rows["path"], found.images_of(found.rows), strict=True):
        expected = reading.resize(read_file(Path(path)), 32)
        np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize("is_cleaned", [True, False])
@pytest.mark.parametrize("split", ["Train", "Test"])
def test_file_that_cannot_be_read_is_named_and_counts_nowhere(
    drawn, plan, tmp_path, is_cleaned, split
):
    data = shutil.copytree(drawn, tmp_path / "drawn")
    broken = sorted((data / split / "nevus").iterdir())[0]
    broken.write_bytes(broken.read_bytes()[:500])
    plan = replace(plan, datasets=(str(data),), is_cleaned=is_cleaned)
    found = read(plan, tmp_path / "run")
    assert len(found.rows) == 39
    assert broken.stem not in splits_of(found)
    assert sum(note.startswith("Left out: ") and broken.name in note for note in found.notes) == 1


def test_unreadable_files_are_named_in_the_order_of_the_table(drawn, plan, tmp_path):
    """Threads finish in any order; the notes on a card do not depend on it."""
    data = shutil.copytree(drawn, tmp_path / "drawn")
    broken = sorted((data / "Train" / "nevus").iterdir())[:6]
    for path in broken:
        path.write_bytes(path.read_bytes()[: 1000 if path is broken[0] else 10])
    found = read(replace(plan, datasets=(str(data),), is_cleaned=False), tmp_path / "run")
    named = [note for note in found.notes if note.startswith("Left out: ")]
    assert [path.name for path in broken] == [
        path.name for note in named for path in broken if path.name in note
    ]


def test_without_a_readable_training_photograph_the_run_is_refused(drawn, plan, tmp_path):
    data = shutil.copytree(drawn, tmp_path / "drawn")
    for path in (data / "Train").rglob("*.png"):
        path.write_bytes(path.read_bytes()[:60])
    plan = replace(plan, datasets=(str(data),), is_cleaned=False)
    with pytest.raises(DatasetError, match="The train split holds nothing"):
        read(plan, tmp_path / "run")


def test_labels_and_counts_follow_the_order_of_codes(plan, tmp_path):
    val = read(plan, tmp_path / "run").split("val")
    expected = {"melanoma": 0, "nevus": 1, "basal cell carcinoma": 2, "vascular lesion": 8}
    names = [Path(path).parent.name for path in val["path"]]
    assert training_data.labels(val).tolist() == [expected[name] for name in names]
    assert training_data.counts(val).tolist() == [1, 1, 1, 0, 0, 0, 0, 0, 1, 0]


def test_checksum_of_the_splits_changes_when_one_photograph_moves(plan, tmp_path):
    rows = read(plan, tmp_path / "run").rows
    checksum = training_data.split_sha256(rows)
    assert training_data.split_sha256(rows.sample(frac=1, random_state=0)) == checksum
    moved = rows.copy()
    moved.loc[0, "split"] = "val" if moved.loc[0, "split"] == "train" else "train"
    assert training_data.split_sha256(moved) != checksum


def test_photograph_of_two_sets_trains_in_both_files_but_is_counted_and_measured_once(tmp_path):
    """The second set has every photograph in its own, brighter file."""
    drawn = made_models.draw_class_folders(tmp_path / "drawn", num_each=6)
    rows = []
    for number, path in enumerate(sorted(drawn.rglob("*.png"))):
        image_id = f"ISIC_{number:07d}"
        rows.append(
            (image_id, "", "", ("train", "train", "train", "train", "val", "test")[number % 6])
        )
        image = reading.read_file(path)
        for name, pixels in (("first", image), ("second", np.maximum(image, 200))):
            file = tmp_path / name / path.parent.name / f"{image_id}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(reading.png(pixels))
    columns = ["image_id", "lesion_id", "group_id", "split"]
    splits = tmp_path / "splits.csv"
    pd.DataFrame(rows, columns=columns).to_csv(splits, index=False)
    sets = (str(tmp_path / "first"), str(tmp_path / "second"))
    found = read(RunPlan(made_models.CONFIG, sets, str(splits)), tmp_path / "run")

    num_train = sum(row[3] == "train" for row in rows)
    files = found.files("train")
    assert len(files) == 2 * num_train
    first, second = (
        np.array(found.images_of(part)) for part in (files[:num_train], files[num_train:])
    )
    assert second.min() >= 199 > first.min()  # 199: resizing rounds
    labels = training_data.labels(files)
    np.testing.assert_array_equal(labels[:num_train], labels[num_train:])
    assert len(found.split("train")) == num_train
    assert len(found.split("val")) == sum(row[3] == "val" for row in rows)
    assert len(found.rows) == len(rows)
    note = f"Photographs also used in a further file, from another data set: {num_train}."
    assert note in found.notes
