"""How often each class is drawn in training, so that rare diagnoses are learnt too.

The plan that a page shows and the rows that a training epoch sees come from the same functions.
"""

import math
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Share of a class in an epoch is proportional to (number of its images) ** power.
BALANCE_POWERS = {"none": 1.0, "sqrt": 0.5, "even": 0.0}


_FLOOR = re.compile(r"floor:(\d{1,6})")  # no class below this many images


# How a plan is carried out: rare photographs drawn more in an epoch of the same length, further
# views of them in a longer one, or a larger weight in the loss.
BALANCE_METHODS = ("sampling", "copies", "weights")


def balance_floor(balance: str) -> int | None:
    """The n of "floor:n"; None of every other balance.

    >>> balance_floor("floor:500")
    500
    """
    found = _FLOOR.fullmatch(balance)
    return int(found[1]) if found else None


def planned_counts(counts: ArrayLike, balance: str, method: str = "sampling") -> NDArray[np.int64]:
    """How many images of each class one epoch holds.

    Args:
        counts: (C,) images of each class.
        balance: "none", "sqrt" (square root of the frequency), "even", or "floor:n" (classes
            below n images are brought to n).
        method: "sampling" keeps the epoch's length: common classes are drawn less. "copies" takes
            nothing away: the largest class stays, the others get further views, and the epoch
            grows. "weights" leaves the epoch as it is; see `class_weights`.

    Returns:
        (C,) whole numbers. A class without images stays empty.

    >>> planned_counts([900, 100], "sqrt").tolist()
    [750, 250]
    >>> planned_counts([900, 100], "sqrt", "copies").tolist()
    [900, 300]
    """
    counts = np.asarray(counts, dtype=np.int64)
    if method == "weights" or not counts.any():
        return counts
    weights = _shares(counts, balance)
    if method == "copies":
        # The shares of a floor are numbers of images as they stand.
        scale = 1.0 if balance_floor(balance) is not None else counts.max() / weights.max()
        filled: NDArray[np.int64] = np.maximum(counts, np.rint(weights * scale).astype(np.int64))
        return filled
    wanted = counts.sum() * weights / weights.sum()
    planned = np.floor(wanted).astype(np.int64)
    # The images lost to rounding go to the classes with the largest remainders.
    missing = int(counts.sum() - planned.sum())
    planned[np.argsort(planned - wanted, kind="stable")[:missing]] += 1
    return np.asarray(planned, dtype=np.int64)


def _shares(counts: NDArray[np.int64], balance: str) -> NDArray[np.float64]:
    """What the classes are to be taught in proportion to; 0 for one without images."""
    floor = balance_floor(balance)
    shares = (
        np.maximum(counts, 1) ** BALANCE_POWERS[balance]
        if floor is None
        else np.maximum(counts, floor).astype(np.float64)
    )
    return np.where(counts > 0, shares, 0.0)


def draw_rows(
    labels: ArrayLike, balance: str, seed: Sequence[int], method: str = "sampling"
) -> NDArray[np.int64]:
    """The rows of one epoch, shuffled: each class as often as planned.

    A row comes twice only when its whole class has come once.

    Args:
        labels: (N,) class of each row, from 0.
        balance: as in `planned_counts`.
        seed: whole numbers; the same seed draws the same rows.
        method: as in `planned_counts`.

    Returns:
        Row numbers, as many as `planned_counts` sums to.
    """
    labels = np.asarray(labels, dtype=np.int64)
    rng = np.random.default_rng(seed)
    drawn = []
    for label, num_wanted in enumerate(planned_counts(np.bincount(labels), balance, method)):
        rows = np.flatnonzero(labels == label)
        while num_wanted > 0:
            drawn.append(rng.permutation(rows)[:num_wanted])
            num_wanted -= len(drawn[-1])
    rows_drawn: NDArray[np.int64] = rng.permutation(np.concatenate(drawn))
    return rows_drawn


def class_weights(counts: ArrayLike, balance: str = "even") -> NDArray[np.float64]:
    """Weight of each class in the loss, 1 on the average image.

    Args:
        counts: (C,) images of each class.
        balance: as in `planned_counts`; with "even", a class weighs one over its frequency.

    >>> class_weights([3, 1]).tolist()
    [0.6666666666666666, 2.0]
    """
    counts = np.asarray(counts, dtype=np.int64)
    shares = _shares(counts, balance)
    weights: NDArray[np.float64] = counts.sum() * shares / (shares.sum() * np.maximum(counts, 1))
    return weights


def taught(counts: ArrayLike, balance: str, method: str) -> NDArray[np.float64]:
    """How much each class counts for in one epoch: its images, times their weight in the loss.

    Args:
        counts: (C,) images of each class.
        balance: as in `planned_counts`.
        method: as in `planned_counts`.
    """
    drawn = planned_counts(counts, balance, method).astype(np.float64)
    return drawn * class_weights(counts, balance) if method == "weights" else drawn


def prior_shift(taught: ArrayLike, real_counts: ArrayLike) -> NDArray[np.float64]:
    """What is added to the logits of a network that was taught other shares than the real ones.

    A network trained on class shares q gives logits for q; adding log(p/q) gives them for the
    real shares p (Saerens et al., 2002). Exact, and nothing is fitted.

    Args:
        taught: (C,) how much each class counted for.
        real_counts: (C,) photographs of each class.

    Returns:
        (C,) 0 for a class without photographs.

    >>> prior_shift([50, 50, 0], [90, 10, 0]).round(2).tolist()
    [0.59, -1.61, 0.0]
    """
    seen = np.asarray(taught, dtype=np.float64)
    real = np.asarray(real_counts, dtype=np.float64)
    present = seen > 0
    shift = np.zeros(len(seen))
    shift[present] = np.log(real[present] / real.sum()) - np.log(seen[present] / seen.sum())
    return shift


def ratio(counts: ArrayLike) -> float:
    """The largest class over the smallest that has images; NaN where none has.

    >>> ratio([462, 77, 0])
    6.0
    """
    present = np.asarray(counts, dtype=np.float64)
    present = present[present > 0]
    return float(present.max() / present.min()) if len(present) else math.nan


def effective_classes(counts: ArrayLike) -> float:
    """How many classes of one size would be as mixed: exp of the entropy (Hill, 1973).

    C for C classes of one size, near 1 where one class is nearly all; NaN without images.

    >>> effective_classes([10, 10, 0])
    2.0
    """
    present = np.asarray(counts, dtype=np.float64)
    present = present[present > 0]
    if not len(present):
        return math.nan
    shares = present / present.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))
