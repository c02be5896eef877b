"""How accuracy grows with the number of training lesions.

Run as `python -m benchmarks.lessons.learning_curve` from the project's root. A multinomial logistic
regression is fitted to embeddings of MobileNetV2, on 10, 20, 40, 70 and 100 % of the training
lesions of all data sets. The network keeps its ImageNet weights, so it has seen no lesion. Each
fraction is drawn several times, stratified by diagnosis; a larger draw contains the smaller ones.
All are measured on the whole test split. The penalty is chosen on the validation split.
"""

import argparse
import itertools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import records, tables
from benchmarks.accuracy import held_out
from melanoma_core import paths
from melanoma_core.diagnoses import CODES, SEVEN_CLASSES
from melanoma_core.evaluation import evaluate
from melanoma_core.evaluation.evaluate import Evaluation
from melanoma_core.images.squares import Squares
from melanoma_core.metrics import classification, estimates
from melanoma_core.metrics.estimates import Estimate

FRACTIONS = (0.1, 0.2, 0.4, 0.7, 1.0)
_PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1)  # C of scikit-learn, on standardized embeddings
_CHUNK = 256  # photographs in memory at a time
_WEIGHTS = Path("../shared/pretrained/mobilenet_v2_imagenet_notop.weights.h5")
_METRICS = ("accuracy", "balanced_accuracy", "macro_auroc", "melanoma_auroc")


def main() -> None:
    """Embed, train the heads, print the table, and write the record."""
    arguments = _arguments()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with records.recorded(
        "learning_curve", arguments.results, "tensorflow-cpu", "keras", "scikit-learn",
        json_dir=arguments.records,
    ) as record:  # fmt: skip
        table = held_out.combined_with_splits(arguments)
        embeddings, table = _embedded(table, arguments)
        parts = {split: (table["split"] == split).to_numpy() for split in ("train", "val", "test")}
        test = evaluate.from_table(
            table[parts["test"]], np.zeros((int(parts["test"].sum()), len(CODES)))
        )
        print(
            ", ".join(f"{name} {int(rows.sum()):,}" for name, rows in parts.items())
            + f" photographs; {test.num_lesions():,} test lesions",
            flush=True,
        )
        points = list(_points(embeddings, table, parts, test, arguments.draws))
        record |= {
            "network": "mobilenet_v2",
            "image_size": arguments.image_size,
            "is_frozen": True,
            "datasets": sorted(table["source"].unique()),
            "test": {
                "num_photographs": len(test),
                "num_lesions": test.num_lesions(),
                "num_melanoma_lesions": test.num_lesions(test.is_melanoma == 1),
            },
            "points": points,
        }
        _print(points)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    held_out.add_dataset_option(parser, "ham10000.zip", "isic2017.zip", "isic9.zip")
    held_out.add_splits_option(parser)
    parser.add_argument("--weights", type=Path, default=_WEIGHTS, help="ImageNet, without the top")
    parser.add_argument("--image-size", type=int, default=160)
    parser.add_argument("--draws", type=int, default=5, help="of each fraction below 100 %%")
    parser.add_argument("--runs", type=Path, default=paths.runs_dir() / "learning_curve")
    records.add_option(parser)
    records.add_json_option(parser)
    return parser.parse_args()


def _embedded(
    table: pd.DataFrame, arguments: argparse.Namespace
) -> tuple[NDArray[np.float32], pd.DataFrame]:
    """(N, 1280) embeddings of all photographs, cached in `--runs`, and their rows."""
    key = paths.sha256("\n".join(table["image_id"]).encode())[:8]
    file: Path = arguments.runs / f"embeddings-{arguments.image_size}-{key}.npz"
    if not file.exists():
        import keras

        from melanoma_core.networks import architectures

        network = architectures.build(
            "mobilenet_v2", arguments.image_size, len(CODES), weights_path=arguments.weights
        )
        extractor = keras.Model(network.input, network.get_layer("embedding").output)
        chunks, image_ids = [], []
        for start in range(0, len(table), _CHUNK):
            rows = table.iloc[start : start + _CHUNK]
            squares = Squares(arguments.image_size)
            squares.read(list(rows["path"]))
            if squares.refused:  # all figures must be for the same photographs
                sys.exit("\n".join(squares.refused.values()))
            images = np.stack([squares.images[path] for path in rows["path"]])
            chunks.append(extractor.predict_on_batch(images))
            image_ids += list(rows["image_id"])
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(file, embeddings=np.concatenate(chunks), image_ids=np.array(image_ids, str))
    with np.load(file, allow_pickle=False) as cache:
        return cache["embeddings"], table.set_index("image_id").loc[
            cache["image_ids"]
        ].reset_index()


def _points(
    embeddings: NDArray[np.float32],
    table: pd.DataFrame,
    parts: dict[str, NDArray[np.bool_]],
    test: Evaluation,
    num_draws: int,
) -> Iterator[dict[str, Any]]:
    """One record per fraction."""
    labels = np.array([CODES.index(code) for code in table["diagnosis"]])
    val_embeddings, val_labels = embeddings[parts["val"]], labels[parts["val"]]
    for fraction in FRACTIONS:
        draws, probabilities, penalty = [], [], None
        # There is only one draw of all lesions, and the fit has one solution.
        for draw in range(num_draws if fraction < 1 else 1):
            rows = parts["train"] & draw_lesions(table, parts["train"], fraction, draw)
            data = embeddings[rows], labels[rows]
            if penalty is None:
                penalty = min(
                    _PENALTIES,
                    key=lambda c: evaluate.log_loss(_fit(*data, c)(val_embeddings), val_labels),
                )
            probabilities.append(_fit(*data, penalty)(embeddings[parts["test"]]))
            draws.append(table[rows])
        yield {
            "fraction": fraction,
            "num_draws": len(draws),
            "penalty": penalty,
            "num_photographs": round(np.mean([len(rows) for rows in draws])),
            "num_lesions": round(np.mean([rows["group_id"].nunique() for rows in draws])),
            "class_lesions": _class_lesions(draws),
            "figures": records.as_json([figures(test, probabilities)])[0],
        }
        print(f"{fraction:.0%} of the lesions: done", flush=True)


def draw_lesions(
    table: pd.DataFrame, is_train: NDArray[np.bool_], fraction: float, draw: int
) -> NDArray[np.bool_]:
    """(N,) true for photographs of a fraction of each diagnosis' training groups, at least one.

    For one draw, a larger fraction contains the smaller ones.
    """
    train = table[is_train].drop_duplicates("group_id")
    rng = np.random.default_rng(draw)
    groups: set[str] = set()
    for code in CODES:
        of_class = np.sort(train.loc[train["diagnosis"] == code, "group_id"].to_numpy(str))
        groups |= set(rng.permutation(of_class)[: max(1, round(fraction * len(of_class)))])
    return table["group_id"].isin(groups).to_numpy()


def _fit(
    embeddings: NDArray[np.float32], labels: NDArray[np.int64], penalty: float
) -> Callable[[NDArray[np.float32]], NDArray[np.float64]]:
    """Fit a head; the result maps embeddings to the nine probabilities."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    head = make_pipeline(StandardScaler(), LogisticRegression(C=penalty, max_iter=1000))
    # On two busy cores a fit took 6 s with two threads, which wait for each other; 0.6 s with one.
    with threadpool_limits(1):
        head.fit(embeddings, labels)

    def classify(embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        y_prob = np.zeros((len(embeddings), len(CODES)))
        y_prob[:, head.classes_] = head.predict_proba(embeddings)
        return y_prob

    return classify


def _class_lesions(draws: list[pd.DataFrame]) -> dict[str, int]:
    """Mean number of lesions per draw, for each of the seven classes."""
    return {
        code: round(
            np.mean([rows[rows["diagnosis"].isin(nine)]["group_id"].nunique() for rows in draws])
        )
        for code, nine in SEVEN_CLASSES.items()
    }


def figures(test: Evaluation, probabilities: list[NDArray[np.float64]]) -> dict[str, Estimate]:
    """Mean metrics of the draws in seven classes, with intervals over draws and test groups.

    Args:
        test: the test photographs; its probabilities are not used.
        probabilities: (N, 9) probabilities from each draw.
    """
    of_draws = [Evaluation(test.table, y_prob).seven_prob for y_prob in probabilities]
    true, prob = test.seven_true, np.stack(of_draws, axis=1)
    statistics: dict[str, Callable[..., float]] = {
        "accuracy": lambda t, p: classification.accuracy(t, p.argmax(axis=1)),
        "balanced_accuracy": lambda t, p: classification.balanced_accuracy(t, p.argmax(axis=1)),
        "macro_auroc": classification.macro_auroc,
    }
    for column, code in enumerate(SEVEN_CLASSES):
        name = "melanoma_auroc" if code == "MEL" else f"auroc_{code}"
        statistics[name] = lambda t, p, k=column: classification.auroc(t == k, p[:, k])
    return {
        name: _mean_over_draws(test, statistic, true, prob)
        for name, statistic in statistics.items()
    }


def _mean_over_draws(
    test: Evaluation,
    statistic: Callable[..., float],
    true: NDArray[np.int64],
    prob: NDArray[np.float64],
) -> Estimate:
    """Mean over the draws of `prob` (N, draws, 7); each resample uses the next draw in turn."""
    draws = itertools.cycle(range(prob.shape[1]))

    def of_next_draw(true: NDArray[np.int64], prob: NDArray[np.float64]) -> float:
        return statistic(true, prob[:, next(draws)])

    value = float(np.mean([statistic(true, prob[:, draw]) for draw in range(prob.shape[1])]))
    low, high = classification.bootstrap_interval(of_next_draw, (true, prob), test.groups)
    return Estimate(value, low, high, len(test), test.num_lesions())


def _print(points: list[dict[str, Any]]) -> None:
    rows = [
        (
            f"{point['fraction']:.0%}",
            f"{point['num_lesions']:,}",
            f"{point['class_lesions']['MEL']:,}",
            str(point["num_draws"]),
            f"{point['penalty']:g}",
            *(tables.interval(estimates.from_record(point["figures"][name])) for name in _METRICS),
        )
        for point in points
    ]
    headings = ("fraction", "lesions", "melanomas", "draws", "C")
    tables.print_table((*headings, "accuracy", "balanced", "macro AUROC", "MEL AUROC"), rows)
    names = [name for name in points[0]["figures"] if "auroc" in name and name != "macro_auroc"]
    tables.print_table(
        ("AUROC against the rest", *(f"{point['fraction']:.0%}" for point in points)),
        [
            (
                "MEL" if name == "melanoma_auroc" else name.removeprefix("auroc_"),
                *(
                    tables.interval(estimates.from_record(point["figures"][name]))
                    for point in points
                ),
            )
            for name in names
        ],
    )


if __name__ == "__main__":
    main()
