"""Confusion matrix and figures by group as charts, with alt text."""

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
# Translucent blue: text on it is readable on light and dark backgrounds.
_CELL = "rgba(91, 141, 184, {:.2f})"
_CELL_OPACITIES = (0.06, 0.65)


def confusion(counts: NDArray[np.int64], codes: Sequence[str], ground: Ground) -> Chart:
    """Photographs by true and likeliest diagnosis, colored by the proportion of the row."""
    totals = counts.sum(axis=1, keepdims=True)
    proportions = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    # Codes alone: full names would leave a phone no room for the cells.
    names = [
        f"{code}, {count(int(total))}" for code, total in zip(codes, totals[:, 0], strict=True)
    ]
    heatmap = {
        "type": "heatmap", "z": proportions.tolist(), "x": list(codes), "y": names, "zmin": 0,
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
    """The rows of the confusion matrix as text."""
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
    min_lesions: int,
    ground: Ground,
) -> Chart:
    """One row per group of photographs, with intervals.

    Args:
        measures: estimates by name of the measure, then by group.
        overall: the value on all photographs by name of the measure, drawn as a line.
        min_lesions: smaller groups get "too few" in place of a point.
        ground: colors of the page.
    """
    names = list(next(iter(measures.values())))
    width = 1 / len(measures)
    data: list[Spec] = []
    notes: list[Spec] = []
    lines: list[Spec] = []
    axes: dict[str, Spec] = {}
    for place, (measure, estimates) in enumerate(measures.items(), 1):
        axis = f"x{'' if place == 1 else place}"
        data.append(_points(axis, estimates, min_lesions))
        notes += [
            {
                "x": 0, "y": row, "xref": axis, "showarrow": False, "xanchor": "left",
                "text": too_few(estimate), "font": {"color": ground.soft, "size": 12},
            }
            for row, estimate in enumerate(estimates.values())
            if not is_enough(estimate, min_lesions)
        ]  # fmt: skip
        lines.append(
            {
                "type": "line", "x0": 100 * overall[measure], "x1": 100 * overall[measure],
                "y0": 0, "y1": 1, "xref": axis, "yref": "paper", "layer": "below",
                "line": {"color": ground.soft, "width": 1.5, "dash": "dot"},
            }
        )  # fmt: skip
        domain = [(place - 1) * width + (0.06 if place > 1 else 0), place * width - 0.02]
        axes[f"xaxis{axis[1:]}"] = model_charts.percent_axis(measure, ground) | {
            "domain": domain, "side": "top", "tickvals": [0, 50, 100],
            "ticktext": ["0", "50", "100 %"],
        }  # fmt: skip
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


def _points(axis: str, estimates: Mapping[str, Estimate], min_lesions: int) -> Spec:
    """One measure for the groups that are large enough, on this horizontal axis."""
    shown = [
        (row, estimate)
        for row, estimate in enumerate(estimates.values())
        if is_enough(estimate, min_lesions)
    ]
    return {
        "type": "scatter", "x": [100 * e.value for _, e in shown], "y": [row for row, _ in shown],
        "mode": "markers", "marker": {"size": 9, "color": model_charts.LINE_COLOR},
        "xaxis": axis, "yaxis": "y",
        "error_x": {
            "array": [100 * (e.high - e.value) for _, e in shown],
            "arrayminus": [100 * (e.value - e.low) for _, e in shown],
            "color": model_charts.LINE_COLOR, "thickness": 2, "width": 0,
        },
        "customdata": [measured_on(e) for _, e in shown],
        "hovertemplate": "%{customdata}<extra></extra>",
    }  # fmt: skip


def groups_alt(
    attribute: str, measures: Mapping[str, Mapping[str, Estimate]], min_lesions: int
) -> str:
    """The groups as text."""
    parts = []
    for measure, estimates in measures.items():
        cells = ", ".join(
            f"{name} "
            + (percent(estimate.value) if is_enough(estimate, min_lesions) else too_few(estimate))
            for name, estimate in estimates.items()
        )
        parts.append(f"{measure}: {cells}.")
    return f"By {attribute}. " + " ".join(parts)


def plain_text(text: str) -> str:
    """Escape text from outside, so that Plotly does not read it as HTML."""
    return text.replace("&", "&amp;").replace("<", "&lt;")
