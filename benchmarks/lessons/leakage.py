"""The leakage story: one network taught in three ways, and what each way seems to reach.

Run as `python -m benchmarks.lessons.leakage` from the project's root. The starting project's network is
trained on the nine-class set with augmented copies made before the split, with copies made after
it, and on the clean table divided by lesion. After each epoch its accuracy is taken on what it
learned from, on its own validation part, and on one clean test: photographs of the Test folder
whose label is sound and of whose lesion none of the three ways was taught a photograph.

A way and seed that is done stays in `--runs`, so a stopped command goes on where it was.
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
    "clean": "clean table, divided by lesion",
}
_VAL_SHARE = 0.2


@dataclass(frozen=True)
class Tables:
    """The nine-class set as it is filed and cleaned, and the photographs that judge all ways."""

    filed: pd.DataFrame  # for learning; with `group_id`
    clean: pd.DataFrame  # for learning; with `group_id`
    test: pd.DataFrame  # with `group_id`
    num_test_folder: int
    notes: tuple[str, ...]  # what cleaning did, in words


def main() -> None:
    """Train what is not trained yet, print the table, and write the record."""
    arguments = _arguments()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with records.recorded(
        "leakage", arguments.results, "tensorflow-cpu", "keras", json_dir=arguments.records
    ) as record:
        found = divide(arguments.dataset, arguments.reference, arguments.splits)
        for note in found.notes:
            print(note)
        print(f"Clean test: {len(found.test):,} photographs", flush=True)
        if arguments.limit:
            found = _some(found, arguments.limit)
        runs: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
        for seed in range(arguments.seeds):
            for way, of_way in runs.items():
                of_way.append(_run(way, seed, found, arguments))
        record |= {
            "network": "starting_cnn",
            "image_size": arguments.image_size,
            "epochs": arguments.epochs,
            "copies_of_a_class": arguments.copies,
            "notes": list(found.notes),
            "test": _described(found),
            "ways": [_way(way, runs[way], found) for way in WAYS],
        }
        _print(record["ways"])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, default=_DATA / "isic9.zip")
    parser.add_argument(
        "--reference", action="append", type=Path,
        help="published table with its photographs, repeatable; HAM10000 and ISIC 2017 by default",
    )  # fmt: skip
    parser.add_argument("--splits", type=Path, default=_DATA / "splits.csv")
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=1, help="runs of each way; the first is 0")
    parser.add_argument("--copies", type=int, default=starting_cnn.NUM_COPIES, help="of a class")
    parser.add_argument("--limit", type=int, help="for trying: at most so many files of a class")
    parser.add_argument("--runs", type=Path, default=paths.runs_dir() / "leakage")
    records.add_option(parser)
    records.add_json_option(parser)
    arguments = parser.parse_args()
    arguments.reference = arguments.reference or [_DATA / "ham10000.zip", _DATA / "isic2017.zip"]
    return arguments


def divide(dataset: Path, references: list[Path], split_csv: Path) -> Tables:
    """What the three ways learn from, and the test that none of them was taught anything of.

    Args:
        dataset: the nine-class set.
        references: published sets that know some of its photographs.
        split_csv: its `group_id` joins photographs of one lesion and near copies.
    """
    filed = datasets.read(dataset)
    audit = audits.audit(filed, [datasets.read(path) for path in references])
    clean, changes = audits.clean(filed, audit.findings)
    group_of = splits.apply_file(filed.table, split_csv).set_index("image_id")["group_id"]
    group_of = group_of[~group_of.index.duplicated()]
    tables_ = [t.assign(group_id=t["image_id"].map(group_of)) for t in (filed.table, clean)]
    taught = {group for t in tables_ for group in t.loc[t["split"] == "train", "group_id"]}
    test = tables_[1][tables_[1]["split"] == "test"]
    # A photograph that is filed under two diagnoses too is in both folders, so it is taught.
    test = test[~test["group_id"].isin(taught)].reset_index(drop=True)
    num_dropped = sum(change.is_dropped for change in changes)
    notes = (
        f"Of {len(filed.table):,} files the clean table drops {num_dropped:,}; of those that stay "
        f"{len(changes) - num_dropped:,} have the diagnosis of a published table.",
    )
    for_learning = [t[t["split"] == "train"].reset_index(drop=True) for t in tables_]
    num_test_folder = int((filed.table["split"] == "test").sum())
    return Tables(*for_learning, test, num_test_folder, notes)


def _some(found: Tables, limit: int) -> Tables:
    few = [
        table.groupby("diagnosis").head(limit).reset_index(drop=True)
        for table in (found.filed, found.clean, found.test)
    ]
    return Tables(*few, found.num_test_folder, found.notes)


def parts(
    way: str, found: Tables, seed: int, image_size: int, num_copies: int
) -> tuple[Part, Part, list[str]]:
    """Training and validation as a way has them, and the group of each validation photograph.

    A copy's photograph is not known, so with copies made before the split each row is a group.
    """
    rng = np.random.default_rng(seed)
    table = found.clean if way == "clean" else found.filed
    taught = starting_cnn.part_of(table, image_size)
    if way == "before":
        taught = starting_cnn.with_copies(taught, num_copies, rng)
    if way == "clean":
        fractions = (1 - _VAL_SHARE, _VAL_SHARE, 0.0)
        by_group = table.assign(lesion_id=table["group_id"])
        is_val = (splits.assign(by_group, seed=seed, fractions=fractions)["split"] == "val").array
    else:
        num_rows = len(taught.labels)
        is_val = rng.permutation(num_rows) < round(_VAL_SHARE * num_rows)
    train, val = taught.where(~is_val), taught.where(is_val)
    if way == "before":
        return train, val, [str(row) for row in range(len(val.labels))]
    return (
        starting_cnn.with_copies(train, num_copies, rng),
        val,
        list(table.loc[is_val, "group_id"]),
    )


def _run(way: str, seed: int, found: Tables, arguments: argparse.Namespace) -> dict[str, Any]:
    """One run's record, from its file if it was made already."""
    settings = {
        "way": way, "seed": seed, "image_size": arguments.image_size, "epochs": arguments.epochs,
        "copies": arguments.copies, "limit": arguments.limit, "test": list(found.test["image_id"]),
    }  # fmt: skip
    file: Path = arguments.runs / f"{way}-{seed}-{paths.sha256(json.dumps(settings).encode())[:8]}"
    print(f"\n{WAYS[way]}, seed {seed}", flush=True)
    if file.exists():
        kept: dict[str, Any] = json.loads(file.read_text())
        for row in kept["curve"]:
            line = "  ".join(
                f"{part} {row[part]:.3f}" for part in ("training", "validation", "test")
            )
            print(f"epoch {row['epoch']:>3}  {line}")
        return kept
    started = time.monotonic()
    train, val, groups = parts(way, found, seed, arguments.image_size, arguments.copies)
    test = starting_cnn.part_of(found.test, arguments.image_size)
    called: dict[str, list[int]] = {}

    def measure(network: Any) -> dict[str, float]:
        shares: dict[str, float] = {}
        for name, part in (("validation", val), ("test", test)):
            likeliest = network.predict(part.images, batch_size=32, verbose=0).argmax(axis=1)
            called[name] = likeliest.tolist()
            shares |= _accuracies(name, part.labels, likeliest)
        return shares

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
        "called": called,  # after the last epoch
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    paths.write_atomic(file, json.dumps(run).encode())
    return run


def _accuracies(
    name: str, labels: NDArray[np.int64], likeliest: NDArray[np.int64]
) -> dict[str, float]:
    return {
        name: round(classification.accuracy(labels, likeliest), 4),
        f"{name}_balanced": round(classification.balanced_accuracy(labels, likeliest), 4),
    }


def _described(found: Tables) -> dict[str, Any]:
    counts = found.test["diagnosis"].value_counts()
    return {
        "num_photographs": len(found.test),
        "num_lesions": int(found.test["group_id"].nunique()),
        "num_test_folder": found.num_test_folder,
        "class_counts": {code: int(counts[code]) for code in CODES if code in counts},
    }


def _way(way: str, runs: list[dict[str, Any]], found: Tables) -> dict[str, Any]:
    """A way's runs, and its figures after the last epoch, the means of its runs."""
    test_labels = [CODES.index(code) for code in found.test["diagnosis"]]
    figures = {"training": float(np.mean([run["curve"][-1]["training"] for run in runs]))}
    for suffix, figure in (
        ("", classification.accuracy),
        ("_balanced", classification.balanced_accuracy),
    ):
        of_val = [
            _figure(
                figure, run["validation_labels"], [run["called"]["validation"]],
                run["validation_groups"],
            )
            for run in runs
        ]  # fmt: skip
        # The validation parts of two seeds are different photographs; the test is one.
        values = np.mean([(of_one.value, of_one.low, of_one.high) for of_one in of_val], axis=0)
        figures[f"validation{suffix}"] = replace(
            of_val[0], value=float(values[0]), low=float(values[1]), high=float(values[2])
        )
        figures[f"test{suffix}"] = _figure(
            figure, test_labels, [run["called"]["test"] for run in runs], found.test["group_id"]
        )
    return {
        "way": way,
        "figures": records.as_json([figures])[0],
        "runs": [
            {name: run[name] for name in ("seed", "seconds", "num_photographs", "curve")}
            for run in runs
        ],
    }


def _figure(
    figure: Callable[..., float], labels: ArrayLike, called: list[list[int]], groups: ArrayLike
) -> Estimate:
    """The mean of a figure over runs that were measured on the same photographs.

    Args:
        figure: called with true and likeliest classes.
        labels: (N,) true classes.
        called: of each run, (N,) likeliest classes.
        groups: (N,) what is resampled whole for the interval.
    """

    def mean(truth: NDArray[np.int64], said: NDArray[np.int64]) -> float:
        return float(np.mean([figure(truth, column) for column in said.T]))

    truth, said, names = np.array(labels), np.array(called).T, np.array(groups)
    low, high = classification.bootstrap_interval(mean, (truth, said), names)
    return Estimate(mean(truth, said), low, high, len(truth), len(np.unique(names)))


def _print(ways: list[dict[str, Any]]) -> None:
    rows = []
    for way in ways:
        figures = {
            name: tables.interval(estimates.from_record(of))
            if isinstance(of, dict)
            else tables.number(of)
            for name, of in way["figures"].items()
        }
        rows.append((WAYS[way["way"]], *figures.values()))
    headings = ("accuracy after the last epoch", "training", "validation", "clean test")
    tables.print_table((*headings, "validation, balanced", "clean test, balanced"), rows)


if __name__ == "__main__":
    main()
