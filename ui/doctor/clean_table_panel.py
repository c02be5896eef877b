"""The clean table: what of a data set is left without what was found wrong with it."""

import dataclasses
from collections import Counter
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st

from melanoma_core.audit import reports
from melanoma_core.audit.audits import Audit, Change
from melanoma_core.data import catalogues, csv_tables
from melanoma_core.data.catalogues import CODES_BY_GROUP, Catalogue
from melanoma_core.diagnoses import BY_CODE
from ui import balance_charts, examinations, finding_text, theme
from ui.formats import count, counted, small


def show(found: Catalogue, audit: Audit) -> None:
    """What to act on, the button, and then the table that is left."""
    actions = finding_text.actions(audit.findings, found.dataset.table)
    examination = examinations.of(found)
    if not actions or examination is None:
        return
    st.subheader("The clean table", anchor=False)
    with st.container(border=True):
        st.markdown(
            "One row a photograph, without what spoils the test or the labels. Training takes the "
            "clean table of its data sets by default."
        )
        grid = st.grid(2, min_column_width=300)
        kinds = []
        for kind, action in actions.items():
            with grid:
                if st.checkbox(action, True, key=f"doctor_act_{kind}", persist_state="page"):
                    kinds.append(kind)
        st.button(
            "Make the clean table", icon=":material/cleaning_services:", type="primary",
            on_click=_make,
        )  # fmt: skip
        if examination.is_clean_wanted:
            _show_made(found, *examination.clean(kinds))


def _make() -> None:
    examination = examinations.kept()
    if examination is not None:
        examination.is_clean_wanted = True


def _show_made(found: Catalogue, table: pd.DataFrame, changes: tuple[Change, ...]) -> None:
    num_dropped = sum(change.is_dropped for change in changes)
    num_relabeled = len(changes) - num_dropped
    words = f"**Dropped {count(num_dropped)} of {counted(len(found), 'row')}**"
    if num_relabeled:
        words += f", and gave {counted(num_relabeled, 'row')} another diagnosis"
    st.markdown(f"{words}. {counted(len(table), 'photograph')} are left.")
    if changes:
        reasons = Counter(change.reason for change in changes).most_common()
        st.dataframe(
            dict(zip(("Reason", "Rows"), zip(*reasons, strict=True), strict=True)),
            hide_index=True, width="stretch", height="content", alt="Why rows were changed",
        )  # fmt: skip
    _show_bars(found, table)
    with st.container(horizontal=True):
        st.download_button(
            "Download the clean table (CSV)", partial(table_csv, table), "clean-table.csv",
            "text/csv", icon=":material/download:", on_click="ignore",
        )  # fmt: skip
        st.download_button(
            "Download the changes (CSV)", partial(changes_csv, changes, found.dataset.table),
            "changes.csv", "text/csv", icon=":material/download:", on_click="ignore",
        )  # fmt: skip


def _show_bars(found: Catalogue, table: pd.DataFrame) -> None:
    """Photographs of each class and split, before and after."""
    left = catalogues.catalogue(dataclasses.replace(found.dataset, table=table))
    before, after = catalogues.class_counts(found), catalogues.class_counts(left)
    is_there = np.sum(list(before.values()), axis=0) > 0
    codes = [code for code, there in zip(CODES_BY_GROUP, is_there, strict=True) if there]
    before = {split: rows[is_there] for split, rows in before.items()}
    outlined = {
        split: after[split][is_there] if split in after else np.zeros(len(codes), np.int64)
        for split in before
    }
    st.plotly_chart(
        balance_charts.classes(before, codes, outlined, theme.current()),
        config={"displayModeBar": False, "staticPlot": True}, key="doctor_bars",
        alt=balance_charts.classes_alt(before, codes, outlined, "as the clean table leaves them"),
    )  # fmt: skip
    st.markdown(small("Full color: as it is. Outline: what the clean table leaves."))
    emptied = [
        BY_CODE[code].name
        for code, num_left in zip(codes, sum(outlined.values()), strict=True)
        if num_left == 0
    ]
    if emptied:
        st.markdown(
            f":material/info: Nothing is left of {' and '.join(emptied)}. A network that is taught "
            "on this table does not know it."
        )


def table_csv(table: pd.DataFrame) -> bytes:
    """The clean table for a spreadsheet, with names of files and without paths of the server."""
    named = table.drop(columns="path").assign(file=reports.file_names(table))
    return csv_tables.written(list(named.columns), named.itertuples(index=False, name=None))


def changes_csv(changes: tuple[Change, ...], table: pd.DataFrame) -> bytes:
    """What was dropped or given another diagnosis, and why, for a spreadsheet."""
    return csv_tables.written(reports.CHANGE_COLUMNS, reports.change_rows(changes, table))
