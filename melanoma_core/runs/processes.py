"""Trainings in the background: started, stopped and resumed from any process.

A training is a child in a session of its own, so it outlives the browser, the page and the server
that started it. It has the lowest priority: answers to clinicians come first.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from melanoma_core import paths
from melanoma_core.errors import RunError
from melanoma_core.paths import PROJECT_DIR
from melanoma_core.runs import locks, plans, states
from melanoma_core.runs.locks import Holder
from melanoma_core.runs.plans import RunPlan
from melanoma_core.runs.states import STARTING, State

_NICENESS = 19  # the lowest priority there is
_SECONDS_TO_OBEY = 10.0  # before a training that was told to stop at once is killed


def start(plan: RunPlan, runs_dir: Path, author: str, models_dir: Path | None = None) -> Path:
    """Start a training in the background.

    Args:
        plan: what it is to do.
        runs_dir: where runs are kept; the machine's lock lies there.
        author: who asks for it.
        models_dir: where models are kept and the candidate goes; `paths.models_dir()` by default.

    Returns:
        The folder of the run.

    Raises:
        RunError: another training is running, or the run cannot be written or started.
    """
    _check_free(runs_dir)
    run_dir = runs_dir / plans.new_id(plan)
    plans.write_plan(run_dir, plan, author)
    _launch(run_dir, author, models_dir)
    return run_dir


def resume(run_dir: Path, author: str) -> None:
    """Resume a run that was stopped, or whose process died.

    Raises:
        RunError: another training is running, there is no run to resume, or it cannot be
            started.
    """
    _check_free(run_dir.parent)
    plans.read_plan(run_dir)
    _launch(run_dir, author, None)


def stop_after_epoch(run_dir: Path) -> None:
    """Have a run stop when its epoch is done."""
    plans.ask_to_stop(run_dir)


def stop_now(run_dir: Path) -> None:
    """Have a run stop at once; what it did since its last whole epoch is lost.

    It is told to stop, and killed where it does not within seconds.
    """
    pid = locks.worker(run_dir)
    if pid is None:
        _stop_starting(run_dir)
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    timer = threading.Timer(_SECONDS_TO_OBEY, _kill, (run_dir, pid))
    timer.daemon = True
    timer.start()


def _stop_starting(run_dir: Path) -> None:
    """End a process that has not reached its locks yet, and so cannot say that it was stopped."""
    pid = states.starting_process(run_dir)
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        plans.write_status(run_dir, State.STOPPED, reason="The run was stopped at once, as asked.")


def _kill(run_dir: Path, pid: int) -> None:
    if locks.worker(run_dir) == pid:  # the lock says that it is still the same process
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def busy(runs_dir: Path) -> Holder | None:
    """The training that the machine is busy with; None where another may be started."""
    holder = locks.holder(runs_dir)
    if holder is not None:
        return holder
    # One whose process has not reached its locks yet.
    for run in states.read_all(runs_dir):
        if run.state == State.RUNNING:
            return Holder(run.run_id, run.asked, run.author)
    return None


def _check_free(runs_dir: Path) -> None:
    # A visitor's own folder of runs is not where the machine's lock lies.
    holder = busy(paths.runs_dir()) or busy(runs_dir)
    if holder is not None:
        raise RunError(locks.in_words(holder))


def _launch(run_dir: Path, author: str, models_dir: Path | None) -> None:
    command = [
        sys.executable, "-m", "melanoma_core", "resume", str(run_dir), "--author", author,
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    if models_dir is not None:
        environment["MELANOMA_MODELS"] = str(models_dir)
    try:
        plans.forget_stop(run_dir)
        plans.write_status(run_dir, STARTING)
        with (run_dir / "log.txt").open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=PROJECT_DIR,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except OSError as error:
        raise RunError(
            f"The run “{run_dir.name}” cannot be started: {error.strerror}. Free room or memory, "
            "and try again."
        ) from error
    with contextlib.suppress(OSError):  # the child is at work, and says itself what is wrong
        plans.write_status(run_dir, STARTING, pid=process.pid)
    _yield_to_others(process.pid)
    # A child that has ended stays in the system's table until somebody has waited for it.
    threading.Thread(target=process.wait, daemon=True).start()


def _yield_to_others(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        niceness = max(_NICENESS, os.getpriority(os.PRIO_PROCESS, 0))
        os.setpriority(os.PRIO_PROCESS, pid, niceness)
    # Where Linux groups processes by session, priorities hold inside a group alone, and the
    # group's own one decides between them (man 7 sched, “The autogroup feature”).
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(_NICENESS))
