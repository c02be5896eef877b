"""Show errors of the core on a page."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from melanoma_core.errors import MelanomaError
from ui.formats import literal


@contextmanager
def shown(title: str = "") -> Iterator[None]:
    """Show a `MelanomaError` raised inside, and continue after the block.

    Programming errors pass through: they must fail loudly.

    Args:
        title: what happened, in Markdown; by default the first clause of the error.
    """
    try:
        yield
    except MelanomaError as error:
        show(f"**{title}** {literal(str(error))}" if title else to_markdown(error))


def to_markdown(error: MelanomaError) -> str:
    """The error's message in Markdown, with its first clause in bold and all characters literal."""
    message = str(error)
    # A refused file is named first, in quotes; dots and colons in its name end no clause.
    name_end = message.rfind("”") if message.startswith("“") else 0
    end = re.compile(r"[.;:] ").search(message, name_end)
    if end is None:
        return f"**{literal(message)}**"
    return f"**{literal(message[: end.start() + 1])}** {literal(message[end.end() :])}"


def show(text: str) -> None:
    """An error callout; `text` is Markdown, and anything from outside in it must be literal."""
    st.error(text, icon=":material/error:")
