"""Explore: what is in a data set, how even its classes are, and what training makes of it."""

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
found = None
with errors.shown():
    found = dataset_choice.choose()
if found is not None:
    overview.show(found)
    balance_panel.show(found)
    tabs = st.tabs(list(TABS), key="explore_tab", on_change="rerun")
    for tab, show in zip(tabs, TABS.values(), strict=True):
        if tab.open:  # what a tab shows is read when it is looked at
            with tab:
                show(found)
