"""The verdict: where the lesion stands, on a ruler, and how good the thresholds are."""

import streamlit as st

from melanoma_core.evaluation.formats import is_well_measured
from melanoma_core.models.assessments import Verdict
from melanoma_core.models.cards import OperatingPoint
from ui import charts, result_text, theme, verdict_text
from ui.assessments import Assessment
from ui.formats import small


def show(assessment: Assessment, point: OperatingPoint, *, is_outside: bool) -> None:
    """Draw the card.

    Args:
        assessment: of the lesion.
        point: the threshold for melanoma.
        is_outside: the lesion is unlike those tested, so no figure of the test is given.
    """
    result = assessment.result
    verdict = result.verdict(point.target)
    heading = verdict_text.heading(result, point.target)
    with st.container(border=True):
        st.header(f"{verdict_text.icon(verdict)} {heading}", anchor=False)
        # The mark of a lesion that cannot be judged would lie below the threshold.
        if verdict != Verdict.NOT_JUDGED:
            probability, threshold = _measured(assessment, verdict, point)
            st.plotly_chart(
                charts.ruler(probability, threshold, theme.current()),
                config=charts.CONFIG, key="ruler",
                alt=charts.ruler_alt(heading, probability, threshold),
            )  # fmt: skip
        st.markdown(verdict_text.text(result, point.target, is_outside=is_outside))
        with st.expander("How good is this threshold?", icon=":material/rule:"):
            _show_evidence(assessment, point, is_outside=is_outside)


def _measured(
    assessment: Assessment, verdict: Verdict, point: OperatingPoint
) -> tuple[float, float]:
    """The probability and the threshold that the heading speaks of."""
    prediction = assessment.prediction
    carcinoma = assessment.card.carcinoma_point(point.target)
    if verdict == Verdict.CARCINOMA and carcinoma:
        return prediction.carcinoma_probability, carcinoma.threshold
    return prediction.melanoma_probability, point.threshold


def _show_evidence(assessment: Assessment, point: OperatingPoint, *, is_outside: bool) -> None:
    result, card = assessment.result, assessment.card
    if is_outside:
        point = result_text.unmeasured(point)
    # Beside a photograph that cannot be judged, low numbers would reassure.
    is_judged = result.verdict(point.target) != Verdict.NOT_JUDGED
    meaning = [verdict_text.likeliest(result, point.target)] if is_judged else []
    if is_well_measured(point):
        meaning.append(result_text.aim(point))
    if not result.verdict(point.target).is_referred:
        meaning.append(
            "The photograph does not show history, change over time or how the lesion feels."
        )
    if is_judged:
        meaning.append(result_text.missed(point))
    st.markdown(" ".join(filter(None, meaning)))
    lines = [f"**Melanoma.** {result_text.evidence(point)}"]
    if result.closest is not None and is_judged and not is_outside:
        lines.append(verdict_text.closest_interval(result.closest))
    carcinoma = card.carcinoma_point(point.target)
    if carcinoma and not is_outside:
        lines.append(
            "**Carcinoma** (basal and squamous cell together). "
            f"{result_text.evidence(carcinoma, 'carcinoma')}"
        )
    rule = card.referral_rule(point.target)
    if rule and not is_outside:
        lines.append(f"**Both thresholds together.** {result_text.rule_evidence(rule)}")
    if not is_outside:
        lines.append(result_text.tested_on(card))
    st.markdown("\n\n".join(map(small, lines)))
