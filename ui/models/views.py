"""The upper part of the Models page: which models there are, and the first figures of one."""

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
    """The line under the title: which model answers on the other pages."""
    if serving is None:
        return
    card = serving.model.card
    text = f"**In use: {literal(card.model_id)}**"
    if serving.problem is None:
        text += f" since {day(serving.champion.since)}, SHA-256 {serving.model.sha256[:8]}."
    else:
        text += f", in the place of {literal(serving.champion.model_id)}."
    st.markdown(text)


def show_damaged(problems: list[str], serving: Serving | None) -> None:
    """The models whose cards cannot be read, with the reasons."""
    if serving is None and _is_none_in_use():
        return  # the words that no model is in use have named them
    for problem in problems:
        errors.show(f"**A model is damaged.** {literal(problem)}")


def _is_none_in_use() -> bool:
    try:
        return store.champion(paths.models_dir()) is None
    except ModelError:  # the page has said so
        return False


def choose(cards: list[Card], serving: Serving | None) -> str | None:
    """The id of the model to look at; the one in use unless another is chosen."""
    if not cards:
        return None
    ids = [card.model_id for card in cards]
    created = {card.model_id: card.created for card in cards}
    answering = serving.model.card.model_id if serving else None
    return st.selectbox(
        "Model to look at",
        ids,
        index=ids.index(answering) if answering in ids else 0,
        format_func=lambda model_id: (
            f"{model_id}, made on {day(created[model_id])}"
            f"{' (in use)' if model_id == answering else ''}"
        ),
        key=f"model_looked_at_{answering}",  # anew with another model in use: labels name it
        persist_state="page",
    )


def show_headlines(card: Card, point: OperatingPoint) -> None:
    """The figures that a model is first judged by, and what they were measured on."""
    grid = st.grid(4, min_column_width=160, border=True)
    for headline in card_tables.headlines(card, point):
        with grid, st.container(gap=None):
            show_headline(headline)
    aim = (
        f", placed for {percent(point.target)} sensitivity"
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
            "split. Everything above was measured on test photographs, of lesions that the network "
            "had never seen. Accuracies, mean AUROC and ECE are of seven diagnoses: the two "
            "keratoses count as one, and so do actinic keratosis and squamous cell carcinoma."
        )
    )


def show_headline(headline: card_tables.Headline) -> None:
    """A figure in large print over what it was measured on."""
    st.metric(headline.name, headline.value)
    st.markdown(small(headline.basis))
