"""The text of a result beside the verdict: thresholds, how good they are, and the differential.

Every number comes from the model's card or from the prediction.
"""

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from melanoma_core.diagnoses import BENIGN, BY_CODE, CARCINOMA_CODES
from melanoma_core.evaluation.formats import cutoff, digits, is_well_measured
from melanoma_core.metrics import conformal
from melanoma_core.metrics.estimates import Estimate
from melanoma_core.models import grad_cam
from melanoma_core.models.cards import Card, OperatingPoint, ReferralRule
from melanoma_core.models.predict import Prediction
from ui.formats import count, counted, literal, percent

DRAWN = "Computer-drawn, not a photograph."
_UNKNOWN = Estimate(math.nan, math.nan, math.nan, 0, 0)


def is_above(prediction: Prediction, point: OperatingPoint) -> bool:
    """Whether this lesion is referred: at or above the threshold."""
    return prediction.melanoma_probability >= point.threshold


def unmeasured(point: OperatingPoint) -> OperatingPoint:
    """The same threshold without sensitivity and specificity, for a lesion unlike those tested."""
    return dataclasses.replace(point, sensitivity=_UNKNOWN, specificity=_UNKNOWN)


def intended_use_line(card: Card, point: OperatingPoint | None) -> str:
    """The line below the title: intended use, model and threshold.

    Args:
        card: of the model.
        point: its threshold; None beside a refused picture, of which no number is said.
    """
    if point is None:
        return f"{literal(card.intended_use)} Model {literal(card.model_id)}."
    aim = f" for {percent(point.target)} sensitivity" if is_well_measured(point) else ""
    model = f"Model {literal(card.model_id)}, threshold {cutoff(point.threshold)}{aim}."
    return f"{literal(card.intended_use)} {model}{not_default(card, point)}"


def not_default(card: Card, point: OperatingPoint) -> str:
    """A sentence if another threshold than the default one was chosen; empty if not.

    The default is the one with the highest target.
    """
    default = max(card.operating_points, key=lambda point: point.target)
    if point.target == default.target:
        return ""
    return (
        f" **You chose the threshold for {percent(point.target)} sensitivity; the default is the "
        f"one for {percent(default.target)}, {cutoff(default.threshold)}.**"
    )


def aim(point: OperatingPoint) -> str:
    """What a threshold was placed for."""
    return f"The threshold is set to find {_of_100(point.target)} of 100 melanomas."


def tested_on(card: Card) -> str:
    """On which photographs the thresholds were tested."""
    sources = " and ".join(
        f"{count(use.num_test)} of {literal(use.name)}" for use in card.datasets if use.num_test
    )
    return f"Test photographs are of lesions that the model had never seen: {sources}."


def missed(point: OperatingPoint) -> str:
    """How many of 100 melanomas fall below the threshold, measured on the test set."""
    sensitivity = point.sensitivity
    if math.isnan(sensitivity.value):
        return "How many melanomas fall below this threshold is not known."
    # Complements of the percentages in `evidence`: 92–97 % found leaves 3 to 8 of 100.
    missed = 100 - _of_100(sensitivity.value)
    if is_well_measured(point) and missed > 0:
        verb = "falls" if missed == 1 else "fall"
        return f"About {missed} of 100 melanomas {verb} below this threshold."
    if math.isnan(sensitivity.low) or math.isnan(sensitivity.high):
        return "How many melanomas fall below this threshold is not known."
    fewest, most = 100 - _of_100(sensitivity.high), 100 - _of_100(sensitivity.low)
    range_text = f"Between {fewest} and {most}" if fewest else f"Up to {max(most, 1)}"
    return f"{range_text} of 100 melanomas fall below this threshold."


def map_caption(name: str, heat: NDArray[np.float32], scale: float) -> str:
    """The text below an evidence map.

    Args:
        name: the diagnosis, lower case.
        heat: (h, w) its map.
        scale: largest heat in the maps of all diagnoses.
    """
    if heat.max() <= 0:
        return f"No region of this photograph supports {name}."
    if not grad_cam.is_drawable(heat, scale):
        return (
            f"The evidence for {name} is too faint to draw: less than "
            f"{percent(grad_cam.FAINTEST)} of the strongest evidence for any diagnosis."
        )
    if grad_cam.is_outlined(heat, scale):
        line = f"White line: half of the strongest evidence for {name}."
    else:
        line = (
            f"No line: the evidence for {name} is less than a third of the strongest for any "
            "diagnosis."
        )
    return (
        f"{line} The map shows where the network found support for it, not why, nor whether it is "
        "right."
    )


def evidence(point: OperatingPoint, malignancy: str = "melanoma") -> str:
    """How the threshold for a malignancy did on the test set."""
    sensitivity, specificity = point.sensitivity, point.specificity
    if not sensitivity.num_photographs and not specificity.num_photographs:
        return (
            "For lesions like this one, the sensitivity and specificity of this threshold are not "
            "known."
        )
    text = (
        f"In testing it flagged {_counts(sensitivity)} {malignancy} photographs "
        f"({percent(sensitivity.value)}, {percent(0.95)} CI {_interval(sensitivity)}) and did not "
        f"flag {_counts(specificity)} others "
        f"({percent(specificity.value)}, {_interval(specificity)})."
    )
    return text if is_well_measured(point) else f"{text} {_few(point, malignancy)}"


def rule_evidence(rule: ReferralRule) -> str:
    """How both thresholds together did on the test set."""
    sensitivity, specificity = rule.sensitivity, rule.specificity
    return (
        f"In testing they flagged {_counts(sensitivity)} photographs of any malignancy "
        f"({percent(sensitivity.value)}, {percent(0.95)} CI {_interval(sensitivity)}) and did not "
        f"flag {_counts(specificity)} others "
        f"({percent(specificity.value)}, {_interval(specificity)})."
    )


def differential(prediction: Prediction, card: Card, point: OperatingPoint) -> str:
    """The diagnoses to consider, likeliest first, and whether they need review."""
    members = _members(prediction, card)
    codes = [code for code in _likeliest_first(prediction) if members[prediction.codes.index(code)]]
    text = f"**Differential:** {', '.join(BY_CODE[code].name.lower() for code in codes)}."
    if "MEL" not in codes and is_above(prediction, point):
        text += (
            " Melanoma is not on this list but is above the referral threshold, which is set lower "
            "to miss fewer melanomas."
        )
    carcinoma = card.carcinoma_point(point.target)
    is_listed = not set(CARCINOMA_CODES).isdisjoint(codes)
    if carcinoma and not is_listed and prediction.carcinoma_probability >= carcinoma.threshold:
        text += (
            " Carcinoma is not on this list but is above its referral threshold, which is set "
            "lower to miss fewer carcinomas."
        )
    if conformal.needs_review(members[np.newaxis])[0]:
        reasons = []
        if "MEL" in codes and any(BY_CODE[code].group == BENIGN for code in codes):
            reasons.append("melanoma and benign diagnoses are both possible")
        if len(codes) > conformal.MAX_SET_SIZE:
            reasons.append(f"the list has {len(codes)} diagnoses")
        text += f" **Review:** {', and '.join(reasons)}; the photograph alone cannot settle it."
    return text


def _members(prediction: Prediction, card: Card) -> NDArray[np.bool_]:
    """(C,) True for the diagnoses in the differential, in the order of prediction.codes."""
    cutoffs = card.differential
    return conformal.prediction_sets(
        prediction.probabilities[np.newaxis],
        cutoffs.melanoma_cutoff,
        cutoffs.other_cutoff,
        prediction.codes.index("MEL"),
    )[0]


def _likeliest_first(prediction: Prediction) -> list[str]:
    return sorted(prediction.codes, key=prediction.probability, reverse=True)


def differential_evidence(card: Card, is_outside: bool) -> str:
    """The small print of the differential: how often it includes the true diagnosis."""
    cutoffs = card.differential
    level = percent(cutoffs.level)
    aim = f"This list is designed to include the true diagnosis in {level} of cases"
    if is_outside:
        return f"{aim}; how often it does so for lesions like this one is not known."
    coverage, of_melanomas = cutoffs.coverage, cutoffs.melanoma_coverage
    return (
        f"{aim}; in testing it did so in {percent(coverage.value)} ({percent(0.95)} CI "
        f"{_interval(coverage)}), and in {percent(of_melanomas.value)} of melanomas "
        f"({_interval(of_melanomas)})."
    )


def _few(point: OperatingPoint, malignancy: str) -> str:
    sensitivity = point.sensitivity
    basis = (
        f"The threshold was chosen on {counted(point.val_lesions, malignancy)} and tested on "
        f"{count(sensitivity.num_lesions)}: the true sensitivity"
    )
    if math.isnan(sensitivity.low) or math.isnan(sensitivity.high):
        return f"{basis} is not known."
    return f"{basis} lies between {digits(sensitivity.low)} and {percent(sensitivity.high)}."


def _counts(estimate: Estimate) -> str:
    """Such as "205 of 216"."""
    hits = "" if estimate.num_hits is None else f"{count(estimate.num_hits)} of "
    return f"{hits}{count(estimate.num_photographs)}"


def _interval(estimate: Estimate) -> str:
    """Such as "91–98", without the percent sign."""
    if math.isnan(estimate.low) or math.isnan(estimate.high):
        return "not known"
    return f"{digits(estimate.low)}–{digits(estimate.high)}"


def _of_100(proportion: float) -> int:
    return round(100 * proportion)
