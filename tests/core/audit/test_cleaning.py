"""Cleaned data sets: dropped files, reasons, and copies across data sets."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from melanoma_core.audit import cleaning
from melanoma_core.data import datasets
from melanoma_core.images import reading, synthetic
from tests.support import made_models


def put(root, name, seed, kind="nevus", side=64, split=None):
    """Write a synthetic lesion as a file `name` of a class-folder set."""
    folder = root / split / kind if split else root / kind
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.png").write_bytes(reading.png(synthetic.lesion(seed, (side, side), kind)))


@pytest.fixture
def untidy(tmp_path):
    """Four lesions: one duplicated, one in two classes, one cut off, one in training and test."""
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


def test_faulty_files_are_dropped_and_the_notes_count_them_by_reason(untidy):
    cleaned_data = cleaning.clean([datasets.read(untidy)])
    (cleaned,) = cleaned_data.datasets
    assert sorted(cleaned.table["image_id"]) == ["a", "d2", "e"]
    assert cleaned_data.notes[0] == "untidy, cleaned by the data doctor: 5 of 8 files dropped."
    assert sorted(cleaned_data.notes[1:4]) == [
        "untidy: 1 file dropped: the file cannot be read.",
        "untidy: 2 files dropped: duplicate of a photograph that was kept.",
        "untidy: 2 files dropped: filed as Melanoma and Nevus; no published table says which.",
    ]
    refusals = [note for note in cleaned_data.notes if note.startswith("Left out: ")]
    assert len(refusals) == 1
    assert "c.png" in refusals[0]


def test_name_license_and_checksum_are_unchanged(untidy):
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
    calls = []
    cleaning.clean(sets, lambda *progress: calls.append(progress))
    assert calls == [(number, 6) for number in range(1, 7)]


def test_a_published_table_among_the_sets_relabels_the_others(tmp_path):
    image = synthetic.lesion(0, (64, 64), "nevus")
    put(tmp_path / "folders", "ISIC_0000001", 0)
    ham = tmp_path / "HAM10000"
    ham.mkdir()
    (ham / "ISIC_0000001.png").write_bytes(reading.png(image))
    (ham / "HAM10000_metadata.csv").write_text(
        "lesion_id,image_id,dx,dx_type,age,sex,localization\n"
        "HAM_1,ISIC_0000001,mel,histo,50,male,back\n"
    )
    cleaned_data = cleaning.clean([datasets.read(tmp_path / "folders"), datasets.read(ham)])
    assert list(cleaned_data.datasets[0].table["diagnosis"]) == ["MEL"]
    assert "0 of 1 files dropped, 1 relabeled" in cleaned_data.notes[0]
    assert (
        "folders: 1 file relabeled: a published table says Melanoma, not Nevus."
        in cleaned_data.notes
    )


def test_copies_of_held_out_photographs_in_other_sets_are_dropped_from_training(tmp_path):
    for seed in range(3):
        put(tmp_path / "first", f"x{seed}", seed, side=96)
    image = synthetic.lesion(1, (96, 96), "nevus")
    (tmp_path / "second" / "nevus").mkdir(parents=True)
    (tmp_path / "second" / "nevus" / "y.png").write_bytes(reading.png(np.fliplr(image)))
    cleaned_data = cleaning.clean([datasets.read(tmp_path / name) for name in ("first", "second")])
    combined = datasets.combine(cleaned_data.datasets)
    copies = cleaning.copies_by_image_id(combined, cleaned_data.copies)
    assert [set(pair) for pair in copies] == [{"x1", "y"}]

    splits = {"x0": "train", "x1": "train", "x2": "val", "y": "test"}
    table = combined.table.assign(
        split=combined.table["image_id"].map(splits), group_id=combined.table["image_id"]
    )
    remaining, notes = cleaning.without_leaks(table, copies)
    assert sorted(remaining["image_id"]) == ["x0", "x2", "y"]
    assert notes == (
        "Left out, because a near copy or another photograph of the lesion is held out: 1.",
    )


def test_a_table_without_leaks_is_unchanged():
    table = pd.DataFrame(
        {"image_id": ["a", "b"], "split": ["train", "test"], "group_id": ["a", "b"]}
    )
    remaining, notes = cleaning.without_leaks(table, [("a", "elsewhere")])
    pd.testing.assert_frame_equal(remaining, table)
    assert notes == ()


def test_a_clean_set_is_unchanged(tmp_path):
    read = datasets.read(made_models.draw_class_folders(tmp_path / "drawn", num_each=4))
    cleaned_data = cleaning.clean([read])
    assert cleaned_data.notes == ("drawn, cleaned by the data doctor: 0 of 16 files dropped.",)
    pd.testing.assert_frame_equal(cleaned_data.datasets[0].table, read.table)
