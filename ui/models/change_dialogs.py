"""The two dialogs that change the model in use: promote a candidate, go back to an earlier one."""

import streamlit as st

from melanoma_core import paths
from melanoma_core.errors import ModelError
from melanoma_core.evaluation import promotion
from melanoma_core.evaluation.promotion import MIN_REASON_LENGTH
from melanoma_core.models import store
from melanoma_core.models.store import Champion
from ui import access, card_tables, errors
from ui.access import Access
from ui.formats import day, literal, small

_REASON_HINT = f"Required, at least {MIN_REASON_LENGTH} characters"
_DONE = "change_done"  # what was done, for the next run
_REQUESTED = "change_requested"  # the dialog to open; a rerun would lose the click itself


def show_done() -> None:
    """Show once what a dialog has just done."""
    done, problems = st.session_state.pop(_DONE, ("", ()))
    if done:
        st.markdown(f":material/check: {done}")
    for problem in problems:
        errors.show(literal(problem))


def offer_promotion(session_access: Access, model_id: str, reasons: tuple[str, ...]) -> None:
    """Draw the button that opens the promotion dialog, if this session may promote.

    Args:
        session_access: what the session may do.
        model_id: of the candidate.
        reasons: why it fails the safety check; empty if it passes.
    """
    if not session_access.is_allowed:
        return
    label = "Promote anyway, with a reason" if reasons else "Promote"
    kind = "secondary" if reasons else "primary"
    st.button(
        label, type=kind, icon=":material/publish:", key="open_promotion", on_click=_request,
        args=("promotion",),
    )  # fmt: skip
    if _is_requested("promotion"):
        _ask_promotion(model_id, reasons)


def offer_rollback(session_access: Access) -> None:
    """Draw the button that opens the rollback dialog, if there is a model to go back to."""
    try:
        earlier = store.champions(paths.models_dir())[1:]
    except ModelError:  # the page already shows it
        return
    if not earlier or not session_access.is_allowed:
        return
    st.button(
        "Go back to an earlier model", icon=":material/undo:", key="open_rollback",
        on_click=_request, args=("rollback",),
    )  # fmt: skip
    if _is_requested("rollback"):
        _ask_rollback(earlier)


def _request(dialog: str) -> None:
    st.session_state[_REQUESTED] = dialog


def _is_requested(dialog: str) -> bool:
    """Whether a click requested this dialog; True only once."""
    if st.session_state.get(_REQUESTED) != dialog:
        return False
    del st.session_state[_REQUESTED]
    return True


@st.dialog("Promote a model")
def _ask_promotion(model_id: str, reasons: tuple[str, ...]) -> None:
    st.markdown(
        f"**{literal(model_id)}** will answer from the next assessment on, for everyone. You can "
        "go back to the current model at any time."
    )
    _warn_of_missing_parts(model_id)
    for reason in reasons:
        st.markdown(f":material/block: {literal(reason)}")
    name = access.ask_name(access.of_session(), "promotion_name")
    reason = st.text_area(
        "Why promote it anyway?" if reasons else "Reason, for the journal",
        placeholder=_REASON_HINT,
        max_chars=2000,
        key="promotion_reason",
    )
    if st.button("Promote", type="primary", key="promote") and _is_still_allowed():
        with st.spinner("Comparing and checking the files"), errors.shown():
            promoted = promotion.promote(
                paths.models_dir(), model_id, author=name, reason=reason, force=bool(reasons)
            )
            _finish(f"**{literal(model_id)} is in use now.**", promoted.problems)


@st.dialog("Go back to an earlier model")
def _ask_rollback(earlier: tuple[Champion, ...]) -> None:
    entries = {entry.model_id: entry for entry in earlier}
    model_id = st.radio(
        "Earlier models, newest first",
        list(entries),
        format_func=lambda name: f"{name}, in use from {day(entries[name].since)}",
        key="rollback_to",
    )
    _warn_of_missing_parts(model_id)
    st.markdown(small("Its files are checked to be unchanged and to give the same answers."))
    name = access.ask_name(access.of_session(), "rollback_name")
    reason = st.text_area(
        "Reason, for the journal", placeholder=_REASON_HINT, max_chars=2000, key="rollback_reason"
    )
    label = f"Go back to {literal(model_id)}"
    if st.button(label, type="primary", key="roll_back") and _is_still_allowed():
        with st.spinner("Checking the files"), errors.shown():
            _, problems = promotion.roll_back(
                paths.models_dir(), model_id, author=name, reason=reason
            )
            _finish(f"**{literal(model_id)} is in use again.**", problems)


def _warn_of_missing_parts(model_id: str) -> None:
    """Say what assessments will lack with this model: one without refusals answers any picture."""
    try:
        card = store.read_card(store.model_dir(paths.models_dir(), model_id))
    except ModelError:  # the change itself will be refused, with the reason
        return
    lacking = card_tables.missing_parts(card)
    if lacking:
        st.warning(f"This model was made without {lacking}.", icon=":material/warning:")


def _is_still_allowed() -> bool:
    """Whether the session may change the model at the moment of the click."""
    session_access = access.of_session()
    if not session_access.is_allowed:
        st.info(session_access.reason, icon=":material/lock:")
    return session_access.is_allowed


def _finish(done: str, problems: tuple[str, ...]) -> None:
    st.session_state[_DONE] = done, problems
    st.rerun()
