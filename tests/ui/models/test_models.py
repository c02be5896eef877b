"""The page Models: the model in use, and every figure from its card and its evaluation."""

import dataclasses
import json
import re

import numpy as np
import pytest

from melanoma_core.diagnoses import CODES
from melanoma_core.evaluation import evaluate, formats, model_cards, subgroups
from melanoma_core.evaluation.formats import cutoff
from melanoma_core.metrics import calibration, classification
from melanoma_core.metrics.estimates import Estimate
from melanoma_core.models import store
from melanoma_core.runs.configs import TrainConfig
from tests.support import stub_models
from tests.support.made_evaluations import drawn
from tests.support.made_pages import button, chart, choice, figure_of, open_app, text
from ui import model_charts, model_records, subgroup_charts, training_charts
from ui.formats import literal, percent, percent_estimate, score_estimate
from ui.models import tabs, threshold_explorer
from ui.theme import LIGHT
from ui.training_charts import Line

MODELS = "pages/models.py"
NARROW = "\u202f"
NUM = 300
SPLITS = np.where(np.arange(NUM) % 10 < 2, "val", "test")  # whole pairs: lesions stay in one split
SITES = np.where(np.arange(NUM) < 30, "scalp", "back")
EVALUATION = drawn(NUM, split=SPLITS, anatom_site_general=SITES)
TEST = EVALUATION.where(SPLITS == "test")


@pytest.fixture
def models(tmp_path, monkeypatch):
    """A models folder whose model in use has an evaluation."""
    stub_models.add(tmp_path, evaluation=EVALUATION)
    stub_models.serve(monkeypatch, tmp_path)
    return tmp_path


def open_tab(name):
    app = open_app(MODELS)
    app.session_state["model_tab"] = name
    app.run()
    assert not app.exception
    return app


def tables(app):
    return [table.value for table in app.table]


def table_with(app, column):
    return next(table for table in tables(app) if column in table)


def values(app, label):
    return next(metric.value for metric in app.metric if metric.label == label)


def test_without_a_model_the_page_says_what_to_do(empty_models):
    app = open_app(MODELS)
    assert not app.exception
    assert app.title[0].value == "Models"
    assert "No model is in use yet" in app.info[0].value
    assert any("melanoma_core train" in code.value for code in app.code)
    assert not app.selectbox
    assert not app.metric


def test_the_model_in_use_is_named_and_shown_first(models):
    stub_models.add(models, stub_models.card("newer", created="2026-11-20"), in_use=False)
    app = open_app(MODELS)
    assert "**In use: nine-2026-11-14** since" in text(app)
    assert choice(app, "Model to show").options == [
        "newer, made on 20 Nov 2026",
        "nine-2026-11-14, made on 14 Nov 2026 (in use)",
    ]
    assert choice(app, "Model to show").value == "nine-2026-11-14"


def test_candidates_can_be_shown_while_no_model_is_in_use(tmp_path, monkeypatch):
    stub_models.add(tmp_path, in_use=False, evaluation=EVALUATION)
    stub_models.serve(monkeypatch, tmp_path)
    app = open_app(MODELS)
    assert not app.exception
    assert "No model is in use yet" in app.info[0].value
    assert choice(app, "Model to show").options == ["nine-2026-11-14, made on 14 Nov 2026"]
    assert values(app, "AUROC, melanoma") == "0.910"


def test_another_model_shows_its_own_figures_and_changes_nothing_in_use(models):
    other = stub_models.card("other-1")
    figures = {"all": {**other.figures["all"], "macro_auroc": Estimate(0.7, 0.6, 0.8, 50, 40)}}
    stub_models.add(
        models, dataclasses.replace(other, figures=figures), in_use=False, evaluation=EVALUATION
    )
    champion = (models / "champion.json").read_bytes()
    app = open_app(MODELS)
    choice(app, "Model to show").set_value("other-1").run()
    assert not app.exception
    assert values(app, "AUROC, mean of seven") == "0.700"
    assert "**In use: nine-2026-11-14**" in text(app)
    assert (models / "champion.json").read_bytes() == champion


def test_the_main_figures_come_from_the_card_with_interval_photographs_and_lesions(models):
    app = open_app(MODELS)
    assert values(app, "Sensitivity for melanoma") == f"95{NARROW}%"
    assert values(app, "AUROC, mean of seven") == "0.947"
    assert values(app, "Balanced accuracy") == f"66{NARROW}%"
    assert values(app, "Calibration error (ECE)") == "0.021"
    page = text(app)
    assert f"91–97{NARROW}%; 205 of 216 photographs, 197 lesions" in page
    assert f"66–70{NARROW}%; 1,220 of 1,800 photographs, 1,331 lesions" in page
    assert "0.890–0.930; 2,016 photographs, 1,528 lesions" in page
    assert f"set for 95{NARROW}% sensitivity; chosen on 174 melanoma photographs" in page


def test_with_few_melanomas_no_sensitivity_is_claimed(tmp_path, monkeypatch):
    few = stub_models.operating_point(val_lesions=40)
    stub_models.add(tmp_path, stub_models.card(operating_points=(few,)), evaluation=EVALUATION)
    stub_models.serve(monkeypatch, tmp_path)
    page = text(open_app(MODELS))
    assert f"Threshold 8.4{NARROW}%; chosen on 84 melanoma photographs of 40 lesions" in page
    assert "set for" not in page


def test_a_damaged_card_is_named_with_its_reason_and_other_models_are_shown(models):
    broken = stub_models.add(models, stub_models.card("broken"), in_use=False)
    (broken / "card.json").write_text("{}")
    app = open_app(MODELS)
    assert not app.exception
    (error,) = app.error
    assert "**A model is damaged.** broken" in error.value
    assert "The model’s card cannot be read" in error.value
    assert len(choice(app, "Model to show").options) == 1


def test_damaged_cards_are_named_once_while_no_model_is_in_use(tmp_path, monkeypatch):
    broken = stub_models.add(tmp_path, in_use=False)
    (broken / "card.json").write_text("{}")
    stub_models.serve(monkeypatch, tmp_path)
    app = open_app(MODELS)
    assert not app.exception
    assert [error.value.count("cannot be read") for error in app.error] == [1]


def test_no_figure_of_a_model_with_a_changed_evaluation_is_shown(models):
    candidate = stub_models.add(
        models, stub_models.card("candidate"), in_use=False, evaluation=EVALUATION
    )
    path = candidate / "evaluation.json"
    path.write_text(path.read_text().replace('"y_true": "NV"', '"y_true": "MEL"', 1))
    app = open_app(MODELS)
    choice(app, "Model to show").set_value("candidate").run()
    assert not app.exception
    assert [error.value.partition("**")[2].partition("**")[0] for error in app.error] == [
        "This model failed a check, so it cannot be promoted.",
        "A file of this model failed its check, so none of its figures is shown.",
    ]
    assert all("evaluation.json" in error.value for error in app.error)
    assert not app.metric
    assert not app.table


def test_the_explorer_starts_at_the_cards_threshold_and_uses_only_test_photographs(models):
    app = open_app(MODELS)
    sensitivity, specificity = subgroups.at_threshold(TEST, 0.084)
    label = f"at 8.4{NARROW}%"
    assert values(app, f"Sensitivity {label}") == percent(sensitivity.value)
    assert values(app, f"Specificity {label}") == percent(specificity.value)
    assert f"{sensitivity.num_hits} of {int(TEST.is_melanoma.sum())} photographs" in text(app)


def test_another_threshold_changes_sensitivity_specificity_and_the_clinic_together(models):
    app = open_app(MODELS)
    before = text(app), chart(app, "explorer_squares")
    app.radio(key="target").set_value(0.90).run()
    assert not app.exception
    sensitivity, specificity = subgroups.at_threshold(TEST, 0.40)
    label = f"at 40{NARROW}%"
    assert values(app, f"Sensitivity {label}") == percent(sensitivity.value)
    assert values(app, f"Specificity {label}") == percent(specificity.value)
    assert chart(app, "explorer_squares") != before[1]
    assert f"sensitivity {percent_estimate(sensitivity)}" in text(app)
    app.select_slider[0].set_value(0.2).run()
    sensitivity, _ = subgroups.at_threshold(TEST, 0.2)
    assert values(app, f"Sensitivity at 20{NARROW}%") == percent(sensitivity.value)
    button(app, f"Back to 40{NARROW}%, the threshold of this page").click().run()
    assert app.select_slider[0].value == 0.40


def test_the_explorer_changes_and_writes_nothing_and_says_so(models):
    before = {path: path.read_bytes() for path in models.rglob("*") if path.is_file()}
    app = open_app(MODELS)
    assert "This changes nothing in use" in text(app)
    app.select_slider[0].set_value(0.2).run()
    assert {path: path.read_bytes() for path in models.rglob("*") if path.is_file()} == before


def test_the_roc_curve_is_of_the_test_split_and_marks_the_cards_thresholds(models):
    alt, spec, _ = chart(open_app(MODELS), "roc")
    curve, *marks = spec["data"]
    rates, sensitivities, _ = subgroups.roc(TEST)
    assert len(rates) > 10
    assert "On the card: for 95" in alt
    diamonds = [mark for mark in marks if mark["marker"].get("symbol") == "diamond"]
    assert [mark["y"][0] for mark in diamonds] == pytest.approx([100 * 205 / 216, 100 * 195 / 216])
    assert diamonds[0]["x"][0] == pytest.approx(100 - 100 * 1220 / 1800)
    expected = model_charts.roc(
        (rates, sensitivities, rates), [], subgroups.at_threshold(TEST, 0.084), LIGHT
    )
    assert curve["y"] == expected.to_dict()["data"][0]["y"]


def test_without_test_melanomas_the_sensitivity_is_not_known(tmp_path, monkeypatch):
    no_melanomas = evaluate.Evaluation(
        EVALUATION.table.replace({"diagnosis": {"MEL": "NV"}}), EVALUATION.y_prob
    )
    stub_models.add(tmp_path, evaluation=no_melanomas)
    stub_models.serve(monkeypatch, tmp_path)
    app = open_app(MODELS)
    assert not app.exception
    assert values(app, f"Sensitivity at 8.4{NARROW}%") == "not known"
    assert "of this threshold is not known" in text(app)
    for tab in ("Reliability", "Diagnoses", "By group"):
        open_tab(tab)


def test_thresholds_with_the_same_results_share_one_mark(tmp_path, monkeypatch):
    points = (stub_models.operating_point(), stub_models.operating_point(0.90))
    card = stub_models.card(operating_points=points)
    stub_models.add(tmp_path, card, evaluation=EVALUATION)
    stub_models.serve(monkeypatch, tmp_path)
    alt, spec, _ = chart(open_app(MODELS), "roc")
    assert f"for 95{NARROW}% and 90{NARROW}%: sensitivity" in alt
    assert len(spec["data"]) == 3  # curve, mark, selected threshold


def test_the_steps_contain_the_cards_thresholds_and_no_label_twice():
    card = stub_models.card(
        operating_points=(
            stub_models.operating_point(threshold=0.0463498),
            stub_models.operating_point(0.90, 0.0004),
        )
    )
    steps = threshold_explorer.steps(card)
    assert {0.0463498, 0.0004} <= set(steps)
    assert steps == sorted(steps)
    labels = [cutoff(step) for step in steps]
    assert len(set(labels)) == len(labels)
    assert f"0.04{NARROW}%" in labels
    small = [step for step in steps if 0.01 <= step <= 0.1]
    assert max(np.diff(small)) < 0.004  # a step of 1 % would be large here


def test_reliability_shows_diagrams_and_figures_before_and_after_calibration(models):
    app = open_tab("Reliability")
    before = evaluate.before_calibration(TEST, 1.25)
    figures = evaluate.figures(before, {}, 0.084)
    table = table_with(app, "Before calibration")
    assert list(table["Before calibration"]) == [
        score_estimate(figures["ece"]), score_estimate(figures["brier"])
    ]  # fmt: skip
    assert list(table["After calibration"]) == ["0.021 (0.015–0.030)", "0.272 (0.250–0.290)"]
    bins = calibration.reliability(TEST.is_melanoma, TEST.melanoma_probability, 10)
    alt, spec, _ = chart(app, "reliability_10")
    assert "Reliability of the probability of melanoma" in alt
    _, after = spec["data"]
    assert after["error_y"]["array"]
    numbers = table_with(app, "Observed")
    assert list(numbers["Photographs"]) == [
        f"{b.num_hits} of {b.num_rows}" for b in bins if b.num_rows
    ]
    page = text(app)
    assert "temperature, 1.25," in page
    assert f"{len(TEST)} test photographs of {TEST.num_lesions()} lesions" in page


def test_the_bins_of_the_likeliest_diagnosis_add_up_to_the_calibration_error(models):
    _, numbers = [table for table in tables(open_tab("Reliability")) if "Observed" in table]
    assert sum(int(cell.split(" of ")[1]) for cell in numbers["Photographs"]) == len(TEST)
    hits = sum(int(cell.split(" of ")[0]) for cell in numbers["Photographs"])
    assert hits == (TEST.seven_prob.argmax(axis=1) == TEST.seven_true).sum()
    bins = [b for b in calibration.reliability(*tabs._likeliest(TEST)[1:], 15) if b.num_rows]
    assert [percent(b.mean_probability) for b in bins] == list(numbers["Mean"])
    gap = sum(abs(b.num_hits - b.num_rows * b.mean_probability) for b in bins)
    assert gap / len(TEST) == pytest.approx(classification.ece(TEST.seven_true, TEST.seven_prob))


def test_diagnoses_show_every_test_photograph_once_and_both_keratoses_as_one(models):
    app = open_tab("Diagnoses")
    alt, spec, _ = chart(app, "confusion")
    cells = [cell for row in spec["data"][0]["text"] for cell in row]
    assert sum(int(cell) for cell in cells if cell) == len(TEST)
    assert re.search(r"Melanoma: \d+ MEL", alt)
    table = table_with(app, "AUROC against the rest").set_index("Diagnosis")
    assert len(table) == len(CODES) + 2
    rows = list(table.index)
    assert rows[rows.index("Seborrheic keratosis") + 1] == "Both keratoses"
    both = subgroups.by_diagnosis(TEST)["BKL"]
    assert table.loc["Both keratoses", "AUROC against the rest"] == score_estimate(both.auroc)
    assert table.loc["Both keratoses", "Photographs"] == str(both.num_photographs)


def test_groups_show_the_results_of_the_threshold_and_skip_small_groups(models):
    app = open_tab("By group")
    app.segmented_control[0].set_value("Body site").run()
    assert not app.exception
    table = table_with(app, "Body site").set_index("Body site")
    figures = subgroups.by_attribute(TEST, "site", 0.084)
    assert table.loc["back", "Sensitivity"] == percent_estimate(figures["back"]["sensitivity"])
    assert table.loc["back", "Specificity"] == percent_estimate(figures["back"]["specificity"])
    few = figures["scalp"]["sensitivity"].num_lesions
    assert 0 < few < 20
    assert table.loc["scalp", "Sensitivity"].startswith(f"too few: {few} lesion")
    assert table.loc["scalp", "AUROC, melanoma"].startswith(f"too few: {few} lesion")
    alt, spec, _ = chart(app, "groups")
    assert f"scalp too few: {few} lesion" in alt
    assert spec["data"][0]["y"] == [0]  # only the first of the two sites
    assert "**Skin tone: not recorded** in the test photographs." in text(app)


def test_a_group_without_melanomas_shows_none_in_place_of_a_figure():
    empty = Estimate(float("nan"), float("nan"), float("nan"), 0, 0, 0)
    assert formats.too_few(empty) == "none"
    assert not formats.is_enough(empty, 0)


def test_names_of_groups_are_not_read_as_html():
    estimate = Estimate(0.5, 0.4, 0.6, 100, 90)
    groups = subgroup_charts.groups(
        {"Sensitivity": {'<a href="x">a & b</a>': estimate}}, {"Sensitivity": 0.5}, 20, LIGHT
    )
    assert figure_of(groups).layout.yaxis.ticktext == ('&lt;a href="x">a &amp; b&lt;/a>',)


def test_training_shows_the_curves_and_settings_on_the_card(tmp_path, monkeypatch):
    config = json.loads(TrainConfig(epochs=3, seed=7).to_json())
    stub_models.add(tmp_path, stub_models.card(config=config), evaluation=EVALUATION)
    stub_models.serve(monkeypatch, tmp_path)
    app = open_tab("Training")
    alt, _, _ = chart(app, "curves_Loss")
    assert alt == (
        "Loss: training from 1.200 to 0.400 over 3 epochs; "
        "validation from 1.300 to 0.433 over 3 epochs."
    )
    assert "melanoma from 0.825 to 0.875" in chart(app, "curves_AUROC")[0]
    assert "3 epochs in 3 minutes" in text(app)
    settings = table_with(app, "Setting").set_index("Setting")["Value"]
    assert settings["seed"] == "7"
    assert settings[literal("augment: rotate degrees")] == literal("180.0")


def test_a_missing_history_is_shown_as_not_recorded(tmp_path, monkeypatch):
    stub_models.add(tmp_path, stub_models.card(history=()), evaluation=EVALUATION)
    stub_models.serve(monkeypatch, tmp_path)
    app = open_tab("Training")
    assert "**not recorded** on its card" in text(app)
    assert not app.get("plotly_chart")


def test_names_of_curves_that_end_close_together_do_not_overlap():
    lines = [Line("training", [1.0, 0.5], "#000"), Line("validation", [1.2, 0.5], "#111")]
    figure = figure_of(training_charts.curves(lines, LIGHT))
    low, high = (note.y for note in figure.layout.annotations)
    bottom, top = figure.layout.yaxis.range
    assert (high - low) / (top - bottom) * 180 >= 15


def test_a_curve_with_a_gap_is_named_at_its_last_known_value():
    line = Line("melanoma", [0.8, float("nan")], "#000")
    assert training_charts.curves_alt("AUROC", [line]).endswith(
        "from 0.800 to 0.800 over 2 epochs."
    )
    (name,) = figure_of(training_charts.curves([line], LIGHT)).layout.annotations
    assert name.y == pytest.approx(0.8)


def test_the_downloaded_card_is_the_file_on_disk(models):
    app = open_tab("Card")
    assert [download.proto.label for download in app.get("download_button")] == [
        "Download the card (JSON)",
        "Download as a document (Markdown)",
    ]
    record = model_records.read("nine-2026-11-14")
    assert record.card_json == (models / "nine-2026-11-14" / "card.json").read_bytes()
    page = text(app)
    card = store.read_card(models / "nine-2026-11-14")
    for name, sha256 in card.files.items():
        assert f"{sha256}  {name}" in page
    assert card.split_sha256 in page
    shown = "\n".join(table.to_string() for table in tables(app))
    for figure in ("CC BY-NC 4.0", "7,019", "0.930 (0.910–0.950)", "1.62 (1.58–1.66)"):
        assert figure in shown
    assert f"11{NARROW}%, chosen on 174 melanoma photographs" in shown
    assert "| 40–49 | 2,100 |" in page
    assert "| not recorded | 3,106 |" in page
    assert "Made with keras \u20603.15.1." in page


def test_the_document_is_of_this_card_and_its_test_photographs(tmp_path, monkeypatch):
    config = json.loads(TrainConfig().to_json())
    counts = dict.fromkeys(("train", "val", "test"), dict.fromkeys(CODES, 100))
    figures = evaluate.figures_by_source(TEST, counts["train"], 0.084)
    card = stub_models.card(config=config, class_counts=counts, figures=figures)
    stub_models.add(tmp_path, card, evaluation=EVALUATION)
    monkeypatch.setenv("MELANOMA_MODELS", str(tmp_path))
    record = model_records.read("nine-2026-11-14")
    assert model_records.document(record) == model_cards.document(
        record.card, EVALUATION, record.sha256
    )


def test_another_model_of_the_same_name_gets_its_own_figures(models, tmp_path_factory):
    first = model_records.at_threshold(model_records.read("nine-2026-11-14"), 0.084)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    other = drawn(NUM, seed=1)
    stub_models.add(elsewhere, evaluation=other)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MELANOMA_MODELS", str(elsewhere))
        second = model_records.at_threshold(model_records.read("nine-2026-11-14"), 0.084)
    assert first == subgroups.at_threshold(TEST, 0.084)
    assert second == subgroups.at_threshold(other, 0.084)
    assert first != second


def test_a_real_model_opens_on_every_tab(models_in_use):
    for tab in ("Operating point", "Reliability", "Diagnoses", "By group", "Training", "Card"):
        app = open_tab(tab)
        assert not app.error
        assert "tiny-1" in text(app)
