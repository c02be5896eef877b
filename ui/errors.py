"""The one place where an error of the core becomes words on a page."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from melanoma_core.errors import MelanomaError
from ui import sessions
from ui.formats import literal


@contextmanager
def shown(title: str = "") -> Iterator[None]:
    """Show a `MelanomaError` raised inside, and go on behind the block.

    Programming errors pass through: they must fail loudly.

    Args:
        title: what happened, in Markdown; without it the error's own first sentence.
    """
    try:
        yield
    except MelanomaError as error:
        show(f"**{title}** {literal(str(error))}" if title else to_markdown(error))


@contextmanager
def deferred() -> Iterator[None]:
    """Keep a `MelanomaError` raised inside, to be shown where the photograph was asked for."""
    try:
        yield
    except MelanomaError as error:
        sessions.set_refusal(to_markdown(error))


def to_markdown(error: MelanomaError) -> str:
    """The error's message in Markdown, literal; what happened in bold, need and remedy plain."""
    message = str(error)
    # A refusal begins with the file's name in quotes, whose own dots and colons end nothing.
    name_end = message.rfind("”") if message.startswith("“") else 0
    end = re.compile(r"[.;:] ").search(message, name_end)
    if end is None:
        return f"**{literal(message)}**"
    return f"**{literal(message[: end.start() + 1])}** {literal(message[end.end() :])}"


def show(text: str) -> None:
    """An error callout; `text` is Markdown, with everything from outside made literal."""
    st.error(text, icon=":material/error:")
