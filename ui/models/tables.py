"""Tables of a model's evaluation: diagnoses, groups, calibration."""

from collections.abc import Mapping

from melanoma_core.diagnoses import BY_CODE, CODES, SEVEN_CLASSES
from melanoma_core.evaluation.formats import SCORES, is_enough, too_few
from melanoma_core.evaluation.subgroups import DiagnosisFigures
from melanoma_core.metrics.estimates import Estimate
from melanoma_core.models.cards import Card
from ui.card_tables import Table, score_cell
from ui.formats import count, literal, percent, percent_estimate, percent_range
from ui.model_charts import Diagram

_MERGED = {"BKL": "Both keratoses", "AKIEC": "Actinic keratosis or squamous cell carcinoma"}


def diagnoses(figures: Mapping[str, DiagnosisFigures]) -> Table:
    """Each diagnosis against the rest; a merged class is listed after its parts."""
    codes = []
    for code in CODES:
        codes.append(code)
        codes += [merged for merged in _MERGED if SEVEN_CLASSES[merged][-1] == code]
    return {
        "Diagnosis": [_MERGED[code] if code in _MERGED else BY_CODE[code].name for code in codes],
        "AUROC against the rest": [score_cell(figures[code].auroc) for code in codes],
        "Likeliest diagnosis correct": [
            percent_estimate(figures[code].sensitivity) for code in codes
        ],
        "Photographs": [count(figures[code].num_photographs) for code in codes],
        "Lesions": [count(figures[code].num_lesions) for code in codes],
    }


def groups(name: str, figures: Mapping[str, Mapping[str, Estimate]], min_lesions: int) -> Table:
    """Figures for melanoma in each group.

    Args:
        name: heading of the attribute.
        figures: estimates by group, then by name.
        min_lesions: smaller groups get "too few" in place of a figure.
    """
    table: Table = {name: [literal(group) for group in figures]}
    rows = figures.values()
    table["Sensitivity"] = [_proportion_cell(row["sensitivity"], min_lesions) for row in rows]
    table["Specificity"] = [_proportion_cell(row["specificity"], min_lesions) for row in rows]
    table["AUROC, melanoma"] = [
        # An AUROC compares the melanomas with the others; the smaller group limits it.
        score_cell(row["melanoma_auroc"]) if is_enough(smaller, min_lesions) else too_few(smaller)
        for row in rows
        for smaller in [min(row["sensitivity"], row["specificity"], key=lambda e: e.num_lesions)]
    ]
    for heading, measure in (("Melanomas", "sensitivity"), ("Others", "specificity")):
        table[f"{heading} (lesions)"] = [
            f"{count(row[measure].num_photographs)} ({count(row[measure].num_lesions)})"
            for row in rows
        ]
    return table


def _proportion_cell(estimate: Estimate, min_lesions: int) -> str:
    return percent_estimate(estimate) if is_enough(estimate, min_lesions) else too_few(estimate)


def calibration(card: Card, before: Mapping[str, Estimate]) -> Table:
    """ECE and Brier score before and after calibration."""
    after = card.figures["all"]
    names = ("ece", "brier")
    return {
        "Figure": [SCORES[name] for name in names],
        "Before calibration": [score_cell(before[name]) for name in names],
        "After calibration": [score_cell(after[name]) for name in names],
    }


def bins(diagram: Diagram) -> Table:
    """The bins of a reliability diagram, without empty ones."""
    filled = [
        (bin_, observed)
        for bin_, observed in zip(diagram.after, diagram.observed, strict=True)
        if bin_.num_rows
    ]
    return {
        "Probability": [percent_range(b.low, b.high) for b, _ in filled],
        "Mean": [percent(b.mean_probability) for b, _ in filled],
        "Observed": [percent_estimate(observed) for _, observed in filled],
        "Photographs": [f"{count(b.num_hits)} of {count(b.num_rows)}" for b, _ in filled],
    }
