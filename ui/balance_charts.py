"""Classes of a data set as bars: filled as they are, outlined as training will see them."""

import textwrap
from collections.abc import Container, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melanoma_core.data.coverage import NOT_RECORDED
from melanoma_core.diagnoses import BY_CODE
from ui import model_charts, theme
from ui.formats import count
from ui.plots import CLEAR, Chart, Spec
from ui.theme import Ground

SPLIT_NAMES = {
    "train": "Training", "val": "Validation", "test": "Test", NOT_RECORDED: "No split recorded",
}  # fmt: skip
_NAMES_WIDTH = 0.32  # fraction of the width, for the names of the classes: 105 px on a phone
_LONGEST_NAME = 16  # letters; longer names have two lines
_GAP = 0.03
_PLANNED_WEIGHT = 2.2  # how much wider the bars with an outline are drawn
_ROW_HEIGHT = 36  # px
_HEADING = 26


def classes(
    counts: Mapping[str, NDArray[np.int64]],
    codes: Sequence[str],
    planned: Mapping[str, NDArray[Any]],
    ground: Ground,
) -> Chart:
    """Bars of each class in each split, some with an outline of a planned count.

    Args:
        counts: (C,) photographs of each class, by split.
        codes: the C classes.
        planned: (C,) counts to outline, by split; for some of the splits only.
        ground: colors of the theme.
    """
    names = ["<br>".join(textwrap.wrap(BY_CODE[code].name, _LONGEST_NAME)) for code in codes]
    data: list[Spec] = []
    notes: list[Spec] = []
    axes: dict[str, Spec] = {}
    for number, (split, domain) in enumerate(_domains(list(counts), planned), start=1):
        place = "" if number == 1 else str(number)
        rows = counts[split]
        ends = np.maximum(rows, planned.get(split, rows))
        bar = {
            "type": "bar", "y": names, "orientation": "h", "xaxis": f"x{place}",
            "hoverinfo": "skip",
        }  # fmt: skip
        colors = [theme.DIAGNOSIS_COLORS[code] for code in codes]
        data.append(
            bar
            | {
                "x": rows.tolist(), "width": 0.62,
                "marker": {"color": colors, "line": {"width": 0}},
            }
        )  # fmt: skip
        if split in planned:
            outline = {"color": CLEAR, "line": {"color": ground.ink, "width": 1.5}}
            data.append(bar | {"x": planned[split].tolist(), "width": 0.86, "marker": outline})
        labels = _labels(rows, planned.get(split))
        data.append(_numbers(f"x{place}", names, ends, labels, ground))
        notes.append(
            {
                "x": domain[0], "y": 1, "xref": "paper", "yref": "paper", "xanchor": "left",
                "yanchor": "bottom", "yshift": 4, "showarrow": False,
                "font": {"color": ground.ink, "size": 13},
                "text": f"<b>{SPLIT_NAMES[split]}</b> {_total(rows, planned.get(split))}",
            }
        )  # fmt: skip
        # Room for the numbers after the longest bar.
        reach = 1.45 if split in planned else 1.6
        axes[f"xaxis{place}"] = {
            "domain": domain, "range": [0, float(reach * max(1, ends.max()))], "visible": False,
            "fixedrange": True,
        }  # fmt: skip
    layout = model_charts.bare(_HEADING + _ROW_HEIGHT * len(codes) + 8) | {
        "margin": {"l": 0, "r": 0, "t": _HEADING, "b": 0}, "barmode": "overlay", **axes,
        "yaxis": {
            "autorange": "reversed", "showgrid": False, "zeroline": False, "fixedrange": True,
            "ticks": "", "automargin": False, "tickfont": {"color": ground.ink, "size": 12},
        },
        "annotations": notes,
    }  # fmt: skip
    return Chart(data, layout)


def _domains(splits: Sequence[str], wide: Container[str]) -> list[tuple[str, list[float]]]:
    weights = [_PLANNED_WEIGHT if split in wide else 1.0 for split in splits]
    unit = (1 - _NAMES_WIDTH - _GAP * (len(splits) - 1)) / sum(weights)
    domains, start = [], _NAMES_WIDTH
    for split, weight in zip(splits, weights, strict=True):
        domains.append((split, [start, start + unit * weight]))
        start += unit * weight + _GAP
    return domains


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


def _numbers(
    axis: str,
    names: Sequence[str],
    ends: NDArray[np.float64],
    labels: Sequence[str],
    ground: Ground,
) -> Spec:
    return {
        "type": "scatter", "x": ends.tolist(), "y": names, "xaxis": axis, "mode": "text",
        "text": [f" {label}" for label in labels], "textposition": "middle right",
        "textfont": {"color": ground.ink, "size": 13}, "hoverinfo": "skip", "cliponaxis": False,
    }  # fmt: skip


def classes_alt(
    counts: Mapping[str, NDArray[np.int64]],
    codes: Sequence[str],
    planned: Mapping[str, NDArray[Any]],
    outline: str = "as training sees them",
) -> str:
    """The bars in words; `outline` says what the outlines show."""
    parts = []
    for split, rows in counts.items():
        labels = _labels(rows, planned.get(split))
        classes = ", ".join(
            f"{BY_CODE[code].name} {label}" for code, label in zip(codes, labels, strict=True)
        )
        parts.append(f"{SPLIT_NAMES[split]}: {classes}.")
    return f"Photographs of each class, as they are and {outline}. {' '.join(parts)}"
