"""The fast intervals are those of the plain bootstrap, to the last digit."""

import math

import numpy as np
import pytest

from melanoma_core.metrics import classification, estimates


def rows(seed, num=400, num_groups=150):
    """Truth, scores with ties, and groups of unequal size in no order."""
    rng = np.random.default_rng(seed)
    truth = rng.random(num) < 0.2
    score = np.round(rng.normal(size=num) + truth, 1)
    return truth, score, np.array([f"g{k}" for k in rng.integers(0, num_groups, num)], object)


@pytest.mark.parametrize("seed", range(3))
def test_intervals_are_those_of_the_plain_bootstrap(seed):
    truth, score, groups = rows(seed)
    assert estimates.auroc_interval(truth, score, groups) == classification.bootstrap_interval(
        classification.auroc, (truth, score), groups
    )
    assert estimates.share_interval(truth, groups) == classification.bootstrap_interval(
        np.mean, (truth.astype(float),), groups
    )


def test_resamples_without_a_melanoma_are_left_out():
    # One melanoma in 3 groups of one: 8 of 27 resamples lack it, and those have no AUROC.
    truth, score, groups = [1, 0, 0], [0.5, 0.2, 0.7], ["a", "b", "c"]
    found = estimates.auroc_interval(truth, score, groups)
    assert found == classification.bootstrap_interval(classification.auroc, (truth, score), groups)
    assert found == (0.0, 1.0)


@pytest.mark.parametrize("groups", [[], ["a", "a"]])
def test_fewer_than_two_groups_give_no_interval(groups):
    num = len(groups)
    for found in (
        estimates.share_interval([1, 0][:num], groups),
        estimates.auroc_interval([1, 0][:num], [0.5, 0.1][:num], groups),
    ):
        assert all(math.isnan(bound) for bound in found)


@pytest.mark.parametrize("truth", [[0, 0, 0], [1, 1, 1]])
def test_one_class_alone_has_no_auroc(truth):
    found = estimates.auroc_interval(truth, [0.1, 0.2, 0.3], ["a", "b", "c"])
    assert all(math.isnan(bound) for bound in found)
