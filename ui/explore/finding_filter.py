"""The data doctor's findings as a filter for a data set's photographs."""

from collections.abc import Callable
from functools import partial

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from melanoma_core.data.catalogues import Catalogue
from melanoma_core.data.row_groups import Rows
from ui import examinations
from ui.finding_text import TEXTS
from ui.formats import count

KEY = "explore_only_finding"


def ask(catalogue: Catalogue, on_change: Callable[[], None]) -> NDArray[np.int64] | None:
    """Draw the filter; row numbers of the chosen findings, or None if none is chosen.

    Nothing is drawn until the data doctor has examined the data set in this session.
    """
    rows_of = _rows(catalogue)
    if not rows_of:
        return None
    kinds = st.multiselect(
        "Finding", list(rows_of), format_func=partial(_option, rows_of), placeholder="All",
        key=KEY, on_change=on_change, persist_state="page",
    )  # fmt: skip
    if not kinds:
        return None
    return np.unique(np.concatenate([rows_of[kind] for kind in kinds]))


def _rows(catalogue: Catalogue) -> dict[str, Rows]:
    """Rows by kind of finding; findings about whole classes or splits have none."""
    examination = examinations.finished(catalogue)
    if examination is None:
        return {}
    return {finding.kind: finding.rows for finding in examination.audit().findings if finding.rows}


def _option(rows_of: dict[str, Rows], kind: str) -> str:
    return f"{TEXTS[kind].looked_for} ({count(len(rows_of.get(kind, ())))})"
