"""What stands around every page: logo, model in use, privacy, and each page's title row."""

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
PRIVACY = "Photographs stay in this session. Nothing of a patient is saved unless you save it."


def show_logo() -> None:
    """The logo over the navigation; its sign alone when the sidebar is closed."""
    st.logo(_address("logo.svg"), icon_image=_address("icon.svg"), size="large")


@functools.cache
def _address(name: str) -> str:
    """A drawing as its own address, which Streamlit would otherwise make in every run."""
    content = base64.b64encode((ASSETS / name).read_bytes()).decode()
    return f"data:image/svg+xml;base64,{content}"


def show_notice() -> None:
    """Under the navigation: which model answers, and what becomes of photographs."""
    with st.sidebar:
        _note("Model in use", *_model_lines())
        _note("Privacy", PRIVACY)


def _note(heading: str, *lines: str) -> None:
    st.markdown("  \n".join((f"**{heading}**", *map(small, lines))))


def _model_lines() -> tuple[str, ...]:
    try:
        found = serving()
    except MelanomaError:  # the page beside this notice says why
        return ("none that answers",)
    if found is None:
        return ("none yet",)
    card = found.model.card
    if found.problem is None:
        since = f"in use since {day(found.champion.since)}"
    else:
        since = f"in the place of {literal(found.champion.model_id)}"
    return literal(card.model_id), f"SHA-256 {found.model.sha256[:8]}", since


def _insist_on_the_frame() -> None:
    """Run app.py where Streamlit runs a page by itself.

    Until `st.navigation` was called once in a process, Streamlit 1.67 takes a folder named `pages`
    for its older kind of multipage app: after a restart, a browser that asks for /about would get
    that page without logo, navigation and notice.
    """
    if PagesManager.uses_pages_directory:
        PagesManager.uses_pages_directory = False
        st.rerun()


def title_row(title: str) -> tuple[DeltaGenerator, DeltaGenerator]:
    """The page's title; the places for its buttons, right of it, and for the line under it."""
    _insist_on_the_frame()
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    ):
        st.title(title, anchor=False, width="content")
        actions = st.container(horizontal=True, width="content")
    return actions, st.container()


def show_intended_use(card: Card, point: OperatingPoint, answering: Serving | None) -> None:
    """The line under a clinic page's title."""
    line = result_text.intended_use_line(card, point)
    if answering is not None and answering.model.card.model_id != card.model_id:
        line += (
            f" {literal(answering.model.card.model_id)} has come into use since: "
            "choose New lesion to assess the photograph with it."
        )
    st.markdown(small(line))


def choose_operating_point(card: Card) -> OperatingPoint:
    """The threshold that everything on the page goes by, chosen beside the title.

    A card with one operating point leaves nothing to choose, and draws nothing.
    """
    points = {point.target: point for point in card.operating_points}
    if len(points) == 1:
        return card.operating_points[0]
    with st.popover("Threshold", icon=":material/tune:"):
        target = st.radio(
            "Sensitivity for melanoma that the threshold was placed for",
            sorted(points, reverse=True),
            format_func=lambda target: (
                f"{percent(target)}: threshold {cutoff(points[target].threshold)}"
            ),
            key="target",
            persist_state="page",
        )
        # A radio button's own captions are too pale to be read by everybody.
        for value in sorted(points, reverse=True):
            st.markdown(small(_cost(points[value])))
    return points[target]


def _cost(point: OperatingPoint) -> str:
    found, cleared = point.sensitivity, point.specificity
    return (
        f"{cutoff(point.threshold)} found {percent(found.value)} of the melanoma photographs of "
        f"the test set and referred {percent(1 - cleared.value)} of the others."
    )
