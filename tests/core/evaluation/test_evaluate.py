"""Figures of a made-up evaluation, by hand and against scikit-learn."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from melanoma_core.data import datasets
from melanoma_core.diagnoses import CODES, SEVEN_CLASSES
from melanoma_core.errors import DatasetError, ModelError
from melanoma_core.evaluation import evaluate
from melanoma_core.evaluation.evaluate import Evaluation
from melanoma_core.images import reading
from melanoma_core.metrics import calibration
from melanoma_core.metrics.calibration import Calibration
from melanoma_core.models import predict
from tests.support import made_models
from tests.support.made_evaluations import drawn, made, spread

COUNTS = dict.fromkeys(CODES, 100)


@pytest.fixture(scope="module")
def random_evaluation() -> Evaluation:
    return drawn()


def test_seven_classes_are_sums_of_the_nine():
    assert SEVEN_CLASSES["AKIEC"] == ("AK", "SCC")
    assert SEVEN_CLASSES["BKL"] == ("PBK", "SK")
    y_prob = np.array([[0.01, 0.02, 0.04, 0.05, 0.06, 0.07, 0.08, 0.3, 0.37]] * len(CODES))
    measured = made(CODES, y_prob)
    nine = dict(zip(CODES, y_prob[0], strict=True))
    for column, (seven, codes) in enumerate(SEVEN_CLASSES.items()):
        assert measured.seven_prob[0, column] == pytest.approx(sum(nine[code] for code in codes))
        for code in codes:
            assert list(SEVEN_CLASSES)[measured.seven_true[CODES.index(code)]] == seven
    np.testing.assert_allclose(measured.seven_prob.sum(axis=1), 1)


def test_figures_agree_with_scikit_learn(random_evaluation):
    measured, threshold = random_evaluation, 0.2
    figures = evaluate.figures(measured, COUNTS, threshold)
    true, prob = measured.seven_true, measured.seven_prob
    is_melanoma = (measured.table["diagnosis"] == "MEL").to_numpy()
    melanoma = measured.y_prob[:, CODES.index("MEL")]
    is_above = melanoma >= threshold
    frequency = np.array([sum(COUNTS[code] for code in nine) for nine in SEVEN_CLASSES.values()])
    expected = {
        "accuracy": sk.accuracy_score(true, prob.argmax(axis=1)),
        "balanced_accuracy": sk.balanced_accuracy_score(true, prob.argmax(axis=1)),
        "prior_adjusted_balanced_accuracy": sk.balanced_accuracy_score(
            true, (prob / frequency).argmax(axis=1)
        ),
        "macro_auroc": sk.roc_auc_score(true, prob, multi_class="ovr", average="macro"),
        "melanoma_auroc": sk.roc_auc_score(is_melanoma, melanoma),
        "keratoses_auroc": sk.roc_auc_score(
            measured.table["diagnosis"].isin(["PBK", "SK"]),
            measured.y_prob[:, [CODES.index("PBK"), CODES.index("SK")]].sum(axis=1),
        ),
        "brier": ((prob - np.eye(7)[true]) ** 2).sum(axis=1).mean(),
        "sensitivity": sk.recall_score(is_melanoma, is_above),
        "specificity": sk.recall_score(~is_melanoma, ~is_above),
    }
    assert set(figures) == {*expected, "ece"}
    for name, value in expected.items():
        assert figures[name].value == pytest.approx(value, abs=1e-12), name
    for name, figure in figures.items():
        assert figure.low < figure.value < figure.high, name
    assert 0 < figures["ece"].value < 0.5
    assert figures["ece"].low >= 0


def test_figures_by_hand():
    # Two melanomas, one found; three nevi, two left below the threshold; two photographs of one
    # lesion, which both count as photographs and once as a lesion.
    measured = made(
        ["MEL", "MEL", "NV", "NV", "NV"],
        [spread("MEL", p) for p in (0.9, 0.2, 0.6, 0.1, 0.3)],
        lesion_id=["l0", "l1", "l2", "l2", None],
        group_id=["g0", "g1", "g2", "g2", "g4"],
    )
    figures = evaluate.figures(measured, COUNTS, 0.5)
    proportions = {
        "sensitivity": (1 / 2, 2, 2, 1),
        "specificity": (2 / 3, 3, 2, 2),
        "accuracy": (3 / 5, 5, 4, 3),
    }
    for name, (value, num_photographs, num_lesions, num_hits) in proportions.items():
        figure = figures[name]
        assert figure.value == pytest.approx(value), name
        assert (figure.num_photographs, figure.num_lesions) == (num_photographs, num_lesions)
        assert figure.num_hits == num_hits
    assert figures["sensitivity"].low == 0
    assert figures["sensitivity"].high == 1
    # Of the six pairs of a melanoma and a nevus, 0.9 lies above three and 0.2 above one.
    assert figures["melanoma_auroc"].value == pytest.approx(4 / 6)
    assert figures["melanoma_auroc"].num_lesions == 4
    assert figures["melanoma_auroc"].num_hits is None
    # Both classes weigh the same: one of two, and two of three.
    assert figures["balanced_accuracy"].value == pytest.approx((1 / 2 + 2 / 3) / 2)
    squares = [2 * x**2 for x in (0.1, 0.8, 0.6, 0.1, 0.3)]
    assert figures["brier"].value == pytest.approx(sum(squares) / 5)
    # No bin holds a right and a wrong one: the mean distance of the likeliest to 1 or to 0.
    distances = [1 - 0.9, 0.8, 0.6, 1 - 0.9, 1 - 0.7]
    assert figures["ece"].value == pytest.approx(sum(distances) / 5)


def test_a_lesion_exactly_on_the_threshold_is_referred():
    measured = made(["MEL", "NV"], [spread("MEL", 0.5), spread("MEL", 0.5)])
    assert evaluate.sensitivity(measured, 0.5).value == 1
    assert evaluate.specificity(measured, 0.5).value == 0


def test_a_photograph_without_a_lesion_id_is_a_lesion_of_its_own():
    measured = made(["NV"] * 4, [spread("NV", 0.9)] * 4, lesion_id=["a", "a", None, float("nan")])
    assert measured.num_lesions() == 3
    assert measured.num_lesions(np.array([True, True, False, False])) == 1


def test_undefined_figures_are_nan_and_have_no_counts():
    figures = evaluate.figures(made(["NV"] * 3, [spread("NV", 0.9)] * 3), COUNTS, 0.5)
    assert math.isnan(figures["melanoma_auroc"].value)
    assert math.isnan(figures["macro_auroc"].value)
    missing = figures["sensitivity"]
    assert math.isnan(missing.value)
    assert math.isnan(missing.low)
    assert (missing.num_photographs, missing.num_lesions, missing.num_hits) == (0, 0, 0)
    assert figures["accuracy"].value == 1


def test_a_single_lesion_gives_a_value_without_an_interval():
    y_prob = [spread("MEL", p) for p in (0.9, 0.9, 0.1)]
    measured = made(["MEL"] * 3, y_prob, group_id="g", lesion_id="l")
    figure = evaluate.sensitivity(measured, 0.5)
    assert (figure.value, figure.num_photographs, figure.num_lesions) == (2 / 3, 3, 1)
    assert math.isnan(figure.low)
    assert math.isnan(figure.high)


def test_a_proportion_of_0_or_1_has_a_wilson_interval_over_lesions():
    y_prob = [spread("MEL", 0.9)] * 18
    measured = made(["MEL"] * 18, y_prob, group_id=[f"g{row // 2}" for row in range(18)])
    everything = evaluate.sensitivity(measured, 0.5)
    nothing = evaluate.sensitivity(measured, 0.95)
    # Wilson's interval of nine of nine: 9 / (9 + 1.96²) to 1.
    assert (everything.value, everything.num_hits) == (1, 18)
    assert everything.low == pytest.approx(9 / (9 + 1.959964**2), abs=1e-6)
    assert everything.high == pytest.approx(1)
    assert (nothing.value, nothing.num_hits) == (0, 0)
    assert nothing.low == pytest.approx(0)
    assert nothing.high == pytest.approx(1.959964**2 / (9 + 1.959964**2), abs=1e-6)


def test_prior_adjustment_never_chooses_a_class_without_training_photographs():
    # Melanoma is likeliest; without training melanomas nevus is chosen.
    measured = made(["NV", "MEL"], [spread("MEL", 0.6), spread("MEL", 0.6)])
    trained = evaluate.figures(measured, COUNTS, 0.5)["prior_adjusted_balanced_accuracy"]
    untrained = evaluate.figures(measured, {"NV": 100}, 0.5)["prior_adjusted_balanced_accuracy"]
    assert trained.value == pytest.approx(1 / 2)  # both called melanoma
    assert untrained.value == pytest.approx(1 / 2)  # both called nevus
    only_nevus = made(["NV"], [spread("MEL", 0.6)])
    assert evaluate.figures(only_nevus, COUNTS, 0.5)["prior_adjusted_balanced_accuracy"].value == 0
    assert (
        evaluate.figures(only_nevus, {"NV": 100}, 0.5)["prior_adjusted_balanced_accuracy"].value
        == 1
    )


def test_prior_adjusted_balanced_accuracy_divides_by_training_frequency():
    measured = made(["MEL"], [spread("MEL", 0.2)])
    rare = COUNTS | {"MEL": 10}  # 0.2 / 10 against 0.8 / 100
    assert evaluate.figures(measured, COUNTS, 0.5)["prior_adjusted_balanced_accuracy"].value == 0
    assert evaluate.figures(measured, rare, 0.5)["prior_adjusted_balanced_accuracy"].value == 1


def test_figures_are_computed_for_each_data_set_and_for_all(random_evaluation):
    by_source = evaluate.figures_by_source(random_evaluation, COUNTS, 0.2)
    assert list(by_source) == ["all", "ham10000", "isic2017"]
    counts = {source: part["accuracy"].num_photographs for source, part in by_source.items()}
    assert counts == {"all": 300, "ham10000": 200, "isic2017": 100}
    assert by_source["ham10000"]["accuracy"].num_lesions == 100
    hits = [by_source[source]["sensitivity"].num_hits for source in by_source]
    assert hits[0] == hits[1] + hits[2]
    alone = random_evaluation.where((random_evaluation.table["source"] == "isic2017").to_numpy())
    assert by_source["isic2017"] == evaluate.figures(alone, COUNTS, 0.2)


def test_benign_without_a_name_counts_for_melanoma_alone():
    measured = made(
        ["MEL", "NV", "BENIGN", "BENIGN"],
        [spread("MEL", 0.9), spread("NV", 0.8), spread("MEL", 0.95), spread("SK", 0.7)],
    )
    figures = evaluate.figures(measured, COUNTS, 0.5)
    assert (figures["accuracy"].value, figures["accuracy"].num_photographs) == (1, 2)
    assert (figures["macro_auroc"].value, figures["macro_auroc"].num_photographs) == (1, 2)
    assert figures["melanoma_auroc"].value == pytest.approx(2 / 3)
    assert (figures["specificity"].value, figures["specificity"].num_photographs) == (
        pytest.approx(2 / 3),
        3,
    )
    only_unnamed = evaluate.figures(measured.where(np.array([0, 0, 1, 1], bool)), COUNTS, 0.5)
    assert math.isnan(only_unnamed["macro_auroc"].value)
    assert only_unnamed["specificity"].value == 0.5


def test_differential_leaves_out_what_is_not_named():
    named = made(["MEL"] * 9 + ["NV"] * 9, [spread("MEL", 0.8)] * 9 + [spread("NV", 0.7)] * 9)
    more = made(["BENIGN"] * 5, [spread("MEL", 0.99)] * 5)
    both = Evaluation(
        pd.concat([named.table, more.table], ignore_index=True),
        np.concatenate([named.y_prob, more.y_prob]),
    )
    assert evaluate.differential(both, both) == evaluate.differential(named, named)


def test_validation_loss_of_benign_is_that_of_the_sum():
    logits = np.log([[0.5, 0.2, 0.02, 0.02, 0.02, 0.06, 0.06, 0.06, 0.06], [1 / 9] * 9])
    figures = evaluate.validation_figures(logits, np.array([9, 0]))
    assert figures["val_loss"] == pytest.approx((-np.log(0.44) - np.log(1 / 9)) / 2)
    assert figures["val_accuracy"] == 1  # of the one that is named
    assert figures["val_melanoma_auroc"] == 0


def test_an_evaluation_is_written_and_read_back(random_evaluation):
    text = evaluate.to_json(random_evaluation)
    read = evaluate.from_json(text)
    pd.testing.assert_frame_equal(read.table, random_evaluation.table, check_dtype=False)
    np.testing.assert_allclose(read.y_prob, random_evaluation.y_prob, atol=5e-7)
    assert evaluate.to_json(read) == text
    row = json.loads(text)["rows"][0]
    assert set(row) == {
        "image_id", "group_id", "lesion_id", "source", "split", "age_approx", "sex",
        "anatom_site_general", "y_true", "y_prob",
    }  # fmt: skip


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_missing_lesion_ids_stay_missing(missing):
    measured = made(["NV", "MEL"], [spread("NV", 0.9)] * 2, lesion_id=["a", missing])
    text = evaluate.to_json(measured)
    assert "NaN" not in text
    assert evaluate.from_json(text).num_lesions() == 2
    none = made(["NV", "MEL"], [spread("NV", 0.9)] * 2, lesion_id=missing)
    assert evaluate.from_json(evaluate.to_json(none)).num_lesions() == 2


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_missing_case_data_stay_missing(missing):
    y_prob = [spread("NV", 0.9)] * 2
    columns = {"age_approx": [55, missing], "sex": ["male", missing]}
    text = evaluate.to_json(made(["NV", "MEL"], y_prob, **columns, anatom_site_general=missing))
    assert "NaN" not in text
    table = evaluate.from_json(text).table
    assert table["age_approx"].dtype == np.float64
    assert table["age_approx"][0] == 55
    assert table["sex"][0] == "male"
    assert table[["age_approx", "sex"]].isna().to_numpy().tolist() == [[False] * 2, [True] * 2]
    assert table["anatom_site_general"].isna().all()
    assert evaluate.to_json(evaluate.from_json(text)) == text


@pytest.mark.parametrize("damage", ["", "[]", "null", "{}", "no row", "other diagnoses", "short"])
def test_text_that_is_not_an_evaluation_is_refused(damage):
    record = json.loads(evaluate.to_json(made(["NV"], [spread("NV", 0.9)])))
    if damage == "no row":
        record["rows"] = []
    elif damage == "other diagnoses":
        record["diagnoses"] = record["diagnoses"][::-1]
    elif damage == "short":
        record["rows"][0]["y_prob"] = [0.5, 0.5]
    text = json.dumps(record) if " " in damage or damage == "short" else damage
    with pytest.raises(ModelError, match="evaluation cannot be read"):
        evaluate.from_json(text)


def test_the_differential_is_chosen_on_validation_and_measured_on_test():
    # (9 + 1) · 0.9 = 9 of 9 melanomas and of 9 nevi must be included: the least probable decides.
    val = made(
        ["MEL"] * 9 + ["NV"] * 9,
        [spread("MEL", p) for p in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)]
        + [spread("NV", p) for p in (0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.99)],
    )
    # {NV}; {MEL}; {MEL, NV}, which is for review; {MEL}.
    test = made(
        ["MEL", "MEL", "NV", "NV"],
        [spread("MEL", p) for p in (0.15, 0.7, 0.5, 0.65)],
        lesion_id=["a", "a", "b", "c"],
    )
    differential = evaluate.differential(val, test)
    assert (differential.level, differential.val_photographs, differential.val_melanomas) == (
        0.9,
        9,
        9,
    )
    assert (differential.melanoma_cutoff, differential.other_cutoff) == (0.2, 0.4)
    coverage = differential.coverage
    assert (coverage.value, coverage.num_hits, coverage.num_photographs) == (0.5, 2, 4)
    assert coverage.num_lesions == 3
    melanoma = differential.melanoma_coverage
    assert (melanoma.value, melanoma.num_photographs, melanoma.num_lesions) == (0.5, 2, 1)
    assert differential.mean_size.value == 1.25
    assert differential.mean_size.low < 1.25 < differential.mean_size.high
    assert (differential.review_share.value, differential.review_share.num_hits) == (0.25, 1)


@pytest.mark.parametrize("class_bias", [(), tuple(np.linspace(-1, 0.6, 9))])
@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.7])
def test_probabilities_before_calibration_are_those_of_the_plain_logits(temperature, class_bias):
    logits = np.random.default_rng(0).normal(scale=3, size=(40, 9))
    moved = logits + class_bias if class_bias else logits
    measured = made(["NV"] * 40, calibration.probabilities(moved, Calibration(temperature)))
    before = evaluate.before_calibration(measured, temperature, class_bias)
    np.testing.assert_allclose(before.y_prob, calibration.probabilities(logits), rtol=1e-9)
    assert before.table is measured.table


def test_probabilities_of_0_and_even_ones_survive_undoing_calibration():
    before = evaluate.before_calibration(made(["NV"], [spread("NV", 1.0)]), 20.0)
    assert before.y_prob[0, CODES.index("NV")] == 1
    even = evaluate.before_calibration(made(["NV"], [np.full(9, 1 / 9)]), 400.0)
    np.testing.assert_allclose(even.y_prob, 1 / 9)


@pytest.fixture
def drawn_table(tmp_path):
    folder = made_models.draw_class_folders(tmp_path / "drawn", num_each=2)
    return datasets.read(folder).table


def test_logits_are_those_of_classify(trained_models, drawn_table):
    model = predict.load(trained_models / "tiny-1")
    progress = []
    logits, rows, refused = evaluate.score(
        model.network, drawn_table, lambda done, total: progress.append((done, total))
    )
    assert refused == []
    assert rows["image_id"].tolist() == drawn_table["image_id"].tolist()
    assert progress == [(8, 8)]
    for row, path in enumerate(map(Path, rows["path"])):
        prediction = predict.classify(model, reading.read(path.read_bytes()))
        np.testing.assert_array_equal(logits[row], prediction.logits)


def test_unreadable_photographs_are_named_and_left_out(trained_models, drawn_table):
    model = predict.load(trained_models / "tiny-1")
    whole, _, _ = evaluate.score(model.network, drawn_table)
    paths = [Path(path) for path in drawn_table["path"]]
    paths[2].write_bytes(b"\x89PNG\r\n\x1a\nnot any more")
    paths[7].unlink()
    progress = []
    logits, rows, refused = evaluate.score(
        model.network, drawn_table, lambda done, total: progress.append((done, total))
    )
    assert rows["image_id"].tolist() == drawn_table["image_id"].drop([2, 7]).tolist()
    np.testing.assert_array_equal(logits, np.delete(whole, [2, 7], axis=0))
    assert [paths[2].name in refused[0], paths[7].name in refused[1]] == [True, True]
    assert "cannot be opened" in refused[1]
    assert progress == [(8, 8)]  # also when the last one is left out
    for path in paths:
        path.write_bytes(b"")
    with pytest.raises(DatasetError, match="None of the 8 photographs"):
        evaluate.score(model.network, drawn_table)
    with pytest.raises(DatasetError, match="Choose a split that has some"):
        evaluate.score(model.network, drawn_table.iloc[:0])
