"""Train and test the starting project's network, with and without data leakage.

Run as `python -m benchmarks.lessons.starting_cnn --copies before` and `--copies after` from the
project's root. `before`, as its authors did: 500 augmented copies of each class are made before a
random fifth becomes the validation part, so copies of one photograph are on both sides. `after`:
photographs filed under two diagnoses, copies, and lesions of the Test folder are left out; a fifth
of the lesions becomes the validation part; only then is the rest augmented. Everything else is the
same.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import records, tables
from melanoma_core import paths
from melanoma_core.data import datasets, splits
from melanoma_core.diagnoses import CODES
from melanoma_core.images.augmentations import NO_AUGMENTATION, augment
from melanoma_core.images.squares import Squares
from melanoma_core.metrics import classification

_DATA = Path("../shared/data")
_IMAGE_SIZE = 180
_BATCH_SIZE = 32
_LEARNING_RATE = 1e-3
NUM_COPIES = 500  # of each class, as many as the starting project made
_DROPOUT = 0.2
# The starting project rotated, mirrored and zoomed its copies, and did not change colors.
_COPYING = replace(NO_AUGMENTATION, rotate_degrees=10, scale=0.2)


@dataclass(frozen=True)
class Part:
    """Photographs for training, validation or testing."""

    images: NDArray[np.uint8]  # (N, S, S, 3)
    labels: NDArray[np.int64]  # (N,) position in `CODES`

    def where(self, rows: NDArray[Any]) -> "Part":
        """The rows selected by an index or a mask."""
        return Part(self.images[rows], self.labels[rows])


@dataclass(frozen=True)
class Accuracy:
    """Accuracy on one part, with Wilson's 95 % interval."""

    num_hits: int
    num_photographs: int
    accuracy: float
    low: float
    high: float
    balanced_accuracy: float


def main() -> None:
    """Train, print the curve and the table, and write the figures."""
    arguments = _arguments()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    tables.print_heading("tensorflow-cpu", "tensorflow", "keras")
    started = time.monotonic()
    table, notes = _read(arguments)
    train, val, test = _parts(table, arguments)
    is_sound = ~table.loc[table["split"] == "test", "is_contradictory"].to_numpy(bool)
    counts = {"training": len(train.labels), "validation": len(val.labels), "test": len(is_sound)}
    for note in notes:
        print(note)
    print(", ".join(f"{name} {count:,}" for name, count in counts.items()), flush=True)

    network, curve = fit(train, val, arguments.epochs, arguments.seed)
    accuracies = {
        "validation": _accuracy(network, val),
        "Test folder, as filed": _accuracy(network, test),
        "Test folder, sound labels": _accuracy(network, test.where(is_sound)),
    }
    _print_accuracies(accuracies)
    seconds = time.monotonic() - started
    print(f"\n{seconds:,.0f} s in all", flush=True)
    if arguments.output is None:
        print("Nothing was written, because --limit uses only part of the data.", file=sys.stderr)
        return
    record = {
        "copies": arguments.copies,
        "epochs": arguments.epochs,
        "seed": arguments.seed,
        "seconds": round(seconds),
        "num_photographs": counts,
        "notes": notes,
        "shares": {name: asdict(accuracy) for name, accuracy in accuracies.items()},
        "curve": curve,
        "test_folder": _test_folder(table),
        "versions": {name: metadata.version(name) for name in ("keras", "numpy", "pillow")},
    }
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    paths.write_atomic(arguments.output, (json.dumps(record, indent=1) + "\n").encode())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copies", choices=("before", "after"), required=True)
    parser.add_argument("--dataset", type=Path, default=_DATA / "isic9.zip")
    parser.add_argument(
        "--splits", type=Path, help="CSV with group_id (default: each photograph is a group)"
    )
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--limit", type=int, help="most files and copies per class, for a trial run"
    )
    parser.add_argument(
        "--output", type=Path, help="JSON to write (default: in benchmarks/results)"
    )
    arguments = parser.parse_args()
    if arguments.output is None and arguments.limit is None:
        arguments.output = records.RESULTS_DIR / f"starting_cnn_{arguments.copies}.json"
    return arguments


def _read(arguments: argparse.Namespace) -> tuple[pd.DataFrame, list[str]]:
    """One row per file, and notes on what was left out.

    `split` is train or test, from the folders. `is_contradictory` marks a photograph that is also
    filed under another diagnosis. `group_id` is the split file's, or the image id without one.
    """
    table = datasets.read(arguments.dataset).table
    num_diagnoses = table.groupby("image_id")["diagnosis"].nunique()
    table["is_contradictory"] = table["image_id"].map(num_diagnoses) > 1
    table["group_id"] = table["image_id"]
    if arguments.splits is not None:
        table["group_id"] = splits.apply_file(table, arguments.splits)["group_id"]
    notes: list[str] = []
    if arguments.copies == "after":
        table, notes = _without_unsound(table)
    if arguments.limit is not None:
        table = table.groupby(["split", "diagnosis"]).head(arguments.limit)
    return table.reset_index(drop=True), notes


def _without_unsound(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The table without unsound training rows; the Test folder is unchanged."""
    is_test = table["split"] == "test"
    hashes = [paths.sha256(Path(path).read_bytes()) for path in table["path"]]
    test_groups = set(table.loc[is_test, "group_id"])
    unsound = {
        "filed under two diagnoses": table["is_contradictory"],
        "copies of another file": table["image_id"].duplicated() | pd.Series(hashes).duplicated(),
        "of a group in the Test folder": table["group_id"].isin(test_groups),
    }
    is_sound, notes = pd.Series(True, index=table.index), []
    for reason, rows in unsound.items():
        left_out = rows.to_numpy() & ~is_test & is_sound
        is_sound &= ~left_out
        notes.append(f"Left out of training, {reason}: {int(left_out.sum()):,}.")
    return table[is_sound], notes


def _parts(table: pd.DataFrame, arguments: argparse.Namespace) -> tuple[Part, Part, Part]:
    """Training, validation and test parts, with copies made as `--copies` says."""
    train, test = (part_of(table[table["split"] == split]) for split in ("train", "test"))
    rng = np.random.default_rng(arguments.seed)
    num_copies = min(NUM_COPIES, arguments.limit or NUM_COPIES)
    if arguments.copies == "before":
        train = with_copies(train, num_copies, rng)
        order = rng.permutation(len(train.labels))
        num_val = len(order) // 5
        return train.where(order[num_val:]), train.where(order[:num_val]), test
    rows = table[table["split"] == "train"]
    assigned = splits.assign(
        rows.assign(lesion_id=rows["group_id"]), seed=arguments.seed, fractions=(0.8, 0.2, 0.0)
    )
    is_val = (assigned["split"] == "val").to_numpy()
    return with_copies(train.where(~is_val), num_copies, rng), train.where(is_val), test


def part_of(table: pd.DataFrame, image_size: int = _IMAGE_SIZE) -> Part:
    """The photographs of the rows, resized to a square of `image_size` pixels a side."""
    squares = Squares(image_size)
    squares.read(list(table["path"]))
    if squares.refused:  # all figures must be for the same photographs
        sys.exit("\n".join(squares.refused.values()))
    images = np.stack([squares.images[path] for path in table["path"]])
    return Part(images, np.array([CODES.index(code) for code in table["diagnosis"]]))


def with_copies(part: Part, num_copies: int, rng: np.random.Generator) -> Part:
    """The part plus `num_copies` augmented copies per class, of photographs drawn at random."""
    sources = np.concatenate(
        [rng.choice(np.flatnonzero(part.labels == k), num_copies) for k in np.unique(part.labels)]
    )
    images = np.empty((len(part.labels) + len(sources), *part.images.shape[1:]), np.uint8)
    images[: len(part.labels)] = part.images
    for row, source in enumerate(sources, start=len(part.labels)):
        image = part.images[source]
        mirrored = image[:, ::-1] if rng.random() < 0.5 else image
        images[row] = augment(mirrored, (int(rng.integers(2**31)),), _COPYING)
    return Part(images, np.concatenate([part.labels, part.labels[sources]]))


def fit(
    train: Part,
    val: Part,
    epochs: int,
    seed: int,
    measure: Callable[[Any], dict[str, float]] | None = None,
) -> tuple[Any, list[dict[str, float]]]:
    """Train the network; the result is the network and one row of accuracies per epoch.

    Args:
        train: training photographs; their size becomes the network's.
        val: validation photographs.
        epochs: passes over `train`.
        seed: of initial weights, order and dropout.
        measure: called with the network after each epoch; its result is added to the row.
    """
    import keras

    from melanoma_core.networks import architectures
    from melanoma_core.training import fitting

    fitting.make_repeatable(seed)
    image_size = train.images.shape[1]
    network = architectures.build("starting_cnn", image_size, len(CODES), dropout=_DROPOUT)
    network.compile(
        optimizer=keras.optimizers.Adam(_LEARNING_RATE),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    curve: list[dict[str, float]] = []
    started = time.monotonic()

    def record_epoch(epoch: int, logs: dict[str, float]) -> None:
        row = {"epoch": epoch + 1, **{name: round(float(logs[name]), 4) for name in logs}}
        curve.append(row | (measure(network) if measure else {}))
        print(
            f"epoch {row['epoch']:>3}  training {row['accuracy']:.3f}  "
            f"validation {row['val_accuracy']:.3f}  {time.monotonic() - started:,.0f} s",
            flush=True,
        )

    # The arrays stay uint8; Keras casts each batch to the network's float32.
    network.fit(
        train.images, train.labels, validation_data=(val.images, val.labels), verbose=0,
        batch_size=_BATCH_SIZE, epochs=epochs,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=record_epoch)],
    )  # fmt: skip
    return network, curve


def _accuracy(network: Any, part: Part) -> Accuracy:
    y_pred = network.predict(part.images, batch_size=_BATCH_SIZE, verbose=0).argmax(axis=1)
    num_hits, total = int((y_pred == part.labels).sum()), len(part.labels)
    low, high = classification.wilson_interval(num_hits, total)
    balanced = classification.balanced_accuracy(part.labels, y_pred)
    return Accuracy(num_hits, total, num_hits / total, low, high, balanced)


def _print_accuracies(accuracies: dict[str, Accuracy]) -> None:
    rows = [
        (
            name,
            f"{accuracy.num_hits:,} of {accuracy.num_photographs:,}",
            f"{accuracy.accuracy:.3f} ({accuracy.low:.3f}–{accuracy.high:.3f})",
            f"{accuracy.balanced_accuracy:.3f}",
        )
        for name, accuracy in accuracies.items()
    ]
    tables.print_table(("measured on", "correct", "accuracy (95 %)", "balanced"), rows)


def _test_folder(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The diagnosis of each file of the Test folder, so that other networks can be compared."""
    columns = ["image_id", "diagnosis", "is_contradictory"]
    rows: list[dict[str, Any]] = table.loc[table["split"] == "test", columns].to_dict("records")
    return rows


if __name__ == "__main__":
    main()
