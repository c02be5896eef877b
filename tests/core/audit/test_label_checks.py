"""Labels that contradict a table, lesions with several photographs, small classes."""

import pytest

from melanoma_core.audit import label_checks
from tests.support import made_evidence


def test_contradicted_labels_are_counted_with_and_without_the_right_one():
    table = made_evidence.dataset(
        ("a", "MEL"), ("b", "MEL"), ("c", "MEL"), name="isic2017", is_official=True
    )
    evidence = made_evidence.of(
        ("a", "SK"), ("a", "MEL"), ("b", "SK"), ("c", "MEL"), ("d", "SK"), references=[table]
    )
    finding = label_checks.contradictions(evidence)
    assert (finding.count, finding.ids, finding.groups) == (2, ("a", "b"), ((0, 1), (2,)))
    assert finding.parts == {
        "Melanoma by isic2017, also Seborrheic keratosis here": 1,
        "Melanoma by isic2017, only Seborrheic keratosis here": 1,
    }
    assert finding.labels == {"a": "MEL", "b": "MEL"}


def test_without_a_published_table_nothing_is_contradicted():
    folders = made_evidence.dataset(("a", "MEL"))
    evidence = made_evidence.of(("a", "SK"), references=[folders])
    assert label_checks.contradictions(evidence) is None


def test_photographs_of_a_lesion_are_counted_not_files():
    rows = [("a", "NV", None, "L1"), ("a(1)", "NV", None, "L1"), ("b", "NV", None, "L2"),
            ("c", "NV", None, "L2")]  # fmt: skip
    finding = label_checks.several_photographs(made_evidence.of(*rows))
    assert (finding.count, finding.ids) == (1, ("b", "c"))


def test_small_classes_are_counted_in_lesions_of_the_test_split():
    rows = [(f"n{n}", "NV", "test") for n in range(100)]
    rows += [(f"m{n}", "MEL", "test", f"L{n // 2}") for n in range(32)]
    rows += [(f"t{n}", "MEL", "train") for n in range(100)] + [("k", "SK", "train")]
    finding = label_checks.small_classes(made_evidence.of(*rows))
    assert finding.parts == {
        "Melanoma: interval 37 percentage points wide": 16,
        "Seborrheic keratosis: interval 100 percentage points wide": 0,
    }


def test_a_set_without_splits_is_measured_as_a_whole():
    finding = label_checks.small_classes(made_evidence.of(*((f"n{n}", "NV") for n in range(10))))
    assert list(finding.parts.values()) == [10]


@pytest.mark.parametrize(("num_lesions", "is_small"), [(59, True), (60, False)])
def test_a_class_is_small_below_sixty_lesions(num_lesions, is_small):
    rows = [(f"n{n}", "NV") for n in range(num_lesions)]
    finding = label_checks.small_classes(made_evidence.of(*rows))
    assert (finding is not None) is is_small


def test_benign_in_a_table_contradicts_a_malignant_folder_only():
    reference = made_evidence.dataset(
        ("A", "BENIGN"), ("B", "BENIGN"), name="table", is_official=True
    )
    finding = label_checks.contradictions(
        made_evidence.of(("A", "NV"), ("B", "MEL"), references=[reference])
    )
    assert finding.labels == {"B": "BENIGN"}
