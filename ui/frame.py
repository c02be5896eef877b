"""The frame of every page: logo, model in use, privacy, and the title row."""

import base64
import functools

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.pages_manager import PagesManager

from melanoma_core.errors import MelanomaError
from melanoma_core.evaluation.formats import cutoff
from melanoma_core.models.cards import Card, OperatingPoint
from melanoma_core.paths import PROJECT_DIR
from ui import result_text
from ui.formats import day, literal, percent, small
from ui.serving import Serving, serving

ASSETS = PROJECT_DIR / "ui" / "assets"
_WARNING_PADDING = 30  # px, above and below the text of a warning together
PRIVACY = "Photographs stay in this session. Nothing of a patient is saved unless you save it."


def show_logo() -> None:
    """The logo above the navigation, or its icon when the sidebar is closed."""
    st.logo(_address("logo.svg"), icon_image=_address("icon.svg"), size="large")


@functools.cache
def _address(name: str) -> str:
    """An SVG as a data address, made once; Streamlit would make it on every run."""
    content = base64.b64encode((ASSETS / name).read_bytes()).decode()
    return f"data:image/svg+xml;base64,{content}"


def show_notice() -> None:
    """The model in use and what happens to photographs, below the navigation."""
    with st.sidebar:
        _note("Model in use", *_model_lines())
        _note("Privacy", PRIVACY)


def _note(heading: str, *lines: str) -> None:
    st.markdown("  \n".join((f"**{heading}**", *map(small, lines))))


def _model_lines() -> tuple[str, ...]:
    try:
        current = serving()
    except MelanomaError:  # the page shows why
        return ("none can be loaded",)
    if current is None:
        return ("none yet",)
    if current.problem is None:
        status = f"in use since {day(current.champion.since)}"
    else:
        status = f"instead of {literal(current.champion.model_id)}, which failed its check"
    return literal(current.model.card.model_id), f"SHA-256 {current.model.sha256[:8]}", status


def _require_frame() -> None:
    """Run app.py if Streamlit runs a page without it.

    Until `st.navigation` is called for the first time in a process, Streamlit 1.67 treats a folder
    named `pages` as its older kind of multipage app: after a restart, /about would open without
    logo, navigation and notice.
    """
    if PagesManager.uses_pages_directory:
        PagesManager.uses_pages_directory = False
        st.rerun()


def title_row(title: str) -> tuple[DeltaGenerator, DeltaGenerator]:
    """Draw the title; returns containers for the buttons beside it and for the line below it."""
    _require_frame()
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    ):
        st.title(title, anchor=False, width="content")
        actions = st.container(horizontal=True, width="content")
    return actions, st.container()


def show_intended_use(card: Card, point: OperatingPoint | None, current: Serving | None) -> None:
    """The line below a clinic page's title; `point` as in `result_text.intended_use_line`."""
    line = result_text.intended_use_line(card, point)
    if current is not None and current.model.card.model_id != card.model_id:
        line += (
            f" It has since been replaced by {literal(current.model.card.model_id)}: choose New "
            "lesion to assess the photograph with that model."
        )
    st.markdown(small(line))


def show_line(
    card: Card, point: OperatingPoint, current: Serving | None, warning: str | None
) -> None:
    """The line of `show_intended_use`, or a warning (Markdown) that takes its place.

    The line has the height of a warning, so that one that appears moves nothing below it.
    """
    with st.container(gap=None):
        if warning:
            st.warning(f":small[{warning}]", icon=":material/warning:")
            st.empty()  # takes the place of the space, which otherwise stays until the run ends
        else:
            show_intended_use(card, point, current)
            st.space(_WARNING_PADDING)


def choose_operating_point(card: Card) -> OperatingPoint:
    """The threshold for every page of this session, chosen beside the title.

    Draws nothing if the card has only one operating point.
    """
    points = {point.target: point for point in card.operating_points}
    if len(points) == 1:
        return card.operating_points[0]
    with st.popover("Threshold", icon=":material/tune:"):
        target = st.radio(
            "Target sensitivity for melanoma",
            sorted(points, reverse=True),
            format_func=percent,  # the same for every model, so that the choice outlives one
            key="target",
            persist_state="session",
        )
        # The radio's own captions are too pale to be readable for everyone.
        for value in sorted(points, reverse=True):
            st.markdown(small(_trade_off(points[value])))
    return points[target]


def _trade_off(point: OperatingPoint) -> str:
    return (
        f"{percent(point.target)}: the threshold is {cutoff(point.threshold)}. In testing it found "
        f"{percent(point.sensitivity.value)} of the melanoma photographs and referred "
        f"{percent(1 - point.specificity.value)} of the others."
    )
