"""What one visitor's session keeps, under the keys of this module only.

Of a photograph it keeps an `Assessment`: no file, no name, no metadata. Of one that was refused it
keeps the refusal, which names the file, until the next photograph. What was said of the patient
goes with the lesion. Nothing here reaches a cache or the disk, and all of it goes with the session.
"""

import streamlit as st

from ui.assessments import Assessment, Patient

_ASSESSMENT = "assessment"
_REFUSAL = "refusal"
_ROUND = "upload_round"
_EXAMPLES = "num_examples"
_EXAMPLE_REQUESTED = "example_requested"
OTHER_MAPS = "other_maps"  # what `more_methods` computed, and is computing
PATIENT_AGE = "patient_age"
PATIENT_SEX = "patient_sex"
PATIENT_SITE = "patient_site"
OWN_NAME = "own_name"  # of the person at the keyboard, as the journal will have it
OPENED_WITH = "opened_with"  # SHA-256 of the passphrase that this session gave


def assessment() -> Assessment | None:
    """The lesion that is on screen."""
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
    """What was said of the patient whose lesion is on screen."""
    return Patient(
        st.session_state.get(PATIENT_AGE),
        st.session_state.get(PATIENT_SEX),
        st.session_state.get(PATIENT_SITE),
    )


def clear() -> None:
    """Forget the lesion, its patient and the refusal: what New lesion does."""
    for key in (_ASSESSMENT, _REFUSAL, PATIENT_AGE, PATIENT_SEX, PATIENT_SITE):
        st.session_state.pop(key, None)
    others = st.session_state.pop(OTHER_MAPS, None)
    if others is not None:
        others.stop()  # what is being computed must not outlive the lesion


def upload_key(kind: str) -> str:
    """The key of an upload widget; after `drop_uploads` it is that of an empty one."""
    return f"{kind}_{st.session_state.get(_ROUND, 0)}"


def drop_uploads() -> None:
    """Let go of the upload widgets that were on screen, with the bytes and names they hold."""
    st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1


def request_example() -> None:
    """Ask for an example: what its button does, before the page runs."""
    st.session_state[_EXAMPLE_REQUESTED] = True


def take_example() -> int | None:
    """The number of the example that was asked for, counted from 0, once; None otherwise."""
    if not st.session_state.pop(_EXAMPLE_REQUESTED, False):
        return None
    number: int = st.session_state.get(_EXAMPLES, 0)
    st.session_state[_EXAMPLES] = number + 1
    return number
