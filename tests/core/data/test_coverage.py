"""Training data is lesion_counts in lesions, and values with too few of them are reported."""

import math

import pandas as pd
import pytest

from melanoma_core.data import coverage, schema
from melanoma_core.data.coverage import CoverageGap


def table(*rows):
    columns = ("image_id", "lesion_id", "age_approx", "sex", "anatom_site_general", "source")
    made = pd.DataFrame(rows, columns=columns, dtype=object)
    return made.astype({"age_approx": "float64"})


def test_lesions_are_counted_not_photographs():
    lesion_counts = coverage.count_lesions(
        table(
            ("i0", "a", 45, "male", "back", "ham10000"),
            ("i1", "a", 45, "male", "back", "ham10000"),
            ("i2", "b", 0, "female", "nail", "ham10000"),
            ("i3", None, 85, None, None, "isic2017"),
            ("i4", None, None, "male", None, "isic2017"),
        )
    )
    assert lesion_counts == {
        "age": {"0–9": 1, "40–49": 1, "80–89": 1, "not recorded": 1},
        "sex": {"female": 1, "male": 2, "not recorded": 1},
        "site": {"back": 1, "nail": 1, "not recorded": 2},
        "source": {"ham10000": 2, "isic2017": 2},
        "skin_tone": {"not recorded": 4},
    }
    assert tuple(lesion_counts) == coverage.ATTRIBUTES


def test_skin_types_are_counted_where_they_are_recorded():
    rows = table(*((f"i{n}", None, None, None, None, "x") for n in range(3)))
    counts = coverage.count_lesions(rows.assign(fitzpatrick_skin_type=["VI", None, "VI"]))
    assert counts["skin_tone"] == {"VI": 2, "not recorded": 1}


def test_a_lesion_counts_once_under_its_first_recorded_value():
    lesion_counts = coverage.count_lesions(
        table(
            ("i0", "a", None, None, "foot", "x"),
            ("i1", "a", 39, "male", "hand", "x"),
            ("i2", "a", 40, "female", None, "y"),
        )
    )
    assert lesion_counts["age"] == {"30–39": 1}
    assert lesion_counts["sex"] == {"male": 1}
    assert lesion_counts["site"] == {"foot": 1}
    assert lesion_counts["source"] == {"x": 1}


def test_an_empty_training_table_has_no_lesions():
    lesion_counts = coverage.count_lesions(table())
    assert {name: sum(part.values()) for name, part in lesion_counts.items()} == dict.fromkeys(
        coverage.ATTRIBUTES, 0
    )


def test_columns_exist_in_data_sets():
    assert set(coverage.COLUMNS.values()) <= {*schema.COLUMNS, *schema.EXTRA_COLUMNS}


@pytest.mark.parametrize(
    ("age", "band"),
    [(0, "0–9"), (9.9, "0–9"), (10, "10–19"), (89, "80–89"), (90, "90+"), (104.0, "90+")],
)
def test_ages_are_grouped_in_decades(age, band):
    assert coverage.age_band(age) == band


@pytest.mark.parametrize("age", [-1, math.nan])
def test_an_invalid_age_is_refused(age):
    with pytest.raises(ValueError, match="age"):
        coverage.age_band(age)
    with pytest.raises(ValueError, match="age"):
        coverage.coverage_gaps({"age": {}}, age=age)


SEEN = {
    "age": {"0–9": 19, "40–49": 20, "not recorded": 61},
    "sex": {"male": 90, "not recorded": 10},
    "site": {"back": 100},
}


def test_values_with_fewer_than_twenty_lesions_are_gaps():
    assert coverage.coverage_gaps(SEEN, 5, "female", "nail") == (
        CoverageGap("age", "0–9", 19, 100),
        CoverageGap("sex", "female", 0, 100),
        CoverageGap("site", "nail", 0, 100),
    )
    assert coverage.coverage_gaps(SEEN, 40, "male", "back") == ()
    assert coverage.coverage_gaps(SEEN, 95) == (CoverageGap("age", "90+", 0, 100),)


def test_missing_values_are_not_checked():
    assert coverage.coverage_gaps({"age": {}, "sex": {}, "site": {}}) == ()


def test_the_list_of_sites_includes_those_missing_from_the_archives():
    assert {"nail", "mucosa", "palms/soles", "back"} <= set(coverage.SITES)
    assert len(set(coverage.SITES)) == len(coverage.SITES) == 16
