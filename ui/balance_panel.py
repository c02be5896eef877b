"""How uneven the classes are, and the plan by which training evens them out."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from melanoma_core.data import balance, catalogues, csv_tables
from melanoma_core.data.balance import balance_floor
from melanoma_core.data.catalogues import CODES_BY_GROUP, Catalogue
from melanoma_core.data.coverage import NOT_RECORDED
from melanoma_core.diagnoses import BY_CODE
from melanoma_core.runs.configs import TrainConfig
from ui import balance_charts, examinations, theme
from ui.balance_charts import SPLIT_NAMES
from ui.formats import count, small

_FLOOR = "floor"
_TARGETS = {
    "none": "As it is",
    "sqrt": "Square root",
    "even": "Even",
    _FLOOR: "At least n",
}
_METHODS = {
    "sampling": "Sampling",
    "copies": "Augmented copies",
    "weights": "Class weights",
}
_MEANINGS = {
    "sampling": "Rare classes are drawn more often and common ones less; an epoch stays as long. "
    "Whenever a photograph is drawn, it is augmented anew.",
    "copies": "Nothing is taken away: the largest class stays, and the others get further "
    "augmented views, so an epoch gets longer. Copies are made in training only, after the split.",
    "weights": "Every photograph is shown once. A rare class weighs more in the loss, as if there "
    "were as many as the outline says.",
}


@dataclass(frozen=True)
class Plan:
    """What was chosen: as `TrainConfig.balance` and `balance_by`."""

    balance: str
    method: str


def show(found: Catalogue) -> None:
    """Controls, figures before and after, bars, and the counts as a table."""
    with st.container(border=True):
        st.subheader("How even the classes are, before and after", anchor=False)
        clean = _clean_if_wanted(found)
        counts = catalogues.class_counts(clean or found)
        is_there = np.sum(list(counts.values()), axis=0) > 0
        codes = [code for code, there in zip(CODES_BY_GROUP, is_there, strict=True) if there]
        counts = {split: rows[is_there] for split, rows in counts.items()}
        taught_split = "train" if "train" in counts else NOT_RECORDED
        if taught_split not in counts:
            st.markdown("None of these photographs is for training, so there is nothing to plan.")
            taught_split, plan = next(iter(counts)), Plan("none", "sampling")
        else:
            plan = choose("explore")
        show_plan(counts, codes, taught_split, plan)
        _show_table(counts, codes, taught_split, plan, is_clean=clean is not None)


def _clean_if_wanted(found: Catalogue) -> Catalogue | None:
    """The clean table, which training takes; None where the files as they are shall be counted."""
    examination = examinations.ended(found)
    is_wanted = st.toggle(
        "Count the clean table, which training takes by default", key="explore_clean",
        disabled=examination is None, persist_state="session",
        help="As the data doctor leaves it, with the references that it was given."
        if examination else "Have the data set examined on the page Data doctor first.",
    )  # fmt: skip
    if examination is None or not is_wanted:
        return None
    table, _ = examination.clean({finding.kind for finding in examination.audit().findings})
    if table.empty:
        st.markdown("The clean table of this data set is empty: its files are counted instead.")
        return None
    return catalogues.catalogue(dataclasses.replace(found.dataset, table=table))


def show_plan(
    counts: Mapping[str, NDArray[np.int64]], codes: Sequence[str], taught_split: str, plan: Plan
) -> None:
    """Figures and bars of the classes as they are, and as the plan makes them.

    Args:
        counts: (C,) photographs of each class, by split.
        codes: of the C classes, as they are listed.
        taught_split: the key of `counts` that the plan is for.
        plan: how the classes are evened out.
    """
    before = counts[taught_split]
    after = balance.taught(before, plan.balance, plan.method)
    _show_figures(before, after, plan)
    st.plotly_chart(
        balance_charts.classes(counts, codes, {taught_split: after}, theme.current()),
        config={"displayModeBar": False, "staticPlot": True}, key="classes",
        alt=balance_charts.classes_alt(counts, codes, {taught_split: after}),
    )  # fmt: skip
    st.markdown(small(_legend(taught_split, plan)))


def choose(prefix: str) -> Plan:
    """Draw the choice of a plan.

    Args:
        prefix: of the keys that the page's session keeps it under.
    """
    default = TrainConfig()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        target = st.segmented_control(
            "Target", list(_TARGETS), default=default.balance, required=True,
            format_func=_TARGETS.__getitem__, key=f"{prefix}_target", persist_state="session",
        )  # fmt: skip
        method = st.segmented_control(
            "By", list(_METHODS), default=default.balance_by, required=True,
            format_func=_METHODS.__getitem__, key=f"{prefix}_method", persist_state="session",
        )  # fmt: skip
        if target == _FLOOR:
            floor = st.number_input(
                "n, photographs of a class", 1, 999_999, 400, step=50, width=190,
                key=f"{prefix}_floor", persist_state="session",
            )  # fmt: skip
            target = f"floor:{floor}"
    return Plan(str(target), str(method))


def _show_figures(before: NDArray[np.int64], after: NDArray[np.float64], plan: Plan) -> None:
    num_before = int(before.sum())
    num_after = int(balance.planned_counts(before, plan.balance, plan.method).sum())
    figures = (
        ("Largest to smallest", *(f"{balance.ratio(rows):.1f} : 1" for rows in (before, after))),
        (
            f"Effective classes, of {int((before > 0).sum())}",
            *(f"{balance.effective_classes(rows):.1f}" for rows in (before, after)),
        ),
        ("Photographs an epoch", count(num_before), count(num_after)),
    )
    grid = st.grid(3, min_column_width=180)
    for name, first, second in figures:
        with grid:
            st.metric(name, first if first == second else f"{first} → {second}")


def _legend(taught_split: str, plan: Plan) -> str:
    words = "Full color: the photographs as they are. Outline: what training makes of them. "
    words += _MEANINGS[plan.method] if plan.balance != "none" else "Here it changes nothing."
    if balance_floor(plan.balance) is not None and plan.method != "copies":
        words += (
            " Classes stand to each other as if each had at least n; as an epoch gets no longer, "
            "only copies bring n itself."
        )
    if taught_split == NOT_RECORDED:
        words += " No split is given, so all photographs are counted as if they were for training."
    elif taught_split == "train":
        words += " Validation and test photographs are never changed."
    return (
        f"{words} Effective classes: how many classes of one size would be as mixed (the "
        "exponential of the entropy)."
    )


def _show_table(
    counts: dict[str, NDArray[np.int64]],
    codes: list[str],
    taught_split: str,
    plan: Plan,
    *,
    is_clean: bool,
) -> None:
    before = counts[taught_split]
    columns: dict[str, list[object]] = {
        "Class": [BY_CODE[code].name for code in codes],
        "Code": list(codes),
        **{SPLIT_NAMES[split]: rows.tolist() for split, rows in counts.items()},
        "An epoch": balance.planned_counts(before, plan.balance, plan.method).tolist(),
    }
    if plan.method == "weights":
        weights = balance.class_weights(before, plan.balance)
        columns["Weight in the loss"] = [round(float(weight), 4) for weight in weights]
    with st.expander("Counts as a table, and the training command", icon=":material/table:"):
        st.dataframe(columns, hide_index=True, width="stretch", alt="Photographs of each class")
        rows = list(zip(*columns.values(), strict=True))
        st.download_button(
            "Download the counts (CSV)",
            partial(csv_tables.written, list(columns), rows),
            "class-counts.csv", "text/csv", icon=":material/download:", on_click="ignore",
        )  # fmt: skip
        st.code(
            f"python -m melanoma_core train --dataset … {_balance_option(plan.balance)} "
            f"--balance-by {plan.method}{'' if is_clean else ' --no-clean'}",
            language="bash", wrap_lines=True,
        )  # fmt: skip


def _balance_option(name: str) -> str:
    """The option of the command line for a balance.

    >>> _balance_option("sqrt"), _balance_option("floor:400")
    ('--balance sqrt', '--oversample-to 400')
    """
    floor = balance.balance_floor(name)
    return f"--balance {name}" if floor is None else f"--oversample-to {floor}"
