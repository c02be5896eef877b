"""The only two ways by which a page changes the model in use: put a candidate into use, go back."""

import streamlit as st

from melanoma_core import paths
from melanoma_core.errors import ModelError
from melanoma_core.evaluation import promotion
from melanoma_core.evaluation.promotion import MIN_REASON_LENGTH
from melanoma_core.models import store
from melanoma_core.models.store import Champion
from ui import access, errors
from ui.access import Access
from ui.formats import day, literal, small

_DONE = "change_done"  # what was done, for the run after
_ASKED = "change_asked"  # the dialog that a click asked for; a click alone is lost in a rerun


def show_done() -> None:
    """What the dialog of the run before did, once."""
    done, problems = st.session_state.pop(_DONE, ("", ()))
    if done:
        st.markdown(f":material/check: {done}")
    for problem in problems:
        errors.show(literal(problem))


def offer_promotion(found: Access, model_id: str, reasons: tuple[str, ...]) -> None:
    """The button that opens the dialog; nothing where this session may not."""
    if not found.is_allowed:
        return
    label = "Promote anyway, with a reason" if reasons else "Put into use"
    kind = "secondary" if reasons else "primary"
    st.button(
        label, type=kind, icon=":material/publish:", key="open_promotion", on_click=_ask_for,
        args=("promotion",),
    )  # fmt: skip
    if _is_asked_for("promotion"):
        _ask_promotion(model_id, reasons)


def offer_rollback(found: Access) -> None:
    """The button that opens the way back; nothing where there is none, or this session may not."""
    try:
        earlier = store.champions(paths.models_dir())[1:]
    except ModelError:  # the page has said so
        return
    if not earlier or not found.is_allowed:
        return
    st.button(
        "Go back to an earlier model", icon=":material/undo:", key="open_way_back",
        on_click=_ask_for, args=("way back",),
    )  # fmt: skip
    if _is_asked_for("way back"):
        _ask_rollback(earlier)


def _ask_for(dialog: str) -> None:
    st.session_state[_ASKED] = dialog


def _is_asked_for(dialog: str) -> bool:
    """Whether a click asked for this dialog; once."""
    if st.session_state.get(_ASKED) != dialog:
        return False
    del st.session_state[_ASKED]
    return True


@st.dialog("Put into use")
def _ask_promotion(model_id: str, reasons: tuple[str, ...]) -> None:
    st.markdown(
        f"**{literal(model_id)}** answers from the next assessment on, for everybody. The model in "
        "use now can be gone back to."
    )
    for reason in reasons:
        st.markdown(f":material/block: {literal(reason)}")
    name = access.ask_name(access.of_session(), "promotion_name")
    reason = st.text_area(
        "Why it is to be used all the same" if reasons else "Why, for the journal",
        placeholder=f"At least {MIN_REASON_LENGTH} characters; it stays with the model"
        if reasons
        else "Not given",
        max_chars=2000,
        key="promotion_reason",
    )
    if st.button("Put into use", type="primary", key="promote") and _may_still():
        with st.spinner("Comparing and checking the files"), errors.shown():
            done = promotion.promote(
                paths.models_dir(), model_id, author=name, reason=reason, force=bool(reasons)
            )
            _finish(f"**{literal(model_id)} is in use now.**", done.problems)


@st.dialog("Go back to an earlier model")
def _ask_rollback(earlier: tuple[Champion, ...]) -> None:
    entries = {entry.model_id: entry for entry in earlier}
    model_id = st.radio(
        "Models that were in use, newest first",
        list(entries),
        format_func=lambda name: f"{name}, in use since {day(entries[name].since)}",
        key="way_back_to",
    )
    st.markdown(
        small("Its files must be those of then, and must give the answers that they gave then.")
    )
    name = access.ask_name(access.of_session(), "way_back_name")
    reason = st.text_area(
        "Why, for the journal", placeholder="Not given", max_chars=2000, key="way_back_reason"
    )
    label = f"Go back to {literal(model_id)}"
    if st.button(label, type="primary", key="roll_back") and _may_still():
        with st.spinner("Checking the files"), errors.shown():
            _, problems = promotion.roll_back(
                paths.models_dir(), model_id, author=name, reason=reason
            )
            _finish(f"**{literal(model_id)} is in use again.**", problems)


def _may_still() -> bool:
    """Whether the session may at the moment of the click."""
    found = access.of_session()
    if not found.is_allowed:
        st.info(found.reason, icon=":material/lock:")
    return found.is_allowed


def _finish(done: str, problems: tuple[str, ...]) -> None:
    st.session_state[_DONE] = done, problems
    st.rerun()
