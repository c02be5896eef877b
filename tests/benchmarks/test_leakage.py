"""The three ways to teach one network: what lies on which side, and what they are measured on."""

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
def found(monkeypatch):
    """Tables whose photographs show their own row in every pixel."""
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
    # A copy of an even shade is itself, whatever its turn and size.
    return leakage.Tables(table, table, table.iloc[:4], 4, ())


def rows_of(part):
    return set(part.images[:, 16, 16, 0].tolist())


def parts(way, found, seed=0):
    return leakage.parts(way, found, seed, image_size=32, num_copies=40)


def test_copies_made_before_the_split_lie_on_both_sides(found):
    train, val, groups = parts("before", found)
    assert len(train.labels) + len(val.labels) == NUM + 3 * 40
    assert len(val.labels) == round(0.2 * (NUM + 3 * 40))
    assert len(rows_of(train) & rows_of(val)) > 10
    assert len(groups) == len(val.labels)


def test_copies_made_after_the_split_lie_in_training_alone(found):
    train, val, groups = parts("after", found)
    assert len(val.labels) == round(0.2 * NUM)
    assert len(train.labels) == NUM - len(val.labels) + 3 * 40
    assert not rows_of(train) & rows_of(val)
    assert groups == [f"g{row // 2}" for row in val.images[:, 0, 0, 0]]
    # Photographs are drawn, not lesions: some lesion is on both sides.
    assert {row // 2 for row in rows_of(train)} & {row // 2 for row in rows_of(val)}


def test_the_clean_table_is_divided_by_lesion(found):
    train, val, _ = parts("clean", found)
    assert len(val.labels) == pytest.approx(0.2 * NUM, abs=4)
    assert not {row // 2 for row in rows_of(train)} & {row // 2 for row in rows_of(val)}


@pytest.mark.parametrize("way", leakage.WAYS)
def test_a_seed_gives_one_division_and_another_seed_another(found, way):
    first, again, other = (parts(way, found, seed)[1] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.images, again.images)
    assert rows_of(first) != rows_of(other)


def test_figures_are_means_of_the_runs_on_one_test(found):
    labels, groups = [0, 0, 1, 1], ["a", "b", "c", "d"]
    called = [[0, 0, 1, 1], [0, 1, 0, 1]]
    figure = leakage._figure(classification.accuracy, labels, called, groups)
    assert figure.value == 0.75
    assert figure.low <= 0.75 <= figure.high
    assert (figure.num_photographs, figure.num_lesions) == (4, 4)


def test_a_ways_figures_are_those_of_the_last_epoch(found):
    table = found.test.assign(diagnosis=["MEL", "MEL", "NV", "NV"])
    curve = [{"epoch": 1, "training": 0.1, "validation": 0.2, "test": 0.3}]
    run = {
        "seed": 0, "seconds": 1, "num_photographs": {}, "curve": [*curve, {**curve[0], "epoch": 2,
        "training": 0.9}], "validation_labels": [0, 1], "validation_groups": ["a", "b"],
        "called": {"validation": [0, 0], "test": [0, 0, 1, 0]},
    }  # fmt: skip
    way = leakage._way("after", [run], replace(found, test=table))
    assert way["figures"]["training"] == 0.9
    assert way["figures"]["validation"]["value"] == 0.5
    assert way["figures"]["test"]["value"] == 0.75
    assert way["figures"]["test_balanced"]["value"] == 0.75


def test_the_clean_test_shows_no_lesion_that_any_way_was_taught(research_data):
    found = leakage.divide(
        research_data / "isic9.zip",
        [research_data / "ham10000.zip", research_data / "isic2017.zip"],
        research_data / "splits.csv",
    )
    assert found.num_test_folder == 118
    taught = set(found.filed["group_id"]) | set(found.clean["group_id"])
    assert not set(found.test["group_id"]) & taught
    assert 60 < len(found.test) < 100  # 18 of 118 have two diagnoses, 39 show a taught lesion
    assert not found.test["image_id"].duplicated().any()
    assert len(found.filed) == 2241
    assert not found.clean["image_id"].duplicated().any()
