"""Colors that charts cannot take from Streamlit's theme, for light and dark."""

from dataclasses import dataclass

import streamlit as st


@dataclass(frozen=True)
class Ground:
    """Neutral colors on one background."""

    ink: str  # text and marks
    soft: str  # small print
    rest: str  # rules and empty parts: decoration only


LIGHT = Ground(ink="#1B2733", soft="#52616E", rest="#D3DBE2")
DARK = Ground(ink="#E6EDF3", soft="#9FB0BF", rest="#33424F")


def current() -> Ground:
    """The colors of the theme in this visitor's browser."""
    return DARK if st.context.theme.type == "dark" else LIGHT
