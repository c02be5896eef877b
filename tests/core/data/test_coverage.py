"""What was seen is counted in lesions from the training table, and what was not is said."""

import math

import pandas as pd
import pytest

from melanoma_core.data import coverage, schema
from melanoma_core.data.coverage import Outside


def table(*rows):
    columns = ("image_id", "lesion_id", "age_approx", "sex", "anatom_site_general", "source")
    made = pd.DataFrame(rows, columns=columns, dtype=object)
    return made.astype({"age_approx": "float64"})


def test_lesions_are_counted_not_photographs():
    counted = coverage.seen(
        table(
            ("i0", "a", 45, "male", "back", "ham10000"),
            ("i1", "a", 45, "male", "back", "ham10000"),
            ("i2", "b", 0, "female", "nail", "ham10000"),
            ("i3", None, 85, None, None, "isic2017"),
            ("i4", None, None, "male", None, "isic2017"),
        )
    )
    assert counted == {
        "age": {"0–9": 1, "40–49": 1, "80–89": 1, "not recorded": 1},
        "sex": {"female": 1, "male": 2, "not recorded": 1},
        "site": {"back": 1, "nail": 1, "not recorded": 2},
        "source": {"ham10000": 2, "isic2017": 2},
        "skin_tone": {"not recorded": 4},
    }
    assert tuple(counted) == coverage.ATTRIBUTES


def test_a_lesion_whose_photographs_differ_counts_once_under_its_first_record():
    counted = coverage.seen(
        table(
            ("i0", "a", None, None, "foot", "x"),
            ("i1", "a", 39, "male", "hand", "x"),
            ("i2", "a", 40, "female", None, "y"),
        )
    )
    assert counted["age"] == {"30–39": 1}
    assert counted["sex"] == {"male": 1}
    assert counted["site"] == {"foot": 1}
    assert counted["source"] == {"x": 1}


def test_no_training_row_is_nothing_seen():
    counted = coverage.seen(table())
    assert {name: sum(part.values()) for name, part in counted.items()} == dict.fromkeys(
        coverage.ATTRIBUTES, 0
    )


def test_columns_are_those_of_a_data_set():
    assert set(coverage.COLUMNS.values()) <= set(schema.COLUMNS)


@pytest.mark.parametrize(
    ("age", "band"),
    [(0, "0–9"), (9.9, "0–9"), (10, "10–19"), (89, "80–89"), (90, "90+"), (104.0, "90+")],
)
def test_ages_lie_in_decades(age, band):
    assert coverage.age_band(age) == band


@pytest.mark.parametrize("age", [-1, math.nan])
def test_an_age_that_is_none_is_refused(age):
    with pytest.raises(ValueError, match="age"):
        coverage.age_band(age)
    with pytest.raises(ValueError, match="age"):
        coverage.outside({"age": {}}, age=age)


SEEN = {
    "age": {"0–9": 19, "40–49": 20, "not recorded": 61},
    "sex": {"male": 90, "not recorded": 10},
    "site": {"back": 100},
}


def test_what_fewer_than_twenty_lesions_share_lies_outside():
    assert coverage.outside(SEEN, 5, "female", "nail") == (
        Outside("age", "0–9", 19, 100),
        Outside("sex", "female", 0, 100),
        Outside("site", "nail", 0, 100),
    )
    assert coverage.outside(SEEN, 40, "male", "back") == ()
    assert coverage.outside(SEEN, 95) == (Outside("age", "90+", 0, 100),)


def test_nothing_is_said_of_what_is_not_given():
    assert coverage.outside({"age": {}, "sex": {}, "site": {}}) == ()


def test_the_sites_to_choose_from_hold_those_that_the_archives_lack():
    assert {"nail", "mucosa", "acral", "back"} <= set(coverage.SITES)
    assert len(set(coverage.SITES)) == len(coverage.SITES) == 16
