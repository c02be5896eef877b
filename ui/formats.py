"""Numbers no finer than they are, dates, and text from outside shown as it is written."""

import math
import re
import unicodedata
from datetime import datetime

from melanoma_core.percentages import NOT_KNOWN, digits
from melanoma_core.registry import Figure

NARROW_SPACE = "\u202f"  # no-break: a line never ends in a number whose % is on the next
_JOINER = "\u2060"  # cannot be seen, and keeps what it parts together
NOT_RECORDED = "not recorded"


def percent(value: float) -> str:
    """A share of 0 to 1 as it is shown on every page, with its sign."""
    return NOT_KNOWN if math.isnan(value) else f"{digits(value)}{NARROW_SPACE}%"


def percent_range(low: float, high: float, joint: str = "–") -> str:
    """An interval of shares, with one sign: "91–98 %"."""
    if math.isnan(low) or math.isnan(high):
        return "interval not known"
    return f"{digits(low)}{joint}{percent(high)}"


def count(number: int) -> str:
    """A whole number with its thousands parted: 1,331."""
    return f"{number:,}"


def counted(number: int, noun: str) -> str:
    """A number of things: "1 lesion", "1,331 lesions"."""
    return f"{count(number)} {noun}" if number == 1 else f"{count(number)} {noun}s"


def score_figure(figure: Figure, decimals: int = 3) -> str:
    """A figure that is no share, with its interval: "0.912 (0.891–0.930)"."""
    if math.isnan(figure.value):
        return NOT_KNOWN
    value = f"{figure.value:.{decimals}f}"
    if math.isnan(figure.low) or math.isnan(figure.high):
        return f"{value} (interval not known)"
    return f"{value} ({figure.low:.{decimals}f}–{figure.high:.{decimals}f})"


def share_figure(figure: Figure) -> str:
    """A figure that is a share, with its interval: "95 % (91–98 %)"."""
    if math.isnan(figure.value):
        return NOT_KNOWN
    return f"{percent(figure.value)} ({percent_range(figure.low, figure.high)})"


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
    """Small print, in a grey that can still be read (a caption's 60 % opacity cannot)."""
    return f":small[:gray[{text}]]"
