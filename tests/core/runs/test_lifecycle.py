"""However a run ends, its files say so, and it can be resumed."""

import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest

from melanoma_core.errors import ModelError, RunError, RunStopped
from melanoma_core.models import journal, store
from melanoma_core.models.journal import Kind
from melanoma_core.runs import lifecycle, plans, states, training_data
from melanoma_core.runs.states import STARTING, State
from melanoma_core.training import fitting, pipeline
from tests.support import made_models


@pytest.fixture
def places(tmp_path, trained_models):
    """A run's folder, and models of which one is called as no run is."""
    models_dir = shutil.copytree(trained_models, tmp_path / "models")
    run_dir = tmp_path / "runs" / "tiny-run"
    return SimpleNamespace(run_dir=run_dir, models_dir=models_dir, plan=made_models.plan(tmp_path))


def carry_out(places, work):
    return lifecycle.carry_out(places.plan, places.run_dir, places.models_dir, work, "Ada")


def add_candidate(places):
    """As a training does at its end: the folder of the candidate, whole, in its place."""
    source = next(path for path in places.models_dir.iterdir() if (path / "card.json").exists())
    shutil.copytree(source, places.models_dir / places.run_dir.name)


def kinds(places):
    return [row.event.kind for row in journal.rows(places.models_dir)]


def test_run_that_ended_before_it_could_name_its_candidate_ends_with_it(places, monkeypatch):
    def work():
        add_candidate(places)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry_out(places, work)
    assert states.read(places.run_dir).can_resume
    made = SimpleNamespace(model_id=places.run_dir.name, datasets=())
    monkeypatch.setattr(store, "read_card", lambda path: made)
    monkeypatch.setattr(store, "read_files", lambda path: ({}, "0" * 64, {}))
    assert carry_out(places, pytest.fail) is made
    assert kinds(places)[-3:] == [
        Kind.TRAINING_STARTED, Kind.TRAINING_STOPPED, Kind.TRAINING_ENDED,
    ]  # fmt: skip
    state = states.read(places.run_dir)
    assert (state.state, state.model_id) == (State.FINISHED, places.run_dir.name)


def test_model_of_another_run_is_no_candidate_of_this_one(places):
    add_candidate(places)
    with pytest.raises(ModelError, match="There can be no second model"):
        carry_out(places, pytest.fail)
    assert states.read(places.run_dir).state == State.FAILED


def test_fault_of_the_program_is_recorded_and_raised(places):
    def work():
        raise ZeroDivisionError("by nought")

    with pytest.raises(ZeroDivisionError):
        carry_out(places, work)
    state = states.read(places.run_dir)
    assert state.state == State.FAILED
    assert "ZeroDivisionError: by nought" in state.reason
    assert kinds(places)[-1] == Kind.TRAINING_FAILED


@pytest.mark.parametrize(("phase", "is_kept"), [(STARTING, True), ("epoch 1 of 2", False)])
def test_request_to_stop_is_kept_while_a_run_starts(places, phase, is_kept):
    plans.write_plan(places.run_dir, places.plan)
    plans.write_status(places.run_dir, phase)
    plans.ask_to_stop(places.run_dir)

    def work():
        assert plans.is_asked_to_stop(places.run_dir) == is_kept
        raise RunStopped("It stopped.")

    with pytest.raises(RunStopped):
        carry_out(places, work)


def test_training_whose_test_files_were_deleted_between_epochs_is_refused(tmp_path):
    data = made_models.draw_class_folders(tmp_path / "drawn")
    run_dir, models_dir = tmp_path / "tiny-8", tmp_path / "models"
    plan = made_models.plan(data, replace(made_models.CONFIG, epochs=2))

    def report(line):
        if "cleaned by the data doctor" in line:
            plans.ask_to_stop(run_dir)

    with pytest.raises(RunStopped):
        pipeline.run(plan, run_dir, models_dir, report)
    rows = training_data.read(plan, run_dir, [], 32).rows
    for path in rows.loc[rows["split"] == "test", "path"].iloc[:4]:
        (data / path).unlink()
    with pytest.raises(RunError, match="have changed since its first epochs"):
        pipeline.run(plan, run_dir, models_dir, lambda line: None)


def test_loss_that_is_not_finite_ends_the_run_with_advice():
    with pytest.raises(RunError, match="lower learning rate"):
        fitting._check_loss(float("nan"), 2)
    fitting._check_loss(0.5, 1)


def test_full_disk_under_the_weights_is_an_error_of_a_file(places, tmp_path, monkeypatch):
    from melanoma_core.networks import architectures, export

    def full(*_):
        raise RuntimeError("Can't write data (No space left on device)")

    network = architectures.build("tiny", 32, 9)
    monkeypatch.setattr(export.keras.Model, "save_weights", full)
    with pytest.raises(RunError, match="No space left") as caught:
        carry_out(places, lambda: export.write(network, tmp_path))
    assert "Free disk space" in str(caught.value)
