"""Compare a candidate with the champion on the same lesions, each at its own threshold."""

import dataclasses
import re

import numpy as np
import pytest

from melanoma_core.errors import ModelError
from melanoma_core.evaluation import comparisons, evaluate, promotion
from melanoma_core.evaluation.evaluate import Evaluation
from melanoma_core.models import predict
from tests.support.made_candidates import SIGNED, add, measured, scored


def test_each_model_is_evaluated_at_its_own_threshold(champion_in_use):
    add(champion_in_use, "stricter", measured(40, num_spared=40), threshold=0.8)
    changes = comparisons.compare(champion_in_use, "champion", "stricter").changes
    assert [change.value for change in changes] == pytest.approx([-36 / 40, 7 / 40, 10 / 40])


def test_a_loss_that_cannot_be_ruled_out_fails_even_if_none_was_seen(champion_in_use):
    # It finds four other melanomas and misses four: no change, but a wide interval.
    order = np.arange(80)
    order[[32, 33, 34, 35, 36, 37, 38, 39]] = [36, 37, 38, 39, 32, 33, 34, 35]
    ids = [f"i{row:03d}" for row in order]
    groups = [f"g{row:03d}" for row in order]
    add(champion_in_use, "other", measured(36, changed={"image_id": ids, "group_id": groups}))
    sensitivity = comparisons.compare(champion_in_use, "champion", "other").changes[0]
    assert sensitivity.value == 0
    assert sensitivity.lower_bound < -comparisons.SENSITIVITY_MARGIN
    assert not sensitivity.is_no_worse
    with pytest.raises(ModelError, match="fails the safety check: it may be worse"):
        promotion.promote(champion_in_use, "other", **SIGNED)


def test_a_candidate_that_refers_everybody_fails_though_it_misses_nobody(champion_in_use):
    add(champion_in_use, "constant", scored(np.full(80, 0.5)))
    sensitivity, auroc, specificity = comparisons.compare(
        champion_in_use, "champion", "constant"
    ).changes
    assert sensitivity.is_no_worse
    assert sensitivity.value == pytest.approx(4 / 40)
    assert not auroc.is_no_worse
    assert auroc.value == pytest.approx(0.5 - 0.825)
    assert not specificity.is_no_worse
    assert specificity.value == pytest.approx(-30 / 40)
    with pytest.raises(ModelError, match=r"specificity -0\.750 \(lower limit"):
        promotion.promote(champion_in_use, "constant", **SIGNED)


def test_a_candidate_that_guesses_fails_at_its_own_threshold(champion_in_use):
    guessed = np.random.default_rng(0).random(80)
    threshold = np.sort(guessed[:40])[2]  # which finds 38 of its 40 melanomas
    add(champion_in_use, "random", scored(guessed), threshold)
    sensitivity, auroc, specificity = comparisons.compare(
        champion_in_use, "champion", "random"
    ).changes
    assert sensitivity.value == pytest.approx(2 / 40)
    assert not auroc.is_no_worse
    assert not specificity.is_no_worse
    with pytest.raises(ModelError, match="it may be worse"):
        promotion.promote(champion_in_use, "random", **SIGNED)


@pytest.mark.parametrize("worse", ["melanoma AUROC", "specificity"])
def test_a_loss_in_one_metric_alone_fails_a_candidate(champion_in_use, worse):
    # 200 melanomas and 200 nevi: the champion classifies all correctly, far from the threshold.
    sound = np.repeat([0.8, 0.2], 200)
    candidate = sound.copy()
    if worse == "specificity":
        candidate[200:220] = 0.6  # 20 nevi referred, still below every melanoma
    else:
        candidate[:40], candidate[200:300] = 0.55, 0.45
        candidate[200:202], candidate[:4] = 0.9, 0.4  # few referrals change, but the ranking does
    add(champion_in_use, "sound", scored(sound))
    add(champion_in_use, "less", scored(candidate))
    changes = comparisons.compare(champion_in_use, "sound", "less").changes
    failing = [change.name for change in changes if not change.is_no_worse]
    assert worse in failing


def test_no_change_proves_no_loss_only_if_the_predictions_are_identical(champion_in_use):
    z = 1.6448536  # one-sided 95 %
    for num, is_enough in ((80, False), (400, True)):
        scores = np.repeat([0.8, 0.2], num // 2)
        add(champion_in_use, f"first-{num}", scored(scores))
        add(champion_in_use, f"same-{num}", scored(scores))
        add(champion_in_use, f"other-{num}", scored(scores - 0.1))
        same = comparisons.compare(champion_in_use, f"first-{num}", f"same-{num}")
        assert [change.lower_bound for change in same.changes] == [0, 0, 0]
        other = comparisons.compare(champion_in_use, f"first-{num}", f"other-{num}")
        # Wilson's bound of 0 lost lesions of num / 2.
        expected = -(z**2) / (num / 2 + z**2)
        assert [change.value for change in other.changes] == [0, 0, 0]
        assert [change.lower_bound for change in other.changes] == pytest.approx([expected] * 3)
        assert same.is_no_worse
        assert other.is_no_worse is is_enough


def test_a_loss_equal_to_the_margin_passes_and_an_undefined_limit_fails():
    change = comparisons.Change(
        "specificity", 0.0, -0.05, comparisons.SPECIFICITY_MARGIN, 0.7, 0.7, (-0.06, 0.06)
    )
    assert change.is_no_worse
    assert not dataclasses.replace(change, lower_bound=-0.0501).is_no_worse
    assert not dataclasses.replace(change, lower_bound=float("nan")).is_no_worse


def test_photographs_of_one_lesion_are_resampled_together(champion_in_use):
    groups = [f"g{row // 20}" for row in range(80)]  # two lesions with melanoma
    add(champion_in_use, "champion-2", measured(36, changed={"group_id": groups}))
    add(champion_in_use, "candidate-2", measured(35, changed={"group_id": groups}))
    sensitivity = comparisons.compare(champion_in_use, "champion-2", "candidate-2").changes[0]
    assert sensitivity.value == pytest.approx(-1 / 40)
    assert sensitivity.lower_bound == pytest.approx(-1 / 20)  # the lesion that lost one, twice


def test_the_order_of_the_rows_does_not_matter(champion_in_use):
    backwards = evaluate.from_json(measured(36))
    order = np.arange(len(backwards))[::-1]
    turned = Evaluation(backwards.table.iloc[order], backwards.y_prob[order])
    add(champion_in_use, "backwards", evaluate.to_json(turned).encode())
    changes = comparisons.compare(champion_in_use, "champion", "backwards").changes
    assert [(change.value, change.lower_bound) for change in changes] == [(0, 0)] * 3


@pytest.mark.parametrize(
    ("num_melanomas", "few"), [(0, "0 melanoma"), (1, "1 melanoma"), (79, "1 other")]
)
def test_too_few_lesions_to_compare_are_refused(champion_in_use, num_melanomas, few):
    changed = {"diagnosis": ["MEL"] * num_melanomas + ["NV"] * (80 - num_melanomas)}
    for model_id in ("few-1", "few-2"):
        add(champion_in_use, model_id, measured(40, changed=changed))
    with pytest.raises(ModelError, match=f"share {few}.*; at least two lesions"):
        comparisons.compare(champion_in_use, "few-1", "few-2")


def test_a_change_has_the_values_of_both_models(champion_in_use):
    add(champion_in_use, "better", measured(40, num_spared=32))
    comparison = comparisons.compare(champion_in_use, "champion", "better")
    sensitivity, _, specificity = comparison.changes
    assert (sensitivity.before, sensitivity.after) == (0.9, 1.0)
    assert (specificity.before, specificity.after) == (0.75, 0.8)
    low, high = sensitivity.interval
    assert low <= sensitivity.lower_bound < sensitivity.value < high
    accuracy, ece = comparison.others
    # The likeliest diagnosis is melanoma from 0.5, nevus below.
    assert (accuracy.before, accuracy.after) == pytest.approx(((0.9 + 0.75) / 2, (1.0 + 0.8) / 2))
    assert accuracy.margin is None
    assert accuracy.is_no_worse
    for value, record in ((ece.before, measured(36)), (ece.after, measured(40, num_spared=32))):
        evaluation = evaluate.from_json(record)
        test = evaluation.where((evaluation.table["split"] == "test").to_numpy())
        assert value == pytest.approx(evaluate.figures(test, {}, 0.5)["ece"].value)


def test_photographs_with_different_verdicts_are_listed(champion_in_use):
    add(champion_in_use, "other", measured(34, num_spared=33))
    rows = comparisons.compare(champion_in_use, "champion", "other").disagreements
    assert list(rows["image_id"]) == ["i034", "i035", "i070", "i071", "i072"]
    assert list(rows["champion_refers"]) == [True] * 5
    assert list(rows["candidate_refers"]) == [False] * 5
    assert list(rows["diagnosis"]) == ["MEL"] * 2 + ["NV"] * 3
    assert list(rows["candidate_probability"]) == [0.25] * 5


def test_the_reasons_count_the_losses_and_give_the_limits(champion_in_use):
    add(champion_in_use, "worse", measured(30, num_spared=20))
    worse = comparisons.compare(champion_in_use, "champion", "worse")
    assert worse.verdict == "Fails the safety check."
    sensitivity, auroc, specificity = worse.reasons
    assert re.fullmatch(
        r"It finds 6 fewer of 40 melanoma photographs: the loss could be as large as 2\d\.\d "
        r"points; the limit is 3\.",
        sensitivity,
    )
    assert re.fullmatch(
        r"It may rank lesions worse \(AUROC for melanoma −0\.200\): the loss could be as large as "
        r"0\.2\d\d; the limit is 0\.02\.",
        auroc,
    )
    assert specificity.startswith("It refers 10 more of 40 other photographs: the loss could ")


def test_a_passing_candidate_has_no_reasons_and_says_which_loss_is_ruled_out(champion_in_use):
    add(champion_in_use, "better", measured(40))
    better = comparisons.compare(champion_in_use, "champion", "better")
    assert better.reasons == ()
    assert better.verdict.startswith(
        "Passes the safety check: a loss of more than 3 points is ruled out (sensitivity for "
        "melanoma, one-sided 95 % limit "
    )
    changes = better.changes
    for bound, limit in ((-0.0294, "−2.9"), (-0.0, "0.0"), (0.025, "2.5")):
        sensitivity = dataclasses.replace(changes[0], lower_bound=bound)
        other = dataclasses.replace(better, changes=(sensitivity, *changes[1:]))
        assert other.verdict.endswith(f"limit {limit}).")


def test_an_undefined_limit_is_a_reason_of_its_own(champion_in_use):
    add(champion_in_use, "better", measured(40))
    better = comparisons.compare(champion_in_use, "champion", "better")
    unknown = dataclasses.replace(better.changes[0], lower_bound=float("nan"))
    (reason,) = dataclasses.replace(better, changes=(unknown,)).reasons
    assert reason == (
        "It may find fewer melanomas: how large the loss could be is not known; the limit is 3."
    )


def test_a_loss_that_was_not_seen_but_not_ruled_out_is_a_possible_one(champion_in_use):
    order = np.arange(80)
    order[32:40] = [36, 37, 38, 39, 32, 33, 34, 35]
    ids, groups = ([f"{letter}{row:03d}" for row in order] for letter in "ig")
    add(champion_in_use, "other", measured(36, changed={"image_id": ids, "group_id": groups}))
    reasons = comparisons.compare(champion_in_use, "champion", "other").reasons
    assert reasons[0].startswith("It may find fewer melanomas: the loss could be ")


def test_identical_predictions_on_some_photographs_prove_nothing_for_all(champion_in_use):
    add(champion_in_use, "less", measured(36, changed={"split": ["test"] * 79 + ["train"]}))
    changes = comparisons.compare(champion_in_use, "champion", "less").changes
    assert [change.value for change in changes] == [0, 0, 0]
    assert changes[0].lower_bound < -comparisons.SENSITIVITY_MARGIN


def test_a_photograph_takes_some_time(models_in_use):
    model = predict.load(models_in_use / "tiny-1")
    assert 0 < comparisons.milliseconds_per_photograph(model) < 1000
