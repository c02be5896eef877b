"""The tab History: the models that were in use, and the journal of all models."""

import streamlit as st

from melanoma_core import paths
from melanoma_core.data import csv_tables
from melanoma_core.evaluation import promotion
from melanoma_core.models import journal, store
from melanoma_core.models.cards import OperatingPoint
from melanoma_core.models.journal import Check, Row
from melanoma_core.models.store import Champion
from ui import errors
from ui.formats import NOT_RECORDED, counted, day, literal, small
from ui.model_records import Record

_ROWS_SHOWN = 100


def show(record: Record, point: OperatingPoint) -> None:
    """The models that were in use, the journal, and whether the journal was changed."""
    models_dir = paths.models_dir()
    with errors.shown():
        st.subheader("In use, newest first", anchor=False)
        st.table(
            periods_table(promotion.periods_of_use(models_dir)),
            hide_index=True, alt="Periods of use",
        )  # fmt: skip
    with errors.shown():
        st.subheader("Journal", anchor=False)
        rows, check = journal.rows(models_dir), journal.verify(models_dir)
        _show_check(check)
        if rows:
            st.dataframe(
                journal_table(rows[-_ROWS_SHOWN:]), hide_index=True, width="stretch",
                alt="Journal, newest first",
            )  # fmt: skip
            st.download_button(
                f"Download {counted(len(rows), 'row')} (CSV)", csv_file(rows), "journal.csv",
                "text/csv", icon=":material/download:", on_click="ignore",
            )  # fmt: skip
        else:
            st.markdown("Nothing yet. Training, promotions and rollbacks will be listed here.")


def show_forced_promotions(model_id: str) -> None:
    """The promotions of a model that failed the safety check, with the reasons."""
    models_dir = paths.models_dir()
    with errors.shown():
        events = {
            row.event.when: row.event
            for row in journal.rows(models_dir)
            if row.event.model_id == model_id and row.event.against
        }
        for entry in store.periods(models_dir):
            if entry.model_id == model_id and entry.against and entry.since not in events:
                events[entry.since] = journal.Event(
                    journal.Kind.OVERRULED, entry.author, reason=entry.reason, against=entry.against
                )
        for when, event in events.items():
            st.markdown(
                f":material/gavel: **Promoted although it failed the safety check**, "
                f"{day(when)}, by {literal(event.who or journal.NOT_GIVEN)}: "
                f"{literal(event.reason)}  \n{small(literal(event.against))}"
            )


def periods_table(entries: tuple[Champion, ...]) -> dict[str, list[str]]:
    """The periods of use, newest first, as a table."""
    ends = ["in use", *(moment(entry.since) for entry in entries)]
    return {
        "Model": [literal(entry.model_id) for entry in entries],
        "From (UTC)": [moment(entry.since) for entry in entries],
        "Until": ends[: len(entries)],
        "How": [entry.kind or NOT_RECORDED for entry in entries],
        "By": [literal(entry.author) or journal.NOT_GIVEN for entry in entries],
        "Why": [literal(entry.reason) or journal.NOT_GIVEN for entry in entries],
    }


def journal_table(rows: tuple[Row, ...]) -> dict[str, list[str]]:
    """Rows of the journal as a table, newest first."""
    newest = rows[::-1]
    return {
        "Row": [str(row.number) for row in newest],
        "When (UTC)": [moment(row.event.when) for row in newest],
        "What": [str(row.event.kind) for row in newest],
        "Model or run": [row.event.model_id or row.event.run_id for row in newest],
        "By": [row.event.who for row in newest],
        "Why": [row.event.reason or journal.NOT_GIVEN for row in newest],
        "Objection overruled": [row.event.against or "–" for row in newest],
        "SHA-256": [row.sha256[:8] for row in newest],
    }


def moment(iso: str) -> str:
    """Day and minute of an ISO date-time: "14 Nov 2026, 09:30"."""
    return f"{day(iso)}, {iso[11:16]}" if iso[11:16] else (day(iso) or NOT_RECORDED)


def csv_file(rows: tuple[Row, ...]) -> bytes:
    """The whole journal for a spreadsheet, oldest first."""
    records = [journal.record(row) for row in rows]
    return csv_tables.to_csv(
        list(records[0]),
        [[str(v) if isinstance(v, dict) else v for v in record.values()] for record in records],
    )


def _show_check(check: Check) -> None:
    if check.problems:
        errors.show(f"**The journal was changed.** {literal(' '.join(check.problems))}")
    elif check.num_rows:
        st.markdown(
            f":material/verified: {counted(check.num_rows, 'row')}, none changed.  \n"
            + small(
                f"Keep this checksum elsewhere to detect even a replaced journal: {check.sha256}"
            )
        )
