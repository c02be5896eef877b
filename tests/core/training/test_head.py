"""Recipe “head”: a candidate with the network of its parent and a last layer of its own."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from melanoma_core.diagnoses import CODES
from melanoma_core.errors import RunError, RunStopped
from melanoma_core.evaluation import evaluate
from melanoma_core.images import reading
from melanoma_core.models import predict, store
from melanoma_core.runs import lifecycle, plans
from melanoma_core.runs.configs import TrainConfig
from melanoma_core.runs.plans import RunPlan
from melanoma_core.training import head, pipeline
from tests.support import altered_models, made_models, made_runs

LIMITS = (0.1, 0.6, -0.2, 0.1)  # of red, then of blue
NEW = 40  # drawn lesions a kind of the new data set


@pytest.fixture(scope="module")
def new_data(tmp_path_factory):
    """A clinic's own photographs, which the tiny model was not trained on."""
    root = tmp_path_factory.mktemp("new") / "clinic"
    flat = made_models.draw_class_folders(root.parent / "all", num_each=12 + NEW, side=72)
    for path in flat.rglob("*.png"):
        if int(path.stem[-3:]) >= 12:  # the first twelve are what the tiny model was made with
            target = root / path.parent.name / f"clinic_{path.name}"
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
    return root


@pytest.fixture(scope="module")
def run(new_data, trained_models, tmp_path_factory):
    """One finished training of a last layer."""
    root = tmp_path_factory.mktemp("head")
    models_dir = shutil.copytree(trained_models, root / "models")
    plan = plan_of(new_data)
    lines = []
    card = pipeline.run(plan, root / "head-1", models_dir, lines.append)
    return SimpleNamespace(
        card=card, dir=root / "head-1", models_dir=models_dir, lines=lines, plan=plan
    )


def plan_of(data):
    return RunPlan(
        made_models.CONFIG, (str(data),), recipe="head", parents=("tiny-1",), split_by="model"
    )


def test_candidate_passes_every_check_and_keeps_the_network(run):
    model = predict.load(run.models_dir / "head-1")
    files = [store.read_card(run.models_dir / name).files for name in ("tiny-1", "head-1")]
    assert files[0]["network.tflite"] == files[1]["network.tflite"]
    assert files[0]["head.npz"] != files[1]["head.npz"]
    assert model.card.network == "tiny"
    assert model.card.config["network_of"] == "tiny-1"
    assert store.champion(run.models_dir).model_id == "tiny-1"


def test_color_cast_limits_of_the_network_are_on_the_card(new_data, trained_models, tmp_path):
    models_dir = shutil.copytree(trained_models, tmp_path / "models")
    altered_models.add(models_dir, "tiny-1", "tiny-limited", {}, color_cast_limits=LIMITS)
    plan = replace(plan_of(new_data), parents=("tiny-limited",))
    card = pipeline.run(plan, tmp_path / "head-2", models_dir)
    assert card.color_cast_limits == LIMITS


def test_new_layer_tells_the_new_lesions_apart_better_than_chance(run):
    assert run.card.figures["all"]["melanoma_auroc"].value > 0.6
    assert run.card.figures["all"]["accuracy"].value > 0.4


def test_keras_loads_the_weights_with_the_new_layer(run):
    from melanoma_core.networks import architectures

    card, _, files = store.read_files(run.models_dir / "head-1")
    assert files["network.weights.h5"] == (
        (run.models_dir / "tiny-1" / "network.weights.h5").read_bytes()
    )
    built = architectures.of_card(card, files)
    kernel, bias = architectures.head(built)
    with np.load(run.models_dir / "head-1" / "head.npz") as head:
        np.testing.assert_array_equal(kernel, head["kernel"])
        np.testing.assert_array_equal(bias, head["bias"])
    model = predict.load(run.models_dir / "head-1")
    photograph = sorted(Path(run.plan.datasets[0]).rglob("*.png"))[0]
    image = reading.resize(reading.read_file(photograph), 32)
    logits = np.asarray(built(image[np.newaxis].astype(np.float32)))[0]
    np.testing.assert_allclose(predict.classify(model, image).logits, logits, atol=1e-3)


def test_history_tells_every_fit(run):
    written = (run.dir / "history.jsonl").read_text().splitlines()
    assert run.card.history == tuple(json.loads(line) for line in written)
    assert run.card.config["regularization_c"] in [row["strength"] for row in run.card.history]


def test_both_layers_are_compared_on_the_very_test_of_the_candidate(run):
    found = lifecycle.compared_with_parent(run.dir, run.models_dir, "head-1")
    measured = evaluate.from_json((run.models_dir / "head-1" / "evaluation.json").read_bytes())
    assert found.num_photographs == int((measured.table["split"] == "test").sum()) > 0
    assert (found.champion_id, found.candidate_id) == ("tiny-1", "head-1")


def test_photographs_of_the_models_own_data_are_measured_only_where_they_were_held_out(
    trained_models, tmp_path
):
    models_dir = shutil.copytree(trained_models, tmp_path / "models")
    data = made_models.draw_class_folders(tmp_path / "drawn", num_each=12)
    card = pipeline.run(plan_of(data), tmp_path / "head-2", models_dir)
    splits = []
    for name in ("tiny-1", "head-2"):
        content = (models_dir / name / "evaluation.json").read_bytes()
        table = evaluate.from_json(content).table
        splits.append(dict(zip(table["image_id"], table["split"], strict=True)))
    assert splits[0] == splits[1]
    assert card.class_counts == store.read_card(models_dir / "tiny-1").class_counts
    given = replace(plan_of(data), split_by="drawn", config=replace(made_models.CONFIG, seed=7))
    with pytest.raises(RunError, match=r"may have been trained on .* \(--split-by model\)"):
        pipeline.run(given, tmp_path / "head-3", models_dir)


def test_run_stops_between_two_fits_as_asked(new_data, trained_models, tmp_path, monkeypatch):
    models_dir = shutil.copytree(trained_models, tmp_path / "models")
    monkeypatch.setattr(plans, "is_asked_to_stop", lambda run_dir: True)
    with pytest.raises(RunStopped, match="between two fits"):
        pipeline.run(plan_of(new_data), tmp_path / "head-4", models_dir)
    assert json.loads((tmp_path / "head-4" / "status.json").read_text())["phase"] == "stopped"
    assert not (models_dir / "head-4").exists()


def test_last_layer_without_a_parent_is_refused(new_data):
    with pytest.raises(RunError, match="none is named"):
        head.settle(replace(plan_of(new_data), parents=()), [])


def test_network_and_image_size_are_those_of_the_parent(new_data, trained_models):
    plan = replace(plan_of(new_data), config=TrainConfig(seed=3))
    config = head.settle(plan, made_runs.parents_of(trained_models, "tiny-1"))
    assert config == TrainConfig(network="tiny", image_size=32, seed=3)


@pytest.mark.parametrize("balance", ["none", "even"])
def test_prior_shift_is_that_of_the_balance(new_data, trained_models, tmp_path, balance):
    models_dir = shutil.copytree(trained_models, tmp_path / "models")
    for kind, num_files in (("nevus", 40), ("melanoma", 20)):
        (tmp_path / "clinic" / kind).mkdir(parents=True)
        for path in sorted((new_data / kind).iterdir())[:num_files]:
            shutil.copy(path, tmp_path / "clinic" / kind)
    plan = plan_of(tmp_path / "clinic")
    config = replace(plan.config, balance=balance, balance_by="weights")
    plan = replace(plan, config=config)
    card = pipeline.run(plan, tmp_path / "head-7", models_dir, lambda line: None)
    counts = np.array([card.class_counts["train"][code] for code in CODES])
    seen = np.where(counts > 0, 1 / 2, 0) if balance == "even" else counts / counts.sum()
    expected = np.zeros(len(CODES))
    there = counts > 0
    expected[there] = np.log(counts[there] / counts.sum()) - np.log(seen[there])
    np.testing.assert_allclose(card.prior_shift, expected, atol=1e-12)
    assert predict.load(models_dir / "head-7").card == card
