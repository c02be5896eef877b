"""The clinic panel: of 1,000 lesions, how many a threshold finds, misses and refers for nothing."""

import math

import streamlit as st

from melanoma_core.metrics import clinical_impact
from melanoma_core.metrics.clinical_impact import NUM_LESIONS, ClinicalImpact
from melanoma_core.metrics.estimates import Estimate
from ui import charts, theme
from ui.formats import count, counted, percent, percent_estimate, small

MOST_MELANOMAS = 200
FIRST_MELANOMAS = 50  # no clinic's own number; the page says so


@st.fragment  # or every step of the slider would draw the whole page again
def show(sensitivity: Estimate, specificity: Estimate, key: str) -> None:
    """Draw the panel for a threshold that was measured to have this sensitivity and specificity.

    Args:
        sensitivity: share of melanoma photographs above the threshold, with its interval.
        specificity: share of the others below it.
        key: of the slider and the chart; another one for every panel in the app.
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
                    f"{FIRST_MELANOMAS} is where the slider starts, not your clinic’s number: "
                    "set what you see."
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
    """Two sentences with counts of one whole, and the PPV and NPV under them, in Markdown."""
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
        lines.append("Fewer than one melanoma would be missed; that is not none.")
    return "\n\n".join(lines)


def basis(sensitivity: Estimate, specificity: Estimate, prevalence: float) -> str:
    """What the panel was counted with, and the counts at the ends of the intervals."""
    text = (
        f"Counted with what this threshold reached on the test photographs: sensitivity "
        f"{percent_estimate(sensitivity)}, specificity {percent_estimate(specificity)}; in "
        f"brackets are {percent(0.95)} intervals."
    )
    ends = (sensitivity.low, sensitivity.high, specificity.low, specificity.high)
    if any(math.isnan(end) for end in ends):
        return text
    best = clinical_impact.expected(sensitivity.high, specificity.high, prevalence)
    worst = clinical_impact.expected(sensitivity.low, specificity.low, prevalence)
    return (
        f"{text} At their ends {_span(best.missed, worst.missed)} of the "
        f"{counted(best.num_melanomas, 'melanoma')} would be missed and "
        f"{_span(best.referred_for_nothing, worst.referred_for_nothing)} other lesions referred."
    )


def _span(fewest: int, most: int) -> str:
    return count(fewest) if fewest == most else f"{count(fewest)} to {count(most)}"
