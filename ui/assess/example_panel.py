"""A small example result before the first photograph; it also loads the chart library."""

from dataclasses import dataclass

import streamlit as st

from melanoma_core.images import reading, synthetic
from melanoma_core.models.cards import OperatingPoint
from melanoma_core.models.predict import Model, Prediction
from ui import charts, result_text, theme
from ui.assessments import assess
from ui.formats import small

_SIZE = (180, 240)  # px; twice the width on screen, and small because drawing takes memory


@dataclass(frozen=True)
class _Example:
    """A synthetic lesion and the model's prediction; no patient data."""

    picture: bytes  # JPEG
    prediction: Prediction


def show(model: Model, point: OperatingPoint) -> None:
    """Draw what a result will show, with an example verdict.

    A browser loads the chart library, 4.7 MB, with the first chart: better here than while someone
    is waiting for a verdict.
    """
    example = _example(model.sha256, model)
    above = result_text.is_above(example.prediction, point)
    probability = example.prediction.melanoma_probability
    with st.container(border=True):
        st.subheader("What you will see", anchor=False)
        st.image(example.picture, alt="Example, a computer-drawn lesion", width=110)
        st.markdown(
            f"**{result_text.icon(above)} {result_text.heading(above)}**  \n"
            f"{small(f':material/draw: An example. {result_text.DRAWN}')}"
        )
        st.plotly_chart(
            charts.ruler(probability, point.threshold, theme.current()), config=charts.CONFIG,
            key="example", alt=f"Example: {charts.ruler_alt(probability, point.threshold)}",
        )  # fmt: skip
        st.markdown(
            "- whether the lesion is above the referral threshold for melanoma, and what this "
            "threshold means in your clinic\n"
            "- the calibrated probability of every diagnosis, malignant ones first, and a "
            "differential\n"
            "- on request, an evidence map for any diagnosis\n"
            "- the model, its threshold and how it was tested, with every result"
        )


@st.cache_resource(show_spinner=False, max_entries=2)
def _example(sha256: str, _model: Model) -> _Example:
    """The example, cached per model for all visitors."""
    image = synthetic.lesion(0, _SIZE)
    return _Example(reading.jpeg(image), assess(_model, image, is_drawn=True).prediction)
