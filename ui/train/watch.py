"""A run on the screen: where it stands, its curves, its log, and what can be done about it."""

from pathlib import Path

import streamlit as st

from melanoma_core import paths
from melanoma_core.runs import locks, plans, processes, states
from melanoma_core.runs.locks import Holder
from melanoma_core.runs.states import RunState, State
from ui import errors, model_charts, theme, training_charts
from ui.formats import day, literal, small
from ui.train.outlook import duration

SECONDS_BETWEEN = 2.0
_PHASES = {
    "starting": "Starting",
    "reading": "Reading the data",
    "checking the data": "Checking the data",
    "embedding": "Reading photographs through the network",
    "fitting": "Fitting the last layer",
    "compiling": "Compiling the network (up to a minute)",
    "exporting": "Exporting the network",
    "measuring": "Evaluating on the photographs held out",
    "calibrating": "Calibrating",
    "choosing the threshold": "Choosing the threshold on validation data",
    "evaluating": "Evaluating on the test split",
    "saving": "Saving",
}


def phase_in_words(run: RunState) -> str:
    """What a run is doing: "Training, epoch 3 of 20"."""
    if run.phase.startswith("epoch "):
        return f"Training, {run.phase}"
    if run.phase == "compiling" and run.num_done:  # only the first epoch waits for it
        return f"Training, epoch {run.num_done + 1} of {run.num_epochs}"
    return _PHASES.get(run.phase, run.phase.capitalize())


def show_busy(holder: Holder) -> None:
    """That a training is running which is not on this page."""
    st.info(f"**{literal(locks.in_words(holder))}**", icon=":material/hourglass_top:")


@st.fragment(run_every=SECONDS_BETWEEN)
def watch(run_dir: Path, *, may_stop: bool) -> None:
    """A run at work, looked at anew every two seconds; the page is run when it has ended."""
    run = states.read(run_dir)
    if run.state != State.RUNNING:
        st.rerun(scope="app")
    st.header(phase_in_words(run), anchor=False)
    left = f"about {duration(run.seconds_left)} left" if run.seconds_left else ""
    if run.share is not None:
        st.progress(run.share, text=left or f"{100 * run.share:.0f} % of this")
    else:
        st.markdown(small("How long this takes is not known."))
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
                help="What was done since the last whole epoch is lost.",
            )  # fmt: skip
        if is_asked:
            st.markdown("It will stop when this epoch is done.")
    show_log(run)


def _about(run: RunState) -> str:
    by = f", started by {literal(run.author)}" if run.author else ""
    return f"Run {literal(run.run_id)}{by} on {day(run.asked)} at {run.asked[11:16]} UTC."


def show_curves(run: RunState) -> None:
    """Loss and AUROC over the whole epochs, or over the fits of a quick training."""
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
    """The last lines that the run printed."""
    if not run.log:
        return
    with st.expander("The last lines of the log", icon=":material/notes:"):
        hidden = str(paths.runs_dir())
        st.code("\n".join(line.replace(hidden, "runs") for line in run.log), language=None)


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
            f"**{_stopped(run)}** Its process ended without a word: the machine was switched off, "
            "or memory ran out. Nothing is lost.",
            icon=":material/power_off:",
        )
    st.markdown(small(_about(run)))


def _stopped(run: RunState) -> str:
    if run.plan and not run.plan.has_epochs:
        return "Stopped before it was done."
    if not run.num_done:
        return "Stopped before the first epoch was done."
    return f"Stopped after epoch {run.num_done} of {run.num_epochs}."
