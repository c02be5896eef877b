"""The photographs of a data set: filtered, a page at a time, one of them large with its row."""

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
FACTS_PAGE_SIZE = 15  # rows, where there are no photographs
_THUMBNAIL = 300  # px, the long side
_LARGE = 1000
_NAMES = {
    "diagnosis": "Diagnosis", "split": "Split", "source": "Source", "age": "Age", "sex": "Sex",
    "site": "Body site",
}  # fmt: skip
_OF = "explore_gallery_of"  # checksum of the data set that page and filters belong to
_PAGE = "explore_page"
_CHOSEN = "explore_chosen"  # number of the row that is shown large


def show(found: Catalogue) -> None:
    """Filters, one page of photographs or rows, and the table to take away."""
    if st.session_state.get(_OF) != found.dataset.sha256:
        _forget()
        st.session_state[_OF] = found.dataset.sha256
    rows = _ask_filters(found)
    if len(rows) == 0:
        st.info("No photograph fits all filters. Take one of them out.", icon=":material/info:")
        return
    size = PAGE_SIZE if found.has_photographs else FACTS_PAGE_SIZE
    shown = rows[paging.shown(_PAGE, len(rows), size)]
    if found.has_photographs:
        _show_large(found)
        _show_pictures(found, shown)
    else:
        st.markdown(
            small(
                "This data set is a table of facts: its photographs are not part of the app. "
                "Upload its zip to look at them."
            )
        )
        st.dataframe(
            plain(found.dataset.table.iloc[shown]),
            hide_index=True, width="stretch", height="content", placeholder=NOT_RECORDED,
            alt="Rows of the data set",
        )  # fmt: skip
    paging.show(_PAGE, len(rows), size)
    st.download_button(
        f"Download {counted(len(rows), 'row')} (CSV)",
        partial(csv_file, found.dataset.table, rows),
        "photographs.csv", "text/csv", icon=":material/download:", on_click="ignore",
    )  # fmt: skip


def plain(table: pd.DataFrame) -> pd.DataFrame:
    """The table without paths of the server and without columns that hold nothing."""
    return table.drop(columns="path").dropna(axis="columns", how="all")


def csv_file(table: pd.DataFrame, rows: NDArray[np.int64]) -> bytes:
    """These rows of the table for a spreadsheet, without paths of the server."""
    wanted = table.drop(columns="path").iloc[rows]
    return csv_tables.to_csv(list(wanted.columns), wanted.itertuples(index=False, name=None))


def _ask_filters(found: Catalogue) -> NDArray[np.int64]:
    """Numbers of the rows that are wanted; what all photographs share is not asked for."""
    wanted = {}
    grid = st.grid(6, min_column_width=130)
    for attribute, name in _NAMES.items():
        numbers = catalogues.value_counts(found, attribute)
        if len(numbers) < 2:
            continue
        with grid:
            wanted[attribute] = st.multiselect(
                name, list(numbers), format_func=partial(_option, attribute, numbers),
                placeholder="All", key=f"explore_only_{attribute}", on_change=_to_first_page,
                persist_state="page",
            )  # fmt: skip
    of_findings = finding_filter.ask(found, _to_first_page)
    rows = catalogues.matching_rows(found, wanted)
    return rows if of_findings is None else np.intersect1d(rows, of_findings)


def _option(attribute: str, numbers: dict[str, int], value: str) -> str:
    names = {"diagnosis": lambda: BY_CODE[value].name, "split": lambda: SPLIT_NAMES[value]}
    return f"{names.get(attribute, lambda: value)()} ({count(numbers.get(value, 0))})"


def _show_pictures(found: Catalogue, shown: NDArray[np.int64]) -> None:
    table = found.dataset.table
    grid = st.grid(6, min_column_width=120)
    for row in shown.tolist():
        image_id, code = table["image_id"].iat[row], table["diagnosis"].iat[row]
        with grid, st.container(gap=None):
            photographs.show(
                table["path"].iat[row], _THUMBNAIL, f"{BY_CODE[code].name}, {image_id}"
            )
            st.button(
                literal(str(image_id)), key=f"explore_open_{row}", type="tertiary",
                on_click=_choose, args=(row,), help="Show it large, with its row",
            )  # fmt: skip
            st.markdown(small(BY_CODE[code].name))


def _show_large(found: Catalogue) -> None:
    row = st.session_state.get(_CHOSEN)
    if row is None or row >= len(found):
        return
    record = found.dataset.table.iloc[row].drop("path")
    with st.container(border=True):
        picture_place, facts_place = st.columns([3, 2], gap="medium")
        with picture_place:
            photographs.show(
                found.dataset.table["path"].iat[row], _LARGE, f"Photograph {record['image_id']}"
            )
        with facts_place:
            st.subheader(literal(str(record["image_id"])), anchor=False)
            st.table(
                {
                    "Column": [literal(str(name)) for name in record.index],
                    "Value": [
                        _cell(value) for value in record
                    ],
                },
                hide_index=True, alt="The row of this photograph",
            )  # fmt: skip
            st.button("Close", on_click=_choose, args=(None,))


def _cell(value: object) -> str:
    if pd.isna(value):
        return NOT_RECORDED
    return f"{value:g}" if isinstance(value, float) else literal(str(value))


def _forget() -> None:
    """Begin at the first page of another data set."""
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
