"""Color casts: of which photographs networks learnt, and what others do to their answers.

Run as `python -m benchmarks.accuracy.color_casts [--model ID]…` from the project's root. Bluish photographs
are those of more blue than red. White balance is changed as in `benchmarks.accuracy.corruptions`, but on the
validation photographs: to hold casts within limits was decided on them.
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
_FIGURES = ("melanoma_auroc", "macro_auroc", "sensitivity", "specificity")


def main() -> None:
    """Count the casts, measure the models, print both tables, and record the figures."""
    arguments = _arguments()
    started = time.monotonic()
    name = "color_casts"
    with records.recorded(name, arguments.results, "ai-edge-litert", "pillow") as record:
        models = held_out.load(arguments)
        held_out.print_models(models)
        table = held_out.divided(arguments)
        counted = _counted(table)
        val = held_out.photographs(arguments, [model.card.model_id for model in models], "val")
        measured = _measured(models, val)
        print(f"\n{time.monotonic() - started:,.0f} s in all")
        record |= {
            "models": held_out.describe(models),
            "bluish": counted,
            "num_photographs": len(val),
            "rows": measured,
        }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    held_out.add_options(parser, "ham10000.zip", "isic2017.zip", "isic9.zip")
    held_out.add_splits_option(parser)
    records.add_option(parser)
    return parser.parse_args()


def _counted(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Bluish photographs of each archive and split, and the melanomas among them."""
    casts = np.array([color_casts.cast(reading.read_file(Path(path))) for path in table["path"]])
    is_bluish, is_melanoma = casts[:, 1] > casts[:, 0], (table["diagnosis"] == "MEL").to_numpy()
    rows = []
    for source in sorted(table["source"].unique()):
        for split in SPLITS:
            own = ((table["source"] == source) & (table["split"] == split)).to_numpy()
            rows.append(
                {
                    "source": source,
                    "split": split,
                    "photographs": int(own.sum()),
                    "melanomas": int((own & is_melanoma).sum()),
                    "bluish": int((own & is_bluish).sum()),
                    "bluish_melanomas": int((own & is_bluish & is_melanoma).sum()),
                }
            )
    tables.print_table(
        ("data set", "split", "photographs", "melanoma", "bluish", "melanoma among them"),
        [list(map(_written, row.values())) for row in rows],
        2,
    )
    return rows


def _measured(models: list[Model], val: pd.DataFrame) -> list[dict[str, Any]]:
    """Figures of each model on the validation photographs, as they are and of another cast."""
    images = held_out.read(val)
    rows = []
    for strength in (0, *STRENGTHS):
        changed = [
            corrupt(image, _KIND, strength, image_id) if strength else image
            for image, image_id in zip(images, val["image_id"], strict=True)
        ]
        for number, model in enumerate(models, start=1):
            said = np.stack([predict.classify(model, image).probabilities for image in changed])
            rows.append({"model": number, "strength": strength, **_figures(model, val, said)})
    print(f"\n{len(val):,} validation photographs, white balance changed by strength:")
    tables.print_table(
        ("model", "strength", "MEL AUROC", "macro AUROC", "sensitivity", "specificity"),
        [list(map(_written, row.values())) for row in sorted(rows, key=_by_model)],
        0,
    )
    return rows


def _figures(model: Model, val: pd.DataFrame, said: NDArray[np.float64]) -> dict[str, float]:
    found = evaluate.from_table(val, said)
    threshold = model.card.operating_point().threshold
    values = (
        classification.auroc(found.is_melanoma, found.melanoma_probability),
        classification.macro_auroc(found.seven_true, found.seven_prob),
        evaluate.sensitivity(found, threshold).value,
        evaluate.specificity(found, threshold).value,
    )
    return {name: round(float(value), 4) for name, value in zip(_FIGURES, values, strict=True)}


def _by_model(row: dict[str, Any]) -> tuple[int, int]:
    return row["model"], row["strength"]


def _written(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:.3f}"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


if __name__ == "__main__":
    main()
