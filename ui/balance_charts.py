"""Classes of a data set as bars: as they are in full color, as they will be taught in outline."""

from collections.abc import Container, Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from melanoma_core.data.coverage import NOT_RECORDED
from melanoma_core.diagnoses import BY_CODE
from ui import model_charts
from ui.formats import count
from ui.theme import Ground

SPLIT_NAMES = {
    "train": "Training", "val": "Validation", "test": "Test", NOT_RECORDED: "No split given",
}  # fmt: skip
_NAMES_SHARE = 0.26  # of the width, for the names of the classes
_GAP = 0.03
_PLANNED_WEIGHT = 2.2  # how much wider the bars that are planned for are drawn
_ROW_HEIGHT = 31  # px
_HEADING = 26


def classes(
    counts: Mapping[str, NDArray[np.int64]],
    codes: Sequence[str],
    planned: Mapping[str, NDArray[Any]],
    ground: Ground,
) -> go.Figure:
    """Bars of each class in each split, and over some of them an outline of what becomes of them.

    Args:
        counts: (C,) photographs of each class, by split.
        codes: of the C classes that are drawn.
        planned: (C,) what each class will count for, by split, where that is drawn too.
        ground: colors of the theme.
    """
    figure = go.Figure()
    names = [BY_CODE[code].name for code in codes]
    for number, (split, domain) in enumerate(_domains(list(counts), planned), start=1):
        axis = "x" if number == 1 else f"x{number}"
        rows = counts[split]
        ends = np.maximum(rows, planned.get(split, rows))
        figure.add_bar(
            x=rows, y=names, orientation="h", xaxis=axis, width=0.62,
            marker={"color": [BY_CODE[code].color for code in codes], "line": {"width": 0}},
            hoverinfo="skip",
        )  # fmt: skip
        if split in planned:
            figure.add_bar(
                x=planned[split], y=names, orientation="h", xaxis=axis, width=0.86,
                hoverinfo="skip",
                marker={"color": "rgba(0,0,0,0)", "line": {"color": ground.ink, "width": 1.5}},
            )  # fmt: skip
        _add_numbers(figure, axis, names, ends, _labels(rows, planned.get(split)), ground)
        figure.add_annotation(
            x=domain[0], y=1, xref="paper", yref="paper", xanchor="left", yanchor="bottom",
            yshift=4, showarrow=False, font={"color": ground.ink, "size": 13},
            text=f"<b>{SPLIT_NAMES[split]}</b> {_total(rows, planned.get(split))}",
        )  # fmt: skip
        # Room for the numbers behind the longest bar.
        reach = 1.45 if split in planned else 1.6
        figure.update_layout(
            {f"xaxis{'' if number == 1 else number}": {
                "domain": domain, "range": [0, reach * max(1, ends.max())], "visible": False,
                "fixedrange": True,
            }}
        )  # fmt: skip
    figure.update_yaxes(
        autorange="reversed", showgrid=False, zeroline=False, fixedrange=True, ticks="",
        automargin=False, tickfont={"color": ground.ink, "size": 13},
    )  # fmt: skip
    figure.update_layout(barmode="overlay")
    model_charts.bare(figure, _HEADING + _ROW_HEIGHT * len(codes) + 8)
    return figure.update_layout(margin={"l": 0, "r": 0, "t": _HEADING, "b": 0})


def _domains(splits: Sequence[str], wide: Container[str]) -> list[tuple[str, list[float]]]:
    weights = [_PLANNED_WEIGHT if split in wide else 1.0 for split in splits]
    unit = (1 - _NAMES_SHARE - _GAP * (len(splits) - 1)) / sum(weights)
    found, start = [], _NAMES_SHARE
    for split, weight in zip(splits, weights, strict=True):
        found.append((split, [start, start + unit * weight]))
        start += unit * weight + _GAP
    return found


def _total(rows: NDArray[np.int64], planned: NDArray[Any] | None) -> str:
    (label,) = _labels(
        rows.sum(keepdims=True), None if planned is None else planned.sum(keepdims=True)
    )
    return label


def _labels(rows: NDArray[np.int64], planned: NDArray[Any] | None) -> list[str]:
    if planned is None:
        return [count(int(number)) for number in rows]
    return [
        count(int(number))
        if number == round(after)
        else f"{count(int(number))} → {count(round(after))}"
        for number, after in zip(rows, planned, strict=True)
    ]


def _add_numbers(
    figure: go.Figure,
    axis: str,
    names: Sequence[str],
    ends: NDArray[np.float64],
    labels: Sequence[str],
    ground: Ground,
) -> None:
    figure.add_scatter(
        x=ends, y=names, xaxis=axis, mode="text", text=[f" {label}" for label in labels],
        textposition="middle right", textfont={"color": ground.ink, "size": 13}, hoverinfo="skip",
        cliponaxis=False,
    )  # fmt: skip


def classes_alt(
    counts: Mapping[str, NDArray[np.int64]],
    codes: Sequence[str],
    planned: Mapping[str, NDArray[Any]],
    outline: str = "as they are taught",
) -> str:
    """The bars in words; `outline` says what the outlined ones are."""
    parts = []
    for split, rows in counts.items():
        labels = _labels(rows, planned.get(split))
        classes = ", ".join(
            f"{BY_CODE[code].name} {label}" for code, label in zip(codes, labels, strict=True)
        )
        parts.append(f"{SPLIT_NAMES[split]}: {classes}.")
    return f"Photographs of each class, as they are and {outline}. {' '.join(parts)}"
