"""The clinic panel: of 1,000 lesions, how many a threshold finds, misses and refers needlessly."""

import math

import streamlit as st

from melanoma_core.metrics import clinical_impact
from melanoma_core.metrics.clinical_impact import NUM_LESIONS, ClinicalImpact
from melanoma_core.metrics.estimates import Estimate
from ui import charts, theme
from ui.formats import count, counted, percent, percent_estimate, small

MOST_MELANOMAS = 200
FIRST_MELANOMAS = 50  # a starting value, not measured in any clinic; the page says so


@st.fragment  # otherwise every step of the slider would redraw the whole page
def show(sensitivity: Estimate, specificity: Estimate, key: str) -> None:
    """Draw the panel for a threshold.

    Args:
        sensitivity: of the threshold on the test photographs.
        specificity: of the threshold on the test photographs.
        key: prefix for the slider and the chart; unique in the app.
    """
    st.subheader("What this threshold means in your clinic", anchor=False)
    if math.isnan(sensitivity.value) or math.isnan(specificity.value):
        st.markdown("The sensitivity or the specificity of this threshold is not known.")
        return
    with st.container(border=True):
        left, right = st.columns([10, 13], gap="medium")
        with left:
            num_melanomas = st.slider(
                f"Melanomas among {count(NUM_LESIONS)} lesions you photograph",
                1, MOST_MELANOMAS, FIRST_MELANOMAS, key=f"{key}_melanomas",
                persist_state="session",
            )  # fmt: skip
            st.markdown(
                small(
                    f"{FIRST_MELANOMAS} is only a starting value; set it to your own clinic’s rate."
                )
            )
        prevalence = num_melanomas / NUM_LESIONS
        clinic = clinical_impact.expected(sensitivity.value, specificity.value, prevalence)
        left.markdown(summary(clinic, sensitivity))
        ground = theme.current()
        right.plotly_chart(
            charts.squares(clinic, ground),
            config=charts.CONFIG, key=f"{key}_squares", alt=charts.squares_alt(clinic, ground),
        )  # fmt: skip
        st.markdown(small(basis(sensitivity, specificity, prevalence)))


def summary(clinic: ClinicalImpact, sensitivity: Estimate) -> str:
    """Counts of referred and not referred lesions, with PPV and NPV, in Markdown."""
    if clinic.num_referred:
        referred = (
            f"**{count(clinic.found)} of {count(clinic.num_referred)}** referred lesions would be "
            "melanoma"
        )
    else:
        referred = "No lesion would be referred"
    if clinic.num_not_referred:
        not_referred = (
            f"**{count(clinic.spared)} of {count(clinic.num_not_referred)}** lesions not referred "
            "would not be melanoma"
        )
    else:
        not_referred = "Every lesion would be referred"
    lines = [f"{referred}  \n{small(f'PPV {percent(clinic.ppv)}')}"]
    lines.append(f"{not_referred}  \n{small(f'NPV {percent(clinic.npv)}')}")
    if not clinic.missed and sensitivity.value < 1:
        lines.append("Fewer than one melanoma would be missed, but not none.")
    return "\n\n".join(lines)


def basis(sensitivity: Estimate, specificity: Estimate, prevalence: float) -> str:
    """What the counts are based on, and how far they go across the intervals."""
    text = (
        f"Based on the test photographs: sensitivity {percent_estimate(sensitivity)}, specificity "
        f"{percent_estimate(specificity)}, with {percent(0.95)} intervals."
    )
    ends = (sensitivity.low, sensitivity.high, specificity.low, specificity.high)
    if any(math.isnan(end) for end in ends):
        return text
    best = clinical_impact.expected(sensitivity.high, specificity.high, prevalence)
    worst = clinical_impact.expected(sensitivity.low, specificity.low, prevalence)
    return (
        f"{text} Across these intervals, {_span(best.missed, worst.missed)} of "
        f"{counted(best.num_melanomas, 'melanoma')} would be missed and "
        f"{_span(best.unnecessary_referrals, worst.unnecessary_referrals)} other lesions referred."
    )


def _span(fewest: int, most: int) -> str:
    return count(fewest) if fewest == most else f"{count(fewest)} to {count(most)}"
