"""One process on a run, and one training on a machine; a lock goes with the process that holds it.

runs/<run_id>/.lock      held by the process that is at work on the run; its id stands inside
runs/.training.lock      held by the one training of the machine; what it is stands inside
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from melanoma_core.errors import RunError
from melanoma_core.paths import locked
from melanoma_core.runs.plans import now

_ONE_AT_A_TIME = ".training.lock"
# Who looks whether a lock is held holds it for a moment.
_SECONDS_TO_TRY = 1.0


@dataclass(frozen=True)
class Holder:
    """The training that a machine is busy with."""

    run_id: str
    since: str  # date and time, UTC
    author: str  # the given name, or the system's user name


@contextmanager
def lock(run_dir: Path) -> Iterator[None]:
    """Keep a run to one process: two would write over each other's checkpoints.

    The folder is made if absent. The lock is the system's, so that of a killed process is free.

    Raises:
        RunError: another process has it, or the folder cannot be written to.
    """
    with _lock_file(run_dir / ".lock", f"the run “{run_dir.name}”") as handle:
        if handle is None:
            raise RunError(
                f"The run “{run_dir.name}” cannot be taken up: another process is at work on it. "
                "Wait until that ends, or start a run in another folder."
            )
        _write_into(handle, {"pid": os.getpid()})
        yield


@contextmanager
def only_training(runs_dir: Path, run_id: str, author: str) -> Iterator[None]:
    """Keep the machine to one training: two would take twice as long, and twice the memory.

    Like `lock`, it is free as soon as its holder has ended, in whatever way.

    Args:
        runs_dir: where runs are kept.
        run_id: of the run that is to train.
        author: who asked for it.

    Raises:
        RunError: another training is running; says whose it is and since when.
    """
    with _lock_file(runs_dir / _ONE_AT_A_TIME, "training runs") as handle:
        if handle is None:
            raise RunError(in_words(holder(runs_dir)))
        asked = {"run_id": run_id, "since": now(), "author": author}
        _write_into(handle, asked)
        yield


def in_words(found: Holder | None) -> str:
    """That another training is running, whose it is and since when."""
    if found is None:
        return "Another training is running; one at a time. Wait until it ends, or stop it."
    return (
        f"The training “{found.run_id}”, started by {found.author or 'somebody'} at "
        f"{found.since[11:16]} UTC on {found.since[:10]}, is running; one at a time. Wait until it "
        "ends, or stop it."
    )


def holder(runs_dir: Path) -> Holder | None:
    """The training that is running on this machine; None where there is none, or it is unnamed."""
    path = runs_dir / _ONE_AT_A_TIME
    if not is_held(path):
        return None
    try:
        return Holder(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):  # it is being written
        return None


def is_at_work(run_dir: Path) -> bool:
    """Whether a process is at work on the run."""
    return is_held(run_dir / ".lock")


def worker(run_dir: Path) -> int | None:
    """The id of the process that is at work on the run; None where there is none."""
    if not is_at_work(run_dir):
        return None
    try:
        pid: int = json.loads((run_dir / ".lock").read_bytes())["pid"]
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return pid


def is_held(path: Path) -> bool:
    """Whether a process holds the lock of this file."""
    try:
        with locked(path, is_shared=True, waits=False):
            return False
    except BlockingIOError:
        return True
    except OSError:
        return False


@contextmanager
def _lock_file(path: Path, of_what: str) -> Iterator[int | None]:
    """Hold the lock of a file, created if missing; None if another process holds it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("ab").close()
    except OSError as error:
        raise RunError(
            f"The folder of {of_what} cannot be written to: {error.strerror}. Mend its rights, or "
            "start the run in another folder."
        ) from error
    with ExitStack() as stack:
        try:
            handle = _acquired(stack, path)
        except OSError as error:
            raise RunError(
                f"The folder of {of_what} cannot be locked: {error.strerror}. Start the run in a "
                "folder on a disk of this computer."
            ) from error
        yield handle


def _acquired(stack: ExitStack, path: Path) -> int | None:
    """The descriptor of the locked file; None if another process holds the lock."""
    deadline = time.monotonic() + _SECONDS_TO_TRY
    while True:
        try:
            return stack.enter_context(locked(path, creates=True, waits=False))
        except BlockingIOError:
            if time.monotonic() > deadline:
                return None
            time.sleep(0.05)


def _write_into(handle: int, record: dict[str, Any]) -> None:
    try:
        os.ftruncate(handle, 0)
        os.write(handle, json.dumps(record).encode())
    except OSError as error:
        raise RunError(
            f"The run cannot be written down: {error.strerror}. Free room in its folder."
        ) from error
