"""An audit as a record for programs and as lines for people."""

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

_SHOWN = 5  # examples of a finding; the record has them all


def record(audit: Audit, table: pd.DataFrame, changes: tuple[Change, ...]) -> dict[str, Any]:
    """All that was found and, of `audits.clean`, what was changed; plain JSON types only."""
    return {
        "dataset": audit.name,
        "num_files": audit.num_files,
        "num_ids": audit.num_ids,
        "class_counts": audit.class_counts,
        "references": [_known_record(known) for known in audit.known],
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


def _known_record(known: audits.Known) -> dict[str, Any]:
    return {
        "name": known.name,
        "num_files": known.num_files,
        "num_ids": known.num_ids,
        "filed": [
            {"reference": official, "here": here, "num_files": num_files}
            for (official, here), num_files in known.filed.items()
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
    """A row of `FINDING_COLUMNS` for each photograph of a finding, group by group from 1.

    Args:
        finding: one of the audit's; one on classes or splits as wholes has no rows.
        table: the one that was audited.
    """
    table = table.assign(file=file_names(table))
    for number, rows in enumerate(finding.groups, start=1):
        for image_id, *facts in table.iloc[list(rows)][list(FINDING_COLUMNS[1:-1])].to_numpy():
            yield number, image_id, *facts, finding.labels.get(image_id)


def change_rows(changes: Sequence[Change], table: pd.DataFrame) -> Rows:
    """A row of `CHANGE_COLUMNS` for each change, with what the table said before it."""
    files = file_names(table)
    facts = table[["diagnosis", "split"]].to_numpy()
    for change in changes:
        words = "dropped" if change.is_dropped else "another diagnosis"
        yield (
            change.image_id, files[change.row], *facts[change.row], words, change.reason,
            change.kept_id,
        )  # fmt: skip


def file_names(table: pd.DataFrame) -> list[str]:
    """What each row's file is called, without the folders that it lies in."""
    return [PurePath(file).name for file in datasets.files(table)]


def lines(audit: Audit, table: pd.DataFrame, changes: tuple[Change, ...]) -> Iterator[str]:
    """The audit in words, the gravest first; names of files are made printable."""
    yield f"{audit.name}: {audit.num_files:,} files of {audit.num_ids:,} image ids"
    for split, counts in audit.class_counts.items():
        classes = (f"{diagnoses.BY_CODE[code].name} {num:,}" for code, num in counts.items())
        yield f"  {split}: {', '.join(classes)}"
    for known in audit.known:
        yield f"{known.name} knows {known.num_files:,} of the files ({known.num_ids:,} ids)"
        for (official, here), num_files in known.filed.items():
            names = diagnoses.BY_CODE[official].name, diagnoses.BY_CODE[here].name
            yield f"  {num_files:,}  {names[0]} there, {names[1]} here"
    for severity in SEVERITIES:
        of_gravity = [finding for finding in audit.findings if finding.severity == severity]
        if of_gravity:
            yield f"\n{severity}"
        for finding in of_gravity:
            yield from _finding_lines(finding)
    if not audit.findings:
        yield "\nNothing was found."
    yield f"\nClean table: {len(table):,} photographs"
    reasons = Counter(change.reason for change in changes)
    for reason, num_rows in reasons.most_common():
        yield f"  {num_rows:,}  {reason}"


def _finding_lines(finding: Finding) -> Iterator[str]:
    yield f"  {finding.kind.replace('_', ' ')}: {finding.count:,} {finding.unit}"
    yield f"    {finding.meaning}"
    for words, num in list(finding.parts.items())[: 2 * _SHOWN]:
        yield f"    {num:,}  {reading.printable(words)}"
    examples = [" = ".join(pair) for pair in finding.pairs] or list(finding.ids)
    if examples:
        more = ", …" if len(examples) > _SHOWN else ""
        yield f"    {reading.printable(', '.join(examples[:_SHOWN]))}{more}"
