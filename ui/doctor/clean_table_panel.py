"""The clean table: a data set after the data doctor's corrections."""

import dataclasses
from collections import Counter
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st

from melanoma_core.audit import reports
from melanoma_core.audit.audits import Audit, Change
from melanoma_core.data import catalogues, csv_tables
from melanoma_core.data.catalogues import LABELS_BY_GROUP, Catalogue
from melanoma_core.diagnoses import BY_CODE
from ui import balance_charts, examinations, finding_text, theme
from ui.formats import count, counted, small


def show(catalogue: Catalogue, audit: Audit) -> None:
    """The corrections to choose from, the button, and the resulting table."""
    actions = finding_text.actions(audit.findings, catalogue.dataset.table)
    examination = examinations.of(catalogue)
    if not actions or examination is None:
        return
    st.subheader("The clean table", anchor=False)
    with st.container(border=True):
        st.markdown(
            "One row per photograph, without what invalidates the test or the labels. Training "
            "uses the clean tables of its data sets by default."
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
        if examination.is_clean_table_shown:
            _show_clean_table(catalogue, *examination.clean(kinds))


def _make() -> None:
    examination = examinations.current()
    if examination is not None:
        examination.is_clean_table_shown = True


def _show_clean_table(
    catalogue: Catalogue, table: pd.DataFrame, changes: tuple[Change, ...]
) -> None:
    num_dropped = sum(change.is_dropped for change in changes)
    num_relabeled = len(changes) - num_dropped
    text = f"**Dropped {count(num_dropped)} of {counted(len(catalogue), 'row')}**"
    if num_relabeled:
        text += f", and changed the diagnosis of {counted(num_relabeled, 'row')}"
    st.markdown(f"{text}. {counted(len(table), 'photograph')} left.")
    if changes:
        reasons = Counter(change.reason for change in changes).most_common()
        st.dataframe(
            dict(zip(("Reason", "Rows"), zip(*reasons, strict=True), strict=True)),
            hide_index=True, width="stretch", height="content", alt="Why rows were changed",
        )  # fmt: skip
    _show_bars(catalogue, table)
    with st.container(horizontal=True):
        st.download_button(
            "Download the clean table (CSV)", partial(table_csv, table), "clean-table.csv",
            "text/csv", icon=":material/download:", on_click="ignore",
        )  # fmt: skip
        st.download_button(
            "Download the changes (CSV)", partial(changes_csv, changes, catalogue.dataset.table),
            "changes.csv", "text/csv", icon=":material/download:", on_click="ignore",
        )  # fmt: skip


def _show_bars(catalogue: Catalogue, table: pd.DataFrame) -> None:
    """Photographs of each class and split, before and after."""
    cleaned = catalogues.build(dataclasses.replace(catalogue.dataset, table=table))
    before, after = catalogues.class_counts(catalogue), catalogues.class_counts(cleaned)
    is_present = np.sum(list(before.values()), axis=0) > 0
    codes = [code for code, present in zip(LABELS_BY_GROUP, is_present, strict=True) if present]
    before = {split: rows[is_present] for split, rows in before.items()}
    outlined = {
        split: after[split][is_present] if split in after else np.zeros(len(codes), np.int64)
        for split in before
    }
    st.plotly_chart(
        balance_charts.classes(before, codes, outlined, theme.current()),
        config={"displayModeBar": False, "staticPlot": True}, key="doctor_bars",
        alt=balance_charts.classes_alt(before, codes, outlined, "after cleaning"),
    )  # fmt: skip
    st.markdown(small("Filled: before cleaning. Outline: after cleaning."))
    emptied = [
        BY_CODE[code].name
        for code, num_left in zip(codes, sum(outlined.values()), strict=True)
        if num_left == 0
    ]
    if emptied:
        st.markdown(
            f":material/info: Classes left empty by cleaning: {', '.join(emptied)}. A network "
            "trained on this table cannot recognize them."
        )


def table_csv(table: pd.DataFrame) -> bytes:
    """The clean table as CSV for a spreadsheet, with file names and without server paths."""
    records = table.drop(columns="path").assign(file=reports.file_names(table))
    return csv_tables.to_csv(list(records.columns), records.itertuples(index=False, name=None))


def changes_csv(changes: tuple[Change, ...], table: pd.DataFrame) -> bytes:
    """The dropped and relabeled rows, with reasons, as CSV for a spreadsheet."""
    return csv_tables.to_csv(reports.CHANGE_COLUMNS, reports.change_rows(changes, table))
