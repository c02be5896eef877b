"""A model's card as tables for reading; every figure on them is the card's."""

import math

from melanoma_core.diagnoses import BY_CODE
from melanoma_core.registry import Card, Figure
from ui.formats import NOT_RECORDED, count, counted, literal, percent, score_figure, share_figure

# Of fewer test photographs an interval says too little for a column of its own.
ENOUGH_PHOTOGRAPHS = 50
Table = dict[str, list[str]]

_SPLITS = {"train": "Training", "val": "Validation", "test": "Test"}
_SHARES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "prior_adjusted_balanced_accuracy": "Balanced accuracy, prior-adjusted",
}
_SCORES = {
    "macro_auroc": "AUROC, mean of the diagnoses",
    "melanoma_auroc": "AUROC, melanoma against the rest",
    "ece": "Calibration error (ECE)",
    "brier": "Brier score",
}


def class_counts(card: Card) -> Table:
    """Photographs of each diagnosis in each split."""
    table: Table = {"Diagnosis": [BY_CODE[code].name for code in card.diagnoses] + ["All"]}
    for split, name in _SPLITS.items():
        counts = card.class_counts.get(split)
        if counts is None:
            table[name] = [NOT_RECORDED] * (len(card.diagnoses) + 1)
            continue
        column = [counts.get(code) for code in card.diagnoses]
        cells = [NOT_RECORDED if number is None else count(number) for number in column]
        table[name] = [*cells, count(sum(number or 0 for number in column))]
    return table


def data_sets(card: Card) -> Table:
    """Where the photographs come from, under which licence, and how many were used for what."""
    return {
        "Data set": [literal(use.name) for use in card.datasets],
        "Licence": [literal(use.licence) or NOT_RECORDED for use in card.datasets],
        "Training": [count(use.num_train) for use in card.datasets],
        "Validation": [count(use.num_val) for use in card.datasets],
        "Test": [count(use.num_test) for use in card.datasets],
        "SHA-256": [use.sha256[:8] or NOT_RECORDED for use in card.datasets],
    }


def operating_points(card: Card) -> Table:
    """What each threshold found in the test split."""
    points = sorted(card.operating_points, key=lambda point: -point.target)
    return {
        "Placed for": [f"{percent(point.target)} sensitivity" for point in points],
        "Threshold": [percent(point.threshold) for point in points],
        "Chosen on": [
            f"{counted(point.val_photographs, 'melanoma photograph')} of "
            f"{counted(point.val_lesions, 'lesion')}"
            for point in points
        ],
        "Sensitivity": [_measured(point.sensitivity) for point in points],
        "Specificity": [_measured(point.specificity) for point in points],
    }


def figures(card: Card) -> Table:
    """Accuracy, discrimination and calibration, for all test photographs and larger sources."""
    sources = [
        source
        for source in sorted(card.figures, key=lambda source: (source != "all", source))
        if source == "all" or _num_photographs(card.figures[source]) >= ENOUGH_PHOTOGRAPHS
    ]
    shown = {**_SHARES, **_SCORES}
    table: Table = {"Figure": [*shown.values(), "Photographs", "Lesions"]}
    for source in sources:
        of_source = card.figures[source]
        column = [_figure(name, of_source.get(name)) for name in shown]
        base = next(iter(of_source.values()), None)
        column.append(NOT_RECORDED if base is None else count(base.num_photographs))
        column.append(NOT_RECORDED if base is None else count(base.num_lesions))
        table["All" if source == "all" else literal(source)] = column
    return table


def _num_photographs(figures: dict[str, Figure]) -> int:
    return max((figure.num_photographs for figure in figures.values()), default=0)


def _figure(name: str, figure: Figure | None) -> str:
    if figure is None:
        return NOT_RECORDED
    if math.isnan(figure.value):
        return "n/a"  # undefined there: a data set without melanomas has no melanoma AUROC
    return share_figure(figure) if name in _SHARES else score_figure(figure)


def _measured(figure: Figure) -> str:
    hits = "" if figure.num_hits is None else f"{count(figure.num_hits)} of "
    return (
        f"{share_figure(figure)}; {hits}{counted(figure.num_photographs, 'photograph')}, "
        f"{counted(figure.num_lesions, 'lesion')}"
    )
