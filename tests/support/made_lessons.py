"""Made-up records for the page Lessons, with figures that are easy to check."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from melanoma_core.diagnoses import SEVEN_CLASSES
from melanoma_core.evaluation import experiment_records

NUM_TEST = 74
ENDS = {  # after the last epoch: training, validation, clean test
    "before": (0.88, 0.64, 0.37),
    "after": (0.95, 0.52, 0.35),
    "clean": (0.96, 0.50, 0.39),
}


def figure(value: float, reach: float = 0.1, num: int = NUM_TEST) -> dict[str, Any]:
    """A figure with a symmetric interval."""
    return {
        "value": value, "low": value - reach, "high": value + reach, "num_photographs": num,
        "num_lesions": num - 1, "num_hits": None,
    }  # fmt: skip


def by_part(ends: tuple[float, ...]) -> Iterator[tuple[str, float]]:
    return zip(experiment_records.PARTS, ends, strict=True)


def leakage(epochs: int = 3, seeds: int = 1) -> dict[str, Any]:
    """A record of `benchmarks.lessons.leakage` whose curves are straight lines."""
    return {
        "command": "python -m benchmarks.lessons.leakage --seeds 1",
        "machine": "2 cores",
        "network": "starting_cnn",
        "image_size": 64,
        "epochs": epochs,
        "copies_of_a_class": 500,
        "notes": ["Of 2,359 files the clean table drops 262."],
        "test": {
            "num_photographs": NUM_TEST, "num_lesions": NUM_TEST - 1, "num_test_folder": 118,
            "class_counts": {"MEL": 16},
        },
        "ways": [
            {
                "way": way,
                "figures": {
                    "training": ends[0],
                    "validation": figure(ends[1], num=400),
                    "test": figure(ends[2]),
                    "validation_balanced": figure(ends[1] - 0.05, num=400),
                    "test_balanced": figure(ends[2]),
                },
                "runs": [
                    {
                        "seed": seed,
                        "seconds": 60,
                        "num_photographs": {"training": 5393, "validation": 1348},
                        "curve": [
                            {
                                "epoch": epoch,
                                **{part: end * epoch / epochs for part, end in by_part(ends)},
                            }
                            for epoch in range(1, epochs + 1)
                        ],
                    }
                    for seed in range(seeds)
                ],
            }
            for way, ends in ENDS.items()
        ],
    }  # fmt: skip


def learning_curve() -> dict[str, Any]:
    """A record of `benchmarks.lessons.learning_curve` with melanoma AUROCs 0.7, 0.8 and 0.81."""
    points = []
    for fraction, melanoma in ((0.1, 0.7), (0.5, 0.8), (1.0, 0.81)):
        auroc = {name: figure(melanoma + 0.05, 0.02) for name in experiment_records.FIGURES}
        points.append(
            {
                "fraction": fraction,
                "num_draws": 5 if fraction < 1 else 1,
                "penalty": 0.01,
                "num_photographs": round(9000 * fraction),
                "num_lesions": round(7000 * fraction),
                "class_lesions": {code: round(100 * fraction) for code in SEVEN_CLASSES},
                "figures": auroc | {"melanoma_auroc": figure(melanoma, 0.02)},
            }
        )
    return {
        "command": "python -m benchmarks.lessons.learning_curve",
        "machine": "2 cores",
        "network": "mobilenet_v2",
        "image_size": 160,
        "is_frozen": True,
        "test": {"num_photographs": 2422, "num_lesions": 1900, "num_melanoma_lesions": 197},
        "points": points,
    }


def write(folder: Path, **records: dict[str, Any]) -> Path:
    """Write these records into the folder: `leakage={…}` becomes leakage.json."""
    for name, record in records.items():
        (folder / f"{name}.json").write_text(json.dumps(record))
    return folder
