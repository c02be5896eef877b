"""The vote of the most similar training lesions beside the network, and what it is worth.

Run as `python -m benchmarks.accuracy.similar_cases [--model ID]` from the project's root, with one
model (by default the one in use). Its index is built from the training photographs of the data
sets. How many lesions vote, and when opinions differ, was chosen on the validation photographs.
"""

import argparse
import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import records, tables
from benchmarks.accuracy import held_out
from melanoma_core.data import datasets
from melanoma_core.diagnoses import CODES, MALIGNANT_CODES
from melanoma_core.metrics import calibration, classification
from melanoma_core.models import embeddings, similar_cases
from melanoma_core.models.predict import Model
from melanoma_core.models.similar_cases import Case, Index, Vote

_NUM_VOTERS = (5, 10, 20, 50, 100)
_MELANOMA = CODES.index("MEL")
_CARCINOMAS = [CODES.index("BCC"), CODES.index("SCC")]
_AUROC_BAR = 0.02  # that the vote may lie below the network
_MB_BAR, _MS_BAR = 5, 3


@dataclass(frozen=True)
class _Part:
    """The photographs of a split, and what network and neighbors say of them."""

    table: pd.DataFrame
    vectors: NDArray[np.float32]  # (N, K)
    y_prob: NDArray[np.float64]  # (N, 9), calibrated
    votes: tuple[Vote, ...]

    @property
    def is_melanoma(self) -> NDArray[np.bool_]:
        return np.asarray(self.table["diagnosis"] == "MEL", bool)

    @property
    def is_malignant(self) -> NDArray[np.bool_]:
        return np.asarray(self.table["diagnosis"].isin(MALIGNANT_CODES), bool)

    @property
    def carcinoma_prob(self) -> NDArray[np.float64]:
        return np.asarray(self.y_prob[:, _CARCINOMAS].sum(axis=1), np.float64)


def main() -> None:
    """Build the index, let it vote on held-out photographs, print and record the figures."""
    arguments = _arguments()
    started = time.monotonic()
    with records.recorded("similar_cases", arguments.results, "ai-edge-litert", "numpy") as record:
        arguments.model = held_out.model_ids(arguments)[:1]
        (model,) = held_out.load(arguments)
        held_out.print_models([model])
        train = held_out.combined_with_splits(arguments)
        train = train[train["split"] == "train"].reset_index(drop=True)
        vectors = embeddings.of_files(model.network, [*map(Path, train["path"])]).vectors
        index = similar_cases.build(vectors, model.network.kernel, train, _licenses(arguments))
        parts = {split: _part(model, index, arguments, split) for split in ("val", "test")}
        record |= {
            "models": held_out.describe([model]),
            "index": _describe_index(index, parts["val"]),
            "compression": _cost_of_compression(model, index, vectors, parts["val"]),
            "voters": _aurocs_by_voters(index, parts["val"]),
            "auroc": records.as_json(_compare(parts)),
            "opinions": _opinions(model, parts),
        }
        print(f"\n{time.monotonic() - started:,.0f} s in all")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    held_out.add_options(parser, "ham10000.zip", "isic2017.zip", "isic9.zip")
    held_out.add_splits_option(parser)
    records.add_option(parser)
    return parser.parse_args()


def _licenses(arguments: argparse.Namespace) -> dict[str, str]:
    paths = arguments.dataset or arguments.default_datasets
    return {dataset.name: dataset.license for dataset in map(datasets.read, paths)}


def _part(model: Model, index: Index, arguments: argparse.Namespace, split: str) -> _Part:
    table = held_out.photographs(arguments, [model.card.model_id], split)
    vectors = embeddings.of_files(model.network, [*map(Path, table["path"])]).vectors
    logits = np.array([model.network.logits(vector) for vector in vectors])
    votes = [
        similar_cases.vote(index, vector, [group])
        for vector, group in zip(vectors, table["group_id"], strict=True)
    ]
    y_prob = calibration.probabilities(logits, model.card.calibration)
    return _Part(table, vectors, y_prob, tuple(votes))


def _searches(index: Index, part: _Part, num: int) -> list[tuple[Case, ...]]:
    return [
        similar_cases.nearest(index, vector, num, [group])
        for vector, group in zip(part.vectors, part.table["group_id"], strict=True)
    ]


def _describe_index(index: Index, val: _Part) -> dict[str, Any]:
    """Size of the index, time of a search, and how far the validation photographs lie from it."""
    num_bytes = len(similar_cases.to_bytes(index))
    arrays = (index.projection, index.points, index.coordinates, *index.texts.values())
    milliseconds = []
    for vector in val.vectors:
        started = time.perf_counter()
        similar_cases.vote(index, vector)
        milliseconds.append((time.perf_counter() - started) * 1000)
    median = float(np.median(milliseconds))
    nearest = np.array([found[0].distance for found in _searches(index, val, 1)])
    num_lesions = len(set(index.texts["lesion_id"]))
    print(f"\n{len(index):,} training photographs of {num_lesions:,} lesions")
    tables.print_table(
        ("index", "measured", "bar", ""),
        [
            ("file", f"{num_bytes / 1e6:.2f} MB", *tables.bar(num_bytes / 1e6, _MB_BAR, "MB")),
            ("memory", f"{sum(array.nbytes for array in arrays) / 1e6:.1f} MB", "", ""),
            ("search, median", f"{median:.2f} ms", *tables.bar(median, _MS_BAR, "ms")),
        ],
    )
    low, middle, high = np.quantile(nearest, (0.05, 0.5, 0.95))
    print(
        f"\nDistance of a validation photograph to the nearest lesion: {middle:.2f} "
        f"({low:.2f} to {high:.2f} for nine in ten)"
    )
    return {
        "photographs": len(index),
        "lesions": num_lesions,
        "bytes": num_bytes,
        "memory_bytes": sum(array.nbytes for array in arrays),
        "search_ms": round(median, 3),
        "nearest_distance": [round(float(value), 3) for value in (low, middle, high)],
    }


def _cost_of_compression(
    model: Model, index: Index, vectors: NDArray[np.float32], val: _Part
) -> dict[str, float]:
    """The index beside one that keeps every number of the embeddings, on validation."""
    weights = similar_cases.feature_weights(model.network.kernel)
    exact = dataclasses.replace(
        index,
        projection=np.diag(weights),
        center=np.zeros(len(weights), np.float32),
        points=vectors * weights,
        step=1.0,
    )
    areas, found = [], []
    for one in (index, exact):
        cases = _searches(one, val, similar_cases.NUM_VOTERS)
        shares = [similar_cases.count(each).melanoma_share for each in cases]
        areas.append(classification.auroc(val.is_melanoma, shares))
        found.append(
            [{case.image_id for case in each[: similar_cases.NUM_CASES]} for each in cases]
        )
    same = float(
        np.mean(
            [len(a & b) / similar_cases.NUM_CASES for a, b in zip(found[0], found[1], strict=True)]
        )
    )
    print(
        f"\nCost of the compression, on validation: AUROC of the vote {areas[0]:.3f}, with whole "
        f"embeddings {areas[1]:.3f}; {same:.0%} of the five nearest are the same"
    )
    return {
        "auroc": round(areas[0], 4),
        "auroc_whole": round(areas[1], 4),
        "same_of_five": round(same, 3),
    }


def _aurocs_by_voters(index: Index, val: _Part) -> dict[str, float]:
    """AUROC of the vote on validation, by the number of lesions that vote."""
    cases = _searches(index, val, max(_NUM_VOTERS))
    areas = {}
    for num in _NUM_VOTERS:
        shares = [similar_cases.count(each[:num]).melanoma_share for each in cases]
        areas[str(num)] = round(classification.auroc(val.is_melanoma, shares), 4)
    tables.print_table(
        ("lesions that vote", *areas), [("MEL AUROC, val", *map(tables.number, areas.values()))]
    )
    return areas


def _compare(parts: dict[str, _Part]) -> list[dict[str, Any]]:
    """AUROC for melanoma of vote and network, of all photographs and of each data set."""
    rows = []
    for split, part in parts.items():
        for source in ("all", *sorted(part.table["source"].unique())):
            in_part = (part.table["source"] == source).to_numpy() | (source == "all")
            shares = np.array([vote.melanoma_share for vote in part.votes])
            arrays = (part.is_melanoma, shares, part.y_prob[:, _MELANOMA])
            rows.append({"split": split, "source": source, **_areas(part.table, arrays, in_part)})
    tables.print_table(
        ("split", "data set", "photographs", "MEL AUROC, vote", "network", "difference"),
        [
            (
                row["split"], row["source"], f"{row['vote'].num_photographs:,}",
                tables.interval(row["vote"]), tables.interval(row["network"]),
                tables.difference(row["difference"]),
            )
            for row in rows
        ],
        2,
    )  # fmt: skip
    behind = next(-row["difference"].value for row in rows if row["split"] == "test")
    limit, is_met = tables.bar(behind, _AUROC_BAR, "")
    print(f"\nVote behind the network, test: {behind:.3f}, bar {limit}: {is_met}")
    return rows


def _areas(
    table: pd.DataFrame, arrays: tuple[NDArray[Any], ...], rows: NDArray[np.bool_]
) -> dict[str, Any]:
    y_true, share, y_prob = (array[rows] for array in arrays)
    chosen = table[rows]

    def difference(truth: NDArray[Any], one: NDArray[Any], other: NDArray[Any]) -> float:
        return classification.auroc(truth, one) - classification.auroc(truth, other)

    estimate: Callable[..., Any] = held_out.estimate
    return {
        "vote": estimate(chosen, classification.auroc, (y_true, share)),
        "network": estimate(chosen, classification.auroc, (y_true, y_prob)),
        "difference": estimate(chosen, difference, (y_true, share, y_prob)),
    }


def _opinions(model: Model, parts: dict[str, _Part]) -> list[dict[str, Any]]:
    """How often opinions differ, and how often the verdict is wrong if they do and if not.

    Above is a photograph at or above the threshold for melanoma, or at or above one for carcinoma
    with the same sensitivity on validation.
    """
    rows = []
    val = parts["val"]
    is_carcinoma = val.table["diagnosis"].isin([CODES[place] for place in _CARCINOMAS])
    for point in model.card.operating_points:
        carcinoma_threshold = classification.threshold_at_sensitivity(
            is_carcinoma, val.carcinoma_prob, point.target
        )
        for split, part in parts.items():
            is_above = (part.y_prob[:, _MELANOMA] >= point.threshold) | (
                part.carcinoma_prob >= carcinoma_threshold
            )
            differs = np.array(
                [
                    vote.disagrees(is_above=bool(above))
                    for vote, above in zip(part.votes, is_above, strict=True)
                ]
            )
            for verdict, has_verdict in (("above", is_above), ("below", ~is_above)):
                for opinion, chosen in (("differ", differs), ("agree", ~differs)):
                    of_both = part.is_malignant[has_verdict & chosen]
                    rows.append(
                        {
                            "sensitivity": point.target,
                            "split": split,
                            "verdict": verdict,
                            "opinions": opinion,
                            "photographs": len(of_both),
                            "share": round(len(of_both) / len(part.table), 4),
                            "malignant": int(of_both.sum()),
                        }
                    )
    tables.print_table(
        ("sensitivity", "split", "verdict", "opinions", "photographs", "of all", "malignant", ""),
        [
            (
                f"{row['sensitivity']:.0%}", row["split"], row["verdict"], row["opinions"],
                f"{row['photographs']:,}", f"{row['share']:.1%}", f"{row['malignant']:,}",
                f"{row['malignant'] / max(1, row['photographs']):.1%}",
            )
            for row in rows
        ],
        4,
    )  # fmt: skip
    return rows


if __name__ == "__main__":
    main()
