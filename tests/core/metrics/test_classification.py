"""Metrics, thresholds and intervals: by hand, against scikit-learn and SciPy, by property."""

import math
import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn import metrics as sk

from melanoma_core.metrics import classification


@pytest.fixture
def rng():
    return np.random.default_rng(20)


def sensitivity(is_melanoma, is_referred):
    """Proportion of melanomas that are referred; NaN without melanomas."""
    referred_melanomas = np.asarray(is_referred)[np.asarray(is_melanoma, bool)]
    return referred_melanomas.mean() if referred_melanomas.size else math.nan


def test_accuracy_by_hand():
    assert classification.accuracy([1, 1, 1, 0, 0, 0, 0], [1, 1, 0, 1, 0, 0, 0]) == 5 / 7


@pytest.mark.parametrize(
    ("metric", "y_true", "y_pred"),
    [
        (classification.accuracy, [], []),
        (classification.balanced_accuracy, [], []),
        (classification.auroc, [1, 1], [0.2, 0.3]),
        (classification.auroc, [0, 0], [0.2, 0.3]),
        (classification.macro_auroc, [1, 1], [[0.5, 0.5], [0.2, 0.8]]),
        (classification.ece, [], np.empty((0, 2))),
        (classification.brier, [], np.empty((0, 2))),
    ],
)
def test_an_undefined_metric_is_nan(metric, y_true, y_pred):
    assert math.isnan(metric(y_true, y_pred))


@pytest.mark.parametrize("seed", range(5))
def test_accuracies_equal_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    truth, called = rng.integers(4, size=(2, 200))
    assert classification.accuracy(truth, called) == pytest.approx(sk.accuracy_score(truth, called))
    assert classification.balanced_accuracy(truth, called) == pytest.approx(
        sk.balanced_accuracy_score(truth, called)
    )


def test_balanced_accuracy_counts_only_classes_that_occur():
    # Class 1 is predicted once and never true; classes 0 and 2 have sensitivities 3/4 and 1/1.
    assert classification.balanced_accuracy([0, 0, 0, 0, 2], [0, 0, 0, 1, 2]) == (3 / 4 + 1) / 2


@pytest.mark.parametrize("num_levels", [3, 50, 10**9])
def test_auroc_equals_scikit_learn_with_and_without_ties(rng, num_levels):
    truth = rng.random(400) < 0.2
    scores = rng.integers(num_levels, size=400) + truth * num_levels // 4
    assert classification.auroc(truth, scores) == pytest.approx(
        sk.roc_auc_score(truth, scores), abs=1e-12
    )


def test_auroc_depends_only_on_the_order_of_scores(rng):
    truth, scores = rng.random(100) < 0.5, rng.random(100)
    assert classification.auroc(truth, np.exp(9 * scores)) == classification.auroc(truth, scores)
    assert classification.auroc(truth, -scores) == pytest.approx(
        1 - classification.auroc(truth, scores)
    )


def test_macro_auroc_equals_scikit_learn(rng):
    prob = rng.dirichlet(np.ones(5), size=300)
    truth = np.array([rng.choice(5, p=(row + 0.2) / 2) for row in prob])
    expected = sk.roc_auc_score(truth, prob, multi_class="ovr")
    assert classification.macro_auroc(truth, prob) == pytest.approx(expected, abs=1e-12)


def test_macro_auroc_leaves_out_a_class_without_a_photograph(rng):
    prob = rng.dirichlet(np.ones(3), size=50)
    truth = rng.integers(2, size=50)
    expected = (
        classification.auroc(truth == 0, prob[:, 0]) + classification.auroc(truth == 1, prob[:, 1])
    ) / 2
    assert classification.macro_auroc(truth, prob) == pytest.approx(expected)


def test_brier_equals_scikit_learn(rng):
    prob, truth = rng.dirichlet(np.ones(4), size=80), rng.integers(4, size=80)
    expected = sk.brier_score_loss(truth, prob, labels=range(4), scale_by_half=False)
    assert classification.brier(truth, prob) == pytest.approx(expected)


def test_ece_by_hand():
    # Two bins: two rows at 0.4, one right (0.1 away); two at 0.9, one right (0.4 away).
    prob = [[0.4, 0.3, 0.3], [0.4, 0.3, 0.3], [0.9, 0.1, 0.0], [0.9, 0.1, 0.0]]
    assert classification.ece([0, 1, 0, 1], prob, num_bins=2) == pytest.approx(
        0.5 * 0.1 + 0.5 * 0.4
    )


def test_ece_bins_are_closed_on_the_right():
    # 0.5 is in the first of two bins, so it is not averaged with the certain row.
    assert classification.ece([0, 1], [[0.5, 0.5], [1.0, 0.0]], num_bins=2) == pytest.approx(0.75)
    assert classification.ece([0, 1], [[0.6, 0.4], [1.0, 0.0]], num_bins=2) == pytest.approx(0.3)


def test_ece_of_calibrated_probabilities_is_small(rng):
    prob = rng.dirichlet(np.ones(4), size=20_000)
    truth = (prob.cumsum(axis=1) > rng.random((20_000, 1))).argmax(axis=1)
    assert classification.ece(truth, prob) < 0.02
    assert classification.ece((truth + 1) % 4, prob) > 0.2


@pytest.mark.parametrize("target", [0.01, 0.5, 0.55, 0.9, 0.95, 1.0])
@pytest.mark.parametrize("num_melanomas", [1, 7, 100, 105])
def test_threshold_is_the_highest_with_the_sensitivity(rng, target, num_melanomas):
    truth = np.r_[np.ones(num_melanomas), np.zeros(50)]
    prob = rng.integers(1, 40, size=truth.size) / 40  # with ties
    threshold = classification.threshold_at_sensitivity(truth, prob, target)
    assert sensitivity(truth, prob >= threshold) >= target - 1e-9
    for higher in np.unique(prob[prob > threshold]):
        assert sensitivity(truth, prob >= higher) < target


def test_threshold_is_not_lowered_by_rounding():
    # 0.55 * 100 is 55.00000000000001 in floating point.
    prob = np.arange(1, 101) / 100
    assert classification.threshold_at_sensitivity(np.ones(100), prob, 0.55) == 0.46


def test_threshold_of_float32_probabilities_includes_its_own_melanoma():
    prob = np.array([0.1, 0.7], dtype=np.float32)
    threshold = classification.threshold_at_sensitivity([0, 1], prob, 1.0)
    assert (prob >= threshold).tolist() == [False, True]
    assert (prob.astype(np.float64) >= threshold).tolist() == [False, True]


@pytest.mark.parametrize("target", [0.0, -0.1, 1.1, math.nan])
def test_threshold_refuses_an_impossible_sensitivity(target):
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        classification.threshold_at_sensitivity([0, 1], [0.1, 0.9], target)


def test_threshold_refuses_data_without_melanoma():
    with pytest.raises(ValueError, match="at least one"):
        classification.threshold_at_sensitivity([0, 0], [0.1, 0.9], 0.95)


@pytest.mark.parametrize(("hits", "total"), [(0, 9), (9, 9), (1, 3), (205, 216), (0, 1), (1, 1)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_wilson_interval_equals_scipy(hits, total, level):
    expected = binomtest(hits, total).proportion_ci(level, method="wilson")
    assert classification.wilson_interval(hits, total, level) == pytest.approx(
        (expected.low, expected.high), abs=1e-12
    )


def test_wilson_interval_ends_exactly_at_0_and_1():
    assert classification.wilson_interval(0, 7)[0] == 0.0
    assert classification.wilson_interval(7, 7)[1] == 1.0


def test_wilson_interval_without_rows_is_nan():
    assert all(math.isnan(bound) for bound in classification.wilson_interval(0, 0))


def test_wilson_interval_refuses_impossible_counts():
    with pytest.raises(ValueError, match="3 hits of 2"):
        classification.wilson_interval(3, 2)


def test_bootstrap_keeps_the_rows_of_a_group_together():
    groups = np.repeat(["a", "b", "c"], [1, 2, 3])
    own_row = np.arange(6)

    def has_whole_groups(names, rows):
        counts = np.bincount(rows, minlength=6)
        assert counts[1] == counts[2]
        assert counts[3] == counts[4] == counts[5]
        assert counts[0] + counts[1] + counts[3] == 3
        assert (groups[rows] == names).all()
        return 0.0

    classification.bootstrap_interval(has_whole_groups, [groups, own_row], groups, num_resamples=50)


def test_bootstrap_by_group_is_wider_where_photographs_of_a_lesion_agree(rng):
    lesion_values = rng.random(40)
    values, groups = np.repeat(lesion_values, 10), np.repeat(np.arange(40), 10)
    low, high = classification.bootstrap_interval(np.mean, [values], groups)
    one_by_one = classification.bootstrap_interval(np.mean, [values], np.arange(400))
    assert (high - low) > 2.5 * (one_by_one[1] - one_by_one[0])  # sqrt(10) in theory
    assert (high - low) == pytest.approx(2 * 1.96 * lesion_values.std() / 40**0.5, rel=0.1)


def test_bootstrap_repeats_with_the_seed_and_ignores_the_order_of_rows(rng):
    values, groups = rng.random(30), rng.integers(12, size=30)
    first = classification.bootstrap_interval(np.mean, [values], groups, seed=3)
    shuffled = rng.permutation(30)
    again = classification.bootstrap_interval(np.mean, [values[shuffled]], groups[shuffled], seed=3)
    assert again == pytest.approx(first, abs=1e-12)
    assert classification.bootstrap_interval(np.mean, [values], groups, seed=4) != first


def test_bootstrap_leaves_out_undefined_resamples_unless_most_are():
    # The melanoma is drawn in 1 - (9/10)^10 = 65 % of the resamples, both of two in 40 %.
    groups, is_referred = np.arange(10), np.ones(10)
    is_melanoma = groups == 0
    interval = classification.bootstrap_interval(sensitivity, [is_melanoma, is_referred], groups)
    assert interval == (1.0, 1.0)

    def needs_both(rows):
        return 1.0 if {0, 1} <= set(rows) else math.nan

    interval = classification.bootstrap_interval(needs_both, [groups], groups)
    assert all(math.isnan(bound) for bound in interval)


@pytest.mark.parametrize("groups", [[], ["a"], ["a", "a"]])
def test_bootstrap_of_fewer_than_two_groups_is_nan(groups):
    interval = classification.bootstrap_interval(np.mean, [np.ones(len(groups))], groups)
    assert all(math.isnan(bound) for bound in interval)


def test_bootstrap_refuses_arrays_of_another_length():
    with pytest.raises(ValueError, match="Arrays of 3 rows came with 2 groups"):
        classification.bootstrap_interval(np.mean, [[1, 2, 3]], ["a", "b"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: classification.auroc([0, 1], [0.1]), "both must be"),
        (lambda: classification.auroc([0, 1], [0.1, math.nan]), "y_score contains NaN"),
        (lambda: classification.auroc([0, 2], [0.1, 0.2]), "y_true may only contain 0 and 1"),
        (lambda: classification.macro_auroc([0, 1], [0.1, 0.9]), r"\(N, C\)"),
        (lambda: classification.brier([0, 2], [[0.5, 0.5], [0.5, 0.5]]), "allow 0 to 1"),
        (lambda: classification.ece([0], [[math.nan, 0.5]]), "y_prob contains NaN"),
        (lambda: classification.wilson_interval(1, 2, level=95), "level is 95"),
    ],
)
def test_invalid_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_web_process_needs_no_scikit_learn_or_scipy_for_metrics():
    code = (
        "import sys, melanoma_core.metrics.classification, melanoma_core.metrics.calibration\n"
        "print([name for name in ('sklearn', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
