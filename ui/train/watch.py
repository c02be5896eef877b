"""A run on screen: its progress, curves and log, and the buttons to stop it."""

from pathlib import Path

import streamlit as st

from melanoma_core import paths
from melanoma_core.runs import locks, plans, processes, states
from melanoma_core.runs.locks import Holder
from melanoma_core.runs.states import RunState, State
from ui import errors, model_charts, theme, training_charts
from ui.formats import NARROW_SPACE, day, literal, small
from ui.train.outlook import duration

SECONDS_BETWEEN = 2.0
_PHASES = {
    "starting": "Starting",
    "reading": "Reading the data",
    "checking the data": "Checking the data",
    "embedding": "Running the photographs through the network",
    "fitting": "Fitting the last layer",
    "compiling": "Compiling the network (up to a minute)",
    "outlining": "Training the decoder that outlines lesions",
    "exporting": "Exporting the network",
    "measuring": "Running the held-out photographs through the network",
    "calibrating": "Calibrating",
    "indexing": "Indexing the training photographs",
    "telling apart": "Learning to refuse other pictures",
    "degrading": "Finding the limits of image quality",
    "choosing the threshold": "Choosing the threshold on validation data",
    "evaluating": "Evaluating on the test split",
    "saving": "Saving",
}
# The steps of each recipe, as the phases that belong to them.
_FIRST_STEPS = (("reading", "checking the data"),)
_LAST_STEPS = (
    ("measuring", "exporting"), ("calibrating", "choosing the threshold"),
    ("indexing", "telling apart", "degrading"), ("evaluating",), ("saving",),
)  # fmt: skip
_STEPS = {
    "full": (*_FIRST_STEPS, ("compiling", "epoch"), *_LAST_STEPS),
    "head": (*_FIRST_STEPS, ("embedding",), ("fitting",), *_LAST_STEPS),
    "ensemble": (*_FIRST_STEPS, *_LAST_STEPS),
    "recalibrate": (*_FIRST_STEPS, *_LAST_STEPS),
}


def phase_text(run: RunState) -> str:
    """What a run is doing: "Training, epoch 3 of 20"."""
    if run.phase.startswith("epoch "):
        return f"Training, {run.phase}"
    if run.phase == "compiling" and run.num_done:  # only the first epoch compiles
        return f"Training, epoch {run.num_done + 1} of {run.num_epochs}"
    return _PHASES.get(run.phase, run.phase.capitalize())


def progress_text(run: RunState) -> str:
    """How far a run is: "Step 2 of 6, 37 %, about 12 min left"; empty if nothing is known."""
    phase = "epoch" if run.phase.startswith("epoch ") else run.phase
    steps = _STEPS[run.plan.recipe] if run.plan else ()
    parts = [f"Step {n} of {len(steps)}" for n, phases in enumerate(steps, 1) if phase in phases]
    if run.share is not None:
        parts.append(f"{100 * run.share:.0f}{NARROW_SPACE}%")
    if run.seconds_left:
        parts.append(f"about {duration(run.seconds_left)} left")
    return ", ".join(parts)


def show_busy(holder: Holder) -> None:
    """Say that a training is running that is not on this page."""
    st.info(f"**{literal(locks.in_words(holder))}**", icon=":material/hourglass_top:")


@st.fragment(run_every=SECONDS_BETWEEN)
def watch(run_dir: Path, *, may_stop: bool) -> None:
    """A run at work, updated every two seconds; the whole page runs again when it has ended."""
    run = states.read(run_dir)
    if run.state != State.RUNNING:
        st.rerun(scope="app")
    st.header(phase_text(run), anchor=False)
    progress = progress_text(run)
    if run.share is not None:
        st.progress(run.share, text=progress)
    else:
        step = f"{progress}. " if progress else ""
        st.markdown(small(f"{step}How long this step takes is not known."))
    st.markdown(small(_about(run)))
    show_curves(run)
    if may_stop:
        with st.container(horizontal=True):
            is_asked = plans.is_asked_to_stop(run_dir)
            unit = "fit" if run.plan and run.plan.recipe == "head" else "epoch"
            st.button(
                f"Stop after this {unit}", icon=":material/stop_circle:",
                on_click=processes.stop_after_epoch, args=(run_dir,), disabled=is_asked,
            )  # fmt: skip
            st.button(
                "Stop now", icon=":material/cancel:", on_click=processes.stop_now,
                args=(run_dir,),
                help="Work since the last finished epoch is lost.",
            )  # fmt: skip
        if is_asked:
            st.markdown(f"It will stop after this {unit}.")
    show_log(run)


def _about(run: RunState) -> str:
    by = f", started by {literal(run.author)}" if run.author else ""
    return f"Run {literal(run.run_id)}{by} on {day(run.asked)} at {run.asked[11:16]} UTC."


def show_curves(run: RunState) -> None:
    """Loss and AUROC by epoch, or by fit of the last layer."""
    ground = theme.current()
    unit = "Fit" if run.plan and run.plan.recipe == "head" else "Epoch"
    charts = training_charts.of_history(run.history, ground)
    if not charts:
        return
    for place, (title, lines) in zip(st.columns(2, gap="medium"), charts.items(), strict=False):
        with place, st.container(border=True):
            st.subheader(title, anchor=False)
            st.plotly_chart(
                training_charts.curves(lines, ground, unit),
                config=model_charts.CONFIG, key=f"run_{title}",
                alt=training_charts.curves_alt(title, lines, unit.lower()),
            )  # fmt: skip


def show_log(run: RunState) -> None:
    """The last lines of the run's log."""
    if not run.log:
        return
    with st.expander("Last lines of the log", icon=":material/notes:"):
        runs_dir = str(paths.runs_dir())
        st.code("\n".join(line.replace(runs_dir, "runs") for line in run.log), language=None)


def show_end(run: RunState) -> None:
    """How a run ended."""
    if run.state == State.FINISHED:
        st.info(
            f"The candidate {literal(run.model_id)} is ready. It is **not** in use.",
            icon=":material/check:",
        )
    elif run.state == State.FAILED:
        errors.show(f"**The training failed.** {literal(run.reason)}")
    elif run.state == State.STOPPED:
        st.info(f"**{_stopped(run)}** Nothing is lost.", icon=":material/stop_circle:")
    else:
        st.warning(
            f"**{_stopped(run)}** Its process ended unexpectedly: the machine was switched off, or "
            "memory ran out. Nothing is lost.",
            icon=":material/power_off:",
        )
    st.markdown(small(_about(run)))


def _stopped(run: RunState) -> str:
    if run.plan and not run.plan.has_epochs:
        return "Stopped before it was finished."
    if not run.num_done:
        return "Stopped before the first epoch was finished."
    return f"Stopped after epoch {run.num_done} of {run.num_epochs}."
