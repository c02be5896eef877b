"""What a threshold does and how far a probability holds, as charts; each has its `alt` text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from melanoma_core.diagnoses import BY_CODE
from melanoma_core.evaluation.formats import cutoff
from melanoma_core.metrics.calibration import ReliabilityBin
from melanoma_core.metrics.estimates import Estimate
from ui.charts import BELOW_COLOR
from ui.formats import count, counted, percent
from ui.theme import Ground

CONFIG = {"displayModeBar": False}  # what a mark is of is said where the pointer rests on it
MELANOMA_COLOR = BY_CODE["MEL"].color
LINE_COLOR = BELOW_COLOR

_ROC_HEIGHT = 330  # px
_DIAGRAM_HEIGHT = 290
ENOUGH_IN_BIN = 10  # photographs; of fewer a bin's share says little, and its point is hollow


@dataclass(frozen=True)
class Mark:
    """A threshold on the ROC curve."""

    label: str
    sensitivity: float
    specificity: float


@dataclass(frozen=True)
class Diagram:
    """What was given a probability and what came true, before and after calibration."""

    name: str  # what the probability is of, in a sentence
    before: tuple[ReliabilityBin, ...]
    after: tuple[ReliabilityBin, ...]
    shares: tuple[Estimate, ...]  # those of `after`, with intervals


def roc(
    curve: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    shipped: Sequence[Mark],
    explored: tuple[Estimate, Estimate],
    ground: Ground,
) -> go.Figure:
    """What every threshold finds and refers for nothing, with the thresholds in use marked.

    Args:
        curve: shares of the others and of the melanomas at or above each threshold, and the
            thresholds, (N,) each.
        shipped: the operating points of the card.
        explored: sensitivity and specificity of the threshold that is looked at.
        ground: colors of the page.
    """
    others, melanomas, thresholds = curve
    figure = go.Figure()
    _add_diagonal(figure, ground)
    figure.add_scatter(
        x=100 * others, y=100 * melanomas, mode="lines", line={"color": LINE_COLOR, "width": 2},
        customdata=[_threshold(float(threshold)) for threshold in thresholds],
        hovertemplate="Threshold %{customdata}: %{y:.0f} of 100 melanomas found, "
        "%{x:.0f} of 100 others referred<extra></extra>",
    )  # fmt: skip
    for mark in shipped:
        x, y = 100 * (1 - mark.specificity), 100 * mark.sensitivity
        figure.add_scatter(
            x=[x], y=[y], mode="markers", hovertemplate=f"{mark.label}<extra></extra>",
            marker={"symbol": "diamond", "size": 12, "color": MELANOMA_COLOR,
                    "line": {"color": "#FFFFFF", "width": 1.5}},
        )  # fmt: skip
        # Below the curve, where nothing else is drawn.
        figure.add_annotation(
            x=x, y=y, text=mark.label, showarrow=False, xanchor="left", yanchor="top",
            xshift=6, yshift=-2, font={"color": ground.ink, "size": 13},
        )  # fmt: skip
    sensitivity, specificity = explored
    figure.add_scatter(
        x=[100 * (1 - specificity.value)], y=[100 * sensitivity.value], mode="markers",
        marker={"size": 13, "color": "rgba(0,0,0,0)", "line": {"color": ground.ink, "width": 2.5}},
        error_x=_reach(specificity, ground, is_mirrored=True), error_y=_reach(sensitivity, ground),
        hovertemplate="The threshold that you look at<extra></extra>",
    )  # fmt: skip
    share_axis(figure.update_xaxes, "Other photographs referred", ground)
    share_axis(figure.update_yaxes, "Melanoma photographs found", ground)
    return bare(figure, _ROC_HEIGHT)


def roc_alt(shipped: Sequence[Mark], explored: tuple[Estimate, Estimate]) -> str:
    """The ROC curve in words."""
    marks = "; ".join(
        f"{mark.label}: sensitivity {percent(mark.sensitivity)}, specificity "
        f"{percent(mark.specificity)}"
        for mark in shipped
    )
    return (
        f"ROC curve for melanoma. On the card: {marks}. Looked at: sensitivity "
        f"{percent(explored[0].value)}, specificity {percent(explored[1].value)}."
    )


def reliability(diagram: Diagram, ground: Ground) -> go.Figure:
    """How often what was given a probability came true, before and after calibration."""
    figure = go.Figure()
    _add_diagonal(figure, ground)
    _add_bins(figure, "before", diagram.before, ground.soft)
    _add_bins(figure, "after", diagram.after, LINE_COLOR, diagram.shares)
    for place, (sign, name, color) in enumerate(
        (("■", "before", ground.soft), ("●", "after", LINE_COLOR))
    ):
        figure.add_annotation(
            x=0.03, y=1, xref="paper", yref="paper", xanchor="left", yanchor="top",
            yshift=-4 - 20 * place, showarrow=False, font={"color": ground.ink, "size": 13},
            text=f'<span style="color:{color}">{sign}</span> {name} calibration',
        )  # fmt: skip
    share_axis(figure.update_xaxes, "Probability given", ground)
    share_axis(figure.update_yaxes, "Came true", ground)
    return bare(figure, _DIAGRAM_HEIGHT)


def _add_bins(
    figure: go.Figure,
    when: str,
    bins: Sequence[ReliabilityBin],
    color: str,
    shares: Sequence[Estimate] = (),
) -> None:
    filled = [b for b in bins if b.num_rows]
    # The interval of a handful would cross the whole chart; the table has it.
    reaches = [
        (share.high - share.value, share.value - share.low)
        if share.num_photographs >= ENOUGH_IN_BIN
        else (0.0, 0.0)
        for share in shares
        if share.num_photographs
    ]
    figure.add_scatter(
        x=[100 * b.mean_probability for b in filled], y=[100 * b.observed for b in filled],
        mode="lines+markers",
        line={"color": color, "width": 2, "dash": "solid" if shares else "dot"},
        marker={
            "size": 9, "symbol": "circle" if shares else "square",
            "color": ["rgba(0,0,0,0)" if b.num_rows < ENOUGH_IN_BIN else color for b in filled],
            "line": {"color": color, "width": 2},
        },
        error_y={
            "array": [100 * up for up, _ in reaches],
            "arrayminus": [100 * down for _, down in reaches],
            "color": color, "thickness": 1.5, "width": 0,
        },
        customdata=[f"{count(b.num_hits)} of {counted(b.num_rows, 'photograph')}" for b in filled],
        hovertemplate=f"{when.capitalize()}: %{{customdata}} (%{{y:.0f}} of 100), mean "
        "probability %{x:.0f} of 100<extra></extra>",
    )  # fmt: skip


def reliability_alt(diagram: Diagram) -> str:
    """The diagram after calibration in words."""
    bins = ", ".join(
        f"{percent(b.mean_probability)} came true in {percent(b.observed)} of {count(b.num_rows)}"
        for b in diagram.after
        if b.num_rows
    )
    return f"Reliability of the probability of {diagram.name}, after calibration: {bins}."


def _threshold(threshold: float) -> str:
    # The curve begins at a threshold that nothing reaches, which may be infinite.
    return cutoff(threshold) if threshold <= 1 else "above every probability"


def _reach(figure: Estimate, ground: Ground, *, is_mirrored: bool = False) -> dict[str, Any]:
    """Error bars as long as the interval; `is_mirrored` where 1 − the figure is drawn."""
    up, down = 100 * (figure.high - figure.value), 100 * (figure.value - figure.low)
    if is_mirrored:
        up, down = down, up
    return {
        "type": "data", "symmetric": False, "array": [up], "arrayminus": [down],
        "color": ground.ink, "thickness": 1.5, "width": 4,
    }  # fmt: skip


def _add_diagonal(figure: go.Figure, ground: Ground) -> None:
    figure.add_shape(
        type="line", x0=0, x1=100, y0=0, y1=100, layer="below",
        line={"color": ground.soft, "width": 1, "dash": "dash"},
    )  # fmt: skip


def share_axis(update: Any, title: str, ground: Ground) -> None:
    """Have an axis run from 0 to 100 %, by its method `update`."""
    update(
        range=[-2, 102], tickvals=[0, 25, 50, 75, 100], ticktext=["0", "25", "50", "75", "100 %"],
        title=axis_title(title, ground), tickfont={"color": ground.soft, "size": 12},
        showgrid=False, zeroline=False, fixedrange=True, showline=True, linecolor=ground.rest,
        automargin=True,
    )  # fmt: skip


def plain_axis(ground: Ground) -> dict[str, Any]:
    """A line with soft numbers and nothing else, for either axis."""
    return {
        "fixedrange": True, "showgrid": False, "zeroline": False, "automargin": True,
        "tickfont": {"color": ground.soft, "size": 12}, "linecolor": ground.rest, "showline": True,
    }  # fmt: skip


def axis_title(text: str, ground: Ground) -> dict[str, Any]:
    """The title of an axis, in ink."""
    return {"text": text, "font": {"color": ground.ink, "size": 13}, "standoff": 6}


def bare(figure: go.Figure, height: int) -> go.Figure:
    """The figure without legend, ground and controls, at this height in pixels."""
    return figure.update_layout(
        height=height, margin={"l": 2, "r": 24, "t": 6, "b": 0}, showlegend=False,
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)", dragmode=False,
        hoverlabel={"font": {"size": 13}},
    )  # fmt: skip
