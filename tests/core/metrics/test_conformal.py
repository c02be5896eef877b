"""Conformal cutoffs by hand, and their coverage over many random samples."""

import math

import numpy as np
import pytest

from melanoma_core.diagnoses import CODES
from melanoma_core.metrics import conformal


def rows(true_prob, truth, num_classes=3):
    """Rows whose true class has this probability, with the rest spread over the others."""
    prob = np.repeat((1 - np.array(true_prob))[:, None] / (num_classes - 1), num_classes, axis=1)
    prob[np.arange(len(truth)), truth] = true_prob
    return prob


def test_cutoff_by_hand():
    # 10 others: ceil(11 · 0.8) = 9 must be covered, so the ninth highest probability decides.
    others = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    # 4 melanomas: ceil(5 · 0.8) = 4, so the lowest decides.
    melanomas = [0.9, 0.35, 0.6, 0.8]
    truth = [1] * 5 + [2] * 5 + [0] * 4
    cutoffs = conformal.choose_cutoffs(truth, rows(others + melanomas, truth), 0, 0.8)
    assert cutoffs == (0.35, 0.1)


@pytest.mark.parametrize(("num", "expected"), [(8, 0.0), (9, 0.5)])
def test_too_few_cases_for_the_level_include_every_diagnosis(num, expected):
    truth = [0] * num + [1] * 20
    prob = rows([0.5] * num + [0.6] * 20, truth)
    assert conformal.choose_cutoffs(truth, prob, 0, 0.9) == (expected, 0.6)
    assert conformal.choose_cutoffs([1] * 20, prob[num:], 0, 0.9)[0] == 0


def test_rounding_does_not_ask_for_one_case_more():
    assert math.ceil((99 + 1) * 0.55) == 56
    prob = np.linspace(0.01, 0.99, 99)
    truth = [1] * 99
    cutoff = conformal.choose_cutoffs(truth, rows(prob, truth), 0, 0.55)[1]
    assert (prob >= cutoff).sum() == 55


@pytest.mark.parametrize("level", [0, 1, float("nan"), 1.5])
def test_a_level_outside_0_to_1_is_refused(level):
    with pytest.raises(ValueError, match="level"):
        conformal.choose_cutoffs([0], [[1.0, 0.0]], 0, level)


def test_invalid_shapes_and_indices_are_refused():
    with pytest.raises(ValueError, match="Shapes"):
        conformal.choose_cutoffs([0, 1], [[1.0, 0.0]], 0, 0.9)
    for index in (-1, 2):
        with pytest.raises(ValueError, match="Class indices"):
            conformal.choose_cutoffs([index], [[1.0, 0.0]], 0, 0.9)


def test_a_diagnosis_exactly_at_its_cutoff_is_included():
    members = conformal.prediction_sets([[0.2, 0.5, 0.3], [0.1, 0.61, 0.29]], 0.2, 0.3, 0)
    assert members.tolist() == [[True, True, True], [False, True, False]]


def test_the_likeliest_is_in_the_set_even_below_every_cutoff():
    members = conformal.prediction_sets([[0.3, 0.36, 0.34]], 0.9, 0.9, 0)
    assert members.tolist() == [[False, True, False]]


def member_row(*codes):
    return np.array([[code in codes for code in CODES]])


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (("MEL",), False),
        (("NV", "SK", "DF"), False),
        (("NV", "SK", "DF", "VASC"), True),  # more than three
        (("MEL", "BCC", "AK"), False),  # none of them benign
        (("MEL", "NV"), True),
        (("MEL", "BCC", "VASC"), True),
        (("BCC", "NV"), False),
    ],
)
def test_large_sets_and_melanoma_beside_benign_diagnoses_need_review(codes, expected):
    assert conformal.needs_review(member_row(*codes)).tolist() == [expected]


def sample(rng, num):
    """Classes and probabilities that are poor for melanoma and sharp for the others."""
    truth = rng.choice(len(CODES), num, p=[0.1, 0.6, 0.1, 0.05, 0.05, 0.04, 0.03, 0.02, 0.01])
    logits = rng.normal(size=(num, len(CODES))) + 2.5 * np.eye(len(CODES))[1]
    logits[np.arange(num), truth] += np.where(truth == 0, 1.0, 3.0)
    powers = np.exp(logits)
    return truth, powers / powers.sum(axis=1, keepdims=True)


def test_coverage_is_the_level_for_melanoma_and_for_others():
    """SE² = p(1 − p)(1/n_cal + 1/n_test) of each sample, its mean over 200 samples √200 less."""
    rng, level, repeats = np.random.default_rng(0), 0.9, 200
    coverages, errors = {"melanoma": [], "others": []}, {"melanoma": [], "others": []}
    for _ in range(repeats):
        truth, prob = sample(rng, 1000)
        new_truth, new_prob = sample(rng, 2000)
        cutoffs = conformal.choose_cutoffs(truth, prob, 0, level)
        is_covered = new_prob[np.arange(2000), new_truth] >= np.where(new_truth == 0, *cutoffs)
        for name, is_cal, is_new in (
            ("melanoma", truth == 0, new_truth == 0),
            ("others", truth != 0, new_truth != 0),
        ):
            coverages[name].append(is_covered[is_new].mean())
            errors[name].append(level * (1 - level) * (1 / is_cal.sum() + 1 / is_new.sum()))
    for name, values in coverages.items():
        # A finite sample raises the mean by at most 1 / (n + 1): 0.01 for 100 melanomas.
        lift = 1 / 101 if name == "melanoma" else 1 / 901
        error = math.sqrt(np.mean(errors[name]) / repeats)
        assert level - 2 * error < np.mean(values) < level + lift + 2 * error, name


def test_a_common_cutoff_would_miss_melanomas_that_the_separate_one_covers():
    rng = np.random.default_rng(1)
    truth, prob = sample(rng, 20_000)
    new_truth, new_prob = sample(rng, 20_000)
    own, other = conformal.choose_cutoffs(truth, prob, 0, 0.9)
    is_melanoma = new_truth == 0
    with_own = conformal.prediction_sets(new_prob, own, other, 0)[is_melanoma, 0].mean()
    with_one = conformal.prediction_sets(new_prob, other, other, 0)[is_melanoma, 0].mean()
    assert with_own == pytest.approx(0.9, abs=0.02)
    assert with_one < 0.8
