"""What a visitor's session holds about the lesion, the patient and the user.

For its photographs it holds an `Assessment`: no file, no name, no metadata. For one that was not
assessed it holds the reason, which may name the file, until the next photograph. Patient details
are deleted with the lesion. Nothing reaches a cache or the disk, and everything ends with the
session.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from ui.assessments import Assessment, Patient

_ASSESSMENT = "assessment"
_REJECTIONS = "rejections"
_ROUND = "upload_round"
_EXAMPLES = "num_examples"
_EXAMPLE_REQUESTED = "example_requested"
SHOWN = "shown_photograph"  # number of the photograph on screen, from 0
FIELD_OF_VIEW = "field_of_view"  # width of the photographs in mm, as the user gave it
OTHER_MAPS = "other_maps"  # finished and running computations of `more_methods`
PATIENT_AGE = "patient_age"
PATIENT_SEX = "patient_sex"
PATIENT_SITE = "patient_site"
OWN_NAME = "own_name"  # of the user, for the journal
OPENED_WITH = "opened_with"  # SHA-256 of the passphrase that was entered


@dataclass(frozen=True)
class Rejection:
    """Why a photograph was not assessed."""

    text: str  # Markdown
    is_refusal: bool = False  # it shows no lesion; False: its file cannot be used


def assessment() -> Assessment | None:
    """The lesion on screen."""
    return st.session_state.get(_ASSESSMENT)


def set_assessment(assessment: Assessment) -> None:
    """Show this lesion instead of the one before."""
    clear()
    update_assessment(assessment)


def update_assessment(assessment: Assessment) -> None:
    """Show the same lesion with other photographs, outlines or views; the patient stays."""
    st.session_state[_ASSESSMENT] = assessment


def show_photograph(number: int) -> None:
    """Put another photograph of the lesion on screen, counted from 0."""
    st.session_state[SHOWN] = number
    forget_other_maps()


def rejections() -> tuple[Rejection, ...]:
    """Why photographs that came last were not assessed."""
    return st.session_state.get(_REJECTIONS, ())


def set_rejections(rejections: Sequence[Rejection]) -> None:
    """Say these beside the uploader until another photograph comes."""
    st.session_state[_REJECTIONS] = tuple(rejections)


def patient() -> Patient:
    """What the user entered about the patient."""
    return Patient(
        st.session_state.get(PATIENT_AGE),
        st.session_state.get(PATIENT_SEX),
        st.session_state.get(PATIENT_SITE),
    )


def clear() -> None:
    """Delete the lesion, its patient and what was rejected, as New lesion does."""
    for key in (
        _ASSESSMENT, _REJECTIONS, SHOWN, FIELD_OF_VIEW, PATIENT_AGE, PATIENT_SEX, PATIENT_SITE,
    ):  # fmt: skip
        st.session_state.pop(key, None)
    forget_other_maps()


def forget_other_maps() -> None:
    """Delete the maps of other methods; a running computation must not outlive what it explains."""
    other_maps = st.session_state.pop(OTHER_MAPS, None)
    if other_maps is not None:
        other_maps.stop()


def upload_key(kind: str) -> str:
    """The key of an upload widget; `drop_uploads` changes it, which empties the widget."""
    return f"{kind}_{st.session_state.get(_ROUND, 0)}"


def drop_uploads() -> None:
    """Replace the upload widgets by empty ones, with no bytes and no names."""
    st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1


def request_example() -> None:
    """Ask for an example on the next run; the callback of its button."""
    st.session_state[_EXAMPLE_REQUESTED] = True


def take_example() -> int | None:
    """The number of the requested example, counted from 0; None after it was taken."""
    if not st.session_state.pop(_EXAMPLE_REQUESTED, False):
        return None
    number: int = st.session_state.get(_EXAMPLES, 0)
    st.session_state[_EXAMPLES] = number + 1
    return number
