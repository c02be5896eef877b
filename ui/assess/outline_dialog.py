"""Redraw the outline of the lesion freehand, with the lasso of the chart library.

A clinician draws around a lesion in one stroke, with a mouse or a finger; moving an ellipse by
sliders would not follow a notched border. The lasso comes with Streamlit.
"""

import base64

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from melanoma_core.images import outlines, reading
from ui import sessions
from ui.assess import lesion_photographs
from ui.assessments import ShownPhotograph, ground_for_map, outlined
from ui.formats import small
from ui.plots import CLEAR, Chart, Spec

_HEIGHT = 460  # px
_GRID = 24  # invisible points a side; Plotly reports a lasso only if it surrounds one
_CONFIG = {"displayModeBar": False, "doubleClick": False, "scrollZoom": False}
_SELECTION = "outline_lasso"


@st.dialog("Draw around the lesion", width="large", icon=":material/draw:")
def show() -> None:
    """Draw the photograph to be outlined, and buttons that use or drop the new outline."""
    # Read here and not passed: Streamlit keeps the arguments, which would outlive the lesion.
    assessment = sessions.assessment()
    if assessment is None:
        return
    photograph = assessment.photographs[lesion_photographs.shown(assessment)]
    event = st.plotly_chart(
        _chart(photograph), key=_SELECTION, on_select="rerun", selection_mode="lasso",
        config=_CONFIG, alt="The photograph, to draw the outline on",
    )  # fmt: skip
    st.markdown(
        small(
            "Draw once around the lesion, with the mouse or a finger; its points can then be "
            "moved. The outline changes the share of the evidence inside it and the ABCD figures, "
            "not the verdict."
        )
    )
    mask = _mask(event.selection.lasso, photograph.picture)
    with st.container(horizontal=True):
        if st.button("Use this outline", type="primary", disabled=mask is None):
            lesion_photographs.redraw_outline(mask)
            st.rerun()
        is_redrawn = photograph.outline is not photograph.examined.outline
        if is_redrawn and st.button("Drop my outline"):
            lesion_photographs.redraw_outline(None)
            st.rerun()


def _chart(photograph: ShownPhotograph) -> Chart:
    """The photograph, with the outline that it has, on axes from 0 to 1."""
    picture = ground_for_map(photograph.picture)
    if photograph.outline is not None:
        picture = outlined(picture, photograph.outline)
    height, width = picture.shape[:2]
    across, down = (
        points.ravel().tolist() for points in np.mgrid[0 : 1 : _GRID * 1j, 0 : 1 : _GRID * 1j]
    )
    hidden = {"marker": {"opacity": 0}}
    points: Spec = {
        "type": "scatter", "mode": "markers", "x": across, "y": down, "hoverinfo": "skip",
        "marker": {"size": 1, "opacity": 0}, "selected": hidden, "unselected": hidden,
    }  # fmt: skip
    source = "data:image/jpeg;base64," + base64.b64encode(reading.jpeg(picture)).decode()
    axis: Spec = {"visible": False, "fixedrange": True, "constrain": "domain"}
    layout: Spec = {
        "height": _HEIGHT, "margin": {"l": 0, "r": 0, "t": 0, "b": 0}, "showlegend": False,
        "paper_bgcolor": CLEAR, "plot_bgcolor": CLEAR, "dragmode": "lasso",
        "xaxis": axis | {"range": [0, 1]},
        "yaxis": axis | {"range": [1, 0], "scaleanchor": "x", "scaleratio": height / width},
        "images": [
            {
                "source": source, "xref": "x", "yref": "y", "x": 0, "y": 0, "sizex": 1, "sizey": 1,
                "sizing": "stretch", "layer": "below",
            }
        ],
        "newselection": {"line": {"color": "#FFFFFF", "width": 2, "dash": "solid"}},
    }  # fmt: skip
    return Chart([points], layout)


def _mask(lassos: list[Spec], picture: NDArray[np.uint8]) -> NDArray[np.bool_] | None:
    """(H, W) of the picture, True inside the last lasso; None if it surrounds nothing."""
    if not lassos:
        return None
    height, width = picture.shape[:2]
    points = [
        (x * width, y * height) for x, y in zip(lassos[-1]["x"], lassos[-1]["y"], strict=True)
    ]
    mask = outlines.largest(outlines.from_polygon(points, height, width))
    return mask if mask.any() else None
