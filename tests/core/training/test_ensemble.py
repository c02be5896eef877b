"""Recipe “ensemble”: one network with the mean of both parents' calibrated logits."""

import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from melanoma_core.errors import RunError
from melanoma_core.images import reading, synthetic
from melanoma_core.metrics.calibration import Calibration
from melanoma_core.models import predict
from melanoma_core.runs.plans import RunPlan
from melanoma_core.training import ensemble, pipeline
from tests.support import made_models, made_runs

TINY_TWICE = "tiny_and_tiny"

# Another seed draws other photographs for the test.
OTHER_SPLIT = replace(made_models.CONFIG, seed=1)


@pytest.fixture(scope="module")
def both(trained_models, tmp_path_factory):
    """The tiny model, another of its kind that was trained on even classes, and the ensemble."""
    root = tmp_path_factory.mktemp("ensemble")
    models_dir = shutil.copytree(trained_models, root / "models")
    config = replace(made_models.CONFIG, learning_rate=2e-2, class_weights=True, balance="none")
    made_models.make(root, models_dir, "tiny-2", config)
    data = root / "drawn"
    card = pipeline.run(plan_of(data), root / "both", models_dir)
    return SimpleNamespace(card=card, models_dir=models_dir, data=data)


def plan_of(data, *parents):
    parents = parents or ("tiny-1", "tiny-2")
    return RunPlan(made_models.CONFIG, (str(data),), recipe="ensemble", parents=parents)


def parents_of(both, *model_ids):
    return made_runs.parents_of(both.models_dir, *model_ids)


def test_logits_with_the_prior_shift_are_the_mean_of_the_calibrated_logits_of_both(both):
    image = reading.resize(synthetic.lesion(5), 32)
    calibrated = []
    for parent in parents_of(both, "tiny-1", "tiny-2"):
        logits = made_runs.logits(both.models_dir, parent.model_id, image)
        card = parent.card
        shifted = logits + np.array(card.prior_shift) + card.class_bias
        calibrated.append(shifted / card.temperature)
        assert np.abs(card.class_bias).max() > 1e-3
    assert np.abs(calibrated[0] - calibrated[1]).max() > 0.01
    logits = made_runs.logits(both.models_dir, "both", image)
    with_shift = Calibration(prior_shift=both.card.prior_shift).shift(logits)
    np.testing.assert_allclose(with_shift, np.mean(calibrated, axis=0), atol=1e-5)
    assert np.any(both.card.class_bias)  # fitted again, for the ensemble itself


def test_feature_map_is_those_of_both_concatenated(both):
    image = reading.resize(synthetic.lesion(5), 32)
    maps = {
        name: predict.load(both.models_dir / name).network.graph.run(image)[0]
        for name in ("tiny-1", "tiny-2", "both")
    }
    expected = np.concatenate([maps["tiny-1"], maps["tiny-2"]], axis=-1)
    np.testing.assert_allclose(maps["both"], expected, atol=1e-5)


def test_color_cast_limits_that_both_have_are_those_of_the_ensemble(both, tmp_path):
    models_dir = shutil.copytree(both.models_dir, tmp_path / "models")
    config = replace(made_models.CONFIG, clamp_color_cast=True)
    limits = set()
    for name in ("tiny-1", "tiny-2"):
        plan = RunPlan(config, (str(both.data),), recipe="recalibrate", parents=(name,))
        card = pipeline.run(plan, tmp_path / f"{name}-limited", models_dir)
        limits.add(card.color_cast_limits)
    plan = plan_of(both.data, "tiny-1-limited", "tiny-2-limited")
    card = pipeline.run(plan, tmp_path / "both-limited", models_dir)
    assert {card.color_cast_limits} == limits
    blue = (reading.resize(synthetic.lesion(5), 32) * [0.3, 0.5, 0.7]).astype(np.uint8)
    embeddings = {
        name: predict.load(models_dir / name).network.graph.run(blue)[1]
        for name in ("tiny-1-limited", "tiny-2-limited", "both", "both-limited")
    }
    parts = [embeddings["tiny-1-limited"], embeddings["tiny-2-limited"]]
    np.testing.assert_allclose(embeddings["both-limited"], np.concatenate(parts), atol=1e-5)
    assert np.abs(embeddings["both-limited"] - embeddings["both"]).max() > 0.01


def test_card_names_both_and_has_no_epochs(both):
    assert both.card.network == TINY_TWICE
    assert both.card.config == {
        "training": "none: ensemble of two models with equal weights", "network": TINY_TWICE,
        "image_size": 32, "ensemble_of": ["tiny-1", "tiny-2"], "split_by": "given",
        "is_cleaned": True, "seed": 0,
    }  # fmt: skip
    assert both.card.history == ()
    assert both.card.notes[0].startswith("Ensemble of tiny-1 and tiny-2 with equal weights")
    assert not [note for note in both.card.notes if "Fine-tuned" in note]
    assert "drawn, cleaned by the data doctor: 0 of 48 files dropped." in both.card.notes
    assert both.card.figures["all"]["melanoma_auroc"].num_photographs > 0


def test_training_ids_are_those_of_either(both):
    lists = [parent.training_ids for parent in parents_of(both, "tiny-1", "tiny-2", "both")]
    np.testing.assert_array_equal(lists[2].images, np.union1d(lists[0].images, lists[1].images))
    assert lists[2].is_whole


def test_photographs_that_one_was_trained_on_are_refused(both, tmp_path):
    plan = replace(plan_of(both.data), config=OTHER_SPLIT)
    with pytest.raises(RunError, match="not held out from the model “tiny-1”"):
        pipeline.run(plan, tmp_path / "leaking", both.models_dir)


def test_photographs_that_only_the_second_was_trained_on_are_refused(
    both, trained_models, tmp_path
):
    models_dir = shutil.copytree(trained_models, tmp_path / "models")
    made_models.make(tmp_path, models_dir, "tiny-2", OTHER_SPLIT)
    plan = replace(plan_of(both.data), split_by="model")
    with pytest.raises(RunError, match=r"not held out from the model “tiny-2”.*held out from both"):
        pipeline.run(plan, tmp_path / "leaking", models_dir)
    assert not (models_dir / "leaking").exists()


def test_networks_stand_in_the_order_of_the_table_however_they_are_named(both):
    mobilenet, efficientnet = (
        parent_with(both, model_id=network, network=network)
        for network in ("mobilenet_v2", "efficientnet_lite0")
    )
    for parents in ([mobilenet, efficientnet], [efficientnet, mobilenet]):
        assert ensemble.in_order(parents) == [mobilenet, efficientnet]
        settled = ensemble.settle(plan_of(both.data), parents)
        assert settled.network == "mobilenet_v2_and_efficientnet_lite0"


def parent_with(both, **fields):
    """The ensemble as a parent, with other fields on its card."""
    (parent,) = parents_of(both, "both")
    return replace(parent, card=replace(parent.card, **fields))


@pytest.fixture(scope="module")
def new_data(tmp_path_factory):
    """A clinic's own photographs, which neither model was trained on."""
    root = tmp_path_factory.mktemp("new") / "clinic"
    for path in made_models.draw_class_folders(root, num_each=20, side=72).rglob("*.png"):
        path.rename(path.with_name(f"clinic_{path.name}"))
    return root


def test_training_photographs_that_neither_was_trained_on_are_not_counted(both, new_data, tmp_path):
    plan = replace(plan_of(both.data), datasets=(str(both.data), str(new_data)))
    plan = replace(plan, split_by="model")
    card = pipeline.run(plan, tmp_path / "wider", both.models_dir)
    assert card.class_counts["train"] == both.card.class_counts["train"]
    assert card.seen == both.card.seen
    uses = {use.name: use for use in card.datasets}
    assert (uses["drawn"].num_train, uses["clinic"].num_train) == (32, 0)
    assert uses["clinic"].num_test > 0
    num_new = 80 - uses["clinic"].num_val - uses["clinic"].num_test
    note = (
        "Training photographs that no parent was trained on, used for similar cases, refusals and "
        f"limits of quality alone: {num_new}."
    )
    assert card.notes[-1] == note


def test_data_without_a_training_photograph_of_either_are_refused(both, new_data, tmp_path):
    plan = replace(plan_of(both.data), datasets=(str(new_data),), split_by="model")
    with pytest.raises(RunError, match=r"None of .* to train “tiny-1” and “tiny-2”.*as well"):
        pipeline.run(plan, tmp_path / "alien", both.models_dir)


def test_networks_that_do_not_go_together_are_refused(both, tmp_path):
    with pytest.raises(RunError, match=r"both.*tiny_and_tiny.*cannot be combined.*tiny with tiny"):
        pipeline.run(plan_of(both.data, "tiny-1", "both"), tmp_path / "odd", both.models_dir)


def test_other_image_sizes_are_refused(both):
    parents = [*parents_of(both, "tiny-1"), parent_with(both, image_size=64)]
    with pytest.raises(RunError, match=r"32 px.*64 px"):
        ensemble.settle(plan_of(both.data), parents)


def test_other_color_cast_limits_are_refused(both):
    limits = (0.1, 0.6, -0.2, 0.1)
    parents = [*parents_of(both, "tiny-1"), parent_with(both, color_cast_limits=limits)]
    with pytest.raises(RunError, match=r"same limits.*recalibrate --clamp-color-cast"):
        ensemble.settle(plan_of(both.data), parents)


@pytest.mark.parametrize("model_ids", [(), ("tiny-1",), ("tiny-1", "tiny-2", "tiny-1")])
def test_other_than_two_models_are_refused(both, model_ids):
    with pytest.raises(RunError, match=f"made of two models; {len(model_ids)} were named"):
        ensemble.settle(plan_of(both.data), parents_of(both, *model_ids))
