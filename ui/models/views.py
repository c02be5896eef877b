"""The upper part of the Models page: the models, and the main figures of one."""

import streamlit as st

from melanoma_core import paths
from melanoma_core.errors import ModelError
from melanoma_core.evaluation.formats import cutoff
from melanoma_core.models import store
from melanoma_core.models.cards import Card, OperatingPoint
from ui import card_tables, errors, result_text
from ui.formats import counted, day, literal, percent, small
from ui.serving import Serving


def show_champion(serving: Serving | None) -> None:
    """The line below the title: the model in use."""
    if serving is None:
        return
    card = serving.model.card
    text = f"**In use: {literal(card.model_id)}**"
    if serving.problem is None:
        text += f" since {day(serving.champion.since)}, SHA-256 {serving.model.sha256[:8]}."
    else:
        text += f", instead of {literal(serving.champion.model_id)}, which failed its check."
    st.markdown(text)


def show_damaged(problems: list[str], serving: Serving | None) -> None:
    """The models whose cards cannot be read, with reasons."""
    if serving is None and _has_no_champion():
        return  # `serving.show_no_model` has named them
    for problem in problems:
        errors.show(f"**A model is damaged.** {literal(problem)}")


def _has_no_champion() -> bool:
    try:
        return store.champion(paths.models_dir()) is None
    except ModelError:  # the page already shows it
        return False


def choose(cards: list[Card], serving: Serving | None) -> str | None:
    """The id of the model to show; by default the one in use."""
    if not cards:
        return None
    ids = [card.model_id for card in cards]
    created = {card.model_id: card.created for card in cards}
    champion = serving.model.card.model_id if serving else None
    return st.selectbox(
        "Model to show",
        ids,
        index=ids.index(champion) if champion in ids else 0,
        format_func=lambda model_id: (
            f"{model_id}, made on {day(created[model_id])}"
            f"{' (in use)' if model_id == champion else ''}"
        ),
        key=f"shown_model_{champion}",  # a new choice for another champion, as the labels change
        persist_state="page",
    )


def show_headlines(card: Card, point: OperatingPoint) -> None:
    """The main figures of a model, and what they were measured on."""
    grid = st.grid(4, min_column_width=160, border=True)
    for headline in card_tables.headlines(card, point):
        with grid, st.container(gap=None):
            show_headline(headline)
    aim = (
        f", set for {percent(point.target)} sensitivity"
        if result_text.is_well_measured(point)
        else ""
    )
    chosen_on = (
        f"{counted(point.val_photographs, 'melanoma photograph')} of "
        f"{counted(point.val_lesions, 'lesion')}"
    )
    st.markdown(
        small(
            f"Threshold {cutoff(point.threshold)}{aim}; chosen on {chosen_on} of the validation "
            f"split.{result_text.not_default(card, point)} "
            "All figures above were measured on test photographs, of lesions the network "
            "had never seen. Accuracies, mean AUROC and ECE are for seven diagnoses: the two "
            "keratoses count as one, and so do actinic keratosis and squamous cell carcinoma."
        )
    )


def show_headline(headline: card_tables.Headline) -> None:
    """A figure in large print, and below it what it was measured on."""
    st.metric(headline.name, headline.value)
    st.markdown(small(headline.basis))
