"""Assess: is this lesion above a referral threshold, and what is it likely to be?"""

import streamlit as st

from ui import case_details, frame, result_text, sessions
from ui.assess import empty_page, lesion_photographs, result
from ui.serving import serving_or_message

actions, line = frame.title_row("Assess a lesion")
serving = serving_or_message()
if serving:
    lesion_photographs.receive(serving.model)
assessment = sessions.assessment()

if assessment:
    with actions:
        point = frame.choose_operating_point(assessment.card)
        st.button("New lesion", icon=":material/add_photo_alternate:", on_click=sessions.clear)
    warning = case_details.warning(assessment.card, sessions.patient())
    with line:
        frame.show_line(assessment.card, point, serving, warning)
    is_same = serving is not None and serving.model.card.model_id == assessment.card.model_id
    model = serving.model if serving is not None and is_same else None
    result.show(assessment, point, model, is_outside=warning is not None)
    if warning:
        frame.show_intended_use(assessment.card, result_text.unmeasured(point), serving)
elif serving:
    # Beside a refused picture there is no number that could be taken for its result.
    is_refused = any(rejection.is_refusal for rejection in sessions.rejections())
    with actions:
        point = None if is_refused else frame.choose_operating_point(serving.model.card)
    with line:
        frame.show_intended_use(serving.model.card, point, serving)
    empty_page.show(serving, point)
