"""Assess: is this lesion above the referral threshold for melanoma, and what is it likely to be?"""

import streamlit as st

from melanoma_core.images import reading
from ui import case_details, errors, frame, result_text, sessions, uploads
from ui.assess import example_panel, panels
from ui.assessments import assess
from ui.serving import serving_or_message

actions, line = frame.title_row("Assess a lesion")
serving = serving_or_message()
with errors.deferred():
    upload, example = uploads.uploaded(), uploads.example()
    if serving and upload:
        image = reading.read(upload.data, upload.name)
        sessions.set_assessment(assess(serving.model, image))
    elif serving and example is not None:
        sessions.set_assessment(assess(serving.model, example, is_drawn=True))
assessment = sessions.assessment()

card = assessment.card if assessment else serving.model.card if serving else None
warning = case_details.warning(assessment.card, sessions.patient()) if assessment else None
if card:
    with actions:
        point = frame.choose_operating_point(card)
    if warning:
        point = result_text.unmeasured(point)
    with line:
        frame.show_intended_use(card, point, serving)

if assessment:
    with actions:
        st.button("New lesion", icon=":material/add_photo_alternate:", on_click=sessions.clear)
    panels.show_result(assessment, point, warning)
elif serving:
    left, right = st.columns([13, 10], gap="medium")
    with left, st.container(border=True):
        uploads.ask()
    with left, st.container(border=True):
        uploads.ask_example()
    with right:
        example_panel.show(serving.model, point)
        panels.show_not_for(serving.model.card)
