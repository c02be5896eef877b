"""The charts of a result, drawn without motion so that screen and paper show the same."""

from dataclasses import dataclass

from melanoma_core.diagnoses import BY_CODE, GROUPS
from melanoma_core.evaluation.formats import cutoff
from melanoma_core.metrics.clinical_impact import ClinicalImpact
from melanoma_core.models.predict import Prediction
from ui import result_text
from ui.formats import count, percent
from ui.plots import CLEAR, Chart, Spec
from ui.theme import Ground

CONFIG = {"displayModeBar": False, "staticPlot": True}
ABOVE_COLOR = BY_CODE["MEL"].color
BELOW_COLOR = BY_CODE["NV"].color  # never green: below the threshold is not an all-clear
OTHER_REFERRED_COLOR = "#5B8DB8"

_EDGE_COLOR = "#FFFFFF"  # around a mark that lies on others, in either theme

# Pixels, down the bar chart.
_HEADING_TO_BAR = 24
_BAR_TO_BAR = 25
_BAR_TO_HEADING = 33
_BAR_WIDTH = 14.5
_RULER_HEIGHT = 86

# The lesions of a clinic, a square each.
_SQUARES_A_ROW = 50
_SQUARES_HEIGHT = 190  # px
_LEGEND_LINE = 24  # px


@dataclass(frozen=True)
class Group:
    """One group of diagnoses, the likeliest first."""

    name: str
    codes: tuple[str, ...]
    probability: float  # sum of its diagnoses


def groups(prediction: Prediction) -> tuple[Group, ...]:
    """The diagnoses as they are shown: malignant first, then by probability inside the group."""
    found = []
    for name in GROUPS:
        codes = [code for code in prediction.codes if BY_CODE[code].group == name]
        codes.sort(key=prediction.probability, reverse=True)
        if codes:
            total = sum(prediction.probability(code) for code in codes)
            found.append(Group(name.capitalize(), tuple(codes), total))
    return tuple(found)


def bars(prediction: Prediction, ground: Ground) -> Chart:
    """Every probability as a bar, under the name and the sum of its group."""
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
        "marker": {"color": [BY_CODE[code].color for code in codes]},
        "text": [percent(prediction.probability(code)) for code in codes],
        "textposition": "outside", "textfont": {"color": ground.ink, "size": 13},
        "constraintext": "none",  # or Plotly shrinks the numbers to the height of the bar
        "cliponaxis": False,
    }  # fmt: skip
    layout = _bare(height + 2) | {
        # To 116 always, so that bars of two lesions compare and the number beside 100 % has room;
        # at 108 the number beside 97 % was cut off in a narrow card. The bars begin at 0.5:
        # headings and rules cross the whole card, and the longest name fits on a phone.
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
    """The bars in words, for a screen reader."""
    parts = []
    for group in groups(prediction):
        names = ", ".join(
            f"{BY_CODE[code].name} {percent(prediction.probability(code))}" for code in group.codes
        )
        parts.append(f"{group.name} {percent(group.probability)}: {names}.")
    return "Probability of each diagnosis. " + " ".join(parts)


def ruler(probability: float, threshold: float, ground: Ground) -> Chart:
    """Where this lesion and the referral threshold lie between 0 and 100 %."""
    is_above = probability >= threshold
    shapes: list[Spec] = [
        {
            "type": "rect", "x0": start, "x1": end, "y0": -1, "y1": 1, "line": {"width": 0},
            "fillcolor": color, "opacity": opacity, "layer": "below",
        }
        for start, end, color, opacity in (
            (0, 100 * threshold, ground.rest, 1.0),
            (100 * threshold, 100, ABOVE_COLOR, 0.3),
        )
    ]  # fmt: skip
    shapes.append(
        {
            "type": "line", "x0": 100 * threshold, "x1": 100 * threshold, "y0": -2.6, "y1": 2.2,
            "layer": "below", "line": {"color": ground.ink, "width": 2},
        }
    )  # fmt: skip
    lesion = {
        "type": "scatter", "x": [100 * probability], "y": [0], "mode": "markers",
        "cliponaxis": False,
        "marker": {
            "symbol": "diamond", "size": 17, "color": ABOVE_COLOR if is_above else BELOW_COLOR,
            "line": {"color": _EDGE_COLOR, "width": 1.5},
        },
    }  # fmt: skip
    # The lesion's label stands above and the threshold's below, so that they cannot collide.
    notes = [
        _label(probability, 5.6, f"<b>{ruler_label(probability, threshold)}</b>", ground),
        _label(threshold, -5.0, f"Referral threshold {cutoff(threshold)}", ground),
    ]
    if threshold < 0.3:
        notes.append(
            {
                "x": 100, "y": -5.0, "text": percent(1.0), "xanchor": "right", "showarrow": False,
                "font": {"color": ground.soft, "size": 12},
            }
        )  # fmt: skip
    layout = _bare(_RULER_HEIGHT) | {
        "margin": {"l": 9, "r": 9, "t": 2, "b": 0},  # half a diamond
        "xaxis": {"range": [0, 100], "visible": False, "fixedrange": True},
        "yaxis": {"range": [-8, 8], "visible": False, "fixedrange": True},
        "annotations": notes, "shapes": shapes,
    }  # fmt: skip
    return Chart([lesion], layout)


def ruler_label(probability: float, threshold: float) -> str:
    """What stands at the lesion's mark; says on which side it is when the numbers look alike."""
    label = f"This lesion {percent(probability)}"
    if percent(probability) != percent(threshold):
        return label
    return f"{label}, just above" if probability >= threshold else f"{label}, just below"


def ruler_alt(probability: float, threshold: float) -> str:
    """The ruler in words, for a screen reader."""
    side = result_text.heading(probability >= threshold)
    return f"{side}: {ruler_label(probability, threshold)}, referral threshold {cutoff(threshold)}."


@dataclass(frozen=True)
class Share:
    """One part of a clinic's lesions, as it is drawn."""

    num_lesions: int
    name: str
    color: str


def shares(clinic: ClinicalImpact, ground: Ground) -> tuple[Share, ...]:
    """What becomes of the lesions, in the order of the squares; missed is the strongest mark."""
    return (
        _share(clinic.found, "melanoma", "referred", ABOVE_COLOR),
        _share(clinic.missed, "melanoma", "missed", ground.ink),
        _share(clinic.unnecessary_referrals, "other", "referred", OTHER_REFERRED_COLOR),
        _share(clinic.spared, "other", "not referred", ground.rest),
    )


def _share(num_lesions: int, kind: str, fate: str, color: str) -> Share:
    return Share(num_lesions, f"{kind} {fate}" if num_lesions == 1 else f"{kind}s {fate}", color)


def squares(clinic: ClinicalImpact, ground: Ground) -> Chart:
    """Every lesion of a clinic as a square, with the four counts below."""
    drawn = shares(clinic, ground)
    numbers = [number for number, share in enumerate(drawn) for _ in range(share.num_lesions)]
    steps = len(drawn)
    heatmap = {
        "type": "heatmap", "zmin": -0.5, "zmax": steps - 0.5, "showscale": False,
        "xgap": 2, "ygap": 2,
        "z": [numbers[i : i + _SQUARES_A_ROW] for i in range(0, len(numbers), _SQUARES_A_ROW)],
        "colorscale": [
            [(number + end) / steps, share.color]
            for number, share in enumerate(drawn)
            for end in (0, 1)
        ],
    }  # fmt: skip
    notes = [
        {
            "x": 0.5 * (number % 2), "y": 0, "xref": "paper", "yref": "paper", "showarrow": False,
            "xanchor": "left", "yanchor": "top", "yshift": -8 - _LEGEND_LINE * (number // 2),
            "text": f'<span style="color:{share.color};font-size:17px">■</span> '
            f"<b>{count(share.num_lesions)}</b> {share.name}",
            "font": {"color": ground.ink, "size": 13},
        }
        for number, share in enumerate(drawn)
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
    """The squares in words, for a screen reader."""
    drawn = shares(clinic, ground)
    counts = ", ".join(f"{count(share.num_lesions)} {share.name}" for share in drawn)
    return f"Of {count(sum(share.num_lesions for share in drawn))} lesions: {counts}."


def _heading(group: Group, y: float, ground: Ground) -> list[Spec]:
    """A group's name at the left edge of the card and its sum at the right one."""
    return [
        {
            "x": x, "y": y, "xref": "paper", "xanchor": anchor, "yanchor": "middle",
            "text": f"<b>{text}</b>", "showarrow": False, "borderpad": 0,
            "font": {"color": ground.ink, "size": 13},
        }
        for x, anchor, text in ((0, "left", group.name), (1, "right", percent(group.probability)))
    ]  # fmt: skip


def _label(share: float, y: float, text: str, ground: Ground) -> Spec:
    """A label centered on its mark, or ending at it where it would leave the card."""
    anchor = "left" if share < 0.3 else "right" if share > 0.7 else "center"
    return {
        "x": 100 * share, "y": y, "text": text, "xanchor": anchor, "showarrow": False,
        "borderpad": 0, "font": {"color": ground.ink, "size": 13},
    }  # fmt: skip


def _bare(height: int) -> Spec:
    """The layout that all share: no legend, no ground, no controls."""
    return {
        "height": height, "margin": {"l": 2, "r": 4, "t": 2, "b": 0}, "showlegend": False,
        "paper_bgcolor": CLEAR, "plot_bgcolor": CLEAR, "dragmode": False,
    }  # fmt: skip
