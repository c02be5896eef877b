"""How often each class is drawn in training, so that rare diagnoses are learnt too.

The plan that a page shows and the rows that a training epoch sees come from the same functions.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from melanoma_core.configs import BALANCE_POWERS


def planned_counts(counts: ArrayLike, balance: str) -> NDArray[np.int64]:
    """How many images of each class one epoch holds; its length stays the same.

    Args:
        counts: (C,) images of each class.
        balance: "none", "sqrt" (square root of the frequency) or "even".

    Returns:
        (C,) whole numbers; their sum is that of `counts`. A class without images stays empty.

    >>> planned_counts([900, 100], "sqrt").tolist()
    [750, 250]
    """
    counts = np.asarray(counts, dtype=np.int64)
    weights = np.where(counts > 0, np.maximum(counts, 1) ** BALANCE_POWERS[balance], 0.0)
    wanted = counts.sum() * weights / weights.sum()
    planned = np.floor(wanted).astype(np.int64)
    # The images lost to rounding go to the classes with the largest remainders.
    missing = int(counts.sum() - planned.sum())
    planned[np.argsort(planned - wanted, kind="stable")[:missing]] += 1
    return np.asarray(planned, dtype=np.int64)


def draw_rows(labels: ArrayLike, balance: str, seed: Sequence[int]) -> NDArray[np.int64]:
    """The rows of one epoch, shuffled: each class as often as planned.

    A row comes twice only when its whole class has come once.

    Args:
        labels: (N,) class of each row, from 0.
        balance: as in `planned_counts`.
        seed: whole numbers; the same seed draws the same rows.

    Returns:
        (N,) row numbers.
    """
    labels = np.asarray(labels, dtype=np.int64)
    rng = np.random.default_rng(seed)
    drawn = []
    for label, num_wanted in enumerate(planned_counts(np.bincount(labels), balance)):
        rows = np.flatnonzero(labels == label)
        while num_wanted > 0:
            drawn.append(rng.permutation(rows)[:num_wanted])
            num_wanted -= len(drawn[-1])
    rows_drawn: NDArray[np.int64] = rng.permutation(np.concatenate(drawn))
    return rows_drawn


def class_weights(counts: ArrayLike) -> NDArray[np.float64]:
    """Weight of each class in the loss: one over its frequency, 1 on the average image.

    >>> class_weights([3, 1]).tolist()
    [0.6666666666666666, 2.0]
    """
    counts = np.asarray(counts, dtype=np.float64)
    num_classes = int((counts > 0).sum())
    return np.where(counts > 0, counts.sum() / (num_classes * np.maximum(counts, 1)), 0.0)
