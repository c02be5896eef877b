"""Bootstrap intervals of shares and of AUROCs, over all resamples at once.

To the last digit those of `classification.bootstrap_interval`, which calls a statistic a thousand times.
Here a resample is how often each group was drawn, and sums over rows are weighted by that: the
Models page draws the intervals of fifty subgroups while its reader waits.
"""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from melanoma_core.metrics import classification
from melanoma_core.metrics.classification import Interval

_NUM_RESAMPLES = 1000
_SEED = 0


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
    """As `classification.bootstrap_interval` of the mean; `hits` (N,) of whole numbers, `groups` (N,)."""
    is_hit = np.asarray(hits, dtype=np.int64)
    drawn, group_of = _drawn(groups)
    if drawn.shape[1] < 2:
        return classification.UNDEFINED
    num_groups = drawn.shape[1]
    num_hits = drawn @ np.bincount(group_of, weights=is_hit, minlength=num_groups)
    return classification.percentile_interval(num_hits / (drawn @ np.bincount(group_of)))


def auroc_interval(y_true: ArrayLike, y_score: ArrayLike, groups: ArrayLike) -> Interval:
    """As `classification.bootstrap_interval` of `classification.auroc`.

    Args:
        y_true: (N,) of 0 and 1.
        y_score: (N,) without NaN.
        groups: (N,) of the group of each row.
    """
    truth, score = np.asarray(y_true, dtype=bool), np.asarray(y_score)
    drawn, group_of = _drawn(groups)
    if drawn.shape[1] < 2:
        return classification.UNDEFINED
    order = np.argsort(score, kind="stable")
    rest, wanted = order[~truth[order]], order[truth[order]]
    below_at = np.searchsorted(score[rest], score[wanted], "left")
    not_above_at = np.searchsorted(score[rest], score[wanted], "right")
    # How many of the rest were drawn up to each place, none of them before the first.
    num_rest = np.zeros((len(drawn), len(rest) + 1))
    np.cumsum(drawn[:, group_of[rest]], axis=1, out=num_rest[:, 1:])
    num_wanted = drawn[:, group_of[wanted]]
    num_won_twice = (num_wanted * (num_rest[:, below_at] + num_rest[:, not_above_at])).sum(axis=1)
    num_pairs = num_wanted.sum(axis=1) * num_rest[:, -1]
    values = np.full(len(drawn), np.nan)
    np.divide(num_won_twice, 2 * num_pairs, out=values, where=num_pairs > 0)
    return classification.percentile_interval(values)


def _drawn(groups: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """How often each group was drawn, (resamples, groups), and the group of each row, (N,)."""
    names, group_of = np.unique(np.asarray(groups), return_inverse=True)
    num_groups = len(names)
    drawn = np.empty((_NUM_RESAMPLES, num_groups))
    rng = np.random.default_rng(_SEED)
    if num_groups:
        for row in drawn:
            row[:] = np.bincount(rng.integers(num_groups, size=num_groups), minlength=num_groups)
    return drawn, group_of


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
