"""The cards of a result: photograph and evidence map, verdict, diagnoses, what they mean."""

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
_PICTURE_ROOM = 340  # px: how wide the picture's column is in a 1280 px window
_TALLEST_SHAPE = 1.1  # height ÷ width: a taller photograph would push the rest off the screen


def show_result(found: Assessment, point: OperatingPoint, warning: str | None) -> None:
    """Verdict, photograph and diagnoses; below them what the threshold means, and what to look up.

    Two pictures beside each other have a row of their own.

    Args:
        found: the lesion.
        point: the threshold; without figures where there is a warning.
        warning: what of the patient lies outside what the model has seen, in Markdown.
    """
    # Places that are there always: what moves on the page is drawn anew, and closed again.
    place = st.container()
    if warning:
        place.warning(warning, icon=":material/warning:")
    if st.session_state.get(_VIEW) == BOTH:
        _show_verdict(found.prediction, point)
        with st.container(border=True):
            _show_picture(found)
        _show_diagnoses(found, point, is_outside=warning is not None)
        case_details.ask(found.card)
    else:
        left, right = st.columns([10, 13], gap="medium")
        with left:
            with st.container(border=True):
                _show_picture(found)
            case_details.ask(found.card)
        with right:
            _show_verdict(found.prediction, point)
            _show_diagnoses(found, point, is_outside=warning is not None)
    with st.container():
        if not warning:
            clinical_impact_panel.show(point.sensitivity, point.specificity, "clinic")
    # What stands in these two is worked out when they are opened.
    methods = st.expander(
        "More methods", icon=":material/layers:", key="more_methods_open", on_change="rerun"
    )
    if methods.open:
        with methods:
            more_methods.show(found)
    seen = st.expander(
        "What the model has and has not seen", icon=":material/fact_check:", key="seen_open",
        on_change="rerun",
    )  # fmt: skip
    if seen.open:
        with seen:
            case_details.show_seen(found.card)


def _show_picture(found: Assessment) -> None:
    if found.maps is None:
        _photograph(found)
        st.markdown(small("The network of this model gives no evidence map."))
        return
    view = st.segmented_control(
        "What to show of the photograph", (PHOTOGRAPH, MAP, BOTH), default=PHOTOGRAPH,
        required=True, key=_VIEW, label_visibility="collapsed", width="stretch",
    )  # fmt: skip
    if view == PHOTOGRAPH:
        _photograph(found)
        return
    if view == MAP:
        place, for_choice, for_opacity = (st.container() for _ in range(3))
    else:
        left, place = st.columns(2)
        with left:
            st.markdown(small("Photograph"))
            _photograph(found)
        for_choice, for_opacity = st.columns(2)
    _evidence_map(found, found.maps, place, for_choice, for_opacity)


def _photograph(found: Assessment) -> None:
    kind = "Lesion drawn by code" if found.is_drawn else "Photograph of the lesion"
    _picture(found.picture, kind)
    if found.is_drawn:
        st.markdown(small(f":material/draw: {result_text.DRAWN}"))


def _evidence_map(
    found: Assessment,
    maps: NDArray[np.float32],
    place: DeltaGenerator,
    for_choice: DeltaGenerator,
    for_opacity: DeltaGenerator,
) -> None:
    prediction = found.prediction
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
    overlay = grad_cam.overlay(ground_for_map(found.picture), heat, scale, opacity / 100)
    with place:
        if st.session_state.get(_VIEW) == BOTH:
            st.markdown(small(f"Evidence for {name}"))
        _picture(overlay, f"Where the network found support for {name}")
        if found.is_drawn:
            st.markdown(small(f":material/draw: {result_text.DRAWN}"))
    st.markdown(small(result_text.map_caption(name, heat, scale)))


def _picture(image: NDArray[np.uint8], alt: str) -> None:
    height, width = image.shape[:2]
    is_tall = height > _TALLEST_SHAPE * width
    narrower = round(_PICTURE_ROOM * _TALLEST_SHAPE * width / height)
    st.image(image, alt=alt, width=narrower if is_tall else "stretch")


def _show_verdict(prediction: Prediction, point: OperatingPoint) -> None:
    """On which side of the referral threshold this lesion lies, and what that is worth."""
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


def _show_diagnoses(found: Assessment, point: OperatingPoint, *, is_outside: bool) -> None:
    """Every diagnosis with its calibrated probability, and the few to think of."""
    prediction = found.prediction
    with st.container(border=True):
        st.subheader("All diagnoses", anchor=False)
        st.plotly_chart(
            charts.bars(prediction, theme.current()),
            config=charts.CONFIG, key="bars", alt=charts.bars_alt(prediction),
        )  # fmt: skip
        st.markdown(result_text.differential(prediction, found.card, point))
        st.markdown(small(result_text.differential_evidence(found.card, is_outside)))


def show_not_for(card: Card) -> None:
    """What the model is not for, as its card says it."""
    with st.container(border=True):
        st.subheader("Not for", anchor=False)
        st.markdown("\n".join(f"- {literal(item)}" for item in card.not_for))
