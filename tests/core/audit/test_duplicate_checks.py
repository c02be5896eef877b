"""Unreadable files, duplicates, and photographs in two classes."""

from melanoma_core.audit import duplicate_checks
from tests.support import made_evidence


def test_a_clean_set_has_no_findings():
    evidence = made_evidence.of(("a", "NV", "train"), ("b", "MEL", "test"))
    checks = (
        duplicate_checks.unreadable,
        duplicate_checks.exact_copies,
        duplicate_checks.near_copies,
        duplicate_checks.two_classes,
        duplicate_checks.near_copies_in_two_classes,
        duplicate_checks.copied_classes,
    )
    assert [check(evidence) for check in checks] == [None] * 6


def test_unreadable_files_are_named_with_the_reason():
    finding = duplicate_checks.unreadable(
        made_evidence.of(("a", "NV"), ("b", "NV"), refused={1: "“b.jpg” is empty."})
    )
    assert (finding.count, finding.ids, finding.groups) == (1, ("b",), ((1,),))
    assert finding.parts == {"“b.jpg” is empty.": 1}


def test_exact_copies_are_pairs_of_names():
    evidence = made_evidence.of(
        ("a", "NV"), ("a (1)", "NV"), ("b", "NV"), ("c", "NV"), ("d", "NV"), pixels="xxyzy"
    )
    finding = duplicate_checks.exact_copies(evidence)
    assert finding.pairs == (("a", "a (1)"), ("b", "d"))
    assert (finding.count, finding.ids) == (2, ("a", "b", "d"))


def test_one_name_in_two_folders_means_two_classes_and_not_a_copy():
    evidence = made_evidence.of(("a", "NV", "train"), ("a", "MEL", "test"), pixels="xx")
    assert duplicate_checks.exact_copies(evidence) is None
    finding = duplicate_checks.two_classes(evidence)
    assert (finding.count, finding.ids) == (1, ("a",))
    assert finding.parts == {"test Melanoma and train Nevus": 1}


def test_the_same_pixels_under_two_diagnoses_mean_two_classes():
    evidence = made_evidence.of(("a", "NV"), ("b", "SK"), ("c", "NV"), pixels="xxy")
    finding = duplicate_checks.two_classes(evidence)
    assert (finding.count, finding.ids) == (1, ("a", "b"))
    assert finding.parts == {"Nevus and Seborrheic keratosis": 1}


def test_near_copies_under_two_diagnoses_are_listed_separately():
    rows = [("a", "NV"), ("b", "NV"), ("c", "MEL"), ("a", "SK")]
    evidence = made_evidence.of(*rows, near=[(0, 1), (0, 2), (0, 3)])
    assert duplicate_checks.near_copies(evidence).pairs == (("a", "b"), ("a", "c"))
    assert duplicate_checks.near_copies_in_two_classes(evidence).pairs == (("a", "c"),)


def test_a_class_with_nine_in_ten_files_in_another_class_is_a_copy():
    keratoses = [(f"k{n}", "SK") for n in range(10)]
    melanomas = [(f"k{n}", "MEL") for n in range(9)] + [(f"m{n}", "MEL") for n in range(30)]
    finding = duplicate_checks.copied_classes(made_evidence.of(*keratoses, *melanomas))
    assert finding.parts == {
        "of 10 files of Seborrheic keratosis are also filed as Melanoma, not k9": 9
    }
    assert finding.count == 1
    assert len(finding.ids) == 9


def test_a_class_with_fewer_shared_files_is_not_a_copy():
    keratoses = [(f"k{n}", "SK") for n in range(10)]
    melanomas = [(f"k{n}", "MEL") for n in range(8)] + [(f"m{n}", "MEL") for n in range(30)]
    assert duplicate_checks.copied_classes(made_evidence.of(*keratoses, *melanomas)) is None


def test_benign_without_a_name_and_a_benign_diagnosis_are_not_two_classes():
    rows = [("A", "BENIGN"), ("A(1)", "NV"), ("B", "BENIGN"), ("C", "SK")]
    evidence = made_evidence.of(*rows, pixels="xxyz", near=[(2, 3)])
    assert duplicate_checks.two_classes(evidence) is None
    assert duplicate_checks.near_copies_in_two_classes(evidence) is None
    assert duplicate_checks.copied_classes(evidence) is None
    finding = duplicate_checks.two_classes(
        made_evidence.of(("A", "BENIGN"), ("A(1)", "MEL"), pixels="xx")
    )
    assert finding.parts == {"Melanoma and Benign, not named": 1}
