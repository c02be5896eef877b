"""Expected outcomes of a threshold in a clinic, from its sensitivity and specificity."""

import math
from dataclasses import dataclass

NUM_LESIONS = 1000


@dataclass(frozen=True)
class ClinicalImpact:
    """Outcomes for a number of lesions: four counts that sum to it, and two predictive values."""

    found: int  # melanomas referred
    missed: int  # melanomas not referred
    unnecessary_referrals: int  # other lesions referred
    spared: int  # other lesions not referred
    ppv: float  # positive predictive value; NaN if no lesion is referred
    npv: float  # negative predictive value; NaN if all lesions are referred

    @property
    def num_melanomas(self) -> int:
        """All melanomas, referred or not."""
        return self.found + self.missed

    @property
    def num_referred(self) -> int:
        """Lesions above the threshold."""
        return self.found + self.unnecessary_referrals

    @property
    def num_not_referred(self) -> int:
        """Lesions below the threshold."""
        return self.missed + self.spared


def expected(
    sensitivity: float, specificity: float, prevalence: float, num_lesions: int = NUM_LESIONS
) -> ClinicalImpact:
    """Expected outcomes for `num_lesions` lesions; PPV and NPV by Bayes' rule.

    Counts are rounded against the threshold: half a melanoma is missed, half another lesion is
    referred.

    Args:
        sensitivity: proportion of melanomas that are referred, in [0, 1].
        specificity: proportion of other lesions that are not referred, in [0, 1].
        prevalence: proportion of melanomas among the lesions, in [0, 1].
        num_lesions: 0 or more.

    Raises:
        ValueError: a proportion is NaN or out of range.

    >>> clinic = expected(sensitivity=0.9, specificity=0.5, prevalence=0.1)
    >>> clinic.found, clinic.missed, clinic.unnecessary_referrals, clinic.spared
    (90, 10, 450, 450)
    >>> round(clinic.ppv, 4), round(clinic.npv, 4)
    (0.1667, 0.9783)
    """
    rates = {"sensitivity": sensitivity, "specificity": specificity, "prevalence": prevalence}
    for name, rate in rates.items():
        if not 0 <= rate <= 1:
            raise ValueError(f"The {name} is {rate}; it must lie between 0 and 1.")
    num_melanomas = _round_half_up(prevalence * num_lesions)
    num_others = num_lesions - num_melanomas
    missed = _round_half_up((1 - sensitivity) * num_melanomas)
    unnecessary_referrals = _round_half_up((1 - specificity) * num_others)
    referred = sensitivity * prevalence, (1 - specificity) * (1 - prevalence)
    not_referred = specificity * (1 - prevalence), (1 - sensitivity) * prevalence
    return ClinicalImpact(
        found=num_melanomas - missed,
        missed=missed,
        unnecessary_referrals=unnecessary_referrals,
        spared=num_others - unnecessary_referrals,
        ppv=_predictive_value(*referred),
        npv=_predictive_value(*not_referred),
    )


def _round_half_up(number: float) -> int:
    # The epsilon: (1 - 0.9) * 5 is 0.49999999999999989 rather than half a lesion.
    return math.floor(number + 0.5 + 1e-9)


def _predictive_value(right: float, wrong: float) -> float:
    return right / (right + wrong) if right + wrong > 0 else math.nan
