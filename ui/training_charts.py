"""The curves of a training run as charts; each has its `alt` text."""

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
    """The measures that a run has written so far, by the chart that they belong to."""
    blue = model_charts.LINE_COLOR
    measures = {
        "Loss": (("training", "loss", ground.ink), ("validation", "val_loss", blue)),
        "AUROC on validation": (
            ("melanoma", "val_melanoma_auroc", model_charts.MELANOMA_COLOR),
            ("all diagnoses", "val_macro_auroc", blue),
        ),
    }
    found = {}
    for title, of_chart in measures.items():
        lines = [
            Line(name, [_number(row.get(key)) for row in history], color)
            for name, key, color in of_chart
        ]
        drawn = [line for line in lines if not all(map(math.isnan, line.values))]
        if drawn:
            found[title] = drawn
    return found


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def curves(lines: Sequence[Line], ground: Ground, unit: str = "Epoch") -> Chart:
    """Measures over the epochs, each named at its last point; `unit` is what the axis counts."""
    num_epochs = max(len(line.values) for line in lines)
    epochs = list(range(1, num_epochs + 1))
    values = [value for line in lines for value in line.values if not math.isnan(value)]
    low, high = min(values), max(values)
    space = 0.08 * (high - low) or 0.05
    low, high = low - space, high + space
    room = _HEIGHT - 70  # px of the plot itself, about
    places = parted([(_last(line.values) - low) / (high - low) * room for line in lines])
    data: list[Spec] = []
    notes: list[Spec] = []
    for line, place in zip(lines, places, strict=True):
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
                "y": low + place / room * (high - low), "text": line.name, "showarrow": False,
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
    """First and last point of every line in words."""
    parts = [
        f"{line.name} from {line.values[0]:.3f} to {_last(line.values):.3f} over "
        f"{counted(len(line.values), unit)}"
        for line in lines
    ]
    return f"{title}: {'; '.join(parts)}."


def _last(values: Sequence[float]) -> float:
    """The last value that is known."""
    return next(value for value in reversed(values) if not math.isnan(value))


def parted(places: Sequence[float], height: float = _LABEL_HEIGHT) -> list[float]:
    """The places, those too near for two labels of this height moved up; in the order given."""
    moved = list(places)
    last = -math.inf
    for index in sorted(range(len(places)), key=lambda index: places[index]):
        last = moved[index] = max(places[index], last + height)
    return moved
