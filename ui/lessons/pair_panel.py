"""Melanoma and nevus: how often the model in use mistakes one for the other."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from melanoma_core.diagnoses import BY_CODE, CODES
from melanoma_core.evaluation.formats import cutoff
from melanoma_core.metrics.estimates import Estimate
from melanoma_core.models.cards import OperatingPoint
from ui import model_charts, model_records, theme
from ui.formats import count, counted, literal, percent, percent_range
from ui.lessons import border_panel, views
from ui.model_records import Record
from ui.plots import Chart, Spec
from ui.theme import Ground

_HEIGHT = 150  # px
_ROOM = 0.14  # fraction of a bar that fits its label
_PAIR = ("MEL", "NV")


@dataclass(frozen=True)
class LikeliestCounts:
    """Photographs of one diagnosis, counted by their likeliest diagnosis."""

    code: str
    as_melanoma: int
    as_nevus: int
    as_other: int

    @property
    def total(self) -> int:
        """All photographs of the diagnosis."""
        return self.as_melanoma + self.as_nevus + self.as_other


def show(record: Record | None, point: OperatingPoint | None) -> None:
    """The question, the two bars, the answer, and how it was measured."""
    st.header("Does the network tell melanoma from nevus?", anchor=False)
    if record is None or point is None:
        st.markdown("No model is in use yet, so there is nothing to count. See the page Models.")
        return
    rows = likeliest_counts(record)
    st.plotly_chart(
        chart(rows, theme.current()), config=model_charts.CONFIG, key="pair", alt=alt(rows)
    )
    st.markdown(answer(record, point))
    views.show_how(
        "python -m melanoma_core evaluate --dataset … --split test",
        "",
        (
            f"The model in use, {literal(record.card.model_id)}, on "
            f"{counted(len(record.test), 'test photograph')} of "
            f"{counted(record.test.num_lesions(), 'lesion')} that it had never seen; the counts "
            "are those of the confusion matrix on the page Models. In brackets: "
            f"{percent(0.95)} intervals, bootstrapped over lesions.",
        ),
        "pair",
    )
    views.offer_table(
        "melanoma-nevus.csv",
        ["diagnosis", "likeliest_melanoma", "likeliest_nevus", "likeliest_other"],
        [[row.code, row.as_melanoma, row.as_nevus, row.as_other] for row in rows],
        "pair",
    )
    border_panel.show()


def likeliest_counts(record: Record) -> list[LikeliestCounts]:
    """The rows of melanoma and nevus in the confusion matrix."""
    counts = model_records.confusion(record)
    melanoma, nevus = (CODES.index(code) for code in _PAIR)
    return [
        LikeliestCounts(
            code,
            int(row[melanoma]),
            int(row[nevus]),
            int(row.sum() - row[melanoma] - row[nevus]),
        )
        for code, row in ((code, counts[CODES.index(code)]) for code in _PAIR)
    ]


def answer(record: Record, point: OperatingPoint) -> str:
    """The mistakes in both directions, and how many the threshold corrects."""
    missed = model_records.confusion_rate(record, "MEL", "NV")
    wrongly = model_records.confusion_rate(record, "NV", "MEL")
    test = record.test
    is_mistaken = (test.is_melanoma == 1) & (test.y_prob.argmax(axis=1) == CODES.index("NV"))
    num_referred = int((is_mistaken & (test.melanoma_probability >= point.threshold)).sum())
    return (
        f"In {_hits(missed, 'melanoma photograph')} nevus is the likeliest diagnosis, and in "
        f"{_hits(wrongly, 'nevus photograph')} melanoma is. This is why the verdict uses a "
        f"threshold: at {cutoff(point.threshold)}, {count(num_referred)} of those "
        f"{count(missed.num_hits or 0)} melanoma photographs are referred anyway."
    )


def _hits(proportion: Estimate, noun: str) -> str:
    return (
        f"{count(proportion.num_hits or 0)} of {counted(proportion.num_photographs, noun)} "
        f"({percent(proportion.value)}, {percent_range(proportion.low, proportion.high)})"
    )


def chart(rows: Sequence[LikeliestCounts], ground: Ground) -> Chart:
    """The likeliest diagnoses of melanomas and nevi: one bar each, in proportions."""
    data: list[Spec] = []
    for attribute, color, name in (
        ("as_melanoma", theme.DIAGNOSIS_COLORS["MEL"], "melanoma"),
        ("as_nevus", theme.DIAGNOSIS_COLORS["NV"], "nevus"),
        ("as_other", ground.rest, "another"),
    ):
        numbers = [getattr(row, attribute) for row in rows]
        proportions = [
            number / row.total if row.total else 0
            for number, row in zip(numbers, rows, strict=True)
        ]
        ink = ground.ink if attribute == "as_other" else "#FFFFFF"
        data.append(
            {
                "type": "bar", "x": proportions, "y": [_name(row) for row in rows],
                "orientation": "h", "width": 0.62, "marker": {"color": color},
                "textposition": "inside", "insidetextanchor": "middle", "textangle": 0,
                "constraintext": "none", "customdata": [count(number) for number in numbers],
                "text": [
                    f"{name} {count(number)}" if proportion >= _ROOM else ""
                    for number, proportion in zip(numbers, proportions, strict=True)
                ],
                "textfont": {"color": ink, "size": 13},
                "hovertemplate": f"%{{y}}: {name} likeliest in %{{customdata}}<extra></extra>",
            }
        )  # fmt: skip
    layout = model_charts.bare(_HEIGHT) | {
        "barmode": "stack", "margin": {"l": 0, "r": 4, "t": 2, "b": 0},
        "xaxis": {"range": [0, 1], "domain": [0.28, 1], "visible": False, "fixedrange": True},
        "yaxis": {
            "autorange": "reversed", "showgrid": False, "zeroline": False, "fixedrange": True,
            "ticks": "", "tickfont": {"color": ground.ink, "size": 13},
        },
    }  # fmt: skip
    return Chart(data, layout)


def alt(rows: Sequence[LikeliestCounts]) -> str:
    """The bars in words."""
    parts = [
        f"{_name(row)}: melanoma in {count(row.as_melanoma)}, nevus in {count(row.as_nevus)}, "
        f"another diagnosis in {count(row.as_other)}"
        for row in rows
    ]
    return f"Likeliest diagnosis. {'; '.join(parts)}."


def _name(row: LikeliestCounts) -> str:
    return f"{BY_CODE[row.code].name}, {count(row.total)}"
