"""The curves of a training run as charts, each with its alternative text."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ui import model_charts
from ui.formats import counted
from ui.plots import Chart, Spec
from ui.theme import Ground

_HEIGHT = 250  # px
_LABEL_HEIGHT = 16  # px of one line of text


@dataclass(frozen=True)
class Line:
    """One measure over the epochs."""

    name: str
    values: Sequence[float]
    color: str


def of_history(history: Sequence[Mapping[str, Any]], ground: Ground) -> dict[str, list[Line]]:
    """The measures that a run has written so far, by the title of their chart."""
    blue = model_charts.LINE_COLOR
    measures = {
        "Loss": (("training", "loss", ground.ink), ("validation", "val_loss", blue)),
        "AUROC on validation": (
            ("melanoma", "val_melanoma_auroc", model_charts.MELANOMA_COLOR),
            ("all diagnoses", "val_macro_auroc", blue),
        ),
    }
    charts = {}
    for title, chart_measures in measures.items():
        lines = [
            Line(name, [_number(row.get(key)) for row in history], color)
            for name, key, color in chart_measures
        ]
        drawn = [line for line in lines if not all(map(math.isnan, line.values))]
        if drawn:
            charts[title] = drawn
    return charts


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def curves(lines: Sequence[Line], ground: Ground, unit: str = "Epoch") -> Chart:
    """Measures by epoch, each named at its last point; `unit` names the axis."""
    num_epochs = max(len(line.values) for line in lines)
    epochs = list(range(1, num_epochs + 1))
    values = [value for line in lines for value in line.values if not math.isnan(value)]
    low, high = min(values), max(values)
    space = 0.08 * (high - low) or 0.05
    low, high = low - space, high + space
    room = _HEIGHT - 70  # px of the plot itself, about
    positions = spread_labels([(_last(line.values) - low) / (high - low) * room for line in lines])
    data: list[Spec] = []
    notes: list[Spec] = []
    for line, position in zip(lines, positions, strict=True):
        data.append(
            {
                "type": "scatter", "x": epochs, "y": list(line.values),
                "mode": "lines+markers" if num_epochs < 3 else "lines",
                "line": {"color": line.color, "width": 2.5},
                "hovertemplate": f"{unit} %{{x}}: {line.name} %{{y:.3f}}<extra></extra>",
            }
        )  # fmt: skip
        notes.append(
            {
                "x": 1, "xref": "paper", "xanchor": "left", "xshift": 6,
                "y": low + position / room * (high - low), "text": line.name, "showarrow": False,
                "font": {"color": ground.ink, "size": 13}, "yanchor": "middle",
            }
        )  # fmt: skip
    axis = model_charts.plain_axis(ground)
    longest = max(len(line.name) for line in lines)
    layout = model_charts.bare(_HEIGHT) | {
        "margin": {"l": 2, "r": 12 + 7 * longest, "t": 6, "b": 0},
        "xaxis": axis | {"title": model_charts.axis_title(unit, ground), "tickformat": "d"},
        "yaxis": axis | {"range": [low, high], "nticks": 5},
        "annotations": notes,
    }
    return Chart(data, layout)


def curves_alt(title: str, lines: Sequence[Line], unit: str = "epoch") -> str:
    """The first and last value of every line, in words."""
    parts = [
        f"{line.name} from {line.values[0]:.3f} to {_last(line.values):.3f} over "
        f"{counted(len(line.values), unit)}"
        for line in lines
    ]
    return f"{title}: {'; '.join(parts)}."


def _last(values: Sequence[float]) -> float:
    """The last value that is not missing."""
    return next(value for value in reversed(values) if not math.isnan(value))


def spread_labels(positions: Sequence[float], height: float = _LABEL_HEIGHT) -> list[float]:
    """The positions in the same order, moved up where two labels of this height would overlap."""
    moved = list(positions)
    last = -math.inf
    for index in sorted(range(len(positions)), key=lambda index: positions[index]):
        last = moved[index] = max(positions[index], last + height)
    return moved
