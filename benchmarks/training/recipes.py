"""Training recipes tried so far: one row per run, stored in benchmarks/results/recipes.csv.

Run as `python -m benchmarks.training.recipes RUN_DIR…` from the project's root. The row of a run is
replaced if there is one; other rows stay. The figures are for the validation split after the last
finished epoch, before weight averaging.
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
    "epochs",  # planned
    "epochs_done",
    "learning_rate",
    "augment",
    "mixup",
    "balance",
    "start",  # the model that was fine-tuned, or the file of weights, or "nothing"
    "init_weight",
    "seed",
    "others",  # settings without a column that differ from the default
    *_FIGURES,
)
_HEADINGS = {
    "image_size": "px",
    "epochs_done": "done",
    "learning_rate": "rate",
    "init_weight": "init",
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
    headings = tuple(_HEADINGS.get(column, column) for column in COLUMNS)
    tables.print_table(headings, [[row[column] for column in COLUMNS] for row in rows])


def row_of(run_dir: Path) -> Row:
    """A run's recipe and figures as text; empty where nothing is recorded.

    Raises:
        RunError: the folder contains no run, or its history is damaged.
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
        "start": plan.parent or (Path(plan.weights).name if plan.weights else "nothing"),
        **{name: f"{last[name]:.4f}" if name in last else "" for name in _FIGURES},
    }
    return {
        name: str(row[name] if name in row else getattr(config, name)) for name in COLUMNS
    }  # fmt: skip


def updated(rows: Sequence[Row], changed: Sequence[Row]) -> list[Row]:
    """The rows, with the changed ones replaced in place and new ones added at the end."""
    by_run = {row["run_id"]: row for row in rows}
    return list((by_run | {row["run_id"]: row for row in changed}).values())


def read(path: Path) -> list[Row]:
    """The rows of a file that `to_csv` wrote; none if there is no file."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [{name: row.get(name) or "" for name in COLUMNS} for row in csv.DictReader(file)]


def to_csv(rows: Sequence[Row]) -> str:
    """The rows as CSV with a header line."""
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
        return []  # no epoch has finished yet
    except (OSError, ValueError) as error:
        raise RunError(
            f"The history of the run “{run_dir.name}” cannot be read ({error}). Restore it from a "
            "copy, or leave the run out."
        ) from error


def _others(config: TrainConfig) -> str:
    defaults = asdict(TrainConfig())
    return ", ".join(
        f"{name} {value}"
        for name, value in asdict(config).items()
        if name not in COLUMNS and value != defaults[name]
    )


def _augmentation(augment: AugmentConfig) -> str:
    """Its name, with the changes that were switched off, such as "strong without noise"."""
    if augment == NO_AUGMENTATION:
        return "none"
    settings = asdict(augment)
    for name, preset in AUGMENTATIONS.items():
        differing = [key for key, value in asdict(preset).items() if settings[key] != value]
        if not any(settings[key] for key in differing):
            return f"{name} without {', '.join(differing)}" if differing else name
    return "custom"


if __name__ == "__main__":
    main()
