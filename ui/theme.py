"""Colors of charts: one for each diagnosis, and neutral ones for light and dark."""

from dataclasses import dataclass

import streamlit as st

# The same in both themes and on paper: warm is malignant, khaki pre-malignant, cool benign.
# Color-blind safe, contrast at least 3:1 on both backgrounds; .streamlit/config.toml repeats them.
DIAGNOSIS_COLORS = {
    "MEL": "#C32A36",
    "NV": "#1760D5",
    "BCC": "#E77027",
    "AK": "#9D8F64",
    "SCC": "#965D80",
    "PBK": "#5D9F98",
    "SK": "#00755D",
    "DF": "#727DEE",
    "VASC": "#3482A9",
    "BENIGN": "#7C8894",  # benign, not named: no hue, as it is no class of its own
}


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
