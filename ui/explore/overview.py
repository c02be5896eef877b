"""The first lines of a data set: how much there is, and how it was read."""

import streamlit as st

from melanoma_core.data import catalogues
from melanoma_core.data.catalogues import Catalogue
from ui.formats import NOT_RECORDED, count, literal, small


def show(found: Catalogue) -> None:
    """Photographs, lesions, patients and classes; the notes of the reader to open."""
    grid = st.grid(4, min_column_width=140, border=True)
    for name, number in catalogues.totals(found).items():
        with grid:
            st.metric(name, NOT_RECORDED if number is None else count(number))
    dataset = found.dataset
    with st.expander("How it was read, and its license", icon=":material/menu_book:"):
        for note in dataset.notes:
            st.markdown(f"- {literal(note)}")
        st.markdown(
            f"License: {literal(dataset.license)}  \n"
            + small(f"Checksum of its rows: {dataset.sha256[:16]}")
        )
