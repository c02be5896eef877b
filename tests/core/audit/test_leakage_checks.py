"""Leaks between splits are finding, and chance differences are not shifts."""

import numpy as np
import pytest

from melanoma_core.audit import leakage_checks
from tests.support import made_evidence


def rows_of(num_train: int, num_test: int):
    return [(f"t{n}", "NV", "train") for n in range(num_train)] + [
        (f"x{n}", "NV", "test") for n in range(num_test)
    ]


def test_held_out_files_in_training_are_counted_by_id_and_by_pixels():
    rows = [("a", "NV", "train"), ("b", "NV", "train"), ("a", "MEL", "test"), ("c", "NV", "test"),
            ("d", "NV", "test")]  # fmt: skip
    finding = leakage_checks.same_photograph(made_evidence.of(*rows, pixels="xyxyz"))
    assert finding.count == 2
    assert finding.pairs == (("a", "a"), ("c", "b"))
    assert finding.ids == ("a", "c")


def test_a_duplicate_within_training_is_not_a_leak():
    evidence = made_evidence.of(("a", "NV", "train"), ("b", "NV", "train"), pixels="xx")
    assert leakage_checks.same_photograph(evidence) is None


def test_photographs_without_a_split_are_not_leaks():
    evidence = made_evidence.of(("a", "NV"), ("b", "NV", "test"), pixels="xx", near=[(0, 1)])
    assert leakage_checks.same_photograph(evidence) is None
    assert leakage_checks.near_copy(evidence) is None


def test_a_copy_in_validation_and_test_is_a_leak():
    evidence = made_evidence.of(("a", "NV", "test"), ("b", "NV", "val"), near=[(0, 1)])
    assert leakage_checks.near_copy(evidence).pairs == (("a", "b"),)


def test_held_out_files_of_training_lesions_are_counted():
    rows = [("a", "NV", "train", "L1"), ("b", "NV", "test", "L1"), ("c", "NV", "test", "L1"),
            ("d", "NV", "test", "L2"), ("e", "NV", "test")]  # fmt: skip
    finding = leakage_checks.same_lesion(made_evidence.of(*rows))
    assert (finding.count, finding.ids) == (2, ("b", "c"))
    assert finding.parts == {"held-out files of a known lesion": 3}


def test_two_samples_of_one_distribution_are_rarely_shifted():
    rng = np.random.default_rng(0)
    proportions = [
        leakage_checks.shifted_proportion(
            list(rng.integers(0, 8, 300)), list(rng.integers(0, 8, 50))
        )
        for _ in range(200)
    ]
    assert np.mean(np.array(proportions) >= leakage_checks.MIN_SHIFT) < 0.05


def test_half_of_the_photographs_from_elsewhere_is_a_shift_of_one_half():
    proportion = leakage_checks.shifted_proportion(["a"] * 1000, ["a"] * 500 + ["b"] * 500)
    assert proportion == pytest.approx(0.5, abs=0.02)


def test_larger_held_out_photographs_are_a_size_shift():
    sizes = [(180, 180)] * 60 + [(450, 600)] * 50
    finding = leakage_checks.size_shift(made_evidence.of(*rows_of(60, 50), sizes=sizes))
    assert finding.parts == {"test: 100 % would have to change their image size": 50}
    assert leakage_checks.size_shift(made_evidence.of(*rows_of(60, 50))) is None


def test_held_out_photographs_of_a_reference_are_a_source_shift():
    reference = made_evidence.dataset(*[(f"x{n}", "NV") for n in range(50)], name="ham")
    finding = leakage_checks.source_shift(
        made_evidence.of(*rows_of(60, 50), references=[reference])
    )
    assert finding.parts == {"test: 100 % would have to change their source": 50}


def test_redder_held_out_photographs_are_a_color_shift():
    colors = np.random.default_rng(0).normal(128, 10, (110, 3))
    assert leakage_checks.color_shift(made_evidence.of(*rows_of(60, 50), colors=colors)) is None
    colors[60:, 0] += 15
    (text,) = leakage_checks.color_shift(made_evidence.of(*rows_of(60, 50), colors=colors)).parts
    assert text.startswith("test: 1.")
    assert text.endswith("more red")


def test_few_photographs_show_no_shift():
    sizes = [(180, 180)] * 60 + [(450, 600)] * 49
    assert leakage_checks.size_shift(made_evidence.of(*rows_of(60, 49), sizes=sizes)) is None
