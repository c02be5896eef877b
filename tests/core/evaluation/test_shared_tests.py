"""Two models are compared on test photographs that neither was trained on."""

import dataclasses

import pandas as pd
import pytest

from melanoma_core.errors import ModelError
from melanoma_core.evaluation import comparisons, promotion, shared_tests
from melanoma_core.models import store, training_ids
from tests.support.made_candidates import SIGNED, add, measured

IDS = [f"i{row:03d}" for row in range(80)]
GROUPS = [f"g{row:03d}" for row in range(80)]
OTHER_SPLIT = {"split_sha256": "ab" * 32}


def shared(folder, second, first="champion"):
    return shared_tests.shared_test(*(shared_tests.read(folder, name) for name in (first, second)))


def list_of(image_ids, lesion_ids=(), *, is_whole=True):
    """training_ids.npz of a model that was trained on these."""
    lesions = [*lesion_ids, *[None] * (len(image_ids) - len(lesion_ids))]
    ids = training_ids.of(pd.DataFrame({"image_id": image_ids, "lesion_id": lesions}))
    ids = dataclasses.replace(ids, is_whole=is_whole)
    return {store.TRAINING_IDS: training_ids.to_bytes(ids)}


def test_all_of_the_same_test_split_is_compared_without_a_note(champion_in_use):
    add(champion_in_use, "same", measured(36))
    both = shared(champion_in_use, "same")
    assert list(both.first.table["image_id"]) == IDS
    assert list(both.second.table["image_id"]) == IDS
    assert (both.is_whole, both.notes) == (True, ())
    assert len(set(both.groups)) == 80


def test_only_photographs_in_both_test_splits_are_compared(champion_in_use):
    ids = [*IDS[:70], *(f"n{row}" for row in range(10))]
    add(champion_in_use, "other", measured(40, changed={"image_id": ids, "group_id": ids}))
    both = shared(champion_in_use, "other")
    assert list(both.first.table["image_id"]) == IDS[:70]
    assert not both.is_whole
    assert both.notes == (
        "70 of the test photographs (80 of “champion”, 80 of “other”) can be compared.",
    )


def test_a_photograph_with_two_diagnoses_is_left_out(champion_in_use):
    diagnoses = ["MEL"] * 39 + ["NV"] * 41
    add(champion_in_use, "other", measured(40, changed={"diagnosis": diagnoses}))
    both = shared(champion_in_use, "other")
    assert list(both.first.table["image_id"]) == IDS[:39] + IDS[40:]
    assert "Left out: 1 with two different diagnoses." in both.notes


def test_photographs_that_the_other_split_validates_on_are_left_out(champion_in_use):
    splits = ["val"] * 5 + ["test"] * 75
    add(champion_in_use, "other", measured(40, changed={"split": splits}))
    both = shared(champion_in_use, "other")
    assert list(both.first.table["image_id"]) == IDS[5:]
    assert (
        "Left out: 5 test photographs of “champion” whose lesions “other” was trained or "
        "validated on." in both.notes
    )


def test_test_lesions_that_the_candidate_was_trained_on_are_left_out(champion_in_use):
    # By photograph, and by another photograph of the same lesion.
    lesions = {"lesion_id": [f"l{row}" for row in range(80)]}
    add(champion_in_use, "first", measured(36, changed=lesions))
    files = list_of(["i000", "other photograph"], ["l0", "l7"])
    add(champion_in_use, "trained", measured(40), files=files, **OTHER_SPLIT)
    both = shared(champion_in_use, "trained", "first")
    assert list(both.first.table["image_id"]) == [*IDS[1:7], *IDS[8:]]
    assert (
        "Left out: 2 test photographs of “first” whose lesions “trained” was trained or validated "
        "on." in both.notes
    )
    # And the other way round.
    both = shared(champion_in_use, "first", "trained")
    assert list(both.first.table["image_id"]) == [*IDS[1:7], *IDS[8:]]


def test_ids_match_with_and_without_the_data_set_prefix(champion_in_use):
    # The other model's run had a second data set with the same ids.
    ids = [f"made/{image_id}" for image_id in IDS]
    changed = {"image_id": ids, "group_id": ids}
    files = list_of(["i000", "made/i001"])
    add(champion_in_use, "both", measured(36, changed=changed), files=files, **OTHER_SPLIT)
    both = shared(champion_in_use, "both")
    assert list(both.first.table["image_id"]) == list(both.second.table["image_id"]) == IDS[2:]
    both = shared(champion_in_use, "champion", "both")
    assert list(both.first.table["image_id"]) == list(both.second.table["image_id"]) == ids[2:]


def test_validation_photographs_are_left_out_under_their_other_id_too(champion_in_use):
    ids = [*(f"made/{image_id}" for image_id in IDS[:5]), *IDS[5:]]
    splits = ["val"] * 5 + ["test"] * 75
    pairs = {"group_id": [f"g{row // 2}" for row in range(80)]}
    add(champion_in_use, "first", measured(36, changed=pairs))
    add(champion_in_use, "other", measured(40, changed={"image_id": ids, "split": splits}))
    # i005 shows the lesion of i004, which the other model was validated on.
    assert list(shared(champion_in_use, "other", "first").first.table["image_id"]) == IDS[6:]


@pytest.mark.parametrize("before", ["clinic/", ""])
def test_the_same_id_in_another_data_set_is_another_photograph(champion_in_use, before):
    # The data set was one of several in its run, or the only one.
    ids = [before + image_id for image_id in IDS]
    changed = {"image_id": ids, "group_id": ids, "source": "clinic"}
    add(champion_in_use, "elsewhere", measured(40, changed=changed))
    with pytest.raises(ModelError, match=r"share no test photographs with"):
        shared(champion_in_use, "elsewhere")


def test_an_archive_number_is_the_same_photograph_in_every_data_set(champion_in_use):
    numbers = [f"ISIC_{row:07d}" for row in range(80)]
    for name, source in (("first", "made"), ("second", "clinic")):
        changed = {"image_id": numbers, "group_id": numbers, "source": source}
        add(champion_in_use, name, measured(40, changed=changed))
    assert list(shared(champion_in_use, "second", "first").first.table["image_id"]) == numbers


def uses(folder, **sha256):
    """Data sets of a card by name."""
    use = store.read_card(folder / "champion").datasets[0]
    return tuple(dataclasses.replace(use, name=name, sha256=of) for name, of in sha256.items())


def test_a_renamed_data_set_is_recognized_by_its_bytes(champion_in_use):
    for name, source in (("first", "made"), ("second", "renamed")):
        data = {"datasets": uses(champion_in_use, **{source: "aa" * 32})}
        add(champion_in_use, name, measured(40, changed={"source": source}), **data)
    assert list(shared(champion_in_use, "second", "first").first.table["image_id"]) == IDS


def test_a_model_may_be_evaluated_on_a_set_with_another_name_on_its_card(champion_in_use):
    """Training a head evaluates the model whose network it takes on its own data."""
    for name, source in (("first", "made"), ("second", "renamed")):
        data = {"datasets": uses(champion_in_use, **{source: "aa" * 32})}
        add(champion_in_use, name, measured(40, changed={"source": source}), **data)
    first, second = (shared_tests.read(champion_in_use, name) for name in ("first", "second"))
    first = dataclasses.replace(first, evaluation=second.evaluation)
    assert list(shared_tests.shared_test(first, second).first.table["image_id"]) == IDS


def test_another_data_set_may_have_the_old_name_of_a_renamed_one(champion_in_use):
    """The data set “made” is now called “old”, and another clinic's data set “made”."""
    data = uses(champion_in_use, made="aa" * 32)
    add(champion_in_use, "first", measured(40), datasets=data)
    ids = [*(f"old/{image_id}" for image_id in IDS[:40]), *(f"made/{i}" for i in IDS[:40])]
    changed = {"image_id": ids, "group_id": ids, "source": ["old"] * 40 + ["made"] * 40}
    add(
        champion_in_use,
        "second",
        measured(40, changed=changed | {"diagnosis": "MEL"}),
        datasets=uses(champion_in_use, old="aa" * 32, made="bb" * 32),
    )
    for pair in (("first", "second"), ("second", "first")):
        both = shared(champion_in_use, *pair)
        assert len(both.first) == 40
        assert {*both.first.table["source"]} <= {"old", "made"}
        scores = both.first.melanoma_probability, both.second.melanoma_probability
        assert (scores[0] == scores[1]).all()
    assert list(both.second.table["image_id"]) == IDS[:40]


def test_training_photographs_of_a_renamed_data_set_are_left_out(champion_in_use):
    changed = {"group_id": [f"g{row // 2}" for row in range(80)]}
    data = uses(champion_in_use, made="aa" * 32)
    add(champion_in_use, "first", measured(36, changed=changed), datasets=data)
    # It was trained on i000, which shows the lesion of i001 and is not in its test split.
    ids = [f"renamed/{image_id}" for image_id in ["n000", *IDS[1:]]]
    changed = {"image_id": ids, "group_id": ids, "source": "renamed"}
    add(
        champion_in_use,
        "second",
        measured(40, changed=changed),
        files=list_of(["renamed/i000"]),
        datasets=uses(champion_in_use, renamed="aa" * 32),
        **OTHER_SPLIT,
    )
    assert list(shared(champion_in_use, "second", "first").first.table["image_id"]) == IDS[2:]
    expected = [f"renamed/{image_id}" for image_id in IDS[2:]]
    assert list(shared(champion_in_use, "first", "second").first.table["image_id"]) == expected


def test_a_whole_group_is_left_out_if_one_photograph_was_trained_on(champion_in_use):
    pairs = [f"g{row // 2}" for row in range(80)]
    add(champion_in_use, "first", measured(36, changed={"group_id": pairs}))
    add(champion_in_use, "trained", measured(40), files=list_of(["i010"]), **OTHER_SPLIT)
    both = shared(champion_in_use, "trained", "first")
    assert list(both.first.table["image_id"]) == [*IDS[:10], *IDS[12:]]
    assert len(set(both.groups)) == 39  # pairs in one model, single photographs in the other


def test_incomplete_training_ids_are_noted_for_models_with_different_splits(champion_in_use):
    whole, part = list_of(["x"]), list_of(["x"], is_whole=False)
    add(champion_in_use, "whole", measured(40), files=whole, **OTHER_SPLIT)
    assert shared(champion_in_use, "whole").notes == ()
    add(champion_in_use, "part", measured(40), files=part, **OTHER_SPLIT)
    assert shared(champion_in_use, "part").notes == (
        "The training lesions of “part” are not fully known; its own test lesions are assumed to "
        "be new to it.",
    )
    add(champion_in_use, "same-split", measured(40), files=part)
    assert shared(champion_in_use, "same-split").notes == ()


def test_models_without_shared_test_photographs_are_not_compared(champion_in_use):
    elsewhere = {name: [f"e{row}" for row in range(80)] for name in ("image_id", "group_id")}
    add(champion_in_use, "elsewhere", measured(40, changed=elsewhere))
    with pytest.raises(ModelError, match=r"share no test photographs.*0 of the test"):
        promotion.promote(champion_in_use, "elsewhere", **SIGNED)
    assert store.champion(champion_in_use).model_id == "champion"


def test_a_candidate_trained_on_the_test_split_has_no_advantage(champion_in_use):
    # Of 40 melanomas it finds 34, among them the 20 that it was trained on.
    add(champion_in_use, "cheat", measured(34), files=list_of(IDS[:20]), **OTHER_SPLIT)
    comparison = comparisons.compare(champion_in_use, "champion", "cheat")
    assert (comparison.num_photographs, comparison.num_melanomas) == (60, 20)
    assert comparison.changes[0].before == pytest.approx(16 / 20)
    assert comparison.changes[0].after == pytest.approx(14 / 20)
    assert "Left out: 20 test photographs of “champion”" in str(comparison)
