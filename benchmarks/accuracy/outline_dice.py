"""How well a model outlines lesions: Dice with the experts' outlines of HAM10000.

Run as `python -m benchmarks.accuracy.outline_dice [--model ID]…` from the project's root. A
photograph in which the model outlines nothing has a Dice of 0.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import records, tables
from benchmarks.accuracy import held_out
from melanoma_core.data import outline_files
from melanoma_core.data.schema import HELD_OUT
from melanoma_core.diagnoses import CODES
from melanoma_core.errors import ModelError
from melanoma_core.images import outlines, reading
from melanoma_core.models import predict
from melanoma_core.models.predict import Model

_SOURCE = "ham10000"
_ALL = "all"
_LOW = 0.8  # a Dice below it is an outline to draw again


def main() -> None:
    """Measure each model, print the tables, and record the figures."""
    arguments = _arguments()
    started = time.monotonic()
    with records.recorded("outline_dice", arguments.results, "ai-edge-litert") as record:
        models = held_out.load(arguments)
        held_out.print_models(models)
        rows = [
            row for model in models for split in HELD_OUT for row in _rows(model, split, arguments)
        ]
        _print_rows(rows)
        print(
            "\nMeans over photographs, intervals bootstrapped over groups; n counts photographs and"
            "\nlesions. None: photographs in which the model outlines nothing; their Dice is 0."
        )
        print(f"\n{time.monotonic() - started:,.0f} s in all")
        record |= {"models": held_out.describe(models), "rows": records.as_json(rows)}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    held_out.add_options(parser, "ham10000.zip")
    parser.add_argument(
        "--outlines",
        type=Path,
        default=held_out.DATA / "ham10000_masks.zip",
        help="folder or zip of <image id>_segmentation.png",
    )
    parser.add_argument("--photographs", type=int, help="a smaller sample, for a trial run")
    records.add_option(parser)
    return parser.parse_args()


def _rows(model: Model, split: str, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """The figures of one model on one split: of all photographs, then by diagnosis."""
    table = held_out.photographs(arguments, [model.card.model_id], split)
    table = table[table["source"] == _SOURCE].reset_index(drop=True)
    if arguments.photographs:
        table = held_out.sample_groups(table, arguments.photographs, seed=0)
    dices = measure(model, table, outline_files.find(arguments.outlines))
    codes = [code for code in CODES if (table["diagnosis"] == code).any()]
    return [_row(model, split, code, table, dices) for code in (_ALL, *codes)]


def measure(model: Model, table: pd.DataFrame, files: dict[str, Path]) -> NDArray[np.float64]:
    """Dice (N,) of the model's outline of each photograph, NaN where it outlines nothing.

    Raises:
        ModelError: the model draws no outlines.
    """
    dices = []
    for image_id, path in zip(table["image_id"], table["path"], strict=True):
        expected = outlines.read_file(files[image_id])
        logits = predict.classify(model, reading.read_file(Path(path))).outline
        if logits is None:
            raise ModelError(
                f"The model “{model.card.model_id}” draws no outlines. Add a decoder to it with "
                "recalibrate --outlines."
            )
        drawn = outlines.mask(logits, *expected.shape)
        dices.append(np.nan if drawn is None else outlines.dice(drawn, expected))
    return np.array(dices)


def _row(
    model: Model, split: str, code: str, table: pd.DataFrame, dices: NDArray[np.float64]
) -> dict[str, Any]:
    is_of = np.ones(len(table), bool) if code == _ALL else (table["diagnosis"] == code).to_numpy()
    part, values = table[is_of], np.nan_to_num(dices[is_of])
    return {
        "model_id": model.card.model_id,
        "split": split,
        "diagnosis": code,
        "dice": held_out.estimate(part, np.mean, (values,)),
        "median": float(np.median(values)),
        "below": held_out.estimate(part, np.mean, (values < _LOW,)),
        "num_without": int(np.isnan(dices[is_of]).sum()),
    }


def _print_rows(rows: Sequence[dict[str, Any]]) -> None:
    lines = [
        (
            row["model_id"],
            row["split"],
            row["diagnosis"],
            tables.interval(row["dice"]),
            f"{row['median']:.3f}",
            tables.interval(row["below"]),
            f"{row['dice'].num_photographs:,}/{row['dice'].num_lesions:,}",
            f"{row['num_without']:,}",
        )
        for row in rows
    ]
    tables.print_table(
        ("model", "split", "diagnosis", "Dice (95 %)", "median", f"below {_LOW} (95 %)", "n",
         "none"),
        lines,
        num_texts=3,
    )  # fmt: skip


if __name__ == "__main__":
    main()
