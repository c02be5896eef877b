"""Numbers no finer than they are, dates, and text from outside shown as it is written."""

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

_JOINER = "\u2060"  # cannot be seen, and keeps what it parts together
NOT_RECORDED = "not recorded"


def day(iso: str) -> str:
    """The day of an ISO date or date-time: "14 Nov 2026"; the text itself if it is no date.

    >>> day("2026-11-04T08:15:00Z")
    '4 Nov 2026'
    """
    try:
        date = datetime.fromisoformat(iso)
    except ValueError:
        return literal(iso)
    return f"{date.day} {date:%b %Y}"


def literal(text: str) -> str:
    """Text from outside (a file's name, a data set's notes), so that Markdown shows it as it is.

    Streamlit makes pictures and links of `:smile:`, `:material/…:` and web addresses after
    Markdown has taken its backslashes away, so a backslash alone does not hold them: an invisible
    word joiner does. Characters that cannot be seen, or that turn the reading direction around,
    become "�".
    """
    visible = "".join(
        "�" if unicodedata.category(character)[0] == "C" else character
        for character in re.sub(r"\s+", " ", text)
    )
    escaped = re.sub(r"([\\`*_{}\[\]<>#|~$&:@!])", r"\\\1", visible)
    return re.sub(r"(\\[:@<>~]|[wW]{3}|-(?=-|\\>)|^(?=[-+=]|\d+[.)]))", r"\1" + _JOINER, escaped)


def small(text: str) -> str:
    """Small print, in a gray that can still be read (a caption's 60 % opacity cannot)."""
    return f":small[:gray[{text}]]"
