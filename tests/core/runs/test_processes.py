"""Trainings in the background, with the tiny network: start, watch, stop, kill, resume."""

import os
import signal
import time
from dataclasses import replace

import pytest

from melanoma_core.errors import RunError
from melanoma_core.models import journal
from melanoma_core.runs import locks, plans, processes, states
from melanoma_core.runs.plans import RunPlan
from melanoma_core.runs.states import State
from tests.support import made_models

SECONDS = 240  # on a machine that is busy with something else
CONFIG = replace(made_models.CONFIG, epochs=400)  # never done by itself


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return made_models.draw_class_folders(tmp_path_factory.mktemp("data") / "drawn", num_each=8)


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Folders of runs and models; every training that is left at work is killed at the end."""
    runs_dir, models_dir = tmp_path / "runs", tmp_path / "models"
    monkeypatch.setenv("MELANOMA_RUNS", str(runs_dir))
    monkeypatch.setenv("MELANOMA_MODELS", str(models_dir))
    # At the lowest priority a test would wait for all that a busy machine does besides.
    assert processes._NICENESS == 19
    monkeypatch.setattr(processes, "_NICENESS", 2)
    yield runs_dir, models_dir
    for run in states.read_all(runs_dir):
        pid = locks.worker(runs_dir / run.run_id)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)


def wait_until(run_dir, is_so):
    """The state of the run, as soon as it is so."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        found = states.read(run_dir)
        if is_so(found):
            return found
        time.sleep(0.1)
    raise AssertionError(f"It came to this only: {states.read(run_dir)}")


def test_background_training_is_watched_kept_alone_stopped_killed_and_resumed(drawn, places):
    """One story, because every process loads TensorFlow for many seconds."""
    runs_dir, models_dir = places
    plan = RunPlan(CONFIG, (str(drawn),))
    run_dir = processes.start(plan, runs_dir, "Ada")
    assert states.read(run_dir).state == State.RUNNING  # from the first moment on
    with pytest.raises(RunError, match=f"“{run_dir.name}”, started by Ada at .* one at a time"):
        processes.start(plan, runs_dir, "Bo")

    found = wait_until(run_dir, lambda run: run.num_done >= 2)
    assert found.phase.startswith(("epoch", "compiling"))
    assert found.history[1]["val_loss"] > 0
    assert any("epoch 1" in line for line in found.log)
    pid = locks.worker(run_dir)
    assert os.getsid(pid) == pid != os.getsid(0)  # it outlives the server
    assert os.getpriority(os.PRIO_PROCESS, pid) == 2
    assert processes.busy(runs_dir).run_id == run_dir.name

    processes.stop_after_epoch(run_dir)
    stopped = wait_until(run_dir, lambda run: run.state != State.RUNNING)
    assert stopped.state == State.STOPPED
    assert f"stopped after epoch {stopped.num_done} of 400" in stopped.reason
    assert processes.busy(runs_dir) is None

    processes.resume(run_dir, "Bo")
    found = wait_until(run_dir, lambda run: run.num_done > stopped.num_done)
    os.kill(locks.worker(run_dir), signal.SIGKILL)
    killed = wait_until(run_dir, lambda run: run.state != State.RUNNING)
    assert killed.state == State.INTERRUPTED
    assert [row["epoch"] for row in killed.history] == list(range(1, killed.num_done + 1))

    processes.resume(run_dir, "Bo")
    wait_until(run_dir, lambda run: run.num_done > killed.num_done)
    processes.stop_now(run_dir)
    assert wait_until(run_dir, lambda run: run.state != State.RUNNING).state == State.STOPPED

    kinds = [(row.event.kind.value, row.event.who) for row in journal.rows(models_dir)]
    assert kinds == [
        ("training started", "Ada"),
        ("training stopped", "Ada"),
        ("training started", "Bo"),  # and killed
        ("training started", "Bo"),
        ("training stopped", "Bo"),
    ]
    assert not list(models_dir.glob("*/"))


def test_run_that_fails_says_why(drawn, places):
    runs_dir, _ = places
    config = replace(CONFIG, network="mobilenet_v2", image_size=32)
    run_dir = processes.start(RunPlan(config, (str(drawn),)), runs_dir, "Ada")
    failed = wait_until(run_dir, lambda run: run.state != State.RUNNING)
    assert failed.state == State.FAILED
    assert "starts from ImageNet weights" in failed.reason
    assert "starts from ImageNet weights" in failed.log[-1]


def test_run_that_has_not_reached_its_locks_yet_can_be_stopped(drawn, places):
    runs_dir, _ = places
    run_dir = processes.start(RunPlan(CONFIG, (str(drawn),)), runs_dir, "Ada")
    processes.stop_now(run_dir)
    found = wait_until(run_dir, lambda run: run.state != State.RUNNING)
    assert found.state == State.STOPPED
    assert processes.busy(runs_dir) is None


def test_folder_without_a_run_cannot_be_resumed(places):
    runs_dir, _ = places
    (runs_dir / "none").mkdir(parents=True)
    with pytest.raises(RunError, match="holds no training run"):
        processes.resume(runs_dir / "none", "Ada")


def test_stopping_a_run_that_is_not_at_work_does_nothing(drawn, places):
    runs_dir, _ = places
    plans.write_plan(runs_dir / "run-1", RunPlan(CONFIG, (str(drawn),)))
    processes.stop_now(runs_dir / "run-1")
    assert states.read(runs_dir / "run-1").state == State.INTERRUPTED
