"""Figures in words, alike on the pages and in documents: no finer than they are, with n."""

import math
from collections.abc import Mapping
from typing import Any

from melanoma_core.metrics.estimates import Estimate
from melanoma_core.models.cards import Card, OperatingPoint

NOT_KNOWN = "not known"


def digits(value: float) -> str:
    """A share as a percentage without its sign: whole from 10, one decimal from 1, then "<1".

    A share that would round to 100 without being so is ">99", for nothing here is certain.

    >>> digits(0.312), digits(0.0841), digits(0.0021), digits(0.9996), digits(1.0)
    ('31', '8.4', '<1', '>99', '100')
    """
    percentage = value * 100
    if math.isnan(percentage):
        return NOT_KNOWN
    if percentage < 1:
        return "0" if percentage == 0 else "<1"
    if 99.5 <= percentage < 100:
        return ">99"
    # 9.96 is 10 on paper: the decimal is chosen after rounding, not before.
    return f"{percentage:.1f}" if round(percentage, 1) < 10 else f"{percentage:.0f}"


NARROW_SPACE = "\u202f"  # no-break: a line never ends in a number whose % is on the next
# Below this many melanoma lesions an interval is too wide for a sensitivity to be promised.
ENOUGH_MELANOMAS = 100
# Of fewer test photographs an interval says too little for a column of its own.
ENOUGH_PHOTOGRAPHS = 50
# With 20 lesions the interval of a share is some 40 points wide; with fewer it says nothing, and
# that of an AUROC less than nothing: resamples of one melanoma all hold the same one.
ENOUGH_LESIONS = 20
# The figures of a card by name. A mean is over the classes that occur: ISIC 2017 has three of the
# seven.
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

INHERITED = "taught before"  # stands by a data set that a model has from those before it


def uncounted_note(card: Card) -> str:
    """What the counts of a card are without, in a sentence; empty where that is nothing."""
    if not card.inherited_datasets:
        return ""
    return (
        f"The models that it was made from learned from further data sets (“{INHERITED}”), "
        "which are not counted here."
    )


def color_cast_limits(card: Card) -> str:
    """How color casts are held within limits, in two sentences; empty where they are not."""
    if not card.color_cast_limits:
        return ""
    red, more_red, blue, more_blue = (f"{math.exp(limit):.2f}" for limit in card.color_cast_limits)
    # Limits kept from another model were set by what that one learnt from.
    is_own = card.config.get("clamp_color_cast", False)
    photographs = "training photographs" if is_own else "of the photographs that set them"
    return (
        "A photograph of a strong color cast is brought back before the network sees it: to a "
        f"mean red of {red} to {more_red} times the mean green, and a mean blue of {blue} to "
        f"{more_blue} times. One in twenty {photographs} lies beyond each of these limits."
    )


def is_well_measured(point: OperatingPoint) -> bool:
    """Whether its sensitivity may be named: enough melanomas, and not measured to be less."""
    has_enough = min(point.val_lesions, point.sensitivity.num_lesions) >= ENOUGH_MELANOMAS
    return has_enough and point.sensitivity.high >= point.target


def percent(value: float) -> str:
    """A share of 0 to 1 with its sign: "31 %"."""
    return NOT_KNOWN if math.isnan(value) else f"{digits(value)}{NARROW_SPACE}%"


def percent_range(low: float, high: float, joint: str = "–") -> str:
    """An interval of shares, with one sign: "91–98 %"."""
    if math.isnan(low) or math.isnan(high):
        return "interval not known"
    return f"{digits(low)}{joint}{percent(high)}"


def cutoff(probability: float) -> str:
    r"""A probability that something begins at; one below 1 % with digits, or "<1 %" would hide it.

    >>> cutoff(0.0035), cutoff(0.084)
    ('0.35\u202f%', '8.4\u202f%')
    """
    if 0 < probability < 0.01:
        return f"{100 * probability:.2g}{NARROW_SPACE}%"
    return percent(probability)


def count(number: int) -> str:
    """A whole number with its thousands parted: 1,331."""
    return f"{number:,}"


def counted(number: int, noun: str) -> str:
    """A number of things: "1 lesion", "1,331 lesions"."""
    return f"{count(number)} {noun}" if number == 1 else f"{count(number)} {noun}s"


def score(value: float, decimals: int = 3) -> str:
    """A number that is no share; one that would round to 1 without being so is ">0.999".

    >>> score(0.91), score(0.9998), score(1.0)
    ('0.910', '>0.999', '1.000')
    """
    if math.isnan(value):
        return NOT_KNOWN
    text = f"{value:.{decimals}f}"
    is_nearly_one = value < 1 and float(text) == 1
    return f">{1 - 10**-decimals:.{decimals}f}" if is_nearly_one else text


def score_range(low: float, high: float, decimals: int = 3) -> str:
    """An interval of such numbers: "0.891–0.930"."""
    if math.isnan(low) or math.isnan(high):
        return "interval not known"
    return f"{score(low, decimals)}–{score(high, decimals)}"


def score_estimate(figure: Estimate, decimals: int = 3) -> str:
    """A figure that is no share, with its interval: "0.912 (0.891–0.930)"."""
    if math.isnan(figure.value):
        return NOT_KNOWN
    interval = score_range(figure.low, figure.high, decimals)
    return f"{score(figure.value, decimals)} ({interval})"


def percent_estimate(figure: Estimate) -> str:
    """A figure that is a share, with its interval: "95 % (91–98 %)"."""
    if math.isnan(figure.value):
        return NOT_KNOWN
    return f"{percent(figure.value)} ({percent_range(figure.low, figure.high)})"


def settings(config: Mapping[str, Any]) -> dict[str, str]:
    """The settings of a run in words.

    >>> settings({"image_size": 64, "augment": {"flip": True}})
    {'image size': '64', 'augment: flip': 'True'}
    >>> settings({"joined": ["one", "two"]})
    {'joined': 'one, two'}
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


def is_enough(figure: Estimate, fewest: int = ENOUGH_LESIONS) -> bool:
    """Whether a group's figure was measured on enough lesions to be shown."""
    return figure.num_lesions >= fewest and not math.isnan(figure.value)


def too_few(figure: Estimate) -> str:
    """What stands in the place of a figure of too few lesions."""
    return f"too few: {counted(figure.num_lesions, 'lesion')}" if figure.num_lesions else "none"


def measured_on(figure: Estimate) -> str:
    """What a figure was measured on: "205 of 216 photographs, 197 lesions"."""
    hits = "" if figure.num_hits is None else f"{count(figure.num_hits)} of "
    return (
        f"{hits}{counted(figure.num_photographs, 'photograph')}, "
        f"{counted(figure.num_lesions, 'lesion')}"
    )
