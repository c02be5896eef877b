"""What a threshold would do in a clinic, from its sensitivity and specificity, by Bayes' rule."""

import math
from dataclasses import dataclass

NUM_LESIONS = 1000


@dataclass(frozen=True)
class ClinicalImpact:
    """What becomes of a number of lesions: four whole counts that sum to it, two exact shares."""

    found: int  # melanomas referred
    missed: int  # melanomas not referred
    referred_for_nothing: int  # other lesions referred
    spared: int  # other lesions not referred
    ppv: float  # share of melanomas among the referred; NaN where none is referred
    npv: float  # share of other lesions among those not referred; NaN where all are referred

    @property
    def num_melanomas(self) -> int:
        """Melanomas, referred or not."""
        return self.found + self.missed

    @property
    def num_referred(self) -> int:
        """Lesions above the threshold."""
        return self.found + self.referred_for_nothing

    @property
    def num_not_referred(self) -> int:
        """Lesions below the threshold."""
        return self.missed + self.spared


def expected(
    sensitivity: float, specificity: float, prevalence: float, num_lesions: int = NUM_LESIONS
) -> ClinicalImpact:
    """What is to be expected of `num_lesions` lesions, in counts of one whole.

    Half a lesion counts as missed, or as referred for nothing: rounding flatters no threshold.

    Args:
        sensitivity: share of the melanomas that are referred, in [0, 1].
        specificity: share of the other lesions that are not, in [0, 1].
        prevalence: share of melanomas among the lesions, in [0, 1].
        num_lesions: the whole.

    Raises:
        ValueError: a share is NaN or out of range.

    >>> clinic = expected(sensitivity=0.9, specificity=0.5, prevalence=0.1)
    >>> clinic.found, clinic.missed, clinic.referred_for_nothing, clinic.spared
    (90, 10, 450, 450)
    >>> round(clinic.ppv, 4), round(clinic.npv, 4)
    (0.1667, 0.9783)
    """
    shares = {"sensitivity": sensitivity, "specificity": specificity, "prevalence": prevalence}
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise ValueError(f"The {name} is {share}; a share of 0 to 1 is needed.")
    num_melanomas = _rounded_up_from_half(prevalence * num_lesions)
    num_others = num_lesions - num_melanomas
    missed = _rounded_up_from_half((1 - sensitivity) * num_melanomas)
    referred_for_nothing = _rounded_up_from_half((1 - specificity) * num_others)
    referred = sensitivity * prevalence, (1 - specificity) * (1 - prevalence)
    not_referred = specificity * (1 - prevalence), (1 - sensitivity) * prevalence
    return ClinicalImpact(
        found=num_melanomas - missed,
        missed=missed,
        referred_for_nothing=referred_for_nothing,
        spared=num_others - referred_for_nothing,
        ppv=_share(*referred),
        npv=_share(*not_referred),
    )


def _rounded_up_from_half(number: float) -> int:
    # The epsilon: (1 - 0.9) * 5 is 0.49999999999999989, and a half lesion all the same.
    return math.floor(number + 0.5 + 1e-9)


def _share(right: float, wrong: float) -> float:
    return right / (right + wrong) if right + wrong > 0 else math.nan
