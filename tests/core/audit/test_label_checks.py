"""Labels that a table denies, lesions with several photographs, classes too small to measure."""

import pytest

from melanoma_core.audit import label_checks
from melanoma_core.metrics.classification import wilson_interval
from tests.support import made_evidence


def test_photographs_that_a_table_calls_otherwise_are_told_apart_by_what_else_they_are():
    table = made_evidence.dataset(
        ("a", "MEL"), ("b", "MEL"), ("c", "MEL"), name="isic2017", is_official=True
    )
    evidence = made_evidence.of(
        ("a", "SK"), ("a", "MEL"), ("b", "SK"), ("c", "MEL"), ("d", "SK"), references=[table]
    )
    found = label_checks.contradictions(evidence)
    assert (found.count, found.ids, found.groups) == (2, ("a", "b"), ((0, 1), (2,)))
    assert found.parts == {
        "Melanoma by isic2017, also Seborrheic keratosis here": 1,
        "Melanoma by isic2017, only Seborrheic keratosis here": 1,
    }
    assert found.labels == {"a": "MEL", "b": "MEL"}


def test_without_a_published_table_nothing_is_denied():
    folders = made_evidence.dataset(("a", "MEL"))
    evidence = made_evidence.of(("a", "SK"), references=[folders])
    assert label_checks.contradictions(evidence) is None


def test_lesions_count_photographs_not_files():
    rows = [("a", "NV", None, "L1"), ("a(1)", "NV", None, "L1"), ("b", "NV", None, "L2"),
            ("c", "NV", None, "L2")]  # fmt: skip
    found = label_checks.several_photographs(made_evidence.of(*rows))
    assert (found.count, found.ids) == (1, ("b", "c"))


def test_small_classes_are_counted_in_lesions_of_the_test_split():
    rows = [(f"n{n}", "NV", "test") for n in range(100)]
    rows += [(f"m{n}", "MEL", "test", f"L{n // 2}") for n in range(32)]
    rows += [(f"t{n}", "MEL", "train") for n in range(100)] + [("k", "SK", "train")]
    found = label_checks.small_classes(made_evidence.of(*rows))
    assert found.parts == {
        "Melanoma: interval 36 percentage points wide": 16,
        "Seborrheic keratosis: interval 100 percentage points wide": 0,
    }


def test_set_without_splits_is_measured_whole():
    found = label_checks.small_classes(made_evidence.of(*((f"n{n}", "NV") for n in range(10))))
    assert list(found.parts.values()) == [10]


def test_width_is_that_of_wilsons_interval():
    low, high = wilson_interval(80, 100)
    assert label_checks.interval_width(100) == pytest.approx(high - low)
    assert label_checks.interval_width(60) < label_checks.MAX_INTERVAL_WIDTH + 0.01
