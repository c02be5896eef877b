"""Quick training: a candidate with the network of another model and a last layer of its own."""

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
from melanoma_core.runs.plans import RunPlan
from melanoma_core.training import train_head
from tests.support import altered_models, made_models

LIMITS = (0.1, 0.6, -0.2, 0.1)  # of red, then of blue
NEW = 40  # drawn lesions a kind of the new data set


@pytest.fixture(scope="module")
def new_data(tmp_path_factory):
    """A clinic's own photographs, which the tiny model was never taught."""
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
    """One finished quick training."""
    root = tmp_path_factory.mktemp("quick")
    models_dir = shutil.copytree(trained_models, root / "models")
    plan = plan_of(new_data)
    lines = []
    card = carry_out(plan, root / "quick-1", models_dir, lines.append)
    return SimpleNamespace(
        card=card, dir=root / "quick-1", models_dir=models_dir, lines=lines, plan=plan
    )


def plan_of(data, **changes):
    return RunPlan(
        made_models.CONFIG, (str(data),), None, None, "tiny-1", split_by="model", is_quick=True,
        **changes,
    )  # fmt: skip


def carry_out(plan, run_dir, models_dir, report=lambda line: None):
    return lifecycle.carry_out(
        plan, run_dir, models_dir, lambda: train_head.make(plan, run_dir, models_dir, report)
    )


def test_candidate_passes_every_check_and_keeps_the_network(run):
    model = predict.load(run.models_dir / "quick-1")
    files = [store.read_card(run.models_dir / name).files for name in ("tiny-1", "quick-1")]
    assert files[0]["network.tflite"] == files[1]["network.tflite"]
    assert files[0]["head.npz"] != files[1]["head.npz"]
    assert model.card.network == "tiny"
    assert model.card.config["network_of"] == "tiny-1"
    assert store.champion(run.models_dir).model_id == "tiny-1"


def test_limits_of_colors_of_the_network_stand_on_the_card(new_data, trained_models, tmp_path):
    models_dir = shutil.copytree(trained_models, tmp_path / "models")
    altered_models.add(models_dir, "tiny-1", "tiny-limited", {}, color_cast_limits=LIMITS)
    plan = replace(plan_of(new_data), from_model="tiny-limited")
    card = carry_out(plan, tmp_path / "quick-2", models_dir)
    assert card.color_cast_limits == LIMITS


def test_new_layer_tells_the_new_lesions_apart_better_than_chance(run):
    assert run.card.figures["all"]["melanoma_auroc"].value > 0.6
    assert run.card.figures["all"]["accuracy"].value > 0.4


def test_keras_loads_the_weights_with_the_new_layer(run):
    from melanoma_core.networks import architectures

    built = architectures.build("tiny", 32, len(CODES))
    architectures.load_weights(built, run.models_dir / "quick-1" / "network.weights.h5")
    kernel, bias = architectures.head(built)
    with np.load(run.models_dir / "quick-1" / "head.npz") as head:
        np.testing.assert_array_equal(kernel, head["kernel"])
        np.testing.assert_array_equal(bias, head["bias"])
    model = predict.load(run.models_dir / "quick-1")
    photograph = sorted(Path(run.plan.datasets[0]).rglob("*.png"))[0]
    image = reading.resize(reading.read_file(photograph), 32)
    logits = np.asarray(built(image[np.newaxis].astype(np.float32)))[0]
    np.testing.assert_allclose(predict.classify(model, image).logits, logits, atol=1e-3)


def test_history_tells_every_fit(run):
    written = (run.dir / "history.jsonl").read_text().splitlines()
    assert run.card.history == tuple(json.loads(line) for line in written)
    assert run.card.config["regularization_c"] in [row["strength"] for row in run.card.history]


def test_both_layers_are_compared_on_the_very_test_of_the_candidate(run):
    found = lifecycle.compared_with_parent(run.dir, run.models_dir, "quick-1")
    measured = evaluate.from_json((run.models_dir / "quick-1" / "evaluation.json").read_bytes())
    assert found.num_photographs == int((measured.table["split"] == "test").sum()) > 0
    assert (found.champion_id, found.candidate_id) == ("tiny-1", "quick-1")


def test_photographs_of_the_models_own_data_are_measured_only_where_they_were_held_out(
    trained_models, tmp_path
):
    models_dir = shutil.copytree(trained_models, tmp_path / "models")
    data = made_models.draw_class_folders(tmp_path / "drawn", num_each=12)
    card = carry_out(plan_of(data), tmp_path / "quick-2", models_dir)
    splits = []
    for name in ("tiny-1", "quick-2"):
        content = (models_dir / name / "evaluation.json").read_bytes()
        table = evaluate.from_json(content).table
        splits.append(dict(zip(table["image_id"], table["split"], strict=True)))
    assert splits[0] == splits[1]
    assert card.class_counts == store.read_card(models_dir / "tiny-1").class_counts
    given = replace(plan_of(data), split_by="drawn", config=replace(made_models.CONFIG, seed=7))
    with pytest.raises(RunError, match="may know them"):
        carry_out(given, tmp_path / "quick-3", models_dir)


def test_run_stops_between_two_fits_as_asked(new_data, trained_models, tmp_path, monkeypatch):
    models_dir = shutil.copytree(trained_models, tmp_path / "models")
    monkeypatch.setattr(plans, "is_asked_to_stop", lambda run_dir: True)
    with pytest.raises(RunStopped, match="between two fits"):
        carry_out(plan_of(new_data), tmp_path / "quick-4", models_dir)
    assert json.loads((tmp_path / "quick-4" / "status.json").read_text())["phase"] == "stopped"
    assert not (models_dir / "quick-4").exists()


def test_quick_training_without_a_model_is_refused(new_data, tmp_path):
    plan = replace(plan_of(new_data), from_model=None, split_by="given")
    with pytest.raises(RunError, match="none is named"):
        carry_out(plan, tmp_path / "quick-5", tmp_path / "models")


def test_quick_training_loads_no_tensorflow(new_data, run, tmp_path):
    import subprocess
    import sys

    code = (
        "import sys\nfrom pathlib import Path\nfrom melanoma_core import quick_train, runs\n"
        "run_dir = Path(sys.argv[1])\nplan = runs.read_plan(run_dir)\n"
        "quick_train.make(plan, run_dir, Path(sys.argv[2]), lambda line: None)\n"
        "print({name.split('.')[0] for name in sys.modules} & {'tensorflow', 'keras'})"
    )
    run_dir = tmp_path / "quick-6"
    plans.write_plan(run_dir, run.plan)
    done = subprocess.run(
        [sys.executable, "-c", code, run_dir, run.models_dir], capture_output=True, text=True,
        cwd=Path(__file__).resolve().parents[3], timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "set()"
