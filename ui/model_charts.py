"""ROC curve and reliability diagram as charts with alt text, and axes that other charts share."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from melanoma_core.evaluation.formats import cutoff
from melanoma_core.metrics.calibration import ReliabilityBin
from melanoma_core.metrics.estimates import Estimate
from ui import theme
from ui.charts import BELOW_COLOR
from ui.formats import count, counted, percent
from ui.plots import CLEAR, Chart, Spec
from ui.theme import Ground

CONFIG = {"displayModeBar": False}  # not static: marks have hover texts
MELANOMA_COLOR = theme.DIAGNOSIS_COLORS["MEL"]
LINE_COLOR = BELOW_COLOR

_ROC_HEIGHT = 330  # px
_DIAGRAM_HEIGHT = 290
ENOUGH_IN_BIN = 10  # photographs; bins with fewer say little and are drawn as hollow points


@dataclass(frozen=True)
class Mark:
    """A threshold on the ROC curve."""

    label: str
    sensitivity: float
    specificity: float


@dataclass(frozen=True)
class Diagram:
    """Predicted probabilities and observed proportions, before and after calibration."""

    name: str  # what the probability is of, lower case
    before: tuple[ReliabilityBin, ...]
    after: tuple[ReliabilityBin, ...]
    observed: tuple[Estimate, ...]  # the observed proportions of `after`, with intervals


def roc(
    curve: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    card_marks: Sequence[Mark],
    selected: tuple[Estimate, Estimate],
    ground: Ground,
) -> Chart:
    """The ROC curve, with the thresholds of the card and the selected one marked.

    Args:
        curve: proportions of the other photographs and of the melanomas at or above each
            threshold, and the thresholds, (N,) each.
        card_marks: the operating points of the card.
        selected: sensitivity and specificity of the selected threshold.
        ground: colors of the page.
    """
    others, melanomas, thresholds = curve
    data: list[Spec] = [
        {
            "type": "scatter", "x": (100 * others).tolist(), "y": (100 * melanomas).tolist(),
            "mode": "lines", "line": {"color": LINE_COLOR, "width": 2},
            "customdata": [_threshold(float(threshold)) for threshold in thresholds],
            "hovertemplate": "Threshold %{customdata}: %{y:.0f} of 100 melanomas found, "
            "%{x:.0f} of 100 others referred<extra></extra>",
        }
    ]  # fmt: skip
    notes: list[Spec] = []
    for mark in card_marks:
        x, y = 100 * (1 - mark.specificity), 100 * mark.sensitivity
        data.append(
            {
                "type": "scatter", "x": [x], "y": [y], "mode": "markers",
                "hovertemplate": f"{mark.label}<extra></extra>",
                "marker": {
                    "symbol": "diamond", "size": 12, "color": MELANOMA_COLOR,
                    "line": {"color": "#FFFFFF", "width": 1.5},
                },
            }
        )  # fmt: skip
        # Below the curve, where there is space.
        notes.append(
            {
                "x": x, "y": y, "text": mark.label, "showarrow": False, "xanchor": "left",
                "yanchor": "top", "xshift": 6, "yshift": -2,
                "font": {"color": ground.ink, "size": 13},
            }
        )  # fmt: skip
    sensitivity, specificity = selected
    data.append(
        {
            "type": "scatter", "x": [100 * (1 - specificity.value)],
            "y": [100 * sensitivity.value], "mode": "markers",
            "marker": {
                "size": 13, "color": CLEAR, "line": {"color": ground.ink, "width": 2.5},
            },
            "error_x": _error_bar(specificity, ground, is_mirrored=True),
            "error_y": _error_bar(sensitivity, ground),
            "hovertemplate": "Selected threshold<extra></extra>",
        }
    )  # fmt: skip
    layout = bare(_ROC_HEIGHT) | {
        "xaxis": percent_axis("Other photographs referred", ground),
        "yaxis": percent_axis("Melanoma photographs found", ground),
        "annotations": notes, "shapes": [_diagonal(ground)],
    }  # fmt: skip
    return Chart(data, layout)


def roc_alt(card_marks: Sequence[Mark], selected: tuple[Estimate, Estimate]) -> str:
    """The ROC curve as text."""
    marks = "; ".join(
        f"{mark.label}: sensitivity {percent(mark.sensitivity)}, specificity "
        f"{percent(mark.specificity)}"
        for mark in card_marks
    )
    return (
        f"ROC curve for melanoma. On the card: {marks}. Selected: sensitivity "
        f"{percent(selected[0].value)}, specificity {percent(selected[1].value)}."
    )


def reliability(diagram: Diagram, ground: Ground) -> Chart:
    """The reliability diagram, before and after calibration."""
    notes = [
        {
            "x": 0.03, "y": 1, "xref": "paper", "yref": "paper", "xanchor": "left",
            "yanchor": "top", "yshift": -4 - 20 * place, "showarrow": False,
            "font": {"color": ground.ink, "size": 13},
            "text": f'<span style="color:{color}">{sign}</span> {name} calibration',
        }
        for place, (sign, name, color) in enumerate(
            (("■", "before", ground.soft), ("●", "after", LINE_COLOR))
        )
    ]  # fmt: skip
    layout = bare(_DIAGRAM_HEIGHT) | {
        "xaxis": percent_axis("Predicted probability", ground),
        "yaxis": percent_axis("Observed", ground),
        "annotations": notes, "shapes": [_diagonal(ground)],
    }  # fmt: skip
    before = _bins("before", diagram.before, ground.soft)
    return Chart([before, _bins("after", diagram.after, LINE_COLOR, diagram.observed)], layout)


def _bins(
    when: str, bins: Sequence[ReliabilityBin], color: str, observed: Sequence[Estimate] = ()
) -> Spec:
    filled = [b for b in bins if b.num_rows]
    # The interval of a few photographs would cross the whole chart; the table shows it.
    errors = [
        (estimate.high - estimate.value, estimate.value - estimate.low)
        if estimate.num_photographs >= ENOUGH_IN_BIN
        else (0.0, 0.0)
        for estimate in observed
        if estimate.num_photographs
    ]
    return {
        "type": "scatter", "mode": "lines+markers",
        "x": [100 * b.mean_probability for b in filled], "y": [100 * b.observed for b in filled],
        "line": {"color": color, "width": 2, "dash": "solid" if observed else "dot"},
        "marker": {
            "size": 9, "symbol": "circle" if observed else "square",
            "color": [CLEAR if b.num_rows < ENOUGH_IN_BIN else color for b in filled],
            "line": {"color": color, "width": 2},
        },
        "error_y": {
            "array": [100 * up for up, _ in errors],
            "arrayminus": [100 * down for _, down in errors],
            "color": color, "thickness": 1.5, "width": 0,
        },
        "customdata": [
            f"{count(b.num_hits)} of {counted(b.num_rows, 'photograph')}" for b in filled
        ],
        "hovertemplate": f"{when.capitalize()}: %{{customdata}} (%{{y:.0f}} of 100), mean "
        "probability %{x:.0f} of 100<extra></extra>",
    }  # fmt: skip


def reliability_alt(diagram: Diagram) -> str:
    """The diagram after calibration as text."""
    bins = ", ".join(
        f"{percent(b.mean_probability)} predicted, {percent(b.observed)} of {count(b.num_rows)} "
        "observed"
        for b in diagram.after
        if b.num_rows
    )
    return f"Reliability of the probability of {diagram.name}, after calibration: {bins}."


def _threshold(threshold: float) -> str:
    # The curve starts above every probability, possibly at infinity.
    return cutoff(threshold) if threshold <= 1 else "above every probability"


def _error_bar(estimate: Estimate, ground: Ground, *, is_mirrored: bool = False) -> Spec:
    """The interval as an error bar; `is_mirrored` if 1 − estimate is drawn."""
    up, down = 100 * (estimate.high - estimate.value), 100 * (estimate.value - estimate.low)
    if is_mirrored:
        up, down = down, up
    return {
        "type": "data", "symmetric": False, "array": [up], "arrayminus": [down],
        "color": ground.ink, "thickness": 1.5, "width": 4,
    }  # fmt: skip


def _diagonal(ground: Ground) -> Spec:
    return {
        "type": "line", "x0": 0, "x1": 100, "y0": 0, "y1": 100, "layer": "below",
        "line": {"color": ground.soft, "width": 1, "dash": "dash"},
    }  # fmt: skip


def percent_axis(title: str, ground: Ground) -> Spec:
    """An axis from 0 to 100 %."""
    return {
        "range": [-2, 102], "tickvals": [0, 25, 50, 75, 100],
        "ticktext": ["0", "25", "50", "75", "100 %"], "title": axis_title(title, ground),
        "tickfont": {"color": ground.soft, "size": 12}, "showgrid": False, "zeroline": False,
        "fixedrange": True, "showline": True, "linecolor": ground.rest, "automargin": True,
    }  # fmt: skip


def plain_axis(ground: Ground) -> Spec:
    """An axis with a line and gray numbers, without a grid."""
    return {
        "fixedrange": True, "showgrid": False, "zeroline": False, "automargin": True,
        "tickfont": {"color": ground.soft, "size": 12}, "linecolor": ground.rest, "showline": True,
    }  # fmt: skip


def axis_title(text: str, ground: Ground) -> Spec:
    """The title of an axis, in the text color."""
    return {"text": text, "font": {"color": ground.ink, "size": 13}, "standoff": 6}


def bare(height: int) -> Spec:
    """A layout of this height in px, without legend, background and controls."""
    return {
        "height": height, "margin": {"l": 2, "r": 24, "t": 6, "b": 0}, "showlegend": False,
        "paper_bgcolor": CLEAR, "plot_bgcolor": CLEAR, "dragmode": False,
        "hoverlabel": {"font": {"size": 13}},
    }  # fmt: skip
