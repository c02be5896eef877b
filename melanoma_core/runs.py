"""The files of a training run, through which any process can watch it.

<run_id>/config.json     settings and data sets
         status.json     phase, progress, time left
         history.jsonl   one line a finished epoch
         checkpoint/     what resuming needs
         .lock           held by the process that trains
"""

import datetime
import fcntl
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from melanoma_core.configs import TrainConfig
from melanoma_core.errors import RunError
from melanoma_core.paths import write_atomic


@dataclass(frozen=True)
class RunPlan:
    """What a run was asked to do; resuming reads it again."""

    config: TrainConfig
    datasets: tuple[str, ...]  # paths of the data sets
    splits: str | None  # path of a split file that overrides
    weights: str | None  # path of the backbone's weights
    from_model: str | None = None  # id of the model that training goes on from


def new_id(network: str, now: datetime.datetime | None = None) -> str:
    """A name for a run and the model it makes: the network, the date and the time (UTC)."""
    now = now or datetime.datetime.now(datetime.UTC)
    return f"{network.replace('_', '-')}-{now:%Y-%m-%d-%H%M%S}"


@contextmanager
def lock(run_dir: Path) -> Iterator[None]:
    """Keep a run to one process: two would write over each other's checkpoints.

    The folder is made if absent. The lock is the system's, so that of a killed process is free.

    Raises:
        RunError: another process has it, or the folder cannot be written to.
    """
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
        file = (run_dir / ".lock").open("ab")
    except OSError as error:
        raise RunError(
            f"The folder of the run “{run_dir.name}” cannot be written to: {error.strerror}. Mend "
            "its rights, or start the run in another folder."
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunError(
                f"The run “{run_dir.name}” cannot be taken up: another process is at work on it. "
                "Wait until that ends, or start a run in another folder."
            ) from error
        except OSError as error:
            raise RunError(
                f"The folder of the run “{run_dir.name}” cannot be locked: {error.strerror}. "
                "Start the run in a folder on a disk of this computer."
            ) from error
        yield


def write_plan(run_dir: Path, plan: RunPlan) -> None:
    """Make the run's folder and write what it is to do.

    Raises:
        RunError: the folder holds a run that was asked to do something else.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    path = run_dir / "config.json"
    if path.exists() and read_plan(run_dir) != plan:
        raise RunError(
            f"The run “{run_dir.name}” was started with other settings or data. Resume it as it "
            "is, or start a run in another folder."
        )
    record = {**asdict(plan), "config": json.loads(plan.config.to_json())}
    write_atomic(path, json.dumps(record, indent=2).encode())


def read_plan(run_dir: Path) -> RunPlan:
    """What the run was asked to do.

    Raises:
        RunError: there is no run here, or its file is damaged.
    """
    try:
        record = json.loads((run_dir / "config.json").read_bytes())
        return RunPlan(
            config=TrainConfig.from_json(json.dumps(record["config"])),
            datasets=tuple(record["datasets"]),
            splits=record["splits"],
            weights=record["weights"],
            from_model=record.get("from_model"),  # runs of before had none
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"“{run_dir.name}” holds no training run that can be read ({error}). Give the folder "
            "of a run, or start a new one."
        ) from error


def write_status(run_dir: Path, phase: str, **facts: Any) -> None:
    """Say where the run stands: a phase in words, and facts as JSON values."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    record = {"phase": phase, "updated": now, **facts}
    write_atomic(run_dir / "status.json", json.dumps(record).encode())


def write_history(run_dir: Path, epochs: Sequence[dict[str, Any]]) -> None:
    """Write the figures of all finished epochs, a line each."""
    lines = "".join(json.dumps(epoch) + "\n" for epoch in epochs)
    write_atomic(run_dir / "history.jsonl", lines.encode())
