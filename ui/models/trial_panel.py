"""In use | Candidate: both models, what the candidate changes, and whether it may be used."""

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
_PICTURES_A_PAGE = 6
_PAGE = "disagreements_page"
_NAMES = {
    "sensitivity": "Sensitivity for melanoma, at its own threshold",
    "melanoma AUROC": "AUROC, melanoma",
    "specificity": "Specificity, at its own threshold",
    "balanced accuracy": "Balanced accuracy, seven diagnoses",
    "calibration error (ECE)": "Calibration error (ECE), less is better",
}
_SHARES = ("sensitivity", "specificity", "balanced accuracy")


def show(cards: list[Card], serving: Serving | None) -> None:
    """Both models side by side, and what may be done; nothing where there is no model at all."""
    change_dialogs.show_done()
    found = access.of_session()
    answering = serving.model.card.model_id if serving else None
    others = [card for card in cards if card.model_id != answering]
    if answering is None:
        if cards and not _is_any_in_use():
            _show_first(cards, found)
        return
    left, right = st.columns(2, gap="medium")
    with left, st.container(border=True):
        st.subheader("In use", anchor=False)
        _show_facts(answering)
        change_dialogs.offer_rollback(found)
    with right, st.container(border=True):
        st.subheader("Candidate", anchor=False)
        candidate = _choose_sound(others, answering)
    if candidate:
        _show_trial(answering, candidate, found)
    else:
        access.show_unlock(found)


def _is_any_in_use() -> bool:
    try:
        return store.champion(paths.models_dir()) is not None
    except ModelError:  # the page has said so
        return True


def _show_first(cards: list[Card], found: access.Access) -> None:
    with st.container(border=True):
        st.subheader("Candidate", anchor=False)
        st.markdown("No model in use. This candidate would be the first.")
        candidate = _choose_sound(cards, None)
        if candidate:
            change_dialogs.offer_promotion(found, candidate, ())
    access.show_unlock(found)


def _choose_sound(cards: list[Card], answering: str | None) -> str | None:
    """The id of the candidate, once it has passed every check; the page says why where not."""
    candidate = _choose(cards, answering)
    if candidate:
        with errors.shown("This model failed a check, so it cannot be put into use."):
            _show_facts(candidate)
            return candidate
    return None


def _choose(cards: list[Card], answering: str | None) -> str | None:
    """The id of the candidate; at first the newest of those that were never in use."""
    if not cards:
        st.markdown("No candidate yet. Training makes one; it answers nobody by itself.")
        return None
    before = _in_use_before()
    ids = [card.model_id for card in cards]
    never = [model_id for model_id in ids if model_id not in before]
    return st.selectbox(
        "Candidate",
        ids,
        index=ids.index(never[0]) if never else None,
        placeholder="Choose a model to hold against the one in use",
        format_func=lambda name: f"{name} (was in use)" if name in before else name,
        key=f"candidate_{answering}",  # anew with another model in use: labels name it
        label_visibility="collapsed",
        persist_state="page",
    )


def _in_use_before() -> set[str]:
    try:
        return {entry.model_id for entry in store.champions(paths.models_dir())}
    except ModelError:  # the page has said so
        return set()


def _show_facts(model_id: str) -> None:
    facts = trials.facts(model_id)
    card = facts.card
    numbers = [sum(card.class_counts.get(split, {}).values()) for split in ("train", "test")]
    sets = ", ".join(card_tables.data_set_names(card)) or NOT_RECORDED
    st.markdown(
        f"**{literal(card.model_id)}**, made on {day(card.created)}  \n"
        + "  \n".join(
            map(
                small,
                (
                    f"{literal(card.network)}, {card.image_size} px; {sets}",
                    f"{counted(numbers[0], 'training photograph')}, {count(numbers[1])} for the "
                    "test",
                    f"{facts.num_bytes / 1e6:.1f} MB; {facts.milliseconds:.0f} ms a photograph "
                    "on this machine",
                ),
            )
        )
    )


def _show_trial(champion: str, candidate: str, found: access.Access) -> None:
    try:
        comparison = trials.compare(champion, candidate)
    except ModelError as error:
        _show_gate("Fails the safety check.", (str(error),))
        change_dialogs.offer_promotion(found, candidate, (str(error),))
        access.show_unlock(found)
        return
    st.markdown(
        f"On the {counted(comparison.num_photographs, 'test photograph')} of both, "
        f"{count(comparison.num_melanomas)} of melanoma:"
    )
    st.table(changes(comparison), hide_index=True, alt="Candidate against the model in use")
    for note in comparison.notes:
        st.markdown(f":material/info: {small(literal(note))}")
    _show_gate(comparison.verdict, comparison.reasons)
    change_dialogs.offer_promotion(found, candidate, comparison.reasons)
    access.show_unlock(found)
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
    """The figures of both with the paired difference, for reading."""
    shown = (*comparison.changes, *comparison.others)
    return {
        "Figure": [_NAMES[change.name] for change in shown],
        "In use": [_figure(change, change.before) for change in shown],
        "Difference (95 % interval)": [_difference(change) for change in shown],
        "Candidate": [_figure(change, change.after) for change in shown],
        "At worst": [
            "decides nothing"
            if change.margin is None
            else f"{_signed(change, change.lower_bound)}; {_signed(change, -change.margin)} is "
            "allowed"
            for change in shown
        ],
    }


def _figure(change: Change, value: float) -> str:
    return percent(value) if change.name in _SHARES else score(value)


def _difference(change: Change) -> str:
    low, high = (_signed(change, bound, has_unit=False) for bound in change.interval)
    return f"{_signed(change, change.value)} ({low} to {high})"


def _signed(change: Change, value: float, *, has_unit: bool = True) -> str:
    """A difference with its sign; of shares in points."""
    if value != value:
        return "not known"
    is_share = change.name in _SHARES
    text = f"{100 * value:+.1f}" if is_share else f"{value:+.3f}"
    unit = f"{NARROW_SPACE}points" if is_share and has_unit else ""
    return text.replace("-", _MINUS) + unit


def _show_disagreements(comparison: Comparison) -> None:
    rows = comparison.disagreements
    title = f"Verdicts differ on {counted(len(rows), 'photograph')}"
    with st.expander(title, icon=":material/compare_arrows:", key="disagreements"):
        if rows.empty:
            st.markdown("Both refer the same photographs.")
            return
        is_melanoma = rows["diagnosis"] == "MEL"
        gained = int((is_melanoma & rows["candidate_refers"]).sum())
        st.markdown(
            f"Of melanomas the candidate finds {count(gained)} that the model in use misses, and "
            f"misses {count(int(is_melanoma.sum()) - gained)} that it finds."
        )
        rows = rows.assign(is_melanoma=is_melanoma).sort_values(
            ["is_melanoma", "candidate_refers", "image_id"], ascending=[False, True, True]
        )
        st.dataframe(
            readable(rows), hide_index=True, width="stretch", placeholder=NOT_RECORDED,
            alt="Photographs on which the verdicts differ",
            column_config={
                name: st.column_config.NumberColumn(name, format="percent")
                for name in ("In use gives", "Candidate gives")
            },
        )  # fmt: skip
        names = [BY_CODE[code].name for code in rows["diagnosis"]]
        listed_photographs.show(
            dict(zip(rows["image_id"], names, strict=True)), _PAGE, _PICTURES_A_PAGE
        )
        st.download_button(
            f"Download {counted(len(rows), 'row')} (CSV)", partial(csv_file, rows),
            "verdicts-differ.csv", "text/csv", icon=":material/download:", on_click="ignore",
        )  # fmt: skip


def readable(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with the words of the page."""
    referred = {True: "above", False: "below"}
    return pd.DataFrame(
        {
            "Photograph": rows["image_id"],
            "Lesion": rows["lesion_id"],
            "Source": rows["source"],
            "Diagnosis": [BY_CODE[code].name for code in rows["diagnosis"]],
            "In use gives": rows["champion_probability"],
            "In use": rows["champion_refers"].map(referred),
            "Candidate gives": rows["candidate_probability"],
            "Candidate": rows["candidate_refers"].map(referred),
        }
    )


def csv_file(rows: pd.DataFrame) -> bytes:
    """The rows for a spreadsheet."""
    wanted = rows.drop(columns="is_melanoma", errors="ignore")
    return csv_tables.to_csv(list(wanted.columns), wanted.itertuples(index=False, name=None))
