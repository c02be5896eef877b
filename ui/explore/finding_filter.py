"""The findings of the data doctor as a filter of a data set's photographs."""

from collections.abc import Callable
from functools import partial

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from melanoma_core.data.catalogues import Catalogue
from melanoma_core.data.row_groups import Rows
from ui import examinations
from ui.finding_text import WORDS
from ui.formats import count

KEY = "explore_only_finding"


def ask(found: Catalogue, on_change: Callable[[], None]) -> NDArray[np.int64] | None:
    """The numbers of the rows that any of the chosen findings is about; None where none is chosen.

    Nothing is drawn before the data doctor has examined the data set in this session.
    """
    rows_of = _rows(found)
    if not rows_of:
        return None
    wanted = st.multiselect(
        "Finding", list(rows_of), format_func=partial(_option, rows_of), placeholder="All",
        key=KEY, on_change=on_change, persist_state="page",
    )  # fmt: skip
    if not wanted:
        return None
    return np.unique(np.concatenate([rows_of[kind] for kind in wanted]))


def _rows(found: Catalogue) -> dict[str, Rows]:
    """Rows by kind of finding; findings on whole classes and splits have none."""
    examination = examinations.ended(found)
    if examination is None:
        return {}
    return {finding.kind: finding.rows for finding in examination.audit().findings if finding.rows}


def _option(rows_of: dict[str, Rows], kind: str) -> str:
    return f"{WORDS[kind].looked_for} ({count(len(rows_of.get(kind, ())))})"
