"""Lessons: each story with its record present, missing and damaged, and its figures."""

import csv
import io
import re
import time

import numpy as np
import pytest

from melanoma_core.data import bundled_set
from melanoma_core.diagnoses import CODES
from melanoma_core.evaluation import embedding_maps, experiment_records, subgroups
from melanoma_core.metrics import sample_size
from tests.support import made_lessons, stub_models
from tests.support.made_evaluations import drawn, made, spread
from tests.support.made_pages import chart, figure_of, open_app, text
from ui.formats import percent
from ui.lessons import (
    border_panel,
    leakage_panel,
    learning_curve_panel,
    pair_panel,
    test_size_panel,
)
from ui.theme import DARK, LIGHT

LESSONS = "pages/lessons.py"
THIN = "\u202f"


@pytest.fixture
def records(tmp_path, monkeypatch):
    """Both records, in a folder that the page reads."""
    folder = tmp_path / "records"
    folder.mkdir()
    monkeypatch.setenv("MELANOMA_RECORDS", str(folder))
    return made_lessons.write(
        folder, leakage=made_lessons.leakage(), learning_curve=made_lessons.learning_curve()
    )


@pytest.fixture
def models(tmp_path, monkeypatch):
    folder = tmp_path / "models"
    folder.mkdir()
    stub_models.add(folder, evaluation=drawn(300))
    stub_models.serve(monkeypatch, folder)
    return folder


def headings(app):
    return [header.value for header in app.header]


def test_without_records_and_model_each_story_says_what_to_run(tmp_path, monkeypatch, empty_models):
    monkeypatch.setenv("MELANOMA_RECORDS", str(tmp_path))
    app = open_app(LESSONS)
    assert not app.exception
    assert not app.error
    assert headings(app)[0] == "Why was accuracy on new patients lower than on validation?"
    assert len(headings(app)) == 4
    assert text(app).count("Not measured on this machine yet.") == 2
    codes = [code.value for code in app.code]
    assert {
        "python -m benchmarks.lessons.leakage",
        "python -m benchmarks.lessons.learning_curve",
    } <= set(codes)
    assert "No model is in use yet" in text(app)
    assert len(app.get("plotly_chart")) == 1  # the formula needs no record


def test_the_heading_has_the_recorded_figures(records, empty_models):
    app = open_app(LESSONS)
    assert not app.exception
    assert headings(app)[0] == (
        f"Why was accuracy 64{THIN}% on validation but 37{THIN}% on new patients?"
    )


def test_a_damaged_record_is_reported_and_the_other_stories_stay(records, models):
    (records / "leakage.json").write_text("{")
    app = open_app(LESSONS)
    assert not app.exception
    assert "leakage" in app.error[0].value
    assert "python -m benchmarks.lessons.leakage" in app.error[0].value.replace("\\", "")
    assert "What would more training data buy?" in headings(app)
    assert len(app.get("plotly_chart")) == 3


def test_a_damaged_learning_curve_is_reported_too(records, models):
    (records / "learning_curve.json").write_text("[]")
    app = open_app(LESSONS)
    assert not app.exception
    assert len(app.error) == 1
    assert len(app.get("plotly_chart")) == 5


def test_each_of_the_three_charts_has_three_lines(records, empty_models):
    app = open_app(LESSONS)
    for way, ends in made_lessons.ENDS.items():
        alt, spec, _ = chart(app, f"leakage_{way}")
        lines = [trace for trace in spec["data"] if trace["mode"] == "lines"]
        assert len(lines) == 3
        assert f"{round(100 * ends[1])}{THIN}% on validation" in alt
        labels = [note["text"] for note in spec["layout"]["annotations"]]
        assert any(f"clean test<br>{round(100 * ends[2])}{THIN}%" in label for label in labels)
        assert not spec["layout"]["showlegend"]


def test_the_answer_says_whether_the_test_results_differ(tmp_path):
    record = made_lessons.leakage()
    alike = leakage_panel.answer(
        experiment_records.leakage(made_lessons.write(tmp_path, leakage=record))
    )
    assert f"stays between 35{THIN}% and 39{THIN}%, too close for so few photographs" in alike
    assert alike.count(". ") == 1  # two sentences
    test = record["ways"][2]["figures"]["test"]
    test |= {"value": 0.7, "low": 0.6, "high": 0.8}
    for run in record["ways"][2]["runs"]:
        run["curve"][-1]["test"] = 0.7
    differ = leakage_panel.answer(
        experiment_records.leakage(made_lessons.write(tmp_path, leakage=record))
    )
    assert f"goes from 37{THIN}% to 70{THIN}%" in differ
    assert "too close" not in differ


def test_every_epoch_of_every_run_can_be_downloaded(tmp_path):
    record = made_lessons.leakage(epochs=3, seeds=2)
    leakage = experiment_records.leakage(made_lessons.write(tmp_path, leakage=record))
    header, rows = leakage_panel.curve_rows(leakage)
    assert header[:3] == ["way", "seed", "epoch"]
    assert len(rows) == 3 * 2 * 3
    assert rows[2][:3] == ["before", 0, 3]
    assert rows[2][3:] == pytest.approx(made_lessons.ENDS["before"])


def test_the_target_width_gives_a_number_of_melanomas(records, models):
    app = open_app(LESSONS)
    app.number_input(key="expected_sensitivity").set_value(95)
    app.number_input(key="target_width").set_value(4.4).run()
    assert not app.exception
    assert sample_size.num_needed(0.95, 0.044) == 389
    assert "**about 390 melanomas**" in text(app)
    alt, spec, _ = chart(app, "widths")
    assert "389 melanomas (about 390 melanomas) 4 points" in alt
    marks = [t for t in spec["data"] if t.get("marker", {}).get("symbol") == "diamond"]
    assert [mark["x"] for mark in marks] == [[16], [197]]  # the starting set's, the model's own
    assert marks[0]["y"] == pytest.approx([100 * sample_size.interval_width(0.95, 16)])


def test_the_expected_sensitivity_is_the_models(records, models):
    app = open_app(LESSONS)
    point = stub_models.card().operating_points[0]
    assert app.number_input(key="expected_sensitivity").value == round(
        100 * point.sensitivity.value
    )


@pytest.mark.parametrize(("sensitivity", "width"), [(1.0, 0.6), (0.5, 0.01), (0.01, 0.05)])
def test_numbers_beyond_the_axis_are_drawn_at_its_end(sensitivity, width):
    number = sample_size.num_needed(sensitivity, width)
    needed = test_size_panel.Mark("needed", number)
    figure = figure_of(test_size_panel.chart(sensitivity, [], needed, LIGHT))
    (x,) = figure.data[-1].x
    assert test_size_panel.FEWEST <= x <= test_size_panel.MOST


def test_one_figure_is_drawn_with_its_band(records, empty_models):
    app = open_app(LESSONS)
    alt, spec, _ = chart(app, "learning")
    assert len(spec["data"]) == 7
    assert "Melanoma from 0.700 (0.680–0.720) to 0.810 (0.790–0.830)" in alt
    app.selectbox(key="learning_figure").select("AUROC, melanoma").run()
    alt, spec, _ = chart(app, "learning")
    band, line = spec["data"]
    assert "7,000 lesions 0.810 (0.790–0.830)" in alt
    assert np.allclose(_numbers(line["y"]), [0.7, 0.8, 0.81])
    assert np.allclose(_numbers(band["y"]), [0.72, 0.82, 0.83, 0.79, 0.78, 0.68])


def _numbers(column):
    """A column as Plotly sends it: a list, as it has only a few numbers."""
    assert isinstance(column, list)
    return column


def test_every_figure_of_the_curve_can_be_chosen(tmp_path):
    curve = experiment_records.learning_curve(
        made_lessons.write(tmp_path, learning_curve=made_lessons.learning_curve())
    )
    chosen = {name for name, _ in learning_curve_panel._CHOICES.values()}
    assert chosen == set(experiment_records.FIGURES)
    for name, color in learning_curve_panel._CHOICES.values():
        figure = figure_of(learning_curve_panel.one(curve, name, color, DARK))
        assert len(figure.data) == 2
    header, rows = learning_curve_panel.figure_rows(curve)
    assert len(rows) == 3 * len(experiment_records.FIGURES)
    assert len(header) == len(rows[0])


def test_the_last_step_is_compared_with_the_width_of_its_interval(tmp_path):
    record = made_lessons.learning_curve()
    curve = experiment_records.learning_curve(made_lessons.write(tmp_path, learning_curve=record))
    answer = learning_curve_panel.answer(curve)
    assert "adds +0.010, less than half the width of its interval" in answer
    record["points"][-1]["figures"]["melanoma_auroc"] = made_lessons.figure(0.9, 0.01)
    curve = experiment_records.learning_curve(made_lessons.write(tmp_path, learning_curve=record))
    answer = learning_curve_panel.answer(curve)
    assert "adds +0.100. That step adds most for melanoma (+0.100)" in answer


def test_the_pair_is_counted_as_in_the_confusion_matrix(records, models):
    app = open_app(LESSONS)
    measured = drawn(300)
    matrix = subgroups.confusion(measured)
    melanoma, nevus = CODES.index("MEL"), CODES.index("NV")
    alt, spec, _ = chart(app, "pair")
    of_melanoma = [trace["customdata"][0] for trace in spec["data"]]
    of_nevus = [trace["customdata"][1] for trace in spec["data"]]
    for row, shown in ((melanoma, of_melanoma), (nevus, of_nevus)):
        total = matrix[row].sum()
        expected = [matrix[row, melanoma], matrix[row, nevus]]
        assert [int(number) for number in shown] == [*expected, total - sum(expected)]
    missed, wrong = matrix[melanoma, nevus], matrix[nevus, melanoma]
    assert missed > 0
    assert wrong > 0
    assert f"In {missed} of {matrix[melanoma].sum()} melanoma photographs" in text(app)
    assert f"and in {wrong} of {matrix[nevus].sum()} nevus photographs" in text(app)
    assert f"Nevus, {matrix[nevus].sum()}: melanoma in {wrong}," in alt


def test_melanomas_mistaken_for_nevi_are_counted_above_the_threshold(tmp_path, monkeypatch):
    # Thresholds of the made-up card: 8.4 % and 40 %.
    said = [spread("MEL", p) for p in (0.9, 0.45, 0.3, 0.05, 0.02)] + [spread("MEL", 0.6)]
    stub_models.add(tmp_path, evaluation=made(["MEL"] * 5 + ["NV"], said))
    stub_models.serve(monkeypatch, tmp_path)
    page = text(open_app(LESSONS))
    assert "In 4 of 5 melanoma photographs" in page
    assert re.search(r"at 8\.4.%, 2 of those 4 melanoma photographs are referred", page)


def test_a_diagnosis_without_photographs_has_an_empty_bar():
    rows = [pair_panel.LikeliestCounts("MEL", 0, 0, 0), pair_panel.LikeliestCounts("NV", 1, 2, 0)]
    figure = figure_of(pair_panel.chart(rows, LIGHT))
    assert [bar.x[0] for bar in figure.data] == [0, 0, 0]


def test_the_page_takes_less_than_two_seconds_of_processor_time(records, models):
    app = open_app(LESSONS)  # reads the model's evaluation, once for all visitors
    seconds = []
    for _ in range(3):
        started = time.process_time()
        app.run()
        seconds.append(time.process_time() - started)
    # Processor time, as a busy machine delays the clock. Leftovers of earlier tests in this
    # process count too: alone it took 0.25 s, in the suite 1.1.
    assert min(seconds) < 2


def test_downloads_are_tables(records, models):
    app = open_app(LESSONS)
    names = [button.proto.label for button in app.get("download_button")]
    assert names.count("Download (CSV)") == 4


def test_the_csv_can_be_read_back(tmp_path):
    from melanoma_core.data import csv_tables

    record = experiment_records.leakage(
        made_lessons.write(tmp_path, leakage=made_lessons.leakage())
    )
    written = csv_tables.to_csv(*leakage_panel.curve_rows(record))
    rows = list(csv.DictReader(io.StringIO(written.decode("utf-8-sig"))))
    assert float(rows[-1]["test_accuracy"]) == pytest.approx(made_lessons.ENDS["clean"][2])


def test_the_map_is_drawn_when_it_is_opened(records, models):
    app = open_app(LESSONS)
    assert not [c for c in app.get("plotly_chart") if "border_map" in c.proto.id]
    app.session_state["border"] = True
    app.run()
    assert not app.exception
    embedding_map = embedding_maps.read()
    alt, spec, _ = chart(app, "border_map")
    diagnoses = embedding_map.points["diagnosis"].value_counts()
    assert f"Melanoma {diagnoses['MEL']}" in alt
    assert [trace["name"] for trace in spec["data"]] == [
        f"Melanoma {diagnoses['MEL']}", f"Nevus {diagnoses['NV']}",
    ]  # fmt: skip
    (pairs,) = [table.value for table in app.table if "Nevus" in table.value]
    assert len(pairs) == len(embedding_map.pairs)
    assert float(pairs.iloc[0, 2]) == pytest.approx(embedding_map.pairs[0].distance, abs=1e-3)


def test_the_closest_pairs_are_of_a_melanoma_and_a_nevus():
    diagnosis_of = {
        (row.image_id, row.diagnosis) for row in bundled_set.read().table.itertuples(index=False)
    }
    for melanoma, nevus, _ in border_panel.pair_rows(embedding_maps.read()):
        assert (melanoma, "MEL") in diagnosis_of
        assert (nevus, "NV") in diagnosis_of


def test_the_percentage_of_nevi_is_counted_from_neighbors():
    embedding_map = embedding_maps.read()
    points = embedding_map.points
    held_out = points[
        points["is_held_out"].astype(bool)
        & (points["diagnosis"] == "MEL")
        & points["lesion"].notna()
    ]
    proportion = held_out["near_NV"].sum() / (embedding_map.num_neighbors * len(held_out))
    answer = border_panel.answer(embedding_map, border_panel._mix())
    assert f"each of {len(held_out)} melanoma photographs" in answer
    assert f"{percent(proportion)} (" in answer
