"""Which diagnosis is taken for which, and figures by group, as charts; each has its `alt` text."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from melanoma_core.diagnoses import BY_CODE
from melanoma_core.evaluation.formats import is_enough, measured_on, too_few
from melanoma_core.metrics.estimates import Estimate
from ui import model_charts
from ui.formats import count, percent
from ui.theme import Ground

_ROW_HEIGHT = 26  # px
# Blue that lets the page through: ink on it stays readable on both grounds.
_CELL = "rgba(91, 141, 184, {:.2f})"
_CELL_OPACITIES = (0.06, 0.65)


def confusion(counts: NDArray[np.int64], codes: Sequence[str], ground: Ground) -> go.Figure:
    """Photographs by true and by likeliest diagnosis; the deeper a cell, the more of its row."""
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    names = [
        f"{BY_CODE[code].name} ({code}), {count(int(total))}"
        for code, total in zip(codes, totals[:, 0], strict=True)
    ]
    figure = go.Figure()
    figure.add_heatmap(
        z=shares, x=list(codes), y=names, zmin=0, zmax=1, showscale=False, xgap=2, ygap=2,
        colorscale=list(enumerate(map(_CELL.format, _CELL_OPACITIES))),
        text=[[count(int(cell)) if cell else "" for cell in row] for row in counts],
        texttemplate="%{text}", textfont={"color": ground.ink, "size": 13},
        hovertemplate="%{y}: %{text} with %{x} likeliest<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(
        side="top", fixedrange=True, showgrid=False, ticks="",
        title=model_charts.axis_title("Likeliest diagnosis", ground),
        tickfont={"color": ground.ink, "size": 13},
    )  # fmt: skip
    figure.update_yaxes(
        autorange="reversed", fixedrange=True, showgrid=False, automargin=True, ticks="",
        tickfont={"color": ground.ink, "size": 13},
    )  # fmt: skip
    model_charts.bare(figure, 60 + _ROW_HEIGHT * len(codes))
    return figure.update_layout(margin={"l": 2, "r": 4, "t": 50, "b": 0})


def confusion_alt(counts: NDArray[np.int64], codes: Sequence[str]) -> str:
    """The rows of the confusion matrix in words."""
    rows = []
    for row, code in enumerate(codes):
        cells = ", ".join(
            f"{count(int(cell))} {other}"
            for cell, other in zip(counts[row], codes, strict=True)
            if cell
        )
        rows.append(f"{BY_CODE[code].name}: {cells or 'none'}.")
    return "Likeliest diagnosis of each true diagnosis. " + " ".join(rows)


def groups(
    measures: Mapping[str, Mapping[str, Estimate]],
    overall: Mapping[str, float],
    fewest: int,
    ground: Ground,
) -> go.Figure:
    """Figures of groups of photographs below each other, with their intervals.

    Args:
        measures: by the measure's name, then by the group's.
        overall: by the measure's name, of all photographs: a line to compare with.
        fewest: lesions; the figure of a smaller group is left out, and that is said.
        ground: colors of the page.
    """
    names = list(next(iter(measures.values())))
    figure = go.Figure()
    width = 1 / len(measures)
    for place, (measure, of_groups) in enumerate(measures.items(), 1):
        _add_groups(figure, place, of_groups, fewest, ground)
        figure.add_shape(
            type="line", x0=100 * overall[measure], x1=100 * overall[measure], y0=0, y1=1,
            xref=f"x{place}", yref="paper", layer="below",
            line={"color": ground.soft, "width": 1.5, "dash": "dot"},
        )  # fmt: skip
        domain = [(place - 1) * width + (0.02 if place > 1 else 0), place * width - 0.02]
        figure.update_layout({f"xaxis{place}": {"domain": domain, "side": "top"}})
        model_charts.share_axis(figure.layout[f"xaxis{place}"].update, measure, ground)
    figure.update_yaxes(
        range=[len(names) - 0.4, -0.6], tickvals=list(range(len(names))),
        ticktext=[plain_text(name) for name in names],
        tickfont={"color": ground.ink, "size": 13}, automargin=True, showgrid=False,
        zeroline=False, fixedrange=True, ticks="",
    )  # fmt: skip
    model_charts.bare(figure, 56 + _ROW_HEIGHT * len(names))
    return figure.update_layout(margin={"l": 2, "r": 24, "t": 44, "b": 0})


def _add_groups(
    figure: go.Figure, place: int, of_groups: Mapping[str, Estimate], fewest: int, ground: Ground
) -> None:
    """One measure's points, or why there is none, on the horizontal axis number `place`."""
    names = list(of_groups)
    shown = [name for name in names if is_enough(of_groups[name], fewest)]
    figures = [of_groups[name] for name in shown]
    figure.add_scatter(
        x=[100 * f.value for f in figures], y=[names.index(name) for name in shown],
        mode="markers", marker={"size": 9, "color": model_charts.LINE_COLOR},
        xaxis=f"x{place}", yaxis="y",
        error_x={
            "array": [100 * (f.high - f.value) for f in figures],
            "arrayminus": [100 * (f.value - f.low) for f in figures],
            "color": model_charts.LINE_COLOR, "thickness": 2, "width": 0,
        },
        customdata=[measured_on(f) for f in figures], hovertemplate="%{customdata}<extra></extra>",
    )  # fmt: skip
    for row, name in enumerate(names):
        if name not in shown:
            figure.add_annotation(
                x=0, y=row, xref=f"x{place}", showarrow=False, xanchor="left",
                text=too_few(of_groups[name]), font={"color": ground.soft, "size": 12},
            )  # fmt: skip


def groups_alt(attribute: str, measures: Mapping[str, Mapping[str, Estimate]], fewest: int) -> str:
    """The groups in words."""
    parts = []
    for measure, of_groups in measures.items():
        cells = ", ".join(
            f"{name} {percent(figure.value) if is_enough(figure, fewest) else too_few(figure)}"
            for name, figure in of_groups.items()
        )
        parts.append(f"{measure}: {cells}.")
    return f"By {attribute}. " + " ".join(parts)


def plain_text(text: str) -> str:
    """Text from outside; Plotly would make links and bold print of what looks like HTML."""
    return text.replace("&", "&amp;").replace("<", "&lt;")
