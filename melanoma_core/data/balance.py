"""Class balancing: how often each class is drawn in a training epoch.

Pages show the plan with the same functions that training draws its rows with.
"""

import math
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from melanoma_core.diagnoses import IS_POSSIBLE

# A class's proportion of an epoch is proportional to (number of its images) ** power.
BALANCE_POWERS = {"none": 1.0, "sqrt": 0.5, "even": 0.0}
# How rare classes count for more: resampled in an epoch of the same length, oversampled with
# augmented copies in a longer epoch, or weighted in the loss.
BALANCE_METHODS = ("sampling", "copies", "weights")
_FLOOR = re.compile(r"floor:(\d{1,6})")  # every class has at least this many images


def balance_floor(balance: str) -> int | None:
    """The n of "floor:n"; None for any other balance.

    >>> balance_floor("floor:500")
    500
    """
    match = _FLOOR.fullmatch(balance)
    return int(match[1]) if match else None


def planned_counts(counts: ArrayLike, balance: str, method: str = "sampling") -> NDArray[np.int64]:
    """Images of each class in one epoch.

    Args:
        counts: (C,) images of each class.
        balance: "none", "sqrt" (square root of the frequency), "even", or "floor:n" (classes
            below n images are oversampled to n).
        method: "sampling" keeps the epoch's length, so common classes are drawn less often.
            "copies" keeps the largest class and oversamples the others, so the epoch grows.
            "weights" leaves the epoch unchanged; see `class_weights`.

    Returns:
        (C,) integers; 0 for a class without images.

    >>> planned_counts([900, 100], "sqrt").tolist()
    [750, 250]
    >>> planned_counts([900, 100], "sqrt", "copies").tolist()
    [900, 300]
    """
    counts = np.asarray(counts, dtype=np.int64)
    if method == "weights" or not counts.any():
        return counts
    weights = _target_weights(counts, balance)
    if method == "copies":
        # With a floor, the weights already are numbers of images.
        scale = 1.0 if balance_floor(balance) is not None else counts.max() / weights.max()
        grown: NDArray[np.int64] = np.maximum(counts, np.rint(weights * scale).astype(np.int64))
        return grown
    exact = counts.sum() * weights / weights.sum()
    planned = np.floor(exact).astype(np.int64)
    # The images lost to rounding go to the classes with the largest remainders.
    missing = int(counts.sum() - planned.sum())
    planned[np.argsort(planned - exact, kind="stable")[:missing]] += 1
    return np.asarray(planned, dtype=np.int64)


def _target_weights(counts: NDArray[np.int64], balance: str) -> NDArray[np.float64]:
    """Relative sizes of the balanced classes; 0 for a class without images."""
    floor = balance_floor(balance)
    weights = (
        np.maximum(counts, 1) ** BALANCE_POWERS[balance]
        if floor is None
        else np.maximum(counts, floor).astype(np.float64)
    )
    return np.where(counts > 0, weights, 0.0)


def draw_rows(
    labels: ArrayLike, balance: str, seed: Sequence[int], method: str = "sampling"
) -> NDArray[np.int64]:
    """The rows of one epoch, shuffled, with each class as often as planned.

    No row is repeated before every row of its class has been drawn.

    Args:
        labels: (N,) class index of each row.
        balance: as in `planned_counts`.
        seed: integers; the same seed draws the same rows.
        method: as in `planned_counts`.

    Returns:
        Row numbers; their count is the sum of `planned_counts`.
    """
    labels = np.asarray(labels, dtype=np.int64)
    rng = np.random.default_rng(seed)
    drawn = []
    for label, num_left in enumerate(planned_counts(np.bincount(labels), balance, method)):
        rows = np.flatnonzero(labels == label)
        while num_left > 0:
            drawn.append(rng.permutation(rows)[:num_left])
            num_left -= len(drawn[-1])
    rows_drawn: NDArray[np.int64] = rng.permutation(np.concatenate(drawn))
    return rows_drawn


def class_weights(counts: ArrayLike, balance: str = "even") -> NDArray[np.float64]:
    """Weight of each class in the loss, with mean 1 over the images.

    Args:
        counts: (C,) images of each class.
        balance: as in `planned_counts`; "even" gives inverse frequencies.

    >>> class_weights([3, 1]).tolist()
    [0.6666666666666666, 2.0]
    """
    counts = np.asarray(counts, dtype=np.int64)
    targets = _target_weights(counts, balance)
    weights: NDArray[np.float64] = counts.sum() * targets / (targets.sum() * np.maximum(counts, 1))
    return weights


def effective_counts(counts: ArrayLike, balance: str, method: str) -> NDArray[np.float64]:
    """Images of each class in one epoch, multiplied by their weight in the loss.

    Args:
        counts: (C,) images of each class.
        balance: as in `planned_counts`.
        method: as in `planned_counts`.
    """
    planned = planned_counts(counts, balance, method).astype(np.float64)
    return planned * class_weights(counts, balance) if method == "weights" else planned


def prior_shift(train_counts: ArrayLike, real_counts: ArrayLike) -> NDArray[np.float64]:
    """Logit adjustment for a network that was trained on balanced classes.

    A network trained on class proportions q returns logits for q; adding log(p/q) returns them
    for the real proportions p (Saerens et al., 2002). Exact, and nothing is fitted.

    Args:
        train_counts: (C,) as `effective_counts` returns them.
        real_counts: (C,) photographs of each class.

    Returns:
        (C,) to add to the logits; 0 for a class without photographs.

    >>> prior_shift([50, 50, 0], [90, 10, 0]).round(2).tolist()
    [0.59, -1.61, 0.0]
    """
    train = np.asarray(train_counts, dtype=np.float64)
    real = np.asarray(real_counts, dtype=np.float64)
    present = train > 0
    shift = np.zeros(len(train))
    shift[present] = np.log(real[present] / real.sum()) - np.log(train[present] / train.sum())
    return shift


def by_diagnosis(counts: ArrayLike) -> NDArray[np.float64]:
    """Photographs of each diagnosis, those that are benign without a name shared out.

    Each benign diagnosis gets as many of them as its share of those that are named: nobody knows
    better.

    Args:
        counts: (10,) photographs of each label, in the order of `LABELS`.

    Returns:
        (9,) in the order of `CODES`, with the same sum.
    """
    *named, num_unnamed = np.asarray(counts, dtype=np.float64)
    benign = np.where(IS_POSSIBLE[-1], named, 0.0)
    if not benign.any():
        benign = np.asarray(IS_POSSIBLE[-1], dtype=np.float64)
    shared: NDArray[np.float64] = np.asarray(named) + num_unnamed * benign / benign.sum()
    return shared


def imbalance_ratio(counts: ArrayLike) -> float:
    """Images of the largest class over those of the smallest; empty classes do not count.

    NaN without images.

    >>> imbalance_ratio([462, 77, 0])
    6.0
    """
    present = np.asarray(counts, dtype=np.float64)
    present = present[present > 0]
    return float(present.max() / present.min()) if len(present) else math.nan


def effective_classes(counts: ArrayLike) -> float:
    """Effective number of classes: the exponential of the entropy (Hill, 1973).

    C for C classes of equal size, near 1 if one class dominates; NaN without images.

    >>> effective_classes([10, 10, 0])
    2.0
    """
    present = np.asarray(counts, dtype=np.float64)
    present = present[present > 0]
    if not len(present):
        return math.nan
    proportions = present / present.sum()
    return float(np.exp(-(proportions * np.log(proportions)).sum()))
