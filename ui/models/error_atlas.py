"""The tab Errors: the test photographs that the model gets wrong, with filters and pictures."""

from functools import partial

import pandas as pd
import streamlit as st

from melanoma_core.data import csv_tables
from melanoma_core.diagnoses import BY_CODE
from melanoma_core.errors import ImageError
from melanoma_core.evaluation import error_table
from melanoma_core.models.cards import OperatingPoint
from melanoma_core.models.quality_checks import Finding
from ui import dataset_choice, errors, paging
from ui.formats import NOT_RECORDED, count, counted, percent, small
from ui.model_records import Record
from ui.models import error_cards, examined_photographs

_NAMES = {
    error_table.CONFUSED: "Another diagnosis likeliest",
    error_table.MISSED: "Melanoma below the threshold",
    error_table.NEEDLESS: "Benign, but above the threshold",
}
_ALL = "all"
_PER_PAGE = 6
_PAGE = "errors_page"
_EXAMINATION = "errors_examination_requested"
_MELANOMA_AS_NEVUS = ("MEL", "NV")  # what is asked about most often
_to_first_page = partial(paging.turn_to, _PAGE, 1)


def show(record: Record, point: OperatingPoint) -> None:
    """The errors of one kind: as pictures where the session's data set has them, and as a table."""
    table = error_table.build(record.test, point.threshold)
    rows = _of_source(record, _of_kind(record, table))
    paths = dataset_choice.paths_of(rows["image_id"])
    rows = _with_finding(record, rows, paths)
    if rows.empty:
        st.markdown("None.")
        return
    _show_photographs(record, rows, paths, point)
    st.dataframe(
        readable(rows), hide_index=True, width="stretch", placeholder=NOT_RECORDED,
        alt="The photographs as a table",
    )  # fmt: skip
    findings = examined_photographs.known_findings(record)
    st.download_button(
        f"Download {counted(len(rows), 'row')} (CSV)", partial(csv_file, rows, findings),
        "errors.csv", "text/csv", icon=":material/download:", on_click="ignore",
    )  # fmt: skip


def _of_kind(record: Record, table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the kind of error, and of the confusion, that the user chooses."""
    kind = st.segmented_control(
        "Show", list(_NAMES), default=error_table.CONFUSED, required=True, key="errors_kind",
        format_func=lambda name: f"{_NAMES[name]} ({count(int(table[name].sum()))})",
        on_change=_to_first_page,
    )  # fmt: skip
    rows = table[table[kind]]
    if kind != error_table.CONFUSED:
        return rows
    counts = error_table.count_confusions(rows)
    pairs = list(counts)
    pair = st.selectbox(
        "True diagnosis → likeliest diagnosis", [_ALL, *pairs],
        index=1 + pairs.index(_MELANOMA_AS_NEVUS) if _MELANOMA_AS_NEVUS in pairs else 0,
        format_func=lambda pair: f"All ({count(len(rows))})" if pair == _ALL
        else f"{BY_CODE[pair[0]].name} → {BY_CODE[pair[1]].name.lower()} ({count(counts[pair])})",
        key=f"errors_pair_{record.sha256[:8]}", on_change=_to_first_page,
    )  # fmt: skip
    if pair == _ALL:
        return rows
    return rows[(rows["diagnosis"] == pair[0]) & (rows["likeliest"] == pair[1])]


def _of_source(record: Record, rows: pd.DataFrame) -> pd.DataFrame:
    sources = sorted(record.test.table["source"].unique())
    if len(sources) < 2:
        return rows
    chosen = st.multiselect(
        "Source", sources, placeholder="All", key=f"errors_source_{record.sha256[:8]}",
        on_change=_to_first_page,
    )  # fmt: skip
    return rows[rows["source"].isin(chosen or sources)]


def _with_finding(record: Record, rows: pd.DataFrame, paths: dict[str, str]) -> pd.DataFrame:
    """The rows with the quality finding that the user chooses; all by default.

    The photographs are examined on request: it takes a moment for each.
    """
    if not record.card.quality_limits or not paths:
        return rows
    known = examined_photographs.known_findings(record)
    missing = [image_id for image_id in paths if image_id not in known]
    if missing:
        st.button(
            f"Look for quality findings in all {counted(len(paths), 'photograph')}",
            icon=":material/troubleshoot:", key="errors_examine",
            on_click=_request_examination,
        )  # fmt: skip
        if not st.session_state.pop(_EXAMINATION, False):
            return rows
        _examine(record, {image_id: paths[image_id] for image_id in missing})
    of_rows = {image_id: known.get(image_id, ()) for image_id in rows["image_id"]}
    counts: dict[str, int] = {}
    for finding in (finding for findings in of_rows.values() for finding in findings):
        counts[finding.kind] = counts.get(finding.kind, 0) + 1
    kind = st.selectbox(
        "Quality finding", [_ALL, *sorted(counts, key=lambda kind: -counts[kind])],
        format_func=lambda kind: "All photographs" if kind == _ALL
        else f"{kind.replace('_', ' ').capitalize()} ({count(counts[kind])})",
        key="errors_finding", on_change=_to_first_page,
    )  # fmt: skip
    if kind == _ALL:
        return rows
    has_kind = [any(f.kind == kind for f in of_rows[image_id]) for image_id in rows["image_id"]]
    return rows[has_kind]


def _request_examination() -> None:
    st.session_state[_EXAMINATION] = True


def _examine(record: Record, paths: dict[str, str]) -> None:
    known = examined_photographs.known_findings(record)
    with errors.shown():
        model = examined_photographs.model_of(record)
        bar = st.progress(0.0)
        for number, (image_id, path) in enumerate(paths.items(), 1):
            try:
                known[image_id] = examined_photographs.examine_quality(model, path)
            except ImageError:  # its card says why
                known[image_id] = ()
            bar.progress(number / len(paths), f"Examining {count(number)} of {count(len(paths))}")
        bar.empty()


def _show_photographs(
    record: Record, rows: pd.DataFrame, paths: dict[str, str], point: OperatingPoint
) -> None:
    available = rows[rows["image_id"].isin(paths)]
    if available.empty:
        st.markdown(
            small(
                "The list works from ids alone: the data set that is open has none of these "
                "photographs. To see them with evidence maps, quality findings and similar cases, "
                "open one that does on the page Explore."
            )
        )
        return
    if len(available) < len(rows):
        st.markdown(
            small(
                f"{count(len(available))} of {count(len(rows))} are in the data set that is open."
            )
        )
    with errors.shown():
        shown = available.iloc[paging.shown(_PAGE, len(available), _PER_PAGE)]
        error_cards.show(record, shown, paths, point)
        paging.show(_PAGE, len(available), _PER_PAGE)


def readable(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with the column names of the page."""
    return pd.DataFrame(
        {
            "Photograph": rows["image_id"],
            "True": [BY_CODE[code].name for code in rows["diagnosis"]],
            "Likeliest": [BY_CODE[code].name for code in rows["likeliest"]],
            "Probability": [percent(value) for value in rows["probability"]],
            "Melanoma": [percent(value) for value in rows["melanoma_probability"]],
            "Verdict": rows["is_referred"].map({True: "above", False: "below"}),
            "Source": rows["source"],
            "Age": rows["age_approx"],
            "Sex": rows["sex"],
            "Body site": rows["anatom_site_general"],
            "Lesion": rows["lesion_id"],
        }
    )


def csv_file(rows: pd.DataFrame, findings: dict[str, tuple[Finding, ...]]) -> bytes:
    """The rows for a spreadsheet, with the findings of those that were examined."""
    table = rows.assign(
        quality_findings=[
            "; ".join(finding.message for finding in findings[image_id])
            if image_id in findings
            else "not examined"
            for image_id in rows["image_id"]
        ]
    )
    return csv_tables.to_csv(list(table.columns), table.itertuples(index=False, name=None))
