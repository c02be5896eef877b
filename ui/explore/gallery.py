"""A data set's photographs: filtered, a page at a time, with one enlarged beside its row."""

from functools import partial

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from melanoma_core.data import catalogues, csv_tables
from melanoma_core.data.catalogues import Catalogue
from melanoma_core.diagnoses import BY_CODE
from ui import paging, photographs
from ui.balance_charts import SPLIT_NAMES
from ui.explore import finding_filter
from ui.formats import NOT_RECORDED, count, counted, literal, small

PAGE_SIZE = 12
ROWS_PAGE_SIZE = 15  # where there are no photographs
_THUMBNAIL = 300  # px, the long side
_ENLARGED = 1000
_NAMES = {
    "diagnosis": "Diagnosis", "split": "Split", "source": "Source", "age": "Age", "sex": "Sex",
    "site": "Body site",
}  # fmt: skip
_DATASET = "explore_gallery_of"  # checksum of the data set that page and filters belong to
_PAGE = "explore_page"
_CHOSEN = "explore_chosen"  # number of the row that is enlarged


def show(catalogue: Catalogue) -> None:
    """Filters, one page of photographs or rows, and a download of the filtered rows."""
    if st.session_state.get(_DATASET) != catalogue.dataset.sha256:
        _reset()
        st.session_state[_DATASET] = catalogue.dataset.sha256
    rows = _ask_filters(catalogue)
    if len(rows) == 0:
        st.info("No photograph matches all filters. Remove one of them.", icon=":material/info:")
        return
    size = PAGE_SIZE if catalogue.has_photographs else ROWS_PAGE_SIZE
    shown = rows[paging.shown(_PAGE, len(rows), size)]
    if catalogue.has_photographs:
        _show_enlarged(catalogue)
        _show_pictures(catalogue, shown)
    else:
        st.markdown(
            small(
                "This data set has metadata only; its photographs are not part of the app. "
                "Upload its zip to see them."
            )
        )
        st.dataframe(
            plain(catalogue.dataset.table.iloc[shown]),
            hide_index=True, width="stretch", height="content", placeholder=NOT_RECORDED,
            alt="Rows of the data set",
        )  # fmt: skip
    paging.show(_PAGE, len(rows), size)
    st.download_button(
        f"Download {counted(len(rows), 'row')} (CSV)",
        partial(csv_file, catalogue.dataset.table, rows),
        "photographs.csv", "text/csv", icon=":material/download:", on_click="ignore",
    )  # fmt: skip


def plain(table: pd.DataFrame) -> pd.DataFrame:
    """The table without server paths and without empty columns."""
    return table.drop(columns="path").dropna(axis="columns", how="all")


def csv_file(table: pd.DataFrame, rows: NDArray[np.int64]) -> bytes:
    """These rows as CSV for a spreadsheet, without server paths."""
    records = table.drop(columns="path").iloc[rows]
    return csv_tables.to_csv(list(records.columns), records.itertuples(index=False, name=None))


def _ask_filters(catalogue: Catalogue) -> NDArray[np.int64]:
    """Row numbers that pass the filters; an attribute with one value only gets no filter."""
    filters = {}
    grid = st.grid(6, min_column_width=130)
    for attribute, name in _NAMES.items():
        value_counts = catalogues.value_counts(catalogue, attribute)
        if len(value_counts) < 2:
            continue
        with grid:
            filters[attribute] = st.multiselect(
                name, list(value_counts), format_func=partial(_option, attribute, value_counts),
                placeholder="All", key=f"explore_only_{attribute}", on_change=_to_first_page,
                persist_state="page",
            )  # fmt: skip
    finding_rows = finding_filter.ask(catalogue, _to_first_page)
    rows = catalogues.matching_rows(catalogue, filters)
    return rows if finding_rows is None else np.intersect1d(rows, finding_rows)


def _option(attribute: str, value_counts: dict[str, int], value: str) -> str:
    names = {"diagnosis": lambda: BY_CODE[value].name, "split": lambda: SPLIT_NAMES[value]}
    return f"{names.get(attribute, lambda: value)()} ({count(value_counts.get(value, 0))})"


def _show_pictures(catalogue: Catalogue, shown: NDArray[np.int64]) -> None:
    table = catalogue.dataset.table
    grid = st.grid(6, min_column_width=120)
    for row in shown.tolist():
        image_id, code = table["image_id"].iat[row], table["diagnosis"].iat[row]
        with grid, st.container(gap=None):
            photographs.show(
                table["path"].iat[row], _THUMBNAIL, f"{BY_CODE[code].name}, {image_id}"
            )
            st.button(
                literal(str(image_id)), key=f"explore_open_{row}", type="tertiary",
                on_click=_choose, args=(row,), help="Enlarge it, with its row",
            )  # fmt: skip
            st.markdown(small(BY_CODE[code].name))


def _show_enlarged(catalogue: Catalogue) -> None:
    row = st.session_state.get(_CHOSEN)
    if row is None or row >= len(catalogue):
        return
    record = catalogue.dataset.table.iloc[row].drop("path")
    with st.container(border=True):
        picture_column, row_column = st.columns([3, 2], gap="medium")
        with picture_column:
            photographs.show(
                catalogue.dataset.table["path"].iat[row],
                _ENLARGED,
                f"Photograph {record['image_id']}",
            )
        with row_column:
            st.subheader(literal(str(record["image_id"])), anchor=False)
            st.table(
                {
                    "Column": [literal(str(name)) for name in record.index],
                    "Value": [_cell(value) for value in record],
                },
                hide_index=True, alt="Row of this photograph",
            )  # fmt: skip
            st.button("Close", on_click=_choose, args=(None,))


def _cell(value: object) -> str:
    if pd.isna(value):
        return NOT_RECORDED
    return f"{value:g}" if isinstance(value, float) else literal(str(value))


def _reset() -> None:
    """Start another data set at its first page, without filters."""
    for key in (
        _PAGE,
        _CHOSEN,
        finding_filter.KEY,
        *(f"explore_only_{attribute}" for attribute in _NAMES),
    ):
        st.session_state.pop(key, None)


def _to_first_page() -> None:
    paging.turn_to(_PAGE, 1)


def _choose(row: int | None) -> None:
    st.session_state[_CHOSEN] = row
