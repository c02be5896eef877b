"""Looking at many things a page at a time; which page is kept under a key of the session."""

import streamlit as st

from ui.formats import count

_FEW_PAGES = 3  # are turned one by one


def shown(key: str, num_things: int, size: int) -> slice:
    """The places of the things on the page that is on screen."""
    page = _page(key, num_things, size)
    return slice((page - 1) * size, min(page * size, num_things))


def show(key: str, num_things: int, size: int) -> None:
    """Buttons to the pages beside this one, its number, and of many pages a field to name one."""
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
            f"{count(page)} of {count(num_pages)}",
            width="content",
        )
        if num_pages > _FEW_PAGES:
            number = f"{key}_number_{page}"  # another page is another field, which begins at it
            st.number_input(
                "Go to page", 1, num_pages, page, key=number, on_change=_turn_to_number,
                args=(key, number), width=150, label_visibility="collapsed", help="Go to page",
            )  # fmt: skip


def turn_to(key: str, page: int) -> None:
    """Show this page, from 1, at the next run."""
    st.session_state[key] = page


def _turn_to_number(key: str, number: str) -> None:
    turn_to(key, st.session_state[number])


def _page(key: str, num_things: int, size: int) -> int:
    return min(st.session_state.get(key, 1), _num_pages(num_things, size))


def _num_pages(num_things: int, size: int) -> int:
    return max(1, -(-num_things // size))
