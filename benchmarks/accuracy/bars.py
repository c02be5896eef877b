"""Every figure that was asked for, what it is, and whether its bar is met.

Run as `python -m benchmarks.accuracy.bars [--model ID]…` from the project's root. The figures are
those of the cards, of the test split; they are made once more from the evaluations, and must be the
same.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import records, tables
from benchmarks.accuracy import held_out, nine_class_folder
from melanoma_core.errors import ModelError
from melanoma_core.evaluation import evaluate, subgroups
from melanoma_core.evaluation.evaluate import Evaluation
from melanoma_core.metrics.estimates import Estimate
from melanoma_core.models.predict import Model

_SOURCES = {"all": "all", "ham10000": "HAM10000", "isic2017": "ISIC 2017 Part 3"}
_ROUNDING = 2e-3  # evaluation.json holds six decimals of a probability, the card was made of all
_BEFORE = "before calibration"


@dataclass(frozen=True)
class Asked:
    """A figure that was asked for, and its bar where it has one."""

    source: str
    name: str  # as in the card's figures, or one that `_others` makes
    words: str
    limit: float | None = None
    at_least: bool = True


_ASKED = (
    Asked("ham10000", "melanoma_auroc", "melanoma AUROC", 0.945),
    Asked("ham10000", "macro_auroc", "macro AUROC, seven classes", 0.970),
    Asked(
        "ham10000", "prior_adjusted_balanced_accuracy", "balanced accuracy, prior-adjusted", 0.77
    ),
    Asked("ham10000", "balanced_accuracy", "balanced accuracy of the arg-max"),
    Asked("ham10000", "accuracy", "accuracy", 0.86),
    Asked("ham10000", "specificity", "specificity at the shipped threshold", 0.75),
    Asked("ham10000", "sensitivity", "sensitivity reached there"),
    Asked("ham10000", "keratoses_auroc", "both keratoses together, AUROC"),
    Asked("isic2017", "melanoma_auroc", "melanoma AUROC", 0.86),
    Asked("isic2017", "keratoses_auroc", "both keratoses together, AUROC", 0.93),
    Asked("isic2017", "specificity", "specificity at the shipped threshold"),
    Asked("isic2017", "sensitivity", "sensitivity reached there"),
    Asked("all", "melanoma_auroc", "melanoma AUROC"),
    Asked("all", "specificity", "specificity at the shipped threshold"),
    Asked("all", "sensitivity", "sensitivity reached there"),
    Asked("all", "keratoses_auroc", "both keratoses together, AUROC"),
    Asked("all", "PBK", "pigmented benign keratosis alone, AUROC"),
    Asked("all", "SK", "seborrheic keratosis alone, AUROC"),
    Asked("all", "ece", "ECE, 15 bins, after calibration", 0.03, at_least=False),
    Asked("all", f"ece {_BEFORE}", f"ECE, 15 bins, {_BEFORE}"),
    Asked("all", "brier", "Brier, after calibration"),
    Asked("all", f"brier {_BEFORE}", f"Brier, {_BEFORE}"),
)


def main() -> None:
    """Print the bars and the nine-class Test folder, and record the figures."""
    arguments = _arguments()
    with records.recorded("bars", arguments.results, "ai-edge-litert") as record:
        models = held_out.load(arguments)
        held_out.print_models(models)
        rows = [row for model in models for row in _rows(model)]
        _print_bars(models, rows)
        folder = nine_class_folder.rows(models, arguments.nine_class, records.RESULTS_DIR)
        nine_class_folder.print_rows(folder)
        print(
            "\nIn brackets 95 % intervals, bootstrapped over groups (of starting_cnn: Wilson's);"
            "\nn counts photographs/lesions. Seven-class figures are sums of the nine; the Test"
            "\nfolder is told apart in nine. Sound labels: without what the set files under another"
            "\ndiagnosis too. The archives’ files are those of the evaluation: of the folder, what"
            "\nHAM10000, ISIC 2017 or the nine-class set alone has in the test split."
        )
        record |= {
            "models": held_out.describe(models),
            "figures": records.as_json(rows),
            "nine_class_folder": records.as_json(folder),
        }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    held_out.add_model_option(parser)
    parser.add_argument(
        "--nine-class",
        type=Path,
        default=held_out.DATA / "isic9.zip",
        help="the nine-class set, as folder or zip",
    )
    records.add_option(parser)
    return parser.parse_args()


def _rows(model: Model) -> list[dict[str, Any]]:
    """One row for each figure that was asked for."""
    measured = held_out.measured(model.card.model_id)
    test = measured.where((measured.table["split"] == "test").to_numpy())
    _check(model, test)
    others = _others(model, test)
    rows = []
    for asked in _ASKED:
        if asked.source not in model.card.figures:
            continue
        figure = others.get(asked.name) or model.card.figures[asked.source][asked.name]
        wanted, verdict = "", ""
        if asked.limit is not None:
            wanted, verdict = tables.bar(figure.value, asked.limit, "", at_least=asked.at_least)
        rows.append(
            {
                "model_id": model.card.model_id,
                "source": asked.source,
                "name": asked.name,
                "words": asked.words,
                "bar": wanted,
                "verdict": verdict,
                "figure": figure,
            }
        )
    return rows


def _check(model: Model, test: Evaluation) -> None:
    """Make the card's figures once more.

    Raises:
        ModelError: the evaluation gives another one.
    """
    card = model.card
    made = evaluate.figures_by_source(
        test, card.class_counts["train"], card.operating_point().threshold
    )
    for source, figures in card.figures.items():
        for name, figure in figures.items():
            again = made[source][name]
            differences = (
                figure.value - again.value, figure.low - again.low, figure.high - again.high
            )  # fmt: skip
            if any(abs(difference) > _ROUNDING for difference in differences):
                raise ModelError(
                    f"The card of “{card.model_id}” says {name} {tables.interval(figure)} for "
                    f"{source}, its evaluation {tables.interval(again)}. Build the model again."
                )


def _others(model: Model, test: Evaluation) -> dict[str, Estimate]:
    """Figures that are not among those of the card, made of the whole test split."""
    before = evaluate.before_calibration(test, model.card.temperature, model.card.class_bias)
    uncalibrated = evaluate.figures(
        before, model.card.class_counts["train"], model.card.operating_point().threshold
    )
    by_diagnosis = subgroups.by_diagnosis(test)
    return {
        **{code: by_diagnosis[code].auroc for code in ("PBK", "SK")},
        **{f"{name} {_BEFORE}": uncalibrated[name] for name in ("ece", "brier")},
    }


def _print_bars(models: list[Model], rows: list[dict[str, Any]]) -> None:
    for model in models:
        lines = [
            (
                _SOURCES[row["source"]],
                row["words"],
                row["bar"],
                tables.interval(row["figure"]),
                f"{row['figure'].num_photographs:,}/{row['figure'].num_lesions:,}",
                row["verdict"],
            )
            for row in rows
            if row["model_id"] == model.card.model_id
        ]
        verdicts = [line[-1] for line in lines if line[-1]]
        print(
            f"\n{model.card.model_id}: {verdicts.count('met')} of {len(verdicts)} bars met", end=""
        )
        headings = ("test photographs", "figure", "bar", "measured (95 %)", "n", "")
        tables.print_table(headings, lines, num_texts=2)


if __name__ == "__main__":
    main()
