"""A map of a data set as a network sees it: photographs it finds similar are close together.

Coordinates are for display only. Figures come from the embedding itself (`neighbors`), because a
flat map distorts distances. The bundled data set's map is a file of facts, made by
`python -m benchmarks.data.bundled_map`.
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from melanoma_core.data import bundled_set, class_folders
from melanoma_core.data.datasets import Dataset
from melanoma_core.diagnoses import CODES
from melanoma_core.errors import DatasetError
from melanoma_core.evaluation import evaluate, neighbors
from melanoma_core.images.fingerprints import Report
from melanoma_core.metrics import estimates
from melanoma_core.metrics.estimates import Estimate
from melanoma_core.models import embeddings, store
from melanoma_core.models.predict import Model

if TYPE_CHECKING:
    import pandas as pd

PATH = Path(__file__).resolve().parents[1] / "data" / "files" / "nine_classes_map.csv.gz"
MAX_PHOTOGRAPHS = 3_000  # half a minute to embed, another half to lay out
MIN_PHOTOGRAPHS = 20
NUM_PAIRS = 12
BORDER = ("MEL", "NV")  # pairs are searched across it
_NUM_COMPONENTS = 30
_PERPLEXITY = 30
_COUNTS = tuple(f"near_{code}" for code in CODES)
_FILE_COLUMNS = ("file", "x", "y", "is_held_out", "lesion", *_COUNTS)


@dataclass(frozen=True)
class ClosePair:
    """Two similar photographs of different lesions across the border."""

    first: int  # rows of the data set's table
    second: int
    distance: float  # cosine distance of their embeddings


@dataclass(frozen=True)
class EmbeddingMap:
    """Each photograph's coordinates and the diagnoses of its nearest neighbors."""

    model_id: str
    # Indexed by the row of the data set's table: image_id, diagnosis, split, x, y, is_held_out,
    # lesion, and near_MEL … near_VASC, the number of neighbors with that diagnosis. Lesion and
    # numbers are missing for photographs that are not compared.
    points: pd.DataFrame
    pairs: tuple[ClosePair, ...]  # the closest across `BORDER`
    typical_distance: float  # median over all pairs across `BORDER`
    num_photographs: int  # rows of the data set; the points may be a sample
    num_refused: int  # photographs of the sample that cannot be read
    num_contradictory: int  # photographs not compared because they have two diagnoses

    @property
    def num_neighbors(self) -> int:
        """Neighbors per photograph."""
        return int(self.points[list(_COUNTS)].sum(axis=1).max())


@dataclass(frozen=True)
class Overlap:
    """How many of one diagnosis' nearest neighbors have another diagnosis."""

    proportion: Estimate  # bootstrapped over lesions
    chance: float  # the proportion if the neighbors were drawn at random from all others


def of_dataset(
    model: Model, dataset: Dataset, held_out: Collection[str], report: Report | None = None
) -> EmbeddingMap:
    """The map of a data set by a model; for a large data set, of a fixed sample.

    Args:
        model: its embedding is used.
        dataset: with photographs.
        held_out: image ids that the model was not trained on, from `held_out_ids`.
        report: called with the number of photographs read, and of all.

    Raises:
        DatasetError: fewer than `MIN_PHOTOGRAPHS` can be read and compared.
    """
    table = dataset.table
    rows = _sample(len(table))
    files = [Path(path) for path in table["path"].iloc[rows]]
    embedded = embeddings.of_files(model.network, files, report)
    return _map_of(model.card.model_id, table, rows, embedded, held_out)


def held_out_ids(models_dir: Path, model_id: str, source: str) -> frozenset[str]:
    """Image ids of a model's validation and test photographs.

    Args:
        models_dir: where models are kept.
        model_id: of the model.
        source: name of the data set in question. An ISIC archive number is the same photograph in
            every data set, any other id only in its own.

    Raises:
        ModelError: there is no such model, or one of its files is damaged.
    """
    _, _, contents = store.read_files(store.model_dir(models_dir, model_id))
    table = evaluate.from_json(contents["evaluation.json"]).table
    return frozenset(
        image_id
        for image_id, origin in zip(table["image_id"], table["source"], strict=True)
        if origin == source or class_folders.is_archive_id(image_id)
    )


def overlap(
    points: pd.DataFrame,
    of: str,
    among: str | None = None,
    asked: NDArray[np.bool_] | None = None,
) -> Overlap:
    """How many of one diagnosis' nearest neighbors have another diagnosis.

    Args:
        points: all points of an `EmbeddingMap`.
        of: code of the diagnosis whose neighbors are counted.
        among: code of the other diagnosis; None: any other one.
        asked: (N,) True for points whose neighbors are counted; None: all of them.
    """
    others = [code for code in CODES if code != of] if among is None else [among]
    is_compared = points["lesion"].notna().to_numpy()
    everyone = points[is_compared]
    is_of = (points["diagnosis"] == of).to_numpy() & is_compared
    chosen = points[is_of if asked is None else is_of & asked]
    num_lesions = int(chosen["lesion"].nunique())
    if chosen.empty:
        nothing = float("nan")
        return Overlap(Estimate(nothing, nothing, nothing, 0, 0), nothing)
    num_neighbors = int(chosen[list(_COUNTS)].iloc[0].sum())
    hits = chosen[[f"near_{code}" for code in others]].sum(axis=1).to_numpy(np.int64)
    low, high = estimates.share_interval(hits, chosen["lesion"].to_numpy(np.int64))
    proportion = Estimate(
        float(hits.mean()) / num_neighbors, low / num_neighbors, high / num_neighbors,
        len(chosen), num_lesions,
    )  # fmt: skip
    # Photographs of the same lesion are no neighbors, so chance does not draw from them either.
    of_lesion = everyone.groupby("lesion")["diagnosis"]
    is_other = everyone["diagnosis"].isin(others)
    own = chosen["lesion"].map(of_lesion.size())
    own_others = chosen["lesion"].map(is_other.groupby(everyone["lesion"]).sum())
    chance = (int(is_other.sum()) - own_others) / (len(everyone) - own)
    return Overlap(proportion, float(chance.mean()))


def neighbor_proportions(
    points: pd.DataFrame, asked: NDArray[np.bool_] | None = None
) -> pd.DataFrame:
    """Proportion of each diagnosis (columns) among each diagnosis' nearest neighbors (rows).

    Args:
        points: all points of an `EmbeddingMap`.
        asked: (N,) True for points whose neighbors are counted; None: all of them.
    """
    is_asked = points["lesion"].notna().to_numpy()
    chosen = points[is_asked if asked is None else is_asked & asked]
    counts = chosen.groupby("diagnosis")[list(_COUNTS)].sum()
    counts.columns = list(CODES)
    return counts.div(counts.sum(axis=1), axis="index")


def _sample(num_rows: int) -> NDArray[np.int64]:
    if num_rows <= MAX_PHOTOGRAPHS:
        return np.arange(num_rows)
    drawn = np.random.default_rng(0).choice(num_rows, MAX_PHOTOGRAPHS, replace=False)
    return np.asarray(np.sort(drawn), np.int64)


def _map_of(
    model_id: str,
    table: pd.DataFrame,
    rows: NDArray[np.int64],
    embedded: embeddings.Embeddings,
    held_out: Collection[str],
) -> EmbeddingMap:
    """The map of some rows of a table with their embeddings."""
    is_read = np.isfinite(embedded.vectors).all(axis=1)
    rows, vectors = rows[is_read], embedded.vectors[is_read]
    part = table.iloc[rows]
    compared = neighbors.comparable_rows(part, vectors)
    if len(compared.rows) < MIN_PHOTOGRAPHS or len(set(compared.lesions)) < 2:
        raise DatasetError(
            f"{len(compared.rows):,} photographs can be compared; a map needs at least "
            f"{MIN_PHOTOGRAPHS}, of several lesions. Choose a larger data set."
        )
    codes = part["diagnosis"].iloc[compared.rows].tolist()
    counts = neighbors.neighbor_counts(vectors[compared.rows], codes, compared.lesions)
    first, second = (np.flatnonzero(np.array(codes, dtype=object) == code) for code in BORDER)
    pairs, typical = neighbors.closest_pairs(
        vectors[compared.rows], compared.lesions, first, second, NUM_PAIRS
    )
    points = part[["image_id", "diagnosis", "split"]].copy()
    points.index = rows
    points[["x", "y"]] = coordinates(vectors)
    points["is_held_out"] = part["image_id"].isin(held_out).to_numpy()
    compared_rows = rows[compared.rows]
    points["lesion"] = np.nan
    points.loc[compared_rows, "lesion"] = compared.lesions
    points[list(_COUNTS)] = np.nan
    points.loc[compared_rows, list(_COUNTS)] = counts
    return EmbeddingMap(
        model_id=model_id,
        points=points,
        pairs=tuple(
            ClosePair(int(compared_rows[p.first]), int(compared_rows[p.second]), p.distance)
            for p in pairs
        ),
        typical_distance=typical,
        num_photographs=len(table),
        num_refused=len(embedded.refused),
        num_contradictory=compared.num_contradictory,
    )


def coordinates(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """(N, 2) coordinates from -1 to 1, by t-SNE on 30 principal components.

    t-SNE (van der Maaten and Hinton, 2008) keeps neighbors together; larger distances mean nothing.
    It starts from the first two components with a fixed seed, so the same rows give the same map on
    the same machine.

    Args:
        vectors: (N, K), N at least `MIN_PHOTOGRAPHS`; only their directions matter.
    """
    # Imported here: a page that only shows facts saves 75 MB.
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    units = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    num_components = min(_NUM_COMPONENTS, *(size - 1 for size in units.shape))
    perplexity = min(_PERPLEXITY, (len(units) - 1) / 3)
    # On a busy machine with two cores, two threads wait for each other: 30 rows took 12 s instead
    # of 0.5. With one thread, assessments keep the other core.
    with threadpool_limits(1):
        # A full decomposition of 2,300 embeddings takes 20 s longer.
        reduction = PCA(num_components, svd_solver="randomized", random_state=0)
        layout = TSNE(init="pca", perplexity=perplexity, random_state=0)
        flat = layout.fit_transform(reduction.fit_transform(units))
    low, high = flat.min(axis=0), flat.max(axis=0)
    return np.asarray(2 * (flat - low) / np.maximum(high - low, 1e-12) - 1, np.float64)


def read(path: Path = PATH) -> EmbeddingMap:
    """The map of the bundled data set; its index is the row of `bundled_set.read()`."""
    import pandas as pd

    head, _, body = gzip.decompress(path.read_bytes()).decode().partition("\n")
    facts = json.loads(head)
    shipped = pd.read_csv(io.StringIO(body)).set_index("file")
    table = bundled_set.read().table.reset_index(names="row").set_index("file")
    points = table[["row", "image_id", "diagnosis", "split"]].join(shipped, how="inner")
    row_of = points["row"].to_dict()
    return EmbeddingMap(
        model_id=facts["model_id"],
        points=points.set_index("row").sort_index(),
        pairs=tuple(
            ClosePair(row_of[first], row_of[second], distance)
            for first, second, distance in facts["pairs"]
        ),
        typical_distance=facts["typical_distance"],
        num_photographs=len(table),
        num_refused=facts["num_refused"],
        num_contradictory=facts["num_contradictory"],
    )


def to_bytes(made: EmbeddingMap, files: pd.Series) -> bytes:
    """The file that `read` reads: a line of JSON, then a CSV; compressed reproducibly.

    Args:
        made: of the bundled data set's photographs.
        files: their file names in that set, by row.
    """
    points = made.points.assign(
        file=files, is_held_out=made.points["is_held_out"].astype(int),
        x=made.points["x"].round(4), y=made.points["y"].round(4),
    )  # fmt: skip
    whole = ["lesion", *_COUNTS]
    points[whole] = points[whole].astype("Int64")
    facts = {
        "model_id": made.model_id,
        "typical_distance": round(made.typical_distance, 4),
        "num_refused": made.num_refused,
        "num_contradictory": made.num_contradictory,
        "pairs": [
            [files[pair.first], files[pair.second], round(pair.distance, 4)] for pair in made.pairs
        ],
    }
    text = (
        json.dumps(facts)
        + "\n"
        + points[list(_FILE_COLUMNS)].to_csv(index=False, lineterminator="\n")
    )
    return gzip.compress(text.encode(), compresslevel=9, mtime=0)
