"""What stands on both sides of a split is found, and chance is no shift."""

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
    found = leakage_checks.same_photograph(made_evidence.of(*rows, pixels="xyxyz"))
    assert found.count == 2
    assert found.pairs == (("a", "a"), ("c", "b"))
    assert found.ids == ("a", "c")


def test_photograph_twice_in_training_is_no_leak():
    evidence = made_evidence.of(("a", "NV", "train"), ("b", "NV", "train"), pixels="xx")
    assert leakage_checks.same_photograph(evidence) is None


def test_photographs_without_a_split_leak_nothing():
    evidence = made_evidence.of(("a", "NV"), ("b", "NV", "test"), pixels="xx", near=[(0, 1)])
    assert leakage_checks.same_photograph(evidence) is None
    assert leakage_checks.near_copy(evidence) is None


def test_validation_gives_way_to_test():
    evidence = made_evidence.of(("a", "NV", "test"), ("b", "NV", "val"), near=[(0, 1)])
    assert leakage_checks.near_copy(evidence).pairs == (("a", "b"),)


def test_held_out_files_of_taught_lesions_are_counted_among_those_of_a_known_lesion():
    rows = [("a", "NV", "train", "L1"), ("b", "NV", "test", "L1"), ("c", "NV", "test", "L1"),
            ("d", "NV", "test", "L2"), ("e", "NV", "test")]  # fmt: skip
    found = leakage_checks.same_lesion(made_evidence.of(*rows))
    assert (found.count, found.ids) == (2, ("b", "c"))
    assert found.parts == {"held-out files of a known lesion": 3}


def test_shares_of_two_draws_from_one_set_are_hardly_shifted():
    rng = np.random.default_rng(0)
    shares = [
        leakage_checks.shifted_share(list(rng.integers(0, 8, 300)), list(rng.integers(0, 8, 50)))
        for _ in range(200)
    ]
    assert np.mean(np.array(shares) >= leakage_checks.MIN_SHARE_SHIFTED) < 0.05


def test_half_of_the_photographs_from_elsewhere_is_a_shift_of_about_a_half():
    share = leakage_checks.shifted_share(["a"] * 1000, ["a"] * 500 + ["b"] * 500)
    assert share == pytest.approx(0.5, abs=0.02)


def test_larger_held_out_photographs_are_a_shift_of_size():
    sizes = [(180, 180)] * 60 + [(450, 600)] * 50
    found = leakage_checks.size_shift(made_evidence.of(*rows_of(60, 50), sizes=sizes))
    assert found.parts == {"test: 100 % would have to change their image size": 50}
    assert leakage_checks.size_shift(made_evidence.of(*rows_of(60, 50))) is None


def test_held_out_photographs_that_a_reference_knows_are_a_shift_of_source():
    reference = made_evidence.dataset(*[(f"x{n}", "NV") for n in range(50)], name="ham")
    found = leakage_checks.source_shift(made_evidence.of(*rows_of(60, 50), references=[reference]))
    assert found.parts == {"test: 100 % would have to change their source": 50}


def test_redder_held_out_photographs_are_a_shift_of_color():
    colors = np.random.default_rng(0).normal(128, 10, (110, 3))
    assert leakage_checks.color_shift(made_evidence.of(*rows_of(60, 50), colors=colors)) is None
    colors[60:, 0] += 15
    (words,) = leakage_checks.color_shift(made_evidence.of(*rows_of(60, 50), colors=colors)).parts
    assert words.startswith("test: 1.")
    assert words.endswith("more red")


def test_few_photographs_show_no_shift():
    sizes = [(180, 180)] * 60 + [(450, 600)] * 49
    assert leakage_checks.size_shift(made_evidence.of(*rows_of(60, 49), sizes=sizes)) is None
