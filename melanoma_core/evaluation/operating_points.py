"""Referral thresholds for melanoma and carcinoma: chosen on validation, measured on test."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from melanoma_core.diagnoses import BY_CODE, CARCINOMA_CODES, CODES, MALIGNANT_CODES
from melanoma_core.errors import DatasetError
from melanoma_core.evaluation.evaluate import Evaluation, proportion
from melanoma_core.metrics import classification, conformal
from melanoma_core.models.cards import OperatingPoint, ReferralRule

MELANOMA_CODES = ("MEL",)


def operating_point(
    val: Evaluation, test: Evaluation, target: float, codes: Sequence[str] = MELANOMA_CODES
) -> OperatingPoint:
    """The threshold expected to find `target` of new lesions of these diagnoses, and its results.

    It finds ceil((n + 1) · target) of n validation photographs of them, as the differential does: a
    threshold that finds just `target` of those it was chosen on is expected to find fewer new ones.
    With fewer than 19 it finds them all, and even that does not guarantee 95 %.

    Args:
        val: the validation photographs.
        test: the test photographs.
        target: proportion to find, in (0, 1].
        codes: the diagnoses; their probabilities are summed.

    Raises:
        DatasetError: the validation split has none of them.
    """
    is_one = is_any(val, codes)
    if not is_one.any():
        names = " or ".join(f"{BY_CODE[code].name.lower()}s" for code in codes)
        raise DatasetError(
            f"The validation split has no {names}, so no threshold can be chosen. Add some."
        )
    num = int(is_one.sum())
    val_sensitivity = min(1.0, conformal.num_to_cover(num, target) / num)
    threshold = classification.threshold_at_sensitivity(
        is_one.astype(np.int64), probability_of(val, codes), val_sensitivity
    )
    is_referred = probability_of(test, codes) >= threshold
    is_one_of_test = is_any(test, codes)
    return OperatingPoint(
        target=target,
        threshold=threshold,
        val_photographs=num,
        val_lesions=val.num_lesions(is_one),
        sensitivity=proportion(test, is_one_of_test, is_referred),
        specificity=proportion(test, ~is_one_of_test, ~is_referred),
    )


def carcinoma_points(
    val: Evaluation, test: Evaluation, targets: Sequence[float]
) -> tuple[OperatingPoint, ...]:
    """Thresholds for basal and squamous cell carcinoma together; none without a carcinoma."""
    if not is_any(val, CARCINOMA_CODES).any():
        return ()
    return tuple(operating_point(val, test, target, CARCINOMA_CODES) for target in targets)


def referral_rule(
    test: Evaluation, melanoma: OperatingPoint, carcinoma: OperatingPoint
) -> ReferralRule:
    """What two thresholds do together on test photographs: a lesion above either is referred."""
    is_referred = (test.melanoma_probability >= melanoma.threshold) | (
        probability_of(test, CARCINOMA_CODES) >= carcinoma.threshold
    )
    is_malignant = is_any(test, MALIGNANT_CODES)
    return ReferralRule(
        target=melanoma.target,
        sensitivity=proportion(test, is_malignant, is_referred),
        specificity=proportion(test, ~is_malignant, ~is_referred),
    )


def is_any(evaluation: Evaluation, codes: Sequence[str]) -> NDArray[np.bool_]:
    """(N,) True for photographs of one of these diagnoses."""
    return np.asarray(evaluation.table["diagnosis"].isin(codes), np.bool_)


def probability_of(evaluation: Evaluation, codes: Sequence[str]) -> NDArray[np.float64]:
    """(N,) summed probability of these diagnoses."""
    columns = evaluation.y_prob[:, [CODES.index(code) for code in codes]]
    return np.asarray(columns.sum(axis=1), np.float64)
