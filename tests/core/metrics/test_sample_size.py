"""Interval widths against SciPy and a published table, and the lesions that they need."""

import numpy as np
import pytest
from scipy.stats import binomtest

from melanoma_core.metrics import classification, sample_size

# Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine
# 1998, table I, method 3: hits, total, and the bounds of Wilson's interval.
NEWCOMBE = [
    (81, 263, 0.2553, 0.3662),
    (15, 148, 0.0624, 0.1605),
    (0, 20, 0.0000, 0.1611),
    (1, 29, 0.0061, 0.1718),
]


@pytest.mark.parametrize(("hits", "total", "low", "high"), NEWCOMBE)
def test_the_width_equals_a_published_table(hits, total, low, high):
    assert sample_size.interval_width(hits / total, total) == pytest.approx(high - low, abs=1e-4)


@pytest.mark.parametrize("total", [1, 16, 60, 197, 1000])
def test_the_width_equals_scipy_and_the_intervals_of_model_cards(total):
    for hits in {0, total // 2, round(0.95 * total), total}:
        interval = binomtest(hits, total).proportion_ci(0.95, method="wilson")
        width = sample_size.interval_width(hits / total, total)
        assert width == pytest.approx(interval.high - interval.low, abs=1e-12)
        low, high = classification.wilson_interval(hits, total)
        assert width == pytest.approx(high - low, abs=1e-12)


def test_the_width_lies_between_those_of_the_nearest_whole_counts():
    # 80 % of 16 is 12.8.
    (low_12, high_12), (low_13, high_13) = (
        classification.wilson_interval(hits, 16) for hits in (12, 13)
    )
    assert high_13 - low_13 < sample_size.interval_width(0.8, 16) < high_12 - low_12


@pytest.mark.parametrize("sensitivity", [0, 0.3, 0.5, 0.8, 0.95, 0.999, 1])
def test_the_number_needed_is_the_smallest_that_is_narrow_enough(sensitivity):
    for max_width in (0.004, 0.01, 0.05, 0.2, 0.6, 0.95):
        number = sample_size.num_needed(sensitivity, max_width)
        assert sample_size.interval_width(sensitivity, number) <= max_width + 1e-9
        assert number == 0 or sample_size.interval_width(sensitivity, number - 1) > max_width


def test_the_number_needed_for_the_width_of_a_number_is_that_number():
    for number in (1, 16, 100, 393, 5000):
        assert sample_size.num_needed(0.9, sample_size.interval_width(0.9, number)) == number


def test_more_melanomas_never_widen_the_interval():
    widths = [sample_size.interval_width(0.9, number) for number in range(500)]
    assert np.all(np.diff(widths) < 0)
    assert widths[0] == 1


@pytest.mark.parametrize(
    "ask",
    [
        lambda: sample_size.interval_width(1.2, 10),
        lambda: sample_size.interval_width(float("nan"), 10),
        lambda: sample_size.interval_width(0.9, -1),
        lambda: sample_size.num_needed(0.9, 0),
        lambda: sample_size.num_needed(0.9, 1),
        lambda: sample_size.num_needed(-0.1, 0.1),
    ],
)
def test_impossible_arguments_are_refused(ask):
    with pytest.raises(ValueError, match="must"):
        ask()
