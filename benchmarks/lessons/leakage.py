"""Data leakage: one network trained in three ways, and the accuracy that each way appears to have.

Run as `python -m benchmarks.lessons.leakage` from the project's root. The starting project's
network is trained on the nine-class set with augmented copies made before the split, with copies
made after it, and on the clean table split by lesion. After each epoch, accuracy is measured on
the training part, on the validation part, and on one clean test: photographs of the Test folder
with one diagnosis, whose lesion is in none of the three training sets.

Finished runs are stored in `--runs`, so a stopped command resumes where it was.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from benchmarks import records, tables
from benchmarks.lessons import starting_cnn
from benchmarks.lessons.starting_cnn import Part
from melanoma_core import paths
from melanoma_core.audit import audits
from melanoma_core.data import datasets, splits
from melanoma_core.diagnoses import CODES
from melanoma_core.metrics import classification, estimates
from melanoma_core.metrics.estimates import Estimate

_DATA = Path("../shared/data")
WAYS = {
    "before": "copies made before the split",
    "after": "copies made after the split",
    "clean": "clean table, split by lesion",
}
_VAL_FRACTION = 0.2


@dataclass(frozen=True)
class NineClassTables:
    """The nine-class set's training photographs, as filed and cleaned, and the clean test."""

    filed: pd.DataFrame  # training; with `group_id`
    clean: pd.DataFrame  # training; with `group_id`
    test: pd.DataFrame  # with `group_id`
    num_test_folder: int
    notes: tuple[str, ...]  # what cleaning changed, in words


def main() -> None:
    """Do the runs that are not stored yet, print the table, and write the record."""
    arguments = _arguments()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with records.recorded(
        "leakage", arguments.results, "tensorflow-cpu", "keras", json_dir=arguments.records
    ) as record:
        nine_class = read_tables(arguments.dataset, arguments.reference, arguments.splits)
        for note in nine_class.notes:
            print(note)
        print(f"Clean test: {len(nine_class.test):,} photographs", flush=True)
        if arguments.limit:
            nine_class = _limited(nine_class, arguments.limit)
        runs: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
        for seed in range(arguments.seeds):
            for way, of_way in runs.items():
                of_way.append(_run(way, seed, nine_class, arguments))
        record |= {
            "network": "starting_cnn",
            "image_size": arguments.image_size,
            "epochs": arguments.epochs,
            "copies_of_a_class": arguments.copies,
            "notes": list(nine_class.notes),
            "test": _describe_test(nine_class),
            "ways": [_summarize(way, runs[way], nine_class) for way in WAYS],
        }
        _print(record["ways"])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, default=_DATA / "isic9.zip")
    parser.add_argument(
        "--reference", action="append", type=Path,
        help="published data set, repeatable (default: HAM10000 and ISIC 2017)",
    )  # fmt: skip
    parser.add_argument("--splits", type=Path, default=_DATA / "splits.csv")
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=1, help="runs of each way, from seed 0")
    parser.add_argument("--copies", type=int, default=starting_cnn.NUM_COPIES, help="per class")
    parser.add_argument("--limit", type=int, help="most files per class, for a trial run")
    parser.add_argument("--runs", type=Path, default=paths.runs_dir() / "leakage")
    records.add_option(parser)
    records.add_json_option(parser)
    arguments = parser.parse_args()
    arguments.reference = arguments.reference or [_DATA / "ham10000.zip", _DATA / "isic2017.zip"]
    return arguments


def read_tables(dataset: Path, references: list[Path], split_csv: Path) -> NineClassTables:
    """The training tables of the three ways, and a test without any of their lesions.

    Args:
        dataset: the nine-class set.
        references: published sets that contain some of its photographs.
        split_csv: its `group_id` groups photographs of one lesion and near copies.
    """
    filed = datasets.read(dataset)
    audit = audits.audit(filed, [datasets.read(path) for path in references])
    clean, changes = audits.clean(filed, audit.findings)
    group_of = splits.apply_file(filed.table, split_csv).set_index("image_id")["group_id"]
    group_of = group_of[~group_of.index.duplicated()]
    with_groups = [t.assign(group_id=t["image_id"].map(group_of)) for t in (filed.table, clean)]
    train_groups = {
        group for t in with_groups for group in t.loc[t["split"] == "train", "group_id"]
    }
    test = with_groups[1][with_groups[1]["split"] == "test"]
    # This also drops photographs with two diagnoses, because they are in both folders.
    test = test[~test["group_id"].isin(train_groups)].reset_index(drop=True)
    num_dropped = sum(change.is_dropped for change in changes)
    notes = (
        f"Of {len(filed.table):,} files, cleaning drops {num_dropped:,} and gives "
        f"{len(changes) - num_dropped:,} the diagnosis of a published table.",
    )
    train_tables = [t[t["split"] == "train"].reset_index(drop=True) for t in with_groups]
    num_test_folder = int((filed.table["split"] == "test").sum())
    return NineClassTables(*train_tables, test, num_test_folder, notes)


def _limited(nine_class: NineClassTables, limit: int) -> NineClassTables:
    """The first `limit` photographs of each diagnosis in each table."""
    limited = {
        name: getattr(nine_class, name).groupby("diagnosis").head(limit).reset_index(drop=True)
        for name in ("filed", "clean", "test")
    }
    return replace(nine_class, **limited)


def parts(
    way: str, nine_class: NineClassTables, seed: int, image_size: int, num_copies: int
) -> tuple[Part, Part, list[str]]:
    """Training and validation parts of one way, and the group of each validation photograph.

    With copies made before the split, each row is its own group, because it is not known which
    photograph a copy comes from.
    """
    rng = np.random.default_rng(seed)
    table = nine_class.clean if way == "clean" else nine_class.filed
    photographs = starting_cnn.part_of(table, image_size)
    if way == "before":
        photographs = starting_cnn.with_copies(photographs, num_copies, rng)
    if way == "clean":
        fractions = (1 - _VAL_FRACTION, _VAL_FRACTION, 0.0)
        by_group = table.assign(lesion_id=table["group_id"])
        is_val = (splits.assign(by_group, seed=seed, fractions=fractions)["split"] == "val").array
    else:
        num_rows = len(photographs.labels)
        is_val = rng.permutation(num_rows) < round(_VAL_FRACTION * num_rows)
    train, val = photographs.where(~is_val), photographs.where(is_val)
    if way == "before":
        return train, val, [str(row) for row in range(len(val.labels))]
    return (
        starting_cnn.with_copies(train, num_copies, rng),
        val,
        list(table.loc[is_val, "group_id"]),
    )


def _run(
    way: str, seed: int, nine_class: NineClassTables, arguments: argparse.Namespace
) -> dict[str, Any]:
    """The record of one run, from its file if it is stored already."""
    settings = {
        "way": way, "seed": seed, "image_size": arguments.image_size, "epochs": arguments.epochs,
        "copies": arguments.copies, "limit": arguments.limit,
        "test": list(nine_class.test["image_id"]),
    }  # fmt: skip
    file: Path = arguments.runs / f"{way}-{seed}-{paths.sha256(json.dumps(settings).encode())[:8]}"
    print(f"\n{WAYS[way]}, seed {seed}", flush=True)
    if file.exists():
        stored: dict[str, Any] = json.loads(file.read_text())
        for row in stored["curve"]:
            line = "  ".join(
                f"{part} {row[part]:.3f}" for part in ("training", "validation", "test")
            )
            print(f"epoch {row['epoch']:>3}  {line}")
        return stored
    started = time.monotonic()
    train, val, groups = parts(way, nine_class, seed, arguments.image_size, arguments.copies)
    test = starting_cnn.part_of(nine_class.test, arguments.image_size)
    predictions: dict[str, list[int]] = {}

    def measure(network: Any) -> dict[str, float]:
        accuracies: dict[str, float] = {}
        for name, part in (("validation", val), ("test", test)):
            y_pred = network.predict(part.images, batch_size=32, verbose=0).argmax(axis=1)
            predictions[name] = y_pred.tolist()
            accuracies |= _accuracies(name, part.labels, y_pred)
        return accuracies

    _, curve = starting_cnn.fit(train, val, arguments.epochs, seed, measure)
    run = {
        "seed": seed,
        "seconds": round(time.monotonic() - started),
        "num_photographs": {"training": len(train.labels), "validation": len(val.labels)},
        "curve": [
            {
                "epoch": row["epoch"],
                "training": row["accuracy"],
                **{n: row[n] for n in row if n.startswith(("validation", "test"))},
            }
            for row in curve
        ],
        "validation_labels": val.labels.tolist(),
        "validation_groups": groups,
        "called": predictions,  # after the last epoch
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    paths.write_atomic(file, json.dumps(run).encode())
    return run


def _accuracies(
    name: str, y_true: NDArray[np.int64], y_pred: NDArray[np.int64]
) -> dict[str, float]:
    return {
        name: round(classification.accuracy(y_true, y_pred), 4),
        f"{name}_balanced": round(classification.balanced_accuracy(y_true, y_pred), 4),
    }


def _describe_test(nine_class: NineClassTables) -> dict[str, Any]:
    counts = nine_class.test["diagnosis"].value_counts()
    return {
        "num_photographs": len(nine_class.test),
        "num_lesions": int(nine_class.test["group_id"].nunique()),
        "num_test_folder": nine_class.num_test_folder,
        "class_counts": {code: int(counts[code]) for code in CODES if code in counts},
    }


def _summarize(way: str, runs: list[dict[str, Any]], nine_class: NineClassTables) -> dict[str, Any]:
    """The runs of one way, and the mean of their figures after the last epoch."""
    test_labels = [CODES.index(code) for code in nine_class.test["diagnosis"]]
    training = float(np.mean([run["curve"][-1]["training"] for run in runs]))
    figures: dict[str, float | Estimate] = {"training": training}
    for suffix, metric in (
        ("", classification.accuracy),
        ("_balanced", classification.balanced_accuracy),
    ):
        of_val = [
            _mean_over_runs(
                metric, run["validation_labels"], [run["called"]["validation"]],
                run["validation_groups"],
            )
            for run in runs
        ]  # fmt: skip
        # Each seed has its own validation photographs; the test is the same for all.
        values = np.mean([(of_one.value, of_one.low, of_one.high) for of_one in of_val], axis=0)
        figures[f"validation{suffix}"] = replace(
            of_val[0], value=float(values[0]), low=float(values[1]), high=float(values[2])
        )
        figures[f"test{suffix}"] = _mean_over_runs(
            metric,
            test_labels,
            [run["called"]["test"] for run in runs],
            nine_class.test["group_id"],
        )
    return {
        "way": way,
        "figures": records.as_json([figures])[0],
        "runs": [
            {name: run[name] for name in ("seed", "seconds", "num_photographs", "curve")}
            for run in runs
        ],
    }


def _mean_over_runs(
    metric: Callable[..., float], labels: ArrayLike, predictions: list[list[int]], groups: ArrayLike
) -> Estimate:
    """The mean of a metric over runs that were measured on the same photographs.

    Args:
        metric: takes true and predicted classes.
        labels: (N,) true classes.
        predictions: for each run, (N,) predicted classes.
        groups: (N,) groups that are resampled whole for the interval.
    """

    def mean(y_true: NDArray[np.int64], y_pred: NDArray[np.int64]) -> float:
        return float(np.mean([metric(y_true, column) for column in y_pred.T]))

    y_true, y_pred, group_ids = np.array(labels), np.array(predictions).T, np.array(groups)
    low, high = classification.bootstrap_interval(mean, (y_true, y_pred), group_ids)
    return Estimate(mean(y_true, y_pred), low, high, len(y_true), len(np.unique(group_ids)))


def _print(ways: list[dict[str, Any]]) -> None:
    rows = []
    for way in ways:
        figures = {
            name: tables.interval(estimates.from_record(figure))
            if isinstance(figure, dict)
            else tables.number(figure)
            for name, figure in way["figures"].items()
        }
        rows.append((WAYS[way["way"]], *figures.values()))
    headings = ("accuracy after the last epoch", "training", "validation", "clean test")
    tables.print_table((*headings, "validation, balanced", "clean test, balanced"), rows)


if __name__ == "__main__":
    main()
