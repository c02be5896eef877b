"""The data doctor's findings by severity, each with its photographs and a download."""

from functools import partial

import pandas as pd
import streamlit as st

from melanoma_core.audit import reports
from melanoma_core.audit.audits import Audit
from melanoma_core.audit.findings import SEVERITIES, Finding
from melanoma_core.data import csv_tables
from melanoma_core.data.catalogues import Catalogue
from melanoma_core.data.row_groups import Rows
from melanoma_core.diagnoses import BY_CODE
from ui import paging, photographs
from ui.balance_charts import SPLIT_NAMES
from ui.finding_text import COLORS, TEXTS, title
from ui.formats import NOT_RECORDED, count, counted, literal, small

GROUPS_PER_PAGE = 4
GROUPS_PER_TABLE_PAGE = 10  # where there are no photographs
_PICTURES_PER_GROUP = 6
_THUMBNAIL = 300  # px, the long side
# What the parts of a finding count.
_PART_UNITS = {
    "small_classes": "Lesions",
    "copied_classes": "Files",
    "unreadable": "Files",
    "same_lesion_in_two_splits": "Files",
}


def show(catalogue: Catalogue, audit: Audit) -> None:
    """The findings as bordered rows, the most severe first."""
    for severity in SEVERITIES:
        findings = [finding for finding in audit.findings if finding.severity == severity]
        if findings:
            st.subheader(severity, anchor=False)
        for finding in findings:
            with st.container(border=True, gap="small"):
                _show_finding(catalogue, audit, finding)


def _show_finding(catalogue: Catalogue, audit: Audit, finding: Finding) -> None:
    number, _, text = title(finding, catalogue.dataset.table).partition(" ")
    icon = f":{COLORS[finding.severity]}[:material/{TEXTS[finding.kind].icon}:]"
    st.markdown(f"{icon} **{number}** {text}  \n{small(finding.meaning)}")
    key = f"doctor_open_{finding.kind}"
    expander = st.expander("Show and download", key=key, on_change="rerun")
    if expander.open:  # reads no photograph before
        with expander:
            _show_parts(finding)
            groups = _groups(finding, audit)
            if groups and catalogue.has_photographs:
                _show_pictures(catalogue, finding, groups)
            elif groups:
                _show_rows(catalogue, finding, groups)
            _offer_download(catalogue, finding)


def _show_parts(finding: Finding) -> None:
    """The parts of the finding, if it has any."""
    if finding.parts:
        st.dataframe(
            {
                "Detail": list(finding.parts),
                _PART_UNITS.get(finding.kind, "Photographs"): list(finding.parts.values()),
            },
            hide_index=True, width="stretch", height="content", alt="Parts of this finding",
        )  # fmt: skip


def _groups(finding: Finding, audit: Audit) -> tuple[Rows, ...]:
    """Rows to show side by side; for a copied class, each photograph beside its twin."""
    if finding.kind != "copied_classes":
        return finding.groups
    copied = set(finding.rows)
    twins = next(other.groups for other in audit.findings if other.kind == "two_classes")
    return tuple(rows for rows in twins if copied & set(rows))


def _show_pictures(catalogue: Catalogue, finding: Finding, groups: tuple[Rows, ...]) -> None:
    table = catalogue.dataset.table
    key = f"doctor_page_{finding.kind}"
    grid = st.grid(2, min_column_width=300)
    for rows in groups[paging.shown(key, len(groups), GROUPS_PER_PAGE)]:
        with grid, st.container(border=True, gap="small"):
            pictures = st.grid(min(len(rows), 3), min_column_width=90)
            for row in rows[:_PICTURES_PER_GROUP]:
                with pictures, st.container(gap=None):
                    image_id, filed = str(table["image_id"].iat[row]), _filed(table, row)
                    photographs.show(table["path"].iat[row], _THUMBNAIL, f"{image_id}, {filed}")
                    st.markdown(f"{literal(image_id)}  \n{small(filed)}")
                    if image_id in finding.labels:
                        st.markdown(small(f"Published table: {_name(finding.labels[image_id])}"))
            if len(rows) > _PICTURES_PER_GROUP:
                st.markdown(small(f"and {count(len(rows) - _PICTURES_PER_GROUP)} more"))
    paging.show(key, len(groups), GROUPS_PER_PAGE)


def _show_rows(catalogue: Catalogue, finding: Finding, groups: tuple[Rows, ...]) -> None:
    table = catalogue.dataset.table
    files = reports.file_names(table)
    key = f"doctor_page_{finding.kind}"
    st.markdown(
        small(
            "The photographs are not part of the app. Upload the zip of the data set to see them "
            "side by side."
        )
    )
    records = []
    for index in range(len(groups))[paging.shown(key, len(groups), GROUPS_PER_TABLE_PAGE)]:
        for row in groups[index]:
            record = {
                "Group": index + 1, "File": files[row], "Filed as": _filed(table, row),
                "Lesion": table["lesion_id"].iat[row],
            }  # fmt: skip
            if finding.labels:
                record["Published diagnosis"] = _name(finding.labels[table["image_id"].iat[row]])
            records.append(record)
    st.dataframe(
        records, hide_index=True, width="stretch", height="content", placeholder=NOT_RECORDED,
        alt="Files of this finding",
    )  # fmt: skip
    paging.show(key, len(groups), GROUPS_PER_TABLE_PAGE)


def _filed(table: pd.DataFrame, row: int) -> str:
    """Where a photograph is filed: "Training, Melanoma"."""
    split = table["split"].iat[row]
    name = _name(table["diagnosis"].iat[row])
    return name if split is None else f"{SPLIT_NAMES[split]}, {name}"


def _name(code: str) -> str:
    return BY_CODE[code].name


def _offer_download(catalogue: Catalogue, finding: Finding) -> None:
    label = (
        f"Download {counted(sum(map(len, finding.groups)), 'row')} (CSV)"
        if finding.groups
        else "Download (CSV)"
    )
    st.download_button(
        label, partial(csv_file, finding, catalogue.dataset.table), f"{finding.kind}.csv",
        "text/csv", key=f"doctor_csv_{finding.kind}", icon=":material/download:", on_click="ignore",
    )  # fmt: skip


def csv_file(finding: Finding, table: pd.DataFrame) -> bytes:
    """A finding as CSV for a spreadsheet: its photographs, classes or splits."""
    if finding.groups:
        rows = reports.finding_rows(finding, table)
        return csv_tables.to_csv(reports.FINDING_COLUMNS, rows)
    return csv_tables.to_csv(("what", "number"), finding.parts.items())
