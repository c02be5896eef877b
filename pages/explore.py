"""Explore: what a data set holds, how balanced its classes are, and how training uses it."""

import streamlit as st

from ui import balance_panel, dataset_choice, errors, frame
from ui.explore import augmentation_views, distributions, embedding_panel, gallery, overview

TABS = {
    "Examples": gallery.show,
    "Map": embedding_panel.show,
    "Augmentation": augmentation_views.show,
    "Age and sex": distributions.show_age_and_sex,
    "Sites": distributions.show_sites,
    "Image sizes": distributions.show_sizes,
    "Skin tone": distributions.show_skin_tones,
}

frame.title_row("Explore")
catalogue = None
with errors.shown():
    catalogue = dataset_choice.choose()
if catalogue is not None:
    overview.show(catalogue)
    balance_panel.show(catalogue)
    tabs = st.tabs(list(TABS), key="explore_tab", on_change="rerun")
    for tab, show in zip(tabs, TABS.values(), strict=True):
        if tab.open:  # only the open tab reads photographs
            with tab:
                show(catalogue)
