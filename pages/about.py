"""About: intended use, training data of the model in use, how it was tested, privacy, licenses."""

import sys

import numpy
import PIL
import plotly
import streamlit as st

from melanoma_core import __version__
from melanoma_core.evaluation import formats
from melanoma_core.evaluation.formats import ENOUGH_PHOTOGRAPHS
from melanoma_core.models.cards import INTENDED_USE, NOT_FOR
from ui import card_tables, case_details, frame
from ui.formats import day, literal, percent
from ui.serving import serving_or_message

_, _ = frame.title_row("About")
serving = serving_or_message()
card = serving.model.card if serving else None

st.header("Intended use", anchor=False)
st.markdown(literal(card.intended_use if card else INTENDED_USE))
st.markdown(
    "The app compares the probability of melanoma in one dermoscopic photograph with a referral "
    "threshold. A result below the threshold does not rule melanoma out."
)
st.subheader("Not for", anchor=False)
st.markdown("\n".join(f"- {literal(item)}" for item in (card.not_for if card else NOT_FOR)))

if card:
    st.header("What the model has seen", anchor=False)
    st.markdown(
        f"Model {literal(card.model_id)}, made on {day(card.created)}: {literal(card.network)}, "
        f"{card.image_size} × {card.image_size} px. Photographs of each diagnosis:"
    )
    st.table(card_tables.class_counts(card), hide_index=True, alt="Photographs of each diagnosis")
    st.markdown("Data sets:")
    st.table(card_tables.data_sets(card), hide_index=True, alt="Data sets and their licenses")
    if card.notes:
        with st.expander("How the labels were combined"):
            st.markdown("\n".join(f"- {literal(note)}" for note in card.notes))
    case_details.show_seen(card)
    if card.color_cast_limits:
        st.markdown(formats.color_cast_limits(card))

    st.header("How the model was tested", anchor=False)
    biases = ", the bias of each diagnosis" if card.class_bias else ""
    st.markdown(
        "Each lesion is in one split only. The network was trained on the training photographs. "
        f"Its temperature ({card.temperature:.2f}){biases} and its thresholds were chosen on the "
        "validation photographs. Everything below was measured on the test photographs, of lesions "
        f"it had never seen, with {percent(0.95)} intervals in brackets. A lesion can have several "
        "photographs."
    )
    st.table(card_tables.operating_points(card), hide_index=True, alt="Referral thresholds")
    st.table(card_tables.figures(card), hide_index=True, alt="Figures on the test photographs")
    st.markdown(
        f"Data sets with fewer than {ENOUGH_PHOTOGRAPHS} test photographs are included in All only."
    )

st.header("Privacy", anchor=False)
st.markdown(
    "- A photograph is decoded in memory; the file and any names, dates and places in it are "
    "discarded at once. So is the file’s name, unless the photograph is refused: the message that "
    "names it stays in your session until the next photograph or example.\n"
    "- The picture, its result and what you enter about the patient stay in your session and are "
    "deleted with it, or with New lesion; no other visitor sees them.\n"
    "- No patient data are written to disk or to a log, and nothing is sent elsewhere.\n"
    "- If somebody else runs this app for you, the photograph is sent to their computer: ask them "
    "first."
)

st.header("Licenses and credits", anchor=False)
st.markdown(
    "- The app is under the Apache License 2.0.\n"
    "- The licenses of the training photographs apply to a model too"
    f"{'; see the table above' if card else ''}. HAM10000: P. Tschandl, C. Rosendahl, "
    "H. Kittler, Scientific Data 2018, CC BY-NC 4.0, not for commercial use. ISIC Archive: "
    "International Skin Imaging Collaboration, CC0, CC BY or CC BY-NC by photograph.\n"
    "- It is built on Streamlit, TensorFlow, Keras and LiteRT (Apache-2.0), Plotly and "
    "tf-keras-vis (MIT), Pillow (MIT-CMU), NumPy, pandas, scikit-learn and SciPy (BSD).\n"
    "- The evidence map is Grad-CAM (R. R. Selvaraju and others, 2017). The other maps are "
    "Grad-CAM++ (A. Chattopadhay and others, 2018), Score-CAM (H. Wang and others, 2020) and "
    "SmoothGrad (D. Smilkov and others, 2017)."
)

st.header("Versions", anchor=False)
versions = {
    "Python": sys.version.split()[0],
    "Streamlit": st.__version__,
    "NumPy": numpy.__version__,
    "Pillow": PIL.__version__,
    "Plotly": plotly.__version__,
}
on = ", ".join(f"{name} {v}" for name, v in versions.items())
st.markdown(f"This is version {__version__} of the app. It runs on {on}.")
if serving and card:
    trained = ", ".join(f"{literal(name)} {literal(v)}" for name, v in card.versions.items())
    st.markdown(
        f"Model {literal(card.model_id)}, SHA-256 {serving.model.sha256}, was trained in run "
        f"{literal(card.run_id)} with {trained or 'versions that were not recorded'}."
    )

st.header("Report a problem", anchor=False)
st.markdown(
    "Write to whoever runs this app for you, or open an issue where you got it. Say what you did, "
    "what you saw and what you expected, with the model’s id and the versions above. **Never send "
    "a patient’s photograph or name.** Please report every melanoma that you think was missed."
)
