"""The words of a verdict, in order of urgency; "below" is never an all-clear."""

from melanoma_core.diagnoses import BENIGN, BY_CODE, CARCINOMA_CODES
from melanoma_core.models import assessments
from melanoma_core.models.assessments import Verdict
from melanoma_core.models.outcomes import Closest
from melanoma_core.models.predict import Prediction
from ui.formats import count, percent, percent_range

_ICONS = {
    Verdict.MELANOMA: ":red[:material/flag:]",
    Verdict.CARCINOMA: ":red[:material/flag:]",
    Verdict.NOT_JUDGED: ":gray[:material/help:]",
    Verdict.BELOW: ":gray[:material/horizontal_rule:]",
}
# What a severe finding of each kind makes of a photograph.
REASONS = {
    "blur": "too blurred",
    "dark": "too dark",
    "overexposed": "overexposed",
    "glare": "too much glare",
    "low_contrast": "too little contrast",
    "noise": "too noisy",
    "compression": "too strongly compressed",
    "too_small": "too small",
    "color_cast": "color cast too strong",
    "dark_corners": "dark corners cover too much",
    "cut_off": "cut off",
    "small_lesion": "lesion too small in the frame",
    "hair": "covered by hair",
    "ink": "covered by ink",
    "ruler": "covered by a ruler",
}
NOT_RULED_OUT = "**This does not rule melanoma out.**"


def icon(verdict: Verdict) -> str:
    """The icon of a verdict: a flag, a question mark or a dash, never a check mark."""
    return _ICONS[verdict]


def heading(result: assessments.Assessment, target: float) -> str:
    """The heading of a result at the thresholds for this sensitivity."""
    verdict = result.verdict(target)
    if verdict == Verdict.MELANOMA:
        return "Above the referral threshold for melanoma"
    if verdict == Verdict.CARCINOMA:
        return "Above the referral threshold for carcinoma"
    if verdict == Verdict.NOT_JUDGED:
        return f"Cannot be judged: {' and '.join(reasons(result))}"
    if result.card.carcinoma_point(target):
        return "Below both referral thresholds"
    return "Below the referral threshold for melanoma"


def reasons(result: assessments.Assessment) -> list[str]:
    """Why a photograph cannot be judged, two reasons at most."""
    kinds = [finding.kind for photograph in result.photographs for finding in photograph.severe]
    return [REASONS.get(kind, kind.replace("_", " ")) for kind in dict.fromkeys(kinds)][:2]


def text(result: assessments.Assessment, target: float, *, is_outside: bool) -> str:
    """What stands below the ruler, in Markdown.

    Args:
        result: of the lesion.
        target: of the thresholds.
        is_outside: the lesion is unlike those tested, so nothing is said of them.
    """
    verdict = result.verdict(target)
    if verdict == Verdict.NOT_JUDGED:
        return (
            "Take another photograph: without a better one a melanoma may be missed. "
            f"{NOT_RULED_OUT}"
        )
    parts = []
    if verdict == Verdict.CARCINOMA:
        parts.append(_carcinomas(result.prediction))
    elif verdict == Verdict.BELOW:
        parts.append(NOT_RULED_OUT)
        if not result.card.carcinoma_point(target):
            parts.append(_not_melanoma_alone(result.prediction))
    if result.closest is not None and not is_outside:
        parts.append(closest(result.closest, is_of_melanoma=verdict == Verdict.CARCINOMA))
    return " ".join(filter(None, parts))


def _carcinomas(prediction: Prediction) -> str:
    names = ", ".join(
        f"{BY_CODE[code].name} {percent(prediction.probability(code))}"
        for code in sorted(CARCINOMA_CODES, key=prediction.probability, reverse=True)
        if code in prediction.codes
    )
    return f"{names[0]}{names[1:].lower()}; melanoma below its threshold."


def _not_melanoma_alone(prediction: Prediction) -> str:
    """A model without a threshold for carcinoma must still name one that it finds likeliest."""
    likeliest = BY_CODE[prediction.likeliest]
    if likeliest.group == BENIGN or likeliest.code == "MEL":
        return ""
    return f"**{likeliest.name} is the likeliest diagnosis.** The threshold is for melanoma only."


def closest(outcome: Closest, *, is_of_melanoma: bool = False) -> str:
    """How many of the test photographs with about this probability were melanomas."""
    number = outcome.num_melanomas
    were = "none was a melanoma"
    if number:
        were = "1 was a melanoma" if number == 1 else f"{count(number)} were melanomas"
    what = "melanoma probability" if is_of_melanoma else "probability"
    return (
        f"Of the {count(outcome.num_photographs)} test photographs closest to this {what}, {were}."
    )


def closest_interval(outcome: Closest) -> str:
    """The same with its interval, for the small print."""
    proportion = outcome.num_melanomas / outcome.num_photographs
    return (
        f"Of the {count(outcome.num_photographs)} test photographs closest to this melanoma "
        f"probability, {percent(proportion)} were melanomas ({percent(0.95)} CI "
        f"{percent_range(outcome.low, outcome.high)})."
    )


def likeliest(result: assessments.Assessment, target: float) -> str:
    """Why a lesion is above or below although another diagnosis is likelier; empty if it is not."""
    prediction, verdict = result.prediction, result.verdict(target)
    diagnosis = BY_CODE[prediction.likeliest]
    if verdict == Verdict.MELANOMA:
        if diagnosis.code == "MEL":
            return "Melanoma is the likeliest diagnosis."
        return (
            f"{diagnosis.name} is the likeliest single diagnosis, but the probability of melanoma "
            "is still high enough to refer."
        )
    if diagnosis.code == "MEL":
        return "Melanoma is still the likeliest diagnosis."
    if verdict == Verdict.CARCINOMA:
        if diagnosis.code in CARCINOMA_CODES:
            return f"{diagnosis.name} is the likeliest diagnosis."
        return (
            f"{diagnosis.name} is the likeliest single diagnosis, but the probability of carcinoma "
            "is still high enough to refer."
        )
    return ""
