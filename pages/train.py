"""Train: start, watch, stop and resume a training; it ends in a candidate."""

import dataclasses

import streamlit as st

from melanoma_core import paths
from melanoma_core.runs import processes, states
from melanoma_core.runs.states import State
from ui import access as accesses
from ui import frame
from ui.serving import serving_or_message
from ui.train import form, outlook, runs, sandbox, watch

_, line = frame.title_row("Train")
serving = serving_or_message()
access = accesses.of_session()
is_sandbox = not access.is_allowed
with line:
    runs.show_rule(is_sandbox=is_sandbox)
    accesses.show_unlock(access)

run_dir = sandbox.run_dir() if is_sandbox else runs.latest()
run = states.read(run_dir) if run_dir else None
holder = processes.busy(paths.runs_dir())
if run is not None and run_dir is not None and run.state == State.RUNNING:
    watch.watch(run_dir, may_stop=True)
elif holder is not None:
    watch.show_busy(holder)
    runs.show_others(holder)
else:
    by = "" if is_sandbox else accesses.ask_name(access, "train_name")
    runs.show_refusal()
    if run is not None and run_dir is not None:
        if is_sandbox:
            sandbox.show_end(run)
        else:
            watch.show_end(run)
            runs.show_next_step(run, run_dir, by)
        watch.show_curves(run)
        watch.show_log(run)
        st.divider()
    st.header("A new training", anchor=False)
    left, right = st.columns([13, 10], gap="medium")
    with left, st.container(border=True):
        plan = form.ask(serving, is_sandbox=is_sandbox)
    if plan is not None:
        preview = outlook.read(plan, serving)
        if preview is not None:
            balance = outlook.show(preview)
            config = dataclasses.replace(
                plan.config, balance=balance.balance, balance_by=balance.method
            )
            plan = dataclasses.replace(plan, config=config)
        with right, st.container(border=True):
            if preview is not None:
                outlook.show_time(plan, preview, serving)
            st.button(
                "Start training", type="primary", icon=":material/model_training:",
                on_click=runs.start, args=(plan, by, serving),
                kwargs={"is_sandbox": is_sandbox},
                disabled=preview is None or bool(preview.refusals),
            )  # fmt: skip
    else:
        with right, st.container(border=True):
            runs.show_first_step()
