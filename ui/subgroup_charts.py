"""Which diagnosis is taken for which, and figures by group, as charts; each has its `alt` text."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from melanoma_core.diagnoses import BY_CODE
from melanoma_core.evaluation.formats import is_enough, measured_on, too_few
from melanoma_core.metrics.estimates import Estimate
from ui import model_charts
from ui.formats import count, percent
from ui.plots import Chart, Spec
from ui.theme import Ground

_ROW_HEIGHT = 26  # px
# Blue that lets the page through: ink on it stays readable on both grounds.
_CELL = "rgba(91, 141, 184, {:.2f})"
_CELL_OPACITIES = (0.06, 0.65)


def confusion(counts: NDArray[np.int64], codes: Sequence[str], ground: Ground) -> Chart:
    """Photographs by true and by likeliest diagnosis; the deeper a cell, the more of its row."""
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    names = [
        f"{BY_CODE[code].name} ({code}), {count(int(total))}"
        for code, total in zip(codes, totals[:, 0], strict=True)
    ]
    heatmap = {
        "type": "heatmap", "z": shares.tolist(), "x": list(codes), "y": names, "zmin": 0,
        "zmax": 1, "showscale": False, "xgap": 2, "ygap": 2,
        "colorscale": [[end, _CELL.format(o)] for end, o in enumerate(_CELL_OPACITIES)],
        "text": [[count(int(cell)) if cell else "" for cell in row] for row in counts],
        "texttemplate": "%{text}", "textfont": {"color": ground.ink, "size": 13},
        "hovertemplate": "%{y}: %{text} with %{x} likeliest<extra></extra>",
    }  # fmt: skip
    axis = {
        "fixedrange": True, "showgrid": False, "ticks": "",
        "tickfont": {"color": ground.ink, "size": 13},
    }  # fmt: skip
    title = model_charts.axis_title("Likeliest diagnosis", ground)
    layout = model_charts.bare(60 + _ROW_HEIGHT * len(codes)) | {
        "margin": {"l": 2, "r": 4, "t": 50, "b": 0},
        "xaxis": axis | {"side": "top", "title": title},
        "yaxis": axis | {"autorange": "reversed", "automargin": True},
    }
    return Chart([heatmap], layout)


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
) -> Chart:
    """Figures of groups of photographs below each other, with their intervals.

    Args:
        measures: by the measure's name, then by the group's.
        overall: by the measure's name, of all photographs: a line to compare with.
        fewest: lesions; the figure of a smaller group is left out, and that is said.
        ground: colors of the page.
    """
    names = list(next(iter(measures.values())))
    width = 1 / len(measures)
    data: list[Spec] = []
    notes: list[Spec] = []
    lines: list[Spec] = []
    axes: dict[str, Spec] = {}
    for place, (measure, of_groups) in enumerate(measures.items(), 1):
        axis = f"x{'' if place == 1 else place}"
        data.append(_points(axis, of_groups, fewest))
        notes += [
            {
                "x": 0, "y": row, "xref": axis, "showarrow": False, "xanchor": "left",
                "text": too_few(figure), "font": {"color": ground.soft, "size": 12},
            }
            for row, figure in enumerate(of_groups.values())
            if not is_enough(figure, fewest)
        ]  # fmt: skip
        lines.append(
            {
                "type": "line", "x0": 100 * overall[measure], "x1": 100 * overall[measure],
                "y0": 0, "y1": 1, "xref": axis, "yref": "paper", "layer": "below",
                "line": {"color": ground.soft, "width": 1.5, "dash": "dot"},
            }
        )  # fmt: skip
        domain = [(place - 1) * width + (0.02 if place > 1 else 0), place * width - 0.02]
        axes[f"xaxis{axis[1:]}"] = model_charts.percent_axis(measure, ground) | {
            "domain": domain,
            "side": "top",
        }
    layout = model_charts.bare(56 + _ROW_HEIGHT * len(names)) | {
        "margin": {"l": 2, "r": 24, "t": 44, "b": 0}, **axes,
        "yaxis": {
            "range": [len(names) - 0.4, -0.6], "tickvals": list(range(len(names))),
            "ticktext": [plain_text(name) for name in names],
            "tickfont": {"color": ground.ink, "size": 13}, "automargin": True,
            "showgrid": False, "zeroline": False, "fixedrange": True, "ticks": "",
        },
        "annotations": notes, "shapes": lines,
    }  # fmt: skip
    return Chart(data, layout)


def _points(axis: str, of_groups: Mapping[str, Estimate], fewest: int) -> Spec:
    """One measure of the groups that are large enough, on this horizontal axis."""
    shown = [
        (row, figure) for row, figure in enumerate(of_groups.values()) if is_enough(figure, fewest)
    ]
    return {
        "type": "scatter", "x": [100 * f.value for _, f in shown], "y": [row for row, _ in shown],
        "mode": "markers", "marker": {"size": 9, "color": model_charts.LINE_COLOR},
        "xaxis": axis, "yaxis": "y",
        "error_x": {
            "array": [100 * (f.high - f.value) for _, f in shown],
            "arrayminus": [100 * (f.value - f.low) for _, f in shown],
            "color": model_charts.LINE_COLOR, "thickness": 2, "width": 0,
        },
        "customdata": [measured_on(f) for _, f in shown],
        "hovertemplate": "%{customdata}<extra></extra>",
    }  # fmt: skip


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
