"""A trained network becomes a model whole, or leaves nothing behind."""

import dataclasses
import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from melanoma_core.data import datasets, splits
from melanoma_core.diagnoses import CODES, SEVEN_CLASSES
from melanoma_core.errors import DatasetError, ModelError
from melanoma_core.images import reading, synthetic
from melanoma_core.images.squares import Squares
from melanoma_core.metrics import calibration
from melanoma_core.metrics.calibration import Calibration
from melanoma_core.models import predict, store, training_ids
from melanoma_core.networks import architectures, export
from melanoma_core.runs import plans, provenance
from melanoma_core.runs.plans import RunPlan
from melanoma_core.runs.training_data import TrainingData
from melanoma_core.training import candidates
from melanoma_core.training.recipes import RecipeNetwork
from tests.support import made_models

PRESENT = ("MEL", "NV", "BCC", "VASC")
PRIOR_SHIFT = (0.5, -0.25, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
PLAN = RunPlan(made_models.CONFIG, ("drawn",))


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    return architectures.build("tiny", 32, len(CODES))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Ten drawn lesions a kind, 7 for training, 1 for validation, 2 for the test."""
    folder = tmp_path_factory.mktemp("data") / "drawn"
    dataset = datasets.read(made_models.draw_class_folders(folder, num_each=10))
    squares = Squares(32)
    squares.read(list(dataset.table["path"]))
    rows = splits.assign(dataset.table)
    return TrainingData((dataset,), rows, {}, ("a note",), squares.images)


def add(network, data, models_dir, model_id="tiny-3", parents=(), plan=PLAN, **fields):
    run_dir = models_dir.parent / "runs" / model_id
    run_dir.mkdir(parents=True, exist_ok=True)
    fields = {"prior_shift": PRIOR_SHIFT, "history": ({"epoch": 1, "loss": 1.5},)} | fields
    made = RecipeNetwork(export.trained(network), **fields)
    return candidates.add(made, plan, data, parents, run_dir, models_dir)


def named(data, name, **columns):
    """The same data under the name of another data set."""
    dataset = dataclasses.replace(data.datasets[0], name=name, license="CC BY-NC 4.0")
    rows = data.rows.assign(source=name, **columns)
    return dataclasses.replace(data, datasets=(dataset,), rows=rows)


def parents_of(models_dir, *model_ids):
    return [provenance.read(models_dir, model_id) for model_id in model_ids]


@pytest.fixture(scope="module")
def models_dir(network, data, tmp_path_factory):
    """A models folder with this one candidate; only to be read."""
    folder = tmp_path_factory.mktemp("candidates") / "models"
    add(network, data, folder)
    return folder


@pytest.fixture
def card(models_dir):
    return store.read_card(models_dir / "tiny-3")


def test_candidate_passes_every_check_of_loading(models_dir, card):
    assert [path.name for path in models_dir.iterdir()] == ["tiny-3"]
    assert predict.load(models_dir / "tiny-3").card == card
    written = {path.name for path in (models_dir / "tiny-3").iterdir()}
    assert written == {*store.FILES, store.NEIGHBORS, store.NOVELTY, "card.json"}


def ids_of(models_dir, model_id):
    return training_ids.from_bytes((models_dir / model_id / "training_ids.npz").read_bytes())


def test_candidate_keeps_the_ids_of_its_training_photographs(models_dir, data):
    found = ids_of(models_dir, "tiny-3")
    assert found.is_whole
    assert (found.holds(data.rows) == (data.rows["split"] == "train")).all()
    assert found.images.size == 28


def test_training_ids_of_a_parent_are_inherited(network, data, models_dir, tmp_path):
    shutil.copytree(models_dir, tmp_path / "models")
    rows = data.rows.assign(
        image_id="new-" + data.rows["image_id"], lesion_id="l-" + data.rows["image_id"]
    )
    second = dataclasses.replace(data, rows=rows)
    parents = parents_of(tmp_path / "models", "tiny-3")
    add(network, second, tmp_path / "models", "tiny-4", parents)
    found = ids_of(tmp_path / "models", "tiny-4")
    for table in (data.rows, rows):
        assert (found.holds(table) == (table["split"] == "train")).all()


def test_card_names_the_data_sets_of_all_models_before_it(network, data, models_dir, tmp_path):
    models_dir = shutil.copytree(models_dir, tmp_path / "models")
    cards = {}
    for model_id, parents, name in (
        ("first", (), "drawn"), ("second", ("first",), "clinic"), ("third", ("second",), "other"),
        ("fourth", ("third", "second"), "clinic"),
    ):  # fmt: skip
        read = parents_of(models_dir, *parents)
        cards[model_id] = add(network, named(data, name), models_dir, model_id, read)
    inherited = {
        model_id: [(use.name, use.license, use.num_train) for use in card.inherited_datasets]
        for model_id, card in cards.items()
    }
    uses = {name: (name, "CC BY-NC 4.0", 28) for name in ("drawn", "clinic", "other")}
    assert inherited == {
        "first": [],
        "second": [uses["drawn"]],
        "third": [uses["clinic"], uses["drawn"]],
        "fourth": [uses["other"], uses["drawn"]],
    }
    assert [use.name for use in cards["fourth"].datasets] == ["clinic"]


def test_a_data_set_that_the_parent_was_only_measured_on_is_not_inherited(
    network, data, models_dir, tmp_path
):
    models_dir = shutil.copytree(models_dir, tmp_path / "models")
    is_measured = data.rows["split"] != "train"
    first = dataclasses.replace(
        data,
        datasets=(*data.datasets, dataclasses.replace(data.datasets[0], name="held out")),
        rows=data.rows.assign(source=data.rows["source"].mask(is_measured, "held out")),
    )
    add(network, first, models_dir, "first")
    parents = parents_of(models_dir, "first")
    card = add(network, named(data, "clinic"), models_dir, "second", parents)
    assert [use.name for use in card.inherited_datasets] == ["drawn"]


def test_card_counts_photographs_by_split_and_diagnosis(card, data):
    for split, number in {"train": 7, "val": 1, "test": 2}.items():
        expected = {code: number if code in PRESENT else 0 for code in CODES}
        assert card.class_counts[split] == expected
    (use,) = card.datasets
    assert (use.name, use.sha256) == ("drawn", data.datasets[0].sha256)
    assert (use.num_train, use.num_val, use.num_test) == (28, 4, 8)


def test_notes_of_the_recipe_come_before_those_of_the_data(network, data, tmp_path):
    card = add(network, data, tmp_path / "models", notes=("from the recipe",))
    assert card.notes == ("from the recipe", "a note")


def test_card_counts_the_lesions_that_were_seen(card):
    assert card.seen == {
        "age": {"not recorded": 28},
        "sex": {"not recorded": 28},
        "site": {"not recorded": 28},
        "source": {"drawn": 28},
        "skin_tone": {"not recorded": 28},
    }


def test_differential_is_chosen_on_validation_and_measured_on_the_test_split(card):
    found = card.differential
    assert (found.level, found.val_photographs, found.val_melanomas) == (0.9, 3, 1)
    # Neither one melanoma nor three others can promise 90 %: every diagnosis joins.
    assert (found.melanoma_cutoff, found.other_cutoff) == (0, 0)
    assert (found.coverage.value, found.coverage.num_photographs) == (1, 8)
    assert (found.melanoma_coverage.value, found.melanoma_coverage.num_photographs) == (1, 2)
    assert found.mean_size.value == 9
    assert (found.review_share.value, found.review_share.num_hits) == (1, 8)


def test_card_keeps_the_history_of_the_training(card):
    assert card.history == ({"epoch": 1, "loss": 1.5},)


def test_card_has_the_settings_of_the_recipe_or_of_the_plan(card, network, data, tmp_path):
    assert card.config == json.loads(PLAN.config.to_json())
    own = add(network, data, tmp_path / "models", settings={"training": "none"})
    assert own.config == {"training": "none"}


def test_card_names_what_made_the_model(card):
    assert card.versions["keras"] == keras.__version__
    assert card.versions["backend"] == "tensorflow"
    assert set(card.versions) == {"python", "keras", "numpy", "pillow", "backend", "tensorflow"}
    assert [point.target for point in card.operating_points] == [0.95, 0.90]
    assert card.has_saliency


def test_calibration_is_fitted_on_validation_and_figures_are_of_the_test_split(card, data, network):
    def logits_and_labels(split):
        rows = data.rows[data.rows["split"] == split]
        images = np.stack([reading.resize(reading.read_file(Path(p)), 32) for p in rows["path"]])
        labels = [CODES.index(code) for code in rows["diagnosis"]]
        return np.asarray(network(images.astype(np.float32))), np.array(labels)

    logits, labels = logits_and_labels("val")
    fitted = calibration.fit(logits, labels, PRIOR_SHIFT)
    assert card.prior_shift == PRIOR_SHIFT
    assert np.ptp(fitted.class_bias) > 0.1
    np.testing.assert_allclose(card.class_bias, fitted.class_bias, atol=1e-3)
    assert card.temperature == pytest.approx(fitted.temperature, rel=1e-3)
    logits, labels = logits_and_labels("test")
    accuracy = card.figures["all"]["accuracy"]
    assert accuracy.num_photographs == 8
    nine = calibration.probabilities(logits, card.calibration)
    sums = [
        nine[:, [CODES.index(c) for c in codes]].sum(axis=1) for codes in SEVEN_CLASSES.values()
    ]
    called = [list(SEVEN_CLASSES.values())[k] for k in np.argmax(sums, axis=0)]
    hits = [CODES[label] in codes for label, codes in zip(labels, called, strict=True)]
    assert accuracy.value == pytest.approx(np.mean(hits))


def test_evaluation_holds_the_calibrated_probabilities(models_dir, data, network, card):
    record = json.loads((models_dir / "tiny-3" / "evaluation.json").read_text())
    paths = dict(zip(data.rows["image_id"], data.rows["path"], strict=True))
    images = np.stack([data.images[paths[row["image_id"]]] for row in record["rows"]])
    expected = calibration.probabilities(
        np.asarray(network(images.astype(np.float32))), card.calibration
    )
    np.testing.assert_allclose([row["y_prob"] for row in record["rows"]], expected, atol=1e-4)


def test_golden_inputs_are_synthetic_lesions_and_what_keras_says_of_them(models_dir, card, network):
    with np.load(models_dir / "tiny-3" / "golden.npz") as golden:
        images, probabilities = golden["images"], golden["probabilities"]
    np.testing.assert_array_equal(
        images[1], reading.resize(synthetic.lesion(1, kind=synthetic.KINDS[1]), 32)
    )
    logits = np.asarray(network(images.astype(np.float32)))
    expected = calibration.probabilities(logits, card.calibration)
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)
    uncalibrated = calibration.probabilities(logits, Calibration(card.temperature))
    assert np.abs(uncalibrated - expected).max() > 0.01


def test_export_that_answers_otherwise_is_refused(network, data, tmp_path):
    trained = export.trained(network)
    other = dataclasses.replace(trained, logits=lambda images: trained.logits(images) * 1.01)
    made = RecipeNetwork(other)
    (tmp_path / "run").mkdir()
    with pytest.raises(ModelError, match="away from the trained network"):
        candidates.add(made, PLAN, data, [], tmp_path / "run", tmp_path / "models")
    assert not list((tmp_path / "models").iterdir())


def test_last_layer_in_every_file_is_that_of_the_network(models_dir, network):
    kernel, bias = architectures.head(network)
    with np.load(models_dir / "tiny-3" / "head.npz") as head:
        np.testing.assert_array_equal(head["kernel"], kernel)
        np.testing.assert_array_equal(head["bias"], bias)
    on_disk = architectures.build("tiny", 32, len(CODES))
    architectures.load_weights(on_disk, models_dir / "tiny-3" / "network.weights.h5")
    np.testing.assert_array_equal(architectures.head(on_disk)[1], bias)


def test_masked_diagnosis_calibrates_nothing(network, data, tmp_path):
    """By its photographs in validation every temperature and bias would be wrong."""
    masked = architectures.build("tiny", 32, len(CODES))
    bias = np.where(np.array(CODES) == "VASC", -1000.0, architectures.head(network)[1])
    masked.set_weights(network.get_weights())
    architectures.set_bias(masked, bias)
    card = add(masked, data, tmp_path / "models")
    is_left_out = (data.rows["diagnosis"] == "VASC") & (data.rows["split"] == "val")
    rows = data.rows[~is_left_out].reset_index(drop=True)
    without = dataclasses.replace(data, rows=rows)
    expected = add(masked, without, tmp_path / "models", "without")
    assert card.calibration == expected.calibration
    assert card.operating_points == expected.operating_points
    assert np.abs(card.class_bias).max() < 2
    assert card.class_counts["val"]["VASC"] == 0
    assert card.class_counts["test"]["VASC"] == 2
    note = "Left out of validation, as the model was never trained on their diagnosis: 1."
    assert note in card.notes
    assert not [note for note in expected.notes if note.startswith("Left out of validation")]


def test_progress_counts_to_all_photographs_that_are_measured(network, data, tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(
        plans, "write_status", lambda run_dir, phase, **facts: told.append((phase, facts))
    )
    add(network, data, tmp_path / "models")
    assert ("measuring", {"done": 12, "total": 12}) in told
    assert [phase for phase, facts in told if not facts] == [
        "exporting", "calibrating", "choosing the threshold", "evaluating", "saving",
    ]  # fmt: skip


class Stopped(BaseException):
    """Ctrl-C, in the midst of it."""


@pytest.mark.parametrize("error", [OSError("No space left on device"), Stopped()])
@pytest.mark.parametrize("step", ["head.npz", "measuring", "adding"])
def test_nothing_half_built_is_left_after_a_failure(
    network, data, models_dir, tmp_path, monkeypatch, step, error
):
    def fail(*args, **kwargs):
        raise error

    place, name = {
        "head.npz": (architectures, "head"),
        "measuring": (candidates.evaluate, "from_table"),
        "adding": (candidates.store, "add"),
    }[step]
    # The conversion itself takes seconds, and is not what fails here.
    graph = (models_dir / "tiny-3" / "network.tflite").read_bytes()
    monkeypatch.setattr(architectures, "export", lambda network, path: path.write_bytes(graph))
    monkeypatch.setattr(place, name, fail)
    with pytest.raises(type(error)):
        add(network, data, tmp_path / "models")
    assert not list((tmp_path / "models").iterdir())


def test_second_model_of_the_same_name_is_refused_and_the_first_one_kept(
    network, data, models_dir, card
):
    with pytest.raises(ModelError, match="a model of this name exists"):
        add(network, data, models_dir)
    assert [path.name for path in models_dir.iterdir()] == ["tiny-3"]
    assert predict.load(models_dir / "tiny-3").card == card


def test_nothing_to_measure_is_refused(network, data, tmp_path):
    rows = data.rows.assign(split="train")
    with pytest.raises(DatasetError, match="The val split holds nothing"):
        add(network, dataclasses.replace(data, rows=rows), tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_evaluation_has_a_row_for_each_photograph_held_out(models_dir, data):
    record = json.loads((models_dir / "tiny-3" / "evaluation.json").read_text())
    held_out = set(data.rows.loc[data.rows["split"] != "train", "image_id"])
    assert held_out == {row["image_id"] for row in record["rows"]}
