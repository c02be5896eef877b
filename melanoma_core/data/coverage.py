"""The evidence boundary: which ages, sexes, sites and sources a network learnt from, and how many.

Counted in lesions: three photographs of one lesion are one case that was seen. Skin tones stand in
none of the tables that are read, and are said to be missing rather than left unsaid.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd  # the assess page asks `outside` alone, which needs none

NOT_RECORDED = "not recorded"
FEW = 20  # lesions: with fewer than this of a kind, it counts as not seen
# What is counted, and the column of a data set's table that it stands in.
COLUMNS = {
    "age": "age_approx",
    "sex": "sex",
    "site": "anatom_site_general",
    "source": "source",
}
ATTRIBUTES = (*COLUMNS, "skin_tone")
# The words of HAM10000 (ISIC 2017 has no sites), and two sites that it lacks.
SITES = (
    "abdomen", "acral", "back", "chest", "ear", "face", "foot", "genital", "hand",
    "lower extremity", "neck", "scalp", "trunk", "upper extremity", "nail", "mucosa",
)  # fmt: skip
SEXES = ("female", "male")
_OLDEST_BAND = 90  # years


@dataclass(frozen=True)
class Outside:
    """A fact of a case that few or none of the training lesions share."""

    attribute: str  # "age", "sex" or "site"
    value: str  # an age as its band
    num_lesions: int  # training lesions that share it
    num_all: int  # training lesions in all, those without a record of it too


def age_band(age: float) -> str:
    """The decade that an age in years lies in; the last has no end.

    >>> age_band(45.0), age_band(9), age_band(97)
    ('40–49', '0–9', '90+')

    Raises:
        ValueError: the age is below 0 or no number.
    """
    if not age >= 0:
        raise ValueError(f"The age is {age}; it must be a number of years from 0.")
    if age >= _OLDEST_BAND:
        return f"{_OLDEST_BAND}+"
    first = int(age) // 10 * 10
    return f"{first}–{first + 9}"


def values(table: pd.DataFrame, attribute: str) -> list[str]:
    """What each row of a table counts under.

    Args:
        table: holds the column that `COLUMNS` names; unknown cells are None or NaN.
        attribute: one of `COLUMNS`.
    """
    column = table[COLUMNS[attribute]]
    known = column.notna()
    word = age_band if attribute == "age" else str
    return [
        word(cell) if is_known else NOT_RECORDED
        for cell, is_known in zip(column, known, strict=True)
    ]


def in_order(values: Iterable[str]) -> list[str]:
    """Each value once, as they are listed: what is not recorded comes last."""
    return sorted(set(values), key=lambda value: (value == NOT_RECORDED, value))


def seen(train_table: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Training lesions by age band, sex, site, source and skin tone; `Card.seen`.

    Args:
        train_table: rows of `datasets.COLUMNS`, those that were learnt from only. A photograph of
            no known lesion counts as a lesion of its own; of a lesion whose photographs differ,
            the first record counts.
    """
    lesions = train_table["lesion_id"].fillna(train_table["image_id"]).tolist()
    counts = {}
    for attribute in COLUMNS:
        of_lesion: dict[str, str] = {}
        for lesion, value in zip(lesions, values(train_table, attribute), strict=True):
            if of_lesion.get(lesion, NOT_RECORDED) == NOT_RECORDED:
                of_lesion[lesion] = value
        of_value = Counter(of_lesion.values())
        counts[attribute] = {value: of_value[value] for value in in_order(of_value)}
    return {**counts, "skin_tone": {NOT_RECORDED: len(set(lesions))}}


def outside(
    seen: Mapping[str, Mapping[str, int]],
    age: float | None = None,
    sex: str | None = None,
    site: str | None = None,
) -> tuple[Outside, ...]:
    """What of a case lies outside the evidence; nothing is said of what is not given.

    Args:
        seen: as `seen` counts it.
        age: years.
        sex: one of `SEXES`, or another word of the training table.
        site: one of `SITES`, or another word of the training table.

    Raises:
        ValueError: the age is below 0 or no number.
    """
    case = {"age": None if age is None else age_band(age), "sex": sex, "site": site}
    found = [
        Outside(name, value, seen[name].get(value, 0), sum(seen[name].values()))
        for name, value in case.items()
        if value is not None
    ]
    return tuple(fact for fact in found if fact.num_lesions < FEW)
