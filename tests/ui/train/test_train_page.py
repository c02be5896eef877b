"""The page Train in every state: what a visitor sees, and what its buttons do."""

import json
import shutil
import time
from dataclasses import replace

import pytest

from melanoma_core.models import network_table, store
from melanoma_core.runs import locks, plans, processes
from melanoma_core.runs.configs import TrainConfig
from melanoma_core.runs.plans import RunPlan
from melanoma_core.runs.states import State
from tests.support import made_models
from tests.support.made_pages import button, chart, open_app, text
from ui.train import data_choice
from ui.train.outlook import duration

PAGE = "pages/train.py"
CONFIG = TrainConfig(network="tiny", image_size=32, epochs=4)
HISTORY = [
    {"epoch": 1, "loss": 1.5, "val_loss": 1.4, "val_melanoma_auroc": 0.7, "seconds": 2.0},
    {"epoch": 2, "loss": 1.1, "val_loss": 1.2, "val_melanoma_auroc": 0.8, "seconds": 2.0},
]


@pytest.fixture
def places(models_in_use, tmp_path, monkeypatch):
    """Folders of runs and of data sets of a server whose model in use is the tiny one."""
    runs_dir, datasets_dir = tmp_path / "runs", tmp_path / "datasets"
    runs_dir.mkdir()
    monkeypatch.setenv("MELANOMA_RUNS", str(runs_dir))
    monkeypatch.setenv("MELANOMA_DATASETS", str(datasets_dir))
    return runs_dir, datasets_dir


def made_run(runs_dir, phase, history=HISTORY, **facts):
    """A run of four epochs, of which two are done."""
    run_dir = runs_dir / "tiny-2026-11-24-140200"
    plans.write_plan(run_dir, RunPlan(CONFIG, ("a.zip",)), "Ada")
    plans.write_history(run_dir, history)
    plans.write_status(run_dir, phase, **facts)
    (run_dir / "log.txt").write_text("Reading 40 photographs.\n")
    return run_dir


@pytest.fixture
def started(monkeypatch):
    """Plans that were started, runs that were resumed; no process is."""
    calls = []
    for name in ("start", "resume", "stop_after_epoch", "stop_now"):
        monkeypatch.setattr(processes, name, lambda *given, name=name: calls.append((name, *given)))
    return calls


def choose(app, *names):
    return app.multiselect[0].set_value(list(names)).run()


def test_without_a_data_set_the_page_says_what_to_choose(places):
    app = open_app(PAGE)
    assert not app.exception
    assert "Choose a data set" in text(app)
    assert not [each for each in app.button if each.label == "Start training"]


def test_plan_of_classes_and_time_are_shown_before_the_start(places, started):
    app = choose(open_app(PAGE), data_choice.DRAWN)
    assert not app.exception
    alt, _, _ = chart(app, "classes")
    assert "Training: Melanoma" in alt
    assert "on this machine" in text(app)
    assert "a photograph just now" in text(app)
    button(app, "Start training").click().run()
    ((name, plan, runs_dir, by),) = started
    assert (name, runs_dir, by) == ("start", places[0], "")
    assert plan.recipe == "head"
    assert plan.is_cleaned
    assert (plan.parents, plan.split_by, plan.config.network) == (("tiny-1",), "model", "tiny")
    assert plan.config.balance == "sqrt"


def test_full_training_takes_the_settings_of_the_form(places, started):
    app = choose(open_app(PAGE), data_choice.DRAWN)
    app.segmented_control(key="train_way").set_value("Full").run()
    app.number_input(key="train_epochs").set_value(7).run()
    app.toggle(key="train_clean").set_value(False).run()
    assert "as they are" in app.warning[0].value
    app.segmented_control(key="train_target").set_value("even").run()
    button(app, "Start training").click().run()
    ((_, plan, _, _),) = started
    assert plan.recipe == "full"
    assert not plan.is_cleaned
    assert (plan.config.epochs, plan.config.balance) == (7, "even")
    assert plan.parents == ("tiny-1",)


@pytest.mark.parametrize(
    ("file", "offered"),
    [
        ("efficientnet_lite2_imagenet.weights.h5", {"efficientnet_lite2"}),
        ("mobilenet_v2_imagenet_notop.weights.h5", {"mobilenet_v2"}),
        # Under a name of its own it may be of any network.
        ("ours.weights.h5", {"mobilenet_v2", "efficientnet_lite0", "efficientnet_lite2"}),
    ],
)
def test_imagenet_weights_are_offered_to_the_network_they_are_named_after(
    file, offered, places, started, tmp_path, monkeypatch
):
    (tmp_path / file).touch()
    monkeypatch.setenv("MELANOMA_IMAGENET_WEIGHTS", str(tmp_path / file))
    app = choose(open_app(PAGE), data_choice.DRAWN)
    app.segmented_control(key="train_way").set_value("Full").run()
    starts = app.selectbox(key="train_start")
    described = {
        name: f"{info.description}, from ImageNet weights" * info.needs_weights or info.description
        for name, info in network_table.NETWORKS.items()
    }
    assert {name for name, words in described.items() if words in starts.options} == offered | {
        "starting_cnn"
    }
    network = min(offered)
    starts.set_value(described[network]).run()
    button(app, "Start training").click().run()
    ((_, plan, _, _),) = started
    assert (plan.config.network, plan.weights) == (network, str(tmp_path / file))


def test_fine_tuning_is_offered_at_the_size_of_the_model_and_a_new_start_at_the_networks(
    models_in_use, places, tmp_path
):
    config = replace(made_models.CONFIG, image_size=48)
    made_models.make(tmp_path, models_in_use, "tiny-48", config)
    store.set_champion(models_in_use, "tiny-48")
    app = choose(open_app(PAGE), data_choice.DRAWN)
    app.segmented_control(key="train_way").set_value("Full").run()
    assert app.number_input(key="train_size_tiny-48").value == 48
    start = app.selectbox(key="train_start")
    start.set_value(network_table.NETWORKS["starting_cnn"].description).run()
    assert app.number_input(key="train_size_starting_cnn").value == 180


def test_data_set_with_an_unknown_class_is_refused_before_the_start(places, started):
    made_models.draw_class_folders(places[1] / "clinic", num_each=4)
    (places[1] / "clinic" / "nevus").rename(places[1] / "clinic" / "freckle")
    app = choose(open_app(PAGE), "clinic")
    assert "freckle" in text(app)
    assert "is not a diagnosis that this app knows" in text(app)
    assert button(app, "Start training").disabled


def test_renamed_classes_are_shown_with_what_they_are_read_as(places):
    made_models.draw_class_folders(places[1] / "clinic", num_each=12)
    (places[1] / "clinic" / "nevus").rename(places[1] / "clinic" / "naevus")
    app = choose(open_app(PAGE), "clinic")
    (table,) = [t.value for t in app.table if "Folder" in t.value]
    assert table.to_numpy().tolist() == [["naevus", "Nevus"]]


def test_data_set_without_melanoma_is_refused_before_the_start(places):
    made_models.draw_class_folders(places[1] / "clinic", num_each=12)
    shutil.rmtree(places[1] / "clinic" / "melanoma")
    app = choose(open_app(PAGE), "clinic")
    assert "Training cannot start with these settings" in text(app)
    assert "it needs melanoma" in text(app)
    assert button(app, "Start training").disabled


def test_run_at_work_is_watched_and_can_be_stopped(places, started):
    run_dir = made_run(
        places[0], "epoch 3 of 4", epoch=3, num_epochs=4, step=5, num_steps=10, seconds_left=700
    )
    with locks.lock(run_dir):
        app = open_app(PAGE)
        assert not app.exception
        assert app.header[0].value == "Training, epoch 3 of 4"
        assert "started by Ada" in text(app)
        alt, _, _ = chart(app, "Loss")
        assert "training from 1.500 to 1.100 over 2 epochs" in alt
        assert "Reading 40 photographs." in text(app)
        button(app, "Stop after this epoch").click().run()
        button(app, "Stop now").click().run()
    assert started == [("stop_after_epoch", run_dir), ("stop_now", run_dir)]


def test_training_that_is_not_among_the_runs_keeps_the_machine_busy(places):
    with locks.only_training(places[0], "elsewhere-1", "Bo"):
        app = open_app(PAGE)
    assert "“elsewhere-1”, started by Bo" in text(app)
    assert "one at a time" in text(app)
    assert not app.multiselect


def test_chosen_data_set_is_still_chosen_after_a_training(places):
    app = choose(open_app(PAGE), data_choice.DRAWN)
    with locks.only_training(places[0], "elsewhere-1", "Bo"):
        app.run()
        assert not app.multiselect
    app.run()
    assert app.multiselect[0].value == [data_choice.DRAWN]


def test_interrupted_run_can_be_resumed(places, started):
    run_dir = made_run(places[0], "epoch 3 of 4", epoch=3, num_epochs=4)
    app = open_app(PAGE)
    assert "Stopped after epoch 2 of 4" in app.warning[0].value
    assert "ended unexpectedly" in app.warning[0].value
    button(app, "Resume").click().run()
    assert started == [("resume", run_dir, "")]


@pytest.mark.parametrize(
    ("phase", "words", "can_resume"),
    [
        (State.STOPPED, "Stopped after epoch 2 of 4", True),
        (State.FAILED, "The disk was full", True),
        (State.FINISHED, "It is **not** in use", False),
    ],
)
def test_ended_run_says_how_it_ended(places, phase, words, can_resume):
    made_run(places[0], phase, reason="The disk was full.", model_id="tiny-9")
    app = open_app(PAGE)
    assert words in text(app)
    assert any(each.label == "Resume" for each in app.button) == can_resume


def test_server_that_is_started_anew_shows_the_truth_at_once(places):
    run_dir = made_run(places[0], "epoch 3 of 4", epoch=3, num_epochs=4)
    with locks.lock(run_dir):
        started = time.monotonic()
        app = open_app(PAGE)
        assert app.header[0].value == "Training, epoch 3 of 4"
    plans.write_status(run_dir, "finished", model_id="tiny-9")
    assert "It is **not** in use" in text(open_app(PAGE))
    assert time.monotonic() - started < 60  # two whole sessions


def test_demo_trains_in_a_sandbox_that_goes_with_the_session(places, started, monkeypatch):
    monkeypatch.setenv("MELANOMA_DEMO", "1")
    app = choose(open_app(PAGE), data_choice.DRAWN)
    assert "can never be promoted" in text(app)
    assert app.segmented_control(key="train_way").options == ["Quick: last layer only"]
    button(app, "Start training").click().run()
    ((_, plan, runs_dir, by, models_dir),) = started
    assert plan.recipe == "head"
    assert by == "a visitor"
    for place in (runs_dir, models_dir):
        assert place.name in ("runs", "models")
        assert not place.is_relative_to(places[0].parent)
    assert (models_dir / "tiny-1" / "card.json").exists()
    assert not (places[1] / "drawn-lesions").exists()


def test_page_without_a_model_offers_full_training_only(empty_models):
    app = choose(open_app(PAGE), data_choice.DRAWN)
    assert not app.exception
    assert app.segmented_control(key="train_way").options == ["Full"]


def test_time_that_lies_ahead_is_told_no_finer_than_it_is_known():
    assert [duration(seconds) for seconds in (1, 70, 3500, 4000, 7250)] == [
        "1 min", "2 min", "59 min", "1 h 10 min", "2 h",
    ]  # fmt: skip


def test_status_of_a_run_is_read_again_each_time(places):
    run_dir = made_run(places[0], "failed", reason="First.")
    assert "First." in text(open_app(PAGE))
    (run_dir / "status.json").write_text(json.dumps({"phase": "failed", "reason": "Second."}))
    assert "Second." in text(open_app(PAGE))
