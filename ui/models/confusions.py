"""The tab Errors: melanomas taken for nevi, the reverse, and missed melanomas."""

from functools import partial

import pandas as pd
import streamlit as st

from melanoma_core.data import csv_tables
from melanoma_core.evaluation import subgroups
from melanoma_core.models.cards import OperatingPoint
from ui import paging
from ui.formats import NOT_RECORDED, count, counted, percent
from ui.model_records import Record
from ui.models import listed_photographs

_NAMES = {
    "melanoma_as_nevus": "Melanoma taken for nevus",
    "nevus_as_melanoma": "Nevus taken for melanoma",
    "melanoma_below": "Melanoma below the threshold",
}
_PICTURES_PER_PAGE = 12
_PAGE = "confusions_page"


def show(record: Record, point: OperatingPoint) -> None:
    """The list of errors of one kind, with pictures if they are available."""
    table = subgroups.confusions(record.test, point.threshold)
    st.markdown(
        "Test photographs of melanoma whose likeliest diagnosis is nevus, the reverse, and all "
        "melanomas below the threshold."
    )
    num_rows = {kind: int(table[kind].sum()) for kind in _NAMES}
    kind = st.segmented_control(
        "Show", list(_NAMES), default="melanoma_as_nevus", required=True, key="confusion_kind",
        format_func=lambda name: f"{_NAMES[name]} ({count(num_rows[name])})",
        on_change=partial(paging.turn_to, _PAGE, 1),
    )  # fmt: skip
    rows = table[table[kind]]
    sources = sorted(rows["source"].unique())
    if len(sources) > 1:
        selected = st.multiselect("Source", sources, placeholder="All", key="confusion_source")
        rows = rows[rows["source"].isin(selected or sources)]
    if rows.empty:
        st.markdown("None.")
        return
    st.dataframe(
        readable(rows), hide_index=True, width="stretch", placeholder=NOT_RECORDED,
        alt=_NAMES[kind],
        column_config={
            name: st.column_config.NumberColumn(name, format="percent")
            for name in ("Melanoma", "Nevus")
        },
    )  # fmt: skip
    captions = [f"melanoma {percent(value)}" for value in rows["melanoma_probability"]]
    listed_photographs.show(
        dict(zip(rows["image_id"], captions, strict=True)), _PAGE, _PICTURES_PER_PAGE
    )
    st.download_button(
        f"Download {counted(len(rows), 'row')} (CSV)", partial(csv_file, rows),
        f"{kind}.csv", "text/csv", icon=":material/download:", on_click="ignore",
    )  # fmt: skip


def readable(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with the column names of the page."""
    return pd.DataFrame(
        {
            "Photograph": rows["image_id"],
            "Lesion": rows["lesion_id"],
            "Source": rows["source"],
            "Melanoma": rows["melanoma_probability"],
            "Nevus": rows["nevus_probability"],
            "Verdict": rows["is_referred"].map({True: "above", False: "below"}),
            "Age": rows["age_approx"],
            "Sex": rows["sex"],
            "Body site": rows["anatom_site_general"],
        }
    )


def csv_file(rows: pd.DataFrame) -> bytes:
    """The rows for a spreadsheet."""
    table = rows.drop(columns=list(_NAMES))
    return csv_tables.to_csv(list(table.columns), table.itertuples(index=False, name=None))
