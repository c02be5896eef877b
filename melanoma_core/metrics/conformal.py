"""Conformal prediction sets: differentials that contain the true diagnosis at a stated rate.

Split conformal prediction (Vovk, Gammerman, Shafer 2005; Angelopoulos and Bates,
arXiv:2107.07511) with the score 1 − p(true diagnosis) and a separate cutoff for melanoma
(Mondrian), because a coverage over all lesions could be met while most melanomas are left out.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from melanoma_core.diagnoses import BENIGN, CODES, DIAGNOSES

LEVEL = 0.90  # target coverage: proportion of cases whose set contains the true diagnosis
MAX_SET_SIZE = 3  # diagnoses that a reader can weigh up; larger sets need review
_IS_BENIGN = np.array([diagnosis.group == BENIGN for diagnosis in DIAGNOSES])


def choose_cutoffs(
    y_true_index: ArrayLike, y_prob: ArrayLike, melanoma_index: int, level: float
) -> tuple[float, float]:
    """Lowest probabilities at which melanoma, and any other diagnosis, are in the set.

    Args:
        y_true_index: (N,) of class indices, of photographs that were not trained on.
        y_prob: (N, C) calibrated probabilities.
        melanoma_index: column of melanoma. Its cutoff is chosen on the melanomas alone, the other
            cutoff on all other photographs.
        level: target coverage of both groups, between 0 and 1.

    Returns:
        (melanoma_cutoff, other_cutoff). 0, which includes every diagnosis, if there are too few
        photographs for the level: fewer than 9 for 0.9.

    Raises:
        ValueError: shapes do not fit, or an index or the level is out of range.
    """
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; it must lie between 0 and 1, such as 0.9.")
    truth, prob = np.asarray(y_true_index), np.asarray(y_prob, dtype=np.float64)
    if prob.ndim != 2 or truth.shape != prob.shape[:1]:
        raise ValueError(f"Shapes are {truth.shape} and {prob.shape}; (N,) and (N, C) are needed.")
    if truth.size and not 0 <= truth.min() <= truth.max() < prob.shape[1]:
        raise ValueError(f"Class indices must lie between 0 and {prob.shape[1] - 1}.")
    true_prob = prob[np.arange(len(truth)), truth.astype(int)]
    is_melanoma = truth == melanoma_index
    return _cutoff(true_prob[is_melanoma], level), _cutoff(true_prob[~is_melanoma], level)


def num_to_cover(num_cases: int, level: float) -> int:
    """Calibration cases that a cutoff must cover to be expected to cover `level` of new cases.

    A cutoff that covers just `level` of its own cases is expected to cover less of new ones. A
    result above `num_cases` means too few cases for the level.

    >>> num_to_cover(137, 0.95), num_to_cover(8, 0.9)
    (132, 9)
    """
    # (99 + 1) * 0.55 is 55.00000000000001; without the epsilon ceil() would ask for a 56th.
    return math.ceil((num_cases + 1) * level - 1e-9)


def _cutoff(true_prob: NDArray[np.float64], level: float) -> float:
    """The highest cutoff that covers `num_to_cover` cases; 0 if there are too few."""
    num = num_to_cover(true_prob.size, level)
    if num > true_prob.size:
        return 0.0
    return float(np.sort(true_prob)[::-1][num - 1])


def prediction_sets(
    y_prob: ArrayLike, melanoma_cutoff: float, other_cutoff: float, melanoma_index: int
) -> NDArray[np.bool_]:
    """(N, C) membership of each diagnosis in the set; the likeliest is always a member.

    Args:
        y_prob: (N, C) calibrated probabilities.
        melanoma_cutoff: from `choose_cutoffs`.
        other_cutoff: from `choose_cutoffs`.
        melanoma_index: column of melanoma.

    >>> prediction_sets([[0.2, 0.7, 0.1], [0.1, 0.3, 0.6]], 0.15, 0.3, melanoma_index=0).tolist()
    [[True, True, False], [False, True, True]]
    """
    prob = np.asarray(y_prob, dtype=np.float64)
    cutoffs = np.full(prob.shape[1], other_cutoff)
    cutoffs[melanoma_index] = melanoma_cutoff
    members = prob >= cutoffs
    members[np.arange(len(prob)), prob.argmax(axis=1)] = True
    return np.asarray(members, dtype=np.bool_)


def needs_review(members: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(N,) True for a set too vague to use without review.

    Args:
        members: (N, 9) from `prediction_sets`, in the order of `CODES`.

    Returns:
        True for more than `MAX_SET_SIZE` diagnoses, or both melanoma and a benign one.
    """
    has_both = members[:, CODES.index("MEL")] & members[:, _IS_BENIGN].any(axis=1)
    return np.asarray((members.sum(axis=1) > MAX_SET_SIZE) | has_both, dtype=np.bool_)
