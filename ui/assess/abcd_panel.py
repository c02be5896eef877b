"""Shape and color of the outlined lesion in numbers."""

import math

import streamlit as st

from melanoma_core.images import abcd, outlines
from melanoma_core.images.abcd import COLORS, Abcd
from ui import sessions
from ui.assessments import ShownPhotograph
from ui.formats import percent, small

_MOST_MM = 100.0  # a dermatoscope shows 10 to 30 mm


def show(photograph: ShownPhotograph) -> None:
    """Draw the measures of the photograph on screen, or why there are none."""
    if photograph.outline is None:
        st.markdown(
            "The lesion’s outline was not found, so its shape and colors cannot be measured. You "
            "can draw the outline below the photograph."
        )
        return
    mm = st.number_input(
        "Width of the photograph in mm, if you know it", min_value=1.0, max_value=_MOST_MM,
        value=None, step=0.5, placeholder="Not known", key=sessions.FIELD_OF_VIEW,
        persist_state="session", width=330,
    )  # fmt: skip
    height, width = photograph.picture.shape[:2]
    mask = outlines.resize(photograph.outline, height, width)
    if not mask.any():
        st.markdown("The outline is smaller than a pixel.")
        return
    measured = abcd.describe(photograph.picture, mask, None if mm is None else mm / width)
    st.markdown("\n".join(f"- {line}" for line in lines(measured)))
    st.markdown(
        small(
            "Measured on the pixels inside the outline. This is not the ABCD score of dermoscopy, "
            "which also counts structures, and no verdict."
        )
    )


def lines(measured: Abcd) -> list[str]:
    """Asymmetry, border, colors and diameter in Markdown."""
    first, second = (percent(share) for share in measured.asymmetry)
    border = "irregular" if measured.is_irregular else "regular"
    colors = ", ".join(f"{name} {percent(measured.color_shares[name])}" for name in measured.colors)
    if measured.diameter_mm is None or math.isnan(measured.diameter_mm):
        diameter = "not known without the width of the photograph"
    else:
        diameter = f"{measured.diameter_mm:.1f} mm at its longest"
    return [
        f"**Asymmetry** of shape in {measured.num_asymmetric_axes} of 2 axes: {first} and {second} "
        "of the lesion has no mirror image.",
        f"**Border** {border}: {percent(measured.border_irregularity)} of its convex hull is not "
        "lesion.",
        f"**Colors**: {len(measured.colors)} of the {len(COLORS)} of dermoscopy"
        f"{f' ({colors})' if colors else ''}.",
        f"**Diameter**: {diameter}.",
    ]
