"""The charts of a result, static so that screen and paper look the same."""

import math
from dataclasses import dataclass

from melanoma_core.diagnoses import BY_CODE, GROUPS
from melanoma_core.evaluation.formats import cutoff
from melanoma_core.metrics.clinical_impact import ClinicalImpact
from melanoma_core.models.predict import Prediction
from ui import theme
from ui.formats import count, percent
from ui.plots import CLEAR, Chart, Spec
from ui.theme import Ground

CONFIG = {"displayModeBar": False, "staticPlot": True}
ABOVE_COLOR = theme.DIAGNOSIS_COLORS["MEL"]
BELOW_COLOR = theme.DIAGNOSIS_COLORS["NV"]  # never green: below the threshold is not an all-clear
OTHER_REFERRED_COLOR = "#5B8DB8"

_EDGE_COLOR = "#FFFFFF"  # around a mark that overlaps others, in both themes

# Pixels, down the bar chart.
_HEADING_TO_BAR = 24
_BAR_TO_BAR = 25
_BAR_TO_HEADING = 33
_BAR_WIDTH = 14.5
_RULER_HEIGHT = 86
_RULER_TICKS = (0.001, 0.01, 0.1, 0.5, 0.9, 0.99)

# One square per lesion of the clinic.
_SQUARES_PER_ROW = 50
_SQUARES_HEIGHT = 190  # px
_LEGEND_LINE = 24  # px


@dataclass(frozen=True)
class Group:
    """A group of diagnoses, the likeliest first."""

    name: str
    codes: tuple[str, ...]
    probability: float  # sum of its diagnoses


def groups(prediction: Prediction) -> tuple[Group, ...]:
    """The diagnoses in display order: malignant first, then by probability inside each group."""
    result = []
    for name in GROUPS:
        codes = [code for code in prediction.codes if BY_CODE[code].group == name]
        codes.sort(key=prediction.probability, reverse=True)
        if codes:
            total = sum(prediction.probability(code) for code in codes)
            result.append(Group(name.capitalize(), tuple(codes), total))
    return tuple(result)


def bars(prediction: Prediction, ground: Ground) -> Chart:
    """Every probability as a bar, below the name and sum of its group."""
    codes: list[str] = []
    places: list[int] = []
    notes: list[Spec] = []
    rules: list[Spec] = []
    heading = 10
    for group in groups(prediction):
        notes += _heading(group, heading, ground)
        rules.append(
            {
                "type": "line", "x0": 0, "x1": 1, "xref": "paper", "y0": heading + 11,
                "y1": heading + 11, "line": {"color": ground.rest, "width": 1},
            }
        )  # fmt: skip
        first = heading + _HEADING_TO_BAR
        places += [first + _BAR_TO_BAR * i for i in range(len(group.codes))]
        codes += group.codes
        heading = places[-1] + _BAR_TO_HEADING
    height = places[-1] + 20
    bar = {
        "type": "bar", "orientation": "h", "width": _BAR_WIDTH, "y": places,
        "x": [100 * prediction.probability(code) for code in codes],
        "marker": {"color": [theme.DIAGNOSIS_COLORS[code] for code in codes]},
        "text": [percent(prediction.probability(code)) for code in codes],
        "textposition": "outside", "textfont": {"color": ground.ink, "size": 13},
        "constraintext": "none",  # otherwise Plotly shrinks the numbers to the bar's height
        "cliponaxis": False,
    }  # fmt: skip
    layout = _bare(height + 2) | {
        # Always to 116, so that bars of two lesions can be compared and the number beside 100 %
        # fits; at 108 the number beside 97 % was cut off in a narrow card. The bars start at 0.5:
        # headings and rules span the whole card, and the longest name fits on a phone.
        "xaxis": {"range": [0, 116], "domain": [0.5, 1], "visible": False, "fixedrange": True},
        "yaxis": {
            "range": [height, 0], "tickvals": places,
            "ticktext": [BY_CODE[code].name for code in codes],
            "tickfont": {"color": ground.ink, "size": 13}, "automargin": False, "showgrid": False,
            "zeroline": False, "fixedrange": True,
        },
        "annotations": notes, "shapes": rules,
    }  # fmt: skip
    return Chart([bar], layout)


def bars_alt(prediction: Prediction) -> str:
    """The bars as text, for screen readers."""
    parts = []
    for group in groups(prediction):
        names = ", ".join(
            f"{BY_CODE[code].name} {percent(prediction.probability(code))}" for code in group.codes
        )
        parts.append(f"{group.name} {percent(group.probability)}: {names}.")
    return "Probability of each diagnosis. " + " ".join(parts)


def ruler(probability: float, threshold: float, ground: Ground) -> Chart:
    """This lesion and the referral threshold on a log-odds scale from 0.1 to 99 %.

    On a linear scale a threshold of 3 % and everything near it would lie in the leftmost
    centimeter.
    """
    is_above = probability >= threshold
    limit, lesion = _log_odds(threshold), _log_odds(probability)
    low, high = _log_odds(_RULER_TICKS[0]), _log_odds(_RULER_TICKS[-1])
    shapes: list[Spec] = [
        {
            "type": "rect", "x0": start, "x1": end, "y0": 28, "y1": 38, "line": {"width": 0},
            "fillcolor": color, "opacity": opacity, "layer": "below",
        }
        for start, end, color, opacity in (
            (low, limit, ground.rest, 1.0), (limit, high, ABOVE_COLOR, 0.3),
        )
    ]  # fmt: skip
    shapes.append(
        {
            "type": "line", "x0": limit, "x1": limit, "y0": 23, "y1": 45, "layer": "below",
            "line": {"color": ground.ink, "width": 2},
        }
    )  # fmt: skip
    mark = {
        "type": "scatter", "x": [lesion], "y": [33], "mode": "markers", "cliponaxis": False,
        "marker": {
            "symbol": "diamond", "size": 17, "color": ABOVE_COLOR if is_above else BELOW_COLOR,
            "line": {"color": _EDGE_COLOR, "width": 1.5},
        },
    }  # fmt: skip
    # The lesion's label is above and the threshold's below, so that they cannot overlap.
    notes = [
        _label(lesion, 11, f"<b>{ruler_label(probability, threshold)}</b>", ground),
        _label(limit, 75, f"Referral threshold {cutoff(threshold)}", ground),
        *(_tick(value, ground) for value in _RULER_TICKS),
    ]
    layout = _bare(_RULER_HEIGHT) | {
        "margin": {"l": 9, "r": 9, "t": 0, "b": 0},  # half a diamond
        "xaxis": {"range": [low, high], "visible": False, "fixedrange": True},
        "yaxis": {"range": [_RULER_HEIGHT, 0], "visible": False, "fixedrange": True},
        "annotations": notes, "shapes": shapes,
    }  # fmt: skip
    return Chart([mark], layout)


def _log_odds(probability: float) -> float:
    """A place on the ruler; what lies beyond its ends is drawn at them."""
    within = min(max(probability, _RULER_TICKS[0]), _RULER_TICKS[-1])
    return math.log(within / (1 - within))


def _tick(value: float, ground: Ground) -> Spec:
    is_last = value == _RULER_TICKS[-1]
    return {
        "x": _log_odds(value), "y": 54, "yanchor": "middle", "showarrow": False, "borderpad": 0,
        "text": percent(value) if is_last else f"{100 * value:g}",
        "xanchor": "right" if is_last else "left" if value == _RULER_TICKS[0] else "center",
        "font": {"color": ground.soft, "size": 12},
    }  # fmt: skip


def ruler_label(probability: float, threshold: float) -> str:
    """The label of the lesion's mark, with "just above" or "just below" if the numbers match."""
    label = f"This lesion {percent(probability)}"
    if percent(probability) != percent(threshold):
        return label
    return f"{label}, just above" if probability >= threshold else f"{label}, just below"


def ruler_alt(heading: str, probability: float, threshold: float) -> str:
    """The ruler below this heading as text, for screen readers."""
    label = ruler_label(probability, threshold)
    return f"{heading}: {label}, referral threshold {cutoff(threshold)}."


@dataclass(frozen=True)
class Outcome:
    """What happens to a part of a clinic's lesions, as it is drawn."""

    num_lesions: int
    name: str
    color: str


def outcomes(clinic: ClinicalImpact, ground: Ground) -> tuple[Outcome, ...]:
    """The outcomes in the order of the squares; missed melanomas are the strongest mark."""
    return (
        _outcome(clinic.found, "melanoma", "referred", ABOVE_COLOR),
        _outcome(clinic.missed, "melanoma", "missed", ground.ink),
        _outcome(clinic.unnecessary_referrals, "other", "referred", OTHER_REFERRED_COLOR),
        _outcome(clinic.spared, "other", "not referred", ground.rest),
    )


def _outcome(num_lesions: int, kind: str, fate: str, color: str) -> Outcome:
    noun = kind if num_lesions == 1 else f"{kind}s"
    return Outcome(num_lesions, f"{noun} {fate}", color)


def squares(clinic: ClinicalImpact, ground: Ground) -> Chart:
    """One square per lesion of a clinic, with the four counts below."""
    parts = outcomes(clinic, ground)
    numbers = [number for number, part in enumerate(parts) for _ in range(part.num_lesions)]
    steps = len(parts)
    heatmap = {
        "type": "heatmap", "zmin": -0.5, "zmax": steps - 0.5, "showscale": False,
        "xgap": 2, "ygap": 2,
        "z": [numbers[i : i + _SQUARES_PER_ROW] for i in range(0, len(numbers), _SQUARES_PER_ROW)],
        "colorscale": [
            [(number + end) / steps, part.color]
            for number, part in enumerate(parts)
            for end in (0, 1)
        ],
    }  # fmt: skip
    notes = [
        {
            "x": 0.5 * (number % 2), "y": 0, "xref": "paper", "yref": "paper", "showarrow": False,
            "xanchor": "left", "yanchor": "top", "yshift": -8 - _LEGEND_LINE * (number // 2),
            "text": f'<span style="color:{part.color};font-size:17px">■</span> '
            f"<b>{count(part.num_lesions)}</b> {part.name}",
            "font": {"color": ground.ink, "size": 13},
        }
        for number, part in enumerate(parts)
    ]  # fmt: skip
    legend = 2 * _LEGEND_LINE + 8
    layout = _bare(_SQUARES_HEIGHT + legend) | {
        "margin": {"l": 0, "r": 0, "t": 2, "b": legend},
        "xaxis": {
            "visible": False, "fixedrange": True, "constrain": "domain", "constraintoward": "left",
        },
        "yaxis": {
            "visible": False, "fixedrange": True, "constrain": "domain",
            "constraintoward": "bottom", "autorange": "reversed", "scaleanchor": "x",
        },
        "annotations": notes,
    }  # fmt: skip
    return Chart([heatmap], layout)


def squares_alt(clinic: ClinicalImpact, ground: Ground) -> str:
    """The squares as text, for screen readers."""
    parts = outcomes(clinic, ground)
    counts = ", ".join(f"{count(part.num_lesions)} {part.name}" for part in parts)
    return f"Of {count(sum(part.num_lesions for part in parts))} lesions: {counts}."


def _heading(group: Group, y: float, ground: Ground) -> list[Spec]:
    """A group's name at the left edge of the card and its sum at the right edge."""
    return [
        {
            "x": x, "y": y, "xref": "paper", "xanchor": anchor, "yanchor": "middle",
            "text": f"<b>{text}</b>", "showarrow": False, "borderpad": 0,
            "font": {"color": ground.ink, "size": 13},
        }
        for x, anchor, text in ((0, "left", group.name), (1, "right", percent(group.probability)))
    ]  # fmt: skip


def _label(place: float, y: float, text: str, ground: Ground) -> Spec:
    """A label centered on its mark on the ruler, or aligned with it near an edge."""
    low, high = _log_odds(_RULER_TICKS[0]), _log_odds(_RULER_TICKS[-1])
    position = (place - low) / (high - low)
    anchor = "left" if position < 0.3 else "right" if position > 0.7 else "center"
    return {
        "x": place, "y": y, "text": text, "xanchor": anchor, "yanchor": "middle",
        "showarrow": False, "borderpad": 0, "font": {"color": ground.ink, "size": 13},
    }  # fmt: skip


def _bare(height: int) -> Spec:
    """The common layout: no legend, no background, no controls."""
    return {
        "height": height, "margin": {"l": 2, "r": 4, "t": 2, "b": 0}, "showlegend": False,
        "paper_bgcolor": CLEAR, "plot_bgcolor": CLEAR, "dragmode": False,
    }  # fmt: skip
