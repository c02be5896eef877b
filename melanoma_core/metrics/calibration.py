"""Calibrated probabilities from logits, and how reliable they are."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from melanoma_core.errors import RunError

# Above these bounds the logits are useless; below them the split has no errors to fit.
MIN_TEMPERATURE = 0.05
MAX_TEMPERATURE = 20.0
_BIAS_SPREAD = 0.5  # standard deviation of the prior on class biases: odds off by a factor of 1.6


@dataclass(frozen=True)
class Calibration:
    """What turns a network's logits into probabilities; the network's weights stay as they are.

    softmax((logits + prior_shift + class_bias) / temperature).
    """

    temperature: float = 1.0  # above 0; more than 1 makes probabilities milder
    # (C,) from the class proportions that the network was trained on to the real ones; empty: none.
    prior_shift: tuple[float, ...] = ()
    class_bias: tuple[float, ...] = ()  # (C,) fitted on validation photographs; empty: none

    def shift(self, logits: ArrayLike) -> NDArray[np.float64]:
        """The logits (N, C) or (C,) with prior shift and class bias, before the temperature."""
        values = np.asarray(logits, dtype=np.float64)
        for added in (self.prior_shift, self.class_bias):
            if added:
                values = values + np.asarray(added)
        return values


UNCALIBRATED = Calibration()


def probabilities(
    logits: ArrayLike, calibration: Calibration = UNCALIBRATED
) -> NDArray[np.float64]:
    """Calibrated probabilities of logits, computed in float64 without overflow.

    Args:
        logits: (N, C) or (C,), finite.
        calibration: of the model; by default none, a plain softmax.

    Returns:
        The shape of `logits`; the last axis sums to 1.

    Raises:
        ValueError: a logit is not finite, or the temperature not above 0.

    >>> probabilities([0.0, 0.0, 1000.0]).tolist()
    [0.0, 0.0, 1.0]
    """
    values = calibration.shift(logits)
    if not np.isfinite(values).all():
        raise ValueError("A logit is NaN or infinite; the network or its input is damaged.")
    temperature = calibration.temperature
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(f"The temperature is {temperature}; it must be a number above 0.")
    scaled = values / temperature
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    normalized: NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return normalized


def fit(logits: ArrayLike, y_true: ArrayLike, prior_shift: Sequence[float] = ()) -> Calibration:
    """The calibration that explains the validation photographs best, for a given prior shift.

    Args:
        logits: (N, C) of the validation split.
        y_true: (N,) of class indices below C; or (N, C) True for the classes that a row may be,
            where some labels leave several open.
        prior_shift: (C,) as in `Calibration`.

    Raises:
        RunError: there is no row.
        ValueError: as `fit_temperature`.
    """
    shifted = Calibration(prior_shift=tuple(prior_shift)).shift(logits)
    class_bias = fit_class_bias(shifted, y_true)
    temperature = fit_temperature(shifted + class_bias, y_true)
    return Calibration(temperature, tuple(prior_shift), tuple(class_bias.tolist()))


def fit_temperature(logits: ArrayLike, y_true: ArrayLike) -> float:
    """The temperature that makes the right answers likeliest (Guo et al., ICML 2017).

    The negative log-likelihood is convex in 1 / temperature, so its slope changes sign at most
    once and bisection finds the minimum to the last digits. (With rows that several classes are
    possible for it need not be convex; bisection then finds a minimum where the slope turns.)

    Args:
        logits: (N, C) of the validation split.
        y_true: (N,) of class indices below C; or (N, C) True for the classes that a row may be,
            where some labels leave several open.

    Returns:
        A temperature between MIN_TEMPERATURE and MAX_TEMPERATURE; a bound itself where the best
        lies beyond it.

    Raises:
        RunError: there is no row.
        ValueError: the shapes do not fit, an index is out of range, or a logit is not finite.
    """
    values, is_possible = _checked(logits, y_true)
    # Distances to the right answer's logit: their mean keeps its digits where all are right.
    gaps = values - np.where(is_possible, values, -np.inf).max(axis=1, keepdims=True)
    low, high = math.log(MIN_TEMPERATURE), math.log(MAX_TEMPERATURE)
    for _ in range(60):  # an interval of 6 halved 60 times is below the spacing of floats
        middle = (low + high) / 2
        # The slope of the loss by 1 / temperature.
        prob = probabilities(gaps, Calibration(math.exp(middle)))
        rest = prob - _among(gaps / math.exp(middle), is_possible)
        slope = float(np.mean(np.sum(rest * gaps, axis=1)))
        if slope == 0:
            break
        if slope > 0:
            low = middle
        else:
            high = middle
    return min(max(math.exp((low + high) / 2), MIN_TEMPERATURE), MAX_TEMPERATURE)


def fit_class_bias(logits: ArrayLike, y_true: ArrayLike) -> NDArray[np.float64]:
    """What is to be added to the logits so that no class is given too large or too small a share.

    The biases of bias-corrected temperature scaling (Alexandari et al., ICML 2020): those that,
    with a temperature of their own, make the right answers likeliest. A normal prior about 0 holds
    them back where photographs are few.

    Args:
        logits: (N, C) of the validation split.
        y_true: (N,) of class indices below C; or (N, C) True for the classes that a row may be,
            where some labels leave several open.

    Returns:
        (C,) in logits before the temperature; 0 for a class that no row names alone.

    Raises:
        RunError: there is no row.
        ValueError: as `fit_temperature`.
    """
    from scipy.optimize import minimize  # serving needs none of these
    from scipy.special import log_softmax, logsumexp

    values, is_possible = _checked(logits, y_true)
    start = math.log(1 / fit_temperature(values, is_possible))
    is_named = is_possible.sum(axis=1) == 1
    present = np.flatnonzero(is_possible[is_named].any(axis=0))

    def loss(found: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scale, bias = math.exp(found[0]), np.zeros(values.shape[1])
        bias[present] = found[1:]
        scaled = scale * values + bias
        log_prob = log_softmax(scaled, axis=1)
        rest = np.exp(log_prob) - _among(scaled, is_possible)
        slopes = np.r_[scale * np.sum(rest * values), rest.sum(axis=0)[present]]
        slopes[1:] += found[1:] / _BIAS_SPREAD**2
        prior = np.sum(found[1:] ** 2) / (2 * _BIAS_SPREAD**2)
        of_truth = logsumexp(np.where(is_possible, log_prob, -np.inf), axis=1)
        return float(prior - of_truth.sum()) / len(values), slopes / len(values)

    within = [tuple(-math.log(bound) for bound in (MAX_TEMPERATURE, MIN_TEMPERATURE))]
    best = minimize(
        loss, np.r_[start, np.zeros(len(present))], jac=True, method="L-BFGS-B",
        bounds=within + [(None, None)] * len(present),
    ).x  # fmt: skip
    bias = np.zeros(values.shape[1])
    bias[present] = best[1:] / math.exp(best[0])
    return bias


def _checked(logits: ArrayLike, y_true: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Logits (N, C), and (N, C) True for the classes that each row may be."""
    values, truth = np.asarray(logits, dtype=np.float64), np.asarray(y_true)
    if truth.size == 0:
        raise RunError(
            "The validation split holds no photograph; at least one is needed to calibrate. "
            "Give the data set a validation split, or let the app split it."
        )
    if values.ndim != 2 or truth.shape not in (values.shape[:1], values.shape):
        raise ValueError(
            f"Shapes are {values.shape} and {truth.shape}; (N, C) and (N,) or (N, C) needed."
        )
    if truth.ndim == 2:
        return values, truth.astype(bool)
    if not 0 <= truth.min() <= truth.max() < values.shape[1]:
        raise ValueError(f"Class indices must lie between 0 and {values.shape[1] - 1}.")
    return values, np.eye(values.shape[1], dtype=bool)[truth.astype(int)]


def _among(scaled: NDArray[np.float64], is_possible: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Probabilities (N, C) of scaled logits, given that a row is one of its possible classes."""
    masked = np.where(is_possible, scaled, -np.inf)
    powers = np.exp(masked - masked.max(axis=1, keepdims=True))
    normalized: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return normalized


@dataclass(frozen=True)
class ReliabilityBin:
    """The rows whose probability is in (low, high], and how many are true."""

    low: float  # 0 belongs to the first bin
    high: float
    num_rows: int
    num_hits: int  # rows that are true
    mean_probability: float  # NaN in an empty bin
    observed: float  # num_hits / num_rows; NaN in an empty bin


def bin_indices(y_prob: ArrayLike, num_bins: int) -> NDArray[np.intp]:
    """The bin of each probability, from 0: equal widths, closed on the right.

    >>> bin_indices([0.0, 0.1, 0.11, 1.0], 10).tolist()
    [0, 0, 1, 9]
    """
    indices = np.ceil(np.asarray(y_prob, dtype=np.float64) * num_bins).astype(np.intp) - 1
    return np.clip(indices, 0, num_bins - 1)


def reliability(
    y_true: ArrayLike, y_prob: ArrayLike, num_bins: int = 10
) -> tuple[ReliabilityBin, ...]:
    """A reliability diagram: observed frequencies in bins of equal width.

    Args:
        y_true: (N,) of 0 or 1.
        y_prob: (N,) probability of 1, in [0, 1].
        num_bins: at least 1.

    Returns:
        `num_bins` bins from low to high, including empty ones.

    Raises:
        ValueError: shapes differ, or a probability is outside [0, 1].
    """
    truth, prob = np.asarray(y_true, dtype=bool), np.asarray(y_prob, dtype=np.float64)
    if truth.ndim != 1 or truth.shape != prob.shape:
        raise ValueError(f"Shapes are {truth.shape} and {prob.shape}; both must be (N,).")
    if not ((prob >= 0) & (prob <= 1)).all():
        raise ValueError("A probability is NaN or outside 0 to 1.")
    bin_of = bin_indices(prob, num_bins)
    rows = np.bincount(bin_of, minlength=num_bins)
    hits = np.bincount(bin_of[truth], minlength=num_bins)
    sums = np.bincount(bin_of, weights=prob, minlength=num_bins)
    return tuple(
        ReliabilityBin(
            low=index / num_bins,
            high=(index + 1) / num_bins,
            num_rows=int(rows[index]),
            num_hits=int(hits[index]),
            mean_probability=float(sums[index] / rows[index]) if rows[index] else math.nan,
            observed=float(hits[index] / rows[index]) if rows[index] else math.nan,
        )
        for index in range(num_bins)
    )
