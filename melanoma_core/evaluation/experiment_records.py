"""Records of the experiments that the page Lessons shows; they ship in `records/`.

`python -m benchmarks.lessons.leakage` and `python -m benchmarks.lessons.learning_curve` write them.
A record that lacks a figure, or whose figures contradict each other, is refused as a whole.
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
WAYS = ("before", "after", "clean")  # copies made before or after the split; cleaned, by lesion
PARTS = ("training", "validation", "test")
AUROC_OF = {code: "melanoma_auroc" if code == "MEL" else f"auroc_{code}" for code in SEVEN_CLASSES}
FIGURES = ("accuracy", "balanced_accuracy", "macro_auroc", *AUROC_OF.values())
_ROUNDING = 1e-4  # of the accuracies after each epoch in the record

Record = TypeVar("Record")


@dataclass(frozen=True)
class Run:
    """One training run: accuracy after each epoch."""

    seed: int
    num_training: int  # photographs, including copies
    num_validation: int
    curves: dict[str, NDArray[np.float64]]  # by part of `PARTS`: (E,)


@dataclass(frozen=True)
class Way:
    """One way to prepare the training data, and the results after the last epoch."""

    way: str  # one of `WAYS`
    training: float  # accuracy
    validation: Estimate
    test: Estimate
    validation_balanced: Estimate
    test_balanced: Estimate
    runs: tuple[Run, ...]  # one per seed

    def mean_curve(self, part: str) -> NDArray[np.float64]:
        """(E,) accuracy on one of `PARTS`, averaged over the runs."""
        return np.asarray(np.mean([run.curves[part] for run in self.runs], axis=0), np.float64)


@dataclass(frozen=True)
class Leakage:
    """The same network trained in three ways and tested on the same clean photographs."""

    command: str
    machine: str
    image_size: int  # pixels a side
    epochs: int
    num_copies: int  # per class
    notes: tuple[str, ...]
    num_test: int  # clean test photographs
    num_test_lesions: int
    num_test_folder: int  # photographs in the Test folder, including those left out
    ways: dict[str, Way]  # in the order of `WAYS`

    @property
    def num_seeds(self) -> int:
        """Runs per way."""
        return len(self.ways[WAYS[0]].runs)


@dataclass(frozen=True)
class Point:
    """Results for one proportion of the training lesions."""

    fraction: float
    num_draws: int
    num_lesions: int  # trained on, all diagnoses
    class_lesions: dict[str, int]  # by class of the seven
    figures: dict[str, Estimate]  # by name in `FIGURES`; intervals over draws and test lesions


@dataclass(frozen=True)
class LearningCurve:
    """The same network trained on growing proportions of the training lesions."""

    command: str
    machine: str
    image_size: int
    num_test: int  # photographs
    num_test_lesions: int
    num_test_melanomas: int  # lesions
    points: tuple[Point, ...]  # from the smallest proportion to all lesions


def leakage(records_dir: Path) -> Leakage | None:
    """The record of `python -m benchmarks.lessons.leakage`; None if there is none.

    Raises:
        RecordError: the record is damaged.
    """
    return _read(records_dir / LEAKAGE, _leakage)


def learning_curve(records_dir: Path) -> LearningCurve | None:
    """The record of `python -m benchmarks.lessons.learning_curve`; None if there is none.

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
            f"run the experiment again: {COMMANDS[path.name]}"
        ) from error


def _leakage(record: dict[str, Any]) -> Leakage:
    ways = {fields["way"]: _way(fields, record["epochs"]) for fields in record["ways"]}
    if tuple(ways) != WAYS:
        raise ValueError(f"its ways are {', '.join(ways)}; expected {', '.join(WAYS)}")
    test = record["test"]
    for way in ways.values():
        if way.test.num_photographs != test["num_photographs"]:
            raise ValueError(
                f"{way.way} was tested on {way.test.num_photographs} photographs, not on "
                f"{test['num_photographs']}"
            )
        if [run.seed for run in way.runs] != [run.seed for run in ways[WAYS[0]].runs]:
            raise ValueError(f"{way.way} and {WAYS[0]} have different seeds")
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
        training=_proportion(figures["training"]),
        runs=tuple(_run(run, num_epochs) for run in fields["runs"]),
        **{
            name: _estimate(figures[name])
            for name in ("validation", "test", "validation_balanced", "test_balanced")
        },
    )
    if not way.runs:
        raise ValueError(f"{way.way} has no runs")
    for part in PARTS:
        last = float(way.mean_curve(part)[-1])
        accuracy = way.training if part == "training" else getattr(way, part).value
        if abs(last - accuracy) > _ROUNDING:
            raise ValueError(
                f"{way.way} ends at {last:.4f} on {part}, but its accuracy is {accuracy:.4f}"
            )
    return way


def _run(fields: dict[str, Any], num_epochs: int) -> Run:
    rows = fields["curve"]
    if [row["epoch"] for row in rows] != list(range(1, num_epochs + 1)):
        raise ValueError(f"its curve does not have the epochs 1 to {num_epochs}")
    return Run(
        seed=int(fields["seed"]),
        num_training=int(fields["num_photographs"]["training"]),
        num_validation=int(fields["num_photographs"]["validation"]),
        curves={part: np.array([_proportion(row[part]) for row in rows]) for part in PARTS},
    )


def _learning_curve(record: dict[str, Any]) -> LearningCurve:
    points = tuple(_point(fields) for fields in record["points"])
    fractions = [point.fraction for point in points]
    if not fractions or fractions != sorted(set(fractions)) or fractions[-1] != 1:
        raise ValueError(f"its fractions are {fractions}; expected rising ones up to 1")
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
        fraction=_proportion(fields["fraction"]),
        num_draws=int(fields["num_draws"]),
        num_lesions=int(fields["num_lesions"]),
        class_lesions={code: int(fields["class_lesions"][code]) for code in SEVEN_CLASSES},
        figures={name: _estimate(fields["figures"][name]) for name in FIGURES},
    )


def _estimate(fields: dict[str, Any]) -> Estimate:
    estimate = from_record(fields)
    # A bootstrap interval may miss its value: resamples can be worse than the whole.
    if not (0 <= estimate.low <= estimate.high <= 1 and 0 <= estimate.value <= 1):
        raise ValueError(
            f"an estimate is {estimate.value} with the interval {estimate.low} to {estimate.high}"
        )
    return estimate


def _proportion(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"{value!r} is not a number from 0 to 1")
    return float(value)
