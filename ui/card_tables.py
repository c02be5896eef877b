"""A model's card as tables for reading; every figure on them is the card's."""

import math
from dataclasses import dataclass

from melanoma_core.diagnoses import BY_CODE
from melanoma_core.evaluation import formats
from melanoma_core.evaluation.formats import (
    ENOUGH_PHOTOGRAPHS,
    PROPORTIONS,
    SCORES,
    cutoff,
    measured_on,
    score,
    score_range,
)
from melanoma_core.metrics.estimates import Estimate
from melanoma_core.models.cards import Card, OperatingPoint
from ui.formats import (
    NOT_RECORDED,
    count,
    counted,
    literal,
    percent,
    percent_estimate,
    percent_range,
    score_estimate,
)

Table = dict[str, list[str]]

_SPLITS = {"train": "Training", "val": "Validation", "test": "Test"}
# Those at a threshold stand in `operating_points`.
_AT_THRESHOLD = ("sensitivity", "specificity")


@dataclass(frozen=True)
class Headline:
    """One figure in large print, and the small print under it."""

    name: str
    value: str
    basis: str  # its interval and what it was measured on


def headlines(card: Card, point: OperatingPoint) -> tuple[Headline, ...]:
    """The eight figures that a model is first judged by, of all test photographs."""
    of_all = card.figures.get("all", {})
    return (
        headline("Sensitivity for melanoma", point.sensitivity),
        headline("Specificity", point.specificity),
        headline("AUROC, melanoma", of_all.get("melanoma_auroc"), is_share=False),
        headline("AUROC, mean of seven", of_all.get("macro_auroc"), is_share=False),
        headline("Accuracy", of_all.get("accuracy")),
        headline("Balanced accuracy", of_all.get("balanced_accuracy")),
        headline("Balanced, prior-adjusted", of_all.get("prior_adjusted_balanced_accuracy")),
        headline("Calibration error (ECE)", of_all.get("ece"), is_share=False),
    )


def headline(name: str, figure: Estimate | None, *, is_share: bool = True) -> Headline:
    """A figure with its interval and its photographs and lesions apart."""
    if figure is None:
        return Headline(name, NOT_RECORDED, "")
    if math.isnan(figure.value):
        return Headline(name, percent(figure.value), measured_on(figure))
    if is_share:
        value, interval = percent(figure.value), percent_range(figure.low, figure.high)
    else:
        value, interval = score(figure.value), score_range(figure.low, figure.high)
    return Headline(name, value, f"{interval}; {measured_on(figure)}")


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
    """Where the photographs come from, under which license, and how many were used for what."""
    own, inherited = card.datasets, card.inherited_datasets
    unused = ["–"] * len(inherited)  # this model was not measured on them
    return {
        "Data set": data_set_names(card),
        "License": [literal(use.license) or NOT_RECORDED for use in (*own, *inherited)],
        "Training": [count(use.num_train) for use in (*own, *inherited)],
        "Validation": [count(use.num_val) for use in own] + unused,
        "Test": [count(use.num_test) for use in own] + unused,
        "SHA-256": [use.sha256[:8] or NOT_RECORDED for use in (*own, *inherited)],
    }


def data_set_names(card: Card) -> list[str]:
    """The data sets of a model, its own run's first."""
    return [literal(use.name) for use in card.datasets] + [
        f"{literal(use.name)} ({formats.INHERITED})" for use in card.inherited_datasets
    ]


def operating_points(card: Card) -> Table:
    """What each threshold found in the test split."""
    points = sorted(card.operating_points, key=lambda point: -point.target)
    return {
        "Placed for": [f"{percent(point.target)} sensitivity" for point in points],
        "Threshold": [cutoff(point.threshold) for point in points],
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
    shown = {
        name: words for name, words in (PROPORTIONS | SCORES).items() if name not in _AT_THRESHOLD
    }
    table: Table = {"Figure": [*shown.values(), "Photographs", "Lesions"]}
    for source in sources:
        of_source = card.figures[source]
        column = [_figure(name, of_source.get(name)) for name in shown]
        base = next(iter(of_source.values()), None)
        column.append(NOT_RECORDED if base is None else count(base.num_photographs))
        column.append(NOT_RECORDED if base is None else count(base.num_lesions))
        table["All" if source == "all" else literal(source)] = column
    return table


def differential(card: Card) -> Table:
    """How the set of diagnoses is chosen, and what it held on the test photographs."""
    found = card.differential
    return {
        "Differential": [
            "Is to hold the true diagnosis in",
            "Melanoma joins from",
            "Any other diagnosis joins from",
            "Held the true diagnosis",
            "Held melanoma where it was melanoma",
            "Diagnoses in a set, mean",
            "Sets for review",
        ],
        "On the card": [
            percent(found.level),
            f"{cutoff(found.melanoma_cutoff)}, chosen on "
            f"{counted(found.val_melanomas, 'melanoma photograph')}",
            f"{cutoff(found.other_cutoff)}, chosen on "
            f"{counted(found.val_photographs, 'other photograph')}",
            _measured(found.coverage),
            _measured(found.melanoma_coverage),
            f"{score_estimate(found.mean_size, 2)}; {measured_on(found.mean_size)}",
            _measured(found.review_share),
        ],
    }


def settings(card: Card) -> Table:
    """The settings of the run that made the model, one a row."""
    rows = formats.settings(card.config)
    return {"Setting": [*map(literal, rows)], "Value": [*map(literal, rows.values())]}


def checksums(card: Card, card_sha256: str) -> str:
    """SHA-256 of every file of the model, as `sha256sum --check` reads it."""
    shown = {"card.json": card_sha256, **card.files}
    return "\n".join(f"{sha256}  {name}" for name, sha256 in shown.items())


def score_cell(figure: Estimate) -> str:
    """A figure that is no share, with its interval, in a table."""
    # Undefined there: a data set without melanomas has no melanoma AUROC.
    return "n/a" if math.isnan(figure.value) else score_estimate(figure)


def _num_photographs(figures: dict[str, Estimate]) -> int:
    return max((figure.num_photographs for figure in figures.values()), default=0)


def _figure(name: str, figure: Estimate | None) -> str:
    if figure is None:
        return NOT_RECORDED
    if math.isnan(figure.value) or name not in PROPORTIONS:
        return score_cell(figure)
    return percent_estimate(figure)


def _measured(figure: Estimate) -> str:
    return f"{percent_estimate(figure)}; {measured_on(figure)}"
