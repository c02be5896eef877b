"""The callout between verdict and bars: the similar lesions say otherwise, or the views do."""

import streamlit as st

from melanoma_core.models import views
from ui import assessments
from ui.assessments import Assessment
from ui.formats import count


def show(assessment: Assessment, target: float) -> None:
    """Draw one callout with at most two sentences, or nothing."""
    parts = [_vote(assessment, target), _steadiness(assessment, target)]
    said = [part for part in parts if part]
    if len(said) == 1:
        text = f"{said[0][0]} {said[0][1]} {said[0][2]}"
    else:
        text = " ".join(f"{name} {sentence}" for name, sentence, _ in said)
    if said:
        st.warning(text, icon=":material/alt_route:")


def _vote(assessment: Assessment, target: float) -> tuple[str, str, str] | None:
    vote = assessment.result.vote
    is_above = assessment.result.verdict(target).is_referred
    if vote is None or not vote.disagrees(is_above=is_above):
        return None
    number, kind = (vote.num_benign, "benign") if is_above else (vote.num_malignant, "malignant")
    was = "was" if number == 1 else "were"
    sentence = (
        f"{count(number)} of the {count(vote.num_neighbors)} most similar reference lesions {was} "
        f"{kind}."
    )
    return "**Opinions differ.**", sentence, "Compare them below."


def _steadiness(assessment: Assessment, target: float) -> tuple[str, str, str] | None:
    verdicts = assessments.view_verdicts(assessment, target)
    if verdicts and views.is_unsteady(verdicts):
        sentence = (
            f"The verdict changes in {views.num_changed(verdicts)} of {len(verdicts)} rotated "
            "or mirrored views."
        )
    elif assessments.is_split(assessment, target):
        sentence = "The photographs fall on both sides of a referral threshold."
    else:
        return None
    return "**Unsteady.**", sentence, "Take another photograph."
