"""Conformal cutoffs by hand, and their coverage over many drawn samples."""

import math

import numpy as np
import pytest

from melanoma_core.diagnoses import CODES
from melanoma_core.metrics import conformal


def certain(of_true, truth, num_classes=3):
    """Rows whose true class has this probability, the rest being shared by the others."""
    prob = np.repeat((1 - np.array(of_true))[:, None] / (num_classes - 1), num_classes, axis=1)
    prob[np.arange(len(truth)), truth] = of_true
    return prob


def test_cutoff_by_hand():
    # 10 others: ceil(11 · 0.8) = 9 are to be held, so the ninth highest probability decides.
    others = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    # 4 melanomas: ceil(5 · 0.8) = 4, so the lowest decides.
    melanomas = [0.9, 0.35, 0.6, 0.8]
    truth = [1] * 5 + [2] * 5 + [0] * 4
    found = conformal.choose_cutoffs(truth, certain(others + melanomas, truth), 0, 0.8)
    assert found == (0.35, 0.1)


@pytest.mark.parametrize(("num", "expected"), [(8, 0.0), (9, 0.5)])
def test_too_few_to_promise_a_level_let_every_diagnosis_join(num, expected):
    truth = [0] * num + [1] * 20
    prob = certain([0.5] * num + [0.6] * 20, truth)
    assert conformal.choose_cutoffs(truth, prob, 0, 0.9) == (expected, 0.6)
    assert conformal.choose_cutoffs([1] * 20, prob[num:], 0, 0.9)[0] == 0


def test_floats_do_not_ask_for_one_more():
    assert math.ceil((99 + 1) * 0.55) == 56
    prob = np.linspace(0.01, 0.99, 99)
    truth = [1] * 99
    cutoff = conformal.choose_cutoffs(truth, certain(prob, truth), 0, 0.55)[1]
    assert (prob >= cutoff).sum() == 55


@pytest.mark.parametrize("level", [0, 1, float("nan"), 1.5])
def test_a_level_that_is_no_share_is_refused(level):
    with pytest.raises(ValueError, match="level"):
        conformal.choose_cutoffs([0], [[1.0, 0.0]], 0, level)


def test_shapes_and_indices_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="Shapes"):
        conformal.choose_cutoffs([0, 1], [[1.0, 0.0]], 0, 0.9)
    for index in (-1, 2):
        with pytest.raises(ValueError, match="Class indices"):
            conformal.choose_cutoffs([index], [[1.0, 0.0]], 0, 0.9)


def test_a_diagnosis_exactly_at_its_cutoff_joins():
    members = conformal.sets([[0.2, 0.5, 0.3], [0.1, 0.61, 0.29]], 0.2, 0.3, 0)
    assert members.tolist() == [[True, True, True], [False, True, False]]


def test_the_likeliest_is_in_the_set_even_below_every_cutoff():
    members = conformal.sets([[0.3, 0.36, 0.34]], 0.9, 0.9, 0)
    assert members.tolist() == [[False, True, False]]


def member_row(*codes):
    return np.array([[code in codes for code in CODES]])


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (("MEL",), False),
        (("NV", "SK", "DF"), False),
        (("NV", "SK", "DF", "VASC"), True),  # more than three
        (("MEL", "BCC", "AK"), False),  # no benign one among them
        (("MEL", "NV"), True),
        (("MEL", "BCC", "VASC"), True),
        (("BCC", "NV"), False),
    ],
)
def test_large_sets_and_melanoma_beside_benign_diagnoses_are_for_review(codes, expected):
    assert conformal.needs_review(member_row(*codes)).tolist() == [expected]


def sample(rng, num):
    """Classes and probabilities that are sharp for others and poor for melanoma."""
    truth = rng.choice(len(CODES), num, p=[0.1, 0.6, 0.1, 0.05, 0.05, 0.04, 0.03, 0.02, 0.01])
    logits = rng.normal(size=(num, len(CODES))) + 2.5 * np.eye(len(CODES))[1]
    logits[np.arange(num), truth] += np.where(truth == 0, 1.0, 3.0)
    powers = np.exp(logits)
    return truth, powers / powers.sum(axis=1, keepdims=True)


def test_coverage_over_drawn_samples_is_the_level_for_melanoma_and_for_others():
    """SE² = p(1 − p)(1/n_cal + 1/n_test) of each sample, its mean over 200 samples √200 less."""
    rng, level, repeats = np.random.default_rng(0), 0.9, 200
    shares, errors = {"melanoma": [], "others": []}, {"melanoma": [], "others": []}
    for _ in range(repeats):
        truth, prob = sample(rng, 1000)
        new_truth, new_prob = sample(rng, 2000)
        cutoffs = conformal.choose_cutoffs(truth, prob, 0, level)
        reached = new_prob[np.arange(2000), new_truth] >= np.where(new_truth == 0, *cutoffs)
        for name, is_cal, is_new in (
            ("melanoma", truth == 0, new_truth == 0),
            ("others", truth != 0, new_truth != 0),
        ):
            shares[name].append(reached[is_new].mean())
            errors[name].append(level * (1 - level) * (1 / is_cal.sum() + 1 / is_new.sum()))
    for name, of_samples in shares.items():
        # The finite sample lifts the mean by at most 1 / (n + 1): 0.01 of 100 melanomas.
        lift = 1 / 101 if name == "melanoma" else 1 / 901
        error = math.sqrt(np.mean(errors[name]) / repeats)
        assert level - 2 * error < np.mean(of_samples) < level + lift + 2 * error, name


def test_one_cutoff_for_all_would_leave_out_melanomas_that_its_own_holds():
    rng = np.random.default_rng(1)
    truth, prob = sample(rng, 20_000)
    new_truth, new_prob = sample(rng, 20_000)
    own, other = conformal.choose_cutoffs(truth, prob, 0, 0.9)
    is_melanoma = new_truth == 0
    with_own = conformal.sets(new_prob, own, other, 0)[is_melanoma, 0].mean()
    with_one = conformal.sets(new_prob, other, other, 0)[is_melanoma, 0].mean()
    assert with_own == pytest.approx(0.9, abs=0.02)
    assert with_one < 0.8
