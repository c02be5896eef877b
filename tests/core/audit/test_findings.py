"""Rows are grouped, and references contradict only the diagnoses that they distinguish."""

import pytest

from melanoma_core.audit.findings import ReferenceRecord
from melanoma_core.data import row_groups
from tests.support import made_evidence


def test_groups_that_share_a_row_are_merged():
    assert row_groups.connected(7, [(5, 1), (3, 5), (0, 6)]) == [(0, 6), (1, 3, 5), (2,), (4,)]


def test_file_names_are_image_ids_with_the_suffix_of_copies():
    evidence = made_evidence.of(("a", "NV"), ("a (1)", "NV"), ("b(2)", "NV"))
    assert evidence.names == ["a", "a (1)", "b(2)"]
    assert evidence.ids == ["a", "a", "b"]


def test_photographs_are_grouped_by_id_and_by_pixels():
    evidence = made_evidence.of(
        ("a", "NV"), ("b", "NV"), ("a(1)", "NV"), ("c", "NV"), pixels="xyzy"
    )
    assert evidence.photographs == [(0, 2), (1, 3)]


def test_a_near_copy_of_a_file_is_one_of_all_its_exact_copies():
    rows = [("a", "NV"), ("b", "NV"), ("c", "NV"), ("c(1)", "NV")]
    evidence = made_evidence.of(*rows, pixels="xxyz", near=[(0, 2), (2, 3)])
    assert evidence.near_pairs == [(0, 2), (1, 2)]


@pytest.mark.parametrize(
    ("official", "here", "is_contradiction"),
    [("MEL", "SK", True), ("MEL", "MEL", False), ("AK", "SCC", False), ("AK", "NV", True),
     ("SCC", "AK", True), ("PBK", "SK", False), ("SK", "PBK", True), ("PBK", "AK", True)],
)  # fmt: skip
def test_a_table_contradicts_the_diagnoses_that_it_distinguishes(official, here, is_contradiction):
    record = ReferenceRecord("ham10000", official, None, is_label=True, is_ak_with_bowen=True)
    assert record.contradicts(here) is is_contradiction


def test_a_table_with_squamous_cell_carcinoma_distinguishes_it_from_keratosis():
    record = ReferenceRecord("isic2019", "AK", None, is_label=True, is_ak_with_bowen=False)
    assert record.contradicts("SCC")


def test_folder_names_of_a_reference_contradict_nothing():
    record = ReferenceRecord("folders", "MEL", None, is_label=False, is_ak_with_bowen=False)
    assert not record.contradicts("NV")


def test_lesion_and_source_come_from_the_reference_that_lists_the_photograph():
    reference = made_evidence.dataset(("a", "NV", None, "L1"), ("b", "NV", None, "L2"), name="ham")
    evidence = made_evidence.of(
        ("a", "NV", None, "own"), ("b", "NV"), ("c", "NV"), references=[reference]
    )
    assert evidence.lesions == ["own", "L2", None]
    assert evidence.sources == ["ham", "ham", "made"]
