"""What a training will learn from and how long it takes, shown before it is started."""

import math

import numpy as np
import streamlit as st

from melanoma_core import paths
from melanoma_core.data import balance
from melanoma_core.data.catalogues import CODES_BY_GROUP
from melanoma_core.diagnoses import CODES
from melanoma_core.runs import preview, provenance
from melanoma_core.runs.plans import RunPlan
from melanoma_core.runs.preview import Outlook
from ui import balance_panel, errors
from ui.balance_panel import Plan
from ui.formats import count, literal, small
from ui.serving import Serving
from ui.train import form

_KEPT = "train_outlook"
_ORDER = [CODES.index(code) for code in CODES_BY_GROUP]


def look(plan: RunPlan, serving: Serving | None) -> Outlook | None:
    """The outlook of a plan, kept while its data and splits stay; None where they are refused."""
    key = (plan.datasets, plan.splits, plan.split_by, plan.parents, plan.config.seed)
    kept = st.session_state.get(_KEPT)
    if kept is not None and kept[0] == key:
        found: Outlook = kept[1]
        return found
    with errors.shown(), st.spinner("Reading the data sets"):
        parents = [provenance.read(paths.models_dir(), name) for name in plan.parents]
        found = preview.outlook(plan, parents, form.card_of(plan, serving))
        st.session_state[_KEPT] = key, found
        return found
    return None


def show(found: Outlook) -> Plan:
    """Classes by split with the plan that evens them out, and what stands in the way."""
    for refusal in found.refusals:
        errors.show(f"**Training cannot start with these settings.** {literal(refusal)}")
    counts = {split: rows[_ORDER] for split, rows in found.counts.items()}
    is_there = np.sum(list(counts.values()), axis=0) > 0
    codes = [code for code, there in zip(CODES_BY_GROUP, is_there, strict=True) if there]
    shown = {split: rows[is_there] for split, rows in counts.items()}
    with st.container(border=True):
        st.subheader("What it will learn from, before and after evening out", anchor=False)
        plan = form.ask_balance()
        if shown["train"].sum():
            balance_panel.show_plan(shown, codes, "train", plan)
        st.markdown(small("Before the data doctor has looked; what it drops is said in the log."))
    if found.renamed:
        with st.expander("How class folders were read", icon=":material/translate:"):
            st.table(
                {
                    "Folder": [literal(name) for name in found.renamed],
                    "Diagnosis": [literal(name) for name in found.renamed.values()],
                },
                hide_index=True, alt="Class folders and their diagnoses",
            )  # fmt: skip
    if found.warnings:
        with st.container(border=True):
            st.subheader("Worth knowing before it starts", anchor=False)
            for warning in found.warnings:
                st.markdown(f":orange[:material/warning:] {literal(warning)}")
    return plan


def show_time(plan: RunPlan, found: Outlook, serving: Serving | None) -> None:
    """How long it will take, and where that is known from."""
    counts = found.counts["train"]
    num_taught = int(
        balance.planned_counts(counts, plan.config.balance, plan.config.balance_by).sum()
    )
    expected = preview.duration(
        plan,
        num_taught,
        found.num_files,
        paths.runs_dir(),
        serving.model.network if serving else None,
    )
    if expected is None:
        st.markdown("How long it will take is not known: nothing was trained here yet.")
        return
    st.markdown(f"**About {duration(expected.seconds)} on this machine.**")
    st.markdown(
        small(
            f"{literal(expected.reason[:1].upper() + expected.reason[1:])}; "
            f"{count(num_taught)} photographs an epoch. Training has the lowest priority, so it "
            "takes longer while others use the machine."
        )
    )


def duration(seconds: float) -> str:
    """A time that lies ahead, no finer than it is known.

    >>> duration(70), duration(4000)
    ('2 min', '1 h 10 min')
    """
    minutes = max(1, math.ceil(seconds / 60))
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(10 * round(minutes / 10), 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"
