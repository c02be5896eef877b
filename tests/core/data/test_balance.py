"""Class balancing: counts by hand, constant epoch lengths, rows drawn as planned."""

import numpy as np
import pytest

from melanoma_core.data.balance import (
    class_weights,
    draw_rows,
    effective_classes,
    effective_counts,
    imbalance_ratio,
    planned_counts,
)


@pytest.mark.parametrize(
    ("counts", "balance", "planned"),
    [
        ([900, 100], "none", [900, 100]),
        ([900, 100], "sqrt", [750, 250]),  # 30 to 10
        ([900, 100], "even", [500, 500]),
        ([1, 4, 25], "sqrt", [4, 7, 19]),  # 30 divided 1 : 2 : 5 is 3.75, 7.5, 18.75
        ([5, 3, 2], "even", [4, 3, 3]),  # a third of 10 each; the first gets the remainder
        ([10, 0, 6], "even", [8, 0, 8]),
    ],
)
def test_planned_counts_by_hand(counts, balance, planned):
    assert planned_counts(counts, balance).tolist() == planned


@pytest.mark.parametrize("balance", ["none", "sqrt", "even"])
def test_the_epoch_keeps_its_length_and_empty_classes_stay_empty(balance):
    rng = np.random.default_rng(5)
    for _ in range(200):
        counts = rng.integers(0, 300, size=9) * (rng.random(9) < 0.8)
        counts[4] += 1
        planned = planned_counts(counts, balance)
        assert planned.sum() == counts.sum()
        assert ((planned > 0) == (counts > 0)).all()


@pytest.mark.parametrize("method", ["sampling", "copies", "weights"])
def test_an_epoch_without_images_is_empty(method):
    assert planned_counts([0, 0], "sqrt", method).tolist() == [0, 0]


def test_an_unknown_balance_fails():
    with pytest.raises(KeyError):
        planned_counts([1, 2], "cubic")


@pytest.mark.parametrize("balance", ["none", "sqrt", "even"])
def test_rows_are_drawn_as_planned(balance):
    labels = np.repeat([0, 1, 3], [90, 9, 1])
    rows = draw_rows(labels, balance, (0, 0))
    planned = planned_counts([90, 9, 0, 1], balance)
    assert np.bincount(labels[rows], minlength=4).tolist() == planned.tolist()


def test_a_row_is_repeated_only_after_its_whole_class_was_drawn():
    labels = np.repeat([0, 1], [16, 4])
    rows = draw_rows(labels, "even", (0, 0))
    times = np.bincount(rows, minlength=20)
    assert set(times[:16]) == {0, 1}
    assert times[:16].sum() == 10
    assert sorted(times[16:]) == [2, 2, 3, 3]


def test_without_balance_every_row_is_drawn_once_in_another_order():
    rows = draw_rows(np.zeros(50, int), "none", (0, 0))
    assert sorted(rows) == list(range(50))
    assert rows.tolist() != list(range(50))


def test_the_same_seed_draws_the_same_rows_and_another_epoch_others():
    labels = np.repeat([0, 1], [40, 10])
    rows = draw_rows(labels, "sqrt", (7, 1)).tolist()
    assert draw_rows(labels, "sqrt", (7, 1)).tolist() == rows
    assert draw_rows(labels, "sqrt", (7, 2)).tolist() != rows
    assert draw_rows(labels, "sqrt", (8, 1)).tolist() != rows


def test_class_weights_balance_the_classes_and_have_mean_one_over_images():
    counts = np.array([80, 15, 0, 5])
    weights = class_weights(counts)
    np.testing.assert_allclose(weights * counts, [100 / 3, 100 / 3, 0, 100 / 3])
    assert (weights * counts).sum() / counts.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("counts", "balance", "planned"),
    [
        ([900, 100], "none", [900, 100]),
        ([900, 100], "sqrt", [900, 300]),  # the root of 900 to that of 100 is 3 to 1
        ([900, 100, 0], "even", [900, 900, 0]),
        ([900, 100, 40], "floor:90", [900, 100, 90]),
        ([50, 10], "floor:200", [200, 200]),
    ],
)
def test_copies_keep_every_photograph_and_lengthen_the_epoch(counts, balance, planned):
    assert planned_counts(counts, balance, "copies").tolist() == planned


def test_a_floor_by_sampling_has_the_same_proportions_and_keeps_the_length():
    assert planned_counts([90, 10, 0], "floor:30", "sampling").tolist() == [75, 25, 0]


def test_weights_leave_the_epoch_unchanged():
    assert planned_counts([90, 10], "even", "weights").tolist() == [90, 10]
    labels = np.repeat([0, 1], [90, 10])
    assert sorted(draw_rows(labels, "even", (0, 0), "weights")) == list(range(100))


def test_copies_draw_every_photograph_once_and_rare_ones_more_often():
    rows = draw_rows(np.repeat([0, 1], [8, 3]), "even", (0, 0), "copies")
    times = np.bincount(rows, minlength=11)
    assert times[:8].tolist() == [1] * 8
    assert sorted(times[8:]) == [2, 3, 3]


@pytest.mark.parametrize("balance", ["none", "sqrt", "even", "floor:30"])
def test_weights_and_sampling_have_the_same_effective_counts_up_to_rounding(balance):
    counts = [90, 10, 0, 5]
    np.testing.assert_allclose(
        effective_counts(counts, balance, "weights"),
        effective_counts(counts, balance, "sampling"),
        atol=1,
    )
    assert effective_counts(counts, balance, "weights").sum() == pytest.approx(105)


def test_weights_without_balancing_are_all_one():
    np.testing.assert_allclose(class_weights([90, 10, 0], "none"), [1, 1, 0])


def test_imbalance_by_hand():
    assert imbalance_ratio([462, 77, 0]) == 6
    assert effective_classes([1, 1, 1]) == pytest.approx(3)
    assert effective_classes([100, 0]) == 1
    # exp(-(0.9 ln 0.9 + 0.1 ln 0.1))
    assert effective_classes([90, 10]) == pytest.approx(1.38414, abs=1e-5)
    assert np.isnan(imbalance_ratio([0, 0]))
    assert np.isnan(effective_classes([]))
