"""The panels of a result: photograph, evidence map, verdict and diagnoses."""

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from melanoma_core.diagnoses import BY_CODE
from melanoma_core.models import grad_cam
from melanoma_core.models.cards import Card, OperatingPoint
from melanoma_core.models.predict import Prediction
from ui import case_details, charts, clinical_impact_panel, result_text, theme
from ui.assess import more_methods
from ui.assessments import Assessment, ground_for_map
from ui.formats import literal, percent, small

PHOTOGRAPH, MAP, BOTH = "Photograph", "Evidence map", "Both"
_VIEW = "picture_view"
_PICTURE_WIDTH = 340  # px, of the picture's column in a 1280 px window
_MAX_SHAPE = 1.1  # height ÷ width; a taller photograph would push the rest off the screen


def show_result(assessment: Assessment, point: OperatingPoint, warning: str | None) -> None:
    """Draw verdict, photograph and diagnoses, then the clinic panel and the expanders.

    Photograph and map side by side get a row of their own.

    Args:
        assessment: of the lesion.
        point: the threshold; without sensitivity and specificity if there is a warning.
        warning: why the patient is outside the training data, in Markdown, or None.
    """
    # Always draw the containers: an element that moves on the page is redrawn, and closed.
    banner = st.container()
    if warning:
        banner.warning(warning, icon=":material/warning:")
    if st.session_state.get(_VIEW) == BOTH:
        _show_verdict(assessment.prediction, point)
        with st.container(border=True):
            _show_picture(assessment)
        _show_diagnoses(assessment, point, is_outside=warning is not None)
        case_details.ask(assessment.card)
    else:
        left, right = st.columns([10, 13], gap="medium")
        with left:
            with st.container(border=True):
                _show_picture(assessment)
            case_details.ask(assessment.card)
        with right:
            _show_verdict(assessment.prediction, point)
            _show_diagnoses(assessment, point, is_outside=warning is not None)
    with st.container():
        if not warning:
            clinical_impact_panel.show(point.sensitivity, point.specificity, "clinic")
    # The contents of the expanders are computed when they are opened.
    methods = st.expander(
        "More methods", icon=":material/layers:", key="more_methods_open", on_change="rerun"
    )
    if methods.open:
        with methods:
            more_methods.show(assessment)
    seen = st.expander(
        "What the model has and has not seen", icon=":material/fact_check:", key="seen_open",
        on_change="rerun",
    )  # fmt: skip
    if seen.open:
        with seen:
            case_details.show_seen(assessment.card)


def _show_picture(assessment: Assessment) -> None:
    if assessment.maps is None:
        _photograph(assessment)
        st.markdown(small("This model has no evidence maps."))
        return
    view = st.segmented_control(
        "What to show of the photograph", (PHOTOGRAPH, MAP, BOTH), default=PHOTOGRAPH,
        required=True, key=_VIEW, label_visibility="collapsed", width="stretch",
    )  # fmt: skip
    if view == PHOTOGRAPH:
        _photograph(assessment)
        return
    if view == MAP:
        for_map, for_choice, for_opacity = (st.container() for _ in range(3))
    else:
        left, for_map = st.columns(2)
        with left:
            st.markdown(small("Photograph"))
            _photograph(assessment)
        for_choice, for_opacity = st.columns(2)
    _evidence_map(assessment, assessment.maps, for_map, for_choice, for_opacity)


def _photograph(assessment: Assessment) -> None:
    kind = "Computer-drawn lesion" if assessment.is_drawn else "Photograph of the lesion"
    _picture(assessment.picture, kind)
    if assessment.is_drawn:
        st.markdown(small(f":material/draw: {result_text.DRAWN}"))


def _evidence_map(
    assessment: Assessment,
    maps: NDArray[np.float32],
    for_map: DeltaGenerator,
    for_choice: DeltaGenerator,
    for_opacity: DeltaGenerator,
) -> None:
    prediction = assessment.prediction
    codes = [code for group in charts.groups(prediction) for code in group.codes]
    code = for_choice.selectbox(
        "Evidence for", codes, index=codes.index("MEL"), key="evidence_for",
        format_func=lambda code: f"{BY_CODE[code].name}, {percent(prediction.probability(code))}",
    )  # fmt: skip
    opacity = for_opacity.slider(
        "Opacity of the map", 0, 100, 100, step=5, format="%d %%", key="map_opacity"
    )
    name = BY_CODE[code].name.lower()
    scale = float(maps.max())
    heat = maps[prediction.codes.index(code)]
    overlay = grad_cam.overlay(ground_for_map(assessment.picture), heat, scale, opacity / 100)
    with for_map:
        if st.session_state.get(_VIEW) == BOTH:
            st.markdown(small(f"Evidence for {name}"))
        _picture(overlay, f"Where the network found support for {name}")
        if assessment.is_drawn:
            st.markdown(small(f":material/draw: {result_text.DRAWN}"))
    st.markdown(small(result_text.map_caption(name, heat, scale)))


def _picture(image: NDArray[np.uint8], alt: str) -> None:
    height, width = image.shape[:2]
    is_tall = height > _MAX_SHAPE * width
    reduced_width = round(_PICTURE_WIDTH * _MAX_SHAPE * width / height)
    st.image(image, alt=alt, width=reduced_width if is_tall else "stretch")


def _show_verdict(prediction: Prediction, point: OperatingPoint) -> None:
    """Draw whether this lesion is above the threshold, and how good that threshold is."""
    above = result_text.is_above(prediction, point)
    probability = prediction.melanoma_probability
    with st.container(border=True):
        st.header(f"{result_text.icon(above)} {result_text.heading(above)}", anchor=False)
        st.plotly_chart(
            charts.ruler(probability, point.threshold, theme.current()),
            config=charts.CONFIG, key="ruler",
            alt=charts.ruler_alt(probability, point.threshold),
        )  # fmt: skip
        st.markdown(result_text.verdict(prediction, point))
        st.markdown(small(result_text.evidence(point)))


def _show_diagnoses(assessment: Assessment, point: OperatingPoint, *, is_outside: bool) -> None:
    """Draw the calibrated probability of every diagnosis, and the differential."""
    prediction = assessment.prediction
    with st.container(border=True):
        st.subheader("All diagnoses", anchor=False)
        st.plotly_chart(
            charts.bars(prediction, theme.current()),
            config=charts.CONFIG, key="bars", alt=charts.bars_alt(prediction),
        )  # fmt: skip
        st.markdown(result_text.differential(prediction, assessment.card, point))
        st.markdown(small(result_text.differential_evidence(assessment.card, is_outside)))


def show_not_for(card: Card) -> None:
    """Draw what the model is not for, according to its card."""
    with st.container(border=True):
        st.subheader("Not for", anchor=False)
        st.markdown("\n".join(f"- {literal(item)}" for item in card.not_for))
