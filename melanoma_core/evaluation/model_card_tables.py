"""The sections of a model card with measured figures, each as Markdown."""

import math
from collections.abc import Mapping, Sequence

from melanoma_core.data import coverage
from melanoma_core.diagnoses import BY_CODE, CODES
from melanoma_core.evaluation import evaluate, formats, subgroups
from melanoma_core.evaluation.evaluate import Evaluation
from melanoma_core.evaluation.formats import (
    ENOUGH_MELANOMAS,
    ENOUGH_PHOTOGRAPHS,
    PROPORTIONS,
    SCORES,
    count,
    counted,
    cutoff,
    is_enough,
    is_well_measured,
    measured_on,
    percent,
    percent_estimate,
    percent_range,
    score_estimate,
    too_few,
)
from melanoma_core.evaluation.markdown import bullets, literal, table
from melanoma_core.evaluation.subgroups import DiagnosisFigures
from melanoma_core.metrics.conformal import MAX_SET_SIZE
from melanoma_core.metrics.estimates import Estimate
from melanoma_core.models.cards import Card, OperatingPoint

_SOURCES = {"ham10000": "HAM10000", "isic2017": "ISIC 2017", "isic2020": "ISIC 2020"}
_TOGETHER = {
    "BKL": "Both keratoses (pigmented benign, seborrheic) together",
    "AKIEC": "Actinic keratosis and squamous cell carcinoma together",
}
_ATTRIBUTES = {"source": "Source", "sex": "Sex", "age": "Age (years)", "site": "Body site"}
_MIN_RANKED_MELANOMAS = 10  # lesions: the sensitivity of smaller subgroups is not ranked
_NUM_WORST = 3  # subgroups listed
Subgroups = Mapping[str, Mapping[str, Mapping[str, Estimate]]]


def source_name(source: str) -> str:
    """A data set's name for reading."""
    return _SOURCES.get(source, literal(source))


def operating_points(card: Card) -> str:
    """The test results of each threshold, and what sensitivity may be claimed for it."""
    points = [("melanoma", point) for point in card.operating_points]
    points += [("carcinoma", point) for point in card.carcinoma_points]
    rows = [
        (
            name.capitalize(),
            percent(point.target),
            cutoff(point.threshold),
            f"{counted(point.val_photographs, 'photograph')} of {counted(point.val_lesions, name)}",
            f"{percent_estimate(point.sensitivity)}; {measured_on(point.sensitivity)}",
            f"{percent_estimate(point.specificity)}; {measured_on(point.specificity)}",
        )
        for name, point in points
    ]
    rows += [
        (
            "Either",
            percent(rule.target),
            "–",
            "–",
            f"{percent_estimate(rule.sensitivity)}; {measured_on(rule.sensitivity)}",
            f"{percent_estimate(rule.specificity)}; {measured_on(rule.specificity)}",
        )
        for rule in card.referral_rules
    ]
    headings = ("For", "Target", "Threshold", "Chosen on", "Sensitivity", "Specificity")
    either = (
        "Carcinoma is basal and squamous cell carcinoma together. Either: a lesion above one of "
        "the two thresholds is referred; sensitivity is then for any malignancy.\n\n"
    )
    claims = bullets(_claim(name, point) for name, point in points)
    return f"{table(headings, rows, 6)}\n\n{either if card.carcinoma_points else ''}{claims}"


def _claim(name: str, point: OperatingPoint) -> str:
    """Whether a threshold's target sensitivity is claimed, or only its interval."""
    sensitivity, target = point.sensitivity, percent(point.target)
    start = (
        f"The threshold for {name} with a target of {target} was chosen on "
        f"{counted(point.val_lesions, name)} and tested on {count(sensitivity.num_lesions)}"
    )
    if is_well_measured(point):
        return f"{start}; its interval is not below {target}."
    if math.isnan(sensitivity.low) or math.isnan(sensitivity.high):
        return f"{start}: its sensitivity is not known."
    is_small = min(point.val_lesions, sensitivity.num_lesions) < ENOUGH_MELANOMAS
    reason = (
        f"With fewer than {ENOUGH_MELANOMAS} {name}s"
        if is_small
        else f"As its interval is below {target}"
    )
    return (
        f"{start}. {reason}, no such sensitivity is claimed: the true one lies between "
        f"{percent_range(sensitivity.low, sensitivity.high, ' and ')}, an interval "
        # Of the rounded ends beside it.
        f"{round(100 * sensitivity.high) - round(100 * sensitivity.low)} points wide."
    )


def by_source(card: Card) -> str:
    """Discrimination, accuracy and calibration on each larger data set and on all."""
    sources = [
        source
        for source, figures in card.figures.items()
        if source != "all" and figures["accuracy"].num_photographs >= ENOUGH_PHOTOGRAPHS
    ]
    columns = [*sources, "all"]
    rows = [
        (name, *(score_estimate(card.figures[source][key]) for source in columns))
        for key, name in SCORES.items()
    ] + [
        (name, *(percent_estimate(card.figures[source][key]) for source in columns))
        for key, name in PROPORTIONS.items()
    ]
    totals = [card.figures[source]["melanoma_auroc"] for source in columns]
    rows.append(("Photographs", *(count(total.num_photographs) for total in totals)))
    rows.append(("Lesions", *(count(total.num_lesions) for total in totals)))
    if formats.has_unnamed(card):
        named = [card.figures[source]["accuracy"].num_photographs for source in columns]
        rows.append((formats.NAMED, *map(count, named)))
    names = [*map(source_name, sources), "All"]
    return table(("Figure", *names), rows)


def by_diagnosis(figures: Mapping[str, DiagnosisFigures]) -> str:
    """Each diagnosis against the rest, and the two sums after their parts."""
    order = [code for code in CODES if code not in ("PBK", "SK", "AK", "SCC")]
    order += ["AK", "SCC", "AKIEC", "PBK", "SK", "BKL"]
    rows = [
        (
            _TOGETHER[code] if code in _TOGETHER else BY_CODE[code].name,
            score_estimate(figures[code].auroc),
            percent_estimate(figures[code].sensitivity),
            count(figures[code].num_photographs),
            count(figures[code].num_lesions),
        )
        for code in order
    ]
    headings = ("Diagnosis", "AUROC", "Likeliest diagnosis correct", "Photographs", "Lesions")
    return table(headings, rows)


def subgroups_of(test: Evaluation, threshold: float) -> Subgroups:
    """`subgroups.by_attribute` for every recorded attribute."""
    return {
        attribute: subgroups.by_attribute(test, attribute, threshold) for attribute in _ATTRIBUTES
    }


def by_subgroup(figures_of: Subgroups) -> str:
    """A table for each attribute."""
    tables = []
    for attribute, groups in figures_of.items():
        rows = [
            (
                _value_name(attribute, value),
                _auroc_in_group(figures),
                percent_estimate(figures["sensitivity"]),
                _lesions(figures["sensitivity"]),
                percent_estimate(figures["specificity"]),
                _lesions(figures["specificity"]),
            )
            for value, figures in groups.items()
        ]
        headings = (
            _ATTRIBUTES[attribute], "AUROC, melanoma", "Sensitivity", "Melanomas",
            "Specificity", "Other lesions",
        )  # fmt: skip
        tables.append(table(headings, rows))
    return "\n\n".join(tables)


def _auroc_in_group(figures: Mapping[str, Estimate]) -> str:
    # An AUROC compares the melanomas with the other lesions: the smaller group limits it.
    groups = (figures["sensitivity"], figures["specificity"])
    smaller = min(groups, key=lambda estimate: estimate.num_lesions)
    return score_estimate(figures["melanoma_auroc"]) if is_enough(smaller) else too_few(smaller)


def _lesions(estimate: Estimate) -> str:
    return f"{count(estimate.num_photographs)} ({count(estimate.num_lesions)})"


def calibration(card: Card, test: Evaluation) -> str:
    """ECE and Brier score before and after calibration."""
    before = evaluate.calibration_figures(
        evaluate.before_calibration(test, card.temperature, card.class_bias)
    )
    after = card.figures["all"]
    rows = [
        (SCORES[name], score_estimate(before[name]), score_estimate(after[name]))
        for name in ("ece", "brier")
    ]
    return table(("Of the seven classes", "Before", "After"), rows)


def differential(card: Card) -> str:
    """How the differential is chosen, and how often it included the true diagnosis in testing."""
    facts = card.differential
    chosen = (
        f"The differential lists melanoma from a probability of {cutoff(facts.melanoma_cutoff)} "
        f"(chosen on {counted(facts.val_melanomas, 'validation photograph')} of melanomas), any "
        f"other diagnosis from {cutoff(facts.other_cutoff)} (chosen on the other "
        f"{counted(facts.val_photographs, 'validation photograph')}), and always the likeliest "
        "diagnosis. It is designed to include the true diagnosis in "
        f"{percent(facts.level)} of melanoma photographs and in {percent(facts.level)} of the "
        "others (split conformal prediction; calibration was fitted on the same photographs)."
    )
    rows = [
        (name, percent_estimate(estimate), measured_on(estimate))
        for name, estimate in (
            ("True diagnosis included", facts.coverage),
            ("True diagnosis included, melanomas only", facts.melanoma_coverage),
            (f"For review: more than {MAX_SET_SIZE} diagnoses, or melanoma and a benign diagnosis",
             facts.review_share),
        )
    ]  # fmt: skip
    size = facts.mean_size
    rows.insert(2, ("Diagnoses listed, mean", score_estimate(size, 2), measured_on(size)))
    return f"{chosen}\n\n{table(('On test photographs', 'Figure', 'of'), rows, 1)}"


def seen(card: Card) -> str:
    """Training lesions by age, sex, site and data set, and that no skin tone was recorded."""
    lines = []
    for attribute in coverage.ATTRIBUTES:
        name = _ATTRIBUTES.get(attribute, "Skin tone")
        parts = [
            f"{_value_name(attribute, value)}: {count(number)}"
            for value, number in card.seen[attribute].items()
        ]
        lines.append(f"{name}: {'; '.join(parts)}.")
    return bullets(lines)


def failures(test: Evaluation, point: OperatingPoint, figures_of: Subgroups) -> str:
    """Melanomas below the threshold, the confusion with nevus, and the worst subgroups."""
    counts = subgroups.confusion(test)
    melanoma, nevus = CODES.index("MEL"), CODES.index("NV")
    num_melanomas, num_nevi = int(counts[melanoma].sum()), int(counts[nevus].sum())
    is_below = test.melanoma_probability < point.threshold
    num_missed = int(((test.is_melanoma == 1) & is_below).sum())
    return bullets(
        (
            f"{count(num_missed)} of {counted(num_melanomas, 'melanoma photograph')} are below the "
            f"threshold for a target sensitivity of {percent(point.target)}.",
            f"Nevus is the likeliest diagnosis in {count(int(counts[melanoma, nevus]))} of "
            f"{counted(num_melanomas, 'melanoma photograph')}, melanoma in "
            f"{count(int(counts[nevus, melanoma]))} of {counted(num_nevi, 'nevus photograph')}.",
            f"Lowest sensitivity, of subgroups with at least {_MIN_RANKED_MELANOMAS} melanomas: "
            f"{_worst(figures_of, 'sensitivity', _MIN_RANKED_MELANOMAS)}.",
            f"Lowest specificity, of subgroups with at least {ENOUGH_PHOTOGRAPHS} other lesions: "
            f"{_worst(figures_of, 'specificity', ENOUGH_PHOTOGRAPHS)}.",
        )
    )


def _worst(figures_of: Subgroups, name: str, min_lesions: int) -> str:
    ranked: Sequence[tuple[float, str]] = sorted(
        (
            figures[name].value,
            f"{_ATTRIBUTES[attribute].split(' (')[0].lower()} {_value_name(attribute, value)}: "
            f"{percent_estimate(figures[name])}",
        )
        for attribute, groups in figures_of.items()
        for value, figures in groups.items()
        if figures[name].num_lesions >= min_lesions
    )
    return "; ".join(text for _, text in ranked[:_NUM_WORST]) or "no subgroup is that large"


def _value_name(attribute: str, value: str) -> str:
    return source_name(value) if attribute == "source" else literal(value)
