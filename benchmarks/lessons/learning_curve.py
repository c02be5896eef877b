"""What more data would buy: a network taught a tenth of the training lesions up to all of them.

Run as `python -m benchmarks.lessons.learning_curve` from the project's root. MobileNetV2 with its ImageNet
weights stays as it is, so it has seen no lesion; a multinomial logistic regression on its embedding
is what learns, from 10, 20, 40, 70 and 100 % of the training lesions of all data sets. Every
fraction is drawn several times, by diagnosis, the smaller draws being parts of the larger ones;
all are measured on the whole test split. The penalty is chosen on the validation split.
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
from melanoma_core.metrics import classification, estimates
from melanoma_core.metrics.estimates import Estimate

FRACTIONS = (0.1, 0.2, 0.4, 0.7, 1.0)
_PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1)  # C of scikit-learn, on standardised embeddings
_CHUNK = 256  # photographs in memory at a time
_WEIGHTS = Path("../shared/pretrained/mobilenet_v2_imagenet_notop.weights.h5")
_PRINTED = ("accuracy", "balanced_accuracy", "macro_auroc", "melanoma_auroc")


def main() -> None:
    """Embed, train the heads, print the table, and write the record."""
    arguments = _arguments()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with records.recorded(
        "learning_curve", arguments.results, "tensorflow-cpu", "keras", "scikit-learn",
        json_dir=arguments.records,
    ) as record:  # fmt: skip
        table = held_out.divided(arguments)
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
    parser.add_argument(
        "--dataset", action="append", type=Path, help="repeatable; all three when left out"
    )
    held_out.add_splits_option(parser)
    parser.add_argument("--weights", type=Path, default=_WEIGHTS, help="ImageNet, without the top")
    parser.add_argument("--image-size", type=int, default=160)
    parser.add_argument("--draws", type=int, default=5, help="of each fraction below 100 %%")
    parser.add_argument("--runs", type=Path, default=paths.runs_dir() / "learning_curve")
    records.add_option(parser)
    records.add_json_option(parser)
    names = ("ham10000.zip", "isic2017.zip", "isic9.zip")
    parser.set_defaults(default_datasets=[held_out.DATA / name for name in names])
    return parser.parse_args()


def _embedded(
    table: pd.DataFrame, arguments: argparse.Namespace
) -> tuple[NDArray[np.float32], pd.DataFrame]:
    """(N, 1280) of all photographs, and their rows; kept in `--runs`."""
    key = paths.sha256("\n".join(table["image_id"]).encode())[:8]
    file: Path = arguments.runs / f"embeddings-{arguments.image_size}-{key}.npz"
    if not file.exists():
        import keras

        from melanoma_core.networks import architectures
        from melanoma_core.training import input_pipeline

        network = architectures.build(
            "mobilenet_v2", arguments.image_size, len(CODES), weights_path=arguments.weights
        )
        extractor = keras.Model(network.input, network.get_layer("embedding").output)
        found, image_ids = [], []
        for start in range(0, len(table), _CHUNK):
            images, kept, refused = input_pipeline.read_images(
                table.iloc[start : start + _CHUNK], arguments.image_size
            )
            if refused:  # a figure must be of the same photographs everywhere
                sys.exit("\n".join(refused))
            found.append(extractor.predict_on_batch(images))
            image_ids += list(kept["image_id"])
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(file, embeddings=np.concatenate(found), image_ids=np.array(image_ids, str))
    with np.load(file, allow_pickle=False) as kept_file:
        image_ids = kept_file["image_ids"]
        rows = table.set_index("image_id").loc[image_ids].reset_index()
        return kept_file["embeddings"], rows


def _points(
    embeddings: NDArray[np.float32],
    table: pd.DataFrame,
    parts: dict[str, NDArray[np.bool_]],
    test: Evaluation,
    num_draws: int,
) -> Iterator[dict[str, Any]]:
    """One record a fraction."""
    labels = np.array([CODES.index(code) for code in table["diagnosis"]])
    val = embeddings[parts["val"]], labels[parts["val"]]
    for fraction in FRACTIONS:
        taught, said, penalty = [], [], None
        # All lesions can be drawn in one way only, and the fit has one solution.
        for draw in range(num_draws if fraction < 1 else 1):
            rows = parts["train"] & drawn(table, parts["train"], fraction, draw)
            data = embeddings[rows], labels[rows]
            if penalty is None:
                penalty = min(_PENALTIES, key=lambda c: _log_loss(_fit(*data, c), *val))
            said.append(_fit(*data, penalty)(embeddings[parts["test"]]))
            taught.append(table[rows])
        yield {
            "fraction": fraction,
            "num_draws": len(taught),
            "penalty": penalty,
            "num_photographs": round(np.mean([len(rows) for rows in taught])),
            "num_lesions": round(np.mean([rows["group_id"].nunique() for rows in taught])),
            "class_lesions": _class_lesions(taught),
            "figures": records.as_json([figures(test, said)])[0],
        }
        print(f"{fraction:.0%} of the lesions: done", flush=True)


def drawn(
    table: pd.DataFrame, is_train: NDArray[np.bool_], fraction: float, draw: int
) -> NDArray[np.bool_]:
    """(N,) photographs of a share of the training groups of each diagnosis, one at the least.

    A draw's larger fractions hold its smaller ones.
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
    """A head's function from embeddings to the nine probabilities."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    head = make_pipeline(StandardScaler(), LogisticRegression(C=penalty, max_iter=1000))
    # On two busy cores a fit took 6 s with two threads, which wait for each other, and 0.6 s so.
    with threadpool_limits(1):
        head.fit(embeddings, labels)

    def probabilities(of: NDArray[np.float32]) -> NDArray[np.float64]:
        found = np.zeros((len(of), len(CODES)))
        found[:, head.classes_] = head.predict_proba(of)
        return found

    return probabilities


def _log_loss(
    head: Callable[[NDArray[np.float32]], NDArray[np.float64]],
    embeddings: NDArray[np.float32],
    labels: NDArray[np.int64],
) -> float:
    right = head(embeddings)[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(right, 1e-12)).mean())


def _class_lesions(taught: list[pd.DataFrame]) -> dict[str, int]:
    """Lesions of each of the seven classes, the mean of the draws."""
    return {
        code: round(
            np.mean([rows[rows["diagnosis"].isin(nine)]["group_id"].nunique() for rows in taught])
        )
        for code, nine in SEVEN_CLASSES.items()
    }


def figures(test: Evaluation, said: list[NDArray[np.float64]]) -> dict[str, Estimate]:
    """Of the seven classes: the mean of the draws, with intervals over draws and test groups.

    Args:
        test: the test photographs; its probabilities are not looked at.
        said: of each draw, (N, 9) probabilities of them.
    """
    of_draws = [Evaluation(test.table, y_prob).seven_prob for y_prob in said]
    true, prob = test.seven_true, np.stack(of_draws, axis=1)
    statistics: dict[str, Callable[..., float]] = {
        "accuracy": lambda t, p: classification.accuracy(t, p.argmax(axis=1)),
        "balanced_accuracy": lambda t, p: classification.balanced_accuracy(t, p.argmax(axis=1)),
        "macro_auroc": classification.macro_auroc,
    }
    for column, code in enumerate(SEVEN_CLASSES):
        name = "melanoma_auroc" if code == "MEL" else f"auroc_{code}"
        statistics[name] = lambda t, p, k=column: classification.auroc(t == k, p[:, k])
    return {name: _figure(test, statistic, true, prob) for name, statistic in statistics.items()}


def _figure(
    test: Evaluation,
    statistic: Callable[..., float],
    true: NDArray[np.int64],
    prob: NDArray[np.float64],
) -> Estimate:
    """The mean over draws of `prob` (N, draws, 7); each resample takes the next one in turn."""
    turns = itertools.cycle(range(prob.shape[1]))

    def of_next_draw(true: NDArray[np.int64], prob: NDArray[np.float64]) -> float:
        return statistic(true, prob[:, next(turns)])

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
            *(tables.interval(estimates.from_record(point["figures"][name])) for name in _PRINTED),
        )
        for point in points
    ]
    headings = ("of the lesions", "lesions", "melanomas", "draws", "C")
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
