"""The photograph on screen, its outline or evidence map, and the lesion's other photographs."""

import math

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from melanoma_core.diagnoses import BY_CODE
from melanoma_core.models import grad_cam
from melanoma_core.models.predict import Model
from ui import charts, result_text, sessions, uploads
from ui.assess import lesion_photographs, outline_dialog
from ui.assessments import Assessment, ShownPhotograph, ground_for_map, outlined
from ui.formats import percent, percent_range, small

PHOTOGRAPH, MAP = "Photograph", "Evidence map"
_PICTURE_WIDTH = 323  # px, of the picture in a 1280 px window
_MAX_SHAPE = 0.85  # height ÷ width; a taller photograph would push the checks off the screen
_THUMBNAIL = 160  # px, the long side
# px below the picture, the same for photograph and map, so that a choice moves nothing.
_CONTROLS_HEIGHT = 142


def show(assessment: Assessment, number: int, model: Model | None) -> None:
    """Draw the card.

    Args:
        assessment: of the lesion.
        number: of the photograph on screen.
        model: that assessed it, to take further photographs; None if it was replaced since.
    """
    photograph = assessment.photographs[number]
    with st.container(border=True, gap="xsmall"):
        view = PHOTOGRAPH if photograph.maps is None else _choose_view()
        picture = st.container()
        with st.container(height=_CONTROLS_HEIGHT, border=False, gap="xxsmall"):
            if view == MAP and photograph.maps is not None:
                drawn, alt = _map(photograph, photograph.maps)
            else:
                drawn, alt = _photograph(photograph)
                _ask_for_another(assessment, model)
        with picture:
            _picture(drawn, alt)
            if photograph.is_drawn:
                st.markdown(small(f":material/draw: {result_text.DRAWN}"))
        if len(assessment.photographs) > 1:
            _choose(assessment, number, model)
        for rejection in sessions.rejections():
            st.markdown(f":orange[:material/warning:] {rejection.text}")


def _choose_view() -> str:
    return st.segmented_control(
        "What to show of the photograph", (PHOTOGRAPH, MAP), default=PHOTOGRAPH, required=True,
        key="picture_view", label_visibility="collapsed", width="stretch",
    )  # fmt: skip


def _photograph(photograph: ShownPhotograph) -> tuple[NDArray[np.uint8], str]:
    """The switch for the outline; gives the picture and its alternative text."""
    alt = "Computer-drawn lesion" if photograph.is_drawn else "Photograph of the lesion"
    has_outline = photograph.outline is not None
    with st.container(horizontal=True, vertical_alignment="center"):
        is_on = has_outline and st.toggle("Outline", key="outline_on", persist_state="session")
        if st.button(
            "Edit the outline" if has_outline else "Draw the outline", icon=":material/draw:",
            type="tertiary", width="content",
        ):  # fmt: skip
            outline_dialog.show()
    if photograph.outline is None or not is_on:
        return photograph.picture, alt
    return outlined(photograph.picture, photograph.outline), f"{alt}, outlined"


def _map(photograph: ShownPhotograph, maps: NDArray[np.float32]) -> tuple[NDArray[np.uint8], str]:
    """The choice of a diagnosis, and the caption; gives the map and its alternative text."""
    prediction = photograph.prediction
    codes = [code for group in charts.groups(prediction) for code in group.codes]
    with st.container(horizontal=True, vertical_alignment="center", wrap=False):
        code = st.selectbox(
            "Evidence for", codes, index=codes.index("MEL"), key="evidence_for",
            label_visibility="collapsed", format_func=lambda code: (
                f"Evidence for {BY_CODE[code].name.lower()}, "
                f"{percent(prediction.probability(code))}"
            ),
        )  # fmt: skip
        with st.popover("", icon=":material/opacity:", help="Opacity of the map"):
            opacity = st.slider(
                "Opacity of the map", 0, 100, 100, step=5, format="%d %%", key="map_opacity"
            )
    name = BY_CODE[code].name.lower()
    scale = float(maps.max())
    heat = maps[prediction.codes.index(code)]
    st.markdown(small(_caption(photograph, name, heat, scale)))
    overlay = grad_cam.overlay(ground_for_map(photograph.picture), heat, scale, opacity / 100)
    return overlay, f"Where the network found support for {name}"


def _caption(
    photograph: ShownPhotograph, name: str, heat: NDArray[np.float32], scale: float
) -> str:
    caption = result_text.map_caption(name, heat, scale)
    if not grad_cam.is_drawable(heat, scale):
        return caption
    if photograph.outline is None:
        return f"The lesion’s outline was not found, so the share inside it is not known. {caption}"
    share = grad_cam.heat_inside(heat, photograph.outline)
    if math.isnan(share):
        return caption
    return f"{percent(share)} of the evidence lies inside the lesion. {caption}"


def _picture(image: NDArray[np.uint8], alt: str) -> None:
    height, width = image.shape[:2]
    is_tall = height > _MAX_SHAPE * width
    reduced_width = round(_PICTURE_WIDTH * _MAX_SHAPE * width / height)
    st.image(image, alt=alt, width=reduced_width if is_tall else "stretch")


def _ask_for_another(assessment: Assessment, model: Model | None) -> None:
    is_full = len(assessment.photographs) >= lesion_photographs.MOST
    if model is None or is_full or assessment.is_drawn:
        return
    # Another key closes it once a photograph has come.
    with st.popover(
        "Add another photograph of this lesion", icon=":material/add:", type="tertiary",
        key=sessions.upload_key("another"),
    ):  # fmt: skip
        uploads.ask("Further photographs of the same lesion")


def _choose(assessment: Assessment, number: int, model: Model | None) -> None:
    """The thumbnails of a lesion with several photographs, and what they say together."""
    photographs = assessment.photographs
    with st.grid(len(photographs), min_column_width=30, gap="xsmall", wrap=False):
        for other, photograph in enumerate(photographs):
            st.image(_thumbnail(photograph.picture), alt=f"Photograph {other + 1}", width="stretch")
    st.session_state[sessions.SHOWN] = number
    st.segmented_control(
        "Photograph on screen", range(len(photographs)), required=True,
        format_func=lambda other: f"{other + 1}", key=sessions.SHOWN,
        on_change=sessions.forget_other_maps, label_visibility="collapsed", width="stretch",
    )  # fmt: skip
    probabilities = [photograph.prediction.melanoma_probability for photograph in photographs]
    with st.container(
        horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"
    ):
        st.markdown(
            small(
                f"Mean of {len(photographs)} photographs; melanoma "
                f"{percent_range(min(probabilities), max(probabilities), ' to ')}"
            ),
            width="content",
        )
        if model is not None:
            st.button(
                "", icon=":material/delete:", type="tertiary", help="Remove this photograph",
                on_click=lesion_photographs.remove_shown, args=(model,), key="remove_photograph",
            )  # fmt: skip


def _thumbnail(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    step = max(1, math.ceil(max(picture.shape) / _THUMBNAIL))
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[top : top + side : step, left : left + side : step]
