"""Numbers, dates, small print, and literal text from outside."""

import re
import unicodedata
from datetime import datetime

from melanoma_core.evaluation.formats import (
    NARROW_SPACE,
    count,
    counted,
    percent,
    percent_estimate,
    percent_range,
    score_estimate,
)

__all__ = [
    "NARROW_SPACE",
    "NOT_RECORDED",
    "count",
    "counted",
    "day",
    "literal",
    "percent",
    "percent_estimate",
    "percent_range",
    "score_estimate",
    "small",
]  # fmt: skip

_JOINER = "\u2060"  # word joiner: invisible, and allows no line break
NOT_RECORDED = "not recorded"


def day(iso: str) -> str:
    """The day of an ISO date or date-time, "14 Nov 2026"; the text itself if it is not a date.

    >>> day("2026-11-04T08:15:00Z")
    '4 Nov 2026'
    """
    try:
        date = datetime.fromisoformat(iso)
    except ValueError:
        return literal(iso)
    return f"{date.day} {date:%b %Y}"


def literal(text: str) -> str:
    """Escape text from outside (a file name, the notes of a data set) for Markdown.

    Streamlit turns `:smile:`, `:material/…:` and web addresses into pictures and links after
    Markdown has removed the backslashes, so backslashes alone are not enough; an invisible word
    joiner stops it. Invisible characters, and those that change the reading direction, become "�".
    """
    visible = "".join(
        "�" if unicodedata.category(character)[0] == "C" else character
        for character in re.sub(r"\s+", " ", text)
    )
    escaped = re.sub(r"([\\`*_{}\[\]<>#|~$&:@!])", r"\\\1", visible)
    return re.sub(r"(\\[:@<>~]|[wW]{3}|-(?=-|\\>)|^(?=[-+=]|\d+[.)]))", r"\1" + _JOINER, escaped)


def small(text: str) -> str:
    """Small print in a readable gray; `st.caption` is too pale."""
    return f":small[:gray[{text}]]"
