"""What a visitor's session holds about the lesion, the patient and the user.

For a photograph it holds an `Assessment`: no file, no name, no metadata. For a refused one it holds
the refusal, which names the file, until the next photograph. Patient details are deleted with the
lesion. Nothing reaches a cache or the disk, and everything ends with the session.
"""

import streamlit as st

from ui.assessments import Assessment, Patient

_ASSESSMENT = "assessment"
_REFUSAL = "refusal"
_ROUND = "upload_round"
_EXAMPLES = "num_examples"
_EXAMPLE_REQUESTED = "example_requested"
OTHER_MAPS = "other_maps"  # finished and running computations of `more_methods`
PATIENT_AGE = "patient_age"
PATIENT_SEX = "patient_sex"
PATIENT_SITE = "patient_site"
OWN_NAME = "own_name"  # of the user, for the journal
OPENED_WITH = "opened_with"  # SHA-256 of the passphrase that was entered


def assessment() -> Assessment | None:
    """The lesion on screen."""
    return st.session_state.get(_ASSESSMENT)


def set_assessment(assessment: Assessment) -> None:
    """Show this lesion."""
    clear()
    st.session_state[_ASSESSMENT] = assessment


def refusal() -> str | None:
    """Why the last photograph was refused, in Markdown."""
    return st.session_state.get(_REFUSAL)


def set_refusal(message: str) -> None:
    """Show this message, in Markdown, beside the uploader."""
    st.session_state[_REFUSAL] = message


def patient() -> Patient:
    """What the user entered about the patient."""
    return Patient(
        st.session_state.get(PATIENT_AGE),
        st.session_state.get(PATIENT_SEX),
        st.session_state.get(PATIENT_SITE),
    )


def clear() -> None:
    """Delete the lesion, its patient and the refusal, as New lesion does."""
    for key in (_ASSESSMENT, _REFUSAL, PATIENT_AGE, PATIENT_SEX, PATIENT_SITE):
        st.session_state.pop(key, None)
    other_maps = st.session_state.pop(OTHER_MAPS, None)
    if other_maps is not None:
        other_maps.stop()  # a running computation must not outlive the lesion


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
