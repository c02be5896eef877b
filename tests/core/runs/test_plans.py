"""The files of a run: what it is to do, where it stands, what it did."""

import datetime
import json

import pytest

from melanoma_core.errors import RunError
from melanoma_core.images.augmentations import AugmentConfig
from melanoma_core.models import store
from melanoma_core.runs import plans
from melanoma_core.runs.configs import TrainConfig
from melanoma_core.runs.plans import RunPlan

PLAN = RunPlan(
    TrainConfig(network="tiny", augment=AugmentConfig(blur=0)), ("a.zip", "b"), "splits.csv"
)


def test_plan_comes_back_as_it_was_written(tmp_path):
    plans.write_plan(tmp_path / "deep" / "run-1", PLAN)
    assert plans.read_plan(tmp_path / "deep" / "run-1") == PLAN


def test_same_plan_may_be_written_again(tmp_path):
    plans.write_plan(tmp_path, PLAN)
    plans.write_plan(tmp_path, PLAN)
    assert plans.read_plan(tmp_path) == PLAN


@pytest.mark.parametrize(
    "other",
    [
        RunPlan(TrainConfig(network="tiny"), PLAN.datasets, PLAN.splits, PLAN.weights),
        RunPlan(PLAN.config, ("a.zip",), PLAN.splits, PLAN.weights),
        RunPlan(PLAN.config, PLAN.datasets, None, PLAN.weights),
        RunPlan(PLAN.config, PLAN.datasets, PLAN.splits, "imagenet.weights.h5"),
        RunPlan(PLAN.config, PLAN.datasets, PLAN.splits, recipe="head"),
        RunPlan(PLAN.config, PLAN.datasets, PLAN.splits, parents=("tiny-1",)),
    ],
)
def test_another_plan_in_the_same_folder_is_refused_and_the_first_one_kept(tmp_path, other):
    plans.write_plan(tmp_path, PLAN)
    with pytest.raises(RunError, match="other settings or data"):
        plans.write_plan(tmp_path, other)
    assert plans.read_plan(tmp_path) == PLAN


def test_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(RunError, match=rf"“{tmp_path.name}” holds no training run"):
        plans.read_plan(tmp_path)


@pytest.mark.parametrize("text", ["", "[1]", "null", '{"config": {}}', "{", "\ufffd"])
def test_damaged_plan_is_refused(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(RunError, match=r"cannot be read|can be read"):
        plans.read_plan(tmp_path)


def test_status_holds_phase_facts_and_the_moment(tmp_path):
    before = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    plans.write_status(tmp_path, "epoch 2 of 3", step=7, loss=0.5)
    status = json.loads((tmp_path / "status.json").read_text())
    updated = datetime.datetime.fromisoformat(status.pop("updated"))
    assert before <= updated <= datetime.datetime.now(datetime.UTC)
    assert status == {"phase": "epoch 2 of 3", "step": 7, "loss": 0.5}


def test_history_has_one_line_an_epoch(tmp_path):
    epochs = [{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.5}]
    plans.write_history(tmp_path, epochs[:1])
    plans.write_history(tmp_path, epochs)
    lines = (tmp_path / "history.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == epochs


def test_id_names_network_date_and_time():
    moment = datetime.datetime(2026, 11, 22, 9, 5, 7, tzinfo=datetime.UTC)
    assert plans.new_id(RunPlan(TrainConfig(), ()), moment) == "mobilenet-v2-2026-11-22-090507"
    head = RunPlan(TrainConfig(network="tiny"), (), recipe="head")
    assert plans.new_id(head, moment) == "tiny-head-2026-11-22-090507"
    ensemble = RunPlan(TrainConfig(), (), recipe="ensemble", parents=("tiny-1", "tiny-2"))
    assert plans.new_id(ensemble, moment) == "ensemble-2026-11-22-090507"
    recalibrated = RunPlan(TrainConfig(), (), recipe="recalibrate", parents=("tiny-1",))
    assert plans.new_id(recalibrated, moment) == "recalibrated-2026-11-22-090507"


@pytest.mark.parametrize("recipe", plans.RECIPES)
def test_name_of_every_recipe_is_one_that_a_model_can_have(tmp_path, recipe):
    store.check_new(tmp_path, plans.new_id(RunPlan(TrainConfig(), (), recipe=recipe)))


def test_unknown_recipe_or_split_method_is_refused():
    with pytest.raises(RunError, match="“quick”; it must be one of: full, head, ensemble, rec"):
        RunPlan(TrainConfig(), (), recipe="quick")
    with pytest.raises(RunError, match="“odd”; it must be one of: given, drawn, model"):
        RunPlan(TrainConfig(), (), split_by="odd")


def test_epochs_cannot_continue_on_other_data(tmp_path):
    plans.check_same_data(tmp_path, "a" * 64)
    plans.check_same_data(tmp_path, "b" * 64)  # no epoch is finished yet
    plans.write_history(tmp_path, [{"epoch": 1}])
    plans.check_same_data(tmp_path, "b" * 64)
    with pytest.raises(RunError, match="have changed since its first epochs"):
        plans.check_same_data(tmp_path, "a" * 64)
