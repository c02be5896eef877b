"""The fast intervals are those of the plain bootstrap, and of scikit-learn on the same draws."""

import math

import numpy as np
import pytest
from sklearn import metrics as sk

from melanoma_core.metrics import classification, estimates


def rows(seed, num=400, num_groups=150):
    """Truth, scores with ties, and groups of unequal size in no order."""
    rng = np.random.default_rng(seed)
    truth = rng.random(num) < 0.2
    score = np.round(rng.normal(size=num) + truth, 1)
    return truth, score, np.array([f"g{k}" for k in rng.integers(0, num_groups, num)], object)


def auroc_interval(y_true, y_score, groups):
    return classification.percentile_interval(estimates.aurocs(y_true, y_score, groups))


@pytest.mark.parametrize("seed", range(3))
def test_intervals_are_those_of_the_plain_bootstrap(seed):
    truth, score, groups = rows(seed)
    assert auroc_interval(truth, score, groups) == classification.bootstrap_interval(
        classification.auroc, (truth, score), groups
    )
    assert estimates.share_interval(truth, groups) == classification.bootstrap_interval(
        np.mean, (truth.astype(float),), groups
    )


def classified(seed, num=400, num_groups=150, num_classes=7):
    """Truth, probabilities and groups; one class does not occur, one in a few rows."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(num_classes, num, p=[0.6, 0.2, 0.1, 0.05, 0.045, 0.005, 0])
    logits = rng.normal(size=(num, num_classes)) + 2 * np.eye(num_classes)[truth]
    prob = np.round(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), 2)  # with ties
    return truth, prob, np.array([f"g{k}" for k in rng.integers(0, num_groups, num)], object)


PLAIN = {  # and the fast one of it, by what it takes
    "macro AUROC": (classification.macro_auroc, estimates.macro_aurocs, lambda prob: prob),
    "calibration error": (classification.ece, estimates.eces, lambda prob: prob),
    "Brier score": (classification.brier, estimates.briers, lambda prob: prob),
    "balanced accuracy": (
        classification.balanced_accuracy,
        estimates.balanced_accuracies,
        lambda prob: prob.argmax(axis=1),
    ),
}


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("num", [400, 12])  # of 12 photographs, resamples lack whole classes
def test_values_are_those_of_the_plain_bootstrap(name, num):
    plain, fast, taken = PLAIN[name]
    truth, prob, groups = classified(4, num, num_groups=num // 2)
    found = fast(truth, taken(prob), groups)
    expected = classification.bootstrap(plain, (truth, taken(prob)), groups)
    assert len(set(found)) > 50
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_mean_of_any_numbers_is_that_of_the_plain_bootstrap():
    values, groups = np.random.default_rng(2).normal(size=40), np.arange(40) // 3
    expected = classification.bootstrap(np.mean, (values,), groups)
    np.testing.assert_allclose(estimates.means(values, groups), expected, rtol=0, atol=1e-12)


def test_values_are_those_of_scikit_learn_on_the_rows_drawn():
    truth, prob, _ = classified(1)
    groups = np.arange(len(truth)) // 2  # the rows of group k are 2k and 2k + 1
    macro = estimates.macro_aurocs(truth, prob, groups)
    balanced = estimates.balanced_accuracies(truth, prob.argmax(axis=1), groups)
    brier = estimates.briers(truth, prob, groups)
    auroc = estimates.aurocs(truth == 1, prob[:, 1], groups)
    rng = np.random.default_rng(0)
    for resample in range(20):
        drawn = rng.integers(200, size=200)
        rows = np.concatenate([2 * drawn, 2 * drawn + 1])
        y_true, y_prob = truth[rows], prob[rows]
        areas = [sk.roc_auc_score(y_true == k, y_prob[:, k]) for k in np.unique(y_true)]
        assert macro[resample] == pytest.approx(np.mean(areas), abs=1e-12)
        assert auroc[resample] == pytest.approx(areas[1], abs=1e-12)
        assert balanced[resample] == pytest.approx(
            sk.recall_score(
                y_true, y_prob.argmax(axis=1), labels=np.unique(y_true), average="macro"
            ),
            abs=1e-12,
        )
        one_hot = np.eye(7)[y_true]
        assert brier[resample] == pytest.approx(
            sum(sk.mean_squared_error(one_hot[:, k], y_prob[:, k]) for k in range(7)), abs=1e-12
        )


def test_resamples_without_a_melanoma_are_left_out():
    # One melanoma in 3 groups of one: 8 of 27 resamples lack it, and those have no AUROC.
    truth, score, groups = [1, 0, 0], [0.5, 0.2, 0.7], ["a", "b", "c"]
    found = auroc_interval(truth, score, groups)
    assert found == classification.bootstrap_interval(classification.auroc, (truth, score), groups)
    assert found == (0.0, 1.0)


@pytest.mark.parametrize("groups", [[], ["a", "a"]])
def test_fewer_than_two_groups_give_no_interval(groups):
    num = len(groups)
    for found in (
        estimates.share_interval([1, 0][:num], groups),
        auroc_interval([1, 0][:num], [0.5, 0.1][:num], groups),
    ):
        assert all(math.isnan(bound) for bound in found)


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("groups", [[], ["a", "a"]])
def test_fewer_than_two_groups_give_no_values(name, groups):
    _, fast, taken = PLAIN[name]
    num = len(groups)
    found = fast(np.array([1, 0][:num], int), taken(np.eye(2)[:num]), groups)
    assert found.shape == (1000,)
    assert np.isnan(found).all()


@pytest.mark.parametrize("truth", [[0, 0, 0], [1, 1, 1]])
def test_one_class_alone_has_no_auroc(truth):
    found = auroc_interval(truth, [0.1, 0.2, 0.3], ["a", "b", "c"])
    assert all(math.isnan(bound) for bound in found)
