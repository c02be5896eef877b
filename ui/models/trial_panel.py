"""In use | Candidate: both models, what changes, and whether the candidate may be promoted."""

import math
from functools import partial

import pandas as pd
import streamlit as st

from melanoma_core import paths
from melanoma_core.data import csv_tables
from melanoma_core.diagnoses import BY_CODE
from melanoma_core.errors import ModelError
from melanoma_core.evaluation.comparisons import Change, Comparison
from melanoma_core.evaluation.formats import NARROW_SPACE, score
from melanoma_core.models import store
from melanoma_core.models.cards import Card
from ui import access, card_tables, errors
from ui.formats import NOT_RECORDED, count, counted, day, literal, percent, small
from ui.models import change_dialogs, listed_photographs, trials
from ui.serving import Serving

_MINUS = "\N{MINUS SIGN}"
_PICTURES_PER_PAGE = 6
_PAGE = "disagreements_page"
_NAMES = {
    "sensitivity": "Sensitivity for melanoma, at its own threshold",
    "melanoma AUROC": "AUROC, melanoma",
    "specificity": "Specificity, at its own threshold",
    "balanced accuracy": "Balanced accuracy, seven diagnoses",
    "calibration error (ECE)": "Calibration error (ECE), lower is better",
}
_PROPORTIONS = ("sensitivity", "specificity", "balanced accuracy")


def show(cards: list[Card], serving: Serving | None) -> None:
    """Draw both models side by side with promotion and rollback; nothing without any model."""
    change_dialogs.show_done()
    session_access = access.of_session()
    champion = serving.model.card.model_id if serving else None
    others = [card for card in cards if card.model_id != champion]
    if champion is None:
        if cards and not _has_champion():
            _show_first(cards, session_access)
        return
    left, right = st.columns(2, gap="medium")
    with left, st.container(border=True):
        st.subheader("In use", anchor=False)
        _show_facts(champion)
        change_dialogs.offer_rollback(session_access)
    with right, st.container(border=True):
        st.subheader("Candidate", anchor=False)
        candidate = _choose_undamaged(others, champion)
    if candidate:
        _show_trial(champion, candidate, session_access)
    else:
        access.show_unlock(session_access)


def _has_champion() -> bool:
    try:
        return store.champion(paths.models_dir()) is not None
    except ModelError:  # the page already shows it
        return True


def _show_first(cards: list[Card], session_access: access.Access) -> None:
    with st.container(border=True):
        st.subheader("Candidate", anchor=False)
        st.markdown("No model in use. This candidate would be the first.")
        candidate = _choose_undamaged(cards, None)
        if candidate:
            change_dialogs.offer_promotion(session_access, candidate, ())
    access.show_unlock(session_access)


def _choose_undamaged(cards: list[Card], champion: str | None) -> str | None:
    """The id of the candidate, or None with the reason on the page if its files fail a check."""
    candidate = _choose(cards, champion)
    if candidate:
        with errors.shown("This model failed a check, so it cannot be promoted."):
            _show_facts(candidate)
            return candidate
    return None


def _choose(cards: list[Card], champion: str | None) -> str | None:
    """The id of the candidate; by default the newest model that was never in use."""
    if not cards:
        st.markdown("No candidate yet. Training makes one; it is not used until you promote it.")
        return None
    former = _former_champions()
    ids = [card.model_id for card in cards]
    new = [model_id for model_id in ids if model_id not in former]
    return st.selectbox(
        "Candidate",
        ids,
        index=ids.index(new[0]) if new else None,
        placeholder="Choose a model to compare with the one in use",
        format_func=lambda name: f"{name} (was in use)" if name in former else name,
        key=f"candidate_{champion}",  # a new choice for another champion, as the labels change
        label_visibility="collapsed",
        persist_state="page",
    )


def _former_champions() -> set[str]:
    try:
        return {entry.model_id for entry in store.champions(paths.models_dir())}
    except ModelError:  # the page already shows it
        return set()


def _show_facts(model_id: str) -> None:
    facts = trials.facts(model_id)
    card = facts.card
    num_train, num_test = (
        sum(card.class_counts.get(split, {}).values()) for split in ("train", "test")
    )
    data_sets = ", ".join(card_tables.data_set_names(card)) or NOT_RECORDED
    st.markdown(
        f"**{literal(card.model_id)}**, made on {day(card.created)}  \n"
        + "  \n".join(
            map(
                small,
                (
                    f"{literal(card.network)}, {card.image_size} px; {data_sets}",
                    f"{counted(num_train, 'training photograph')}, "
                    f"{counted(num_test, 'test photograph')}",
                    f"{facts.num_bytes / 1e6:.1f} MB; {facts.milliseconds:.0f} ms per photograph "
                    "on this computer",
                ),
            )
        )
    )


def _show_trial(champion: str, candidate: str, session_access: access.Access) -> None:
    try:
        comparison = trials.compare(champion, candidate)
    except ModelError as error:
        _show_gate("Fails the safety check.", (str(error),))
        change_dialogs.offer_promotion(session_access, candidate, (str(error),))
        access.show_unlock(session_access)
        return
    st.markdown(
        f"On the {counted(comparison.num_photographs, 'test photograph')} that both were tested "
        f"on, {count(comparison.num_melanomas)} of melanoma:"
    )
    st.table(changes(comparison), hide_index=True, alt="Candidate compared with the model in use")
    for note in comparison.notes:
        st.markdown(f":material/info: {small(literal(note))}")
    _show_gate(comparison.verdict, comparison.reasons)
    change_dialogs.offer_promotion(session_access, candidate, comparison.reasons)
    access.show_unlock(session_access)
    _show_disagreements(comparison)


def _show_gate(verdict: str, reasons: tuple[str, ...]) -> None:
    if not reasons:
        st.markdown(f":material/check: {literal(verdict)}")
        return
    first, *more = reasons
    st.markdown(f":material/block: **{literal(verdict)}** {literal(first)}")
    for reason in more:
        st.markdown(small(literal(reason)))


def changes(comparison: Comparison) -> dict[str, list[str]]:
    """The figures of both models with the paired difference, as a table."""
    rows = (*comparison.changes, *comparison.others)
    return {
        "Figure": [_NAMES[change.name] for change in rows],
        "In use": [_value(change, change.before) for change in rows],
        "Difference (95 % interval)": [_difference(change) for change in rows],
        "Candidate": [_value(change, change.after) for change in rows],
        "Worst case (one-sided 95 %)": [
            "for information only"
            if change.margin is None
            else f"{_signed(change, change.lower_bound)}; the limit is "
            f"{_signed(change, -change.margin)}"
            for change in rows
        ],
    }


def _value(change: Change, value: float) -> str:
    return percent(value) if change.name in _PROPORTIONS else score(value)


def _difference(change: Change) -> str:
    low, high = (_signed(change, bound, has_unit=False) for bound in change.interval)
    return f"{_signed(change, change.value)} ({low} to {high})"


def _signed(change: Change, value: float, *, has_unit: bool = True) -> str:
    """A difference with its sign; of proportions in percentage points."""
    if math.isnan(value):
        return "not known"
    is_proportion = change.name in _PROPORTIONS
    text = f"{100 * value:+.1f}" if is_proportion else f"{value:+.3f}"
    unit = f"{NARROW_SPACE}points" if is_proportion and has_unit else ""
    return text.replace("-", _MINUS) + unit


def _show_disagreements(comparison: Comparison) -> None:
    rows = comparison.disagreements
    title = f"Verdicts differ on {counted(len(rows), 'photograph')}"
    with st.expander(title, icon=":material/compare_arrows:", key="disagreements"):
        if rows.empty:
            st.markdown("Both refer the same photographs.")
            return
        is_melanoma = rows["diagnosis"] == "MEL"
        num_gained = int((is_melanoma & rows["candidate_refers"]).sum())
        num_lost = int(is_melanoma.sum()) - num_gained
        st.markdown(
            f"The candidate finds {counted(num_gained, 'melanoma photograph')} that the model in "
            f"use misses, and misses {count(num_lost)} that it finds."
        )
        rows = rows.assign(is_melanoma=is_melanoma).sort_values(
            ["is_melanoma", "candidate_refers", "image_id"], ascending=[False, True, True]
        )
        st.dataframe(
            readable(rows), hide_index=True, width="stretch", placeholder=NOT_RECORDED,
            alt="Photographs on which the verdicts differ",
        )  # fmt: skip
        names = [BY_CODE[code].name for code in rows["diagnosis"]]
        listed_photographs.show(
            dict(zip(rows["image_id"], names, strict=True)), _PAGE, _PICTURES_PER_PAGE
        )
        st.download_button(
            f"Download {counted(len(rows), 'row')} (CSV)", partial(csv_file, rows),
            "verdicts-differ.csv", "text/csv", icon=":material/download:", on_click="ignore",
        )  # fmt: skip


def readable(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with the column names of the page."""
    referred = {True: "above", False: "below"}
    return pd.DataFrame(
        {
            "Photograph": rows["image_id"],
            "Lesion": rows["lesion_id"],
            "Source": rows["source"],
            "Diagnosis": [BY_CODE[code].name for code in rows["diagnosis"]],
            "Melanoma, in use": rows["champion_probability"].map(percent),
            "In use": rows["champion_refers"].map(referred),
            "Melanoma, candidate": rows["candidate_probability"].map(percent),
            "Candidate": rows["candidate_refers"].map(referred),
        }
    )


def csv_file(rows: pd.DataFrame) -> bytes:
    """The rows for a spreadsheet."""
    table = rows.drop(columns="is_melanoma", errors="ignore")
    return csv_tables.to_csv(list(table.columns), table.itertuples(index=False, name=None))
