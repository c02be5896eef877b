"""A data set prepared for browsing: the attribute values of each photograph, and their counts.

The values are worked out once, so a page over hundreds of thousands of rows answers in
milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from melanoma_core.data import coverage
from melanoma_core.data.coverage import NOT_RECORDED
from melanoma_core.data.datasets import Dataset
from melanoma_core.data.schema import PATIENT, SPLITS
from melanoma_core.diagnoses import DIAGNOSES, GROUPS, UNNAMED
from melanoma_core.errors import DatasetError

if TYPE_CHECKING:
    import pandas as pd

# Malignant first, as pages list them.
CODES_BY_GROUP = tuple(d.code for group in GROUPS for d in DIAGNOSES if d.group == group)
LABELS_BY_GROUP = (*CODES_BY_GROUP, UNNAMED.code)
ATTRIBUTES = ("diagnosis", "split", *coverage.COLUMNS)


@dataclass(frozen=True)
class Catalogue:
    """A data set, and the values of the attributes that its rows can be filtered by."""

    dataset: Dataset
    values: pd.DataFrame  # a categorical column per attribute; unknown is "not recorded"

    def __len__(self) -> int:
        return len(self.values)

    @property
    def has_photographs(self) -> bool:
        """False for a data set that has facts about its photographs but no files."""
        return bool(self.dataset.table["path"].notna().any())


def build(dataset: Dataset) -> Catalogue:
    """The catalogue of a data set.

    Raises:
        DatasetError: an age is negative.
    """
    import pandas as pd

    table = dataset.table
    num_negative = int((table["age_approx"] < 0).sum())
    if num_negative:
        raise DatasetError(
            f"{dataset.name}: the ages of {num_negative:,} photographs are below 0; ages are years "
            "from 0. Correct them in its table, or leave them empty."
        )
    splits = table["split"].where(table["split"].notna(), NOT_RECORDED)
    columns = {
        "diagnosis": pd.Categorical(table["diagnosis"], list(LABELS_BY_GROUP)),
        "split": pd.Categorical(splits, [*SPLITS, NOT_RECORDED]),
    }
    for attribute in coverage.COLUMNS:
        values = coverage.row_values(table, attribute)
        columns[attribute] = pd.Categorical(values, _display_order(set(values)))
    return Catalogue(dataset, pd.DataFrame(columns))


def _display_order(values: set[str]) -> list[str]:
    """Ages by their first year, text alphabetically, "not recorded" last."""
    known = sorted(values - {NOT_RECORDED}, key=lambda value: (_first_year(value), value))
    return [*known, NOT_RECORDED] if NOT_RECORDED in values else known


def _first_year(value: str) -> int:
    digits = value.rstrip("+").partition("–")[0]
    return int(digits) if digits.isdigit() else 0


def value_counts(catalogue: Catalogue, attribute: str) -> dict[str, int]:
    """Rows by value of one of `ATTRIBUTES`, values without rows left out."""
    column = catalogue.values[attribute]
    counts = np.bincount(column.cat.codes, minlength=len(column.cat.categories))
    return {
        value: int(count)
        for value, count in zip(column.cat.categories, counts, strict=True)
        if count
    }


def class_counts(catalogue: Catalogue) -> dict[str, NDArray[np.int64]]:
    """Rows per label in the order of `LABELS_BY_GROUP`, by split."""
    splits = catalogue.values["split"].cat
    table = np.zeros((len(splits.categories), len(LABELS_BY_GROUP)), np.int64)
    np.add.at(table, (splits.codes, catalogue.values["diagnosis"].cat.codes), 1)
    return {
        split: row for split, row in zip(splits.categories, table, strict=True) if row.sum() > 0
    }


def matching_rows(catalogue: Catalogue, filters: Mapping[str, Sequence[str]]) -> NDArray[np.int64]:
    """Row numbers that pass every filter.

    Args:
        catalogue: to search.
        filters: accepted values by attribute; an empty list accepts every value.
    """
    is_match = np.ones(len(catalogue), bool)
    for attribute, values in filters.items():
        if values:
            column = catalogue.values[attribute].cat
            is_match &= np.isin(column.codes, column.categories.get_indexer(list(values)))
    return np.flatnonzero(is_match)


def totals(catalogue: Catalogue) -> dict[str, int | None]:
    """Numbers of photographs, lesions, patients and classes; None where not recorded."""
    return {
        "Photographs": len(catalogue),
        "Lesions": _num_ids(catalogue, "lesion_id"),
        "Patients": _num_ids(catalogue, PATIENT),
        "Classes": len(value_counts(catalogue, "diagnosis").keys() - {UNNAMED.code}),
    }


def _num_ids(catalogue: Catalogue, column: str) -> int | None:
    table = catalogue.dataset.table
    if column not in table:
        return None
    return int(table[column].nunique()) or None
