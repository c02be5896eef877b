"""Before there is a photograph: a drawn result in small, which also loads the charts."""

from dataclasses import dataclass

import streamlit as st

from melanoma_core.images import reading, synthetic
from melanoma_core.models.cards import OperatingPoint
from melanoma_core.models.predict import Model, Prediction
from ui import charts, result_text, theme
from ui.assessments import assess
from ui.formats import small

_SIZE = (180, 240)  # px; twice as wide as on screen, and small, as drawing takes memory


@dataclass(frozen=True)
class _Example:
    """What the model says of a lesion drawn by code; nothing in it is of a patient."""

    picture: bytes  # JPEG
    prediction: Prediction


def show(model: Model, point: OperatingPoint) -> None:
    """Draw what a result will show, with an example of its first part.

    A browser fetches the library of the charts, 4.7 MB, when it meets the first of them: here,
    rather than when somebody waits for a verdict.
    """
    example = _example(model.sha256, model)
    above = result_text.is_above(example.prediction, point)
    probability = example.prediction.melanoma_probability
    with st.container(border=True):
        st.subheader("What you will see", anchor=False)
        st.image(example.picture, alt="Example, a lesion drawn by code", width=110)
        st.markdown(
            f"**{result_text.icon(above)} {result_text.heading(above)}**  \n"
            f"{small(f':material/draw: An example. {result_text.DRAWN}')}"
        )
        st.plotly_chart(
            charts.ruler(probability, point.threshold, theme.current()), config=charts.CONFIG,
            key="example", alt=f"Example: {charts.ruler_alt(probability, point.threshold)}",
        )  # fmt: skip
        st.markdown(
            "- whether melanoma lies above the referral threshold, and what that threshold means "
            "in your clinic\n"
            "- the calibrated probability of every diagnosis, malignant ones first, and a "
            "differential\n"
            "- on request, a map of the evidence for any diagnosis\n"
            "- the model, its threshold and what it was measured on, beside every result"
        )


@st.cache_resource(show_spinner=False, max_entries=2)
def _example(sha256: str, _model: Model) -> _Example:
    """Cached by what the model is: it says the same of the same drawing for every visitor."""
    image = synthetic.lesion(0, _SIZE)
    return _Example(reading.jpeg(image), assess(_model, image, is_drawn=True).prediction)
