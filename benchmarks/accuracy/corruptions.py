"""How corrupted photographs affect the models: eight corruptions in five strengths.

Run as `python -m benchmarks.accuracy.corruptions [--model ID]… [--all]` from the project's root.
Photographs of the test split are changed as they are stored, before they are resized; each model
runs as in the app, with its shipped threshold.
"""

import argparse
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import records, tables
from benchmarks.accuracy import held_out
from benchmarks.accuracy.corrupted_photographs import CORRUPTIONS, STRENGTHS, corrupt
from melanoma_core.evaluation import evaluate
from melanoma_core.evaluation.evaluate import Evaluation
from melanoma_core.metrics import classification
from melanoma_core.metrics.estimates import Estimate
from melanoma_core.models import predict
from melanoma_core.models.predict import Model

_NUM_PHOTOGRAPHS = 800  # 41 passes for two models take about twelve minutes on two cores
_NUM_RESAMPLES = 300  # with 1,000, 144 intervals of the macro AUROC would take longer than that
_SEED = 0
_METRICS = ("melanoma_auroc", "macro_auroc", "sensitivity", "specificity")
_HEADINGS = ("MEL AUROC (95 %)", "macro", "sens.", "spec.")
Condition = tuple[str, int]  # kind and strength; ("none", 0) is the photograph as it is stored


def main() -> None:
    """Measure all conditions, print a table for each data set, and record the figures."""
    arguments = _arguments()
    started = time.monotonic()
    with records.recorded("corruptions", arguments.results, "ai-edge-litert", "pillow") as record:
        models = held_out.load(arguments)
        table = held_out.photographs(arguments, [model.card.model_id for model in models])
        num_all = len(table)
        if not arguments.all:
            table = held_out.sample_groups(table, arguments.photographs, _SEED)
        held_out.print_models(models)
        _print_sample(table, num_all)
        rows = _rows(models, table, dict(_probabilities(models, table)))
        _print_tables(models, rows)
        print(f"\n{time.monotonic() - started:,.0f} s in all")
        record |= {
            "models": held_out.describe(models),
            "seed": _SEED,
            "num_photographs": len(table),
            "num_in_test_split": num_all,
            "corruptions": {
                kind: {"levels": corruption.levels, "unit": corruption.unit}
                for kind, corruption in CORRUPTIONS.items()
            },
            "rows": records.as_json(rows),
        }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    held_out.add_options(parser, "ham10000.zip", "isic2017.zip")
    parser.add_argument(
        "--photographs",
        type=int,
        default=_NUM_PHOTOGRAPHS,
        help=f"sample size, in whole lesions (default: {_NUM_PHOTOGRAPHS})",
    )
    parser.add_argument("--all", action="store_true", help="the whole test split")
    records.add_option(parser)
    return parser.parse_args()


def _print_sample(table: pd.DataFrame, num_all: int) -> None:
    parts = [
        f"{held_out.source_name(source)} {len(part):,} photographs of "
        f"{part['group_id'].nunique():,} groups, "
        f"{int((part['diagnosis'] == 'MEL').sum()):,} melanoma"
        for source, part in table.groupby("source")
    ]
    how = "all" if len(table) == num_all else f"whole lesions drawn with seed {_SEED}"
    print(f"{len(table):,} of {num_all:,} test photographs ({how}): {'; '.join(parts)}")


def _conditions() -> list[Condition]:
    return [("none", 0), *((kind, strength) for kind in CORRUPTIONS for strength in STRENGTHS)]


def _probabilities(
    models: list[Model], table: pd.DataFrame
) -> Iterator[tuple[Condition, list[NDArray[np.float64]]]]:
    """For each condition, the (N, 9) probabilities of each model."""
    images, image_ids = held_out.read(table), list(table["image_id"])
    for kind, strength in _conditions():
        y_prob = np.empty((len(models), len(images), len(models[0].card.diagnoses)))
        for row, (image, image_id) in enumerate(zip(images, image_ids, strict=True)):
            changed = corrupt(image, kind, strength, image_id) if strength else image
            for column, model in enumerate(models):
                y_prob[column, row] = predict.classify(model, changed).probabilities
        yield (kind, strength), list(y_prob)


def _rows(
    models: list[Model],
    table: pd.DataFrame,
    probabilities: dict[Condition, list[NDArray[np.float64]]],
) -> list[dict[str, Any]]:
    """One row per data set, condition and model."""
    rows = []
    for source in sorted(table["source"].unique()):
        is_source = (table["source"] == source).to_numpy()
        for (kind, strength), of_models in probabilities.items():
            for model, y_prob in zip(models, of_models, strict=True):
                part = evaluate.from_table(table, y_prob).where(is_source)
                threshold = model.card.operating_point().threshold
                rows.append(
                    {
                        "source": source,
                        "corruption": kind,
                        "strength": strength,
                        "model_id": model.card.model_id,
                        "threshold": threshold,
                        **_metrics(part, threshold),
                    }
                )
    return rows


def _metrics(part: Evaluation, threshold: float) -> dict[str, Estimate]:
    return {
        "melanoma_auroc": held_out.estimate(
            part.table,
            classification.auroc,
            (part.is_melanoma, part.melanoma_probability),
            _NUM_RESAMPLES,
        ),
        "macro_auroc": held_out.estimate(
            part.named.table,
            classification.macro_auroc,
            (part.named.seven_true, part.named.seven_prob),
            _NUM_RESAMPLES,
        ),
        "sensitivity": evaluate.sensitivity(part, threshold),
        "specificity": evaluate.specificity(part, threshold),
    }


def _print_tables(models: list[Model], rows: list[dict[str, Any]]) -> None:
    numbers = range(1, len(models) + 1)
    headings = ("corruption", "strength", "level")
    headings += tuple(f"{number}: {name}" for number in numbers for name in _HEADINGS)
    for source in dict.fromkeys(row["source"] for row in rows):
        of_source = [row for row in rows if row["source"] == source]
        print(f"\n{held_out.source_name(source)}", end="")
        lines = []
        for start in range(0, len(of_source), len(models)):
            of_condition = of_source[start : start + len(models)]
            cells = [cell for row in of_condition for cell in _cells(row)]
            kind, strength = of_condition[0]["corruption"], of_condition[0]["strength"]
            level = f"{CORRUPTIONS[kind].levels[strength - 1]:g}" if strength else ""
            lines.append((kind, str(strength), level, *cells))
        tables.print_table(headings, lines)
        _print_means(models, of_source)
    print()
    for kind, corruption in CORRUPTIONS.items():
        print(f"{kind}: {corruption.unit}")
    print(
        "Brightness, contrast and hue go up or down at random, fixed for each photograph."
        "\nIntervals are bootstrapped over groups; the JSON has them for all four metrics."
        "\nmacro: macro AUROC of the seven classes; sens., spec.: for melanoma, at the shipped"
        "\nthreshold, which was chosen on unchanged photographs."
    )


def _print_means(models: list[Model], rows: list[dict[str, Any]]) -> None:
    """Print the mean over the five strengths of each kind, minus the unchanged photographs."""
    clean = {row["model_id"]: row for row in rows if row["strength"] == 0}
    lines = []
    for kind in CORRUPTIONS:
        cells = []
        for model in models:
            unchanged = clean[model.card.model_id]
            of_model = [
                row for row in rows
                if row["corruption"] == kind and row["model_id"] == model.card.model_id
            ]  # fmt: skip
            cells += [
                f"{np.mean([row[name].value for row in of_model]) - unchanged[name].value:+.3f}"
                for name in _METRICS
            ]
        lines.append((kind, *cells))
    names = ("MEL AUROC", *_HEADINGS[1:])
    headings = tuple(f"{k}: {name}" for k in range(1, len(models) + 1) for name in names)
    tables.print_table(("mean change over five strengths", *headings), lines)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    first, *others = (row[name] for name in _METRICS)
    return tables.interval(first), *(tables.number(estimate.value) for estimate in others)


if __name__ == "__main__":
    main()
