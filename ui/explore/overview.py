"""The size of a data set, and how it was read."""

import streamlit as st

from melanoma_core.data import catalogues
from melanoma_core.data.catalogues import Catalogue
from ui.formats import NOT_RECORDED, count, literal, small


def show(catalogue: Catalogue) -> None:
    """Numbers of photographs, lesions, patients and classes; the reader's notes in an expander."""
    grid = st.grid(4, min_column_width=140, border=True)
    for name, number in catalogues.totals(catalogue).items():
        with grid:
            st.metric(name, NOT_RECORDED if number is None else count(number))
    dataset = catalogue.dataset
    with st.expander("How it was read, and its license", icon=":material/menu_book:"):
        for note in dataset.notes:
            st.markdown(f"- {literal(note)}")
        st.markdown(
            f"License: {literal(dataset.license)}  \n"
            + small(f"Checksum of its rows: {dataset.sha256[:16]}")
        )
