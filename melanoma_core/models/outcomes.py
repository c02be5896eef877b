"""What became of the test photographs that a model gave about the same probability."""

import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from melanoma_core.errors import ModelError
from melanoma_core.metrics.classification import wilson_interval

NUM_CLOSEST = 200


@dataclass(frozen=True)
class Outcomes:
    """The melanoma probability of each test photograph, and whether it was a melanoma."""

    y_prob: NDArray[np.float64]  # (N,), calibrated, ascending
    is_melanoma: NDArray[np.bool_]  # (N,)


@dataclass(frozen=True)
class Closest:
    """The test photographs closest to a probability."""

    num_photographs: int
    num_melanomas: int
    low: float  # 95 % interval of the proportion of melanomas
    high: float


def from_evaluation(content: bytes) -> Outcomes:
    """The outcomes in a model's evaluation.json.

    Raises:
        ModelError: the file cannot be read.
    """
    try:
        record = json.loads(content)
        melanoma = record["diagnoses"].index("MEL")
        rows = [row for row in record["rows"] if row["split"] == "test"]
        y_prob = np.array([row["y_prob"][melanoma] for row in rows], np.float64)
        is_melanoma = np.array([row["y_true"] == "MEL" for row in rows], np.bool_)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ModelError(
            f"The model’s evaluation cannot be read ({error}). Restore its folder from a copy."
        ) from error
    order = np.argsort(y_prob, kind="stable")
    return Outcomes(y_prob[order], is_melanoma[order])


def closest(outcomes: Outcomes, probability: float, num: int = NUM_CLOSEST) -> Closest | None:
    """The `num` test photographs closest to a melanoma probability, on the log-odds scale.

    Args:
        outcomes: of the model's test photographs.
        probability: of melanoma, in [0, 1].
        num: of photographs.

    Returns:
        None if the test has fewer than twice as many: the closest would not be close.
    """
    if len(outcomes.y_prob) < 2 * num:
        return None
    distances = np.abs(_log_odds(outcomes.y_prob) - _log_odds(np.array(probability)))
    nearest = np.argsort(distances, kind="stable")[:num]
    num_melanomas = int(outcomes.is_melanoma[nearest].sum())
    return Closest(num, num_melanomas, *wilson_interval(num_melanomas, num))


def _log_odds(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    # evaluation.json has six digits, so nothing below 1e-6 can be told apart.
    within = np.clip(probability, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(within / (1 - within)), np.float64)
