"""Thresholds for melanoma and carcinoma, and the rule that refers by both."""

import numpy as np
import pytest

from melanoma_core.diagnoses import CARCINOMA_CODES
from melanoma_core.errors import DatasetError
from melanoma_core.evaluation.operating_points import (
    carcinoma_points,
    operating_point,
    referral_rule,
)
from tests.support.made_evaluations import made, spread


def test_the_threshold_comes_from_validation_and_its_figures_from_test():
    val = made(
        ["MEL"] * 4 + ["NV"] * 2,
        [spread("MEL", p) for p in (0.3, 0.5, 0.7, 0.9, 0.4, 0.6)],
        lesion_id=["a", "a", "b", "c", "d", "e"],
    )
    test = made(["MEL", "MEL", "NV"], [spread("MEL", p) for p in (0.2, 0.8, 0.4)])
    point = operating_point(val, test, 0.95)
    assert point.threshold == 0.3
    assert (point.val_photographs, point.val_lesions) == (4, 3)
    assert (point.sensitivity.value, point.specificity.value) == (0.5, 0)
    assert operating_point(val, test, 0.6).threshold == 0.5
    with pytest.raises(DatasetError, match="has no melanomas"):
        operating_point(test.where(np.array([False, False, True])), test, 0.95)


@pytest.mark.parametrize(("num_melanomas", "num_found"), [(137, 132), (39, 38), (38, 38), (5, 5)])
def test_threshold_finds_enough_for_the_target_on_new_melanomas(num_melanomas, num_found):
    prob = np.linspace(0.05, 0.9, num_melanomas)
    val = made(["MEL"] * num_melanomas, [spread("MEL", p) for p in prob])
    point = operating_point(val, val, 0.95)
    assert (prob >= point.threshold).sum() == num_found == point.sensitivity.num_hits
    # A new melanoma is equally likely to lie in each of the n + 1 gaps between and beyond these.
    assert num_found / (num_melanomas + 1) >= min(0.95, num_melanomas / (num_melanomas + 1))


def test_carcinomas_are_referred_by_the_sum_of_both():
    val = made(["BCC", "SCC", "NV"], [spread("BCC", 0.6), spread("SCC", 0.4), spread("NV", 0.9)])
    point = operating_point(val, val, 0.95, CARCINOMA_CODES)
    assert point.threshold == 0.4
    assert (point.sensitivity.num_hits, point.specificity.num_hits) == (2, 1)


def test_without_a_carcinoma_in_validation_there_is_no_threshold_for_it():
    val = made(["MEL", "NV"], [spread("MEL", 0.6), spread("NV", 0.9)])
    assert carcinoma_points(val, val, (0.95, 0.9)) == ()


def test_a_lesion_above_either_threshold_is_referred():
    val = made(["MEL", "BCC"], [spread("MEL", 0.8), spread("BCC", 0.8)])
    test = made(
        ["MEL", "MEL", "BCC", "SCC", "NV", "NV", "AK"],
        [
            spread(code, p)
            for code, p in (
                ("MEL", 0.9), ("NV", 0.9), ("MEL", 0.9), ("BCC", 0.9), ("NV", 0.9), ("MEL", 0.9),
                ("AK", 0.9),
            )
        ],
    )  # fmt: skip
    rule = referral_rule(
        test, operating_point(val, test, 0.95), operating_point(val, test, 0.95, CARCINOMA_CODES)
    )
    assert (rule.sensitivity.num_hits, rule.sensitivity.num_photographs) == (3, 4)
    assert (rule.specificity.num_hits, rule.specificity.num_photographs) == (2, 3)
