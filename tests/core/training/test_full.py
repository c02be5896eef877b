"""Recipe “full”: where the network starts, what it is trained on, and what is refused."""

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from melanoma_core import paths
from melanoma_core.diagnoses import CODES
from melanoma_core.errors import DatasetError, RunError, RunStopped
from melanoma_core.images import color_casts, reading, synthetic
from melanoma_core.models import artifacts, predict, store
from melanoma_core.models.network_table import NETWORKS
from melanoma_core.networks import architectures
from melanoma_core.runs import plans, training_data
from melanoma_core.runs.plans import RunPlan
from melanoma_core.training import fitting, full, pipeline
from tests.support import altered_models, made_models, made_runs
from tests.support.made_runs import CORRUPT


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return made_runs.draw(tmp_path_factory.mktemp("data") / "drawn")


@pytest.fixture(scope="module")
def plan(dataset, tmp_path_factory):
    splits = made_runs.split_file(tmp_path_factory.mktemp("splits") / "splits.csv", dataset)
    return RunPlan(made_models.CONFIG, (str(dataset),), splits)


@pytest.fixture(scope="module")
def run(plan, tmp_path_factory):
    """One finished run."""
    root = tmp_path_factory.mktemp("run")
    card = pipeline.run(plan, root / "tiny-7", root / "models", silent)
    return SimpleNamespace(models_dir=root / "models", card=card)


@pytest.fixture
def models_dir(run, tmp_path):
    """A copy of the folder with the model of the run."""
    return shutil.copytree(run.models_dir, tmp_path / "models")


def silent(line):
    """No report."""


def parents_of(run, *model_ids):
    return made_runs.parents_of(run.models_dir, *model_ids)


# What is refused before a photograph is read


def test_mobilenet_without_weights_is_refused(plan):
    plan = replace(plan, config=replace(plan.config, network="mobilenet_v2"))
    with pytest.raises(RunError, match=r"starts from ImageNet weights.*--weights"):
        full.settle(plan, [])


@pytest.mark.parametrize("network", ["mobilenet_v2_and_efficientnet_lite0", "tiny_and_tiny"])
@pytest.mark.parametrize("weights", [None, "a.weights.h5"])
def test_ensemble_is_combined_rather_than_trained_from_weights(network, weights, plan):
    plan = replace(plan, config=replace(plan.config, network=network), weights=weights)
    with pytest.raises(RunError, match=f"{network} is an ensemble of two models.*command ensemble"):
        full.settle(plan, [])


def test_weights_that_are_not_there_are_refused(plan, tmp_path):
    config = replace(plan.config, network="mobilenet_v2")
    plan = replace(plan, config=config, weights=str(tmp_path / "absent.weights.h5"))
    with pytest.raises(RunError, match=r"no file “absent\.weights\.h5”"):
        full.settle(plan, [])


def test_weights_for_a_network_that_starts_from_random_ones_are_refused(plan, tmp_path):
    plan = replace(plan, weights=str(tmp_path / "imagenet.weights.h5"))
    with pytest.raises(RunError, match="starts from random weights and cannot use “imagenet"):
        full.settle(plan, [])


def test_parent_and_weights_exclude_each_other(run, plan):
    with pytest.raises(RunError, match="cannot start both from the model “tiny-7” and from “a"):
        full.settle(replace(plan, weights="a.weights.h5"), parents_of(run, "tiny-7"))


def test_parent_of_another_network_is_refused(run, plan):
    plan = replace(plan, config=replace(plan.config, network="starting_cnn"))
    with pytest.raises(RunError, match="“tiny-7” is a tiny, not a starting_cnn"):
        full.settle(plan, parents_of(run, "tiny-7"))


def test_weight_of_teacher_probabilities_without_a_file_is_refused(plan):
    plan = replace(plan, config=replace(plan.config, distill_weight=0.5))
    with pytest.raises(RunError, match="no teacher probabilities were given"):
        full.settle(plan, [])


def test_teacher_probabilities_that_cannot_be_read_are_refused(plan, tmp_path):
    (tmp_path / "teacher.csv").write_text("image_id,mel\n")
    plan = replace(plan, teacher_probs=str(tmp_path / "teacher.csv"))
    with pytest.raises(DatasetError, match="has no column nv"):
        full.settle(plan, [])


def test_weight_of_a_start_without_a_parent_is_refused(plan):
    plan = replace(plan, config=replace(plan.config, init_weight=0.5))
    with pytest.raises(RunError, match="there is no model to fine-tune"):
        full.settle(plan, [])


def test_settings_that_fit_stay_as_they_are(run, plan):
    assert full.settle(plan, []) == plan.config
    tuned = replace(plan.config, init_weight=0.5)
    assert full.settle(replace(plan, config=tuned), parents_of(run, "tiny-7")) == tuned


def test_card_names_the_weights_that_training_started_from(plan, tmp_path, monkeypatch):
    monkeypatch.setitem(NETWORKS, "tiny", replace(NETWORKS["tiny"], needs_weights=True))
    network = architectures.build("tiny", 32, len(CODES))
    backbone = keras.Model(network.input, network.get_layer("features").input)
    path = tmp_path / "from-elsewhere.weights.h5"
    backbone.save_weights(path)
    plan = replace(plan, weights=str(path))
    card = pipeline.run(plan, tmp_path / "tiny-9", tmp_path / "models", silent)
    digest = paths.sha256(path.read_bytes())[:12]
    assert card.notes[0] == (
        f"Started from the weights in from-elsewhere.weights.h5 (SHA-256 {digest}…)."
    )


# Fine-tuning


def start_of(plan, run_dir, parents, monkeypatch):
    """The network as it is before its first epoch, and the prior shift of its training."""
    run_dir.mkdir()
    networks = []
    monkeypatch.setattr(fitting, "fit", lambda network, *_: networks.append(network) or [])
    monkeypatch.setattr(full.export, "trained", lambda network, decoder: network)
    data = training_data.read(plan, run_dir, parents, plan.config.image_size)
    made = full.make(plan, data, parents, run_dir, silent)
    return networks[0], made.prior_shift


@pytest.mark.parametrize("balance", ["none", "even"])
def test_fine_tuning_starts_from_the_parents_logits_with_its_prior_shift(
    run, plan, tmp_path, monkeypatch, balance
):
    """Whatever classes the new training draws: what it starts from gives the same probabilities."""
    config = replace(plan.config, balance=balance)
    plan = replace(plan, config=config, parents=("tiny-7",))
    (parent,) = parents_of(run, "tiny-7")
    network, prior_shift = start_of(plan, tmp_path / "run-1", [parent], monkeypatch)
    image = reading.resize(synthetic.lesion(5), 32)
    started = np.asarray(network(image[np.newaxis].astype(np.float32)))[0] + prior_shift
    expected = made_runs.logits(run.models_dir, "tiny-7", image) + parent.card.prior_shift
    np.testing.assert_allclose(started, expected, atol=1e-4)
    assert np.abs(parent.card.prior_shift).max() > 0.1
    assert np.abs(np.subtract(prior_shift, parent.card.prior_shift)).max() > 0.1


def test_a_class_that_the_parent_never_saw_starts_as_its_rarest_class(
    run, plan, tmp_path, monkeypatch
):
    plan = replace(plan, config=replace(plan.config, balance="even"), parents=("tiny-7",))
    (parent,) = parents_of(run, "tiny-7")
    arrays = altered_models.arrays_of(run.models_dir / "tiny-7" / "head.npz")
    bias, vasc = arrays["bias"].copy(), CODES.index("VASC")
    bias[vasc] = artifacts.MASKED
    shift = np.linspace(-3, 3, len(CODES))  # the masked class has the largest
    masked = replace(
        parent,
        card=replace(parent.card, prior_shift=tuple(shift)),
        files={**parent.files, "head.npz": artifacts.head_bytes(arrays["kernel"], bias)},
    )
    network, prior_shift = start_of(plan, tmp_path / "run-1", [masked], monkeypatch)
    started = architectures.head(network)[1] + prior_shift
    real = np.delete(bias + shift, vasc)
    np.testing.assert_allclose(np.delete(started, vasc), real, atol=1e-5)
    assert started[vasc] == pytest.approx(real.min(), abs=1e-5)


def test_fine_tuning_keeps_the_weights_of_the_parent_at_another_image_size(
    models_dir, dataset, plan, tmp_path
):
    # What was held out from the model may be measured in another way, or be trained on now.
    moved = {"melanoma_000": "test", "nevus_002": "val", "nevus_001": "train"}
    splits = made_runs.split_file(tmp_path / "splits.csv", dataset, **moved)
    still = replace(
        plan.config, learning_rate=1e-12, weight_decay=0.0, image_size=64, seed=3, balance="even"
    )
    plan = replace(plan, splits=splits, config=still, parents=("tiny-7",))
    card = pipeline.run(plan, tmp_path / "tiny-8", models_dir, silent)
    heads = [altered_models.arrays_of(models_dir / name / "head.npz") for name in
             ("tiny-7", "tiny-8")]  # fmt: skip
    np.testing.assert_allclose(*(head["kernel"] for head in heads), atol=1e-6)
    # Each shift is undone once, not twice.
    before, after = (
        head["bias"] + store.read_card(models_dir / name).prior_shift
        for head, name in zip(heads, ("tiny-7", "tiny-8"), strict=True)
    )
    np.testing.assert_allclose(before, after, atol=1e-5)
    assert np.abs(heads[0]["bias"] - heads[1]["bias"]).max() > 0.01
    assert card.image_size == 64
    assert card.notes[0] == "Fine-tuned from tiny-7."


def test_color_cast_limits_come_from_training_photographs_and_stay_in_fine_tuning(
    run, models_dir, plan, tmp_path
):
    clamping = replace(plan, config=replace(plan.config, clamp_color_cast=True))
    card = pipeline.run(clamping, tmp_path / "tiny-10", models_dir, silent)
    casts = [
        color_casts.cast(reading.resize(reading.read_file(path), 32))
        for path in sorted(Path(plan.datasets[0]).rglob("*.png"))
        if int(path.stem[-3:]) >= 4 and path.stem != CORRUPT
    ]
    assert card.color_cast_limits == color_casts.limits(casts)
    assert run.card.color_cast_limits == ()
    tuned = replace(plan, parents=("tiny-10",))
    after = pipeline.run(tuned, tmp_path / "tiny-11", models_dir, silent)
    assert after.color_cast_limits == card.color_cast_limits


def test_weights_are_interpolated_with_the_start(run, models_dir, plan, tmp_path):
    heads = []
    for weight in (0.0, 0.25):
        config = replace(plan.config, init_weight=weight, seed=3)
        tuned = replace(plan, config=config, parents=("tiny-7",))
        card = pipeline.run(tuned, tmp_path / f"tiny-{weight}", models_dir, silent)
        head = altered_models.arrays_of(models_dir / f"tiny-{weight}" / "head.npz")
        heads.append((head["kernel"], head["bias"] + card.prior_shift))
    start = altered_models.arrays_of(run.models_dir / "tiny-7" / "head.npz")
    started = start["kernel"], start["bias"] + run.card.prior_shift
    for first, tuned, mean in zip(started, *heads, strict=True):
        assert np.abs(tuned - first).max() > 1e-3
        np.testing.assert_allclose(mean, 0.25 * first + 0.75 * tuned, atol=1e-6)


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_diagnosis_that_the_parent_could_never_give_is_learned(models_dir, plan, tmp_path, weight):
    """As after training a last layer without a photograph of it: its bias there is -1,000."""
    # There are photographs of the one now, of the other there are none.
    made_runs.add_masked(models_dir, "tiny-7", "masked", np.isin(CODES, ["VASC", "DF"]))
    config = replace(plan.config, init_weight=weight)
    tuned = replace(plan, config=config, parents=("masked",))
    card = pipeline.run(tuned, tmp_path / "tuned", models_dir, silent)
    bias = altered_models.arrays_of(models_dir / "tuned" / "head.npz")["bias"]
    assert bias[CODES.index("VASC")] > -10
    assert bias[CODES.index("DF")] == -1000
    # The label is smoothed over all diagnoses: 0.05 / 9 of a loss of 1,000 would be 5.6.
    assert card.history[0]["loss"] < 4


# Teacher probabilities


def teacher_file(path, image_ids, diagnosis):
    """A file that gives all of these photographs the same diagnosis."""
    row = ",".join("1" if code == diagnosis else "0" for code in CODES)
    lines = [f"image_id,{','.join(CODES)}", *(f"{image_id},{row}" for image_id in image_ids)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_teacher_probabilities_count_by_their_weight(plan, tmp_path):
    """Told of every photograph that it is a vascular lesion, the network learns to say so."""
    image_ids = [f"{kind}_{k:03d}" for kind in ("melanoma", "nevus") for k in range(4, 8)]
    margins = {}
    for weight in (0.0, 0.9):
        path = teacher_file(tmp_path / "teacher.csv", image_ids, "VASC")
        config = replace(plan.config, distill_weight=weight, learning_rate=0.05)
        distilled = replace(plan, config=config, teacher_probs=str(path))
        models_dir = tmp_path / f"models-{weight}"
        card = pipeline.run(distilled, tmp_path / f"tiny-{weight}", models_dir, silent)
        model = predict.load(models_dir / card.model_id)
        answer = predict.classify(model, synthetic.lesion(0, (64, 64), "melanoma"))
        margins[weight] = answer.logits[CODES.index("VASC")] - answer.logits[CODES.index("MEL")]
        (note,) = [note for note in card.notes if note.startswith("Distilled")]
        assert note.startswith(
            f"Distilled with weight {weight:g} from the teacher probabilities in"
        )
        assert note.endswith("; 5 files have none.")
        assert card.config["distill_weight"] == weight
    assert margins[0.9] > margins[0.0] + 0.2


def test_run_resumes_with_the_same_teacher_probabilities_only(plan, tmp_path, monkeypatch):
    path = teacher_file(tmp_path / "teacher.csv", ["melanoma_005"], "VASC")
    config = replace(plan.config, epochs=2, distill_weight=0.5)
    distilled = replace(plan, config=config, teacher_probs=str(path))
    monkeypatch.setattr(plans, "is_asked_to_stop", lambda run_dir: True)
    with pytest.raises(RunStopped):
        pipeline.run(distilled, tmp_path / "run-1", tmp_path / "models", silent)
    teacher_file(path, ["melanoma_005"], "NV")
    with pytest.raises(RunError, match="have changed since its first epochs"):
        pipeline.run(distilled, tmp_path / "run-1", tmp_path / "models", silent)


@pytest.mark.parametrize("held_out", ["melanoma_001", "nevus_003"])  # for validation, for the test
def test_teacher_probabilities_of_photographs_that_are_held_out_are_refused(
    held_out, plan, tmp_path, monkeypatch
):
    monkeypatch.setattr(keras.Model, "fit", lambda *_, **__: pytest.fail("an epoch was trained"))
    path = teacher_file(tmp_path / "teacher.csv", ["melanoma_005", held_out], "VASC")
    config = replace(plan.config, distill_weight=0.5)
    plan = replace(plan, config=config, teacher_probs=str(path))
    with pytest.raises(RunError, match=f"names 1 photographs that are held out.*{held_out}"):
        pipeline.run(plan, tmp_path / "run-1", tmp_path / "models", silent)
