"""Rows are joined into groups, and references are believed as far as they tell diagnoses apart."""

import pytest

from melanoma_core.audit.findings import Official
from melanoma_core.data import row_groups
from tests.support import made_evidence


def test_rows_that_share_a_row_are_one_group():
    assert row_groups.connected(7, [(5, 1), (3, 5), (0, 6)]) == [(0, 6), (1, 3, 5), (2,), (4,)]


def test_file_is_called_by_its_id_and_what_a_copy_adds():
    evidence = made_evidence.of(("a", "NV"), ("a (1)", "NV"), ("b(2)", "NV"))
    assert evidence.names == ["a", "a (1)", "b(2)"]
    assert evidence.ids == ["a", "a", "b"]


def test_photograph_is_known_by_its_id_or_by_its_pixels():
    evidence = made_evidence.of(
        ("a", "NV"), ("b", "NV"), ("a(1)", "NV"), ("c", "NV"), pixels="xyzy"
    )
    assert evidence.photographs == [(0, 2), (1, 3)]


def test_near_copy_of_one_file_is_one_of_all_files_with_its_pixels():
    rows = [("a", "NV"), ("b", "NV"), ("c", "NV"), ("c(1)", "NV")]
    evidence = made_evidence.of(*rows, pixels="xxyz", near=[(0, 2), (2, 3)])
    assert evidence.near_pairs == [(0, 2), (1, 2)]


@pytest.mark.parametrize(
    ("official", "here", "is_denied"),
    [("MEL", "SK", True), ("MEL", "MEL", False), ("AK", "SCC", False), ("AK", "NV", True),
     ("SCC", "AK", True), ("PBK", "SK", False), ("SK", "PBK", True), ("PBK", "AK", True)],
)  # fmt: skip
def test_table_denies_what_it_tells_apart(official, here, is_denied):
    known = Official("ham10000", official, None, is_label=True, is_ak_with_bowen=True)
    assert known.contradicts(here) is is_denied


def test_table_that_has_squamous_cell_carcinoma_denies_it_where_it_says_keratosis():
    known = Official("isic2019", "AK", None, is_label=True, is_ak_with_bowen=False)
    assert known.contradicts("SCC")


def test_folders_of_a_reference_deny_nothing():
    known = Official("folders", "MEL", None, is_label=False, is_ak_with_bowen=False)
    assert not known.contradicts("NV")


def test_lesion_and_source_come_from_the_reference_that_knows_the_photograph():
    reference = made_evidence.dataset(("a", "NV", None, "L1"), ("b", "NV", None, "L2"), name="ham")
    evidence = made_evidence.of(
        ("a", "NV", None, "own"), ("b", "NV"), ("c", "NV"), references=[reference]
    )
    assert evidence.lesions == ["own", "L2", None]
    assert evidence.sources == ["ham", "ham", "made"]
