"""The calibrated probability of every diagnosis, and the differential."""

import streamlit as st

from melanoma_core.models.assessments import Verdict
from melanoma_core.models.cards import OperatingPoint
from ui import charts, result_text, theme
from ui.assessments import Assessment
from ui.formats import small


def show(assessment: Assessment, point: OperatingPoint, *, is_outside: bool) -> None:
    """Draw the card; the arguments are as in `verdict_card.show`."""
    prediction = assessment.prediction
    with st.container(border=True):
        st.subheader("All diagnoses", anchor=False)
        st.plotly_chart(
            charts.bars(prediction, theme.current()),
            config=charts.CONFIG, key="bars", alt=charts.bars_alt(prediction),
        )  # fmt: skip
        if assessment.result.verdict(point.target) == Verdict.NOT_JUDGED:
            st.markdown("**Not reliable:** the photograph cannot be judged.")
            return
        st.markdown(result_text.differential(prediction, assessment.card, point))
        st.markdown(small(result_text.differential_evidence(assessment.card, is_outside)))
