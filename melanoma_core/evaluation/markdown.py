"""Markdown for documents: tables, lists, and text from outside with its Markdown escaped."""

import re
from collections.abc import Iterable, Sequence


def literal(text: str) -> str:
    r"""Text from outside (a data set's name or note) on one line, with its Markdown escaped.

    >>> literal("my*set* <b>")
    'my\\*set\\* \\<b\\>'
    """
    return re.sub(r"([\\`*_{}\[\]<>#|~])", r"\\\1", re.sub(r"\s+", " ", text).strip())


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], num_texts: int = 1) -> str:
    """A table whose first `num_texts` columns are left-aligned, the others right-aligned.

    Raises:
        ValueError: a row does not have as many cells as there are headings.
    """
    rules = [":--" if column < num_texts else "--:" for column in range(len(headings))]
    lines = [tuple(headings), tuple(rules), *map(tuple, rows)]
    for line in lines:
        if len(line) != len(headings):
            raise ValueError(
                f"A row has {len(line)} cells; expected {len(headings)}, one per heading."
            )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def bullets(items: Iterable[str]) -> str:
    """A list with one item per line."""
    return "\n".join(f"- {item}" for item in items)
