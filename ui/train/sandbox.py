"""Quick trainings of visitors who may change nothing: real, compared, and gone with the session."""

import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import streamlit as st

from melanoma_core import paths
from melanoma_core.errors import MelanomaError, RunError
from melanoma_core.evaluation.comparisons import Change, Comparison
from melanoma_core.runs import lifecycle, processes, states
from melanoma_core.runs.plans import RunPlan
from melanoma_core.runs.states import RunState, State
from ui import errors
from ui.formats import literal, small
from ui.serving import Serving
from ui.train import data_choice

_RUN = "train_sandbox_run"


def _dirs() -> tuple[Path, Path]:
    """Folders of this session's runs and models."""
    root = data_choice.session_folder()
    return root / "runs", root / "models"


def start(plan: RunPlan, serving: Serving) -> None:
    """Train in this session's own folder, on a view of the model in use.

    Raises:
        RunError: another training is running, or there is no room.
    """
    runs_dir, models_dir = _dirs()
    model_id = serving.model.card.model_id
    if not (models_dir / model_id).exists():
        _copy(paths.models_dir() / model_id, models_dir)
    plan = replace(plan, parents=(model_id,))
    st.session_state[_RUN] = processes.start(plan, runs_dir, "a visitor", models_dir)


def _copy(model_dir: Path, into: Path) -> None:
    """A copy of a model, there whole or not at all."""
    aside = into / f".{model_dir.name}"
    try:
        into.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(aside, ignore_errors=True)
        shutil.copytree(model_dir, aside)
        aside.rename(into / model_dir.name)
    except OSError as error:
        shutil.rmtree(aside, ignore_errors=True)
        raise RunError(
            f"There is no room to train on this server now ({error.strerror or error}). Try again "
            "later."
        ) from error


def run_dir() -> Path | None:
    """The folder of this session's last run."""
    found = st.session_state.get(_RUN)
    return found if isinstance(found, Path) and found.is_dir() else None


def show_end(run: RunState) -> None:
    """How the run ended, with its comparison; nothing of it can be put into use."""
    if run.state != State.FINISHED:
        errors.show(f"**The training ended early.** {literal(run.reason)}")
        return
    st.info(
        "The candidate is ready. It is **not** in use, and cannot be: it stays in this session "
        "and goes with it.",
        icon=":material/science:",
    )
    folder = run_dir()
    assert folder is not None
    with errors.shown("The comparison cannot be made."):
        compared = _compared(folder, run)
        _show(compared)


def _compared(folder: Path, run: RunState) -> Comparison:
    try:
        return lifecycle.compared_with_parent(folder, _dirs()[1], run.model_id)
    except OSError as error:
        raise MelanomaError(f"A file of the run is gone: {error.strerror}.") from error


def _show(found: Comparison) -> None:
    st.header("Beside the model in use", anchor=False)
    st.markdown(
        f"On the same {found.num_photographs} test photographs, {found.num_melanomas} of melanoma, "
        "each at its own threshold."
    )
    changes = [*found.changes, *found.others]
    st.table(
        pd.DataFrame(
            {
                "Figure": [change.name[:1].upper() + change.name[1:] for change in changes],
                "Model in use": [f"{change.before:.3f}" for change in changes],
                "Candidate": [f"{change.after:.3f}" for change in changes],
                "Difference (95 % interval)": [_difference(change) for change in changes],
            }
        ),
        hide_index=True, alt="The candidate beside the model in use",
    )  # fmt: skip
    if found.is_no_worse:
        st.markdown(":material/check: Not worse for melanoma, by the rule for putting into use.")
    else:
        st.markdown(
            ":material/block: **Could not be put into use anywhere:** "
            f"{literal(' '.join(found.reasons))}"
        )
    for note in found.notes:
        st.markdown(small(literal(note)))


def _difference(change: Change) -> str:
    low, high = change.interval[0], change.interval[1]
    return f"{change.value:+.3f} ({low:+.3f} to {high:+.3f})"


def current() -> RunState | None:
    """Where this session's last run stands."""
    folder = run_dir()
    return states.read(folder) if folder else None
