"""The data of a training and the time it will take, shown before the start."""

import math

import numpy as np
import streamlit as st

from melanoma_core import paths
from melanoma_core.data import balance
from melanoma_core.data.catalogues import LABELS_BY_GROUP
from melanoma_core.diagnoses import LABELS
from melanoma_core.runs import preview, provenance
from melanoma_core.runs.plans import RunPlan
from melanoma_core.runs.preview import Outlook
from ui import balance_panel, errors
from ui.balance_panel import Plan
from ui.formats import count, literal, small
from ui.serving import Serving
from ui.train import form

_CACHE = "train_outlook"
_ORDER = [LABELS.index(code) for code in LABELS_BY_GROUP]


def read(plan: RunPlan, serving: Serving | None) -> Outlook | None:
    """The outlook of a plan, cached until its data or splits change; None if it is refused."""
    key = (plan.datasets, plan.splits, plan.split_by, plan.parents, plan.config.seed)
    cached = st.session_state.get(_CACHE)
    if cached is not None and cached[0] == key:
        outlook: Outlook = cached[1]
        return outlook
    with errors.shown(), st.spinner("Reading the data sets"):
        parents = [provenance.read(paths.models_dir(), name) for name in plan.parents]
        outlook = preview.outlook(plan, parents, form.card_of(plan, serving))
        st.session_state[_CACHE] = key, outlook
        return outlook
    return None


def show(outlook: Outlook) -> Plan:
    """Why training cannot start, the classes by split, and the choice of their balancing."""
    for refusal in outlook.refusals:
        errors.show(f"**Training cannot start with these settings.** {literal(refusal)}")
    counts = {split: rows[_ORDER] for split, rows in outlook.counts.items()}
    is_present = np.sum(list(counts.values()), axis=0) > 0
    codes = [code for code, present in zip(LABELS_BY_GROUP, is_present, strict=True) if present]
    shown = {split: rows[is_present] for split, rows in counts.items()}
    with st.container(border=True):
        st.subheader("Training data, before and after balancing", anchor=False)
        plan = balance_panel.choose("train")
        if shown["train"].sum():
            balance_panel.show_plan(shown, codes, "train", plan)
        st.markdown(small("Counted before cleaning; the log will say what the data doctor drops."))
    if outlook.renamed:
        with st.expander("How class folders were read", icon=":material/translate:"):
            st.table(
                {
                    "Folder": [literal(name) for name in outlook.renamed],
                    "Diagnosis": [literal(name) for name in outlook.renamed.values()],
                },
                hide_index=True, alt="Class folders and their diagnoses",
            )  # fmt: skip
    if outlook.warnings:
        with st.container(border=True):
            st.subheader("Worth knowing before you start", anchor=False)
            for warning in outlook.warnings:
                st.markdown(f":orange[:material/warning:] {literal(warning)}")
    return plan


def show_time(plan: RunPlan, outlook: Outlook, serving: Serving | None) -> None:
    """How long training will take, and what the estimate is based on."""
    counts = outlook.counts["train"]
    num_drawn = int(
        balance.planned_counts(counts, plan.config.balance, plan.config.balance_by).sum()
    )
    expected = preview.duration(
        plan,
        num_drawn,
        outlook.num_files,
        paths.runs_dir(),
        serving.model.network if serving else None,
    )
    if expected is None:
        st.markdown("How long it will take is not known, as nothing was trained here yet.")
        return
    st.markdown(f"**About {duration(expected.seconds)} on this machine.**")
    st.markdown(
        small(
            f"{literal(expected.reason[:1].upper() + expected.reason[1:])}; "
            f"{count(num_drawn)} photographs per epoch. Training has the lowest priority, so it "
            "takes longer while the machine is busy."
        )
    )


def duration(seconds: float) -> str:
    """A remaining time, no finer than it can be estimated.

    >>> duration(70), duration(4000)
    ('2 min', '1 h 10 min')
    """
    minutes = max(1, math.ceil(seconds / 60))
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(10 * round(minutes / 10), 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"
