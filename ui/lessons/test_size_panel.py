"""What a larger test set would buy: the width of an interval by number of melanomas."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from melanoma_core.data import bundled_set
from melanoma_core.metrics import sample_size
from melanoma_core.models.cards import OperatingPoint
from ui import model_charts, theme
from ui.charts import BELOW_COLOR
from ui.formats import count, counted, percent
from ui.lessons import views
from ui.plots import CLEAR, Chart, Spec
from ui.theme import Ground

FEWEST, MOST = 10, 3000  # melanomas, the ends of the axis
_HEIGHT = 300  # px
_TICKS = (10, 30, 100, 300, 1000, 3000)
_LONGEST_LABEL = 22  # letters; longer labels have two lines
_EXPECTED = 95  # %, without a model in use
_TARGET_WIDTH = 5.0  # percentage points


@dataclass(frozen=True)
class Mark:
    """A test set marked on the curve."""

    label: str
    num_melanomas: int  # lesions


def show(point: OperatingPoint | None) -> None:
    """The question, two fields, the chart, and the answer.

    Args:
        point: operating point of the model in use: its sensitivity is the default, its test set
            is marked.
    """
    st.header("What would a larger test set buy?", anchor=False)
    expected = round(100 * point.sensitivity.value) if point else _EXPECTED
    with st.container(horizontal=True, vertical_alignment="bottom"):
        target_width = st.number_input(
            "Target width of the interval, percentage points", 1.0, 60.0, _TARGET_WIDTH, 0.5,
            format="%.1f", key="target_width", width=330,
        )  # fmt: skip
        percentage = st.number_input(
            "Expected sensitivity for melanoma, %", 1, 100, expected, 1,
            key="expected_sensitivity", width=330,
        )  # fmt: skip
    sensitivity = percentage / 100
    needed = Mark(
        f"about {_rounded(sensitivity, target_width / 100)}",
        _needed(sensitivity, target_width / 100),
    )
    marks = _marks(point)
    st.plotly_chart(
        chart(sensitivity, marks, needed, theme.current()), config=model_charts.CONFIG,
        key="widths", alt=alt(sensitivity, marks, needed),
    )  # fmt: skip
    st.markdown(answer(sensitivity, target_width, marks))
    views.show_how(
        "python -c 'from melanoma_core.metrics.sample_size import num_needed; "
        f"print(num_needed({sensitivity:g}, {target_width / 100:g}))'",
        "",
        (
            f"A formula, not a measurement: the width of Wilson’s {percent(0.95)} interval "
            "(Wilson, JASA 1927) if the measured sensitivity equals the expected one. A lesion "
            "counts once, however many photographs it has.",
        ),
        "widths",
    )
    numbers = _numbers()
    views.offer_table(
        "interval-widths.csv",
        ["melanomas", "expected_sensitivity", "width"],
        [
            [number, sensitivity, sample_size.interval_width(sensitivity, number)]
            for number in numbers
        ],
        "widths",
    )


def _needed(sensitivity: float, target_width: float) -> int:
    return sample_size.num_needed(sensitivity, target_width)


def _rounded(sensitivity: float, target_width: float) -> str:
    """The number of melanomas to two digits, as the expectation is no finer."""
    number = _needed(sensitivity, target_width)
    step = 10 ** max(0, len(str(number)) - 2)
    return counted(step * round(number / step), "melanoma")


def _marks(point: OperatingPoint | None) -> list[Mark]:
    marks = [Mark("the nine-class set’s Test folder", _num_in_starting_set())]
    if point:
        marks.append(Mark("the test set of the model in use", point.sensitivity.num_lesions))
    return marks


@st.cache_data(show_spinner=False)
def _num_in_starting_set() -> int:
    """Melanoma lesions in the Test folder of the starting set."""
    table = bundled_set.read().table
    test_melanomas = table[(table["split"] == "test") & (table["diagnosis"] == "MEL")]
    return int(test_melanomas["lesion_id"].fillna(test_melanomas["image_id"]).nunique())


def answer(sensitivity: float, target_width: float, marks: Sequence[Mark]) -> str:
    """How many melanomas the target width needs, and the width for the marked test sets."""
    parts = [
        f"with the {count(mark.num_melanomas)} of {mark.label} it is "
        f"{_points(sensitivity, mark.num_melanomas):.0f} points wide"
        for mark in marks
    ]
    return (
        f"At an expected sensitivity of {percent(sensitivity)}, an interval {target_width:g} "
        f"percentage points wide needs **about {_rounded(sensitivity, target_width / 100)}** in "
        f"the test set; {', '.join(parts)}."
    )


def chart(sensitivity: float, marks: Sequence[Mark], needed: Mark, ground: Ground) -> Chart:
    """Width of the interval by number of melanomas, with test sets marked."""
    numbers = _numbers()
    data: list[Spec] = [
        {
            "type": "scatter", "x": numbers, "y": [_points(sensitivity, n) for n in numbers],
            "mode": "lines", "line": {"color": BELOW_COLOR, "width": 2.5},
            "hovertemplate": "%{x:,} melanomas: %{y:.1f} points wide<extra></extra>",
        }
    ]  # fmt: skip
    # A number beyond the axis is marked at its end; the text gives it.
    place = min(max(needed.num_melanomas, FEWEST), MOST)
    width = _points(sensitivity, place)
    for x, y in (([FEWEST, place], [width, width]), ([place, place], [0, width])):
        data.append(
            {
                "type": "scatter", "x": x, "y": y, "mode": "lines", "hoverinfo": "skip",
                "line": {"color": ground.soft, "width": 1.5, "dash": "dot"},
            }
        )  # fmt: skip
    circle = {"size": 13, "color": CLEAR, "line": {"color": ground.ink, "width": 2.5}}
    data.append(_point(place, width, circle))
    notes = [_label(place, width, needed.label, ground, is_below=True)]
    diamond = {
        "symbol": "diamond", "size": 12, "color": ground.ink,
        "line": {"color": "#FFFFFF", "width": 1.5},
    }  # fmt: skip
    for mark in marks:
        width = _points(sensitivity, mark.num_melanomas)
        data.append(_point(mark.num_melanomas, width, diamond))
        label = f"{count(mark.num_melanomas)}: {mark.label}"
        notes.append(_label(mark.num_melanomas, width, label, ground))
    axis = model_charts.plain_axis(ground)
    layout = model_charts.bare(_HEIGHT) | {
        "xaxis": axis | {
            "type": "log", "range": [math.log10(0.95 * FEWEST), math.log10(1.05 * MOST)],
            "tickvals": list(_TICKS), "ticktext": [count(tick) for tick in _TICKS],
            "title": model_charts.axis_title("Melanomas in the test set (lesions)", ground),
        },
        "yaxis": axis | {
            "range": [0, 1.08 * _points(sensitivity, FEWEST)], "nticks": 6,
            "ticksuffix": " points",
        },
        "annotations": notes,
    }  # fmt: skip
    return Chart(data, layout)


def alt(sensitivity: float, marks: Sequence[Mark], needed: Mark) -> str:
    """The marks in words."""
    parts = [
        f"{counted(mark.num_melanomas, 'melanoma')} ({mark.label}) "
        f"{_points(sensitivity, mark.num_melanomas):.0f} points"
        for mark in (*marks, needed)
    ]
    return (
        f"Width of the {percent(0.95)} interval of a sensitivity of {percent(sensitivity)}: "
        f"{'; '.join(parts)}."
    )


def _numbers() -> list[int]:
    return [int(n) for n in np.unique(np.geomspace(FEWEST, MOST, 200).round())]


def _points(sensitivity: float, num_melanomas: int) -> float:
    return 100 * sample_size.interval_width(sensitivity, num_melanomas)


def _point(x: float, y: float, marker: Spec) -> Spec:
    return {
        "type": "scatter", "x": [x], "y": [y], "mode": "markers", "hoverinfo": "skip",
        "marker": marker,
    }  # fmt: skip


def _label(x: float, y: float, text: str, ground: Ground, *, is_below: bool = False) -> Spec:
    """A label above right of a point on a falling curve, or below left, where there is room."""
    return {
        "x": math.log10(x), "y": y, "text": "<br>".join(textwrap.wrap(text, _LONGEST_LABEL)),
        "showarrow": False, "align": "left",
        "xanchor": "right" if is_below else "left", "yanchor": "top" if is_below else "bottom",
        "xshift": -8 if is_below else 6, "yshift": -4 if is_below else 2,
        "font": {"color": ground.ink, "size": 13},
    }  # fmt: skip
