"""The tab Errors: melanomas and nevi that were taken for one another, or missed, as a list."""

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
_PICTURES_A_PAGE = 12
_PAGE = "confusions_page"


def show(record: Record, point: OperatingPoint) -> None:
    """Which photographs were mixed up, filtered, with pictures when they are there."""
    found = subgroups.confusions(record.test, point.threshold)
    st.markdown(
        "Test photographs whose likeliest diagnosis is the other of melanoma and nevus, and all "
        "melanomas below the threshold."
    )
    options = {kind: int(found[kind].sum()) for kind in _NAMES}
    kind = st.segmented_control(
        "Show", list(_NAMES), default="melanoma_as_nevus", required=True, key="confusion_kind",
        format_func=lambda name: f"{_NAMES[name]} ({count(options[name])})",
        on_change=partial(paging.turn_to, _PAGE, 1),
    )  # fmt: skip
    rows = found[found[kind]]
    sources = sorted(rows["source"].unique())
    if len(sources) > 1:
        wanted = st.multiselect("Source", sources, placeholder="All", key="confusion_source")
        rows = rows[rows["source"].isin(wanted or sources)]
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
    given = [f"melanoma {percent(share)}" for share in rows["melanoma_probability"]]
    listed_photographs.show(
        dict(zip(rows["image_id"], given, strict=True)), _PAGE, _PICTURES_A_PAGE
    )
    st.download_button(
        f"Download {counted(len(rows), 'row')} (CSV)", partial(csv_file, rows),
        f"{kind}.csv", "text/csv", icon=":material/download:", on_click="ignore",
    )  # fmt: skip


def readable(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with the words of the page."""
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
    wanted = rows.drop(columns=list(_NAMES))
    return csv_tables.to_csv(list(wanted.columns), wanted.itertuples(index=False, name=None))
