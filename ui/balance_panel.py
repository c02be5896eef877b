"""How imbalanced the classes are, and how training will balance them."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from melanoma_core.data import balance, catalogues, csv_tables
from melanoma_core.data.balance import balance_floor
from melanoma_core.data.catalogues import LABELS_BY_GROUP, Catalogue
from melanoma_core.data.coverage import NOT_RECORDED
from melanoma_core.diagnoses import BY_CODE
from melanoma_core.runs.configs import TrainConfig
from ui import balance_charts, examinations, theme
from ui.balance_charts import SPLIT_NAMES
from ui.formats import count, small

_FLOOR = "floor"
_TARGETS = {
    "none": "No balancing",
    "sqrt": "Square root",
    "even": "Equal",
    _FLOOR: "At least n",
}
_METHODS = {
    "sampling": "Sampling",
    "copies": "Augmented copies",
    "weights": "Class weights",
}
_MEANINGS = {
    "sampling": "Rare classes are drawn more often and common ones less often; the epoch keeps its "
    "length. Every draw is augmented differently.",
    "copies": "Nothing is removed: the largest class keeps its size and the others get augmented "
    "copies, so the epoch gets longer. Copies are made in training only, after the split.",
    "weights": "Every photograph is shown once per epoch. Rare classes weigh more in the loss, as "
    "if they had as many photographs as the outline shows.",
}


@dataclass(frozen=True)
class Plan:
    """The chosen values of `TrainConfig.balance` and `balance_by`."""

    balance: str
    method: str


def show(catalogue: Catalogue) -> None:
    """The controls, the balance before and after, and the counts as a table."""
    with st.container(border=True):
        st.subheader("Class balance, before and after", anchor=False)
        clean = _clean_if_chosen(catalogue)
        counts = catalogues.class_counts(clean or catalogue)
        is_present = np.sum(list(counts.values()), axis=0) > 0
        codes = [code for code, present in zip(LABELS_BY_GROUP, is_present, strict=True) if present]
        counts = {split: rows[is_present] for split, rows in counts.items()}
        training_split = "train" if "train" in counts else NOT_RECORDED
        if training_split not in counts:
            st.markdown("No photograph is in the training split, so there is nothing to balance.")
            training_split, plan = next(iter(counts)), Plan("none", "sampling")
        else:
            plan = choose("explore")
        show_plan(counts, codes, training_split, plan)
        _show_table(counts, codes, training_split, plan, is_clean=clean is not None)


def _clean_if_chosen(catalogue: Catalogue) -> Catalogue | None:
    """The clean table, which training uses; None if the files are counted as they are."""
    examination = examinations.finished(catalogue)
    is_chosen = st.toggle(
        "Use the clean table, as training does by default", key="explore_clean",
        disabled=examination is None, persist_state="session",
        help="The table as the data doctor cleans it, with the references chosen there."
        if examination else "Examine the data set on the page Data doctor first.",
    )  # fmt: skip
    if examination is None or not is_chosen:
        return None
    table, _ = examination.clean({finding.kind for finding in examination.audit().findings})
    if table.empty:
        st.markdown(
            "The clean table of this data set is empty, so its files are counted as they are."
        )
        return None
    return catalogues.build(dataclasses.replace(catalogue.dataset, table=table))


def show_plan(
    counts: Mapping[str, NDArray[np.int64]], codes: Sequence[str], training_split: str, plan: Plan
) -> None:
    """Metrics and bars of the classes as they are, and as the plan balances them.

    Args:
        counts: (C,) photographs of each class, by split.
        codes: the C classes, in the order shown.
        training_split: the key of `counts` that the plan is for.
        plan: how the classes are balanced.
    """
    before = counts[training_split]
    after = balance.effective_counts(before, plan.balance, plan.method)
    _show_metrics(before, after, plan)
    st.plotly_chart(
        balance_charts.classes(counts, codes, {training_split: after}, theme.current()),
        config={"displayModeBar": False, "staticPlot": True}, key="classes",
        alt=balance_charts.classes_alt(counts, codes, {training_split: after}),
    )  # fmt: skip
    st.markdown(small(_legend(training_split, plan)))


def choose(prefix: str) -> Plan:
    """Draw the choice of a plan; the plan.

    Args:
        prefix: prefix of the widgets' keys in the session.
    """
    default = TrainConfig()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        target = st.segmented_control(
            "Target", list(_TARGETS), default=default.balance, required=True,
            format_func=_TARGETS.__getitem__, key=f"{prefix}_target", persist_state="session",
        )  # fmt: skip
        method = st.segmented_control(
            "Method", list(_METHODS), default=default.balance_by, required=True,
            format_func=_METHODS.__getitem__, key=f"{prefix}_method", persist_state="session",
        )  # fmt: skip
        if target == _FLOOR:
            floor = st.number_input(
                "n, photographs per class", 1, 999_999, 400, step=50, width=190,
                key=f"{prefix}_floor", persist_state="session",
            )  # fmt: skip
            target = f"floor:{floor}"
    return Plan(str(target), str(method))


def _show_metrics(before: NDArray[np.int64], after: NDArray[np.float64], plan: Plan) -> None:
    num_before = int(before.sum())
    num_after = int(balance.planned_counts(before, plan.balance, plan.method).sum())
    metrics = (
        (
            "Largest to smallest",
            *(f"{balance.imbalance_ratio(rows):.1f} : 1" for rows in (before, after)),
        ),
        (
            f"Effective classes, of {int((before > 0).sum())}",
            *(f"{balance.effective_classes(rows):.1f}" for rows in (before, after)),
        ),
        ("Photographs per epoch", count(num_before), count(num_after)),
    )
    grid = st.grid(3, min_column_width=180)
    for name, first, second in metrics:
        with grid:
            st.metric(name, first if first == second else f"{first} → {second}")


def _legend(training_split: str, plan: Plan) -> str:
    text = "Filled: the photographs as they are. Outline: what training will see. "
    text += (
        _MEANINGS[plan.method]
        if plan.balance != "none"
        else "Without balancing, both are the same."
    )
    if balance_floor(plan.balance) is not None and plan.method != "copies":
        text += (
            " Classes are in proportion as if each had at least n; the epoch keeps its length, so "
            "only augmented copies reach n itself."
        )
    if training_split == NOT_RECORDED:
        text += " No split is recorded, so all photographs are counted as training photographs."
    elif training_split == "train":
        text += " Validation and test photographs are never changed."
    return (
        f"{text} Effective classes: how many classes of equal size would be as diverse (the "
        "exponential of the entropy)."
    )


def _show_table(
    counts: dict[str, NDArray[np.int64]],
    codes: list[str],
    training_split: str,
    plan: Plan,
    *,
    is_clean: bool,
) -> None:
    before = counts[training_split]
    columns: dict[str, list[object]] = {
        "Class": [BY_CODE[code].name for code in codes],
        "Code": list(codes),
        **{SPLIT_NAMES[split]: rows.tolist() for split, rows in counts.items()},
        "Per epoch": balance.planned_counts(before, plan.balance, plan.method).tolist(),
    }
    if plan.method == "weights":
        weights = balance.class_weights(before, plan.balance)
        columns["Weight in the loss"] = [round(float(weight), 4) for weight in weights]
    with st.expander("Counts as a table, and the training command", icon=":material/table:"):
        st.dataframe(columns, hide_index=True, width="stretch", alt="Photographs of each class")
        rows = list(zip(*columns.values(), strict=True))
        st.download_button(
            "Download the counts (CSV)",
            partial(csv_tables.to_csv, list(columns), rows),
            "class-counts.csv", "text/csv", icon=":material/download:", on_click="ignore",
        )  # fmt: skip
        st.code(
            f"python -m melanoma_core train --dataset … {_balance_option(plan.balance)} "
            f"--balance-by {plan.method}{'' if is_clean else ' --no-clean'}",
            language="bash", wrap_lines=True,
        )  # fmt: skip


def _balance_option(name: str) -> str:
    """The command-line option for a balance.

    >>> _balance_option("sqrt"), _balance_option("floor:400")
    ('--balance sqrt', '--oversample-to 400')
    """
    floor = balance.balance_floor(name)
    return f"--balance {name}" if floor is None else f"--oversample-to {floor}"
