"""Starting and resuming runs on this machine, and the texts around them."""

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
    """The folder of the run at work, or else of the newest one."""
    runs_dir = paths.runs_dir()
    states_of_runs = states.read_all(runs_dir)
    at_work = next((run for run in states_of_runs if run.state == State.RUNNING), None)
    newest = at_work or next(iter(states_of_runs), None)
    return runs_dir / newest.run_id if newest else None


def start(plan: RunPlan, by: str, serving: Serving | None, *, is_sandbox: bool) -> None:
    """Start a training in this session's sandbox or on the server; the callback of a button."""
    with _refusal_kept():
        if is_sandbox:
            assert serving is not None  # without a model, the form offers no quick training
            sandbox.start(plan, serving)
        else:
            processes.start(plan, paths.runs_dir(), by)


def resume(run_dir: Path, by: str) -> None:
    """Resume a run; the callback of a button."""
    with _refusal_kept():
        processes.resume(run_dir, by)


@contextmanager
def _refusal_kept() -> Iterator[None]:
    """Keep the reason of a refusal for the page to show."""
    st.session_state.pop(_REFUSAL, None)
    try:
        yield
    except MelanomaError as error:
        st.session_state[_REFUSAL] = errors.to_markdown(error)


def show_refusal() -> None:
    """Show once why the last requested training did not start."""
    refusal = st.session_state.pop(_REFUSAL, None)
    if refusal:
        errors.show(refusal)


def show_rule(*, is_sandbox: bool) -> None:
    """The line under the title."""
    rule = (
        "You may try a quick training on this server. It is real, but its candidate stays in this "
        "session and can never be promoted."
        if is_sandbox
        else "Training makes a candidate. The model in use stays in use until a person promotes "
        "another one."
    )
    st.markdown(small(rule))


def show_others(holder: Holder) -> None:
    """The run that keeps the machine busy, if it is one of this server's runs."""
    run_dir = paths.runs_dir() / holder.run_id
    if run_dir.is_dir():
        watch.watch(run_dir, may_stop=False)


def show_first_step() -> None:
    """What to do while no data set is chosen."""
    st.markdown(
        "**Choose a data set** to see what training would use, how balanced its classes are, and "
        "how long it would take."
    )
    st.page_link(_EXPLORE, label="Explore a data set first", icon=":material/grid_view:")


def show_next_step(run: RunState, run_dir: Path, by: str) -> None:
    """What to do with a run that has ended."""
    if run.can_resume:
        st.button("Resume", icon=":material/play_arrow:", on_click=resume, args=(run_dir, by))
    if run.state == State.FINISHED:
        st.page_link(
            _MODELS, label="Compare it with the model in use", icon=":material/inventory_2:"
        )
