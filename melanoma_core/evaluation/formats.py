"""Numbers as text, the same on pages and in documents: no finer than they are, and with n."""

import math
from collections.abc import Mapping
from typing import Any

from melanoma_core.diagnoses import UNNAMED
from melanoma_core.metrics.estimates import Estimate
from melanoma_core.models.cards import Card, OperatingPoint

NOT_KNOWN = "not known"
NARROW_SPACE = "\u202f"  # no-break: a number and its % stay on one line

# A card's figures by name. Means are over the classes that occur: ISIC 2017 has three of the seven.
PROPORTIONS = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "prior_adjusted_balanced_accuracy": "Balanced accuracy, prior-adjusted",
    "sensitivity": "Sensitivity for melanoma",
    "specificity": "Specificity",
}
SCORES = {
    "melanoma_auroc": "AUROC, melanoma",
    "macro_auroc": "AUROC, mean of the classes",
    "keratoses_auroc": "AUROC, both keratoses together",
    "ece": "Calibration error (ECE)",
    "brier": "Brier score",
}
# Of fewer photographs: those whose label says more than “benign”.
NAMED = "Photographs whose diagnosis is named"
INHERITED = "from parent models"  # marks data sets that only a model's parents were trained on

# With fewer melanoma lesions the interval is too wide to claim a sensitivity.
ENOUGH_MELANOMAS = 100
# With fewer test photographs an interval says too little for a column of its own.
ENOUGH_PHOTOGRAPHS = 50
# With 20 lesions the interval of a proportion is some 40 points wide; with fewer it says nothing.
# That of an AUROC misleads: every resample of one melanoma contains the same one.
ENOUGH_LESIONS = 20


def has_unnamed(card: Card) -> bool:
    """True if some labels of its data name no diagnosis."""
    return any(UNNAMED.code in counts for counts in card.class_counts.values())


def digits(value: float) -> str:
    """A proportion as a percentage without its sign: whole from 10, one decimal from 1, then "<1".

    A proportion that would round up to 1 is "≥99.5", because nothing here is certain. Not ">99":
    Markdown draws text that begins with ">" as a quotation.

    >>> digits(0.312), digits(0.0841), digits(0.0021), digits(0.9996), digits(1.0)
    ('31', '8.4', '<1', '≥99.5', '100')
    """
    percentage = value * 100
    if math.isnan(percentage):
        return NOT_KNOWN
    if percentage < 1:
        return "0" if percentage == 0 else "<1"
    if 99.5 <= percentage < 100:
        return "≥99.5"
    # 9.96 is shown as 10: the decimal is chosen after rounding.
    return f"{percentage:.1f}" if round(percentage, 1) < 10 else f"{percentage:.0f}"


def percent(value: float) -> str:
    """A proportion with its sign: "31 %"."""
    return NOT_KNOWN if math.isnan(value) else f"{digits(value)}{NARROW_SPACE}%"


def percent_range(low: float, high: float, joint: str = "–") -> str:
    """An interval of proportions, with one sign: "91–98 %"."""
    if math.isnan(low) or math.isnan(high):
        return "interval not known"
    return f"{digits(low)}{joint}{percent(high)}"


def percent_estimate(estimate: Estimate) -> str:
    """A proportion with its interval: "95 % (91–98 %)"."""
    if math.isnan(estimate.value):
        return NOT_KNOWN
    return f"{percent(estimate.value)} ({percent_range(estimate.low, estimate.high)})"


def cutoff(probability: float) -> str:
    r"""A threshold as a percentage; below 1 % with two digits, not as "<1 %".

    >>> cutoff(0.0035), cutoff(0.084)
    ('0.35\u202f%', '8.4\u202f%')
    """
    if 0 < probability < 0.01:
        return f"{100 * probability:.2g}{NARROW_SPACE}%"
    return percent(probability)


def score(value: float, decimals: int = 3) -> str:
    """A number that is not a proportion; "≥0.9995" if it would round up to 1, as in `digits`.

    >>> score(0.91), score(0.9998), score(1.0)
    ('0.910', '≥0.9995', '1.000')
    """
    if math.isnan(value):
        return NOT_KNOWN
    text = f"{value:.{decimals}f}"
    is_nearly_one = value < 1 and float(text) == 1
    return f"≥{1 - 0.5 * 10**-decimals:.{decimals + 1}f}" if is_nearly_one else text


def score_range(low: float, high: float, decimals: int = 3) -> str:
    """An interval of such numbers: "0.891–0.930"."""
    if math.isnan(low) or math.isnan(high):
        return "interval not known"
    return f"{score(low, decimals)}–{score(high, decimals)}"


def score_estimate(estimate: Estimate, decimals: int = 3) -> str:
    """Such a number with its interval: "0.912 (0.891–0.930)"."""
    if math.isnan(estimate.value):
        return NOT_KNOWN
    interval = score_range(estimate.low, estimate.high, decimals)
    return f"{score(estimate.value, decimals)} ({interval})"


def count(number: int) -> str:
    """A whole number with separators: 1,331."""
    return f"{number:,}"


def counted(number: int, noun: str) -> str:
    """A number of things: "1 lesion", "1,331 lesions"."""
    return f"{count(number)} {noun}" if number == 1 else f"{count(number)} {noun}s"


def measured_on(estimate: Estimate) -> str:
    """What an estimate was measured on: "205 of 216 photographs, 197 lesions"."""
    hits = "" if estimate.num_hits is None else f"{count(estimate.num_hits)} of "
    return (
        f"{hits}{counted(estimate.num_photographs, 'photograph')}, "
        f"{counted(estimate.num_lesions, 'lesion')}"
    )


def is_enough(estimate: Estimate, min_lesions: int = ENOUGH_LESIONS) -> bool:
    """True if a subgroup's estimate was measured on enough lesions to be shown."""
    return estimate.num_lesions >= min_lesions and not math.isnan(estimate.value)


def too_few(estimate: Estimate) -> str:
    """Shown instead of an estimate from too few lesions: "too few: 7 lesions"."""
    num_lesions = estimate.num_lesions
    return f"too few: {counted(num_lesions, 'lesion')}" if num_lesions else "none"


def is_well_measured(point: OperatingPoint) -> bool:
    """True if a threshold's sensitivity may be claimed: enough melanomas, and not below target."""
    num_lesions = min(point.val_lesions, point.sensitivity.num_lesions)
    return num_lesions >= ENOUGH_MELANOMAS and point.sensitivity.high >= point.target


def uncounted_note(card: Card) -> str:
    """A sentence on the data sets that a card does not count; empty if it counts all."""
    if not card.inherited_datasets:
        return ""
    return f"Data sets marked “{INHERITED}” are not counted here."


def color_cast_limits(card: Card) -> str:
    """Two sentences on how color casts are clamped; empty if they are not."""
    if not card.color_cast_limits:
        return ""
    red, max_red, blue, max_blue = (f"{math.exp(limit):.2f}" for limit in card.color_cast_limits)
    # Limits may come from a parent model, and so from its training photographs.
    is_own = card.config.get("clamp_color_cast", False)
    photographs = "training photographs" if is_own else "of the photographs they were taken from"
    return (
        "A strong color cast is corrected before the network sees a photograph: mean red is kept "
        f"within {red} to {max_red} times mean green, and mean blue within {blue} to {max_blue} "
        f"times. One in twenty {photographs} lies beyond each of these limits."
    )


def settings(config: Mapping[str, Any]) -> dict[str, str]:
    """The settings of a run by readable name.

    >>> settings({"image_size": 64, "augment": {"flip": True}})
    {'image size': '64', 'augment: flip': 'True'}
    >>> settings({"ensemble_of": ["one", "two"]})
    {'ensemble of': 'one, two'}
    """
    rows: dict[str, str] = {}
    for name, value in config.items():
        words = name.replace("_", " ")
        if isinstance(value, Mapping):
            rows |= {f"{words}: {inner}": text for inner, text in settings(value).items()}
        elif isinstance(value, list):
            rows[words] = ", ".join(map(str, value))
        else:
            rows[words] = str(value)
    return rows
