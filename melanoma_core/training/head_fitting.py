"""The last layer as a multinomial logistic regression on embeddings.

Its fit has one best answer, needs no TensorFlow, and takes seconds. The strength of regularization
is chosen on validation photographs.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melanoma_core.data import balance
from melanoma_core.diagnoses import CODES
from melanoma_core.errors import DatasetError
from melanoma_core.evaluation import evaluate
from melanoma_core.metrics import calibration
from melanoma_core.models.artifacts import MASKED
from melanoma_core.runs.configs import TrainConfig

# From strong to weak regularization: scikit-learn's C, the inverse of the penalty. On the
# nine-class set the best was between 0.001 and 0.01.
STRENGTHS = tuple(float(strength) for strength in np.logspace(-4.5, 0, 10))
# Directions in which embeddings differ most: 256 of 1,280 make a fit five times quicker.
_MOST_DIRECTIONS = 256
_NUM_WORSE = 2  # fits after the best one before the rest is left out
_MAX_STEPS = 300

OnFit = Callable[[list[dict[str, Any]]], None]


@dataclass(frozen=True)
class Head:
    """The last layer, and how it was found."""

    kernel: NDArray[np.float32]  # (K, C), in the order of `CODES`
    bias: NDArray[np.float32]  # (C,)
    prior_shift: tuple[float, ...]  # (C,) as in `Calibration`
    strength: float  # of `STRENGTHS`
    history: tuple[dict[str, Any], ...]  # one dict per fit; its "epoch" counts the fits from 1


def fit(
    train: tuple[NDArray[np.float32], NDArray[np.int64]],
    val: tuple[NDArray[np.float32], NDArray[np.int64]],
    config: TrainConfig,
    real_counts: NDArray[np.int64],
    on_fit: OnFit | None = None,
) -> Head:
    """The last layer that explains the validation photographs best.

    Classes are balanced by weights that amount to what `config` plans, as in full training.

    Args:
        train: embeddings (N, K) and labels (N,), positions in `CODES`.
        val: the same for validation; here labels are positions in `LABELS`.
        config: gives balance and method.
        real_counts: (10,) training photographs of each label.
        on_fit: is given the history so far after each fit.

    Raises:
        DatasetError: fewer than two classes are to be distinguished.
    """
    from sklearn.linear_model import LogisticRegression

    vectors, labels = train
    counts = np.bincount(labels, minlength=len(CODES))
    present = np.flatnonzero(counts)
    if len(present) < 2:
        raise DatasetError(
            f"The training photographs show {len(present)} diagnoses; at least two are needed. Add "
            "a data set that holds others."
        )
    balanced = balance.effective_counts(counts, config.balance, config.balance_by)
    weights = (balanced[labels] / counts[labels]).astype(np.float64)
    shift = balance.prior_shift(balanced, balance.by_diagnosis(real_counts))
    middle, directions = _directions(vectors)
    turned = (vectors - middle) @ directions
    model = LogisticRegression(max_iter=_MAX_STEPS, warm_start=True)
    best: tuple[float, Head] | None = None
    history: list[dict[str, Any]] = []
    for strength in STRENGTHS:
        started = time.monotonic()
        model.set_params(C=strength)
        model.fit(turned, labels, sample_weight=weights)
        kernel, bias = _layer(model, present, middle, directions)
        of_train = calibration.probabilities(vectors.astype(np.float64) @ kernel + bias + shift)
        row = {
            "epoch": len(history) + 1,
            "strength": strength,
            "loss": evaluate.log_loss(of_train, labels),
            **evaluate.validation_figures(
                val[0].astype(np.float64) @ kernel + bias + shift, val[1]
            ),
            "seconds": round(time.monotonic() - started, 1),
        }
        history.append(row)
        if on_fit is not None:
            on_fit(history)
        if best is None or row["val_loss"] < best[0]:
            best = row["val_loss"], Head(kernel, bias, tuple(shift.tolist()), strength, ())
        elif len(history) - _place_of(best[1].strength) > _NUM_WORSE:
            break
    assert best is not None
    return replace(best[1], history=tuple(history))


def _place_of(strength: float) -> int:
    return STRENGTHS.index(strength) + 1


def _directions(
    vectors: NDArray[np.float32],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean (K,) of embeddings, and the directions (K, D) in which they differ most.

    Each number of an embedding counts alike: it is divided by its own spread.
    """
    middle, spread = vectors.mean(axis=0, dtype=np.float64), vectors.std(axis=0, dtype=np.float64)
    spread[spread == 0] = 1.0
    scaled = (vectors - middle) / spread
    _, axes = np.linalg.eigh(scaled.T @ scaled)  # the largest last
    return middle, axes[:, -_MOST_DIRECTIONS:] / spread[:, np.newaxis]


def _layer(
    model: Any,
    present: NDArray[np.int64],
    middle: NDArray[np.float64],
    directions: NDArray[np.float64],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Kernel and bias for embeddings as the network gives them."""
    coefficients, intercept = model.coef_, model.intercept_
    if len(present) == 2:  # scikit-learn gives one row, the log-odds of the second class
        coefficients = np.vstack([-coefficients / 2, coefficients / 2])
        intercept = np.concatenate([-intercept / 2, intercept / 2])
    kernel = np.zeros((len(middle), len(CODES)))
    bias = np.full(len(CODES), MASKED)
    kernel[:, present] = directions @ coefficients.T
    bias[present] = intercept - middle @ kernel[:, present]
    return kernel.astype(np.float32), bias.astype(np.float32)
