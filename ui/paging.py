"""Many items a page at a time; the session remembers the page number under a key."""

import streamlit as st

from ui.formats import count

_FEW_PAGES = 3  # up to here, without a field for the page number


def shown(key: str, num_items: int, size: int) -> slice:
    """The slice of items on the current page."""
    page = _page(key, num_items, size)
    return slice((page - 1) * size, min(page * size, num_items))


def show(key: str, num_items: int, size: int) -> None:
    """Buttons to the previous and next page, the page number, and a field if there are many."""
    page, num_pages = _page(key, num_items, size), _num_pages(num_items, size)
    items = shown(key, num_items, size)
    if num_pages == 1:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Previous", key=f"{key}_previous", icon=":material/chevron_left:", disabled=page == 1,
            on_click=turn_to, args=(key, page - 1),
        )  # fmt: skip
        st.button(
            "Next", key=f"{key}_next", icon=":material/chevron_right:",
            disabled=page == num_pages, on_click=turn_to, args=(key, page + 1),
        )  # fmt: skip
        st.markdown(
            f"{count(items.start + 1)} to {count(items.stop)} of {count(num_items)}, page "
            f"{count(page)} of {count(num_pages)}",
            width="content",
        )
        if num_pages > _FEW_PAGES:
            number = (
                f"{key}_number_{page}"  # a field of its own per page, as it starts at that page
            )
            st.number_input(
                "Go to page", 1, num_pages, page, key=number, on_change=_turn_to_number,
                args=(key, number), width=150, label_visibility="collapsed", help="Go to page",
            )  # fmt: skip


def turn_to(key: str, page: int) -> None:
    """Show this page (the first is 1) in the next run."""
    st.session_state[key] = page


def _turn_to_number(key: str, number: str) -> None:
    turn_to(key, st.session_state[number])


def _page(key: str, num_items: int, size: int) -> int:
    return min(st.session_state.get(key, 1), _num_pages(num_items, size))


def _num_pages(num_items: int, size: int) -> int:
    return max(1, -(-num_items // size))
