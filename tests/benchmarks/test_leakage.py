"""The three ways to train one network: their training, validation and test photographs."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmarks.lessons import leakage, starting_cnn
from benchmarks.lessons.starting_cnn import Part
from melanoma_core.diagnoses import CODES
from melanoma_core.metrics import classification

NUM = 60  # photographs, two of each lesion


@pytest.fixture
def nine_class(monkeypatch):
    """Tables whose photographs have their row number as every pixel."""
    codes = [CODES[row // 2 % 3] for row in range(NUM)]
    table = pd.DataFrame(
        {
            "image_id": [f"i{row}" for row in range(NUM)],
            "lesion_id": None,
            "diagnosis": codes,
            "split": "train",
            "group_id": [f"g{row // 2}" for row in range(NUM)],
        }
    )

    def part_of(rows, image_size):
        shade = np.array([int(image_id[1:]) for image_id in rows["image_id"]], np.uint8)
        images = np.broadcast_to(shade[:, None, None, None], (len(rows), image_size, image_size, 3))
        return Part(images.copy(), np.array([CODES.index(c) for c in rows["diagnosis"]]))

    monkeypatch.setattr(starting_cnn, "part_of", part_of)
    # A rotated and scaled copy of a uniform image is the same image.
    return leakage.NineClassTables(table, table, table.iloc[:4], 4, ())


def rows_of(part):
    return set(part.images[:, 16, 16, 0].tolist())


def parts(way, nine_class, seed=0):
    return leakage.parts(way, nine_class, seed, image_size=32, num_copies=40)


def test_copies_made_before_the_split_are_on_both_sides(nine_class):
    train, val, groups = parts("before", nine_class)
    assert len(train.labels) + len(val.labels) == NUM + 3 * 40
    assert len(val.labels) == round(0.2 * (NUM + 3 * 40))
    assert len(rows_of(train) & rows_of(val)) > 10
    assert len(groups) == len(val.labels)


def test_copies_made_after_the_split_are_in_training_only(nine_class):
    train, val, groups = parts("after", nine_class)
    assert len(val.labels) == round(0.2 * NUM)
    assert len(train.labels) == NUM - len(val.labels) + 3 * 40
    assert not rows_of(train) & rows_of(val)
    assert groups == [f"g{row // 2}" for row in val.images[:, 0, 0, 0]]
    # The split is by photograph, not by lesion, so some lesion is on both sides.
    assert {row // 2 for row in rows_of(train)} & {row // 2 for row in rows_of(val)}


def test_the_clean_table_is_split_by_lesion(nine_class):
    train, val, _ = parts("clean", nine_class)
    assert len(val.labels) == pytest.approx(0.2 * NUM, abs=4)
    assert not {row // 2 for row in rows_of(train)} & {row // 2 for row in rows_of(val)}


@pytest.mark.parametrize("way", leakage.WAYS)
def test_the_split_depends_on_the_seed_only(nine_class, way):
    first, again, other = (parts(way, nine_class, seed)[1] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.images, again.images)
    assert rows_of(first) != rows_of(other)


def test_figures_are_means_over_the_runs_on_one_test():
    labels, groups = [0, 0, 1, 1], ["a", "b", "c", "d"]
    predictions = [[0, 0, 1, 1], [0, 1, 0, 1]]
    accuracy = leakage._mean_over_runs(classification.accuracy, labels, predictions, groups)
    assert accuracy.value == 0.75
    assert accuracy.low <= 0.75 <= accuracy.high
    assert (accuracy.num_photographs, accuracy.num_lesions) == (4, 4)


def test_figures_are_for_the_last_epoch(nine_class):
    table = nine_class.test.assign(diagnosis=["MEL", "MEL", "NV", "NV"])
    curve = [{"epoch": 1, "training": 0.1, "validation": 0.2, "test": 0.3}]
    run = {
        "seed": 0, "seconds": 1, "num_photographs": {}, "curve": [*curve, {**curve[0], "epoch": 2,
        "training": 0.9}], "validation_labels": [0, 1], "validation_groups": ["a", "b"],
        "called": {"validation": [0, 0], "test": [0, 0, 1, 0]},
    }  # fmt: skip
    figures = leakage._summarize("after", [run], replace(nine_class, test=table))["figures"]
    assert figures["training"] == 0.9
    assert figures["validation"]["value"] == 0.5
    assert figures["test"]["value"] == 0.75
    assert figures["test_balanced"]["value"] == 0.75


def test_the_clean_test_has_no_lesion_of_any_training_set(research_data):
    nine_class = leakage.read_tables(
        research_data / "isic9.zip",
        [research_data / "ham10000.zip", research_data / "isic2017.zip"],
        research_data / "splits.csv",
    )
    assert nine_class.num_test_folder == 118
    train_groups = set(nine_class.filed["group_id"]) | set(nine_class.clean["group_id"])
    assert not set(nine_class.test["group_id"]) & train_groups
    # 18 of 118 have two diagnoses, 39 show a lesion of the training folder.
    assert 60 < len(nine_class.test) < 100
    assert not nine_class.test["image_id"].duplicated().any()
    assert len(nine_class.filed) == 2241
    assert not nine_class.clean["image_id"].duplicated().any()
