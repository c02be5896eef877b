"""The page before a photograph: what to add, what will be seen, and what the model is not for."""

import streamlit as st

from melanoma_core.models.cards import Card, OperatingPoint
from ui import errors, sessions, uploads
from ui.assess import example_panel
from ui.formats import literal
from ui.serving import Serving


def show(serving: Serving, point: OperatingPoint | None) -> None:
    """Draw the uploader, the button for an example, and a small example result.

    Args:
        serving: the model.
        point: its threshold; None beside a refused picture, of which no number is said.
    """
    left, right = st.columns([13, 10], gap="medium")
    with left, st.container(border=True):
        st.subheader("Add a dermoscopic photograph", anchor=False)
        uploads.ask("One or several photographs of one lesion, through the dermatoscope")
        _show_rejections()
    with left, st.container(border=True):
        uploads.ask_example()
    with right:
        if point is not None:
            example_panel.show(serving.model, point)
        _show_not_for(serving.model.card)


def _show_rejections() -> None:
    """Why the last photographs were not assessed, in two callouts at most."""
    rejections = sessions.rejections()
    refused = [rejection.text for rejection in rejections if rejection.is_refusal]
    unread = [rejection.text for rejection in rejections if not rejection.is_refusal]
    if refused:
        st.warning("\n\n".join(refused), icon=":material/warning:")
    if unread:
        errors.show("\n\n".join(unread))


def _show_not_for(card: Card) -> None:
    with st.container(border=True):
        st.subheader("Not for", anchor=False)
        st.markdown("\n".join(f"- {literal(item)}" for item in card.not_for))
