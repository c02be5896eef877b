"""One process on a run and one training on a machine; a lock goes with its holder."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from melanoma_core.errors import RunError
from melanoma_core.runs import locks

PROJECT = Path(__file__).resolve().parents[3]
HOLDER = """
import sys, time
from pathlib import Path
from melanoma_core.runs import locks
runs_dir = Path(sys.argv[1])
with locks.lock(runs_dir / "run-1"), locks.only_training(runs_dir, "run-1", "Ada"):
    print("locked", flush=True)
    time.sleep(300)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that trains run-1 of `tmp_path`; it is killed at the end."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "locked\n"
        yield process
        process.kill()


def test_second_training_is_told_whose_the_first_is_and_since_when(holder, tmp_path):
    found = locks.holder(tmp_path)
    assert (found.run_id, found.author) == ("run-1", "Ada")
    words = f"“run-1”, started by Ada at {found.since[11:16]} UTC .*one at a time"
    with (
        pytest.raises(RunError, match=words),
        locks.only_training(tmp_path, "run-2", "Bo"),
    ):
        pass
    assert locks.holder(tmp_path) == found


def test_second_process_on_a_run_is_refused(holder, tmp_path):
    with (
        pytest.raises(RunError, match="“run-1” cannot be taken up: another"),
        locks.lock(tmp_path / "run-1"),
    ):
        pass


def test_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    run_dir = tmp_path / "file" / "run-1"
    with pytest.raises(RunError, match="“run-1” cannot be written to"), locks.lock(run_dir):
        pass


def test_lock_dies_with_its_holder(holder, tmp_path):
    assert locks.is_at_work(tmp_path / "run-1")
    assert locks.worker(tmp_path / "run-1") == holder.pid
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert not locks.is_at_work(tmp_path / "run-1")
    assert locks.worker(tmp_path / "run-1") is None
    assert locks.holder(tmp_path) is None
    with locks.only_training(tmp_path, "run-2", "Bo"):
        assert locks.holder(tmp_path).author == "Bo"
    assert locks.holder(tmp_path) is None


def test_looking_whether_a_lock_is_held_keeps_nobody_from_it(tmp_path):
    with locks.only_training(tmp_path, "run-1", "Ada"):
        pass
    with (tmp_path / ".training.lock").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        threading.Timer(0.2, fcntl.flock, (file, fcntl.LOCK_UN)).start()
        with locks.only_training(tmp_path, "run-2", "Bo"):
            pass


def test_machine_without_a_training_has_no_holder(tmp_path):
    assert locks.holder(tmp_path / "absent") is None
    assert not locks.is_at_work(tmp_path / "absent")
