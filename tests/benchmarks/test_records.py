"""Benchmark records, samples of lesions, and one photograph in two files."""

import importlib.util
import json
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from benchmarks import records, tables
from benchmarks.accuracy import heat_in_lesion, held_out, two_files
from melanoma_core.metrics.estimates import Estimate
from tests.support import stub_models
from tests.support.made_evaluations import made, spread


def test_a_heading_names_the_module_that_was_started_and_its_options(monkeypatch):
    spec = importlib.util.find_spec("benchmarks.accuracy.bars")
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", spec)
    monkeypatch.setattr(sys, "argv", [spec.origin, "--model", "two words"])
    assert tables.command() == "python -m benchmarks.accuracy.bars --model 'two words'"


def test_a_record_is_the_text_and_the_same_figures_as_json(tmp_path, capsys):
    with records.recorded("blobs", tmp_path) as record:
        sys.stdout.write("1 of 2\n")
        record["rows"] = records.as_json([{"kind": "a", "share": Estimate(0.5, np.nan, 1, 2, 1)}])
    text = (tmp_path / "blobs.txt").read_text()
    assert text.endswith("1 of 2\n")
    assert capsys.readouterr().out == text
    (row,) = json.loads((tmp_path / "blobs.json").read_text())["rows"]
    assert row["kind"] == "a"
    assert (row["share"]["value"], row["share"]["low"]) == (0.5, None)


def test_the_json_may_go_to_another_folder(tmp_path):
    with records.recorded("blobs", tmp_path, json_dir=tmp_path / "records") as record:
        record["rows"] = []
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["blobs.txt"]
    assert json.loads((tmp_path / "records" / "blobs.json").read_text())["rows"] == []


def test_a_run_that_fails_writes_no_record(tmp_path):
    with pytest.raises(ZeroDivisionError), records.recorded("blobs", tmp_path):
        sys.stdout.write(str(1 / 0))
    assert not list(tmp_path.iterdir())


def test_a_sample_has_whole_groups_and_at_least_the_requested_photographs():
    table = pd.DataFrame({"group_id": np.repeat([f"g{k}" for k in range(20)], 3)})
    sample = held_out.sample_groups(table, 10, seed=0)
    assert len(sample) == 12
    assert set(sample.groupby("group_id").size()) == {3}
    assert sample.equals(held_out.sample_groups(table, 10, seed=0))
    assert len(held_out.sample_groups(table, 9, seed=0)) == 9
    assert len(held_out.sample_groups(table, 1000, seed=0)) == 60


@pytest.mark.parametrize("size", [2, 5])
def test_the_blob_is_centered_and_as_wide_as_the_maps(size):
    maps = np.zeros((2, 7, 7), np.float32)
    maps[0, :size, 2] = 1
    maps[1, 5, -size:] = 3
    blob, width = heat_in_lesion._blob(maps)
    assert width == pytest.approx(heat_in_lesion._spread(maps))
    assert heat_in_lesion._spread(blob[np.newaxis]) == pytest.approx(width, rel=1e-3)
    np.testing.assert_allclose(blob, blob[::-1, ::-1])
    assert blob.argmax() == 24


def test_two_files_of_a_photograph_are_measured_separately_and_share_one_agreement(monkeypatch):
    y_prob = {
        "first": [spread("MEL", p) for p in (0.9, 0.6, 0.2, 0.1)],
        "second": [spread("MEL", p) for p in (0.9, 0.05, 0.7, 0.1)],
    }
    table = made(["MEL", "MEL", "NV", "NV"], y_prob["first"]).table.assign(
        path="first", second_path="second"
    )
    monkeypatch.setattr(
        two_files, "_probabilities", lambda _, paths: np.array(y_prob[paths.iloc[0]])
    )
    first, second = two_files._rows(SimpleNamespace(card=stub_models.card()), table)
    assert [row["accuracy"].value for row in (first, second)] == [1, 0.5]
    assert [row["melanoma_auroc"].value for row in (first, second)] == [1, 0.5]
    assert [row["sensitivity"].value for row in (first, second)] == [1, 0.5]  # from 8.4 % on
    assert [row["specificity"].value for row in (first, second)] == [0, 0]
    assert first["same_likeliest_diagnosis"].value == 0.5
    assert first["same_likeliest_diagnosis"] == second["same_likeliest_diagnosis"]
