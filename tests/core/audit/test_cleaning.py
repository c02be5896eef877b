"""The clean tables of a training: what goes, why, and what lies across two data sets."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from melanoma_core.audit import cleaning
from melanoma_core.data import datasets
from melanoma_core.images import reading, synthetic
from tests.support import made_models


def put(root, name, seed, kind="nevus", side=64, split=None):
    """A drawn lesion as a file `name` of a class-folder set."""
    folder = root / split / kind if split else root / kind
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.png").write_bytes(reading.png(synthetic.lesion(seed, (side, side), kind)))


@pytest.fixture
def untidy(tmp_path):
    """Four lesions: one filed twice, one in two classes, one cut off, one taught and tested."""
    root = tmp_path / "untidy"
    for seed, name in enumerate(("a", "b", "c", "d")):
        put(root, name, seed, split="Train")
    put(root, "a_again", 0, split="Train")
    pixels = (root / "Train" / "nevus" / "b.png").read_bytes()
    (root / "Train" / "melanoma").mkdir()
    (root / "Train" / "melanoma" / "b2.png").write_bytes(pixels)
    whole = root / "Train" / "nevus" / "c.png"
    whole.write_bytes(whole.read_bytes()[:300])
    put(root, "d2", 3, split="Test")
    put(root, "e", 4, "melanoma", split="Train")
    return root


def test_what_is_wrong_goes_and_the_notes_say_what_and_why_in_counts(untidy):
    found = cleaning.clean([datasets.read(untidy)])
    (cleaned,) = found.datasets
    assert sorted(cleaned.table["image_id"]) == ["a", "d2", "e"]
    assert found.notes[0] == "untidy, cleaned by the data doctor: 5 of 8 files dropped."
    counted = [note for note in found.notes if " files: " in note]
    assert sorted(int(note.split(": ")[1].split()[0]) for note in counted) == [1, 2, 2]
    named = [note for note in found.notes if note.startswith("Left out: ")]
    assert len(named) == 1
    assert "c.png" in named[0]


def test_name_license_and_checksum_stay_those_of_the_files(untidy):
    read = datasets.read(untidy)
    (cleaned,) = cleaning.clean([read]).datasets
    assert dataclasses.replace(cleaned, table=read.table) == dataclasses.replace(
        read, table=read.table
    )


def test_progress_counts_the_photographs_of_all_sets(tmp_path):
    sets = []
    for name in ("first", "second"):
        for seed in range(3):
            put(tmp_path / name, f"{name}{seed}", seed)
        sets.append(datasets.read(tmp_path / name))
    told = []
    cleaning.clean(sets, lambda *progress: told.append(progress))
    assert told == [(number, 6) for number in range(1, 7)]


def test_published_table_among_the_sets_relabels_the_others(tmp_path):
    image = synthetic.lesion(0, (64, 64), "nevus")
    put(tmp_path / "folders", "ISIC_0000001", 0)
    ham = tmp_path / "HAM10000"
    ham.mkdir()
    (ham / "ISIC_0000001.png").write_bytes(reading.png(image))
    (ham / "HAM10000_metadata.csv").write_text(
        "lesion_id,image_id,dx,dx_type,age,sex,localization\n"
        "HAM_1,ISIC_0000001,mel,histo,50,male,back\n"
    )
    found = cleaning.clean([datasets.read(tmp_path / "folders"), datasets.read(ham)])
    assert list(found.datasets[0].table["diagnosis"]) == ["MEL"]
    assert "0 of 1 files dropped, 1 relabeled" in found.notes[0]
    assert any("published table says Melanoma, not Nevus" in note for note in found.notes)


def test_copies_across_sets_are_found_and_keep_training_off_what_is_held_out(tmp_path):
    for seed in range(3):
        put(tmp_path / "first", f"x{seed}", seed, side=96)
    image = synthetic.lesion(1, (96, 96), "nevus")
    (tmp_path / "second" / "nevus").mkdir(parents=True)
    (tmp_path / "second" / "nevus" / "y.png").write_bytes(reading.png(np.fliplr(image)))
    found = cleaning.clean([datasets.read(tmp_path / name) for name in ("first", "second")])
    combined = datasets.combine(found.datasets)
    copies = cleaning.named_copies(combined, found.copies)
    assert [set(pair) for pair in copies] == [{"x1", "y"}]

    splits = {"x0": "train", "x1": "train", "x2": "val", "y": "test"}
    table = combined.table.assign(
        split=combined.table["image_id"].map(splits), group_id=combined.table["image_id"]
    )
    left, notes = cleaning.without_leaks(table, copies)
    assert sorted(left["image_id"]) == ["x0", "x2", "y"]
    assert notes == (
        "Left out, as a near copy or another photograph of the lesion is held out: 1.",
    )


def test_divided_table_without_leaks_stays_as_it_is():
    table = pd.DataFrame(
        {"image_id": ["a", "b"], "split": ["train", "test"], "group_id": ["a", "b"]}
    )
    left, notes = cleaning.without_leaks(table, [("a", "elsewhere")])
    pd.testing.assert_frame_equal(left, table)
    assert notes == ()


def test_clean_set_is_taken_whole(tmp_path):
    read = datasets.read(made_models.draw_class_folders(tmp_path / "drawn", num_each=4))
    found = cleaning.clean([read])
    assert found.notes == ("drawn, cleaned by the data doctor: 0 of 16 files dropped.",)
    pd.testing.assert_frame_equal(found.datasets[0].table, read.table)
