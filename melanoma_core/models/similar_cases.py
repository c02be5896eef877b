"""The training lesions most similar to a photograph, and their vote: a second opinion.

Similar are photographs whose embeddings lie close to each other. Each number of an embedding is
weighted by the square of how much the last layer uses it, and the weighted embeddings are reduced
to their principal components. `benchmarks/accuracy/similar_cases.py` measures the vote beside the
network, and what the reduction costs.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from melanoma_core.diagnoses import BENIGN, DIAGNOSES, MALIGNANT_CODES
from melanoma_core.errors import ModelError

if TYPE_CHECKING:
    import pandas as pd

NUM_CASES = 5  # shown
NUM_VOTERS = 50  # on validation photographs 10 are worse, and 100 hardly better
# Of validation photographs 0.1 % lie closer to a training lesion than this. Of the photographs that
# HAM10000 and the nine-class folder both have, in different sizes, most lie closer to their copy.
NEAR_COPY = 0.4
# From more than this proportion of malignant voters on, the vote speaks for referral: at 3 of 50,
# opinions differ for 9 % of the validation photographs at the threshold for 95 % sensitivity.
_REFERRED_ABOVE = 0.05
# On validation photographs 68 % of the five nearest are those of whole embeddings; with 128
# components 78 %, for twice the time. The vote's AUROC is the same from 32 on.
_NUM_COMPONENTS = 64
_NUM_SAMPLED = 1000  # photographs that the scale of distances is taken from
_NOT_BENIGN = frozenset(d.code for d in DIAGNOSES if d.group != BENIGN)
_TEXTS = ("image_id", "lesion_id", "group_id", "diagnosis", "source", "confirmed_by", "license")


@dataclass(frozen=True)
class Case:
    """A training photograph."""

    image_id: str
    lesion_id: str  # its image id where the lesion is not recorded
    group_id: str
    diagnosis: str  # code
    source: str
    confirmed_by: str  # how its label was confirmed; empty: not recorded
    license: str
    # 1: as far apart as a training photograph and the nearest other lesion typically are.
    distance: float


@dataclass(frozen=True)
class Vote:
    """What the most similar training lesions were."""

    num_neighbors: int
    num_melanomas: int
    num_malignant: int
    num_benign: int  # the others are pre-malignant
    melanoma_share: float  # in [0, 1], nearer lesions weighted more

    def disagrees(self, *, is_above: bool) -> bool:
        """True if the vote contradicts a verdict, which is above a referral threshold or not."""
        is_for_referral = self.num_malignant > _REFERRED_ABOVE * self.num_neighbors
        return self.num_neighbors > 0 and is_for_referral != is_above


@dataclass(frozen=True)
class Index:
    """The training photographs of a model, reduced to what a search needs."""

    projection: NDArray[np.float32]  # (K, D): weights and principal components
    center: NDArray[np.float32]  # (D,), subtracted after the projection
    points: NDArray[np.int8]  # (N, D): the photographs' coordinates, in steps
    step: float
    unit: float  # the typical distance of a training photograph to the nearest other lesion
    texts: Mapping[str, NDArray[np.str_]]  # each of `_TEXTS`, (N,)
    coordinates: NDArray[np.float32] = field(init=False)  # (N, D), in units of distance

    def __post_init__(self) -> None:
        """Scale the coordinates once, not at each search."""
        scaled = self.points * np.float32(self.step / self.unit)
        object.__setattr__(self, "coordinates", scaled)

    def __len__(self) -> int:
        return len(self.points)


def build(
    embeddings: NDArray[np.float32],
    kernel: NDArray[np.float32],
    rows: pd.DataFrame,
    licenses: Mapping[str, str],
) -> Index:
    """The index of a model's training photographs.

    Args:
        embeddings: (N, K) of the photographs, finite.
        kernel: (K, C) of the last layer.
        rows: N rows with image_id, lesion_id, group_id, diagnosis and source, and where they are
            known diagnosis_confirm_type and copyright_license.
        licenses: by source, for photographs that have none of their own.
    """
    weights = feature_weights(kernel)
    weighted = embeddings * weights
    mean = weighted.mean(axis=0)
    weighted -= mean
    _, components = np.linalg.eigh(weighted.T @ weighted)
    num_components = min(_NUM_COMPONENTS, *embeddings.shape)
    components = components[:, : -num_components - 1 : -1].astype(np.float32)
    projected = weighted @ components
    step = float(np.abs(projected).max()) / 127 or 1.0
    points = np.rint(projected / step).astype(np.int8)
    texts = _texts(rows, licenses)
    return Index(
        projection=weights[:, None] * components,
        center=mean @ components,
        points=points,
        step=step,
        unit=_typical_distance(points * np.float32(step), texts["group_id"]),
        texts=texts,
    )


def feature_weights(kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much each number of an embedding counts, (K,), by the kernel (K, C) of the last layer."""
    centered = kernel - kernel.mean(axis=1, keepdims=True)  # a constant changes no probability
    weights = np.square(centered).sum(axis=1)
    return np.asarray(weights / max(weights.mean(), np.finfo(np.float32).tiny), np.float32)


def _texts(rows: pd.DataFrame, licenses: Mapping[str, str]) -> dict[str, NDArray[np.str_]]:
    unknown = rows["image_id"].map(lambda _: None)
    own_licenses = rows.get("copyright_license", unknown)
    columns = {
        "image_id": rows["image_id"],
        "lesion_id": rows["lesion_id"].fillna(rows["image_id"]),
        "group_id": rows["group_id"],
        "diagnosis": rows["diagnosis"],
        "source": rows["source"],
        "confirmed_by": rows.get("diagnosis_confirm_type", unknown).fillna(""),
        "license": own_licenses.fillna(rows["source"].map(licenses)).fillna(""),
    }
    return {name: np.array(list(map(str, column))) for name, column in columns.items()}


def _typical_distance(coordinates: NDArray[np.float32], groups: NDArray[np.str_]) -> float:
    """The median distance of a photograph to the nearest one of another group."""
    _, group_of = np.unique(groups, return_inverse=True)
    sampled = np.unique(np.linspace(0, len(groups) - 1, _NUM_SAMPLED).astype(int))
    distances = np.array(
        [
            _distances(coordinates, coordinates[row])[group_of != group_of[row]].min(initial=np.inf)
            for row in sampled
        ]
    )
    typical = float(np.median(distances))
    return typical if 0 < typical < np.inf else 1.0


def _distances(coordinates: NDArray[np.float32], point: NDArray[np.float32]) -> NDArray[np.float32]:
    difference = coordinates - point
    return np.asarray(np.sqrt(np.einsum("nd,nd->n", difference, difference)), np.float32)


def nearest(
    index: Index,
    embedding: NDArray[np.float32],
    num: int = NUM_CASES,
    without_groups: Collection[str] = (),
) -> tuple[Case, ...]:
    """The most similar training photographs, the nearest first, at most one of a lesion.

    A photograph that is nearly a copy of the one asked about is left out with its whole group.

    Args:
        index: of the model.
        embedding: (K,) of the photograph asked about.
        num: of photographs; fewer where there are not so many lesions.
        without_groups: ids of groups to leave out, such as its own.
    """
    distances = _distances_to(index, embedding)
    groups, lesions = index.texts["group_id"], index.texts["lesion_id"]
    left_out = {*without_groups, *groups[distances < NEAR_COPY]}
    found: dict[str, int] = {}  # nearest row of each lesion
    for row in np.argsort(distances, kind="stable"):
        if len(found) == num:
            break
        if groups[row] not in left_out:
            found.setdefault(lesions[row], row)
    return tuple(
        Case(
            **{name: str(column[row]) for name, column in index.texts.items()},
            distance=float(distances[row]),
        )
        for row in found.values()
    )


def near_copies(index: Index, embedding: NDArray[np.float32]) -> frozenset[str]:
    """The groups of training photographs that are nearly a copy of the one with this embedding."""
    is_copy = _distances_to(index, embedding) < NEAR_COPY
    return frozenset(map(str, index.texts["group_id"][is_copy]))


def _distances_to(index: Index, embedding: NDArray[np.float32]) -> NDArray[np.float32]:
    point = (embedding @ index.projection - index.center) / np.float32(index.unit)
    return _distances(index.coordinates, point)


def vote(
    index: Index, embedding: NDArray[np.float32], without_groups: Collection[str] = ()
) -> Vote:
    """What the `NUM_VOTERS` most similar training lesions were; arguments as in `nearest`."""
    return count(nearest(index, embedding, NUM_VOTERS, without_groups))


def count(cases: Sequence[Case]) -> Vote:
    """The vote of these lesions; in `melanoma_share`, the weight of each is 1 / distance."""
    weights = np.array([1 / max(case.distance, NEAR_COPY) for case in cases])
    is_melanoma = np.array([case.diagnosis == "MEL" for case in cases], bool)
    return Vote(
        num_neighbors=len(cases),
        num_melanomas=int(is_melanoma.sum()),
        num_malignant=sum(case.diagnosis in MALIGNANT_CODES for case in cases),
        num_benign=sum(case.diagnosis not in _NOT_BENIGN for case in cases),
        melanoma_share=float(weights[is_melanoma].sum() / weights.sum()) if cases else 0.0,
    )


def to_bytes(index: Index) -> bytes:
    """The content of `neighbors.npz`."""
    file = io.BytesIO()
    arrays: dict[str, Any] = {
        "projection": index.projection.astype(np.float16),  # moves no distance by 0.001
        "center": index.center,
        "points": index.points,
        "scales": np.array([index.step, index.unit]),
        **index.texts,
    }
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def from_bytes(data: bytes, embedding_size: int) -> Index:
    """The index that `to_bytes` wrote.

    Args:
        data: content of `neighbors.npz`.
        embedding_size: K of the model's network.

    Raises:
        ModelError: the bytes are something else, or belong to another network.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            projection = archive["projection"].astype(np.float32)
            center, points = archive["center"], archive["points"]
            step, unit = map(float, archive["scales"])
            texts = {name: archive[name] for name in _TEXTS}
        _check(projection, center, points, (step, unit), texts)
    except (
        OSError, EOFError, ValueError, TypeError, KeyError, zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        raise ModelError(
            f"The model’s index of similar cases cannot be read ({error}). Restore its folder "
            "from a copy."
        ) from error
    if len(projection) != embedding_size:
        raise ModelError(
            f"The model’s index of similar cases is for {len(projection)} numbers an embedding, "
            f"its network gives {embedding_size}: files of two models were mixed."
        )
    return Index(projection, center, points, step, unit, texts)


def _check(
    projection: NDArray[np.float32],
    center: NDArray[np.float32],
    points: NDArray[np.int8],
    scales: tuple[float, float],
    texts: Mapping[str, NDArray[np.str_]],
) -> None:
    if points.ndim != 2 or points.dtype != np.int8 or not len(points):
        raise ValueError(f"its points are {points.shape} of {points.dtype}")
    num_rows, num_components = points.shape
    if projection.ndim != 2 or projection.shape[1:] != (num_components,):
        raise ValueError(f"its projection is {projection.shape}")
    if center.shape != (num_components,) or center.dtype != np.float32:
        raise ValueError(f"its center is {center.shape} of {center.dtype}")
    if not (np.isfinite(projection).all() and np.isfinite(center).all()):
        raise ValueError("it has numbers that are not finite")
    if not all(0 < scale < np.inf for scale in scales):
        raise ValueError(f"its scales are {scales[0]:g} and {scales[1]:g}")
    for name, column in texts.items():
        if column.shape != (num_rows,) or column.dtype.kind != "U":
            raise ValueError(f"its column {name} is {column.shape} of {column.dtype}")
