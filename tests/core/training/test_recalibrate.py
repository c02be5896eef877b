"""Recipe “recalibrate”: the same network, with new calibration and figures."""

import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from melanoma_core.errors import DatasetError, RunError
from melanoma_core.images import color_casts, reading, synthetic
from melanoma_core.metrics import calibration
from melanoma_core.models import predict, store
from melanoma_core.networks import architectures
from melanoma_core.runs.configs import TrainConfig
from melanoma_core.runs.plans import RunPlan
from melanoma_core.training import pipeline, recalibrate
from tests.support import altered_models, made_models, made_runs

WRONG_BIAS = (1.0, -2.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@pytest.fixture(scope="module")
def again(tmp_path_factory):
    """A tiny model, the same with another calibration, and this one recalibrated."""
    root = tmp_path_factory.mktemp("recalibrated")
    models_dir = root / "models"
    made_models.make(root, models_dir)
    altered_models.add(
        models_dir, "tiny-1", "tiny-wrong", {}, class_bias=WRONG_BIAS, temperature=3.0
    )
    card = pipeline.run(plan_of(root / "drawn", "tiny-wrong"), root / "tiny-again", models_dir)
    return SimpleNamespace(card=card, models_dir=models_dir, data=root / "drawn")


def plan_of(data, model_id="tiny-1"):
    return RunPlan(made_models.CONFIG, (str(data),), recipe="recalibrate", parents=(model_id,))


def parent_of(again, model_id="tiny-1"):
    (parent,) = made_runs.parents_of(again.models_dir, model_id)
    return parent


def test_files_of_the_network_stay_to_the_bit(again):
    before, after = (
        store.read_files(again.models_dir / name)[2] for name in ("tiny-1", "tiny-again")
    )
    for name in ("network.tflite", "head.npz", "network.weights.h5"):
        assert before[name] == after[name]


def test_calibration_depends_on_the_network_and_the_photographs_alone(again):
    """What the parent's card said before does not matter."""
    first = parent_of(again).card
    assert again.card.calibration == first.calibration
    assert again.card.operating_points == first.operating_points
    assert np.any(first.class_bias)


def test_recalibrating_twice_gives_the_same_calibration(again, tmp_path):
    models_dir = shutil.copytree(again.models_dir, tmp_path / "models")
    second = pipeline.run(plan_of(again.data, "tiny-again"), tmp_path / "tiny-twice", models_dir)
    assert second.calibration == again.card.calibration
    names = ("network.tflite", "head.npz", "golden.npz", "evaluation.json")
    assert {name: second.files[name] for name in names} == {
        name: again.card.files[name] for name in names
    }


def test_answers_are_those_of_the_network_with_the_new_calibration(again):
    image = reading.resize(synthetic.lesion(5), 32)
    logits = made_runs.logits(again.models_dir, "tiny-wrong", image)
    after = predict.classify(predict.load(again.models_dir / "tiny-again"), image)
    expected = calibration.probabilities(logits, again.card.calibration)
    np.testing.assert_allclose(after.probabilities, expected, atol=1e-12)


def test_card_says_what_was_done_and_names_the_model(again):
    assert again.card.network == "tiny"
    assert again.card.config["recalibrated_from"] == "tiny-wrong"
    assert again.card.history == ()
    assert "that of tiny-wrong, recalibrated" in again.card.notes[0]
    assert not [note for note in again.card.notes if "Fine-tuned" in note]
    ids = [parent_of(again, name).training_ids for name in ("tiny-1", "tiny-again")]
    np.testing.assert_array_equal(ids[0].images, ids[1].images)


@pytest.fixture(scope="module")
def clamped(again):
    """The tiny model once more, with color casts clamped before its network."""
    config = replace(made_models.CONFIG, clamp_color_cast=True)
    plan = replace(plan_of(again.data), config=config)
    return pipeline.run(plan, again.data.parent / "tiny-clamped", again.models_dir)


def test_limits_are_those_of_the_training_photographs(again, clamped):
    held_out = parent_of(again).held_out
    casts = [
        color_casts.cast(reading.resize(reading.read_file(path), 32))
        for path in sorted(again.data.rglob("*.png"))
        if path.stem not in held_out
    ]
    assert len(casts) == sum(clamped.class_counts["train"].values())
    assert clamped.color_cast_limits == color_casts.limits(casts)
    assert clamped.config["clamp_color_cast"]
    assert "color casts clamped to those of the training photographs" in clamped.notes[0]
    assert again.card.color_cast_limits == ()


def test_limits_of_photographs_that_cannot_be_read_are_refused(again, tmp_path):
    data = shutil.copytree(again.data, tmp_path / "drawn")
    for path in data.rglob("*.png"):
        if path.stem not in parent_of(again).held_out:
            path.write_bytes(path.read_bytes()[:60])
    config = replace(made_models.CONFIG, clamp_color_cast=True)
    plan = replace(plan_of(data), config=config, is_cleaned=False, split_by="model")
    with pytest.raises(DatasetError, match="The train split holds nothing"):
        pipeline.run(plan, tmp_path / "run", again.models_dir)


def test_network_with_limits_answers_as_without_to_the_clamped_photograph(again, clamped):
    plain, served = (predict.load(again.models_dir / name) for name in ("tiny-1", "tiny-clamped"))
    blue = (reading.resize(synthetic.lesion(5), 32) * [0.3, 0.5, 0.7]).astype(np.uint8)
    layer = architectures.ColorCastClamp(clamped.color_cast_limits)
    back = np.asarray(layer(blue[None].astype(np.float32)))[0]
    assert color_casts.cast(blue)[0] < clamped.color_cast_limits[0] - 0.2
    without = plain.network.logits(plain.network.graph.run(back)[1])
    assert np.abs(without - predict.classify(plain, blue).logits).max() > 0.01
    np.testing.assert_allclose(predict.classify(served, blue).logits, without, atol=1e-4)


def test_limits_stay_where_the_model_is_recalibrated_once_more(again, clamped, tmp_path):
    models_dir = shutil.copytree(again.models_dir, tmp_path / "models")
    card = pipeline.run(plan_of(again.data, "tiny-clamped"), tmp_path / "tiny-more", models_dir)
    assert card.color_cast_limits == clamped.color_cast_limits
    assert card.files["network.tflite"] == clamped.files["network.tflite"]
    assert card.calibration == clamped.calibration


def test_photographs_that_it_was_trained_on_are_refused(again, tmp_path):
    plan = replace(plan_of(again.data), config=replace(made_models.CONFIG, seed=1))
    with pytest.raises(RunError, match=r"too good\. Divide them .* \(--split-by model\)\.$"):
        pipeline.run(plan, tmp_path / "other", again.models_dir)


def test_model_must_be_named(again):
    with pytest.raises(RunError, match="No model is named to recalibrate"):
        recalibrate.settle(plan_of(again.data), [])


def test_network_and_image_size_are_those_of_the_model(again):
    plan = replace(plan_of(again.data), config=TrainConfig(seed=3))
    config = recalibrate.settle(plan, [parent_of(again)])
    assert config == TrainConfig(network="tiny", image_size=32, seed=3)
