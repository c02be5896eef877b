"""A model calibrated anew: the same network, other biases of the last layer, all figures anew."""

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
from melanoma_core.runs import lifecycle, provenance
from melanoma_core.runs.plans import RunPlan
from melanoma_core.training import ensemble, recalibrate
from tests.support import made_models


@pytest.fixture(scope="module")
def anew(tmp_path_factory):
    """A tiny model whose biases are wrong, and the same one calibrated anew."""
    root = tmp_path_factory.mktemp("anew")
    models_dir = root / "models"
    made_models.make(root, models_dir)
    card = carry_out(plan_of(root / "drawn"), root / "tiny-anew", models_dir)
    return SimpleNamespace(card=card, models_dir=models_dir, data=root / "drawn")


def plan_of(data):
    return RunPlan(made_models.CONFIG, (str(data),), None, None, "tiny-1", is_recalibration=True)


def carry_out(plan, run_dir, models_dir):
    return lifecycle.carry_out(
        plan,
        run_dir,
        models_dir,
        lambda: recalibrate.make(plan, run_dir, models_dir, lambda line: None),
    )


def test_network_stays_and_the_biases_move_by_what_the_card_says(anew):
    before, after = (
        store.read_files(anew.models_dir / name)[2] for name in ("tiny-1", "tiny-anew")
    )
    assert before["network.tflite"] == after["network.tflite"]
    heads = [
        predict.read_network(files["network.tflite"], files["head.npz"])
        for files in (before, after)
    ]
    np.testing.assert_array_equal(heads[0].kernel, heads[1].kernel)
    np.testing.assert_allclose(heads[1].bias - heads[0].bias, anew.card.class_bias, atol=1e-5)


def test_answers_are_those_of_the_network_with_the_moved_biases(anew):
    image = reading.resize(synthetic.lesion(5), 32)
    before, after = (
        predict.classify(predict.load(anew.models_dir / name), image)
        for name in ("tiny-1", "tiny-anew")
    )
    expected = calibration.probabilities(
        before.logits + anew.card.class_bias, anew.card.temperature
    )
    np.testing.assert_allclose(after.probabilities, expected, atol=1e-5)


def test_calibrated_twice_is_calibrated_once(anew, tmp_path):
    """The prior holds the second step back from where it stands, so little is left to move."""
    models_dir = shutil.copytree(anew.models_dir, tmp_path / "models")
    plan = replace(plan_of(anew.data), from_model="tiny-anew")
    again = carry_out(plan, tmp_path / "tiny-again", models_dir)
    assert np.abs(again.class_bias).max() < max(0.2, np.abs(anew.card.class_bias).max())
    assert again.temperature == pytest.approx(anew.card.temperature, rel=0.2)


def test_card_says_what_was_done_and_names_the_model(anew):
    assert anew.card.network == "tiny"
    assert anew.card.config["calibrated_anew"] == "tiny-1"
    assert anew.card.history == ()
    assert "that of tiny-1, calibrated and measured anew" in anew.card.notes[0]
    assert not [note for note in anew.card.notes if "went on" in note]
    taught = [provenance.read(anew.models_dir, name)[2].taught for name in ("tiny-1", "tiny-anew")]
    np.testing.assert_array_equal(taught[0].images, taught[1].images)


@pytest.fixture(scope="module")
def limited(anew):
    """The tiny model once more, with limits of color casts before its network."""
    config = replace(made_models.CONFIG, clamp_color_cast=True)
    plan = replace(plan_of(anew.data), config=config)
    return carry_out(plan, anew.data.parent / "tiny-limited", anew.models_dir)


def test_limits_are_those_of_the_training_photographs(anew, limited):
    taught = [
        color_casts.cast(reading.read_file(path))
        for path in sorted(anew.data.rglob("*.png"))
        if path.stem not in held_out_ids(anew)
    ]
    assert len(taught) == sum(limited.class_counts["train"].values())
    assert limited.color_cast_limits == color_casts.limits(taught)
    assert limited.config["clamp_color_cast"]
    assert "color casts held within those of the training photographs" in limited.notes[0]
    assert anew.card.color_cast_limits == ()


def held_out_ids(anew):
    return set(provenance.read(anew.models_dir, "tiny-1")[2].held_out)


def test_limits_of_photographs_that_cannot_be_read_are_refused(anew, tmp_path):
    data = shutil.copytree(anew.data, tmp_path / "drawn")
    for path in data.rglob("*.png"):
        if path.stem not in held_out_ids(anew):
            path.write_bytes(path.read_bytes()[:60])
    config = replace(made_models.CONFIG, clamp_color_cast=True)
    plan = replace(plan_of(data), config=config, is_cleaned=False, split_by="model")
    with pytest.raises(DatasetError, match=r"None of the .* training photographs can be read"):
        carry_out(plan, tmp_path / "run", anew.models_dir)


def test_network_with_limits_answers_as_without_to_what_is_brought_back(anew, limited):
    plain, served = (predict.load(anew.models_dir / name) for name in ("tiny-1", "tiny-limited"))
    blue = (reading.resize(synthetic.lesion(5), 32) * [0.3, 0.5, 0.7]).astype(np.uint8)
    layer = architectures.ColorCastClamp(limited.color_cast_limits)
    back = np.asarray(layer(blue[None].astype(np.float32)))[0]
    assert color_casts.cast(blue)[0] < limited.color_cast_limits[0] - 0.2
    without = plain.network.logits(plain.network.graph.run(back)[1])
    assert np.abs(without - predict.classify(plain, blue).logits).max() > 0.01
    expected = without + limited.class_bias
    np.testing.assert_allclose(predict.classify(served, blue).logits, expected, atol=1e-4)


def test_limits_stay_where_the_model_is_calibrated_once_more(anew, limited, tmp_path):
    models_dir = shutil.copytree(anew.models_dir, tmp_path / "models")
    plan = replace(plan_of(anew.data), from_model="tiny-limited")
    again = carry_out(plan, tmp_path / "tiny-again", models_dir)
    assert again.color_cast_limits == limited.color_cast_limits
    assert again.files["network.tflite"] == limited.files["network.tflite"]


def test_models_of_other_limits_are_not_joined(anew, limited, tmp_path):
    plan = replace(plan_of(anew.data), joined_with="tiny-limited", is_recalibration=False)
    with pytest.raises(RunError, match=r"the same limits.*for the joined model"):
        ensemble.make(plan, tmp_path, anew.models_dir, print)


def test_photographs_that_it_was_taught_are_refused(anew, tmp_path):
    plan = replace(plan_of(anew.data), config=replace(made_models.CONFIG, seed=1))
    with pytest.raises(RunError, match=r"too good\. Divide them .* \(--split-by model\)\.$"):
        carry_out(plan, tmp_path / "other", anew.models_dir)


def test_model_must_be_named(anew, tmp_path):
    plan = replace(plan_of(anew.data), from_model=None)
    with pytest.raises(RunError, match="--from-model"):
        recalibrate.make(plan, tmp_path, anew.models_dir, print)
