"""Where a training run stands, read from its files alone: the same for every page and process."""

import contextlib
import datetime
import json
import math
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from melanoma_core.errors import RunError
from melanoma_core.runs import locks, plans
from melanoma_core.runs.plans import RunPlan

_LOG_BYTES = 4096  # of the log's end
_LOG_LINES = 12
# A process takes a second to reach its locks, on a busy machine many.
SECONDS_TO_START = 45


class State(StrEnum):
    """Whether a run is at work, and how it ended."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"  # as asked; can be resumed
    INTERRUPTED = "interrupted"  # its process died without a word; can be resumed


_ENDS = {state.value: state for state in (State.FINISHED, State.FAILED, State.STOPPED)}
STARTING = "starting"  # the phase of a run whose process has not reached its locks yet


@dataclass(frozen=True)
class RunState:
    """Where a run stands."""

    run_id: str
    state: State
    phase: str  # such as "reading" or "epoch 3 of 20", as the run wrote it last
    share: float | None  # of the phase, or of all epochs, that is done; None: not known
    seconds_left: float | None  # until the last epoch ends
    num_done: int  # whole epochs
    num_epochs: int | None
    history: tuple[dict[str, Any], ...]  # one dict a whole epoch
    log: tuple[str, ...]  # the last lines
    reason: str  # why it failed or stopped
    model_id: str  # of the candidate that it made
    author: str  # who asked for it
    asked: str  # date and time, UTC
    updated: str  # the same, of the last word
    plan: RunPlan | None  # None: its settings cannot be read

    @property
    def can_resume(self) -> bool:
        """True if it can be resumed."""
        return self.plan is not None and self.state in (
            State.STOPPED, State.INTERRUPTED, State.FAILED,
        )  # fmt: skip


def read(run_dir: Path) -> RunState:
    """Where a run stands now; what cannot be read is empty."""
    is_at_work = locks.is_at_work(run_dir)  # first: it may end while its files are read
    status, config = plans.read_status(run_dir), plans.read_record(run_dir / "config.json")
    phase, plan = str(status.get("phase", "")), None
    with contextlib.suppress(RunError):
        plan = plans.read_plan(run_dir)
    history = _history(run_dir)
    if is_at_work or (phase == STARTING and _age(status) < SECONDS_TO_START):
        state = State.RUNNING
    else:
        state = _ENDS.get(phase, State.INTERRUPTED)
    num_epochs = plan.config.epochs if plan and plan.has_epochs else None
    return RunState(
        run_id=run_dir.name,
        state=state,
        phase=STARTING if state == State.RUNNING and phase in _ENDS else phase,
        share=_share(status),
        seconds_left=_number(status.get("seconds_left")),
        num_done=len(history),
        num_epochs=num_epochs,
        history=history,
        log=_log(run_dir / "log.txt"),
        reason=str(status.get("reason", "")),
        model_id=str(status.get("model_id", "")),
        author=str(config.get("author", "")),
        asked=str(config.get("asked", "")),
        updated=str(status.get("updated", "")),
        plan=plan,
    )


def starting_process(run_dir: Path) -> int | None:
    """The process of a run that has just been started and has not reached its locks yet."""
    status = plans.read_status(run_dir)
    is_starting = status.get("phase") == STARTING and _age(status) < SECONDS_TO_START
    pid = status.get("pid")
    return pid if is_starting and isinstance(pid, int) else None


def read_all(runs_dir: Path) -> tuple[RunState, ...]:
    """Where every run stands, the one that was asked for last first."""
    found = [read(path.parent) for path in runs_dir.glob("[!.]*/config.json")]
    return tuple(sorted(found, key=lambda run: (run.asked, run.run_id), reverse=True))


def _age(status: dict[str, Any]) -> float:
    """Seconds since the status was written; infinite where it does not say."""
    try:
        updated = datetime.datetime.fromisoformat(str(status["updated"]))
        return (datetime.datetime.now(datetime.UTC) - updated).total_seconds()
    except (KeyError, ValueError, TypeError):
        return math.inf


def _history(run_dir: Path) -> tuple[dict[str, Any], ...]:
    try:
        lines = (run_dir / "history.jsonl").read_text().splitlines()
        return tuple(json.loads(line) for line in lines)
    except (OSError, ValueError):
        return ()


def _share(status: dict[str, Any]) -> float | None:
    """Of the epochs that are done and begun, or of what is read or measured."""
    epoch, num_epochs = _number(status.get("epoch")), _number(status.get("num_epochs"))
    if epoch and num_epochs:
        step, num_steps = _number(status.get("step")) or 0, _number(status.get("num_steps")) or 1
        return min(1.0, (epoch - 1 + step / num_steps) / num_epochs)
    done, total = _number(status.get("done")), _number(status.get("total"))
    return min(1.0, done / total) if done is not None and total else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _log(path: Path) -> tuple[str, ...]:
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _LOG_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return ()
    return tuple(text.splitlines()[-_LOG_LINES:])
