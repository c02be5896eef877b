"""The records behind the page Lessons: read, absent, damaged; and those that ship."""

import json

import numpy as np
import pytest

from melanoma_core import paths
from melanoma_core.errors import RecordError
from melanoma_core.evaluation import experiment_records
from tests.support import made_lessons


def test_what_was_never_measured_is_none(tmp_path):
    assert experiment_records.leakage(tmp_path) is None
    assert experiment_records.learning_curve(tmp_path) is None


def test_the_leakage_record_is_read(tmp_path):
    found = experiment_records.leakage(
        made_lessons.write(tmp_path, leakage=made_lessons.leakage(seeds=2))
    )
    assert list(found.ways) == ["before", "after", "clean"]
    assert (found.num_test, found.num_test_lesions, found.num_test_folder) == (74, 73, 118)
    assert found.num_seeds == 2
    before = found.ways["before"]
    assert (before.validation.value, before.test.value) == (0.64, 0.37)
    np.testing.assert_allclose(before.mean_curve("training"), [0.88 / 3, 2 * 0.88 / 3, 0.88])
    assert before.runs[0].num_training == 5393


def test_the_learning_curve_is_read(tmp_path):
    record = made_lessons.learning_curve()
    found = experiment_records.learning_curve(made_lessons.write(tmp_path, learning_curve=record))
    assert [point.num_lesions for point in found.points] == [700, 3500, 7000]
    assert [point.figures["melanoma_auroc"].value for point in found.points] == [0.7, 0.8, 0.81]
    assert found.points[-1].class_lesions["MEL"] == 100
    assert found.num_test_melanomas == 197


def set_at(record, value, *keys):
    for key in keys[:-1]:
        record = record[key]
    record[keys[-1]] = value


LEAKAGE_DAMAGE = {
    "another figure than its curve": (0.7, "ways", 0, "figures", "validation", "value"),
    "a share above 1": (1.5, "ways", 1, "runs", 0, "curve", 0, "test"),
    "a share that is text": ("0.5", "ways", 1, "runs", 0, "curve", 0, "test"),
    "an interval upside down": (0.9, "ways", 2, "figures", "test", "low"),
    "no figure": (None, "ways", 2, "figures", "test", "value"),
    "another test": (9, "ways", 0, "figures", "test", "num_photographs"),
    "an epoch twice": (1, "ways", 0, "runs", 0, "curve", 1, "epoch"),
    "a way twice": ("before", "ways", 1, "way"),
    "no run": ([], "ways", 0, "runs"),
    "no ways": ([], "ways"),
    "other seeds": (7, "ways", 1, "runs", 0, "seed"),
    "ways that are a number": (3, "ways"),
}
CURVE_DAMAGE = {
    "no points": ([], "points"),
    "not up to all lesions": (0.9, "points", 2, "fraction"),
    "shares out of order": (0.6, "points", 0, "fraction"),
    "a class without lesions": ({"MEL": 1}, "points", 1, "class_lesions"),
    "a figure that is no number": ("high", "points", 1, "figures", "accuracy", "value"),
    "no test": (None, "test"),
}


@pytest.mark.parametrize("damage", LEAKAGE_DAMAGE)
def test_a_damaged_leakage_record_is_refused_with_the_way_to_make_it_anew(tmp_path, damage):
    record = made_lessons.leakage()
    set_at(record, *LEAKAGE_DAMAGE[damage])
    made_lessons.write(tmp_path, leakage=record)
    with pytest.raises(RecordError, match=r"leakage\.json.*python -m benchmarks\.leakage"):
        experiment_records.leakage(tmp_path)


@pytest.mark.parametrize("damage", CURVE_DAMAGE)
def test_a_damaged_learning_curve_is_refused(tmp_path, damage):
    record = made_lessons.learning_curve()
    set_at(record, *CURVE_DAMAGE[damage])
    made_lessons.write(tmp_path, learning_curve=record)
    with pytest.raises(RecordError, match=r"python -m benchmarks\.learning_curve"):
        experiment_records.learning_curve(tmp_path)


@pytest.mark.parametrize("part", ["command", "epochs", "test", "ways"])
def test_what_is_missing_is_named(tmp_path, part):
    record = made_lessons.leakage()
    del record[part]
    with pytest.raises(RecordError, match=f"{part}.* is missing"):
        experiment_records.leakage(made_lessons.write(tmp_path, leakage=record))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"ways": 1}'])
def test_a_file_that_is_no_record_is_refused(tmp_path, content):
    (tmp_path / experiment_records.LEAKAGE).write_bytes(content)
    with pytest.raises(RecordError):
        experiment_records.leakage(tmp_path)


def test_a_record_cut_anywhere_is_refused(tmp_path):
    whole = json.dumps(made_lessons.leakage()).encode()
    for end in np.linspace(0, len(whole) - 1, 25).astype(int):
        (tmp_path / experiment_records.LEAKAGE).write_bytes(whole[:end])
        with pytest.raises(RecordError):
            experiment_records.leakage(tmp_path)


def test_the_leakage_record_that_ships_can_be_read_and_agrees_with_its_text():
    folder = paths.PROJECT_DIR / "benchmarks" / "results"
    found, text = experiment_records.leakage(folder), (folder / "leakage.txt").read_text()
    assert text.startswith(f"$ {found.command}\n")
    assert found.machine in text
    for way in found.ways.values():
        for figure in (way.validation, way.test, way.validation_balanced, way.test_balanced):
            assert f"{figure.value:.3f} ({figure.low:.3f}–{figure.high:.3f})" in text


def test_the_learning_curve_that_ships_can_be_read_and_agrees_with_its_text():
    folder = paths.PROJECT_DIR / "benchmarks" / "results"
    found, text = (
        experiment_records.learning_curve(folder),
        (folder / "learning_curve.txt").read_text(),
    )
    assert text.startswith(f"$ {found.command}\n")
    assert [point.fraction for point in found.points] == [0.1, 0.2, 0.4, 0.7, 1.0]
    for point in found.points:
        assert point.num_lesions == pytest.approx(
            point.fraction * found.points[-1].num_lesions, rel=0.01
        )
        for figure in point.figures.values():
            assert f"{figure.value:.3f} ({figure.low:.3f}–{figure.high:.3f})" in text
