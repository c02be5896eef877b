"""A candidate is held against the model in use on the same lesions, each at its own threshold."""

import dataclasses

import numpy as np
import pytest

from melanoma_core.errors import ModelError
from melanoma_core.evaluation import comparisons, evaluate, promotion
from melanoma_core.evaluation.evaluate import Evaluation
from melanoma_core.models import predict
from tests.support.made_candidates import add, measured, scored


def test_each_model_is_measured_at_its_own_threshold(champion_in_use):
    add(champion_in_use, "stricter", measured(40, num_spared=40), threshold=0.8)
    changes = comparisons.compare(champion_in_use, "champion", "stricter").changes
    assert [change.value for change in changes] == pytest.approx([-36 / 40, 7 / 40, 10 / 40])


def test_a_loss_that_cannot_be_ruled_out_is_refused_even_when_none_was_seen(champion_in_use):
    # Four melanomas found more and four others lost: no change, but a wide interval.
    order = np.arange(80)
    order[[32, 33, 34, 35, 36, 37, 38, 39]] = [36, 37, 38, 39, 32, 33, 34, 35]
    ids = [f"i{row:03d}" for row in order]
    groups = [f"g{row:03d}" for row in order]
    add(champion_in_use, "other", measured(36, changed={"image_id": ids, "group_id": groups}))
    sensitivity = comparisons.compare(champion_in_use, "champion", "other").changes[0]
    assert sensitivity.value == 0
    assert sensitivity.lower_bound < -comparisons.SENSITIVITY_MARGIN
    assert not sensitivity.is_no_worse
    with pytest.raises(ModelError, match="was not put into use: it may be worse"):
        promotion.promote(champion_in_use, "other")


def test_a_candidate_that_refers_everybody_is_refused_though_it_misses_nobody(champion_in_use):
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
    with pytest.raises(ModelError, match=r"specificity -0\.750 \(at worst"):
        promotion.promote(champion_in_use, "constant")


def test_a_candidate_that_guesses_is_refused_at_its_own_threshold(champion_in_use):
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
        promotion.promote(champion_in_use, "random")


@pytest.mark.parametrize("worse", ["melanoma AUROC", "specificity"])
def test_each_of_the_figures_alone_can_refuse_a_candidate(champion_in_use, worse):
    # 200 nevi: the champion has every lesion right, with room on both sides of the threshold.
    sound = np.repeat([0.8, 0.2], 200)
    candidate = sound.copy()
    if worse == "specificity":
        candidate[200:220] = 0.6  # 20 nevi referred in vain, below every melanoma all the same
    else:
        candidate[:40], candidate[200:300] = 0.55, 0.45
        candidate[200:202], candidate[:4] = 0.9, 0.4  # few referrals change, but the order does
    add(champion_in_use, "sound", scored(sound))
    add(champion_in_use, "less", scored(candidate))
    changes = comparisons.compare(champion_in_use, "sound", "less").changes
    refused = [change.name for change in changes if not change.is_no_worse]
    assert worse in refused


def test_no_change_is_a_proof_only_where_the_predictions_are_the_same(champion_in_use):
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


def test_the_margin_itself_is_allowed_and_an_undefined_bound_is_not():
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
    ("num_melanomas", "few"), [(0, "0 melanoma"), (1, "1 mel"), (79, "1 other")]
)
def test_too_few_lesions_to_compare_are_said_to_be(champion_in_use, num_melanomas, few):
    changed = {"diagnosis": ["MEL"] * num_melanomas + ["NV"] * (80 - num_melanomas)}
    for model_id in ("few-1", "few-2"):
        add(champion_in_use, model_id, measured(40, changed=changed))
    with pytest.raises(ModelError, match=f"hold {few}.*; two lesions at least"):
        comparisons.compare(champion_in_use, "few-1", "few-2")


def test_figures_of_both_stand_beside_the_change(champion_in_use):
    add(champion_in_use, "better", measured(40, num_spared=32))
    found = comparisons.compare(champion_in_use, "champion", "better")
    sensitivity, _, specificity = found.changes
    assert (sensitivity.before, sensitivity.after) == (0.9, 1.0)
    assert (specificity.before, specificity.after) == (0.75, 0.8)
    low, high = sensitivity.interval
    assert low <= sensitivity.lower_bound < sensitivity.value < high
    accuracy, ece = found.others
    # The likeliest diagnosis is melanoma from 0.5 on, and nevus else.
    assert (accuracy.before, accuracy.after) == pytest.approx(((0.9 + 0.75) / 2, (1.0 + 0.8) / 2))
    assert accuracy.margin is None
    assert accuracy.is_no_worse
    for change, part in ((ece.before, measured(36)), (ece.after, measured(40, num_spared=32))):
        table = evaluate.from_json(part)
        test = table.where((table.table["split"] == "test").to_numpy())
        assert change == pytest.approx(evaluate.figures(test, {}, 0.5)["ece"].value)


def test_the_lesions_on_which_the_verdicts_differ_are_listed(champion_in_use):
    add(champion_in_use, "other", measured(34, num_spared=33))
    found = comparisons.compare(champion_in_use, "champion", "other")
    rows = found.disagreements
    assert list(rows["image_id"]) == ["i034", "i035", "i070", "i071", "i072"]
    assert list(rows["champion_refers"]) == [True] * 5
    assert list(rows["candidate_refers"]) == [False] * 5
    assert list(rows["diagnosis"]) == ["MEL"] * 2 + ["NV"] * 3
    assert list(rows["candidate_probability"]) == [0.25] * 5


def test_the_reasons_count_what_is_lost_and_name_what_is_allowed(champion_in_use):
    add(champion_in_use, "worse", measured(30, num_spared=20))
    reasons = comparisons.compare(champion_in_use, "champion", "worse").reasons
    assert reasons[0].startswith("It finds 6 melanoma photographs of 40 fewer: a loss of ")
    assert reasons[0].endswith(" points is not ruled out, 3 are allowed.")
    assert reasons[1].startswith("It may order lesions worse: AUROC for melanoma -0.200, and -0.")
    assert reasons[2].startswith("It refers 10 of 40 other photographs more: a loss of ")
    add(champion_in_use, "better", measured(40))
    assert comparisons.compare(champion_in_use, "champion", "better").reasons == ()


def test_a_loss_that_was_not_seen_but_not_ruled_out_is_feared(champion_in_use):
    order = np.arange(80)
    order[32:40] = [36, 37, 38, 39, 32, 33, 34, 35]
    ids, groups = ([f"{letter}{row:03d}" for row in order] for letter in "ig")
    add(champion_in_use, "other", measured(36, changed={"image_id": ids, "group_id": groups}))
    reasons = comparisons.compare(champion_in_use, "champion", "other").reasons
    assert reasons[0].startswith("It may find fewer melanomas: a loss of ")


def test_the_same_answers_on_a_part_are_no_proof_for_the_whole(champion_in_use):
    add(champion_in_use, "less", measured(36, changed={"split": ["test"] * 79 + ["train"]}))
    found = comparisons.compare(champion_in_use, "champion", "less")
    assert [change.value for change in found.changes] == [0, 0, 0]
    assert found.changes[0].lower_bound < -comparisons.SENSITIVITY_MARGIN


def test_a_photograph_takes_some_time(models_in_use):
    assert 0 < comparisons.milliseconds_a_photograph(predict.load(models_in_use / "tiny-1")) < 1000
