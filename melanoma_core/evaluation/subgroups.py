"""Where a model is right and where it fails: by diagnosis, by subgroup, by threshold.

Only an evaluation is needed, no network. Intervals are bootstrapped over groups, as on the card.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from melanoma_core.data import coverage
from melanoma_core.diagnoses import CODES, SEVEN_CLASSES
from melanoma_core.evaluation import evaluate
from melanoma_core.evaluation.evaluate import Evaluation
from melanoma_core.metrics import calibration
from melanoma_core.metrics.estimates import Estimate


@dataclass(frozen=True)
class DiagnosisFigures:
    """How well photographs of one diagnosis are distinguished from all others."""

    auroc: Estimate  # against the rest
    sensitivity: Estimate  # proportion of its photographs where it is the likeliest diagnosis
    num_photographs: int  # of this diagnosis
    num_lesions: int


def by_diagnosis(evaluation: Evaluation) -> dict[str, DiagnosisFigures]:
    """The figures of each of the nine diagnoses, then of the merged classes BKL and AKIEC.

    Only photographs whose diagnosis is named count.

    A diagnosis counts as found if it is the likeliest of the nine, a merged class if it is the
    likeliest of the seven classes, so that the parts of a merged class do not compete.
    """
    evaluation = evaluation.named
    figures = {
        code: _of_diagnosis(evaluation, evaluation.true, evaluation.y_prob, column)
        for column, code in enumerate(CODES)
    }
    for column, (code, nine) in enumerate(SEVEN_CLASSES.items()):
        if len(nine) > 1:
            figures[code] = _of_diagnosis(
                evaluation, evaluation.seven_true, evaluation.seven_prob, column
            )
    return {code: figures[code] for code in (*CODES, "BKL", "AKIEC")}


def _of_diagnosis(
    evaluation: Evaluation, true: NDArray[np.int64], prob: NDArray[np.float64], column: int
) -> DiagnosisFigures:
    is_diagnosis = true == column
    return DiagnosisFigures(
        auroc=evaluate.auroc(evaluation, is_diagnosis, prob[:, column]),
        sensitivity=evaluate.proportion(evaluation, is_diagnosis, prob.argmax(axis=1) == column),
        num_photographs=int(is_diagnosis.sum()),
        num_lesions=evaluation.num_lesions(is_diagnosis),
    )


def by_attribute(
    evaluation: Evaluation, attribute: str, threshold: float
) -> dict[str, dict[str, Estimate]]:
    """Figures for melanoma in each subgroup.

    Args:
        evaluation: of the test photographs.
        attribute: "age", "sex", "site" or "source".
        threshold: lesions are referred from this melanoma probability on.

    Returns:
            By value, named and ordered as in `coverage.count_lesions` ("not recorded" last):
        melanoma_auroc, sensitivity and specificity; NaN where they are undefined.
    """
    values = np.array(coverage.row_values(evaluation.table, attribute), dtype=object)
    figures = {}
    for value in coverage.sorted_values(values):
        part = evaluation.where(values == value)
        sensitivity, specificity = at_threshold(part, threshold)
        figures[value] = {
            "melanoma_auroc": evaluate.auroc(part, part.is_melanoma, part.melanoma_probability),
            "sensitivity": sensitivity,
            "specificity": specificity,
        }
    return figures


def at_threshold(evaluation: Evaluation, threshold: float) -> tuple[Estimate, Estimate]:
    """Sensitivity and specificity for melanoma at a threshold."""
    return evaluate.sensitivity(evaluation, threshold), evaluate.specificity(evaluation, threshold)


def observed_proportions(
    evaluation: Evaluation, hits: NDArray[np.bool_], y_prob: NDArray[np.float64], num_bins: int
) -> tuple[Estimate, ...]:
    """How often an event occurred in each bin of its probability, with intervals over groups.

    Args:
        evaluation: of N photographs.
        hits: (N,) True where the event occurred.
        y_prob: (N,) its probability.
        num_bins: as in `calibration.reliability`.

    Returns:
        `num_bins` proportions from the lowest bin to the highest; NaN for an empty bin.
    """
    bin_of = calibration.bin_indices(y_prob, num_bins)
    return tuple(
        evaluate.proportion(evaluation, bin_of == index, hits) for index in range(num_bins)
    )


def confusion(evaluation: Evaluation) -> NDArray[np.int64]:
    """(9, 9) photographs by true diagnosis, if named (row), and likeliest diagnosis (column)."""
    evaluation, num = evaluation.named, len(CODES)
    cell = num * evaluation.true + evaluation.y_prob.argmax(axis=1)
    return np.bincount(cell, minlength=num * num).reshape(num, num).astype(np.int64)


def confusion_rate(evaluation: Evaluation, code: str, taken_for: str) -> Estimate:
    """Proportion of the photographs of one diagnosis whose likeliest diagnosis is another one.

    Args:
        evaluation: of the test photographs.
        code: of the true diagnosis.
        taken_for: code of the likeliest diagnosis that is counted.
    """
    evaluation = evaluation.named
    likeliest = evaluation.y_prob.argmax(axis=1)
    return evaluate.proportion(
        evaluation, evaluation.true == CODES.index(code), likeliest == CODES.index(taken_for)
    )


def roc(
    evaluation: Evaluation,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The ROC curve for melanoma.

    Returns:
        false-positive rates (K,) and sensitivities (K,), both rising from 0 to 1, and their
        thresholds (K,), falling; the first is infinite, where nothing is referred. All are empty
        if the photographs show only melanomas, or none.
    """
    # In NumPy: scikit-learn would cost the web process 74 MB and its visitor a second.
    is_melanoma, score = evaluation.is_melanoma == 1, evaluation.melanoma_probability
    if is_melanoma.all() or not is_melanoma.any():
        return np.empty(0), np.empty(0), np.empty(0)
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))  # row of each probability
    num_found = np.append(0, np.cumsum(is_melanoma[order])[last])
    num_referred = np.append(0, last + 1)
    steps = np.stack([num_found, num_referred - num_found])
    # Points on a straight part of the curve are left out.
    is_corner = np.append(True, np.append((np.diff(steps, 2) != 0).any(axis=0), True))
    thresholds = np.append(np.inf, score[order][last])[is_corner]
    sensitivities, rates = (steps / steps[:, -1:])[:, is_corner]
    return rates, sensitivities, thresholds
