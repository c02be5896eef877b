"""Expected outcomes: counts by hand, PPV and NPV against Bayes' rule."""

import math
from fractions import Fraction

import pytest

from melanoma_core.metrics.clinical_impact import ClinicalImpact, expected


def test_a_clinic_counted_by_hand():
    # 50 melanomas: 0.94 × 50 = 47 found. 950 others: 0.64 × 950 = 608 spared, 342 referred.
    # PPV 47 / (47 + 342), NPV 608 / (608 + 3).
    clinic = expected(0.94, 0.64, 0.05)
    assert clinic == ClinicalImpact(
        found=47, missed=3, unnecessary_referrals=342, spared=608,
        ppv=pytest.approx(47 / 389), npv=pytest.approx(608 / 611),
    )  # fmt: skip
    assert (clinic.num_melanomas, clinic.num_referred, clinic.num_not_referred) == (50, 389, 611)


@pytest.mark.parametrize(
    ("sensitivity", "specificity", "prevalence"),
    [("0.948", "0.636", "0.001"), ("0.95", "0.75", "0.2"), ("0.9", "0.831", "0.137")],
)
def test_ppv_and_npv_are_bayes_rule(sensitivity, specificity, prevalence):
    sensitivity_, specificity_, prevalence_ = map(Fraction, (sensitivity, specificity, prevalence))
    # P(melanoma | referred) = P(referred | melanoma) · P(melanoma) / P(referred)
    referred = sensitivity_ * prevalence_ + (1 - specificity_) * (1 - prevalence_)
    clinic = expected(float(sensitivity_), float(specificity_), float(prevalence_))
    ppv = sensitivity_ * prevalence_ / referred
    npv = specificity_ * (1 - prevalence_) / (1 - referred)
    assert clinic.ppv == pytest.approx(float(ppv), rel=1e-12)
    assert clinic.npv == pytest.approx(float(npv), rel=1e-12)


def test_predictive_values_are_not_computed_from_rounded_counts():
    clinic = expected(0.95, 0.7, 0.001)  # one melanoma, found: by the counts none is missed
    assert (clinic.found, clinic.missed) == (1, 0)
    assert clinic.npv < 1
    assert clinic.npv == pytest.approx(0.7 * 0.999 / (0.7 * 0.999 + 0.05 * 0.001))


@pytest.mark.parametrize("num_lesions", [1, 7, 1000])
def test_the_counts_are_whole_and_sum_to_the_number_of_lesions(num_lesions):
    for step in range(0, 21):
        for prevalence in (0, 0.001, 0.0335, 0.05, 0.2, 1):
            rate = step / 20
            clinic = expected(rate, 1 - rate / 3, prevalence, num_lesions)
            counts = (clinic.found, clinic.missed, clinic.unnecessary_referrals, clinic.spared)
            assert sum(counts) == num_lesions
            assert all(isinstance(count, int) and count >= 0 for count in counts)


@pytest.mark.parametrize("sensitivity", [0.9, 0.5, 0.3, 0.1])
def test_half_a_melanoma_counts_as_missed(sensitivity):
    # 5 melanomas among 10 lesions: 4.5, 2.5, 1.5 and 0.5 are found, rounded down.
    assert expected(sensitivity, 1, 0.5, 10).found == math.floor(5 * sensitivity)


def test_half_another_lesion_counts_as_referred():
    assert expected(1, 0.9, 0.5, 10).unnecessary_referrals == 1


def test_predictive_values_are_undefined_if_nothing_or_everything_is_referred():
    assert math.isnan(expected(0, 1, 0.05).ppv)
    assert math.isnan(expected(1, 0, 0.05).npv)
    assert expected(1, 1, 0.05).ppv == expected(1, 1, 0.05).npv == 1


@pytest.mark.parametrize("wrong", [-0.01, 1.01, math.nan])
@pytest.mark.parametrize("name", ["sensitivity", "specificity", "prevalence"])
def test_a_rate_outside_0_to_1_is_refused(name, wrong):
    rates = {"sensitivity": 0.9, "specificity": 0.7, "prevalence": 0.05, name: wrong}
    with pytest.raises(ValueError, match=f"The {name} is"):
        expected(**rates)
