"""Color casts in the training data, and how changed casts affect the models.

Run as `python -m benchmarks.accuracy.color_casts [--model ID]…` from the project's root. A
photograph is bluish if it has more blue than red. White balance is changed as in
`benchmarks.accuracy.corruptions`, but on validation photographs, because color-cast clamping was
decided on them.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import records, tables
from benchmarks.accuracy import held_out
from benchmarks.accuracy.corrupted_photographs import STRENGTHS, corrupt
from melanoma_core.data.schema import SPLITS
from melanoma_core.evaluation import evaluate
from melanoma_core.images import color_casts, reading
from melanoma_core.metrics import classification
from melanoma_core.models import predict
from melanoma_core.models.predict import Model

_KIND = "white balance"
_METRICS = ("melanoma_auroc", "macro_auroc", "sensitivity", "specificity")


def main() -> None:
    """Count the casts, measure the models, print both tables, and record the figures."""
    arguments = _arguments()
    started = time.monotonic()
    name = "color_casts"
    with records.recorded(name, arguments.results, "ai-edge-litert", "pillow") as record:
        models = held_out.load(arguments)
        held_out.print_models(models)
        table = held_out.combined_with_splits(arguments)
        counts = _count_bluish(table)
        val = held_out.photographs(arguments, [model.card.model_id for model in models], "val")
        rows = _measure(models, val)
        print(f"\n{time.monotonic() - started:,.0f} s in all")
        record |= {
            "models": held_out.describe(models),
            "bluish": counts,
            "num_photographs": len(val),
            "rows": rows,
        }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    held_out.add_options(parser, "ham10000.zip", "isic2017.zip", "isic9.zip")
    held_out.add_splits_option(parser)
    records.add_option(parser)
    return parser.parse_args()


def _count_bluish(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Bluish photographs of each archive and split, and the melanomas among them."""
    casts = np.array([color_casts.cast(reading.read_file(Path(path))) for path in table["path"]])
    is_bluish, is_melanoma = casts[:, 1] > casts[:, 0], (table["diagnosis"] == "MEL").to_numpy()
    rows = []
    for source in sorted(table["source"].unique()):
        for split in SPLITS:
            in_part = ((table["source"] == source) & (table["split"] == split)).to_numpy()
            rows.append(
                {
                    "source": source,
                    "split": split,
                    "photographs": int(in_part.sum()),
                    "melanomas": int((in_part & is_melanoma).sum()),
                    "bluish": int((in_part & is_bluish).sum()),
                    "bluish_melanomas": int((in_part & is_bluish & is_melanoma).sum()),
                }
            )
    tables.print_table(
        ("data set", "split", "photographs", "melanoma", "bluish", "bluish melanoma"),
        [list(map(_cell, row.values())) for row in rows],
        2,
    )
    return rows


def _measure(models: list[Model], val: pd.DataFrame) -> list[dict[str, Any]]:
    """Metrics of each model on the validation photographs, unchanged and with each cast."""
    images = held_out.read(val)
    rows = []
    for strength in (0, *STRENGTHS):
        changed = [
            corrupt(image, _KIND, strength, image_id) if strength else image
            for image, image_id in zip(images, val["image_id"], strict=True)
        ]
        for number, model in enumerate(models, start=1):
            y_prob = np.stack([predict.classify(model, image).probabilities for image in changed])
            rows.append({"model": number, "strength": strength, **_metrics(model, val, y_prob)})
    print(f"\n{len(val):,} validation photographs, white balance changed by strength:")
    tables.print_table(
        ("model", "strength", "MEL AUROC", "macro AUROC", "sensitivity", "specificity"),
        [
            list(map(_cell, row.values()))
            for row in sorted(rows, key=lambda row: (row["model"], row["strength"]))
        ],
        0,
    )
    return rows


def _metrics(model: Model, val: pd.DataFrame, y_prob: NDArray[np.float64]) -> dict[str, float]:
    evaluation = evaluate.from_table(val, y_prob)
    threshold = model.card.operating_point().threshold
    values = (
        classification.auroc(evaluation.is_melanoma, evaluation.melanoma_probability),
        classification.macro_auroc(evaluation.named.seven_true, evaluation.named.seven_prob),
        evaluate.sensitivity(evaluation, threshold).value,
        evaluate.specificity(evaluation, threshold).value,
    )
    return {name: round(float(value), 4) for name, value in zip(_METRICS, values, strict=True)}


def _cell(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:.3f}"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


if __name__ == "__main__":
    main()
