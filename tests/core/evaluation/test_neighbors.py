"""Neighbors in an embedding: which photographs are compared, and pairs across a border."""

import numpy as np
import pandas as pd
import pytest
from sklearn.neighbors import NearestNeighbors

from melanoma_core.diagnoses import CODES
from melanoma_core.evaluation import neighbors


def table(*rows):
    return pd.DataFrame(rows, columns=["image_id", "lesion_id", "diagnosis"], dtype=object)


def directions(*degrees):
    """Vectors of different length in these directions."""
    angles = np.deg2rad(degrees)
    lengths = 1 + np.arange(len(angles))[:, np.newaxis]
    return (np.stack([np.cos(angles), np.sin(angles)], axis=1) * lengths).astype(np.float32)


def test_a_photograph_filed_twice_is_compared_once():
    rows = table(("a", None, "MEL"), ("a", None, "MEL"), ("b", None, "NV"), ("c", None, "NV"))
    vectors = directions(0, 0, 30, 60)
    vectors[1] = vectors[0]
    vectors[3] = vectors[2]  # the same picture under another id
    comparable = neighbors.comparable_rows(rows, vectors)
    assert comparable.rows.tolist() == [0, 2]
    assert comparable.num_contradictory == 0


def test_photographs_with_two_diagnoses_are_counted_but_not_compared():
    rows = table(("a", None, "MEL"), ("a", None, "SK"), ("b", None, "NV"), ("c", None, "NV"))
    comparable = neighbors.comparable_rows(rows, directions(0, 0, 30, 60))
    assert comparable.rows.tolist() == [2, 3]
    assert comparable.num_contradictory == 1


def test_unreadable_photographs_are_not_compared():
    rows = table(("a", None, "MEL"), ("b", None, "NV"))
    vectors = directions(0, 30)
    vectors[0] = np.nan
    assert neighbors.comparable_rows(rows, vectors).rows.tolist() == [1]


def test_photographs_of_one_lesion_have_the_same_number():
    rows = table(("a", "L1", "MEL"), ("b", None, "NV"), ("c", "L1", "MEL"), ("d", None, "NV"))
    first, second, third, fourth = neighbors.comparable_rows(
        rows, directions(0, 10, 20, 30)
    ).lesions
    assert first == third
    assert len({first, second, fourth}) == 3


def test_neighbors_are_the_nearest_photographs_of_other_lesions():
    codes = ["MEL", "NV", "MEL", "BCC"]
    counts = neighbors.neighbor_counts(
        directions(0, 1, 2, 40), codes, np.array([0, 1, 0, 2]), num_neighbors=1
    )
    assert [CODES[row.argmax()] for row in counts] == ["NV", "MEL", "NV", "MEL"]
    assert counts.sum(axis=1).tolist() == [1, 1, 1, 1]


def test_neighbors_agree_with_scikit_learn():
    rng = np.random.default_rng(3)
    vectors = rng.random((700, 16)).astype(np.float32)  # more than one block
    codes = rng.choice(CODES, 700).tolist()
    counts = neighbors.neighbor_counts(vectors, codes, np.arange(700))
    search = NearestNeighbors(n_neighbors=neighbors.NUM_NEIGHBORS, metric="cosine").fit(vectors)
    nearest = search.kneighbors(return_distance=False)  # excludes the photograph itself
    for row, others in zip(counts, nearest, strict=True):
        assert row.tolist() == [[codes[k] for k in others].count(code) for code in CODES]


def test_there_are_no_more_neighbors_than_the_largest_lesion_leaves():
    counts = neighbors.neighbor_counts(
        directions(0, 1, 2, 3), ["MEL"] * 3 + ["NV"], np.array([0, 0, 0, 1])
    )
    assert counts.sum(axis=1).tolist() == [1, 1, 1, 1]


def test_the_closest_pairs_come_first_and_use_each_lesion_once():
    vectors = directions(0, 50, 4, 51, 90)
    lesions = np.array([0, 1, 2, 3, 4])
    pairs, typical = neighbors.closest_pairs(
        vectors, lesions, np.array([0, 1]), np.array([2, 3, 4]), 5
    )
    assert [(pair.first, pair.second) for pair in pairs] == [(1, 3), (0, 2)]
    assert pairs[0].distance == pytest.approx(1 - np.cos(np.deg2rad(1)), abs=1e-6)
    angles = np.deg2rad([4, 51, 90, 46, 1, 40])
    assert typical == pytest.approx(float(np.median(1 - np.cos(angles))), abs=1e-6)


def test_two_photographs_of_one_lesion_are_no_pair():
    pairs, _ = neighbors.closest_pairs(
        directions(0, 1, 30), np.array([0, 0, 1]), np.array([0]), np.array([1, 2]), 5
    )
    assert [(pair.first, pair.second) for pair in pairs] == [(0, 2)]


def test_there_is_no_pair_if_one_side_is_empty():
    pairs, typical = neighbors.closest_pairs(
        directions(0, 1), np.arange(2), np.array([0, 1]), np.array([], np.int64), 5
    )
    assert pairs == ()
    assert np.isnan(typical)
