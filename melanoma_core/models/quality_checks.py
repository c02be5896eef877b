"""Findings on the quality of a photograph, each with its severity and the reason.

A severe finding means: a melanoma in such a photograph is missed more often, so no "below" stands.
The limits come with the model (`training/quality_limits`), because another network may bear more.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from melanoma_core.images import color_casts, quality

OK, WARNING, SEVERE = "ok", "warning", "severe"
_ORDER = (SEVERE, WARNING, OK)
# How far a cast must lie beyond the limits of the network, in `color_casts.cast`, before the
# balanced photograph is looked at too.
_CHECKED_CAST = 0.05
_CASTS = {
    "less_red": "red is {:.0%} weaker",
    "more_red": "red is {:.0%} stronger",
    "less_blue": "blue is {:.0%} weaker",
    "more_blue": "blue is {:.0%} stronger",
}


@dataclass(frozen=True)
class Limit:
    """From which value on a measure is a finding; NaN: never."""

    warning: float
    severe: float
    typical: float = math.nan  # median of the measure in undegraded photographs


@dataclass(frozen=True)
class Finding:
    """What one check says of a photograph."""

    kind: str  # "blur", "dark" …
    severity: str  # `OK`, `WARNING` or `SEVERE`
    message: str  # one plain sentence with the measured value


@dataclass(frozen=True)
class Judge:
    """What the check of the color cast needs of the model."""

    cast_limits: color_casts.Limits  # to which its network clamps color casts
    threshold: float  # for melanoma
    melanoma_probability: float  # of this photograph
    probability_of: Callable[[NDArray[np.uint8]], float]  # the same of another image (S, S, 3)
    # Of the model, for any sensitivity: a lesion below it may be called "below".
    highest_threshold: float = 0.0


def findings(
    image: NDArray[np.uint8],
    outline: NDArray[np.bool_] | None,
    limits: Mapping[str, Limit],
    judge: Judge | None = None,
) -> tuple[Finding, ...]:
    """One finding for each check, problems first.

    Args:
        image: (H, W, 3) RGB as decoded, any size.
        outline: (h, w), true inside the lesion, any size; None: the lesion's place is not judged.
        limits: by measure, from the model's card; checks without a limit are left out.
        judge: None: the color cast is not judged.
    """
    measures = quality.measure(image)
    if outline is not None:
        measures |= quality.measure_outline(outline)
    made = [
        _finding(kind, measures[kind], limits[kind])
        for kind in _WORDS
        if kind in measures and kind in limits
    ]
    if judge is not None and judge.cast_limits and "color_cast" in limits:
        made.append(_cast_finding(cast_measures(image, judge), limits))
    return tuple(sorted(made, key=lambda finding: _ORDER.index(finding.severity)))


def cast_measures(image: NDArray[np.uint8], judge: Judge) -> dict[str, float]:
    """How far the color cast is from what the network was trained on, and what that does.

    Most casts are harmless. So one that lies beyond the limits is taken out, and the network
    asked again: what would the photograph be in balanced light?

    Returns:
        less_red, more_red, less_blue, more_blue: how far beyond the limit, 0 or less within it.
        color_cast: how many times the threshold the balanced photograph's probability of
            melanoma is; 0 if the photograph is above the threshold or its cast within the limits.
    """
    red, blue = color_casts.cast(image)
    low_red, high_red, low_blue, high_blue = judge.cast_limits
    beyond = {
        "less_red": float(low_red - red),
        "more_red": float(red - high_red),
        "less_blue": float(low_blue - blue),
        "more_blue": float(blue - high_blue),
    }
    times = 0.0
    highest = max(judge.threshold, judge.highest_threshold)
    if judge.melanoma_probability < highest and max(beyond.values()) > _CHECKED_CAST:
        target = ((low_red + high_red) / 2, (low_blue + high_blue) / 2)
        square = quality.square(image)
        times = judge.probability_of(color_casts.balance(square, target)) / judge.threshold
    return {**beyond, "color_cast": times}


def severity(value: float, limit: Limit) -> str:
    """What the value of a measure means."""
    if value >= limit.severe:
        return SEVERE
    return WARNING if value >= limit.warning else OK


def _finding(kind: str, value: float, limit: Limit) -> Finding:
    problem, good = _WORDS[kind]
    found = severity(value, limit)
    return Finding(kind, found, good if found == OK else problem(value, limit))


def _cast_finding(measures: Mapping[str, float], limits: Mapping[str, Limit]) -> Finding:
    """The worst that is said of the color cast, in the direction that is furthest out."""
    found = {name: severity(measures[name], limits[name]) for name in measures if name in limits}
    worst = min(found.values(), key=_ORDER.index)
    if worst == OK:
        return Finding("color_cast", OK, "No unusual color cast.")
    name = max(_CASTS, key=lambda name: measures[name])
    amount = _CASTS[name].format(math.expm1(measures[name]))
    message = f"Color cast: {amount} than in the training photographs."
    if measures["color_cast"] >= 1:
        message = f"{message[:-1]}; in balanced light this lesion would be above the threshold."
    return Finding("color_cast", worst, message)


def _fraction(value: float, limit: Limit) -> str:
    """How much there is of what typical photographs have, if it is known."""
    if math.isnan(limit.typical) or not value:
        return "far below"
    return f"at {min(1.0, limit.typical / value):.0%} of"


# By kind: the sentence for a problem, of its measure and limit, and that for none.
_WORDS: dict[str, tuple[Callable[[float, Limit], str], str]] = {
    "blur": (
        lambda value, limit: (
            f"Blurred: fine structure is {_fraction(value, limit)} what the training photographs "
            "show."
        ),
        "Sharp.",
    ),
    "dark": (
        lambda value, _: f"Too dark: the brightest skin reaches {1 - value:.0%} of white.",
        "Bright enough.",
    ),
    "overexposed": (
        lambda value, _: f"Overexposed: {value:.0%} of the photograph has lost its color.",
        "Not overexposed.",
    ),
    "glare": (
        lambda value, _: f"Glare: white reflections cover {value:.1%} of the photograph.",
        "No glare.",
    ),
    "low_contrast": (
        lambda value, limit: (
            f"Low contrast: it is {_fraction(value, limit)} what the training photographs show."
        ),
        "Good contrast.",
    ),
    "noise": (
        lambda value, _: f"Noisy: grain of {value:.1f} gray levels of 255.",
        "Little noise.",
    ),
    "compression": (
        lambda value, _: (
            f"Heavily compressed: JPEG blocks stand out by {value:.0%}. Use the original file."
        ),
        "Not visibly compressed.",
    ),
    "too_small": (
        lambda value, _: (
            f"Too small: {quality.SIDE / value:.0f} px on the short side. Use the original file."
        ),
        "Large enough.",
    ),
    "cut_off": (
        lambda value, _: f"Cut off: {value:.0%} of the lesion’s edge lies on the frame.",
        "The whole lesion is in the frame.",
    ),
    "small_lesion": (
        lambda value, _: f"Small in the frame: the lesion spans {1 - value:.0%} of it.",
        "The lesion is large enough in the frame.",
    ),
    "dark_corners": (
        lambda value, _: f"Dark corners: {value:.0%} of the frame is black.",
        "No dark corners.",
    ),
    "hair": (
        lambda value, _: f"Hair: dark lines, {value:.1f} times as long as the frame is wide.",
        "Little hair.",
    ),
    "ink": (
        lambda value, _: f"Ink: {value:.0%} of the photograph is blue, green or violet.",
        "No ink.",
    ),
    "ruler": (
        lambda _, __: "Ruler: evenly spaced marks along one side.",
        "No ruler.",
    ),
}
