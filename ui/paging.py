"""Looking at many things a page at a time; which page is kept under a key of the session."""

import streamlit as st

from ui.formats import count


def shown(key: str, num_things: int, size: int) -> slice:
    """The places of the things on the page that is on screen."""
    page = _page(key, num_things, size)
    return slice((page - 1) * size, min(page * size, num_things))


def show(key: str, num_things: int, size: int) -> None:
    """Buttons to the pages before and after, and which one this is; nothing for a single page."""
    page, num_pages = _page(key, num_things, size), _num_pages(num_things, size)
    places = shown(key, num_things, size)
    if num_pages == 1:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Before", key=f"{key}_before", icon=":material/chevron_left:", disabled=page == 1,
            on_click=turn_to, args=(key, page - 1),
        )  # fmt: skip
        st.button(
            "Next", key=f"{key}_next", icon=":material/chevron_right:",
            disabled=page == num_pages, on_click=turn_to, args=(key, page + 1),
        )  # fmt: skip
        st.markdown(
            f"{count(places.start + 1)} to {count(places.stop)} of {count(num_things)}, page "
            f"{count(page)} of {count(num_pages)}"
        )


def turn_to(key: str, page: int) -> None:
    """Show this page, from 1, at the next run."""
    st.session_state[key] = page


def _page(key: str, num_things: int, size: int) -> int:
    return min(st.session_state.get(key, 1), _num_pages(num_things, size))


def _num_pages(num_things: int, size: int) -> int:
    return max(1, -(-num_things // size))
