"""A data set made ready for looking at: what each photograph counts under, and how many do.

Everything that is asked of a table again and again is worked out once, so that a page over
hundreds of thousands of rows answers in milliseconds.
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
from melanoma_core.diagnoses import DIAGNOSES, GROUPS
from melanoma_core.errors import DatasetError

if TYPE_CHECKING:
    import pandas as pd

# As pages list them: malignant first.
CODES_BY_GROUP = tuple(d.code for group in GROUPS for d in DIAGNOSES if d.group == group)
ATTRIBUTES = ("diagnosis", "split", "source", "age", "sex", "site")


@dataclass(frozen=True)
class Catalogue:
    """A data set and, row by row, the value of each attribute that it can be sorted by."""

    dataset: Dataset
    kinds: pd.DataFrame  # ATTRIBUTES, as categories; what is missing is "not recorded"

    def __len__(self) -> int:
        return len(self.kinds)

    @property
    def has_photographs(self) -> bool:
        """Whether there are files to look at, rather than facts alone."""
        return bool(self.dataset.table["path"].notna().any())


def catalogue(dataset: Dataset) -> Catalogue:
    """The catalogue of a data set.

    Raises:
        DatasetError: an age is below 0.
    """
    import pandas as pd

    table = dataset.table
    num_unborn = int((table["age_approx"] < 0).sum())
    if num_unborn:
        raise DatasetError(
            f"{dataset.name}: the ages of {num_unborn:,} photographs are below 0; ages are years "
            "from 0. Correct them in its table, or leave them empty."
        )
    splits = table["split"].where(table["split"].notna(), NOT_RECORDED)
    kinds = {
        "diagnosis": pd.Categorical(table["diagnosis"], list(CODES_BY_GROUP)),
        "split": pd.Categorical(splits, [*SPLITS, NOT_RECORDED]),
    }
    for attribute in coverage.COLUMNS:
        found = coverage.values(table, attribute)
        kinds[attribute] = pd.Categorical(found, _ordered(set(found)))
    return Catalogue(dataset, pd.DataFrame(kinds)[list(ATTRIBUTES)])


def _ordered(found: set[str]) -> list[str]:
    """Ages by their first year, words by letter; what is not recorded comes last."""
    known = sorted(found - {NOT_RECORDED}, key=lambda value: (_first_year(value), value))
    return [*known, NOT_RECORDED] if NOT_RECORDED in found else known


def _first_year(value: str) -> int:
    digits = value.rstrip("+").partition("–")[0]
    return int(digits) if digits.isdigit() else 0


def counts(found: Catalogue, attribute: str) -> dict[str, int]:
    """How many rows have each value of one of `ATTRIBUTES`; values that none has are left out."""
    column = found.kinds[attribute]
    numbers = np.bincount(column.cat.codes, minlength=len(column.cat.categories))
    return {
        value: int(number)
        for value, number in zip(column.cat.categories, numbers, strict=True)
        if number
    }


def class_counts(found: Catalogue) -> dict[str, NDArray[np.int64]]:
    """Rows of each of `CODES_BY_GROUP`, by the splits that there are."""
    splits = found.kinds["split"].cat
    table = np.zeros((len(splits.categories), len(CODES_BY_GROUP)), np.int64)
    np.add.at(table, (splits.codes, found.kinds["diagnosis"].cat.codes), 1)
    return {
        split: row for split, row in zip(splits.categories, table, strict=True) if row.sum() > 0
    }


def matching(found: Catalogue, wanted: Mapping[str, Sequence[str]]) -> NDArray[np.int64]:
    """Numbers of the rows that have one of the wanted values of every attribute.

    Args:
        found: the catalogue.
        wanted: values by attribute; an attribute without any is not asked about.
    """
    is_kept = np.ones(len(found), bool)
    for attribute, values in wanted.items():
        if values:
            column = found.kinds[attribute].cat
            is_kept &= np.isin(column.codes, column.categories.get_indexer(list(values)))
    return np.flatnonzero(is_kept)


def num_known(found: Catalogue, column: str) -> int | None:
    """How many lesions or patients a column of ids names; None where none is recorded."""
    table = found.dataset.table
    if column not in table:
        return None
    return int(table[column].nunique()) or None


def headline(found: Catalogue) -> dict[str, int | None]:
    """Photographs, lesions, patients and classes; None where it is not recorded."""
    return {
        "Photographs": len(found),
        "Lesions": num_known(found, "lesion_id"),
        "Patients": num_known(found, PATIENT),
        "Classes": len(counts(found, "diagnosis")),
    }
