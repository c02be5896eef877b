"""An audit as JSON, as table rows and as text."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import Any

import pandas as pd

from melanoma_core import diagnoses
from melanoma_core.audit import audits
from melanoma_core.audit.audits import Audit, Change
from melanoma_core.audit.findings import SEVERITIES, Finding
from melanoma_core.data import datasets
from melanoma_core.images import reading

Rows = Iterator[tuple[Any, ...]]
FINDING_COLUMNS = ("group", "image_id", "file", "diagnosis", "split", "lesion_id", "published")
CHANGE_COLUMNS = ("image_id", "file", "diagnosis", "split", "change", "reason", "kept_id")

_SHOWN = 5  # examples of a finding; the JSON record has all


def record(audit: Audit, table: pd.DataFrame, changes: tuple[Change, ...]) -> dict[str, Any]:
    """The audit and the changes made by `audits.clean`, in plain JSON types."""
    return {
        "dataset": audit.name,
        "num_files": audit.num_files,
        "num_ids": audit.num_ids,
        "class_counts": audit.class_counts,
        "references": [_overlap_record(overlap) for overlap in audit.references],
        "findings": [_finding_record(finding) for finding in audit.findings],
        "clean": {
            "num_photographs": len(table),
            "num_dropped": sum(change.is_dropped for change in changes),
            "num_relabeled": sum(not change.is_dropped for change in changes),
            "changes": [
                {
                    "id": change.image_id,
                    "dropped": change.is_dropped,
                    "reason": change.reason,
                    "kept_id": change.kept_id,
                }
                for change in changes
            ],
        },
    }


def _overlap_record(overlap: audits.ReferenceOverlap) -> dict[str, Any]:
    return {
        "name": overlap.name,
        "num_files": overlap.num_files,
        "num_ids": overlap.num_ids,
        "filed": [
            {"reference": official, "here": here, "num_files": num_files}
            for (official, here), num_files in overlap.filed.items()
        ],
    }


def _finding_record(finding: Finding) -> dict[str, Any]:
    return {
        "kind": finding.kind,
        "severity": finding.severity,
        "count": finding.count,
        "unit": finding.unit,
        "ids": list(finding.ids),
        "pairs": [list(pair) for pair in finding.pairs],
        "parts": dict(finding.parts),
        "meaning": finding.meaning,
    }


def finding_rows(finding: Finding, table: pd.DataFrame) -> Rows:
    """Rows of `FINDING_COLUMNS` for each photograph of a finding, with groups numbered from 1.

    Args:
        finding: of the audit; a finding on whole classes or splits has no rows.
        table: the audited one.
    """
    table = table.assign(file=file_names(table))
    for number, rows in enumerate(finding.groups, start=1):
        for image_id, *facts in table.iloc[list(rows)][list(FINDING_COLUMNS[1:-1])].to_numpy():
            yield number, image_id, *facts, finding.labels.get(image_id)


def change_rows(changes: Sequence[Change], table: pd.DataFrame) -> Rows:
    """Rows of `CHANGE_COLUMNS` for each change, with the original diagnosis and split."""
    files = file_names(table)
    facts = table[["diagnosis", "split"]].to_numpy()
    for change in changes:
        action = "dropped" if change.is_dropped else "relabeled"
        yield (
            change.image_id, files[change.row], *facts[change.row], action, change.reason,
            change.kept_id,
        )  # fmt: skip


def file_names(table: pd.DataFrame) -> list[str]:
    """Each row's file name, without folders."""
    return [PurePath(file).name for file in datasets.files(table)]


def lines(audit: Audit, table: pd.DataFrame, changes: tuple[Change, ...]) -> Iterator[str]:
    """The audit as text, most severe findings first, with printable file names."""
    yield f"{audit.name}: {audit.num_files:,} files of {audit.num_ids:,} image ids"
    for split, counts in audit.class_counts.items():
        classes = (f"{diagnoses.BY_CODE[code].name} {num:,}" for code, num in counts.items())
        yield f"  {split}: {', '.join(classes)}"
    for overlap in audit.references:
        yield f"{overlap.name} lists {overlap.num_files:,} of the files ({overlap.num_ids:,} ids)"
        for (official, here), num_files in overlap.filed.items():
            names = diagnoses.BY_CODE[official].name, diagnoses.BY_CODE[here].name
            yield f"  {num_files:,}  {names[0]} there, {names[1]} here"
    for severity in SEVERITIES:
        of_severity = [finding for finding in audit.findings if finding.severity == severity]
        if of_severity:
            yield f"\n{severity}"
        for finding in of_severity:
            yield from _finding_lines(finding)
    if not audit.findings:
        yield "\nNo findings."
    yield f"\nClean table: {len(table):,} photographs"
    reasons = Counter(change.reason for change in changes)
    for reason, num_rows in reasons.most_common():
        yield f"  {num_rows:,}  {reason}"


def _finding_lines(finding: Finding) -> Iterator[str]:
    yield f"  {finding.kind.replace('_', ' ')}: {finding.count:,} {finding.unit}"
    yield f"    {finding.meaning}"
    for text, num in list(finding.parts.items())[: 2 * _SHOWN]:
        yield f"    {num:,}  {reading.printable(text)}"
    examples = [" = ".join(pair) for pair in finding.pairs] or list(finding.ids)
    if examples:
        more = ", …" if len(examples) > _SHOWN else ""
        yield f"    {reading.printable(', '.join(examples[:_SHOWN]))}{more}"
