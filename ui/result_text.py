"""What the result says: the verdict in words, and what stands under it in small print.

Every number comes from the model's card or from the prediction. The wording is deliberate: the
verdict is a position against a threshold, never a diagnosis, and below is never an all-clear.
"""

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from melanoma_core.diagnoses import BENIGN, BY_CODE
from melanoma_core.evaluation.formats import cutoff, digits, is_well_measured
from melanoma_core.metrics import conformal
from melanoma_core.metrics.estimates import Estimate
from melanoma_core.models import grad_cam
from melanoma_core.models.cards import Card, OperatingPoint
from melanoma_core.models.predict import Prediction
from ui.formats import (
    count,
    counted,
    literal,
    percent,
    percent_estimate,
    percent_range,
    score_estimate,
)

DRAWN = "Drawn by code, not a photograph."
_UNKNOWN = Estimate(math.nan, math.nan, math.nan, 0, 0)


def is_above(prediction: Prediction, point: OperatingPoint) -> bool:
    """Whether this lesion is referred: at the threshold or above it."""
    return prediction.melanoma_probability >= point.threshold


def unmeasured(point: OperatingPoint) -> OperatingPoint:
    """The threshold for a lesion unlike those that it was measured on: it promises nothing."""
    return dataclasses.replace(point, sensitivity=_UNKNOWN, specificity=_UNKNOWN)


def intended_use_line(card: Card, point: OperatingPoint) -> str:
    """The line under the title: what this is for, and which model and threshold answer."""
    aim = f" for {percent(point.target)} sensitivity" if is_well_measured(point) else ""
    model = f"Model {literal(card.model_id)}, threshold {cutoff(point.threshold)}{aim}."
    return f"{literal(card.intended_use)} {model}"


def heading(above: bool) -> str:
    """The verdict's heading."""
    return f"{'Above' if above else 'Below'} the referral threshold for melanoma"


def icon(above: bool) -> str:
    """The verdict's sign: a flag or a rule, never a tick."""
    return ":red[:material/flag:]" if above else ":gray[:material/horizontal_rule:]"


def verdict(prediction: Prediction, point: OperatingPoint) -> str:
    """What the position against the threshold means for this lesion, in Markdown."""
    likeliest = BY_CODE[prediction.likeliest]
    if is_above(prediction, point):
        if likeliest.code == "MEL":
            return "Melanoma is the likeliest diagnosis."
        aim = f": this threshold is placed to find {_of_100(point.target)} of 100 melanomas"
        return (
            f"{likeliest.name} is the likeliest single diagnosis, but melanoma is too probable "
            f"to set aside{aim if is_well_measured(point) else ''}."
        )
    text = (
        f"**This does not rule melanoma out.** {_missed(point)} History, change over time and "
        "palpation are not in the photograph."
    )
    if likeliest.code == "MEL":
        return f"{text} **Melanoma is the likeliest diagnosis all the same.**"
    if likeliest.group != BENIGN:
        return (
            f"{text} **{likeliest.name} is the likeliest diagnosis.** The threshold concerns "
            "melanoma only."
        )
    return text


def _missed(point: OperatingPoint) -> str:
    """How many of 100 melanomas fall below the threshold, as the test set found it."""
    found = point.sensitivity
    if math.isnan(found.value):
        return "How many melanomas fall below this threshold is not known."
    missed = _of_100(1 - found.value)
    if is_well_measured(point) and missed > 0:
        return f"Of 100 melanomas about {missed} fall below this threshold."
    # The epsilons keep 100 * (1 - 0.93), which is 6.99…, from becoming 6 where 7 are missed.
    fewest = max(0, math.floor(100 * (1 - found.high) + 1e-9))
    most = math.ceil(100 * (1 - found.low) - 1e-9)
    return f"Of 100 melanomas between {fewest} and {most} fall below this threshold."


def map_caption(name: str, heat: NDArray[np.float32], scale: float) -> str:
    """What stands under an evidence map.

    Args:
        name: the diagnosis, in a sentence.
        heat: (h, w) its own map.
        scale: largest heat of the maps of all diagnoses.
    """
    if heat.max() <= 0:
        return f"No region of this photograph supports {name}."
    if not grad_cam.is_drawable(heat, scale):
        return (
            f"What supports {name} is too faint to draw: less than "
            f"{percent(grad_cam.FAINTEST)} of the strongest evidence for any diagnosis."
        )
    return (
        f"White line: half of the strongest evidence for {name}. The map shows where the network "
        "found support for it; not why, nor whether it is right."
    )


def evidence(point: OperatingPoint) -> str:
    """The small print of the verdict: what this threshold found in the test set."""
    found, cleared = point.sensitivity, point.specificity
    if not found.num_photographs and not cleared.num_photographs:
        return "In lesions like this one the threshold’s sensitivity and specificity are not known."
    text = (
        f"On lesions it had never seen, with {percent(0.95)} intervals: sensitivity "
        f"{_measured(found, 'melanoma photographs of the test set')}; specificity "
        f"{_measured(cleared, 'other photographs')}."
    )
    return text if is_well_measured(point) else f"{text} {_few(point)}"


def differential(prediction: Prediction, card: Card, point: OperatingPoint) -> str:
    """The small set of diagnoses to think of, the likeliest first, and what it leaves open."""
    members = _members(prediction, card)
    named = [code for code in _likeliest_first(prediction) if members[prediction.codes.index(code)]]
    text = f"**Differential:** {', '.join(BY_CODE[code].name.lower() for code in named)}."
    if "MEL" not in named and is_above(prediction, point):
        text += (
            " Melanoma is not in this set but above the referral threshold, which is placed lower "
            "so as to miss fewer melanomas."
        )
    if conformal.needs_review(members[np.newaxis])[0]:
        reasons = []
        if "MEL" in named and any(BY_CODE[code].group == BENIGN for code in named):
            reasons.append("melanoma stands beside benign diagnoses")
        if len(named) > conformal.MAX_SET_SIZE:
            reasons.append(f"{len(named)} diagnoses are many")
        text += f" **Review:** {' and '.join(reasons)}; this photograph alone does not decide."
    return text


def _members(prediction: Prediction, card: Card) -> NDArray[np.bool_]:
    """(C,) whether a diagnosis is in the differential, as prediction.codes."""
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
    """The small print of the differential: how often it held the true diagnosis, and where."""
    made = card.differential
    aim = _of_100(made.level)
    text = (
        f"Such a set is placed to hold the true diagnosis of {aim} of 100 melanomas, and of {aim} "
        f"of 100 other lesions; its cutoffs come from {count(made.val_melanomas)} melanoma "
        f"photographs and {count(made.val_photographs)} others of the validation set."
    )
    if is_outside:
        return f"{text} How often it holds that of lesions like this one is not known."
    return (
        f"{text} On the test set, with {percent(0.95)} intervals, it held that of "
        f"{_held(made.coverage, 'photographs')}, and of "
        f"{_held(made.melanoma_coverage, 'melanoma photographs')}; "
        f"{score_estimate(made.mean_size, 1)} diagnoses on average."
    )


def _held(figure: Estimate, what: str) -> str:
    """Such as "90 % (89–92 %) of 2,016 photographs from 1,528 lesions"."""
    return (
        f"{percent_estimate(figure)} of {count(figure.num_photographs)} {what} from "
        f"{counted(figure.num_lesions, 'lesion')}"
    )


def _few(point: OperatingPoint) -> str:
    found = point.sensitivity
    basis = (
        f"The threshold was chosen on {counted(point.val_lesions, 'melanoma')} and measured on "
        f"{count(found.num_lesions)}: the true sensitivity"
    )
    if math.isnan(found.low) or math.isnan(found.high):
        return f"{basis} is not known."
    return f"{basis} lies between {digits(found.low)} and {percent(found.high)}."


def _measured(figure: Estimate, what: str) -> str:
    """Such as "205 of 216 melanoma photographs (95 %, 91–98 %), from 197 lesions"."""
    hits = "" if figure.num_hits is None else f"{count(figure.num_hits)} of "
    return (
        f"{hits}{count(figure.num_photographs)} {what} ({percent(figure.value)}, "
        f"{percent_range(figure.low, figure.high)}), from {counted(figure.num_lesions, 'lesion')}"
    )


def _of_100(share: float) -> int:
    return round(100 * share)
