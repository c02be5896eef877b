"""Trains the starting project's network as its authors did, or honestly, and tests it.

Run as `python -m benchmarks.lessons.starting_cnn --copies before` and `--copies after` from the project's
root. `before`: 500 augmented copies of each class are made before a random fifth becomes the
validation part, so copies of one photograph lie on both sides. `after`: photographs that are
filed under two diagnoses, copies, and lesions of the Test folder are left out; a fifth of the
lesions becomes the validation part; only then is the rest copied. Everything else is the same.
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

from benchmarks import tables
from melanoma_core import paths
from melanoma_core.data import datasets, splits
from melanoma_core.diagnoses import CODES
from melanoma_core.images.augmentations import NO_AUGMENTATION, augment
from melanoma_core.metrics import classification

RESULTS_DIR = Path(__file__).resolve().parent / "results"
_DATA = Path("../shared/data")
_IMAGE_SIZE = 180
_BATCH_SIZE = 32
_LEARNING_RATE = 1e-3
NUM_COPIES = 500  # of each class, as many as the starting project made
_DROPOUT = 0.2
# What the starting project's library turned, mirrored and zoomed; colors stay.
_COPYING = replace(NO_AUGMENTATION, rotate_degrees=10, scale=0.2)


@dataclass(frozen=True)
class Part:
    """Photographs to learn from or to be measured on."""

    images: NDArray[np.uint8]  # (N, S, S, 3)
    labels: NDArray[np.int64]  # (N,) position in `CODES`

    def where(self, rows: NDArray[Any]) -> "Part":
        """The rows that an index or a mask names."""
        return Part(self.images[rows], self.labels[rows])


@dataclass(frozen=True)
class Share:
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
    shares = {
        "validation": _share(network, val),
        "Test folder, as filed": _share(network, test),
        "Test folder, sound labels": _share(network, test.where(is_sound)),
    }
    _print_shares(shares)
    seconds = time.monotonic() - started
    print(f"\n{seconds:,.0f} s in all", flush=True)
    if arguments.output is None:
        print("Nothing was written: --limit gives figures of a part of the data.", file=sys.stderr)
        return
    record = {
        "copies": arguments.copies,
        "epochs": arguments.epochs,
        "seed": arguments.seed,
        "seconds": round(seconds),
        "num_photographs": counts,
        "notes": notes,
        "shares": {name: asdict(share) for name, share in shares.items()},
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
        "--splits", type=Path, help="CSV with group_id, for `after`; else each photograph is one"
    )
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--limit", type=int, help="for trying: at most so many files and copies of a class"
    )
    parser.add_argument(
        "--output", type=Path, help="JSON to write; in benchmarks/results if not given"
    )
    arguments = parser.parse_args()
    if arguments.output is None and arguments.limit is None:
        arguments.output = RESULTS_DIR / f"starting_cnn_{arguments.copies}.json"
    return arguments


def _read(arguments: argparse.Namespace) -> tuple[pd.DataFrame, list[str]]:
    """One row a file: `split` is train or test as the folders say; what was left out, in words.

    Added are `is_contradictory`, whether the photograph is filed under another diagnosis too,
    and, where a split file is given, its `group_id`; else that is the photograph's own id.
    """
    table = datasets.read(arguments.dataset).table
    filed = table.groupby("image_id")["diagnosis"].nunique()
    table["is_contradictory"] = table["image_id"].map(filed) > 1
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
    """The table without what must not be learned from; the Test folder stays as it is."""
    is_test = table["split"] == "test"
    pixels = [paths.sha256(Path(path).read_bytes()) for path in table["path"]]
    tested = set(table.loc[is_test, "group_id"])
    unsound = {
        "filed under two diagnoses": table["is_contradictory"],
        "copies of another file": table["image_id"].duplicated() | pd.Series(pixels).duplicated(),
        "of a group in the Test folder": table["group_id"].isin(tested),
    }
    kept, notes = pd.Series(True, index=table.index), []
    for reason, rows in unsound.items():
        left_out = rows.to_numpy() & ~is_test & kept
        kept &= ~left_out
        notes.append(f"Left out of training, {reason}: {int(left_out.sum()):,}.")
    return table[kept], notes


def _parts(table: pd.DataFrame, arguments: argparse.Namespace) -> tuple[Part, Part, Part]:
    """Training, validation and test, the first two with copies as `--copies` asks."""
    taught, test = (part_of(table[table["split"] == split]) for split in ("train", "test"))
    rng = np.random.default_rng(arguments.seed)
    num_copies = min(NUM_COPIES, arguments.limit or NUM_COPIES)
    if arguments.copies == "before":
        taught = with_copies(taught, num_copies, rng)
        order = rng.permutation(len(taught.labels))
        num_val = len(order) // 5
        return taught.where(order[num_val:]), taught.where(order[:num_val]), test
    rows = table[table["split"] == "train"]
    drawn = splits.assign(
        rows.assign(lesion_id=rows["group_id"]), seed=arguments.seed, fractions=(0.8, 0.2, 0.0)
    )
    is_val = (drawn["split"] == "val").to_numpy()
    return with_copies(taught.where(~is_val), num_copies, rng), taught.where(is_val), test


def part_of(table: pd.DataFrame, image_size: int = _IMAGE_SIZE) -> Part:
    """The photographs of the rows, squashed to a square of `image_size` pixels a side."""
    from melanoma_core.training import input_pipeline

    images, _, refused = input_pipeline.read_images(table, image_size)
    if refused:  # a figure must be of the same photographs everywhere
        sys.exit("\n".join(refused))
    return Part(images, np.array([CODES.index(code) for code in table["diagnosis"]]))


def with_copies(part: Part, num_copies: int, rng: np.random.Generator) -> Part:
    """The part and `num_copies` changed views of each class, of photographs drawn at random."""
    sources = np.concatenate(
        [rng.choice(np.flatnonzero(part.labels == k), num_copies) for k in np.unique(part.labels)]
    )
    images = np.empty((len(part.labels) + len(sources), *part.images.shape[1:]), np.uint8)
    images[: len(part.labels)] = part.images
    for place, source in enumerate(sources, start=len(part.labels)):
        image = part.images[source]
        mirrored = image[:, ::-1] if rng.random() < 0.5 else image
        images[place] = augment(mirrored, (int(rng.integers(2**31)),), _COPYING)
    return Part(images, np.concatenate([part.labels, part.labels[sources]]))


def fit(
    train: Part,
    val: Part,
    epochs: int,
    seed: int,
    measure: Callable[[Any], dict[str, float]] | None = None,
) -> tuple[Any, list[dict[str, float]]]:
    """The fitted network; accuracy on both parts after each epoch, which is printed too.

    Args:
        train: photographs to learn from; their size is the network's.
        val: photographs to watch.
        epochs: how often all of `train` is shown.
        seed: of first weights, order and dropout.
        measure: given the network after each epoch; what it returns joins that epoch's row.
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

    def keep(epoch: int, logs: dict[str, float]) -> None:
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
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=keep)],
    )  # fmt: skip
    return network, curve


def _share(network: Any, part: Part) -> Share:
    called = network.predict(part.images, batch_size=_BATCH_SIZE, verbose=0).argmax(axis=1)
    num_hits, total = int((called == part.labels).sum()), len(part.labels)
    low, high = classification.wilson_interval(num_hits, total)
    balanced = classification.balanced_accuracy(part.labels, called)
    return Share(num_hits, total, num_hits / total, low, high, balanced)


def _print_shares(shares: dict[str, Share]) -> None:
    rows = [
        (
            name,
            f"{share.num_hits:,} of {share.num_photographs:,}",
            f"{share.accuracy:.3f} ({share.low:.3f}–{share.high:.3f})",
            f"{share.balanced_accuracy:.3f}",
        )
        for name, share in shares.items()
    ]
    tables.print_table(("measured on", "right", "accuracy (95 %)", "balanced"), rows)


def _test_folder(table: pd.DataFrame) -> list[dict[str, Any]]:
    """What each file of the Test folder is filed as, so that other networks can be held to it."""
    columns = ["image_id", "diagnosis", "is_contradictory"]
    records: list[dict[str, Any]] = table.loc[table["split"] == "test", columns].to_dict("records")
    return records


if __name__ == "__main__":
    main()
