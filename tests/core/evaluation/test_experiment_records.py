"""The records that the page Lessons shows: read, missing, damaged; and those that ship."""

import json

import numpy as np
import pytest

from melanoma_core import paths
from melanoma_core.errors import RecordError
from melanoma_core.evaluation import experiment_records
from tests.support import made_lessons


def test_a_missing_record_is_none(tmp_path):
    assert experiment_records.leakage(tmp_path) is None
    assert experiment_records.learning_curve(tmp_path) is None


def test_the_leakage_record_is_read(tmp_path):
    record = experiment_records.leakage(
        made_lessons.write(tmp_path, leakage=made_lessons.leakage(seeds=2))
    )
    assert list(record.ways) == ["before", "after", "clean"]
    assert (record.num_test, record.num_test_lesions, record.num_test_folder) == (74, 73, 118)
    assert record.num_seeds == 2
    before = record.ways["before"]
    assert (before.validation.value, before.test.value) == (0.64, 0.37)
    np.testing.assert_allclose(before.mean_curve("training"), [0.88 / 3, 2 * 0.88 / 3, 0.88])
    assert before.runs[0].num_training == 5393


def test_the_learning_curve_is_read(tmp_path):
    made = made_lessons.learning_curve()
    record = experiment_records.learning_curve(made_lessons.write(tmp_path, learning_curve=made))
    assert [point.num_lesions for point in record.points] == [700, 3500, 7000]
    assert [point.figures["melanoma_auroc"].value for point in record.points] == [0.7, 0.8, 0.81]
    assert record.points[-1].class_lesions["MEL"] == 100
    assert record.num_test_melanomas == 197


def set_at(record, value, *keys):
    for key in keys[:-1]:
        record = record[key]
    record[keys[-1]] = value


LEAKAGE_DAMAGE = {
    "an accuracy other than the curve": (0.7, "ways", 0, "figures", "validation", "value"),
    "an accuracy above 1": (1.5, "ways", 1, "runs", 0, "curve", 0, "test"),
    "an accuracy that is text": ("0.5", "ways", 1, "runs", 0, "curve", 0, "test"),
    "an interval upside down": (0.9, "ways", 2, "figures", "test", "low"),
    "no value": (None, "ways", 2, "figures", "test", "value"),
    "another number of test photographs": (9, "ways", 0, "figures", "test", "num_photographs"),
    "a repeated epoch": (1, "ways", 0, "runs", 0, "curve", 1, "epoch"),
    "a repeated way": ("before", "ways", 1, "way"),
    "no run": ([], "ways", 0, "runs"),
    "no ways": ([], "ways"),
    "other seeds": (7, "ways", 1, "runs", 0, "seed"),
    "ways that are a number": (3, "ways"),
}
CURVE_DAMAGE = {
    "no points": ([], "points"),
    "not up to all lesions": (0.9, "points", 2, "fraction"),
    "fractions out of order": (0.6, "points", 0, "fraction"),
    "a class without lesions": ({"MEL": 1}, "points", 1, "class_lesions"),
    "a value that is no number": ("high", "points", 1, "figures", "accuracy", "value"),
    "no test": (None, "test"),
}


@pytest.mark.parametrize("damage", LEAKAGE_DAMAGE)
def test_a_damaged_leakage_record_is_refused_with_the_command_to_make_it_again(tmp_path, damage):
    record = made_lessons.leakage()
    set_at(record, *LEAKAGE_DAMAGE[damage])
    made_lessons.write(tmp_path, leakage=record)
    with pytest.raises(RecordError, match=r"leakage\.json.*python -m benchmarks\.lessons\.leakage"):
        experiment_records.leakage(tmp_path)


@pytest.mark.parametrize("damage", CURVE_DAMAGE)
def test_a_damaged_learning_curve_is_refused(tmp_path, damage):
    record = made_lessons.learning_curve()
    set_at(record, *CURVE_DAMAGE[damage])
    made_lessons.write(tmp_path, learning_curve=record)
    with pytest.raises(RecordError, match=r"python -m benchmarks\.lessons\.learning_curve"):
        experiment_records.learning_curve(tmp_path)


@pytest.mark.parametrize("part", ["command", "epochs", "test", "ways"])
def test_a_missing_part_is_named(tmp_path, part):
    record = made_lessons.leakage()
    del record[part]
    with pytest.raises(RecordError, match=f"{part}.* is missing"):
        experiment_records.leakage(made_lessons.write(tmp_path, leakage=record))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"ways": 1}'])
def test_a_file_that_is_not_a_record_is_refused(tmp_path, content):
    (tmp_path / experiment_records.LEAKAGE).write_bytes(content)
    with pytest.raises(RecordError):
        experiment_records.leakage(tmp_path)


def test_a_truncated_record_is_refused(tmp_path):
    whole = json.dumps(made_lessons.leakage()).encode()
    for end in np.linspace(0, len(whole) - 1, 25).astype(int):
        (tmp_path / experiment_records.LEAKAGE).write_bytes(whole[:end])
        with pytest.raises(RecordError):
            experiment_records.leakage(tmp_path)


TEXTS = paths.PROJECT_DIR / "benchmarks" / "results"


@pytest.fixture
def shipped(monkeypatch):
    monkeypatch.delenv("MELANOMA_RECORDS", raising=False)
    return paths.records_dir()


def test_the_shipped_leakage_record_can_be_read_and_agrees_with_its_text(shipped):
    record = experiment_records.leakage(shipped)
    text = (TEXTS / "leakage.txt").read_text()
    assert text.startswith(f"$ {record.command}\n")
    assert record.machine in text
    for way in record.ways.values():
        for accuracy in (way.validation, way.test, way.validation_balanced, way.test_balanced):
            assert f"{accuracy.value:.3f} ({accuracy.low:.3f}–{accuracy.high:.3f})" in text


def test_the_shipped_learning_curve_can_be_read_and_agrees_with_its_text(shipped):
    record = experiment_records.learning_curve(shipped)
    text = (TEXTS / "learning_curve.txt").read_text()
    assert text.startswith(f"$ {record.command}\n")
    assert [point.fraction for point in record.points] == [0.1, 0.2, 0.4, 0.7, 1.0]
    for point in record.points:
        assert point.num_lesions == pytest.approx(
            point.fraction * record.points[-1].num_lesions, rel=0.01
        )
        for estimate in point.figures.values():
            assert f"{estimate.value:.3f} ({estimate.low:.3f}–{estimate.high:.3f})" in text


@pytest.mark.parametrize("name", [experiment_records.LEAKAGE, experiment_records.LEARNING_CURVE])
def test_each_record_ships_once(shipped, name):
    assert (shipped / name).is_file()
    assert not (TEXTS / name).exists()
