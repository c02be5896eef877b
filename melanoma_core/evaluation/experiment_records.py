"""Recorded measurements that the page Lessons shows: how they were made, and what they found.

`python -m benchmarks.lessons.leakage` and `python -m benchmarks.lessons.learning_curve` write the records. They
are read as untrusted text: one that lacks a figure, or whose figures contradict each other, is
refused whole.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from melanoma_core.diagnoses import SEVEN_CLASSES
from melanoma_core.errors import RecordError
from melanoma_core.metrics.estimates import Estimate, from_record

LEAKAGE = "leakage.json"
LEARNING_CURVE = "learning_curve.json"
COMMANDS = {
    LEAKAGE: "python -m benchmarks.lessons.leakage",
    LEARNING_CURVE: "python -m benchmarks.lessons.learning_curve",
}
WAYS = ("before", "after", "clean")  # when copies are made; and the clean table, by lesion
PARTS = ("training", "validation", "test")
AUROC_OF = {code: "melanoma_auroc" if code == "MEL" else f"auroc_{code}" for code in SEVEN_CLASSES}
FIGURES = ("accuracy", "balanced_accuracy", "macro_auroc", *AUROC_OF.values())
_ROUNDING = 1e-4  # of the epochs' accuracies in the record

Record = TypeVar("Record")


@dataclass(frozen=True)
class Run:
    """One training: accuracy after each epoch."""

    seed: int
    num_training: int  # photographs, copies counted
    num_validation: int
    curves: dict[str, NDArray[np.float64]]  # (E,) of each of `PARTS`


@dataclass(frozen=True)
class Way:
    """One way to teach the network, and what it came to after the last epoch."""

    way: str  # of `WAYS`
    training: float  # accuracy
    validation: Estimate
    test: Estimate
    validation_balanced: Estimate
    test_balanced: Estimate
    runs: tuple[Run, ...]  # one a seed

    def mean_curve(self, part: str) -> NDArray[np.float64]:
        """(E,) accuracy on one of `PARTS`, the mean of the runs."""
        return np.asarray(np.mean([run.curves[part] for run in self.runs], axis=0), np.float64)


@dataclass(frozen=True)
class Leakage:
    """The same network taught in three ways, measured on one clean test."""

    command: str
    machine: str
    image_size: int  # pixels a side
    epochs: int
    num_copies: int  # of each class
    notes: tuple[str, ...]
    num_test: int  # photographs of the clean test
    num_test_lesions: int
    num_test_folder: int  # photographs, of which the clean test is a part
    ways: dict[str, Way]  # of `WAYS`, in that order

    @property
    def num_seeds(self) -> int:
        """Runs of each way."""
        return len(self.ways[WAYS[0]].runs)


@dataclass(frozen=True)
class Point:
    """What was reached with a share of the training lesions."""

    fraction: float
    num_draws: int
    num_lesions: int  # taught, all diagnoses
    class_lesions: dict[str, int]  # of each of the seven classes
    figures: dict[str, Estimate]  # `FIGURES`; intervals are over draws and test lesions


@dataclass(frozen=True)
class LearningCurve:
    """One network taught ever larger shares of the training lesions."""

    command: str
    machine: str
    image_size: int
    num_test: int  # photographs
    num_test_lesions: int
    num_test_melanomas: int  # lesions
    points: tuple[Point, ...]  # the smallest share first, all lesions last


def leakage(records_dir: Path) -> Leakage | None:
    """What `python -m benchmarks.lessons.leakage` recorded; None where it has not run.

    Raises:
        RecordError: the record is damaged.
    """
    return _read(records_dir / LEAKAGE, _leakage)


def learning_curve(records_dir: Path) -> LearningCurve | None:
    """What `python -m benchmarks.lessons.learning_curve` recorded; None where it has not run.

    Raises:
        RecordError: the record is damaged.
    """
    return _read(records_dir / LEARNING_CURVE, _learning_curve)


def _read(path: Path, make: Callable[[dict[str, Any]], Record]) -> Record | None:
    try:
        return make(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise RecordError(
            f"The record {path.name} cannot be used: {reason}. Restore the file from a copy, or "
            f"make it anew: {COMMANDS[path.name]}"
        ) from error


def _leakage(record: dict[str, Any]) -> Leakage:
    ways = {fields["way"]: _way(fields, record["epochs"]) for fields in record["ways"]}
    if tuple(ways) != WAYS:
        raise ValueError(f"its ways are {', '.join(ways)}; {', '.join(WAYS)} are expected")
    test = record["test"]
    for way in ways.values():
        if way.test.num_photographs != test["num_photographs"]:
            raise ValueError(
                f"{way.way} was tested on {way.test.num_photographs} photographs, the clean test "
                f"has {test['num_photographs']}"
            )
        if [run.seed for run in way.runs] != [run.seed for run in ways[WAYS[0]].runs]:
            raise ValueError(f"{way.way} has other seeds than {WAYS[0]}")
    return Leakage(
        command=str(record["command"]),
        machine=str(record["machine"]),
        image_size=int(record["image_size"]),
        epochs=int(record["epochs"]),
        num_copies=int(record["copies_of_a_class"]),
        notes=tuple(map(str, record["notes"])),
        num_test=int(test["num_photographs"]),
        num_test_lesions=int(test["num_lesions"]),
        num_test_folder=int(test["num_test_folder"]),
        ways=ways,
    )


def _way(fields: dict[str, Any], num_epochs: int) -> Way:
    figures = fields["figures"]
    way = Way(
        way=str(fields["way"]),
        training=_share(figures["training"]),
        runs=tuple(_run(run, num_epochs) for run in fields["runs"]),
        **{
            name: _figure(figures[name])
            for name in ("validation", "test", "validation_balanced", "test_balanced")
        },
    )
    if not way.runs:
        raise ValueError(f"{way.way} has no run")
    for part in PARTS:
        last = float(way.mean_curve(part)[-1])
        figure = way.training if part == "training" else getattr(way, part).value
        if abs(last - figure) > _ROUNDING:
            raise ValueError(
                f"{way.way} ends at {last:.4f} on {part}, and its figure is {figure:.4f}"
            )
    return way


def _run(fields: dict[str, Any], num_epochs: int) -> Run:
    rows = fields["curve"]
    if [row["epoch"] for row in rows] != list(range(1, num_epochs + 1)):
        raise ValueError(f"its curve is not of the epochs 1 to {num_epochs}")
    return Run(
        seed=int(fields["seed"]),
        num_training=int(fields["num_photographs"]["training"]),
        num_validation=int(fields["num_photographs"]["validation"]),
        curves={part: np.array([_share(row[part]) for row in rows]) for part in PARTS},
    )


def _learning_curve(record: dict[str, Any]) -> LearningCurve:
    points = tuple(_point(fields) for fields in record["points"])
    fractions = [point.fraction for point in points]
    if not fractions or fractions != sorted(set(fractions)) or fractions[-1] != 1:
        raise ValueError(f"its shares are {fractions}; rising ones up to 1 are expected")
    test = record["test"]
    return LearningCurve(
        command=str(record["command"]),
        machine=str(record["machine"]),
        image_size=int(record["image_size"]),
        num_test=int(test["num_photographs"]),
        num_test_lesions=int(test["num_lesions"]),
        num_test_melanomas=int(test["num_melanoma_lesions"]),
        points=points,
    )


def _point(fields: dict[str, Any]) -> Point:
    return Point(
        fraction=_share(fields["fraction"]),
        num_draws=int(fields["num_draws"]),
        num_lesions=int(fields["num_lesions"]),
        class_lesions={code: int(fields["class_lesions"][code]) for code in SEVEN_CLASSES},
        figures={name: _figure(fields["figures"][name]) for name in FIGURES},
    )


def _figure(fields: dict[str, Any]) -> Estimate:
    figure = from_record(fields)
    # A resampled interval may miss its value, where resamples are worse than the whole.
    if not (0 <= figure.low <= figure.high <= 1 and 0 <= figure.value <= 1):
        raise ValueError(
            f"a figure is {figure.value} with the interval {figure.low} to {figure.high}"
        )
    return figure


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"{value!r} is no share from 0 to 1")
    return float(value)
