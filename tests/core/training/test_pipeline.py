"""A whole run: data in, a candidate out that answers as the network that was trained."""

import json
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from melanoma_core.diagnoses import CODES
from melanoma_core.errors import DatasetError, ModelError, RunError, RunStopped
from melanoma_core.images import reading, synthetic
from melanoma_core.metrics import calibration
from melanoma_core.models import predict, store
from melanoma_core.networks import architectures, export
from melanoma_core.runs import locks, plans
from melanoma_core.runs.configs import TrainConfig
from melanoma_core.runs.plans import RunPlan
from melanoma_core.training import checkpoints, pipeline
from tests.support import made_models, made_runs
from tests.support.made_runs import CORRUPT

PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return made_runs.draw(tmp_path_factory.mktemp("data") / "drawn")


@pytest.fixture(scope="module")
def plan(dataset, tmp_path_factory):
    splits = made_runs.split_file(tmp_path_factory.mktemp("splits") / "splits.csv", dataset)
    return RunPlan(made_models.CONFIG, (str(dataset),), splits)


@pytest.fixture(scope="module")
def run(plan, tmp_path_factory):
    """One finished run: its folders, card, lines, photographs read, and the trained network."""
    root = tmp_path_factory.mktemp("run")
    lines, networks, decoded = [], [], []
    trained, read_file = export.trained, reading.read_file
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            export, "trained", lambda net, decoder: networks.append(net) or trained(net, decoder)
        )
        patched.setattr(reading, "read_file", lambda path: decoded.append(path) or read_file(path))
        card = pipeline.run(plan, root / "tiny-7", root / "models", lines.append)
    return SimpleNamespace(
        dir=root / "tiny-7",
        models_dir=root / "models",
        card=card,
        network=networks[0],
        lines=lines,
        decoded=decoded,
    )


def status(run_dir):
    return json.loads((run_dir / "status.json").read_text())


def silent(line):
    """No report."""


def test_served_model_gives_the_logits_of_the_network_that_was_trained(run):
    model = predict.load(run.models_dir / run.card.model_id)
    answers = []
    for seed, kind in enumerate(synthetic.KINDS):
        photograph = synthetic.lesion(100 + seed, (90, 120), kind)
        prediction = predict.classify(model, photograph)
        batch = reading.resize(photograph, 32)[np.newaxis].astype(np.float32)
        logits = np.asarray(run.network(batch, training=False))[0]
        np.testing.assert_allclose(prediction.logits, logits, atol=1e-4)
        card = run.card
        shifted = logits.astype(np.float64) + card.prior_shift + card.class_bias
        np.testing.assert_allclose(
            prediction.probabilities,
            calibration.probabilities(shifted / card.temperature),
            atol=1e-5,
        )
        answers.append(logits)
    assert np.ptp(answers, axis=0).max() > 1e-2  # the network does tell photographs apart


def test_a_photograph_is_decoded_once_and_again_only_for_the_limits_of_quality(run, dataset):
    times = Counter(run.decoded)
    assert set(times) == set(dataset.rglob("*.png"))
    # The limits are found on files as they are: one more time, and another one for melanomas.
    assert set(times.values()) == {1, 2, 3}
    assert all(path.parent.name == "melanoma" for path in times if times[path] == 3)


def test_card_tells_the_run(run, plan):
    assert run.card.model_id == run.card.run_id == "tiny-7"
    assert run.card.diagnoses == CODES
    assert TrainConfig.from_json(json.dumps(run.card.config)) == plan.config
    assert store.read_card(run.models_dir / "tiny-7") == run.card
    written = (run.dir / "history.jsonl").read_text().splitlines()
    assert run.card.history == tuple(json.loads(line) for line in written)
    assert [row["epoch"] for row in run.card.history] == list(range(1, plan.config.epochs + 1))


def test_finished_run_says_so_and_which_model_it_made(run):
    assert status(run.dir)["phase"] == "finished"
    assert status(run.dir)["model_id"] == "tiny-7"
    epochs = (run.dir / "history.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in epochs] == [1]


def test_candidate_is_not_promoted_by_itself(run):
    assert store.champion(run.models_dir) is None


def test_corrupt_photograph_is_named_before_the_first_epoch_and_on_the_card(run):
    named = [k for k, line in enumerate(run.lines) if CORRUPT in line]
    epochs = [k for k, line in enumerate(run.lines) if line.startswith("epoch 1")]
    assert len(named) == len(epochs) == 1
    assert named[0] < epochs[0]
    assert [CORRUPT in note for note in run.card.notes].count(True) == 1


def test_weights_on_disk_are_those_that_training_left(run):
    with np.load(run.dir / "checkpoint" / "epoch-0001" / "arrays.npz") as checkpoint:
        left = [checkpoint[name] for name in checkpoint.files]
    kernel, bias = architectures.head(run.network)
    assert any(np.array_equal(array, bias) for array in left if array.shape == (9,))
    built = architectures.build("tiny", 32, len(CODES))
    built.load_weights(run.models_dir / "tiny-7" / "network.weights.h5")
    with np.load(run.models_dir / "tiny-7" / "head.npz") as head:
        for on_disk in (architectures.head(built), (head["kernel"], head["bias"])):
            np.testing.assert_array_equal(on_disk[0], kernel)
            np.testing.assert_array_equal(on_disk[1], bias)
    for one, other in zip(built.get_weights(), run.network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_prior_shift_is_that_of_the_photographs_that_were_read(run):
    """Read are 4, 3, 4 and 1; drawn by square roots are 4, 3, 3 and 2 of twelve."""
    expected = np.zeros(len(CODES))
    expected[[CODES.index("BCC"), CODES.index("VASC")]] = np.log(4 / 3), np.log(1 / 2)
    np.testing.assert_allclose(run.card.prior_shift, expected, atol=1e-12)


def test_finished_run_given_again_is_refused_because_its_model_exists(run, plan, tmp_path):
    copy = shutil.copytree(run.dir, tmp_path / run.dir.name)
    with pytest.raises(ModelError, match="a model of this name exists"):
        pipeline.run(plan, copy, run.models_dir, silent)
    assert status(copy) == status(run.dir)  # it stays a finished run
    assert [path.name for path in run.models_dir.glob("*/")] == ["tiny-7"]
    assert store.read_card(run.models_dir / "tiny-7") == run.card


def test_run_that_another_process_is_at_work_on_is_refused_and_left_alone(run, plan, tmp_path):
    before = status(run.dir)
    with locks.lock(run.dir), pytest.raises(RunError, match="another process is at work"):
        pipeline.run(plan, run.dir, tmp_path / "models")
    assert status(run.dir) == before


@pytest.mark.parametrize("name", ["My run", "-run", "r" * 81])
def test_run_whose_name_no_model_can_have_is_refused_before_anything_is_made(plan, tmp_path, name):
    with pytest.raises(ModelError, match=f"cannot be called “{name}”"):
        pipeline.run(plan, tmp_path / name, tmp_path / "models")
    assert not list(tmp_path.iterdir())


def test_another_plan_in_the_same_folder_is_refused_and_the_run_stays_as_it_was(
    run, plan, tmp_path
):
    before = status(run.dir)
    for other in (
        replace(plan, config=replace(plan.config, seed=9)),
        replace(plan, splits=None),
    ):
        with pytest.raises(RunError, match="other settings or data"):
            pipeline.run(other, run.dir, tmp_path / "models")
    assert status(run.dir) == before


# Runs that fail


def fails(plan, tmp_path, error, words):
    """The run fails with these words, its status tells them, and no model is left."""
    with pytest.raises(error, match=words) as caught:
        pipeline.run(plan, tmp_path / "run-1", tmp_path / "models", silent)
    told = status(tmp_path / "run-1")
    assert told["phase"] == "failed"
    assert told["reason"] == str(caught.value)
    assert not list((tmp_path / "models").glob("*/"))


@pytest.fixture
def untrained(monkeypatch):
    """No epoch may be trained: what is wrong is said before."""
    monkeypatch.setattr(keras.Model, "fit", lambda *_, **__: pytest.fail("an epoch was trained"))


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize("split", ["val", "test"])
def test_split_without_melanoma_is_refused(dataset, plan, tmp_path, split):
    first = 0 if split == "val" else 2
    moved = {f"melanoma_{number:03d}": "train" for number in (first, first + 1)}
    splits = made_runs.split_file(tmp_path / "splits.csv", dataset, **moved)
    words = f"The {split} split holds BCC, NV, VASC; it needs melanoma"
    fails(replace(plan, splits=splits), tmp_path, DatasetError, words)


@pytest.mark.usefixtures("untrained")
def test_split_of_melanoma_alone_is_refused(dataset, plan, tmp_path):
    kinds = ("nevus", "basal_cell_carcinoma", "vascular_lesion")
    moved = {f"{kind}_{number:03d}": "train" for kind in kinds for number in (0, 1)}
    splits = made_runs.split_file(tmp_path / "splits.csv", dataset, **moved)
    words = "The val split holds MEL; .*one other diagnosis"
    fails(replace(plan, splits=splits), tmp_path, DatasetError, words)


@pytest.mark.usefixtures("untrained")
def test_settings_that_do_not_fit_are_refused_before_photographs_are_read(
    plan, tmp_path, monkeypatch
):
    monkeypatch.setattr(reading, "read_file", lambda *_: pytest.fail("photographs were read"))
    config = replace(plan.config, network="mobilenet_v2")
    fails(replace(plan, config=config), tmp_path, RunError, "starts from ImageNet weights")


@pytest.mark.usefixtures("untrained")
def test_parent_that_is_missing_or_damaged_is_refused_before_photographs_are_read(
    run, plan, tmp_path, monkeypatch
):
    monkeypatch.setattr(reading, "read_file", lambda *_: pytest.fail("photographs were read"))
    models_dir = shutil.copytree(run.models_dir, tmp_path / "models")
    with pytest.raises(ModelError, match="There is no model “absent”"):
        pipeline.run(replace(plan, parents=("absent",)), tmp_path / "run-1", models_dir)
    (models_dir / "tiny-7" / "head.npz").write_bytes(b"damaged")
    with pytest.raises(ModelError, match=r"head\.npz of the model “tiny-7”"):
        pipeline.run(replace(plan, parents=("tiny-7",)), tmp_path / "run-2", models_dir)


@pytest.mark.usefixtures("untrained")
def test_photographs_that_the_parent_was_trained_on_are_not_measured_on(
    run, dataset, plan, tmp_path
):
    moved = {"nevus_004": "test", "melanoma_006": "val"}
    splits = made_runs.split_file(tmp_path / "splits.csv", dataset, **moved)
    with pytest.raises(
        RunError,
        match=r"Of the 18 .* 2 were not held out from .* “tiny-7” \(melanoma_006, nevus_004\)",
    ):
        pipeline.run(
            replace(plan, splits=splits, parents=("tiny-7",)),
            tmp_path / "run-1",
            run.models_dir,
            silent,
        )
    assert status(tmp_path / "run-1")["phase"] == "failed"


@pytest.mark.parametrize("recipe", ["full", "head", "recalibrate", "ensemble"])
def test_parents_removed_after_the_start_do_not_fail_the_end_of_the_run(
    run, plan, tmp_path, recipe
):
    """They are read once, at the start."""
    models_dir = shutil.copytree(run.models_dir, tmp_path / "models")
    parents = ("tiny-7", "tiny-7") if recipe == "ensemble" else ("tiny-7",)
    made = replace(plan, recipe=recipe, parents=parents)
    report = made_runs.remove_on("cleaned by the data doctor", models_dir / "tiny-7")
    card = pipeline.run(made, tmp_path / "child", models_dir, report)
    assert not (models_dir / "tiny-7").exists()
    assert predict.load(models_dir / "child").card == card
    assert status(tmp_path / "child")["phase"] == "finished"


def test_full_disk_is_told_and_the_run_can_be_resumed(plan, tmp_path, monkeypatch):
    write = checkpoints._write_synced

    def full(path, data):
        write(path, data[:10])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(checkpoints, "_write_synced", full)
        fails(plan, tmp_path, RunError, "“run-1” stopped.*No space left on device.*resumes")
    assert not list((tmp_path / "run-1" / "checkpoint").iterdir())
    pipeline.run(plan, tmp_path / "run-1", tmp_path / "models", silent)
    assert status(tmp_path / "run-1")["phase"] == "finished"


# The same weights


def weights(models_dir, model_id):
    """The weights and the last layer of a model, as arrays."""
    _, _, files = store.read_files(models_dir / model_id)
    network = architectures.build("tiny", 32, len(CODES))
    architectures.load_files(network, files)
    return network.get_weights()


def assert_same_model(first, second):
    """Two (models_dir, model_id) with the same weights, calibration and figures."""
    for one, other in zip(weights(*first), weights(*second), strict=True):
        np.testing.assert_array_equal(one, other)
    cards = [store.read_card(models_dir / model_id) for models_dir, model_id in (first, second)]
    assert cards[0].calibration == cards[1].calibration
    # The converter numbers what it writes into network.tflite otherwise each time.
    names = ("head.npz", "golden.npz", "evaluation.json", "training_ids.npz")
    assert [cards[0].files[name] for name in names] == [cards[1].files[name] for name in names]


def test_same_seed_gives_the_same_model_twice_and_another_seed_another(run, plan, tmp_path):
    pipeline.run(plan, tmp_path / "again", tmp_path / "models", silent)
    assert_same_model((run.models_dir, "tiny-7"), (tmp_path / "models", "again"))
    other = replace(plan, config=replace(plan.config, seed=1))
    pipeline.run(other, tmp_path / "other", tmp_path / "models", silent)
    first, second = (weights(tmp_path / "models", name)[0] for name in ("again", "other"))
    assert not np.array_equal(first, second)


def test_stopped_run_resumes_to_the_model_of_an_unbroken_one(plan, tmp_path):
    longer = replace(plan, config=replace(plan.config, epochs=2))
    pipeline.run(longer, tmp_path / "unbroken", tmp_path / "models", silent)

    def stop_after_first(line):
        if line.startswith("epoch 1"):
            plans.ask_to_stop(tmp_path / "stopped")

    with pytest.raises(RunStopped):
        pipeline.run(longer, tmp_path / "stopped", tmp_path / "models", stop_after_first)
    assert len((tmp_path / "stopped" / "history.jsonl").read_text().splitlines()) == 1
    told = []
    pipeline.run(longer, tmp_path / "stopped", tmp_path / "models", told.append)
    assert "Resuming after epoch 1 of 2." in told
    assert_same_model((tmp_path / "models", "unbroken"), (tmp_path / "models", "stopped"))


def test_head_recipe_loads_no_tensorflow(run, plan, tmp_path):
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from melanoma_core.runs import plans\nfrom melanoma_core.training import pipeline\n"
        "run_dir = Path(sys.argv[1])\nplan = plans.read_plan(run_dir)\n"
        "pipeline.run(plan, run_dir, Path(sys.argv[2]), lambda line: None)\n"
        "print({name.split('.')[0] for name in sys.modules} & {'tensorflow', 'keras'})"
    )
    models_dir = shutil.copytree(run.models_dir, tmp_path / "models")
    plans.write_plan(tmp_path / "head-6", replace(plan, recipe="head", parents=("tiny-7",)))
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "head-6", models_dir],
        capture_output=True, text=True, cwd=PROJECT, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("recipe", ["full", "recalibrate"])
def test_messages_of_tensorflow_are_silenced_before_it_can_load(recipe, monkeypatch):
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    pipeline._recipe(recipe)
    assert pipeline.os.environ["TF_CPP_MIN_LOG_LEVEL"] == "3"
