"""The data doctor: what is wrong with a data set, and the clean table that is left of it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from melanoma_core import diagnoses
from melanoma_core.audit import duplicate_checks, findings, label_checks, leakage_checks
from melanoma_core.audit.findings import Evidence, Finding
from melanoma_core.data import datasets, file_trees, row_groups
from melanoma_core.data.datasets import Dataset
from melanoma_core.data.schema import PIXELS, SIZE, SPLITS
from melanoma_core.images import fingerprints, near_duplicates
from melanoma_core.images.fingerprints import Fingerprints, Report

CHECKS = (  # the gravest first
    leakage_checks.same_photograph,
    leakage_checks.near_copy,
    leakage_checks.same_lesion,
    duplicate_checks.two_classes,
    duplicate_checks.copied_classes,
    duplicate_checks.near_copies_in_two_classes,
    label_checks.contradictions,
    duplicate_checks.unreadable,
    duplicate_checks.exact_copies,
    duplicate_checks.near_copies,
    label_checks.several_photographs,
    label_checks.small_classes,
    leakage_checks.size_shift,
    leakage_checks.source_shift,
    leakage_checks.color_shift,
)


@dataclass(frozen=True)
class Known:
    """What a reference knows of a data set."""

    name: str
    num_files: int  # that the reference has; a copy named “(1)” is none of its files
    num_ids: int
    filed: dict[tuple[str, str], int]  # files by (diagnosis in the reference, diagnosis here)


@dataclass(frozen=True)
class Audit:
    """A data set's figures and what was found; `findings` is empty where nothing is wrong."""

    name: str
    num_files: int
    num_ids: int
    class_counts: dict[str, dict[str, int]]  # files by split (“all” where there is none), by code
    known: tuple[Known, ...]  # one a reference, in the order given
    findings: tuple[Finding, ...]  # the gravest first
    fingerprints: Fingerprints  # of the table's rows


@dataclass(frozen=True)
class Change:
    """What the clean table has otherwise, row by row of the data set."""

    row: int
    image_id: str
    is_dropped: bool  # else it has another diagnosis
    reason: str  # alike for all rows that are changed for one reason
    kept_id: str | None = None  # of the photograph that a copy was dropped for


def audit(
    dataset: Dataset, references: Sequence[Dataset] = (), report: Report | None = None
) -> Audit:
    """Everything that can be found wrong with a data set.

    Args:
        dataset: as `datasets.read` has it, one row a file.
        references: data sets that know some of its image ids: their lesions and, where a
            published table labels them, their diagnoses. Matched by image id alone.
        report: is told the number of photographs read, and of all.
    """
    found = _fingerprints(dataset.table, report)
    evidence = findings.evidence(dataset, found, near_duplicates.find(found), references)
    made = (check(evidence) for check in CHECKS)
    return Audit(
        name=dataset.name,
        num_files=len(evidence.ids),
        num_ids=len(set(evidence.ids)),
        class_counts=_class_counts(evidence),
        known=tuple(_known(evidence, reference) for reference in references),
        findings=tuple(finding for finding in made if finding is not None),
        fingerprints=found,
    )


def _fingerprints(table: pd.DataFrame, report: Report | None) -> Fingerprints:
    """Of the photographs or, where there are none, of what the table says of them."""
    if datasets.has_facts_alone(table):
        return fingerprints.of_facts(list(table[PIXELS]), table[list(SIZE)].to_numpy(np.int32))
    return fingerprints.of_files([Path(path) for path in table["path"]], report)


def _class_counts(evidence: Evidence) -> dict[str, dict[str, int]]:
    counts = Counter(zip(evidence.splits, evidence.codes, strict=True))
    return {
        split or "all": {
            code: counts[split, code] for code in diagnoses.CODES if counts[split, code]
        }
        for split in (*SPLITS, None)
        if any(split == of_row for of_row, _ in counts)
    }


def _known(evidence: Evidence, reference: Dataset) -> Known:
    official = dict(reference.table[["image_id", "diagnosis"]].to_numpy())
    filed = Counter(
        (official[image_id], code)
        for image_id, name, code in zip(evidence.ids, evidence.names, evidence.codes, strict=True)
        if image_id in official and name == image_id
    )
    return Known(
        name=reference.name,
        num_files=filed.total(),
        num_ids=len(official.keys() & set(evidence.ids)),
        filed=dict(filed.most_common()),
    )


def clean(dataset: Dataset, found: Sequence[Finding]) -> tuple[pd.DataFrame, tuple[Change, ...]]:
    """The table without what these findings say is wrong, and what was changed for it.

    Files that cannot be read go. A published table's diagnosis takes the place of another. A
    photograph, or near copies, that two diagnoses are left for go. Of the files of one
    photograph one stays, held out if any is. What shows a photograph, near copy or lesion that
    is held out goes from training, and validation gives way to test likewise.

    Args:
        dataset: the one that was audited.
        found: the findings to act on. Those left out of it change nothing: files of one image id
            become one row only where they agree in diagnosis and split.

    Returns:
        The table, numbered from 0, with one row a photograph if all findings were given; the
        changes in the order of rows.
    """
    cleaning = _Cleaning(dataset.table.reset_index(drop=True))
    of_kind = {finding.kind: finding for finding in found}
    if "unreadable" in of_kind:
        for (row,) in of_kind["unreadable"].groups:
            cleaning.drop(row, "The file cannot be read.")
    if "contradicts_table" in of_kind:
        labels = of_kind["contradicts_table"].labels
        for rows in of_kind["contradicts_table"].groups:
            for row in rows:
                cleaning.relabel(row, labels[cleaning.ids[row]])
    for kind in ("two_classes", "near_copies_in_two_classes"):
        for rows in of_kind[kind].groups if kind in of_kind else ():
            cleaning.drop_contradictory(rows)
    copies = [
        rows
        for kind in ("two_classes", "exact_copies", "same_photograph_in_two_splits")
        if kind in of_kind
        for rows in of_kind[kind].groups
    ]
    for rows in row_groups.connected(len(cleaning.ids), [*copies, *cleaning.twins()]):
        cleaning.keep_one(rows)
    leaks = [
        rows
        for kind in (
            "same_photograph_in_two_splits",
            "near_copy_in_two_splits",
            "same_lesion_in_two_splits",
            "near_copies",
        )
        if kind in of_kind
        for rows in of_kind[kind].groups
    ]
    for rows in row_groups.connected(len(cleaning.ids), [*copies, *leaks]):
        cleaning.keep_strictest(rows)
    return cleaning.result()


class _Cleaning:
    """The table while it is cleaned: which rows are left, with which diagnosis."""

    def __init__(self, table: pd.DataFrame) -> None:
        self._table = table
        self.ids: list[str] = list(table["image_id"])
        self._codes: list[str] = list(table["diagnosis"])
        self._splits: list[str | None] = list(table["split"])
        self._changes: dict[int, Change] = {}

    def _left(self, rows: Sequence[int]) -> list[int]:
        return [
            row for row in rows if row not in self._changes or not self._changes[row].is_dropped
        ]

    def twins(self) -> list[row_groups.Rows]:
        """Rows that nothing tells apart: one image id, one diagnosis, one split."""
        return row_groups.equal_rows(list(zip(self.ids, self._codes, self._splits, strict=True)))

    def drop(self, row: int, reason: str) -> None:
        self._changes[row] = Change(row, self.ids[row], True, reason)

    def relabel(self, row: int, code: str) -> None:
        if row in self._changes or self._codes[row] == code:
            return
        was, self._codes[row] = self._codes[row], code
        names = diagnoses.BY_CODE[was].name, diagnoses.BY_CODE[code].name
        reason = f"A published table says {names[1]}, not {names[0]}."
        self._changes[row] = Change(row, self.ids[row], False, reason)

    def drop_contradictory(self, rows: Sequence[int]) -> None:
        left = self._left(rows)
        codes = sorted({self._codes[row] for row in left}, key=diagnoses.CODES.index)
        if len(codes) > 1:
            names = " and ".join(diagnoses.BY_CODE[code].name for code in codes)
            for row in left:
                self.drop(row, f"Filed as {names}; no published table says which.")

    def keep_one(self, rows: Sequence[int]) -> None:
        left = self._left(rows)
        if len(left) < 2:
            return
        strictest = file_trees.strictest_split(self._splits[row] for row in left)
        of_strictest = [row for row in left if self._splits[row] == strictest]
        # One that had the right diagnosis all along, so that the fewest rows are changed.
        kept = min(of_strictest, key=self._changes.__contains__)
        for row in left:
            if row != kept:
                reason = "A copy of a photograph that stays."
                self._changes[row] = Change(row, self.ids[row], True, reason, self.ids[kept])

    def keep_strictest(self, rows: Sequence[int]) -> None:
        left = self._left(rows)
        strictest = file_trees.strictest_split(self._splits[row] for row in left)
        for row in left:
            if self._splits[row] != strictest:
                self.drop(row, f"Its picture or its lesion is in {strictest}.")

    def result(self) -> tuple[pd.DataFrame, tuple[Change, ...]]:
        rows = self._left(range(len(self.ids)))
        table = self._table.assign(diagnosis=pd.Series(self._codes, dtype=object))
        changes = tuple(self._changes[row] for row in sorted(self._changes))
        return table.loc[rows].reset_index(drop=True), changes
