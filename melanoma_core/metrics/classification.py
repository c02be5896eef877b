"""Classification metrics, thresholds and confidence intervals in plain NumPy.

The web process loads this module, so it uses neither scikit-learn nor SciPy; the tests check it
against both. A metric that is undefined (an AUROC without melanomas) is NaN, never 0 or 1.
"""

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from melanoma_core.metrics import calibration

Interval = tuple[float, float]
UNDEFINED: Interval = (math.nan, math.nan)


def accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Proportion of correct class indices; NaN without rows; both (N,)."""
    truth, called = _pair(y_true, y_pred)
    return float(np.mean(truth == called)) if truth.size else math.nan


def balanced_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Mean sensitivity of the classes that occur in `y_true`; class indices, both (N,).

    >>> balanced_accuracy([0, 0, 0, 0, 2], [0, 0, 0, 1, 2])
    0.875
    """
    truth, called = _pair(y_true, y_pred)
    if truth.size == 0:
        return math.nan
    _, class_of = np.unique(truth, return_inverse=True)
    num_correct = np.bincount(class_of, weights=truth == called)
    return float(np.mean(num_correct / np.bincount(class_of)))


def auroc(y_true: ArrayLike, y_score: ArrayLike) -> float:
    """Probability that a melanoma scores above another lesion, ties counting half.

    Args:
        y_true: (N,) of 0 or 1; 1 is melanoma, or another class of interest.
        y_score: (N,); only the order matters.

    Returns:
        The area under the ROC curve; NaN if `y_true` has only one class.

    Raises:
        ValueError: lengths differ, a score is NaN, or `y_true` has values other than 0 and 1.

    >>> auroc([0, 0, 1, 1], [0.1, 0.4, 0.4, 0.8])
    0.875
    """
    truth, score = _pair(y_true, y_score)
    return _auroc(_as_flags(truth, "y_true"), _without_nan(score, "y_score"))


def macro_auroc(y_true_index: ArrayLike, y_prob: ArrayLike) -> float:
    """Mean of the one-vs-rest AUROCs of the classes that occur.

    A class without rows has no AUROC and is left out: a nine-class network tested on a seven-class
    archive has the mean of seven.

    Args:
        y_true_index: (N,) of class indices below C.
        y_prob: (N, C).
    """
    truth, prob = _classes(y_true_index, y_prob)
    areas = [_auroc(truth == index, prob[:, index]) for index in np.unique(truth)]
    defined = [area for area in areas if not math.isnan(area)]
    return float(np.mean(defined)) if defined else math.nan


def ece(y_true_index: ArrayLike, y_prob: ArrayLike, num_bins: int = 15) -> float:
    """Expected calibration error of the likeliest class (Guo et al., ICML 2017).

    The mean distance between the highest probability and the accuracy, over bins of that
    probability of equal width, weighted by their rows.

    Args:
        y_true_index: (N,) of class indices below C.
        y_prob: (N, C), each row summing to 1.
        num_bins: bins closed on the right, as in the paper.
    """
    bins, gaps = confidence_gaps(y_true_index, y_prob, num_bins)
    if bins.size == 0:
        return math.nan
    return float(np.abs(np.bincount(bins, weights=gaps)).sum() / bins.size)


def confidence_gaps(
    y_true_index: ArrayLike, y_prob: ArrayLike, num_bins: int
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """What `ece` sums up: the bin of each row, and how far its likeliest class was off.

    Returns:
        bins (N,), from 0; 1 or 0, for right or wrong, less the highest probability, (N,).
    """
    truth, prob = _classes(y_true_index, y_prob)
    highest = prob.max(axis=1)
    is_right = prob.argmax(axis=1) == truth
    return calibration.bin_indices(highest, num_bins), is_right - highest


def brier(y_true_index: ArrayLike, y_prob: ArrayLike) -> float:
    """Brier score over all classes: 0 is perfect, 2 is certain and always wrong.

    Args:
        y_true_index: (N,) of class indices below C.
        y_prob: (N, C).

    >>> brier([0, 1], [[1.0, 0.0], [0.5, 0.5]])
    0.25
    """
    distances = squared_distances(y_true_index, y_prob)
    return float(np.mean(distances)) if distances.size else math.nan


def squared_distances(y_true_index: ArrayLike, y_prob: ArrayLike) -> NDArray[np.float64]:
    """What `brier` is the mean of: (N,) squared distances to being right and certain."""
    truth, prob = _classes(y_true_index, y_prob)
    distances: NDArray[np.float64] = ((prob - np.eye(prob.shape[1])[truth]) ** 2).sum(axis=1)
    return distances


def threshold_at_sensitivity(y_true: ArrayLike, y_prob: ArrayLike, sensitivity: float) -> float:
    """Highest threshold with at least this sensitivity.

    A lesion is referred if `y_prob >= threshold`, so among all thresholds with this sensitivity
    the highest one refers the fewest benign lesions.

    Args:
        y_true: (N,) of 0 or 1; 1 is melanoma.
        y_prob: (N,) calibrated probability of melanoma, in [0, 1].
        sensitivity: proportion of melanomas to find, in (0, 1].

    Returns:
        The threshold, in [0, 1].

    Raises:
        ValueError: no melanoma in `y_true`, or `sensitivity` out of range.

    >>> threshold_at_sensitivity([0, 1, 0, 1, 1], [.1, .3, .35, .6, .9], 0.66)
    0.6
    """
    if not 0 < sensitivity <= 1:
        raise ValueError(f"sensitivity is {sensitivity}; it must be above 0 and at most 1.")
    truth, prob = _pair(y_true, y_prob)
    melanomas = np.sort(_without_nan(prob, "y_prob")[_as_flags(truth, "y_true")])[::-1]
    if melanomas.size == 0:
        raise ValueError("No row of y_true is a melanoma; a threshold needs at least one.")
    # 0.55 * 100 is 55.00000000000001; without the epsilon ceil() would ask for a 56th melanoma.
    num_to_find = max(1, math.ceil(sensitivity * melanomas.size - 1e-9))
    return float(melanomas[num_to_find - 1])


def wilson_interval(num_hits: int, num_total: int, level: float = 0.95) -> Interval:
    """Wilson's score interval of a proportion (Wilson, JASA 1927); NaN if `num_total` is 0.

    >>> [round(bound, 3) for bound in wilson_interval(205, 216)]
    [0.911, 0.971]

    Raises:
        ValueError: `num_hits` is not between 0 and `num_total`, or `level` not between 0 and 1.
    """
    if not 0 <= num_hits <= num_total:
        raise ValueError(f"{num_hits} hits of {num_total}: hits must lie between 0 and the total.")
    z = NormalDist().inv_cdf(0.5 + _checked_level(level) / 2)
    if num_total == 0:
        return UNDEFINED
    proportion = num_hits / num_total
    center = proportion + z**2 / (2 * num_total)
    margin = z * math.sqrt(proportion * (1 - proportion) / num_total + z**2 / (4 * num_total**2))
    scale = 1 + z**2 / num_total
    # Exactly 0 and 1 at the ends, where rounding would leave 1e-17.
    low = 0.0 if num_hits == 0 else (center - margin) / scale
    high = 1.0 if num_hits == num_total else (center + margin) / scale
    return low, high


def bootstrap_interval(
    statistic: Callable[..., float],
    arrays: Sequence[ArrayLike],
    groups: ArrayLike,
    *,
    num_resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Percentile interval of a statistic, by drawing whole groups with replacement.

    Photographs of one lesion resemble each other, so drawing photographs one by one would give
    intervals that are too narrow.

    Args:
        statistic: called as `statistic(*resampled_arrays)`.
        arrays: each with N rows.
        groups: (N,) of the group of each row (a lesion, or lesions joined by near copies).
        num_resamples: how many times to draw.
        seed: the same seed gives the same interval.
        level: share of the resamples inside the interval.

    Returns:
        (low, high). Resamples where the statistic is NaN are left out; NaN where fewer than
        half of them are defined, or where there are fewer than two groups to draw from.

    Raises:
        ValueError: the arrays and the groups do not have the same number of rows.

    >>> bootstrap_interval(np.mean, [[0, 0, 1, 1]], ["a", "a", "b", "b"])
    (0.0, 1.0)
    """
    return percentile_interval(
        bootstrap(statistic, arrays, groups, num_resamples=num_resamples, seed=seed), level
    )


def bootstrap(
    statistic: Callable[..., float],
    arrays: Sequence[ArrayLike],
    groups: ArrayLike,
    *,
    num_resamples: int = 1000,
    seed: int = 0,
) -> NDArray[np.float64]:
    """A statistic of resamples of whole groups; `Args` and `Raises` as `bootstrap_interval`.

    Returns:
        (num_resamples,); all NaN where there are fewer than two groups to draw from.
    """
    columns = [np.asarray(array) for array in arrays]
    names, group_of = np.unique(np.asarray(groups), return_inverse=True)
    if any(len(column) != len(group_of) for column in columns):
        lengths = ", ".join(str(len(column)) for column in columns)
        raise ValueError(f"Arrays of {lengths} rows came with {len(group_of)} groups.")
    values = np.full(num_resamples, np.nan)
    if len(names) < 2:
        return values
    rng = np.random.default_rng(seed)
    row_order = np.argsort(group_of, kind="stable")
    sizes = np.bincount(group_of)
    starts = np.cumsum(sizes) - sizes
    for resample in range(num_resamples):
        drawn = rng.integers(len(names), size=len(names))
        rows = row_order[_ranges(starts[drawn], sizes[drawn])]
        values[resample] = statistic(*(column[rows] for column in columns))
    return values


def percentile_interval(values: NDArray[np.float64], level: float = 0.95) -> Interval:
    """The middle share `level` of a statistic's resampled values (R,).

    NaN ones are left out; both ends are NaN where fewer than half are defined.
    """
    tail = (1 - _checked_level(level)) / 2
    defined = values[~np.isnan(values)]
    if 2 * defined.size < values.size or defined.size == 0:
        return UNDEFINED
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)


def _checked_level(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; it must lie between 0 and 1, such as 0.95.")
    return level


def _ranges(starts: NDArray[np.intp], sizes: NDArray[np.intp]) -> NDArray[np.intp]:
    """`start … start + size - 1` of each pair, one after the other, without a loop."""
    ends = np.cumsum(sizes)
    return np.repeat(starts - (ends - sizes), sizes) + np.arange(ends[-1])


def _auroc(truth: NDArray[np.bool_], score: NDArray[Any]) -> float:
    # Counting by bisection sorts only one side: 1,000 resamples of 2,500 rows take 0.2 s.
    wanted, rest = score[truth], np.sort(score[~truth])
    if wanted.size == 0 or rest.size == 0:
        return math.nan
    below = np.searchsorted(rest, wanted, "left").sum()
    not_above = np.searchsorted(rest, wanted, "right").sum()
    return float((below + not_above) / (2 * wanted.size * rest.size))


def _pair(y_true: ArrayLike, other: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    truth, column = np.asarray(y_true), np.asarray(other)
    if truth.ndim != 1 or truth.shape != column.shape:
        raise ValueError(f"Shapes are {truth.shape} and {column.shape}; both must be (N,).")
    return truth, column


def _as_flags(values: NDArray[Any], name: str) -> NDArray[np.bool_]:
    flags = values.astype(bool)
    if not np.array_equal(flags, values):
        raise ValueError(f"{name} may only contain 0 and 1, not class indices or NaN.")
    return flags


def _without_nan(values: NDArray[Any], name: str) -> NDArray[Any]:
    if np.isnan(values).any():
        raise ValueError(f"{name} contains NaN; every row needs a number.")
    return values


def _classes(y_true_index: ArrayLike, y_prob: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    truth, prob = np.asarray(y_true_index), np.asarray(y_prob)
    if truth.ndim != 1 or prob.ndim != 2 or len(truth) != len(prob):
        raise ValueError(f"Shapes are {truth.shape} and {prob.shape}; (N,) and (N, C) are needed.")
    if truth.size and not 0 <= truth.min() <= truth.max() < prob.shape[1]:
        raise ValueError(
            f"Class indices run from {truth.min()} to {truth.max()}; "
            f"{prob.shape[1]} columns of probabilities allow 0 to {prob.shape[1] - 1}."
        )
    return truth.astype(int), _without_nan(prob, "y_prob")
