"""Where a run stands, from its files and its lock alone."""

import datetime
import json

import pytest

from melanoma_core.runs import locks, plans, states
from melanoma_core.runs.configs import TrainConfig
from melanoma_core.runs.plans import RunPlan
from melanoma_core.runs.states import State

PLAN = RunPlan(TrainConfig(network="tiny", epochs=4), ("a.zip",))


@pytest.fixture
def run_dir(tmp_path):
    plans.write_plan(tmp_path / "run-1", PLAN, "Ada")
    return tmp_path / "run-1"


def test_run_at_work_tells_phase_share_and_time_left(run_dir):
    plans.write_history(run_dir, [{"epoch": 1, "loss": 1.0}])
    facts = {"epoch": 2, "num_epochs": 4, "step": 5, "num_steps": 10, "seconds_left": 70}
    plans.write_status(run_dir, "epoch 2 of 4", **facts)
    with locks.lock(run_dir):
        found = states.read(run_dir)
    assert (found.state, found.phase) == (State.RUNNING, "epoch 2 of 4")
    assert found.share == pytest.approx(1.5 / 4)
    assert (found.seconds_left, found.num_done, found.num_epochs) == (70, 1, 4)
    assert (found.author, found.plan) == ("Ada", PLAN)
    assert not found.can_resume


def test_phase_without_epochs_is_told_by_photographs(run_dir):
    plans.write_status(run_dir, "checking the data", done=30, total=120)
    assert states.read(run_dir).share == 0.25


@pytest.mark.parametrize("phase", ["finished", "failed", "stopped"])
def test_run_that_said_how_it_ended_is_taken_at_its_word(run_dir, phase):
    plans.write_status(run_dir, phase, reason="Because.", model_id="run-1")
    found = states.read(run_dir)
    assert (found.state, found.reason, found.model_id) == (State(phase), "Because.", "run-1")
    assert found.can_resume == (phase != "finished")


def test_process_that_died_without_a_word_is_an_interrupted_run(run_dir):
    plans.write_status(run_dir, "epoch 2 of 4", epoch=2, num_epochs=4)
    found = states.read(run_dir)
    assert found.state == State.INTERRUPTED
    assert found.can_resume


def test_run_whose_process_has_just_been_started_is_not_interrupted(run_dir):
    plans.write_status(run_dir, "starting")
    assert states.read(run_dir).state == State.RUNNING
    long_ago = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    status = {"phase": "starting", "updated": long_ago.isoformat()}
    (run_dir / "status.json").write_text(json.dumps(status))
    assert states.read(run_dir).state == State.INTERRUPTED


def test_run_that_is_gone_on_with_no_longer_tells_its_old_end(run_dir):
    plans.write_status(run_dir, "failed", reason="The disk was full.")
    with locks.lock(run_dir):
        found = states.read(run_dir)
    assert (found.state, found.phase) == (State.RUNNING, "starting")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"phase": 3, "updated": 7}'])
def test_damaged_files_are_read_as_what_is_left_of_them(run_dir, text):
    for name in ("status.json", "history.jsonl"):
        (run_dir / name).write_text(text)
    found = states.read(run_dir)
    assert found.state == State.INTERRUPTED
    assert found.plan == PLAN


def test_end_of_the_log_is_told(run_dir):
    (run_dir / "log.txt").write_text("".join(f"line {k}\n" for k in range(2000)) + "half")
    log = states.read(run_dir).log
    assert log[-2:] == ("line 1999", "half")
    assert len(log) == 12


def test_runs_come_with_the_last_one_first(tmp_path):
    for name, asked in (("b", "2026-11-20"), ("a", "2026-11-22"), ("c", "2026-11-21")):
        plans.write_plan(tmp_path / name, PLAN)
        record = json.loads((tmp_path / name / "config.json").read_text())
        (tmp_path / name / "config.json").write_text(json.dumps(record | {"asked": asked}))
    assert [run.run_id for run in states.read_all(tmp_path)] == ["a", "c", "b"]
    assert states.read_all(tmp_path / "absent") == ()
