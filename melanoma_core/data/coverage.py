"""Data coverage: the ages, sexes, sites and sources in the training data, and how many of each.

Counted in lesions: three photographs of one lesion are one case. Skin types (Fitzpatrick's I to VI)
are recorded by the ISIC Archive alone, and there for a few lesions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd  # the assess page calls `coverage_gaps` alone, which needs no pandas

NOT_RECORDED = "not recorded"
MIN_LESIONS = 20  # a value with fewer training lesions is treated as unseen
# Attributes that are counted, and their columns in a data set's table.
COLUMNS = {
    "age": "age_approx",
    "sex": "sex",
    "site": "anatom_site_general",
    "source": "source",
    "skin_tone": "fitzpatrick_skin_type",
}
ATTRIBUTES = tuple(COLUMNS)
# The sites of HAM10000 (ISIC 2017 has none), palms and soles as the ISIC Archive calls them (seven
# photographs of HAM10000 are from there: “acral”), and two sites that no set has.
SITES = (
    "abdomen", "back", "chest", "ear", "face", "foot", "genital", "hand",
    "lower extremity", "neck", "palms/soles", "scalp", "trunk", "upper extremity", "nail", "mucosa",
)  # fmt: skip
SEXES = ("female", "male")
_OLDEST_BAND = 90  # years


@dataclass(frozen=True)
class CoverageGap:
    """A value of a case that too few training lesions share."""

    attribute: str  # "age", "sex" or "site"
    value: str  # for an age, its band
    num_lesions: int  # training lesions with this value
    num_all: int  # all training lesions, including those where it is not recorded


def age_band(age: float) -> str:
    """The decade of an age in years; the last one is open-ended.

    >>> age_band(45.0), age_band(9), age_band(97)
    ('40–49', '0–9', '90+')

    Raises:
        ValueError: the age is negative or not a number.
    """
    if not age >= 0:
        raise ValueError(f"The age is {age}; it must be a number of years from 0.")
    if age >= _OLDEST_BAND:
        return f"{_OLDEST_BAND}+"
    first = int(age) // 10 * 10
    return f"{first}–{first + 9}"


def row_values(table: pd.DataFrame, attribute: str) -> list[str]:
    """The value of an attribute in each row, ages as bands.

    Args:
        table: unknown cells of the attribute's column are None or NaN.
        attribute: a key of `COLUMNS`.
    """
    if COLUMNS[attribute] not in table:  # an extra column that no row has
        return [NOT_RECORDED] * len(table)
    column = table[COLUMNS[attribute]]
    to_text = age_band if attribute == "age" else str
    return [
        to_text(cell) if is_known else NOT_RECORDED
        for cell, is_known in zip(column, column.notna(), strict=True)
    ]


def sorted_values(values: Iterable[str]) -> list[str]:
    """The distinct values in alphabetical order, "not recorded" last."""
    return sorted(set(values), key=lambda value: (value == NOT_RECORDED, value))


def count_lesions(train_table: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Training lesions by age band, sex, site, source and skin tone, as saved in `Card.seen`.

    Args:
        train_table: the training rows, with the columns of `schema.COLUMNS`. A photograph without
            a lesion id counts as its own lesion; where photographs of a lesion differ, the first
            recorded value counts.
    """
    lesions = train_table["lesion_id"].fillna(train_table["image_id"]).tolist()
    counts = {}
    for attribute in COLUMNS:
        lesion_values: dict[str, str] = {}
        for lesion, value in zip(lesions, row_values(train_table, attribute), strict=True):
            if lesion_values.get(lesion, NOT_RECORDED) == NOT_RECORDED:
                lesion_values[lesion] = value
        value_counts = Counter(lesion_values.values())
        counts[attribute] = {value: value_counts[value] for value in sorted_values(value_counts)}
    return counts


def coverage_gaps(
    seen: Mapping[str, Mapping[str, int]],
    age: float | None = None,
    sex: str | None = None,
    site: str | None = None,
) -> tuple[CoverageGap, ...]:
    """The values of a case with too little training data; None is not checked.

    Args:
        seen: training lesions, as `count_lesions` returns them.
        age: years.
        sex: one of `SEXES`, or another value in the training table.
        site: one of `SITES`, or another value in the training table.

    Raises:
        ValueError: the age is negative or not a number.
    """
    case = {"age": None if age is None else age_band(age), "sex": sex, "site": site}
    facts = [
        CoverageGap(attribute, value, seen[attribute].get(value, 0), sum(seen[attribute].values()))
        for attribute, value in case.items()
        if value is not None
    ]
    return tuple(fact for fact in facts if fact.num_lesions < MIN_LESIONS)
