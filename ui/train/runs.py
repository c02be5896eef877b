"""The runs of this machine, and what stands around them on the page Train."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import streamlit as st

from melanoma_core import paths
from melanoma_core.errors import MelanomaError
from melanoma_core.runs import processes, states
from melanoma_core.runs.locks import Holder
from melanoma_core.runs.plans import RunPlan
from melanoma_core.runs.states import RunState, State
from ui import errors
from ui.formats import small
from ui.serving import Serving
from ui.train import sandbox, watch

_REFUSAL = "train_refusal"
_EXPLORE, _MODELS = "pages/explore.py", "pages/models.py"


def latest() -> Path | None:
    """The folder of the run that was asked for last; of one that is at work, if any."""
    runs_dir = paths.runs_dir()
    found = states.read_all(runs_dir)
    at_work = next((run for run in found if run.state == State.RUNNING), None)
    newest = at_work or next(iter(found), None)
    return runs_dir / newest.run_id if newest else None


def start(plan: RunPlan, by: str, serving: Serving | None, *, is_sandbox: bool) -> None:
    """Train in this session's sandbox or for good: what a button does before the page runs."""
    with _kept():
        if is_sandbox:
            assert serving is not None  # the form offers quick training only where there is one
            sandbox.start(plan, serving)
        else:
            processes.start(plan, paths.runs_dir(), by)


def resume(run_dir: Path, by: str) -> None:
    """Go on with a run: what a button does before the page runs."""
    with _kept():
        processes.resume(run_dir, by)


@contextmanager
def _kept() -> Iterator[None]:
    """Keep a refusal for the page to show."""
    st.session_state.pop(_REFUSAL, None)
    try:
        yield
    except MelanomaError as error:
        st.session_state[_REFUSAL] = errors.to_markdown(error)


def show_refusal() -> None:
    """Why the training that was asked for last did not start, once."""
    refusal = st.session_state.pop(_REFUSAL, None)
    if refusal:
        errors.show(refusal)


def show_rule(*, is_sandbox: bool) -> None:
    """The line under the title."""
    words = (
        "You may try a quick training on this server: a real one, whose candidate stays in this "
        "session and can never be put into use."
        if is_sandbox
        else "A training makes a candidate. The model in use stays in use until a person puts "
        "another one into use."
    )
    st.markdown(small(words))


def show_others(holder: Holder) -> None:
    """The run that the machine is busy with, where it lies among this server's runs."""
    run_dir = paths.runs_dir() / holder.run_id
    if run_dir.is_dir():
        watch.watch(run_dir, may_stop=False)


def show_expectations() -> None:
    """What to do, where no data set is chosen."""
    st.markdown(
        "**Choose a data set** to see what a training would learn from it, how even its classes "
        "are, and how long it takes."
    )
    st.page_link(_EXPLORE, label="Look into a data set first", icon=":material/grid_view:")


def show_next_step(run: RunState, run_dir: Path, by: str) -> None:
    """What can be done with a run that has ended."""
    if run.can_resume:
        st.button("Resume", icon=":material/play_arrow:", on_click=resume, args=(run_dir, by))
    if run.state == State.FINISHED:
        st.page_link(
            _MODELS, label="Compare it with the model in use", icon=":material/inventory_2:"
        )
