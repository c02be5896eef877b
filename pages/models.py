"""Models: which one is in use, whether another may be promoted, and the figures of each."""

import streamlit as st

from melanoma_core import paths
from melanoma_core.models import store
from ui import errors, frame, model_records
from ui.models import tabs, trial_panel, views
from ui.serving import serving_or_message

actions, line = frame.title_row("Models")
serving = serving_or_message()
with line:
    views.show_champion(serving)
cards, problems = store.list_cards(paths.models_dir())
views.show_damaged(problems, serving)
trial_panel.show(cards, serving)
model_id = views.choose(cards, serving)

if model_id:
    with errors.shown("A file of this model failed its check, so none of its figures is shown."):
        record = model_records.read(model_id)
        with actions:
            point = frame.choose_operating_point(record.card)
        views.show_headlines(record.card, point)
        containers = st.tabs(list(tabs.TABS), key="model_tab", on_change="rerun")
        for tab, show in zip(containers, tabs.TABS.values(), strict=True):
            if tab.open:  # a tab is computed only when it is open
                with tab:
                    show(record, point)
