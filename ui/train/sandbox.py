"""Quick training for visitors who may not change anything; removed with the session."""

import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import streamlit as st

from melanoma_core import paths
from melanoma_core.errors import MelanomaError, RunError
from melanoma_core.evaluation.comparisons import Change, Comparison
from melanoma_core.runs import lifecycle, processes
from melanoma_core.runs.plans import RunPlan
from melanoma_core.runs.states import RunState, State
from ui import errors
from ui.formats import literal, small
from ui.serving import Serving
from ui.train import data_choice

_RUN = "train_sandbox_run"


def _dirs() -> tuple[Path, Path]:
    """The folders of this session's runs and models."""
    root = data_choice.session_folder()
    return root / "runs", root / "models"


def start(plan: RunPlan, serving: Serving) -> None:
    """Train in this session's own folder, from a copy of the model in use.

    Raises:
        RunError: another training is running, or the disk is full.
    """
    runs_dir, models_dir = _dirs()
    model_id = serving.model.card.model_id
    if not (models_dir / model_id).exists():
        _copy(paths.models_dir() / model_id, models_dir)
    plan = replace(plan, parents=(model_id,))
    st.session_state[_RUN] = processes.start(plan, runs_dir, "a visitor", models_dir)


def _copy(model_dir: Path, into: Path) -> None:
    """Copy a model in whole or not at all."""
    partial_dir = into / f".{model_dir.name}"
    try:
        into.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(partial_dir, ignore_errors=True)
        shutil.copytree(model_dir, partial_dir)
        partial_dir.rename(into / model_dir.name)
    except OSError as error:
        shutil.rmtree(partial_dir, ignore_errors=True)
        raise RunError(
            f"The model in use could not be copied ({error.strerror or error}). Try again later."
        ) from error


def run_dir() -> Path | None:
    """The folder of this session's last run."""
    folder = st.session_state.get(_RUN)
    return folder if isinstance(folder, Path) and folder.is_dir() else None


def show_end(run: RunState) -> None:
    """How the run ended, and the comparison of its candidate, which cannot be promoted."""
    if run.state != State.FINISHED:
        errors.show(f"**The training ended early.** {literal(run.reason)}")
        return
    st.info(
        "The candidate is ready. It is **not** in use and cannot be promoted: it is removed with "
        "this session.",
        icon=":material/science:",
    )
    folder = run_dir()
    assert folder is not None
    with errors.shown("The comparison failed."):
        _show(_compare(folder, run))


def _compare(folder: Path, run: RunState) -> Comparison:
    try:
        return lifecycle.compared_with_parent(folder, _dirs()[1], run.model_id)
    except OSError as error:
        raise MelanomaError(f"A file of the run is missing: {error.strerror}.") from error


def _show(comparison: Comparison) -> None:
    st.header("Compared with the model in use", anchor=False)
    st.markdown(
        f"On the same {comparison.num_photographs} test photographs, {comparison.num_melanomas} "
        "of melanoma, each model at its own threshold."
    )
    changes = [*comparison.changes, *comparison.others]
    st.table(
        pd.DataFrame(
            {
                "Measure": [change.name[:1].upper() + change.name[1:] for change in changes],
                "Model in use": [f"{change.before:.3f}" for change in changes],
                "Candidate": [f"{change.after:.3f}" for change in changes],
                "Difference (95 % interval)": [_difference(change) for change in changes],
            }
        ),
        hide_index=True, alt="The candidate compared with the model in use",
    )  # fmt: skip
    if comparison.is_no_worse:
        st.markdown(":material/check: Passes the safety check for promotion.")
    else:
        st.markdown(
            ":material/block: **Fails the safety check for promotion.** "
            f"{literal(' '.join(comparison.reasons))}"
        )
    for note in comparison.notes:
        st.markdown(small(literal(note)))


def _difference(change: Change) -> str:
    low, high = change.interval[0], change.interval[1]
    return f"{change.value:+.3f} ({low:+.3f} to {high:+.3f})"
