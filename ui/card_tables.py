"""A model's card as tables; every figure comes from the card."""

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
from melanoma_core.models import store
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
# Left out of `figures`, because `operating_points` shows them.
_AT_THRESHOLD = ("sensitivity", "specificity")


@dataclass(frozen=True)
class Headline:
    """A figure in large print, and the small print below it."""

    name: str
    value: str
    basis: str  # its interval and what it was measured on


def headlines(card: Card, point: OperatingPoint) -> tuple[Headline, ...]:
    """The eight main figures of a model, on all test photographs."""
    figures_of_all = card.figures.get("all", {})
    return (
        headline("Sensitivity for melanoma", point.sensitivity),
        headline("Specificity", point.specificity),
        headline("AUROC, melanoma", figures_of_all.get("melanoma_auroc"), is_proportion=False),
        headline("AUROC, mean of seven", figures_of_all.get("macro_auroc"), is_proportion=False),
        headline("Accuracy", figures_of_all.get("accuracy")),
        headline("Balanced accuracy", figures_of_all.get("balanced_accuracy")),
        headline(
            "Balanced, prior-adjusted", figures_of_all.get("prior_adjusted_balanced_accuracy")
        ),
        headline("Calibration error (ECE)", figures_of_all.get("ece"), is_proportion=False),
    )


def headline(name: str, estimate: Estimate | None, *, is_proportion: bool = True) -> Headline:
    """A figure with its interval, photographs and lesions."""
    if estimate is None:
        return Headline(name, NOT_RECORDED, "")
    if math.isnan(estimate.value):
        return Headline(name, percent(estimate.value), measured_on(estimate))
    if is_proportion:
        value, interval = percent(estimate.value), percent_range(estimate.low, estimate.high)
    else:
        value, interval = score(estimate.value), score_range(estimate.low, estimate.high)
    return Headline(name, value, f"{interval}; {measured_on(estimate)}")


def class_counts(card: Card) -> Table:
    """Photographs of each diagnosis in each split."""
    labels = _labels(card)
    table: Table = {"Diagnosis": [BY_CODE[label].name for label in labels] + ["All"]}
    for split, name in _SPLITS.items():
        counts = card.class_counts.get(split)
        if counts is None:
            table[name] = [NOT_RECORDED] * (len(labels) + 1)
            continue
        column = [counts.get(label) for label in labels]
        cells = [NOT_RECORDED if number is None else count(number) for number in column]
        table[name] = [*cells, count(sum(number or 0 for number in column))]
    return table


def _labels(card: Card) -> list[str]:
    """The diagnoses of the model, and the labels without a name if its data have any."""
    others = {label for counts in card.class_counts.values() for label in counts}
    return [*card.diagnoses, *sorted(others.difference(card.diagnoses))]


def data_sets(card: Card) -> Table:
    """Each data set with its license and the photographs in each split."""
    own, inherited = card.datasets, card.inherited_datasets
    unused = ["–"] * len(inherited)  # only for training the parent models
    return {
        "Data set": data_set_names(card),
        "License": [literal(use.license) or NOT_RECORDED for use in (*own, *inherited)],
        "Training": [count(use.num_train) for use in (*own, *inherited)],
        "Validation": [count(use.num_val) for use in own] + unused,
        "Test": [count(use.num_test) for use in own] + unused,
        "SHA-256": [use.sha256[:8] or NOT_RECORDED for use in (*own, *inherited)],
    }


def data_set_names(card: Card) -> list[str]:
    """The data sets of a model, then those of its parents."""
    return [literal(use.name) for use in card.datasets] + [
        f"{literal(use.name)} ({formats.INHERITED})" for use in card.inherited_datasets
    ]


def operating_points(card: Card) -> Table:
    """Each threshold with its test results, then what both together do."""
    points = [
        (name, point)
        for name, of_one in (
            ("melanoma", card.operating_points), ("carcinoma", card.carcinoma_points),
        )
        for point in sorted(of_one, key=lambda point: -point.target)
    ]  # fmt: skip
    rules = sorted(card.referral_rules, key=lambda rule: -rule.target)
    measured = [*(point for _, point in points), *rules]
    return {
        "For": [*(name.capitalize() for name, _ in points), *("Either" for _ in rules)],
        "Target": [f"{percent(point.target)} sensitivity" for point in measured],
        "Threshold": [*(cutoff(point.threshold) for _, point in points), *("–" for _ in rules)],
        "Chosen on": [
            *(
                f"{counted(point.val_photographs, f'{name} photograph')} of "
                f"{counted(point.val_lesions, 'lesion')}"
                for name, point in points
            ),
            *("–" for _ in rules),
        ],
        "Sensitivity": [_with_basis(point.sensitivity) for point in measured],
        "Specificity": [_with_basis(point.specificity) for point in measured],
    }


def figures(card: Card) -> Table:
    """Accuracy, discrimination and calibration on all test photographs and each larger source."""
    sources = [
        source
        for source in sorted(card.figures, key=lambda source: (source != "all", source))
        if source == "all" or _num_photographs(card.figures[source]) >= ENOUGH_PHOTOGRAPHS
    ]
    labels = {
        name: label for name, label in (PROPORTIONS | SCORES).items() if name not in _AT_THRESHOLD
    }
    last = ["Photographs", "Lesions", *([formats.NAMED] if formats.has_unnamed(card) else [])]
    table: Table = {"Figure": [*labels.values(), *last]}
    for source in sources:
        estimates = card.figures[source]
        column = [_cell(name, estimates.get(name)) for name in labels]
        everything = estimates.get("melanoma_auroc", next(iter(estimates.values()), None))
        column.append(NOT_RECORDED if everything is None else count(everything.num_photographs))
        column.append(NOT_RECORDED if everything is None else count(everything.num_lesions))
        if formats.has_unnamed(card):
            column.append(count(estimates["accuracy"].num_photographs))
        table["All" if source == "all" else literal(source)] = column
    return table


def differential(card: Card) -> Table:
    """How the differential is chosen, and how often it included the true diagnosis in testing."""
    facts = card.differential
    return {
        "Differential": [
            "Designed to include the true diagnosis in",
            "Lists melanoma from",
            "Lists any other diagnosis from",
            "True diagnosis included",
            "True diagnosis included, melanomas only",
            "Diagnoses listed, mean",
            "For review",
        ],
        "On the card": [
            percent(facts.level),
            f"{cutoff(facts.melanoma_cutoff)}, chosen on "
            f"{counted(facts.val_melanomas, 'melanoma photograph')}",
            f"{cutoff(facts.other_cutoff)}, chosen on "
            f"{counted(facts.val_photographs, 'other photograph')}",
            _with_basis(facts.coverage),
            _with_basis(facts.melanoma_coverage),
            f"{score_estimate(facts.mean_size, 2)}; {measured_on(facts.mean_size)}",
            _with_basis(facts.review_share),
        ],
    }


def settings(card: Card) -> Table:
    """The settings of the run that made the model, one per row."""
    rows = formats.settings(card.config)
    return {"Setting": [*map(literal, rows)], "Value": [*map(literal, rows.values())]}


def checksums(card: Card, card_sha256: str) -> str:
    """SHA-256 of every file of the model, in the format of `sha256sum --check`."""
    files = {"card.json": card_sha256, **card.files}
    return "\n".join(f"{sha256}  {name}" for name, sha256 in files.items())


def score_cell(estimate: Estimate) -> str:
    """A table cell for a number that is not a proportion, with its interval."""
    # NaN if undefined: a data set without melanomas has no melanoma AUROC.
    return "n/a" if math.isnan(estimate.value) else score_estimate(estimate)


def _num_photographs(estimates: dict[str, Estimate]) -> int:
    return max((estimate.num_photographs for estimate in estimates.values()), default=0)


def _cell(name: str, estimate: Estimate | None) -> str:
    if estimate is None:
        return NOT_RECORDED
    if math.isnan(estimate.value) or name not in PROPORTIONS:
        return score_cell(estimate)
    return percent_estimate(estimate)


def _with_basis(estimate: Estimate) -> str:
    return f"{percent_estimate(estimate)}; {measured_on(estimate)}"


def missing_parts(card: Card) -> str:
    """The parts of an assessment that an earlier model lacks, such as "outlines and refusals"."""
    parts = {
        "evidence maps": card.has_saliency,
        "refusal of other pictures": store.NOVELTY in card.files,
        "quality checks": bool(card.quality_limits),
        "outlines": store.OUTLINE_WEIGHTS in card.files,
        "similar cases": store.NEIGHBORS in card.files,
    }
    names = [name for name, is_there in parts.items() if not is_there]
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
