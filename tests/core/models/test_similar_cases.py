"""Similar cases: the nearest other lesions, how they vote, and what damaged files are told."""

import io

import numpy as np
import pandas as pd
import pytest

from melanoma_core.errors import ModelError
from melanoma_core.models import similar_cases
from melanoma_core.models.similar_cases import Vote

LICENSES = {"clinic": "CC0", "archive": "CC BY"}
KERNEL = np.array([[1, -1], [-1, 1]], np.float32)  # uses both numbers of an embedding alike


def table(*rows, **columns):
    """A row per (image_id, lesion_id, diagnosis); a lesion is a group of its own."""
    made = pd.DataFrame(rows, columns=["image_id", "lesion_id", "diagnosis"])
    groups = made["lesion_id"].fillna(made["image_id"]).map("group of {}".format)
    return made.assign(group_id=groups, source="clinic").assign(**columns)


def line_index(*rows, **columns):
    """An index of photographs at 0, 1, 2 … on a line, in units of distance."""
    embeddings = np.array([[place, 0] for place in range(len(rows))], np.float32)
    return similar_cases.build(embeddings, KERNEL, table(*rows, **columns), LICENSES)


def at(place):
    return np.array([place, 0], np.float32)


def ids(cases):
    return [case.image_id for case in cases]


FOUR = (("a", "l1", "NV"), ("b", "l2", "MEL"), ("c", "l2", "MEL"), ("d", None, "AK"))


def test_the_nearest_come_first_one_of_each_lesion():
    found = similar_cases.nearest(line_index(*FOUR), at(2.45))
    assert ids(found) == ["c", "d", "a"]  # “b” shows the lesion of “c”
    np.testing.assert_allclose([case.distance for case in found], [0.45, 0.55, 2.45], atol=0.02)


def test_no_more_are_found_than_asked_for():
    assert ids(similar_cases.nearest(line_index(*FOUR), at(2.55), num=2)) == ["d", "c"]


def test_a_near_copy_is_left_out_with_its_whole_lesion():
    assert ids(similar_cases.nearest(line_index(*FOUR), at(1.0))) == ["a", "d"]
    assert ids(similar_cases.nearest(line_index(*FOUR), at(1.7))) == ["d", "a"]


def test_groups_are_left_out_on_demand():
    found = similar_cases.nearest(line_index(*FOUR), at(2.45), without_groups=["group of l2"])
    assert ids(found) == ["d", "a"]
    everything = {"group of l1", "group of l2", "group of d"}
    assert similar_cases.nearest(line_index(*FOUR), at(2.5), without_groups=everything) == ()


def test_every_training_photograph_asked_about_finds_other_lesions_only():
    rng = np.random.default_rng(0)
    lesions = [f"l{number // 3}" for number in range(60)]
    rows = table(*((f"i{n}", lesion, "NV") for n, lesion in enumerate(lesions)))
    embeddings = rng.normal(size=(60, 8)).astype(np.float32)
    index = similar_cases.build(embeddings, rng.normal(size=(8, 9)).astype("f4"), rows, LICENSES)
    for embedding, lesion in zip(embeddings, lesions, strict=True):
        found = [case.lesion_id for case in similar_cases.nearest(index, embedding, num=19)]
        assert lesion not in found
        assert len(set(found)) == 19


def test_a_case_says_what_is_known_of_its_label_and_license():
    index = line_index(
        *FOUR,
        source=["clinic", "archive", "archive", "elsewhere"],
        diagnosis_confirm_type=["histopathology", None, np.nan, None],
        copyright_license=[None, None, "CC BY-NC", None],
    )
    found = {case.image_id: case for case in similar_cases.nearest(index, at(2.5))}
    assert [(found[i].confirmed_by, found[i].license) for i in "acd"] == [
        ("histopathology", "CC0"), ("", "CC BY-NC"), ("", ""),
    ]  # fmt: skip
    assert (found["d"].lesion_id, found["d"].group_id) == ("d", "group of d")


def test_what_the_last_layer_does_not_use_makes_no_difference():
    used = np.array([[0.0], [1.0], [2.0], [9.0]])
    unused = np.array([[50.0], [-50.0], [0.0], [7.0]])
    embeddings = np.hstack([used, unused]).astype(np.float32)
    kernel = np.array([[1, -1], [3, 3]], np.float32)
    index = similar_cases.build(embeddings, kernel, table(*FOUR), LICENSES)
    assert ids(similar_cases.nearest(index, np.array([7, 100], np.float32))) == ["d", "c", "a"]


def test_the_vote_counts_lesions_and_weighs_the_nearer_ones_more():
    rows = (("a", "l1", "NV"), ("b", "l2", "MEL"), ("c", "l2", "MEL"), ("d", "l3", "AK"),
            ("e", "l4", "BCC"), ("f", "l5", "BENIGN"))  # fmt: skip
    found = similar_cases.vote(line_index(*rows), at(2.5))  # “c” at 0.5, the others 0.5 to 2.5
    counts = (found.num_neighbors, found.num_melanomas, found.num_malignant, found.num_benign)
    assert counts == (5, 1, 2, 2)
    assert found.melanoma_share == pytest.approx(2 / (2 + 2 + 1 / 1.5 + 0.4 + 0.4), abs=0.01)


def test_the_vote_is_taken_without_the_lesion_itself():
    index = line_index(*FOUR)
    own = similar_cases.vote(index, at(1.0))
    assert (own.num_neighbors, own.num_melanomas, own.melanoma_share) == (2, 0, 0.0)
    assert similar_cases.vote(index, at(0.5), ["group of l1"]).melanoma_share > 0.5


def test_a_vote_without_neighbors_never_disagrees():
    nobody = {"group of l1", "group of l2", "group of d"}
    found = similar_cases.vote(line_index(*FOUR), at(0.5), nobody)
    assert found == Vote(0, 0, 0, 0, 0.0)
    assert not found.disagrees(is_above=True)
    assert not found.disagrees(is_above=False)


@pytest.mark.parametrize(("num_malignant", "differs_from"), [(2, True), (3, False)])
def test_opinions_differ_if_vote_and_verdict_are_on_two_sides(num_malignant, differs_from):
    found = Vote(50, 0, num_malignant, 50 - num_malignant, 0.0)
    assert found.disagrees(is_above=differs_from)
    assert not found.disagrees(is_above=not differs_from)


def test_distances_are_in_units_of_the_typical_distance_of_two_lesions():
    embeddings = np.array([[7 * place, 0] for place in range(4)], np.float32)
    index = similar_cases.build(embeddings, 5 * KERNEL, table(*FOUR), LICENSES)
    (case,) = similar_cases.nearest(index, at(28), num=1)
    assert case.distance == pytest.approx(1, abs=0.01)


def test_photographs_that_cannot_be_told_apart_are_copies_of_each_other():
    index = similar_cases.build(np.ones((4, 2), np.float32), KERNEL, table(*FOUR), LICENSES)
    assert similar_cases.nearest(index, np.ones(2, np.float32)) == ()


def test_bytes_give_back_the_same_neighbors():
    rng = np.random.default_rng(1)
    rows = table(*((f"é{number}", None, "NV") for number in range(300)))
    embeddings = rng.normal(size=(300, 100)).astype(np.float32)
    index = similar_cases.build(embeddings, rng.normal(size=(100, 9)).astype("f4"), rows, LICENSES)
    back = similar_cases.from_bytes(similar_cases.to_bytes(index), 100)
    assert len(back) == 300
    for embedding in rng.normal(size=(5, 100)).astype(np.float32):
        expected = similar_cases.nearest(index, embedding)
        found = similar_cases.nearest(back, embedding)
        assert ids(found) == ids(expected)
        assert [case.distance for case in found] == pytest.approx(
            [case.distance for case in expected], rel=1e-3
        )


def changed(**arrays):
    """The bytes of an index with other arrays."""
    data = similar_cases.to_bytes(line_index(*FOUR))
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        kept = {name: archive[name] for name in archive.files}
    file = io.BytesIO()
    np.savez(file, **{**kept, **arrays})
    return file.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text",
        b"PK\x03\x04",
        similar_cases.to_bytes(line_index(*FOUR))[:-30],
        changed(points=np.zeros((4, 2), np.float32)),
        changed(points=np.zeros((3, 2), np.int8)),
        changed(points=np.zeros((0, 2), np.int8)),
        changed(projection=np.full((2, 2), np.nan, np.float16)),
        changed(projection=np.zeros((2, 3), np.float16)),
        changed(center=np.zeros(3, np.float32)),
        changed(scales=np.array([1.0, 0.0])),
        changed(scales=np.array([np.inf, 1.0])),
        changed(scales=np.array([1.0])),
        changed(diagnosis=np.array(["NV"] * 3)),
        changed(diagnosis=np.array([1, 2, 3, 4])),
        changed(image_id=np.array(["a", None, "b", "c"], object)),
    ],
)
def test_damaged_files_are_refused(data):
    with pytest.raises(ModelError, match="index of similar cases cannot be read"):
        similar_cases.from_bytes(data, 2)


def test_an_index_of_another_network_is_refused():
    data = similar_cases.to_bytes(line_index(*FOUR))
    assert len(similar_cases.from_bytes(data, 2)) == 4
    with pytest.raises(ModelError, match="for 2 numbers an embedding, its network gives 1280"):
        similar_cases.from_bytes(data, 1280)
