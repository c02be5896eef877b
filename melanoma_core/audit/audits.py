"""The data doctor: an audit of a data set, and its clean table."""

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
from melanoma_core.images.fingerprints import Fingerprints, OnImage, Report

CHECKS = (  # most severe first
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
class ReferenceOverlap:
    """The overlap of a data set with a reference."""

    name: str  # of the reference
    num_files: int  # in both; a copy named “(1)” does not count
    num_ids: int  # in both
    filed: dict[tuple[str, str], int]  # files by (diagnosis in the reference, diagnosis here)


@dataclass(frozen=True)
class Audit:
    """The counts and findings of a data set."""

    name: str
    num_files: int
    num_ids: int
    class_counts: dict[str, dict[str, int]]  # files by split (“all” without splits) and code
    references: tuple[ReferenceOverlap, ...]  # in their order
    findings: tuple[Finding, ...]  # most severe first
    fingerprints: Fingerprints  # of the table's rows


@dataclass(frozen=True)
class Change:
    """A row that the clean table drops or relabels."""

    row: int
    image_id: str
    is_dropped: bool  # else relabeled
    reason: str  # the same text for all rows changed for the same reason
    kept_id: str | None = None  # of the photograph that was kept instead of a duplicate


def audit(
    dataset: Dataset,
    references: Sequence[Dataset] = (),
    report: Report | None = None,
    on_image: OnImage | None = None,
) -> Audit:
    """Run every check on a data set.

    Args:
        dataset: from `datasets.read`, one row per file.
        references: data sets with some of the same image ids, for their lesions and, if labeled by
            a published table, their diagnoses. Matched by image id only.
        report: called with the numbers of photographs read and in total.
        on_image: as in `fingerprints.of_files`.
    """
    prints = _fingerprints(dataset.table, report, on_image)
    evidence = findings.collect_evidence(dataset, prints, near_duplicates.find(prints), references)
    results = (check(evidence) for check in CHECKS)
    return Audit(
        name=dataset.name,
        num_files=len(evidence.ids),
        num_ids=len(set(evidence.ids)),
        class_counts=_class_counts(evidence),
        references=tuple(_overlap(evidence, reference) for reference in references),
        findings=tuple(finding for finding in results if finding is not None),
        fingerprints=prints,
    )


def _fingerprints(
    table: pd.DataFrame, report: Report | None, on_image: OnImage | None
) -> Fingerprints:
    """Fingerprints of the files or, if there are none, from the table's facts about them."""
    if datasets.has_facts_alone(table):
        return fingerprints.of_facts(list(table[PIXELS]), table[list(SIZE)].to_numpy(np.int32))
    return fingerprints.of_files([Path(path) for path in table["path"]], report, on_image)


def _class_counts(evidence: Evidence) -> dict[str, dict[str, int]]:
    counts = Counter(zip(evidence.splits, evidence.codes, strict=True))
    return {
        split or "all": {
            code: counts[split, code] for code in diagnoses.LABELS if counts[split, code]
        }
        for split in (*SPLITS, None)
        if any(split == row_split for row_split, _ in counts)
    }


def _overlap(evidence: Evidence, reference: Dataset) -> ReferenceOverlap:
    diagnosis_of = dict(reference.table[["image_id", "diagnosis"]].to_numpy())
    filed = Counter(
        (diagnosis_of[image_id], code)
        for image_id, name, code in zip(evidence.ids, evidence.names, evidence.codes, strict=True)
        if image_id in diagnosis_of and name == image_id
    )
    return ReferenceOverlap(
        name=reference.name,
        num_files=filed.total(),
        num_ids=len(diagnosis_of.keys() & set(evidence.ids)),
        filed=dict(filed.most_common()),
    )


def clean(
    dataset: Dataset, findings_to_fix: Sequence[Finding]
) -> tuple[pd.DataFrame, tuple[Change, ...]]:
    """The table with these findings fixed, and the changes made.

    Unreadable files are dropped. A published table's diagnosis replaces any other. A photograph,
    or near copies, that still have two diagnoses are dropped. One file of each photograph is kept,
    held out if any is. A photograph, near copy or lesion that is held out is dropped from training,
    and one in the test split is dropped from validation.

    Args:
        dataset: the audited one.
        findings_to_fix: the findings to act on. Without findings, files of one image id are still
            merged into one row if they agree in diagnosis and split.

    Returns:
        The table, numbered from 0, with one row per photograph if all findings are fixed; the
        changes in the order of rows.
    """
    cleaning = _Cleaning(dataset.table.reset_index(drop=True))
    by_kind = {finding.kind: finding for finding in findings_to_fix}
    if "unreadable" in by_kind:
        for (row,) in by_kind["unreadable"].groups:
            cleaning.drop(row, "The file cannot be read")
    if "contradicts_table" in by_kind:
        labels = by_kind["contradicts_table"].labels
        for rows in by_kind["contradicts_table"].groups:
            for row in rows:
                cleaning.relabel(row, labels[cleaning.ids[row]])
    for kind in ("two_classes", "near_copies_in_two_classes"):
        for rows in by_kind[kind].groups if kind in by_kind else ():
            cleaning.drop_contradictory(rows)
    copies = [
        rows
        for kind in ("two_classes", "exact_copies", "same_photograph_in_two_splits")
        if kind in by_kind
        for rows in by_kind[kind].groups
    ]
    for rows in row_groups.connected(len(cleaning.ids), [*copies, *cleaning.identical_rows()]):
        cleaning.keep_one(rows)
    leaks = [
        rows
        for kind in (
            "same_photograph_in_two_splits",
            "near_copy_in_two_splits",
            "same_lesion_in_two_splits",
            "near_copies",
        )
        if kind in by_kind
        for rows in by_kind[kind].groups
    ]
    for rows in row_groups.connected(len(cleaning.ids), [*copies, *leaks]):
        cleaning.keep_strictest(rows)
    return cleaning.result()


class _Cleaning:
    """A table being cleaned: the remaining rows and their diagnoses."""

    def __init__(self, table: pd.DataFrame) -> None:
        self._table = table
        self.ids: list[str] = list(table["image_id"])
        self._codes: list[str] = list(table["diagnosis"])
        self._splits: list[str | None] = list(table["split"])
        self._changes: dict[int, Change] = {}

    def _remaining(self, rows: Sequence[int]) -> list[int]:
        return [
            row for row in rows if row not in self._changes or not self._changes[row].is_dropped
        ]

    def identical_rows(self) -> list[row_groups.Rows]:
        """Groups of rows with the same image id, diagnosis and split."""
        return row_groups.equal_rows(list(zip(self.ids, self._codes, self._splits, strict=True)))

    def drop(self, row: int, reason: str) -> None:
        self._changes[row] = Change(row, self.ids[row], True, reason)

    def relabel(self, row: int, code: str) -> None:
        if row in self._changes or self._codes[row] == code:
            return
        old_name, new_name = diagnoses.BY_CODE[self._codes[row]].name, diagnoses.BY_CODE[code].name
        self._codes[row] = code
        reason = f"A published table says {new_name}, not {old_name}"
        self._changes[row] = Change(row, self.ids[row], False, reason)

    def drop_contradictory(self, rows: Sequence[int]) -> None:
        remaining = self._remaining(rows)
        codes = sorted({self._codes[row] for row in remaining}, key=diagnoses.LABELS.index)
        if codes and diagnoses.common_label(codes) is None:
            names = " and ".join(diagnoses.BY_CODE[code].name for code in codes)
            for row in remaining:
                self.drop(row, f"Filed as {names}; no published table says which")

    def keep_one(self, rows: Sequence[int]) -> None:
        remaining = self._remaining(rows)
        if len(remaining) < 2:
            return
        strictest = file_trees.strictest_split(self._splits[row] for row in remaining)
        in_strictest = [row for row in remaining if self._splits[row] == strictest]
        # Prefer a row that was not relabeled, so that the fewest rows are changed.
        row_to_keep = min(in_strictest, key=self._changes.__contains__)
        for row in remaining:
            if row != row_to_keep:
                reason = "Duplicate of a photograph that was kept"
                self._changes[row] = Change(row, self.ids[row], True, reason, self.ids[row_to_keep])

    def keep_strictest(self, rows: Sequence[int]) -> None:
        remaining = self._remaining(rows)
        strictest = file_trees.strictest_split(self._splits[row] for row in remaining)
        for row in remaining:
            if self._splits[row] != strictest:
                self.drop(row, f"The same picture or lesion is in {strictest}")

    def result(self) -> tuple[pd.DataFrame, tuple[Change, ...]]:
        rows = self._remaining(range(len(self.ids)))
        table = self._table.assign(diagnosis=pd.Series(self._codes, dtype=object))
        changes = tuple(self._changes[row] for row in sorted(self._changes))
        return table.loc[rows].reset_index(drop=True), changes
