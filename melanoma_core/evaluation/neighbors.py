"""How classes overlap in a network's embedding: nearest neighbors and pairs across a border.

Photographs are compared by the angle between their embeddings (cosine distance). A photograph's
neighbors never include itself or other photographs of its lesion.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from melanoma_core.data import row_groups
from melanoma_core.diagnoses import CODES

NUM_NEIGHBORS = 10
_BLOCK = 512  # rows compared with all others at a time: 6 MB for 3,000 photographs


@dataclass(frozen=True)
class ComparableRows:
    """The M photographs of a table of N rows that are compared with each other."""

    rows: NDArray[np.int64]  # (M,) positions in the table
    lesions: NDArray[np.int64]  # (M,) numbers; equal for photographs of one lesion
    num_contradictory: int  # photographs left out because they are filed under two diagnoses


@dataclass(frozen=True)
class Pair:
    """Two photographs of different lesions."""

    first: int  # positions among the embeddings
    second: int
    distance: float  # cosine distance, 0 to 2


def comparable_rows(table: pd.DataFrame, vectors: NDArray[np.float32]) -> ComparableRows:
    """The rows that can be compared: each photograph once, if it has a single diagnosis.

    Rows with the same image id or exactly the same embedding are one photograph.

    Args:
        table: N rows with `image_id`, `lesion_id` and `diagnosis`.
        vectors: (N, K); rows that are not finite are left out.
    """
    is_read = np.asarray(np.isfinite(vectors).all(axis=1), np.bool_)
    ids: list[Hashable] = list(table["image_id"])
    contents: list[Hashable] = [
        row.tobytes() if is_finite else None
        for row, is_finite in zip(vectors, is_read, strict=True)
    ]
    lesion_ids: list[Hashable] = [
        cell if isinstance(cell, str) else None for cell in table["lesion_id"]
    ]
    same_photograph = [*row_groups.equal_rows(ids), *row_groups.equal_rows(contents)]
    codes = list(table["diagnosis"])
    chosen, num_contradictory = [], 0
    for rows in row_groups.connected(len(table), same_photograph):
        readable = [row for row in rows if is_read[row]]
        if len({codes[row] for row in rows}) > 1:
            num_contradictory += 1
        elif readable:
            chosen.append(readable[0])
    lesions = np.empty(len(table), np.int64)
    for lesion, rows in enumerate(
        row_groups.connected(len(table), [*same_photograph, *row_groups.equal_rows(lesion_ids)])
    ):
        lesions[list(rows)] = lesion
    order = np.array(sorted(chosen), np.int64)
    return ComparableRows(order, lesions[order], num_contradictory)


def neighbor_counts(
    vectors: NDArray[np.float32],
    codes: Sequence[str],
    lesions: NDArray[np.int64],
    num_neighbors: int = NUM_NEIGHBORS,
) -> NDArray[np.int64]:
    """How many of each photograph's nearest neighbors have each diagnosis.

    Args:
        vectors: (M, K), none of them zero.
        codes: M diagnoses.
        lesions: (M,) as in `ComparableRows`.
        num_neighbors: per photograph; fewer if the largest lesion leaves fewer others.

    Returns:
        (M, 9) in the order of `diagnoses.CODES`; every row has the same sum.
    """
    num_rows = len(vectors)
    if num_rows == 0:
        return np.zeros((0, len(CODES)), np.int64)
    units = _units(vectors)
    num_neighbors = min(num_neighbors, num_rows - int(np.bincount(lesions).max()))
    code_of = np.array([CODES.index(code) for code in codes])
    counts = np.zeros((num_rows, len(CODES)), np.int64)
    for start in range(0, num_rows, _BLOCK):
        block = slice(start, start + _BLOCK)
        similarity = units[block] @ units.T
        similarity[lesions[block, np.newaxis] == lesions] = -np.inf
        nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :num_neighbors]
        rows = np.arange(num_rows)[block, np.newaxis]
        np.add.at(counts, (rows, code_of[nearest]), 1)
    return counts


def closest_pairs(
    vectors: NDArray[np.float32],
    lesions: NDArray[np.int64],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    num_pairs: int,
) -> tuple[tuple[Pair, ...], float]:
    """The closest pairs across a border, with each lesion in at most one pair.

    Args:
        vectors: (M, K), none of them zero.
        lesions: (M,) as in `ComparableRows`.
        first: positions of the photographs on one side.
        second: positions of the photographs on the other side.
        num_pairs: at most.

    Returns:
        The pairs, the closest first; and the median distance of all pairs across the border, NaN
        if there are none.
    """
    units = _units(vectors)
    distances = 1 - units[first] @ units[second].T
    is_apart = lesions[first][:, np.newaxis] != lesions[second]
    if not is_apart.any():
        return (), float("nan")
    typical = float(np.median(distances[is_apart]))
    distances[~is_apart] = np.inf
    pairs: list[Pair] = []
    while len(pairs) < num_pairs:
        place = np.unravel_index(int(distances.argmin()), distances.shape)
        distance = float(distances[place])
        if not np.isfinite(distance):
            break
        one, other = int(first[place[0]]), int(second[place[1]])
        pairs.append(Pair(one, other, max(0.0, distance)))
        distances[np.isin(lesions[first], lesions[[one, other]])] = np.inf
        distances[:, np.isin(lesions[second], lesions[[one, other]])] = np.inf
    return tuple(pairs), typical


def _units(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The vectors scaled to length 1."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)
