"""The findings of an audit, and the evidence that they are made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd

from melanoma_core import diagnoses
from melanoma_core.data import datasets, file_trees, row_groups
from melanoma_core.data.datasets import Dataset
from melanoma_core.data.row_groups import Rows
from melanoma_core.images.fingerprints import Fingerprints
from melanoma_core.images.near_duplicates import NearCopy

INVALIDATES_TEST = "Invalidates the test"
INVALIDATES_LABELS = "Invalidates the labels"
WORTH_KNOWING = "Worth knowing"
SEVERITIES = (INVALIDATES_TEST, INVALIDATES_LABELS, WORTH_KNOWING)


@dataclass(frozen=True)
class Finding:
    """A problem of a data set, or something worth knowing about it."""

    kind: str
    severity: str  # one of `SEVERITIES`
    count: int
    unit: str  # of the count
    meaning: str  # the consequence for training and testing
    ids: tuple[str, ...] = ()  # of the photographs
    pairs: tuple[tuple[str, str], ...] = ()  # names of files that show one picture
    parts: Mapping[str, int] = field(default_factory=dict)  # counts by description
    groups: tuple[Rows, ...] = ()  # groups of rows that it is about
    labels: Mapping[str, str] = field(
        default_factory=dict
    )  # diagnosis in the published table, by image id

    @property
    def rows(self) -> Rows:
        """All rows that it is about, in order; none for a finding on classes or splits."""
        return tuple(sorted({row for group in self.groups for row in group}))


@dataclass(frozen=True)
class ReferenceRecord:
    """A reference's record of an image id."""

    source: str
    diagnosis: str
    lesion_id: str | None
    is_label: bool  # the diagnosis is from a published table, not a folder name
    is_ak_with_bowen: bool

    def contradicts(self, diagnosis: str) -> bool:
        """True if the diagnosis cannot be right, as finely as the reference distinguishes them."""
        if not self.is_label or diagnoses.common_label((diagnosis, self.diagnosis)):
            return False
        if self.is_ak_with_bowen and self.diagnosis == "AK":
            return diagnosis != "SCC"
        # “bkl” in published tables is read as PBK, but includes seborrheic keratoses.
        return not (self.diagnosis == "PBK" and diagnosis == "SK")


@dataclass(frozen=True)
class Evidence:
    """A data set with its fingerprints, near copies and references."""

    table: pd.DataFrame  # has `schema.COLUMNS`, numbered from 0
    fingerprints: Fingerprints
    near_copies: tuple[NearCopy, ...]
    reference_records: Mapping[str, ReferenceRecord]  # by image id

    @cached_property
    def ids(self) -> list[str]:
        """Image id of each row."""
        return list(self.table["image_id"])

    @cached_property
    def names(self) -> list[str]:
        """Name of each row's file: the image id with a copy's suffix, such as “(1)”."""
        stems = [Path(file).stem for file in datasets.files(self.table)]
        return [
            image_id + stem.removeprefix(file_trees.image_id_of(stem))
            for image_id, stem in zip(self.ids, stems, strict=True)
        ]

    @cached_property
    def codes(self) -> list[str]:
        """Diagnosis of each row."""
        return list(self.table["diagnosis"])

    @cached_property
    def splits(self) -> list[str | None]:
        """Split of each row."""
        return list(self.table["split"])

    @cached_property
    def sources(self) -> list[str]:
        """The reference that lists each row's photograph, else the row's data set."""
        records = self.reference_records
        return [
            records[image_id].source if image_id in records else source
            for image_id, source in zip(self.ids, self.table["source"], strict=True)
        ]

    @cached_property
    def lesions(self) -> list[str | None]:
        """Each row's lesion, from the data set or else from a reference."""
        own = [lesion if isinstance(lesion, str) else None for lesion in self.table["lesion_id"]]
        records = self.reference_records
        return [
            lesion or (records[image_id].lesion_id if image_id in records else None)
            for lesion, image_id in zip(own, self.ids, strict=True)
        ]

    @cached_property
    def exact(self) -> list[Rows]:
        """Groups of rows with identical pixels."""
        return row_groups.equal_rows(self.fingerprints.sha256)

    @cached_property
    def photographs(self) -> list[Rows]:
        """Rows grouped by photograph (same image id or pixels), single rows included."""
        return row_groups.connected(len(self.ids), [*row_groups.equal_rows(self.ids), *self.exact])

    @cached_property
    def near_pairs(self) -> list[Rows]:
        """Pairs of rows that are near copies with different image ids."""
        rows_of = {rows[0]: rows for rows in self.exact}  # near copies list only the first row
        return [
            (first, second)
            for copy in self.near_copies
            for first in rows_of.get(copy.first, (copy.first,))
            for second in rows_of.get(copy.second, (copy.second,))
            if self.ids[first] != self.ids[second]
        ]

    def group_name(self, row: int) -> str:
        """Split and diagnosis of a row, as text: `train Melanoma`."""
        name = diagnoses.BY_CODE[self.codes[row]].name
        return f"{self.splits[row]} {name}" if self.splits[row] else name


def collect_evidence(
    dataset: Dataset,
    fingerprints: Fingerprints,
    near_copies: Sequence[NearCopy],
    references: Sequence[Dataset],
) -> Evidence:
    """The evidence on a data set; the first reference that lists an image id counts."""
    records: dict[str, ReferenceRecord] = {}
    for reference in references:
        columns = reference.table[["image_id", "diagnosis", "lesion_id"]].to_numpy()
        for image_id, diagnosis, lesion_id in columns:
            records.setdefault(
                image_id,
                ReferenceRecord(
                    reference.name,
                    diagnosis,
                    lesion_id if isinstance(lesion_id, str) else None,
                    reference.is_official,
                    reference.is_ak_with_bowen,
                ),
            )
    return Evidence(dataset.table.reset_index(drop=True), fingerprints, tuple(near_copies), records)
