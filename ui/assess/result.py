"""A result: photograph and checks beside verdict and diagnoses, then the rest by scrolling."""

from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from melanoma_core.models.assessments import Verdict
from melanoma_core.models.cards import OperatingPoint
from melanoma_core.models.predict import Model
from ui import assessments, case_details, clinical_impact_panel, sessions
from ui.assess import (
    abcd_panel,
    checks_card,
    diagnoses_card,
    lesion_photographs,
    more_methods,
    opinions,
    photograph_card,
    similar_cases_panel,
    verdict_card,
)
from ui.assessments import Assessment


def show(
    assessment: Assessment, point: OperatingPoint, model: Model | None, *, is_outside: bool
) -> None:
    """Draw everything below the line of a result.

    Args:
        assessment: of the lesion.
        point: the threshold for melanoma.
        model: that assessed it; None if it was replaced since.
        is_outside: the patient is outside the training data.
    """
    number = lesion_photographs.shown(assessment)
    places = _phone_places() if _is_phone() else _places()
    with places.photograph:
        photograph_card.show(assessment, number, model)
    with places.checks:
        steadiness = checks_card.show(assessment, number)
    with places.patient:
        case_details.ask(assessment.card)
    with places.verdict:
        verdict_card.show(assessment, point, is_outside=is_outside)
        callout = st.container()
    with places.diagnoses:
        diagnoses_card.show(assessment, point, is_outside=is_outside)
    similar_cases_panel.show(assessment)
    with st.container():
        # What a clinic gains says nothing of a photograph that cannot be judged.
        if not is_outside and assessment.result.verdict(point.target) != Verdict.NOT_JUDGED:
            clinical_impact_panel.show(point.sensitivity, point.specificity, "clinic")
    _show_expanders(assessment, number)
    # Last, while the verdict is on screen already: the eight views take longer than all else.
    if model is not None:
        assessment = assessments.with_views(model, assessment)
        sessions.update_assessment(assessment)
    checks_card.show_steadiness(steadiness, assessment, point.target)
    with callout:
        opinions.show(assessment, point.target)


@dataclass(frozen=True)
class _Places:
    """Where the cards of a result are drawn."""

    photograph: DeltaGenerator
    checks: DeltaGenerator
    patient: DeltaGenerator
    verdict: DeltaGenerator
    diagnoses: DeltaGenerator


def _places() -> _Places:
    """Two columns, which a window below 640 px stacks: the left one first."""
    left, right = st.columns([10, 13], gap="medium")
    return _Places(left, left, left, right, right)


def _phone_places() -> _Places:
    """One column, with the verdict first."""
    verdict, photograph, checks, diagnoses, patient = (st.container() for _ in range(5))
    return _Places(photograph, checks, patient, verdict, diagnoses)


def _is_phone() -> bool:
    """True for the browsers of phones; the server does not learn how wide a window is."""
    return "Mobi" in st.context.headers.get("User-Agent", "")


def _show_expanders(assessment: Assessment, number: int) -> None:
    """What is looked up; its content is computed when it is opened."""
    photograph = assessment.photographs[number]
    shape = st.expander(
        "Shape and color in numbers (ABCD)", icon=":material/straighten:", key="abcd_open",
        on_change="rerun",
    )  # fmt: skip
    if shape.open:
        with shape:
            abcd_panel.show(photograph)
    seen = st.expander(
        "What the model has and has not seen", icon=":material/fact_check:", key="seen_open",
        on_change="rerun",
    )  # fmt: skip
    if seen.open:
        with seen:
            case_details.show_seen(assessment.card)
    methods = st.expander(
        "Other maps", icon=":material/layers:", key="more_methods_open", on_change="rerun"
    )
    if methods.open:
        with methods:
            more_methods.show(photograph, photograph.outline)
