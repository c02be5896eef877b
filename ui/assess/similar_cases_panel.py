"""The reference lesions most similar to the one on screen."""

import streamlit as st

from melanoma_core.diagnoses import BY_CODE
from melanoma_core.models.similar_cases import Case
from ui import dataset_choice, photographs
from ui.assessments import Assessment
from ui.formats import count, literal, small

_THUMBNAIL = 300  # px, the long side
_ARCHIVE = "https://api.isic-archive.com/images/{}/"


def show(assessment: Assessment) -> None:
    """Draw a card for each of the nearest lesions; nothing if the model has no index of them."""
    cases, vote = assessment.result.cases, assessment.result.vote
    if not cases:
        return
    st.subheader("Most similar reference lesions", anchor=False)
    if vote is not None:
        num_other = vote.num_neighbors - vote.num_malignant - vote.num_benign
        others = f", {count(num_other)} pre-malignant" if num_other else ""
        st.markdown(
            small(
                f"Of the {count(vote.num_neighbors)} nearest: {count(vote.num_malignant)} malignant"
                f"{others}, {count(vote.num_benign)} benign. Lesions that look alike to the "
                "network."
            )
        )
    paths = dataset_choice.paths_of(case.image_id for case in cases)
    with st.grid(len(cases), min_column_width=130, gap="small", border=True):
        for case in cases:
            with st.container(gap="xsmall"):
                name = BY_CODE[case.diagnosis].name
                if case.image_id in paths:
                    photographs.show(paths[case.image_id], _THUMBNAIL, f"{name}, {case.image_id}")
                st.markdown(f"**{name}**  \n" + "  \n".join(map(small, _facts(case))))
    if not paths:
        st.markdown(small("To see their pictures, open their data set on the page Explore."))


def _facts(case: Case) -> list[str]:
    facts = [
        f"Distance {case.distance:.2f}",
        literal(case.confirmed_by or "confirmation not recorded").capitalize(),
        _linked(case.image_id),
    ]
    is_stated = case.license not in ("", "not stated")
    return [*facts, literal(case.license) if is_stated else "License not stated"]


def _linked(image_id: str) -> str:
    """The id, as a link where it is one of the ISIC Archive."""
    if image_id.startswith("ISIC_") and image_id[5:].isdigit():
        return f"[{literal(image_id)}]({_ARCHIVE.format(image_id)})"
    return literal(image_id)
