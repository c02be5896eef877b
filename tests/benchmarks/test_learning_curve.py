"""The learning curve: draws of lesions, and figures over several draws."""

import itertools

import numpy as np
import pandas as pd
import pytest

from benchmarks.lessons import learning_curve
from melanoma_core.diagnoses import CODES
from melanoma_core.evaluation import evaluate, experiment_records
from melanoma_core.metrics import classification
from tests.support.made_evaluations import drawn


@pytest.fixture
def table():
    """100 lesions of melanoma, 40 of nevus and 3 of BCC, two photographs each."""
    codes = np.repeat(["MEL", "NV", "BCC"], [200, 80, 6])
    groups = [f"g{row // 2}" for row in range(len(codes))]
    return pd.DataFrame({"diagnosis": codes, "group_id": groups})


def lesions(table, rows):
    return table[rows].drop_duplicates("group_id")["diagnosis"].value_counts().to_dict()


def test_lesions_are_drawn_whole_and_by_diagnosis(table):
    everything = np.ones(len(table), bool)
    rows = learning_curve.draw_lesions(table, everything, 0.1, draw=0)
    assert lesions(table, rows) == {"MEL": 10, "NV": 4, "BCC": 1}
    assert set(table[rows].groupby("group_id").size()) == {2}
    assert learning_curve.draw_lesions(table, everything, 1.0, draw=0).all()


def test_a_larger_fraction_contains_the_smaller_one_and_draws_differ(table):
    everything = np.ones(len(table), bool)
    draws = [learning_curve.draw_lesions(table, everything, f, 0) for f in learning_curve.FRACTIONS]
    for smaller, larger in itertools.pairwise(draws):
        assert not (smaller & ~larger).any()
    other = learning_curve.draw_lesions(table, everything, 0.1, 1)
    assert (draws[0] != other).any()
    np.testing.assert_array_equal(draws[0], learning_curve.draw_lesions(table, everything, 0.1, 0))


def test_lesions_outside_training_are_never_drawn(table):
    is_train = np.arange(len(table)) % 4 < 2
    rows = learning_curve.draw_lesions(table, is_train, 1.0, 0)
    np.testing.assert_array_equal(rows, is_train)


def test_one_draw_has_the_figures_of_an_evaluation():
    evaluation = drawn(300)
    figures = learning_curve.figures(evaluation, [evaluation.y_prob])
    assert set(figures) == set(experiment_records.FIGURES)
    card = evaluate.figures(evaluation, dict.fromkeys(CODES, 1), 0.1)
    for name in ("accuracy", "balanced_accuracy", "macro_auroc", "melanoma_auroc"):
        assert figures[name].value == pytest.approx(card[name].value)
        assert figures[name].low == pytest.approx(card[name].low)
        assert figures[name].high == pytest.approx(card[name].high)
    assert figures["auroc_BKL"].value == pytest.approx(card["keratoses_auroc"].value)


def test_intervals_include_the_difference_between_draws():
    evaluation = drawn(300)
    chance = np.full_like(evaluation.y_prob, 1 / len(CODES))
    both = learning_curve.figures(evaluation, [evaluation.y_prob, chance])["melanoma_auroc"]
    one = learning_curve.figures(evaluation, [evaluation.y_prob])["melanoma_auroc"]
    good = classification.auroc(evaluation.is_melanoma, evaluation.melanoma_probability)
    assert both.value == pytest.approx((good + 0.5) / 2)
    assert both.low <= 0.5
    assert both.high - both.low > 2 * (one.high - one.low)


def test_a_head_has_nine_probabilities_even_if_some_diagnoses_were_not_in_training():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 4], 20)
    embeddings = rng.normal(size=(40, 6)).astype(np.float32)
    embeddings[:, 0] += labels
    head = learning_curve._fit(embeddings, labels, 1.0)
    y_prob = head(embeddings)
    assert y_prob.shape == (40, len(CODES))
    np.testing.assert_allclose(y_prob.sum(axis=1), 1)
    assert (y_prob[:, [1, 2, 3, 5, 6, 7, 8]] == 0).all()
    assert (y_prob.argmax(axis=1) == labels).mean() > 0.9
