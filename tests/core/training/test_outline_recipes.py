"""The decoder of outlines in each recipe: trained, kept, taken over, or left out and said so."""

import dataclasses
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from melanoma_core.errors import DatasetError
from melanoma_core.images import reading, synthetic
from melanoma_core.models import predict, store
from melanoma_core.runs.plans import RunPlan
from melanoma_core.training import outline_training, pipeline
from tests.support import made_models

CLAMPING = dataclasses.replace(made_models.CONFIG, clamp_color_cast=True)


@pytest.fixture(scope="module")
def outlined(trained_models, tmp_path_factory):
    """The tiny model, and the same with a decoder; the data and their outlines."""
    root = tmp_path_factory.mktemp("outlined")
    models_dir = shutil.copytree(trained_models, root / "models")
    data = made_models.draw_class_folders(root / "drawn")
    rows, columns = np.mgrid[:64, :64]
    disc = np.where((rows - 32) ** 2 + (columns - 32) ** 2 < 20**2, 255, 0).astype(np.uint8)
    (root / "masks").mkdir()
    for path in data.rglob("*.png"):
        Image.fromarray(disc).save(root / "masks" / f"{path.stem}_segmentation.png")
    made = SimpleNamespace(models_dir=models_dir, data=data, root=root, masks=root / "masks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outline_training, "_LEAST_STEPS", 1)
        made.card = run(made, "tiny-outlined", "tiny-1", outlines=str(made.masks))
    return made


def run(made, model_id, *parents, recipe="recalibrate", config=made_models.CONFIG, **options):
    """The card of a candidate that a recipe makes of these parents."""
    plan = RunPlan(config, (str(made.data),), recipe=recipe, parents=parents, **options)
    return pipeline.run(plan, made.root / model_id, made.models_dir, lambda line: None)


def files_of(made, model_id):
    return store.read_files(made.models_dir / model_id)[2]


def outline_of(made, model_id):
    image = reading.resize(synthetic.lesion(5), 32)
    return predict.classify(predict.load(made.models_dir / model_id), image).outline


def test_recalibrating_with_outlines_adds_a_decoder_and_leaves_the_weights_to_the_bit(outlined):
    before, after = (files_of(outlined, name) for name in ("tiny-1", "tiny-outlined"))
    assert before["network.weights.h5"] == after["network.weights.h5"]
    assert before["head.npz"] == after["head.npz"]
    assert store.OUTLINE_WEIGHTS in after
    assert outline_of(outlined, "tiny-1") is None
    assert outline_of(outlined, "tiny-outlined").shape == (8, 8)
    assert "with a decoder of outlines" in outlined.card.notes[0]
    assert "only the decoder was trained" in outlined.card.notes[0]


@pytest.mark.parametrize("recipe", ["recalibrate", "head"])
def test_a_network_that_stays_keeps_its_decoder(outlined, recipe):
    card = run(outlined, f"kept-{recipe}", "tiny-outlined", recipe=recipe, split_by="model")
    before, after = (files_of(outlined, name) for name in ("tiny-outlined", card.model_id))
    for name in ("network.tflite", store.OUTLINE_WEIGHTS):
        assert before[name] == after[name]


def test_a_network_that_is_built_again_to_clamp_casts_keeps_its_decoder(outlined):
    run(outlined, "clamped", "tiny-outlined", config=CLAMPING)
    before, after = (files_of(outlined, name) for name in ("tiny-outlined", "clamped"))
    assert before["network.tflite"] != after["network.tflite"]
    expected = outline_of(outlined, "tiny-outlined")  # of a photograph without a cast
    np.testing.assert_allclose(outline_of(outlined, "clamped"), expected, atol=1e-3)


def test_an_ensemble_draws_the_outlines_of_its_first_network(outlined):
    run(outlined, "both", "tiny-outlined", "tiny-1", recipe="ensemble")
    np.testing.assert_allclose(
        outline_of(outlined, "both"), outline_of(outlined, "tiny-outlined"), atol=1e-4
    )


def test_full_training_trains_a_decoder_or_says_that_the_old_one_does_not_fit(
    outlined, monkeypatch
):
    monkeypatch.setattr(outline_training, "_LEAST_STEPS", 1)
    options = {"recipe": "full", "split_by": "model"}
    run(outlined, "tuned", "tiny-outlined", **options, outlines=str(outlined.masks))
    assert outline_of(outlined, "tuned").shape == (8, 8)
    card = run(outlined, "tuned-without", "tiny-outlined", **options)
    assert outline_of(outlined, "tuned-without") is None
    assert [note for note in card.notes if "Draws no outlines" in note]


@pytest.mark.parametrize("recipe", ["full", "recalibrate"])
def test_outlines_that_cannot_be_found_stop_a_run_before_it_begins(outlined, tmp_path, recipe):
    with pytest.raises(DatasetError, match="no outline of a lesion"):
        run(outlined, f"none-{recipe}", "tiny-1", recipe=recipe, outlines=str(tmp_path))


def test_outlines_of_other_photographs_are_refused(outlined, tmp_path):
    shutil.copy(outlined.masks / "nevus_000_segmentation.png", tmp_path / "ISIC_1_segmentation.png")
    with pytest.raises(DatasetError, match="no outline of a photograph in the train split"):
        run(outlined, "others", "tiny-1", outlines=str(tmp_path))
