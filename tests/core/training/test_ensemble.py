"""Two models joined into one: the mean of both, measured as every candidate."""

import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from melanoma_core.errors import RunError
from melanoma_core.images import reading, synthetic
from melanoma_core.models import predict
from melanoma_core.runs import lifecycle, provenance
from melanoma_core.runs.plans import RunPlan
from melanoma_core.training import ensemble, recalibrate
from tests.support import made_models

TINY_TWICE = "tiny_and_tiny"


# Another seed draws other photographs for the test.
OTHER_SPLIT = replace(made_models.CONFIG, seed=1)


@pytest.fixture(scope="module")
def joined(trained_models, tmp_path_factory):
    """The tiny model and another of its kind, and both of them as one."""
    root = tmp_path_factory.mktemp("joined")
    models_dir = shutil.copytree(trained_models, root / "models")
    made_models.make(root, models_dir, "tiny-2", replace(made_models.CONFIG, learning_rate=2e-2))
    data = root / "drawn"
    card = carry_out(plan_of(data), root / "both", models_dir)
    return SimpleNamespace(card=card, models_dir=models_dir, data=data)


def plan_of(data, first="tiny-1", second="tiny-2"):
    return RunPlan(made_models.CONFIG, (str(data),), None, None, first, joined_with=second)


def carry_out(plan, run_dir, models_dir):
    return lifecycle.carry_out(
        plan, run_dir, models_dir, lambda: ensemble.make(plan, run_dir, models_dir, lambda _: None)
    )


def test_logits_are_the_mean_of_both_each_at_its_temperature(joined):
    image = reading.resize(synthetic.lesion(5), 32)
    models = {name: predict.load(joined.models_dir / name) for name in ("tiny-1", "tiny-2", "both")}
    calm = [
        predict.classify(models[name], image).logits / models[name].card.temperature
        for name in ("tiny-1", "tiny-2")
    ]
    assert np.abs(calm[0] - calm[1]).max() > 0.01
    answer = predict.classify(models["both"], image)
    expected = np.mean(calm, axis=0) + models["both"].card.class_bias
    np.testing.assert_allclose(answer.logits, expected, atol=1e-5)


def test_feature_map_is_both_side_by_side(joined):
    image = reading.resize(synthetic.lesion(5), 32)
    maps = {
        name: predict.load(joined.models_dir / name).network.graph.run(image)[0]
        for name in ("tiny-1", "tiny-2", "both")
    }
    both = np.concatenate([maps["tiny-1"], maps["tiny-2"]], axis=-1)
    np.testing.assert_allclose(maps["both"], both, atol=1e-5)


def test_limits_of_colors_that_both_have_are_those_of_the_joined_model(joined, tmp_path):
    models_dir = shutil.copytree(joined.models_dir, tmp_path / "models")
    config = replace(made_models.CONFIG, clamp_color_cast=True)
    limits = set()
    for name in ("tiny-1", "tiny-2"):
        plan = RunPlan(config, (str(joined.data),), None, None, name, is_recalibration=True)
        run_dir = tmp_path / f"{name}-limited"
        run_dir.mkdir()
        limits.add(recalibrate.make(plan, run_dir, models_dir, lambda _: None).color_cast_limits)
    plan = plan_of(joined.data, "tiny-1-limited", "tiny-2-limited")
    card = carry_out(plan, tmp_path / "both-limited", models_dir)
    assert {card.color_cast_limits} == limits
    blue = (reading.resize(synthetic.lesion(5), 32) * [0.3, 0.5, 0.7]).astype(np.uint8)
    embeddings = {
        name: predict.load(models_dir / name).network.graph.run(blue)[1]
        for name in ("tiny-1-limited", "tiny-2-limited", "both", "both-limited")
    }
    parts = [embeddings["tiny-1-limited"], embeddings["tiny-2-limited"]]
    np.testing.assert_allclose(embeddings["both-limited"], np.concatenate(parts), atol=1e-5)
    assert np.abs(embeddings["both-limited"] - embeddings["both"]).max() > 0.01


def test_card_names_both_and_has_no_epochs(joined):
    assert joined.card.network == TINY_TWICE
    assert joined.card.config == {
        "training": "none: two models joined, one vote each", "network": TINY_TWICE,
        "image_size": 32, "joined": ["tiny-1", "tiny-2"], "split_by": "given", "is_cleaned": True,
        "seed": 0,
    }  # fmt: skip
    assert joined.card.history == ()
    assert "tiny-1 and tiny-2 stand side by side" in joined.card.notes[0]
    assert not [note for note in joined.card.notes if "went on" in note]
    assert "drawn, cleaned by the data doctor: 0 of 48 files dropped." in joined.card.notes
    assert joined.card.figures["all"]["melanoma_auroc"].num_photographs > 0


def test_what_either_was_taught_counts_as_taught(joined):
    lists = [
        provenance.read(joined.models_dir, name)[2].taught for name in ("tiny-1", "tiny-2", "both")
    ]
    np.testing.assert_array_equal(lists[2].images, np.union1d(lists[0].images, lists[1].images))
    assert lists[2].is_whole


def test_photographs_that_one_was_taught_are_refused(joined, tmp_path):
    plan = replace(plan_of(joined.data), config=OTHER_SPLIT)
    with pytest.raises(RunError, match="not held out from the model “tiny-1”"):
        carry_out(plan, tmp_path / "leaking", joined.models_dir)


def test_photographs_that_only_the_second_was_taught_are_refused(joined, trained_models, tmp_path):
    models_dir = shutil.copytree(trained_models, tmp_path / "models")
    made_models.make(tmp_path, models_dir, "tiny-2", OTHER_SPLIT)
    plan = replace(plan_of(joined.data), split_by="model")
    with pytest.raises(RunError, match=r"not held out from the model “tiny-2”.*held out from both"):
        carry_out(plan, tmp_path / "leaking", models_dir)
    assert not (models_dir / "leaking").exists()


def test_networks_stand_in_the_order_of_the_table_however_they_are_named(joined):
    mobilenet, efficientnet = (
        replace(joined.card, model_id=network, network=network)
        for network in ("mobilenet_v2", "efficientnet_lite0")
    )
    for cards in ([mobilenet, efficientnet], [efficientnet, mobilenet]):
        assert ensemble.in_order(cards) == [mobilenet, efficientnet]


@pytest.fixture(scope="module")
def new_data(tmp_path_factory):
    """A clinic's own photographs, which neither model was taught."""
    root = tmp_path_factory.mktemp("new") / "clinic"
    for path in made_models.draw_class_folders(root, num_each=20, side=72).rglob("*.png"):
        path.rename(path.with_name(f"clinic_{path.name}"))
    return root


def test_training_photographs_that_neither_was_taught_are_not_counted(joined, new_data, tmp_path):
    plan = replace(plan_of(joined.data), datasets=(str(joined.data), str(new_data)))
    plan = replace(plan, split_by="model")
    card = carry_out(plan, tmp_path / "wider", joined.models_dir)
    assert card.class_counts["train"] == joined.card.class_counts["train"]
    assert card.seen == joined.card.seen
    uses = {use.name: use for use in card.datasets}
    assert (uses["drawn"].num_train, uses["clinic"].num_train) == (32, 0)
    assert uses["clinic"].num_test > 0
    assert (
        f"the model was never taught them: {80 - uses['clinic'].num_val - uses['clinic'].num_test}."
        in (card.notes[-1])
    )


def test_data_that_neither_was_taught_anything_of_are_refused(joined, new_data, tmp_path):
    plan = replace(plan_of(joined.data), datasets=(str(new_data),), split_by="model")
    with pytest.raises(RunError, match=r"“tiny-1” and “tiny-2” learned from none.*as well"):
        carry_out(plan, tmp_path / "alien", joined.models_dir)


def test_networks_that_do_not_go_together_are_refused(joined, tmp_path):
    with pytest.raises(RunError, match=r"both.*tiny_and_tiny.*cannot be joined.*tiny with tiny"):
        carry_out(plan_of(joined.data, "tiny-1", "both"), tmp_path / "odd", joined.models_dir)


def test_other_image_sizes_are_refused(joined):
    larger = replace(joined.card, image_size=64)
    with pytest.raises(RunError, match=r"32 px.*64 px"):
        ensemble.in_order([joined.card, larger])


@pytest.mark.parametrize("missing", ["from_model", "joined_with"])
def test_one_model_alone_is_refused(missing, joined, tmp_path):
    plan = replace(plan_of(joined.data), **{missing: None})
    with pytest.raises(RunError, match="--join"):
        ensemble.make(plan, tmp_path, joined.models_dir, lambda _: None)
