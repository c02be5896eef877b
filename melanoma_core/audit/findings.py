"""What an audit looks at, what it reports, and how rows that belong together are joined."""

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
    """One thing that is wrong with a data set, or worth knowing of it."""

    kind: str
    severity: str  # one of `SEVERITIES`
    count: int
    unit: str  # what the count counts
    meaning: str  # what it does to a training, and to what is measured
    ids: tuple[str, ...] = ()  # of the photographs
    pairs: tuple[tuple[str, str], ...] = ()  # names of files that hold one picture
    parts: Mapping[str, int] = field(default_factory=dict)  # what it is made of, in words
    groups: tuple[Rows, ...] = ()  # rows that belong together
    labels: Mapping[str, str] = field(default_factory=dict)  # image id to the table's diagnosis

    @property
    def rows(self) -> Rows:
        """All rows that it is about, in the table's order; none where it is about classes."""
        return tuple(sorted({row for group in self.groups for row in group}))


@dataclass(frozen=True)
class Official:
    """What a reference knows of an image id."""

    source: str
    diagnosis: str
    lesion_id: str | None
    is_label: bool  # from a published table, not from a folder's name
    is_ak_with_bowen: bool

    def contradicts(self, diagnosis: str) -> bool:
        """Whether the two cannot both be true, as far as the reference tells diagnoses apart."""
        if not self.is_label or diagnosis == self.diagnosis:
            return False
        if self.is_ak_with_bowen and self.diagnosis == "AK":
            return diagnosis != "SCC"
        # Every published “bkl” is read as PBK, and holds seborrheic keratoses too.
        return not (self.diagnosis == "PBK" and diagnosis == "SK")


@dataclass(frozen=True)
class Evidence:
    """A data set with its photographs' fingerprints and copies, and what references know of it."""

    table: pd.DataFrame  # of `schema.COLUMNS`, numbered from 0
    found: Fingerprints
    near: tuple[NearCopy, ...]
    known: Mapping[str, Official]  # by image id

    @cached_property
    def ids(self) -> list[str]:
        """Image id of each row."""
        return list(self.table["image_id"])

    @cached_property
    def names(self) -> list[str]:
        """Each row's file: its image id, and what a copy's name adds, such as “(1)”."""
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
        """The reference that holds each row's photograph, else the data set it came in."""
        return [
            self.known[image_id].source if image_id in self.known else source
            for image_id, source in zip(self.ids, self.table["source"], strict=True)
        ]

    @cached_property
    def lesions(self) -> list[str | None]:
        """The lesion on each row's photograph, by the data set or else by a reference."""
        own = [lesion if isinstance(lesion, str) else None for lesion in self.table["lesion_id"]]
        return [
            lesion or (self.known[image_id].lesion_id if image_id in self.known else None)
            for lesion, image_id in zip(own, self.ids, strict=True)
        ]

    @cached_property
    def exact(self) -> list[Rows]:
        """Rows of the same pixels."""
        return row_groups.equal_rows(self.found.sha256)

    @cached_property
    def photographs(self) -> list[Rows]:
        """Rows of one photograph: of one image id, or of the same pixels; single rows too."""
        return row_groups.connected(len(self.ids), [*row_groups.equal_rows(self.ids), *self.exact])

    @cached_property
    def near_pairs(self) -> list[Rows]:
        """Rows that are near copies; two files of one image id are the same photograph anyway."""
        rows_of = {rows[0]: rows for rows in self.exact}  # only the first of each is compared
        return [
            (first, second)
            for copy in self.near
            for first in rows_of.get(copy.first, (copy.first,))
            for second in rows_of.get(copy.second, (copy.second,))
            if self.ids[first] != self.ids[second]
        ]

    def group_name(self, row: int) -> str:
        """Where a row is filed, in words: `train Melanoma`."""
        name = diagnoses.BY_CODE[self.codes[row]].name
        return f"{self.splits[row]} {name}" if self.splits[row] else name


def evidence(
    dataset: Dataset,
    found: Fingerprints,
    near: Sequence[NearCopy],
    references: Sequence[Dataset],
) -> Evidence:
    """What the findings are made from; where two references know an id, the first is believed."""
    known: dict[str, Official] = {}
    for reference in references:
        columns = reference.table[["image_id", "diagnosis", "lesion_id"]].to_numpy()
        for image_id, diagnosis, lesion_id in columns:
            known.setdefault(
                image_id,
                Official(
                    reference.name,
                    diagnosis,
                    lesion_id if isinstance(lesion_id, str) else None,
                    reference.is_official,
                    reference.is_ak_with_bowen,
                ),
            )
    return Evidence(dataset.table.reset_index(drop=True), found, tuple(near), known)
