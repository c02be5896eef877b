"""A small example result before the first photograph; it also loads the chart library."""

from dataclasses import dataclass

import streamlit as st

from melanoma_core.images import reading, synthetic
from melanoma_core.models import assessments, predict
from melanoma_core.models.cards import OperatingPoint
from melanoma_core.models.predict import Model
from ui import charts, result_text, theme, verdict_text
from ui.formats import small

_SIZE = (180, 240)  # px; twice the width on screen, and small because drawing takes memory


@dataclass(frozen=True)
class _Example:
    """A synthetic lesion and what the model says of it; no patient data."""

    picture: bytes  # JPEG
    result: assessments.Assessment


def show(model: Model, point: OperatingPoint) -> None:
    """Draw what a result will show, with an example verdict.

    A browser loads the chart library, 4.7 MB, with the first chart: better here than while someone
    is waiting for a verdict.
    """
    example = _example(model.sha256, model)
    verdict = example.result.verdict(point.target)
    heading = verdict_text.heading(example.result, point.target)
    probability = example.result.prediction.melanoma_probability
    with st.container(border=True):
        st.subheader("What you will see", anchor=False)
        st.image(example.picture, alt="Example, a computer-drawn lesion", width=110)
        st.markdown(
            f"**{verdict_text.icon(verdict)} {heading}**  \n"
            f"{small(f':material/draw: An example. {result_text.DRAWN}')}"
        )
        st.plotly_chart(
            charts.ruler(probability, point.threshold, theme.current()), config=charts.CONFIG,
            key="example",
            alt=f"Example: {charts.ruler_alt(heading, probability, point.threshold)}",
        )  # fmt: skip
        st.markdown(
            "- whether the lesion is above a referral threshold, and what this threshold means in "
            "your clinic\n"
            "- the calibrated probability of every diagnosis, malignant ones first, and a "
            "differential\n"
            "- on request, an evidence map for any diagnosis\n"
            "- the model, its threshold and how it was tested, with every result"
        )


@st.cache_resource(show_spinner=False, max_entries=2)
def _example(sha256: str, _model: Model) -> _Example:
    """The example, cached per model for all visitors."""
    image = synthetic.lesion(0, _SIZE)
    square = reading.resize(image, _model.network.graph.image_size)
    # Without its outline, which is not shown and would load more of SciPy.
    drawn = assessments.Photograph(square, predict.classify(_model, square), (), None)
    return _Example(reading.jpeg(image), assessments.combine(_model, [drawn]))
