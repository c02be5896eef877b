"""Conformal differentials: small sets of diagnoses that hold the true one at a stated rate.

Split conformal prediction (Vovk, Gammerman, Shafer 2005; Angelopoulos and Bates,
arXiv:2107.07511) with the score 1 − p(true diagnosis), and a cutoff of its own for melanoma
(Mondrian): a rate over all lesions could be reached while most melanomas are left out.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from melanoma_core.diagnoses import BENIGN, CODES, DIAGNOSES

LEVEL = 0.90  # share of the cases whose true diagnosis the set is to hold
LARGE = 3  # diagnoses that a reader can weigh; a larger set is for review
_IS_BENIGN = np.array([diagnosis.group == BENIGN for diagnosis in DIAGNOSES])


def choose_cutoffs(
    y_true_index: ArrayLike, y_prob: ArrayLike, melanoma_index: int, level: float
) -> tuple[float, float]:
    """Probabilities from which melanoma, and any other diagnosis, joins a differential.

    Args:
        y_true_index: (N,) of class indices, of photographs that nothing was learnt from.
        y_prob: (N, C) calibrated probabilities.
        melanoma_index: column of melanoma, whose cutoff is chosen on the melanomas alone; the
            other cutoff is chosen on all other photographs.
        level: share of either kind whose true diagnosis the set is to hold, between 0 and 1.

    Returns:
        (melanoma_cutoff, other_cutoff). 0, which lets every diagnosis join, where there are too
        few photographs for the level: fewer than 9 for 0.9.

    Raises:
        ValueError: shapes do not fit, an index is out of range, or so is the level.
    """
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; it must lie between 0 and 1, such as 0.9.")
    truth, prob = np.asarray(y_true_index), np.asarray(y_prob, dtype=np.float64)
    if prob.ndim != 2 or truth.shape != prob.shape[:1]:
        raise ValueError(f"Shapes are {truth.shape} and {prob.shape}; (N,) and (N, C) are needed.")
    if truth.size and not 0 <= truth.min() <= truth.max() < prob.shape[1]:
        raise ValueError(f"Class indices must lie between 0 and {prob.shape[1] - 1}.")
    of_true = prob[np.arange(len(truth)), truth.astype(int)]
    is_melanoma = truth == melanoma_index
    return _cutoff(of_true[is_melanoma], level), _cutoff(of_true[~is_melanoma], level)


def num_to_hold(num_cases: int, level: float) -> int:
    """How many of the cases that it is chosen on a cutoff must hold to hold `level` of new ones.

    One that held just that share of its own would be expected to hold less of others. More than
    there are: they are too few for the level.

    >>> num_to_hold(137, 0.95), num_to_hold(8, 0.9)
    (132, 9)
    """
    # (99 + 1) * 0.55 is 55.00000000000001; without the epsilon ceil() would ask for a 56th.
    return math.ceil((num_cases + 1) * level - 1e-9)


def _cutoff(of_true: NDArray[np.float64], level: float) -> float:
    """The probability that as many of the true diagnoses reach as `num_to_hold` asks for."""
    num = num_to_hold(of_true.size, level)
    if num > of_true.size:
        return 0.0
    return float(np.sort(of_true)[::-1][num - 1])


def sets(
    y_prob: ArrayLike, melanoma_cutoff: float, other_cutoff: float, melanoma_index: int
) -> NDArray[np.bool_]:
    """(N, C) whether a diagnosis is in the differential; the likeliest always is.

    Args:
        y_prob: (N, C) calibrated probabilities.
        melanoma_cutoff: as `choose_cutoffs` gives it.
        other_cutoff: the same.
        melanoma_index: column of melanoma.

    >>> sets([[0.2, 0.7, 0.1], [0.1, 0.3, 0.6]], 0.15, 0.3, melanoma_index=0).tolist()
    [[True, True, False], [False, True, True]]
    """
    prob = np.asarray(y_prob, dtype=np.float64)
    cutoffs = np.full(prob.shape[1], other_cutoff)
    cutoffs[melanoma_index] = melanoma_cutoff
    joined = prob >= cutoffs
    joined[np.arange(len(prob)), prob.argmax(axis=1)] = True
    return np.asarray(joined, dtype=np.bool_)


def needs_review(members: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(N,) whether a differential decides too little: it is large, or spans the whole question.

    Args:
        members: (N, 9) as `sets` gives it, in the order of `CODES`.

    Returns:
        True where it holds more than `LARGE` diagnoses, or melanoma beside a benign one.
    """
    has_both = members[:, CODES.index("MEL")] & members[:, _IS_BENIGN].any(axis=1)
    return np.asarray((members.sum(axis=1) > LARGE) | has_both, dtype=np.bool_)
