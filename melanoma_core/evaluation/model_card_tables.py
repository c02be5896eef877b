"""The sections of a model card that hold measured figures, each one as Markdown."""

import math
from collections.abc import Mapping, Sequence

from melanoma_core.data import coverage
from melanoma_core.diagnoses import BY_CODE, CODES
from melanoma_core.evaluation import evaluate, subgroups
from melanoma_core.evaluation.evaluate import Evaluation
from melanoma_core.evaluation.formats import (
    ENOUGH_MELANOMAS,
    ENOUGH_PHOTOGRAPHS,
    SCORES,
    SHARES,
    count,
    counted,
    cutoff,
    is_enough,
    is_well_measured,
    measured_on,
    percent,
    percent_range,
    score_figure,
    share_figure,
    too_few,
)
from melanoma_core.evaluation.markdown import bullets, literal, table
from melanoma_core.evaluation.subgroups import DiagnosisFigures
from melanoma_core.metrics.conformal import MAX_SET_SIZE
from melanoma_core.metrics.estimates import Estimate
from melanoma_core.models.cards import Card, OperatingPoint

_SOURCES = {"ham10000": "HAM10000", "isic2017": "ISIC 2017"}
_TOGETHER = {
    "BKL": "Both keratoses (pigmented benign, seborrheic) together",
    "AKIEC": "Actinic keratosis and squamous cell carcinoma together",
}
_ATTRIBUTES = {"source": "Source", "sex": "Sex", "age": "Age (years)", "site": "Body site"}
_FEW_MELANOMAS = 10  # lesions: the sensitivity of a smaller subgroup is not ranked
_NUM_WORST = 3  # subgroups that are named
Subgroups = Mapping[str, Mapping[str, Mapping[str, Estimate]]]


def source_name(source: str) -> str:
    """A data set as it is written."""
    return _SOURCES.get(source, literal(source))


def operating_points(card: Card) -> str:
    """What each threshold found on the test photographs, and how far that can be relied on."""
    rows = [
        (
            percent(point.target),
            cutoff(point.threshold),
            f"{counted(point.val_photographs, 'photograph')} of "
            f"{counted(point.val_lesions, 'melanoma')}",
            f"{share_figure(point.sensitivity)}; {measured_on(point.sensitivity)}",
            f"{share_figure(point.specificity)}; {measured_on(point.specificity)}",
        )
        for point in card.operating_points
    ]
    headings = ("Placed to find", "Threshold", "Chosen on", "Sensitivity", "Specificity")
    return f"{table(headings, rows, 5)}\n\n{bullets(map(_promise, card.operating_points))}"


def _promise(point: OperatingPoint) -> str:
    """What may be said of a threshold's sensitivity: a target, or only an interval."""
    found, aim = point.sensitivity, percent(point.target)
    basis = (
        f"chosen on {counted(point.val_lesions, 'melanoma')} and measured on "
        f"{count(found.num_lesions)}"
    )
    start = f"The threshold placed to find {aim} was {basis}"
    if is_well_measured(point):
        return f"{start}; its interval does not lie below {aim}."
    if math.isnan(found.low) or math.isnan(found.high):
        return f"{start}: its sensitivity is not known."
    few = min(point.val_lesions, found.num_lesions) < ENOUGH_MELANOMAS
    reason = f"below {ENOUGH_MELANOMAS}" if few else f"with an interval below {aim}"
    return (
        f"{start}; {reason} no such sensitivity is claimed: the true one lies between "
        f"{percent_range(found.low, found.high, ' and ')}, an interval "
        f"{100 * (found.high - found.low):.0f} points wide."
    )


def by_source(card: Card) -> str:
    """Discrimination, accuracy and calibration on each larger source and on all."""
    sources = [
        source
        for source, figures in card.figures.items()
        if source != "all" and figures["accuracy"].num_photographs >= ENOUGH_PHOTOGRAPHS
    ]
    columns = [*sources, "all"]
    rows = [
        (name, *(score_figure(card.figures[source][key]) for source in columns))
        for key, name in SCORES.items()
    ] + [
        (name, *(share_figure(card.figures[source][key]) for source in columns))
        for key, name in SHARES.items()
    ]
    bases = [card.figures[source]["accuracy"] for source in columns]
    rows.append(("Photographs", *(count(base.num_photographs) for base in bases)))
    rows.append(("Lesions", *(count(base.num_lesions) for base in bases)))
    names = [*map(source_name, sources), "All"]
    return table(("Figure", *names), rows)


def by_diagnosis(found: Mapping[str, DiagnosisFigures]) -> str:
    """Each diagnosis against the rest, and the two sums beside their parts."""
    order = [code for code in CODES if code not in ("PBK", "SK", "AK", "SCC")]
    order += ["AK", "SCC", "AKIEC", "PBK", "SK", "BKL"]
    rows = [
        (
            _TOGETHER[code] if code in _TOGETHER else BY_CODE[code].name,
            score_figure(found[code].auroc),
            share_figure(found[code].recall),
            count(found[code].num_photographs),
            count(found[code].num_lesions),
        )
        for code in order
    ]
    headings = ("Diagnosis", "AUROC", "Found as the likeliest", "Photographs", "Lesions")
    return table(headings, rows)


def subgroups_of(measured: Evaluation, threshold: float) -> Subgroups:
    """`subgroups.by_attribute` of every attribute that is recorded."""
    return {
        attribute: subgroups.by_attribute(measured, attribute, threshold)
        for attribute in _ATTRIBUTES
    }


def by_subgroup(found: Subgroups) -> str:
    """A table for each attribute."""
    tables = []
    for attribute, groups in found.items():
        rows = [
            (
                source_name(value) if attribute == "source" else literal(value),
                _auroc_in_group(figures),
                share_figure(figures["sensitivity"]),
                _lesions(figures["sensitivity"]),
                share_figure(figures["specificity"]),
                _lesions(figures["specificity"]),
            )
            for value, figures in groups.items()
        ]
        headings = (
            _ATTRIBUTES[attribute], "AUROC, melanoma", "Sensitivity", "of melanomas",
            "Specificity", "of other lesions",
        )  # fmt: skip
        tables.append(table(headings, rows))
    return "\n\n".join(tables)


def _auroc_in_group(figures: Mapping[str, Estimate]) -> str:
    # Its two sides are the photographs of the other two: the smaller says how much it is worth.
    sides = (figures["sensitivity"], figures["specificity"])
    smaller = min(sides, key=lambda figure: figure.num_lesions)
    return score_figure(figures["melanoma_auroc"]) if is_enough(smaller) else too_few(smaller)


def _lesions(figure: Estimate) -> str:
    return f"{count(figure.num_photographs)} ({count(figure.num_lesions)})"


def calibration(card: Card, measured: Evaluation) -> str:
    """ECE and Brier score as the network was trained, and after calibration."""
    before = evaluate.calibration_figures(
        evaluate.before_calibration(measured, card.temperature, card.class_bias)
    )
    after = card.figures["all"]
    rows = [
        (SCORES[name], score_figure(before[name]), score_figure(after[name]))
        for name in ("ece", "brier")
    ]
    return table(("Of the seven classes", "Before", "After"), rows)


def differential(card: Card) -> str:
    """How the set of diagnoses is chosen, and what it held on the test photographs."""
    found = card.differential
    chosen = (
        f"Melanoma joins the set from a probability of {cutoff(found.melanoma_cutoff)} on, chosen "
        f"on {counted(found.val_melanomas, 'validation photograph')} of melanomas; any other "
        f"diagnosis from {cutoff(found.other_cutoff)} on, chosen on the other "
        f"{counted(found.val_photographs, 'validation photograph')}; the likeliest is always in. "
        "The cutoffs are placed so that the set holds the true diagnosis in "
        f"{percent(found.level)} of melanoma photographs and in {percent(found.level)} of the "
        "others (split conformal prediction; the temperature was fitted on the same photographs)."
    )
    rows = [
        (name, share_figure(figure), measured_on(figure))
        for name, figure in (
            ("True diagnosis in the set", found.coverage),
            ("The same of melanomas", found.melanoma_coverage),
            (f"Sets for review: more than {MAX_SET_SIZE}, or melanoma beside a benign diagnosis",
             found.review_share),
        )
    ]  # fmt: skip
    size = found.mean_size
    rows.insert(2, ("Diagnoses in a set, mean", score_figure(size, 2), measured_on(size)))
    return f"{chosen}\n\n{table(('On test photographs', 'Figure', 'of'), rows, 1)}"


def seen(card: Card) -> str:
    """Training lesions by age, sex, site and source, and that no skin tone was recorded."""
    lines = []
    for attribute in coverage.ATTRIBUTES:
        name = _ATTRIBUTES.get(attribute, "Skin tone")
        counts = card.seen[attribute]
        parts = [
            f"{source_name(value) if attribute == 'source' else literal(value)}: {count(number)}"
            for value, number in counts.items()
        ]
        lines.append(f"{name}: {'; '.join(parts)}.")
    return bullets(lines)


def failures(measured: Evaluation, point: OperatingPoint, found: Subgroups) -> str:
    """Melanomas below the threshold, the confusion with nevus, and the worst subgroups."""
    counts = subgroups.confusion(measured)
    melanoma, nevus = CODES.index("MEL"), CODES.index("NV")
    num_melanomas, num_nevi = int(counts[melanoma].sum()), int(counts[nevus].sum())
    is_below = measured.melanoma_probability < point.threshold
    missed = int(((measured.is_melanoma == 1) & is_below).sum())
    return bullets(
        (
            f"{count(missed)} of {counted(num_melanomas, 'melanoma photograph')} lie below the "
            f"threshold placed to find {percent(point.target)}.",
            f"Nevus is the likeliest diagnosis in {count(int(counts[melanoma, nevus]))} of "
            f"{counted(num_melanomas, 'melanoma photograph')}, melanoma in "
            f"{count(int(counts[nevus, melanoma]))} of {counted(num_nevi, 'nevus photograph')}.",
            f"Lowest sensitivity, of subgroups with at least {_FEW_MELANOMAS} melanomas: "
            f"{_worst(found, 'sensitivity', _FEW_MELANOMAS)}.",
            f"Lowest specificity, of subgroups with at least {ENOUGH_PHOTOGRAPHS} other lesions: "
            f"{_worst(found, 'specificity', ENOUGH_PHOTOGRAPHS)}.",
        )
    )


def _worst(found: Subgroups, name: str, num_lesions: int) -> str:
    ranked: Sequence[tuple[float, str]] = sorted(
        (
            figures[name].value,
            f"{_ATTRIBUTES[attribute].split(' (')[0].lower()} "
            f"{source_name(value) if attribute == 'source' else literal(value)}: "
            f"{share_figure(figures[name])}",
        )
        for attribute, groups in found.items()
        for value, figures in groups.items()
        if figures[name].num_lesions >= num_lesions
    )
    return "; ".join(text for _, text in ranked[:_NUM_WORST]) or "no subgroup is that large"
