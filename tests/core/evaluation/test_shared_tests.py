"""Two models are compared on the test photographs that neither has learned from."""

import dataclasses

import pandas as pd
import pytest

from melanoma_core.errors import ModelError
from melanoma_core.evaluation import comparisons, promotion, shared_tests
from melanoma_core.models import store, training_ids
from tests.support.made_candidates import add, measured

IDS = [f"i{row:03d}" for row in range(80)]
GROUPS = [f"g{row:03d}" for row in range(80)]
OTHER_SPLIT = {"split_sha256": "ab" * 32}


def common(folder, second, first="champion"):
    return shared_tests.common(*(shared_tests.read(folder, name) for name in (first, second)))


def list_of(image_ids, lesion_ids=(), *, is_whole=True):
    """taught.npz of a model that was taught these."""
    lesions = [*lesion_ids, *[None] * (len(image_ids) - len(lesion_ids))]
    found = training_ids.of(pd.DataFrame({"image_id": image_ids, "lesion_id": lesions}))
    return {
        store.TRAINING_IDS: training_ids.to_bytes(
            found if is_whole else training_ids.after(None, found)
        )
    }


def test_of_the_same_test_everything_is_compared_and_nothing_need_be_said(champion_in_use):
    add(champion_in_use, "same", measured(36))
    found = common(champion_in_use, "same")
    assert list(found.first.table["image_id"]) == IDS
    assert list(found.second.table["image_id"]) == IDS
    assert (found.is_whole, found.notes) == (True, ())
    assert len(set(found.groups)) == 80


def test_where_the_tests_differ_only_what_both_were_measured_on_is_compared(champion_in_use):
    ids = [*IDS[:70], *(f"n{row}" for row in range(10))]
    add(champion_in_use, "other", measured(40, changed={"image_id": ids, "group_id": ids}))
    found = common(champion_in_use, "other")
    assert list(found.first.table["image_id"]) == IDS[:70]
    assert not found.is_whole
    assert found.notes == (
        "Of the test photographs (80 of “champion” and 80 of “other”) 70 can be compared.",
    )


def test_a_photograph_with_two_diagnoses_is_left_out(champion_in_use):
    diagnoses = ["MEL"] * 39 + ["NV"] * 41
    add(champion_in_use, "other", measured(40, changed={"diagnosis": diagnoses}))
    found = common(champion_in_use, "other")
    assert list(found.first.table["image_id"]) == IDS[:39] + IDS[40:]
    assert "1 have two diagnoses." in found.notes


def test_what_only_the_other_split_holds_out_is_left_out(champion_in_use):
    splits = ["val"] * 5 + ["test"] * 75
    add(champion_in_use, "other", measured(40, changed={"split": splits}))
    found = common(champion_in_use, "other")
    assert list(found.first.table["image_id"]) == IDS[5:]
    assert (
        "“other” was taught or set by lesions of 5 test photographs of “champion”; they are left "
        "out." in found.notes
    )


def test_lesions_of_the_champions_test_that_the_candidate_was_taught_are_left_out(champion_in_use):
    # By photograph, and by another photograph of the same lesion.
    lesions = {"lesion_id": [f"l{row}" for row in range(80)]}
    add(champion_in_use, "first", measured(36, changed=lesions))
    files = list_of(["i000", "other photograph"], ["l0", "l7"])
    add(champion_in_use, "taught", measured(40), files=files, **OTHER_SPLIT)
    found = common(champion_in_use, "taught", "first")
    assert list(found.first.table["image_id"]) == [*IDS[1:7], *IDS[8:]]
    assert "“taught” was taught or set by lesions of 2 test photographs of “first”" in str(
        found.notes
    )
    # And the other way round.
    found = common(champion_in_use, "first", "taught")
    assert list(found.first.table["image_id"]) == [*IDS[1:7], *IDS[8:]]


def test_photographs_are_the_same_with_their_sets_name_before_them_and_without(champion_in_use):
    # The champion's run had one set, the other one's a second set with photographs of these names.
    ids = [f"made/{image_id}" for image_id in IDS]
    changed = {"image_id": ids, "group_id": ids}
    files = list_of(["i000", "made/i001"])
    add(champion_in_use, "both", measured(36, changed=changed), files=files, **OTHER_SPLIT)
    found = common(champion_in_use, "both")
    assert list(found.first.table["image_id"]) == list(found.second.table["image_id"]) == IDS[2:]
    found = common(champion_in_use, "champion", "both")
    assert list(found.first.table["image_id"]) == list(found.second.table["image_id"]) == ids[2:]


def test_what_one_chose_its_threshold_on_is_left_out_under_its_other_id_too(champion_in_use):
    ids = [*(f"made/{image_id}" for image_id in IDS[:5]), *IDS[5:]]
    splits = ["val"] * 5 + ["test"] * 75
    pairs = {"group_id": [f"g{row // 2}" for row in range(80)]}
    add(champion_in_use, "first", measured(36, changed=pairs))
    add(champion_in_use, "other", measured(40, changed={"image_id": ids, "split": splits}))
    # i005 is of one lesion with i004, by which the other one was set.
    assert list(common(champion_in_use, "other", "first").first.table["image_id"]) == IDS[6:]


@pytest.mark.parametrize("before", ["clinic/", ""])
def test_photographs_of_one_name_in_another_set_are_others(champion_in_use, before):
    # The set stood beside another one in its run, or alone.
    ids = [before + image_id for image_id in IDS]
    changed = {"image_id": ids, "group_id": ids, "source": "clinic"}
    add(champion_in_use, "elsewhere", measured(40, changed=changed))
    with pytest.raises(ModelError, match=r"not measured on the same test photographs"):
        common(champion_in_use, "elsewhere")


def test_an_archives_number_is_one_photograph_in_every_set(champion_in_use):
    numbers = [f"ISIC_{row:07d}" for row in range(80)]
    for name, source in (("first", "made"), ("second", "clinic")):
        changed = {"image_id": numbers, "group_id": numbers, "source": source}
        add(champion_in_use, name, measured(40, changed=changed))
    assert list(common(champion_in_use, "second", "first").first.table["image_id"]) == numbers


def uses(folder, **sha256):
    """Data sets of a card by name."""
    use = store.read_card(folder / "champion").datasets[0]
    return tuple(dataclasses.replace(use, name=name, sha256=of) for name, of in sha256.items())


def test_a_set_that_was_renamed_is_known_by_its_bytes(champion_in_use):
    for name, source in (("first", "made"), ("second", "renamed")):
        data = {"datasets": uses(champion_in_use, **{source: "aa" * 32})}
        add(champion_in_use, name, measured(40, changed={"source": source}), **data)
    assert list(common(champion_in_use, "second", "first").first.table["image_id"]) == IDS


def test_a_model_may_be_measured_on_a_set_that_has_another_name_on_its_card(champion_in_use):
    """As quick training measures the model whose network it takes, on its own data."""
    for name, source in (("first", "made"), ("second", "renamed")):
        data = {"datasets": uses(champion_in_use, **{source: "aa" * 32})}
        add(champion_in_use, name, measured(40, changed={"source": source}), **data)
    first, second = (shared_tests.read(champion_in_use, name) for name in ("first", "second"))
    first = dataclasses.replace(first, evaluation=second.evaluation)
    assert list(shared_tests.common(first, second).first.table["image_id"]) == IDS


def test_another_set_may_have_the_name_that_a_renamed_one_had(champion_in_use):
    """The set “made” is called “old” now, and photographs of another clinic “made”."""
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
        found = common(champion_in_use, *pair)
        assert len(found.first) == 40
        assert {*found.first.table["source"]} <= {"old", "made"}
        scores = found.first.melanoma_probability, found.second.melanoma_probability
        assert (scores[0] == scores[1]).all()
    assert list(found.second.table["image_id"]) == IDS[:40]


def test_what_was_taught_under_the_name_of_a_renamed_set_is_left_out(champion_in_use):
    changed = {"group_id": [f"g{row // 2}" for row in range(80)]}
    data = uses(champion_in_use, made="aa" * 32)
    add(champion_in_use, "first", measured(36, changed=changed), datasets=data)
    # i000, of one lesion with i001, was taught, and is not in its test.
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
    assert list(common(champion_in_use, "second", "first").first.table["image_id"]) == IDS[2:]
    expected = [f"renamed/{image_id}" for image_id in IDS[2:]]
    assert list(common(champion_in_use, "first", "second").first.table["image_id"]) == expected


def test_a_whole_group_is_left_out_of_which_one_photograph_was_taught(champion_in_use):
    pairs = [f"g{row // 2}" for row in range(80)]
    add(champion_in_use, "first", measured(36, changed={"group_id": pairs}))
    add(champion_in_use, "taught", measured(40), files=list_of(["i010"]), **OTHER_SPLIT)
    found = common(champion_in_use, "taught", "first")
    assert list(found.first.table["image_id"]) == [*IDS[:10], *IDS[12:]]
    assert len(set(found.groups)) == 39  # pairs of the one, singles of the other


def test_of_models_divided_otherwise_it_is_said_where_no_list_is_kept(champion_in_use):
    add(champion_in_use, "other", measured(40), files=list_of(["x"]), **OTHER_SPLIT)
    assert [note for note in common(champion_in_use, "other").notes if "not known" in note] == [
        "Of “champion” it is not known in full which lesions it was taught; those of its own test "
        "are taken as new to it."
    ]
    add(champion_in_use, "third", measured(40), files=list_of(["x"], is_whole=False), **OTHER_SPLIT)
    assert "Of “third” it is not known" in str(common(champion_in_use, "third").notes)


def test_models_without_a_common_test_are_not_compared(champion_in_use):
    elsewhere = {name: [f"e{row}" for row in range(80)] for name in ("image_id", "group_id")}
    add(champion_in_use, "elsewhere", measured(40, changed=elsewhere))
    with pytest.raises(ModelError, match=r"not measured on the same test photographs.*0 can be"):
        promotion.promote(champion_in_use, "elsewhere")
    assert store.champion(champion_in_use).model_id == "champion"


def test_a_candidate_that_was_taught_the_test_gains_nothing_by_it(champion_in_use):
    # Of 40 melanomas it finds 34, among them the 20 that it was taught.
    add(champion_in_use, "cheat", measured(34), files=list_of(IDS[:20]), **OTHER_SPLIT)
    found = comparisons.compare(champion_in_use, "champion", "cheat")
    assert (found.num_photographs, found.num_melanomas) == (60, 20)
    assert found.changes[0].before == pytest.approx(16 / 20)
    assert found.changes[0].after == pytest.approx(14 / 20)
    assert "20 test photographs of “champion”; they are left out" in str(found)
