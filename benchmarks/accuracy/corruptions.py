"""What worse photographs do to the figures: eight corruptions in five strengths, several models.

Run as `python -m benchmarks.accuracy.corruptions [--model ID]… [--all]` from the project's root. Photographs
are those of the test split, changed as they are stored, before they are resized; each model answers
as it serves, and its shipped threshold stays where it is.
"""

import argparse
import time
from collections.abc import Callable, Iterator
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
_SEED = 0
_SOURCES = {"ham10000": "HAM10000", "isic2017": "ISIC 2017 Part 3"}
_FIGURES = ("melanoma_auroc", "macro_auroc", "sensitivity", "specificity")
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
            table = held_out.some_lesions(table, arguments.photographs, _SEED)
        held_out.print_models(models)
        _print_sample(table, num_all)
        answers = dict(_answers(models, table))
        rows = _rows(models, table, answers)
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
        help=f"whole lesions drawn until they have so many; {_NUM_PHOTOGRAPHS} when left out",
    )
    parser.add_argument("--all", action="store_true", help="the whole test split")
    records.add_option(parser)
    return parser.parse_args()


def _print_sample(table: pd.DataFrame, num_all: int) -> None:
    parts = [
        f"{_SOURCES.get(source, source)} {len(part):,} photographs of "
        f"{part['group_id'].nunique():,} groups, "
        f"{int((part['diagnosis'] == 'MEL').sum()):,} melanoma"
        for source, part in table.groupby("source")
    ]
    how = "all" if len(table) == num_all else f"lesions drawn with seed {_SEED}"
    print(f"{len(table):,} of {num_all:,} test photographs ({how}): {'; '.join(parts)}")


def _conditions() -> list[Condition]:
    return [("none", 0), *((kind, strength) for kind in CORRUPTIONS for strength in STRENGTHS)]


def _answers(
    models: list[Model], table: pd.DataFrame
) -> Iterator[tuple[Condition, list[NDArray[np.float64]]]]:
    """For each condition: (N, 9) probabilities of each model."""
    images, image_ids = held_out.read(table), list(table["image_id"])
    for kind, strength in _conditions():
        said = np.empty((len(models), len(images), len(models[0].card.diagnoses)))
        for row, (image, image_id) in enumerate(zip(images, image_ids, strict=True)):
            worse = corrupt(image, kind, strength, image_id) if strength else image
            for place, model in enumerate(models):
                said[place, row] = predict.classify(model, worse).probabilities
        yield (kind, strength), list(said)


def _rows(
    models: list[Model],
    table: pd.DataFrame,
    answers: dict[Condition, list[NDArray[np.float64]]],
) -> list[dict[str, Any]]:
    """One row for each data set, condition and model."""
    rows = []
    for source in sorted(table["source"].unique()):
        is_of = (table["source"] == source).to_numpy()
        for (kind, strength), said in answers.items():
            for model, y_prob in zip(models, said, strict=True):
                part = evaluate.from_table(table, y_prob).where(is_of)
                threshold = model.card.operating_point().threshold
                rows.append(
                    {
                        "source": source,
                        "corruption": kind,
                        "strength": strength,
                        "model_id": model.card.model_id,
                        "threshold": threshold,
                        **_figures(part, threshold),
                    }
                )
    return rows


def _figures(part: Evaluation, threshold: float) -> dict[str, Estimate]:
    return {
        "melanoma_auroc": _figure(
            part, classification.auroc, (part.is_melanoma, part.melanoma_probability)
        ),
        "macro_auroc": _figure(
            part, classification.macro_auroc, (part.seven_true, part.seven_prob)
        ),
        "sensitivity": evaluate.sensitivity(part, threshold),
        "specificity": evaluate.specificity(part, threshold),
    }


def _figure(
    part: Evaluation, statistic: Callable[..., float], arrays: tuple[NDArray[Any], ...]
) -> Estimate:
    # 300 resamples: 144 intervals of the macro AUROC by 1,000 would take longer than the passes.
    low, high = classification.bootstrap_interval(statistic, arrays, part.groups, num_resamples=300)
    return Estimate(statistic(*arrays), low, high, len(part), part.num_lesions())


def _print_tables(models: list[Model], rows: list[dict[str, Any]]) -> None:
    numbers = range(1, len(models) + 1)
    headings = ("corruption", "strength", "level")
    headings += tuple(f"{number}: {name}" for number in numbers for name in _HEADINGS)
    for source in dict.fromkeys(row["source"] for row in rows):
        of_source = [row for row in rows if row["source"] == source]
        print(f"\n{_SOURCES.get(source, source)}", end="")
        lines = []
        for start in range(0, len(of_source), len(models)):
            side_by_side = of_source[start : start + len(models)]
            cells = [cell for row in side_by_side for cell in _cells(row)]
            kind, strength = side_by_side[0]["corruption"], side_by_side[0]["strength"]
            level = f"{CORRUPTIONS[kind].levels[strength - 1]:g}" if strength else ""
            lines.append((kind, str(strength), level, *cells))
        tables.print_table(headings, lines)
        _print_means(models, of_source)
    print()
    for kind, corruption in CORRUPTIONS.items():
        print(f"{kind}: {corruption.unit}")
    print(
        "Brightness, contrast and hue go either way, by a coin that is the photograph's own."
        "\nIntervals are bootstrapped over groups; those of all four figures are in the JSON."
        "\nmacro: macro AUROC of the seven classes; sens., spec.: of melanoma, at the shipped"
        "\nthreshold, which was placed on photographs as they are stored."
    )


def _print_means(models: list[Model], rows: list[dict[str, Any]]) -> None:
    """The means over the five strengths of each kind, as differences from the clean photograph."""
    clean = {row["model_id"]: row for row in rows if row["strength"] == 0}
    lines = []
    for kind in CORRUPTIONS:
        cells = []
        for model in models:
            of_model = [
                row for row in rows
                if row["corruption"] == kind and row["model_id"] == model.card.model_id
            ]  # fmt: skip
            cells += [
                f"{np.mean([row[name].value for row in of_model]) - start.value:+.3f}"
                for name, start in ((name, clean[model.card.model_id][name]) for name in _FIGURES)
            ]
        lines.append((kind, *cells))
    names = ("MEL AUROC", *_HEADINGS[1:])
    headings = tuple(f"{k}: {name}" for k in range(1, len(models) + 1) for name in names)
    tables.print_table(("mean change over five strengths", *headings), lines)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    first, *others = (row[name] for name in _FIGURES)
    return tables.interval(first), *(tables.number(figure.value) for figure in others)


if __name__ == "__main__":
    main()
