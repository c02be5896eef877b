"""Tables of what is made of a model's evaluation: by diagnosis and by group of photographs."""

from collections.abc import Callable, Mapping

from melanoma_core.diagnoses import BY_CODE, SEVEN_CLASSES
from melanoma_core.evaluation.formats import SCORES, is_enough, too_few
from melanoma_core.evaluation.subgroups import DiagnosisFigures
from melanoma_core.metrics.estimates import Estimate
from melanoma_core.models.cards import Card
from ui.card_tables import Table, score_cell
from ui.formats import count, literal, percent, percent_estimate, percent_range
from ui.model_charts import Diagram

_MERGED = {"BKL": "Both keratoses", "AKIEC": "Actinic keratosis or squamous cell carcinoma"}


def diagnoses(found: Mapping[str, DiagnosisFigures]) -> Table:
    """How well each diagnosis is told from the rest; a sum of two stands under its parts."""
    codes = []
    for code in BY_CODE:
        codes.append(code)
        codes += [sum_code for sum_code in _MERGED if SEVEN_CLASSES[sum_code][-1] == code]
    return {
        "Diagnosis": [_MERGED[code] if code in _MERGED else BY_CODE[code].name for code in codes],
        "AUROC against the rest": [score_cell(found[code].auroc) for code in codes],
        "Found as the likeliest": [percent_estimate(found[code].sensitivity) for code in codes],
        "Photographs": [count(found[code].num_photographs) for code in codes],
        "Lesions": [count(found[code].num_lesions) for code in codes],
    }


def groups(name: str, found: Mapping[str, Mapping[str, Estimate]], fewest: int) -> Table:
    """Figures for melanoma in each group.

    Args:
        name: of the attribute, as a heading.
        found: by group, then by figure.
        fewest: lesions; the figure of a smaller group is left out, and that is said.
    """
    table: Table = {name: [literal(group) for group in found]}
    rows = found.values()
    table["Sensitivity"] = [_cell(percent_estimate, of["sensitivity"], fewest) for of in rows]
    table["Specificity"] = [_cell(percent_estimate, of["specificity"], fewest) for of in rows]
    table["AUROC, melanoma"] = [
        # Its two sides are the photographs of the other two: the smaller says how much it is worth.
        score_cell(of["melanoma_auroc"]) if is_enough(smaller, fewest) else too_few(smaller)
        for of in rows
        for smaller in [min(of["sensitivity"], of["specificity"], key=lambda f: f.num_lesions)]
    ]
    for heading, figure_name in (("Melanomas", "sensitivity"), ("Others", "specificity")):
        table[f"{heading} (lesions)"] = [
            f"{count(of_group[figure_name].num_photographs)} "
            f"({count(of_group[figure_name].num_lesions)})"
            for of_group in rows
        ]
    return table


def _cell(write: Callable[[Estimate], str], figure: Estimate, fewest: int) -> str:
    return write(figure) if is_enough(figure, fewest) else too_few(figure)


def calibration(card: Card, before: Mapping[str, Estimate]) -> Table:
    """ECE and Brier score without the temperature and with it."""
    after = card.figures["all"]
    shown = ("ece", "brier")
    return {
        "Figure": [SCORES[name] for name in shown],
        "Before calibration": [score_cell(before[name]) for name in shown],
        "After calibration": [score_cell(after[name]) for name in shown],
    }


def bins(diagram: Diagram) -> Table:
    """The bins of a reliability diagram in numbers; empty ones are left out."""
    filled = [
        (found, share)
        for found, share in zip(diagram.after, diagram.shares, strict=True)
        if found.num_rows
    ]
    return {
        "Probability": [percent_range(found.low, found.high) for found, _ in filled],
        "Mean": [percent(found.mean_probability) for found, _ in filled],
        "Came true": [percent_estimate(share) for _, share in filled],
        "Photographs": [f"{count(f.num_hits)} of {count(f.num_rows)}" for f, _ in filled],
    }
