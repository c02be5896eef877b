"""Where a model is right and where it fails: by diagnosis, by subgroup, by threshold.

From an evaluation alone, so that the pages need no network. Intervals are bootstrapped over
groups, as those of the card are.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from melanoma_core.data import coverage
from melanoma_core.diagnoses import CODES, SEVEN_CLASSES
from melanoma_core.evaluation import evaluate
from melanoma_core.evaluation.evaluate import Evaluation
from melanoma_core.metrics import calibration
from melanoma_core.metrics.estimates import Estimate


@dataclass(frozen=True)
class DiagnosisFigures:
    """How well photographs of one diagnosis are told from all others."""

    auroc: Estimate  # against the rest
    sensitivity: Estimate  # proportion of its photographs where it is the likeliest diagnosis
    num_photographs: int  # that show it
    num_lesions: int


def by_diagnosis(measured: Evaluation) -> dict[str, DiagnosisFigures]:
    """The figures of each of the nine diagnoses, then of the two sums BKL and AKIEC.

    The likeliest of the nine decides for the nine; for a sum it is the likeliest of the seven
    classes, so that two halves of a sum do not compete.
    """
    found = {
        code: _of_diagnosis(measured, measured.true, measured.y_prob, column)
        for column, code in enumerate(CODES)
    }
    for column, (code, nine) in enumerate(SEVEN_CLASSES.items()):
        if len(nine) > 1:
            found[code] = _of_diagnosis(measured, measured.seven_true, measured.seven_prob, column)
    return {code: found[code] for code in (*CODES, "BKL", "AKIEC")}


def _of_diagnosis(
    measured: Evaluation, true: NDArray[np.int64], prob: NDArray[np.float64], column: int
) -> DiagnosisFigures:
    shows_it = true == column
    return DiagnosisFigures(
        auroc=evaluate.auroc(measured, shows_it, prob[:, column]),
        sensitivity=evaluate.proportion(measured, shows_it, prob.argmax(axis=1) == column),
        num_photographs=int(shows_it.sum()),
        num_lesions=measured.num_lesions(shows_it),
    )


def by_attribute(
    measured: Evaluation, attribute: str, threshold: float
) -> dict[str, dict[str, Estimate]]:
    """Figures for melanoma in each subgroup.

    Args:
        measured: the test photographs.
        attribute: "age", "sex", "site" or "source".
        threshold: melanoma probability from which a lesion is referred.

    Returns:
        By value, as `coverage.count_lesions` words it and in its order ("not recorded" last):
        melanoma_auroc, sensitivity and specificity; NaN where a subgroup cannot give them.
    """
    values = np.array(coverage.row_values(measured.table, attribute), dtype=object)
    found = {}
    for value in coverage.sorted_values(values):
        part = measured.where(values == value)
        sensitivity, specificity = at_threshold(part, threshold)
        found[value] = {
            "melanoma_auroc": evaluate.auroc(part, part.is_melanoma, part.melanoma_probability),
            "sensitivity": sensitivity,
            "specificity": specificity,
        }
    return found


def at_threshold(measured: Evaluation, threshold: float) -> tuple[Estimate, Estimate]:
    """Sensitivity and specificity for melanoma where lesions are referred from `threshold` on."""
    return evaluate.sensitivity(measured, threshold), evaluate.specificity(measured, threshold)


def observed_proportions(
    measured: Evaluation, hits: NDArray[np.bool_], y_prob: NDArray[np.float64], num_bins: int
) -> tuple[Estimate, ...]:
    """The shares of `calibration.reliability`, each bin's with its interval over groups.

    Args:
        measured: gives groups and counts.
        hits: (N,) whether the photograph is what the probability is of.
        y_prob: (N,) of that probability.
        num_bins: as in `calibration.reliability`.

    Returns:
        `num_bins` shares from low to high; NaN in an empty bin.
    """
    bin_of = calibration.bin_indices(y_prob, num_bins)
    return tuple(evaluate.proportion(measured, bin_of == index, hits) for index in range(num_bins))


def confusion(measured: Evaluation) -> NDArray[np.int64]:
    """(9, 9) photographs: the row is the true diagnosis, the column the likeliest one."""
    num = len(CODES)
    cell = num * measured.true + measured.y_prob.argmax(axis=1)
    return np.bincount(cell, minlength=num * num).reshape(num, num).astype(np.int64)


def confusion_rate(measured: Evaluation, code: str, taken_for: str) -> Estimate:
    """Share of the photographs of one diagnosis whose likeliest diagnosis is another one.

    Args:
        measured: the test photographs.
        code: what they show.
        taken_for: the likeliest diagnosis that is counted.
    """
    likeliest = measured.y_prob.argmax(axis=1)
    return evaluate.proportion(
        measured, measured.true == CODES.index(code), likeliest == CODES.index(taken_for)
    )


def confusions(measured: Evaluation, threshold: float) -> pd.DataFrame:
    """Photographs of melanomas and nevi that were taken for one another, or missed.

    Args:
        measured: the test photographs.
        threshold: melanoma probability from which a lesion is referred.

    Returns:
        A row a photograph, the surest error first: image_id, lesion_id, source, diagnosis,
        age_approx, sex, anatom_site_general, melanoma_probability, nevus_probability, is_referred,
        and which error it is: melanoma_as_nevus and nevus_as_melanoma by the likeliest diagnosis,
        melanoma_below by the threshold.
    """
    likeliest = measured.y_prob.argmax(axis=1)
    melanoma, nevus = CODES.index("MEL"), CODES.index("NV")
    is_referred = measured.melanoma_probability >= threshold
    table = measured.table.drop(columns=["group_id", "split"]).assign(
        melanoma_probability=measured.melanoma_probability,
        nevus_probability=measured.y_prob[:, nevus],
        is_referred=is_referred,
        melanoma_as_nevus=(measured.true == melanoma) & (likeliest == nevus),
        nevus_as_melanoma=(measured.true == nevus) & (likeliest == melanoma),
        melanoma_below=(measured.true == melanoma) & ~is_referred,
    )
    kinds = ["melanoma_as_nevus", "nevus_as_melanoma", "melanoma_below"]
    sureness = measured.y_prob[np.arange(len(measured)), likeliest]
    order = np.argsort(-sureness, kind="stable")
    return table.iloc[order][table[kinds].any(axis=1).to_numpy()[order]].reset_index(drop=True)


def roc(
    measured: Evaluation,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The ROC curve of melanoma: shares referred of the others and of the melanomas.

    Returns:
        false-positive rates (K,) rising from 0 to 1, sensitivities (K,) rising from 0 to 1, and
        the thresholds (K,) that they belong to, falling; the first is infinite, for nothing is
        referred there. All empty where there is no melanoma, or nothing else.
    """
    # In NumPy: scikit-learn would take 74 MB of the web process and a second of its visitor.
    is_melanoma, score = measured.is_melanoma == 1, measured.melanoma_probability
    if is_melanoma.all() or not is_melanoma.any():
        return np.empty(0), np.empty(0), np.empty(0)
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))  # of each probability
    found = np.append(0, np.cumsum(is_melanoma[order])[last])
    referred = np.append(0, last + 1)
    steps = np.stack([found, referred - found])
    # Thresholds on a straight piece of the curve add nothing to it.
    is_corner = np.append(True, np.append((np.diff(steps, 2) != 0).any(axis=0), True))
    thresholds = np.append(np.inf, score[order][last])[is_corner]
    sensitivities, rates = (steps / steps[:, -1:])[:, is_corner]
    return rates, sensitivities, thresholds
