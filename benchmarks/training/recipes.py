"""The recipes that were tried: one row a training run, kept in benchmarks/results/recipes.csv.

Run as `python -m benchmarks.training.recipes RUN_DIR…` from the project's root. A run that has a row already
gets a new one in its place; rows of runs that are not named stay. The figures are those of the
validation split after the last finished epoch, before any weights are averaged.
"""

import argparse
import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks import records, tables
from melanoma_core import paths
from melanoma_core.errors import RunError
from melanoma_core.images.augmentations import AUGMENTATIONS, NO_AUGMENTATION, AugmentConfig
from melanoma_core.runs import plans
from melanoma_core.runs.configs import TrainConfig

_FIGURES = (
    "val_loss",
    "val_accuracy",
    "val_balanced_accuracy",
    "val_macro_auroc",
    "val_melanoma_auroc",
)
COLUMNS = (
    "run_id",
    "network",
    "image_size",
    "epochs",  # that were asked for
    "epochs_done",
    "learning_rate",
    "augment",
    "mixup",
    "balance",
    "start",  # the model gone on from, else the file of weights, else nothing
    "init_weight",
    "seed",
    "others",  # settings without a column of their own, where they are not the usual ones
    *_FIGURES,
)
_SHORT = {
    "image_size": "px",
    "epochs_done": "done",
    "learning_rate": "rate",
    "init_weight": "share",
    "val_loss": "loss",
    "val_accuracy": "accuracy",
    "val_balanced_accuracy": "balanced",
    "val_macro_auroc": "macro AUROC",
    "val_melanoma_auroc": "MEL AUROC",
}
Row = dict[str, str]


def main() -> None:
    """Add the runs to the table, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run_dirs", nargs="*", type=Path, metavar="RUN_DIR")
    parser.add_argument("--results", type=Path, default=records.RESULTS_DIR)
    arguments = parser.parse_args()
    path = arguments.results / "recipes.csv"
    rows = updated(read(path), [row_of(run_dir) for run_dir in arguments.run_dirs])
    arguments.results.mkdir(parents=True, exist_ok=True)
    paths.write_atomic(path, to_csv(rows).encode())
    headings = tuple(_SHORT.get(column, column) for column in COLUMNS)
    tables.print_table(headings, [[row[column] for column in COLUMNS] for row in rows])


def row_of(run_dir: Path) -> Row:
    """The recipe of a run and its figures, as text; what is not recorded is empty.

    Raises:
        RunError: the folder holds no run, or its history is damaged.
    """
    plan = plans.read_plan(run_dir)
    epochs = _history(run_dir)
    last = epochs[-1] if epochs else {}
    config = plan.config
    row = {
        "run_id": run_dir.resolve().name,
        "epochs_done": len(epochs),
        "augment": _augmentation(config.augment),
        "others": _others(config),
        "start": plan.from_model or (Path(plan.weights).name if plan.weights else "nothing"),
        **{name: f"{last[name]:.4f}" if name in last else "" for name in _FIGURES},
    }
    return {
        name: str(row[name] if name in row else getattr(config, name)) for name in COLUMNS
    }  # fmt: skip


def updated(rows: Sequence[Row], changed: Sequence[Row]) -> list[Row]:
    """The rows with those of the same run replaced, and those of other runs at the end."""
    by_run = {row["run_id"]: row for row in rows}
    return list((by_run | {row["run_id"]: row for row in changed}).values())


def read(path: Path) -> list[Row]:
    """The rows of a table that `to_csv` wrote; none where there is no file."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [{name: row.get(name) or "" for name in COLUMNS} for row in csv.DictReader(file)]


def to_csv(rows: Sequence[Row]) -> str:
    """The rows as CSV with a line of headings."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _history(run_dir: Path) -> list[dict[str, float]]:
    path = run_dir / "history.jsonl"
    try:
        return [json.loads(line) for line in path.read_text().splitlines()]
    except FileNotFoundError:
        return []  # no epoch is finished yet
    except (OSError, ValueError) as error:
        raise RunError(
            f"The history of the run “{run_dir.name}” cannot be read ({error}). Restore it from a "
            "copy, or leave the run out."
        ) from error


def _others(config: TrainConfig) -> str:
    usual = asdict(TrainConfig())
    return ", ".join(
        f"{name} {value}"
        for name, value in asdict(config).items()
        if name not in COLUMNS and value != usual[name]
    )


def _augmentation(augment: AugmentConfig) -> str:
    """Its name, and which changes were off that it has since, such as "strong without noise"."""
    if augment == NO_AUGMENTATION:
        return "none"
    settings = asdict(augment)
    for name, known in AUGMENTATIONS.items():
        other = [key for key, value in asdict(known).items() if settings[key] != value]
        if not any(settings[key] for key in other):
            return f"{name} without {', '.join(other)}" if other else name
    return "its own"


if __name__ == "__main__":
    main()
