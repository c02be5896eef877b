"""The colors that a chart must be given by hand, for the light and the dark theme."""

from dataclasses import dataclass

import streamlit as st


@dataclass(frozen=True)
class Ground:
    """Neutral colors on one background; Plotly takes none of them from Streamlit's theme."""

    ink: str  # text and marks
    soft: str  # small print
    rest: str  # rules and empty parts: decoration only


LIGHT = Ground(ink="#1B2733", soft="#52616E", rest="#D3DBE2")
DARK = Ground(ink="#E6EDF3", soft="#9FB0BF", rest="#33424F")


def current() -> Ground:
    """The colors for the theme that this visitor's browser shows."""
    return DARK if st.context.theme.type == "dark" else LIGHT
