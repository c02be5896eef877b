"""Bootstrapped statistics, over all resamples at once.

The values are those of `classification.bootstrap`, which calls a statistic a thousand times. Here a
resample is how often each group was drawn, and sums over rows are weighted by that: the Models
page draws the intervals of fifty subgroups while its reader waits.

Every function takes the groups last and returns (1000,) values, all NaN where there are fewer
than two groups to draw from; `classification.percentile_interval` makes an interval of them.
"""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from melanoma_core.metrics import classification
from melanoma_core.metrics.classification import Interval

_NUM_RESAMPLES = 1000
_SEED = 0
# Resamples held at a time: of 2,500 photographs, an array of a number for each takes 2 MB, which
# stays in the processor's cache; all at once they would take 20 MB and twice the time.
_NUM_AT_A_TIME = 100

# Of how often each group was drawn, (groups, resamples), the statistic of each resample.
_Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True)
class Estimate:
    """A measured value with its 95 % interval; NaN if undefined."""

    value: float
    low: float
    high: float
    num_photographs: int  # that it was measured on
    num_lesions: int
    num_hits: int | None = None  # of a proportion: photographs in the numerator


def share_interval(hits: ArrayLike, groups: ArrayLike) -> Interval:
    """As `classification.bootstrap_interval` of the mean; `hits` (N,) integers, `groups` (N,)."""
    return classification.percentile_interval(means(hits, groups))


def means(values: ArrayLike, groups: ArrayLike) -> NDArray[np.float64]:
    """As `classification.bootstrap` of the mean; `values` (N,), `groups` (N,)."""
    num_groups, group_of = _grouped(groups)
    totals = np.stack(
        [np.bincount(group_of, weights, num_groups) for weights in (np.asarray(values), None)]
    )

    def mean(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        total, num_rows = _weighted(totals, drawn)
        return _divided(total, num_rows)

    return _resampled(mean, num_groups)


def aurocs(y_true: ArrayLike, y_score: ArrayLike, groups: ArrayLike) -> NDArray[np.float64]:
    """As `classification.bootstrap` of `classification.auroc`.

    Args:
        y_true: (N,) of 0 and 1.
        y_score: (N,) without NaN.
        groups: (N,) of the group of each row.
    """
    num_groups, group_of = _grouped(groups)
    return _resampled(_auroc(np.asarray(y_true, bool), np.asarray(y_score), group_of), num_groups)


def macro_aurocs(
    y_true_index: ArrayLike, y_prob: ArrayLike, groups: ArrayLike
) -> NDArray[np.float64]:
    """As `classification.bootstrap` of `classification.macro_auroc`.

    Args:
        y_true_index: (N,) of class indices below C.
        y_prob: (N, C).
        groups: (N,) of the group of each row.
    """
    truth, prob = np.asarray(y_true_index), np.asarray(y_prob)
    num_groups, group_of = _grouped(groups)
    areas = [_auroc(truth == index, prob[:, index], group_of) for index in np.unique(truth)]

    def macro_auroc(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        return _mean_of_defined(np.stack([area(drawn) for area in areas]))

    return _resampled(macro_auroc, num_groups)


def balanced_accuracies(
    y_true: ArrayLike, y_pred: ArrayLike, groups: ArrayLike
) -> NDArray[np.float64]:
    """As `classification.bootstrap` of `balanced_accuracy`; class indices, each (N,)."""
    truth, called = np.asarray(y_true), np.asarray(y_pred)
    num_groups, group_of = _grouped(groups)
    names, class_of = np.unique(truth, return_inverse=True)
    rows = _totals(class_of, len(names), group_of, num_groups)
    hits = _totals(class_of, len(names), group_of, num_groups, truth == called)

    def balanced_accuracy(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        return _mean_of_defined(_divided(_weighted(hits, drawn), _weighted(rows, drawn)))

    return _resampled(balanced_accuracy, num_groups)


def eces(
    y_true_index: ArrayLike, y_prob: ArrayLike, groups: ArrayLike, num_bins: int = 15
) -> NDArray[np.float64]:
    """As `classification.bootstrap` of `classification.ece`; the arrays as in `macro_aurocs`."""
    truth, prob = np.asarray(y_true_index), np.asarray(y_prob)
    num_groups, group_of = _grouped(groups)
    bins, gaps = classification.confidence_gaps(truth, prob, num_bins)
    gap_totals = _totals(bins, num_bins, group_of, num_groups, gaps)
    sizes = np.bincount(group_of, minlength=num_groups)[None]

    def ece(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        (num_rows,) = _weighted(sizes, drawn)
        return _divided(np.abs(_weighted(gap_totals, drawn)).sum(axis=0), num_rows)

    return _resampled(ece, num_groups)


def briers(y_true_index: ArrayLike, y_prob: ArrayLike, groups: ArrayLike) -> NDArray[np.float64]:
    """As `classification.bootstrap` of `classification.brier`; the arrays as in `macro_aurocs`."""
    return means(classification.squared_distances(y_true_index, y_prob), groups)


def _resampled(statistic: _Statistic, num_groups: int) -> NDArray[np.float64]:
    """The statistic of each resample, (resamples,)."""
    values = np.full(_NUM_RESAMPLES, np.nan)
    if num_groups < 2:
        return values
    rng = np.random.default_rng(_SEED)
    for start in range(0, _NUM_RESAMPLES, _NUM_AT_A_TIME):
        # A call for each resample would draw the same.
        drawn = rng.integers(num_groups, size=(_NUM_AT_A_TIME, num_groups))
        cells = drawn * _NUM_AT_A_TIME + np.arange(_NUM_AT_A_TIME)[:, None]
        counts = np.bincount(cells.ravel(), minlength=num_groups * _NUM_AT_A_TIME)
        values[start : start + _NUM_AT_A_TIME] = statistic(
            counts.reshape(num_groups, _NUM_AT_A_TIME).astype(np.float64)
        )
    return values


def _auroc(
    truth: NDArray[np.bool_], score: NDArray[np.float64], group_of: NDArray[np.intp]
) -> _Statistic:
    order = np.argsort(score, kind="stable")
    rest, wanted = order[~truth[order]], order[truth[order]]
    below_at = np.searchsorted(score[rest], score[wanted], "left")
    not_above_at = np.searchsorted(score[rest], score[wanted], "right")

    def auroc(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        # How many of the rest were drawn up to each place, none of them before the first.
        num_rest = np.zeros((len(rest) + 1, drawn.shape[1]))
        np.cumsum(drawn[group_of[rest]], axis=0, out=num_rest[1:])
        num_wanted = drawn[group_of[wanted]]
        num_won_twice = (num_wanted * (num_rest[below_at] + num_rest[not_above_at])).sum(axis=0)
        return _divided(num_won_twice, 2 * num_wanted.sum(axis=0) * num_rest[-1])

    return auroc


def _totals(
    kind_of: NDArray[np.intp],
    num_kinds: int,
    group_of: NDArray[np.intp],
    num_groups: int,
    weights: NDArray[np.float64] | NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """Rows of each kind (a class, a bin) in each group, or the sum of their weights."""
    cells = kind_of * num_groups + group_of
    totals = np.bincount(cells, weights, num_kinds * num_groups)
    return totals.reshape(num_kinds, num_groups).astype(np.float64)


def _weighted(totals: NDArray[Any], drawn: NDArray[np.float64]) -> NDArray[np.float64]:
    """Totals of each kind (kinds, groups) in each resample, (kinds, resamples)."""
    # Not `@`: its threads wait for each other on a machine that is busy, for ten times as long.
    sums: NDArray[np.float64] = np.einsum("kg,gr->kr", totals, drawn)
    return sums


def _divided(parts: NDArray[np.float64], wholes: NDArray[np.float64]) -> NDArray[np.float64]:
    """NaN where the whole is 0."""
    shares = np.full(parts.shape, np.nan)
    np.divide(parts, wholes, out=shares, where=wholes > 0)
    return shares


def _mean_of_defined(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of each column (K, resamples) over what is not NaN; NaN where all is."""
    is_defined = ~np.isnan(values)
    return _divided(
        np.where(is_defined, values, 0.0).sum(axis=0), is_defined.sum(axis=0, dtype=np.float64)
    )


def _grouped(groups: ArrayLike) -> tuple[int, NDArray[np.intp]]:
    """How many groups there are, and the group of each row, (N,)."""
    names, group_of = np.unique(np.asarray(groups), return_inverse=True)
    return len(names), group_of


def to_record(estimate: Estimate) -> dict[str, Any]:
    """An estimate as a JSON object; NaN becomes null."""
    record: dict[str, Any] = without_nan(dataclasses.asdict(estimate))
    return record


def from_record(fields: dict[str, Any]) -> Estimate:
    """The estimate that `to_record` wrote."""
    value, low, high = (
        math.nan if fields[name] is None else fields[name] for name in ("value", "low", "high")
    )
    return Estimate(**{**fields, "value": value, "low": low, "high": high})


def without_nan(value: Any) -> Any:
    """The value with NaN as null and tuples as lists, as JSON needs it."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
