"""Every required figure, its measured value, and whether it meets its bar.

Run as `python -m benchmarks.accuracy.bars [--model ID]…` from the project's root. The figures are
those on the cards, for the test split. They are computed again from the evaluations, and the run
stops if they differ.
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

_ROUNDING = 2e-3  # evaluation.json keeps six decimals of a probability; the card used them all
_BEFORE = "before calibration"


@dataclass(frozen=True)
class Requirement:
    """A required figure, and its bar if it has one."""

    source: str
    name: str  # a key of the card's figures or of `_other_figures`
    label: str
    limit: float | None = None
    at_least: bool = True


_REQUIREMENTS = (
    Requirement("ham10000", "melanoma_auroc", "melanoma AUROC", 0.945),
    Requirement("ham10000", "macro_auroc", "macro AUROC, seven classes", 0.970),
    Requirement(
        "ham10000", "prior_adjusted_balanced_accuracy", "balanced accuracy, prior-adjusted", 0.77
    ),
    Requirement("ham10000", "balanced_accuracy", "balanced accuracy of the arg-max"),
    Requirement("ham10000", "accuracy", "accuracy", 0.86),
    Requirement("ham10000", "specificity", "specificity at the shipped threshold", 0.75),
    Requirement("ham10000", "sensitivity", "sensitivity reached there"),
    Requirement("ham10000", "keratoses_auroc", "both keratoses together, AUROC"),
    Requirement("isic2017", "melanoma_auroc", "melanoma AUROC", 0.86),
    Requirement("isic2017", "keratoses_auroc", "both keratoses together, AUROC", 0.93),
    Requirement("isic2017", "specificity", "specificity at the shipped threshold"),
    Requirement("isic2017", "sensitivity", "sensitivity reached there"),
    Requirement("all", "melanoma_auroc", "melanoma AUROC"),
    Requirement("all", "specificity", "specificity at the shipped threshold"),
    Requirement("all", "sensitivity", "sensitivity reached there"),
    Requirement("all", "keratoses_auroc", "both keratoses together, AUROC"),
    Requirement("all", "PBK", "pigmented benign keratosis alone, AUROC"),
    Requirement("all", "SK", "seborrheic keratosis alone, AUROC"),
    Requirement("all", "ece", "ECE, 15 bins, after calibration", 0.03, at_least=False),
    Requirement("all", f"ece {_BEFORE}", f"ECE, 15 bins, {_BEFORE}"),
    Requirement("all", "brier", "Brier, after calibration"),
    Requirement("all", f"brier {_BEFORE}", f"Brier, {_BEFORE}"),
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
            "\nIn brackets: 95 % intervals, bootstrapped over groups (starting_cnn: Wilson's);"
            "\nn counts photographs/lesions. Seven-class figures use sums of the nine; figures for"
            "\nthe Test folder use all nine. Sound labels: without photographs that the set also"
            "\nfiles under another diagnosis. The archives’ files are those of the evaluation: the"
            "\nfolder's photographs that are in the test split of HAM10000, ISIC 2017 or the"
            "\nnine-class set alone."
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
        help="the nine-class set, a folder or zip",
    )
    records.add_option(parser)
    return parser.parse_args()


def _rows(model: Model) -> list[dict[str, Any]]:
    """One row for each required figure."""
    evaluation = held_out.evaluation(model.card.model_id)
    test = evaluation.where((evaluation.table["split"] == "test").to_numpy())
    _check_card(model, test)
    others = _other_figures(model, test)
    rows = []
    for required in _REQUIREMENTS:
        if required.source not in model.card.figures:
            continue
        estimate = others.get(required.name) or model.card.figures[required.source][required.name]
        bar, verdict = "", ""
        if required.limit is not None:
            bar, verdict = tables.bar(
                estimate.value, required.limit, "", at_least=required.at_least
            )
        rows.append(
            {
                "model_id": model.card.model_id,
                "source": required.source,
                "name": required.name,
                "words": required.label,
                "bar": bar,
                "verdict": verdict,
                "figure": estimate,
            }
        )
    return rows


def _check_card(model: Model, test: Evaluation) -> None:
    """Compute the card's figures again.

    Raises:
        ModelError: the card and the evaluation disagree.
    """
    card = model.card
    recomputed = evaluate.figures_by_source(
        test, card.class_counts["train"], card.operating_point().threshold
    )
    for source, figures in card.figures.items():
        for name, stated in figures.items():
            actual = recomputed[source][name]
            differences = (
                stated.value - actual.value, stated.low - actual.low, stated.high - actual.high
            )  # fmt: skip
            if any(abs(difference) > _ROUNDING for difference in differences):
                raise ModelError(
                    f"The card of “{card.model_id}” says {name} {tables.interval(stated)} for "
                    f"{source}, its evaluation {tables.interval(actual)}. Build the model again."
                )


def _other_figures(model: Model, test: Evaluation) -> dict[str, Estimate]:
    """Figures that the card does not have, for the whole test split."""
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
                held_out.source_name(row["source"]),
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
