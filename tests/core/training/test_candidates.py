"""A trained network becomes a model whole, or leaves nothing behind."""

import dataclasses
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from melanoma_core.data import datasets, splits
from melanoma_core.diagnoses import CODES, SEVEN_CLASSES
from melanoma_core.errors import DatasetError, ModelError
from melanoma_core.images import reading, synthetic
from melanoma_core.metrics import calibration
from melanoma_core.models import predict, store, training_ids
from melanoma_core.networks import architectures, export
from melanoma_core.runs import provenance
from melanoma_core.training import candidates
from tests.support import made_models

PRESENT = ("MEL", "NV", "BCC", "VASC")


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    return architectures.build("tiny", 32, len(CODES))


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """Ten drawn lesions a kind, 7 for training, 1 for validation, 2 for the test."""
    folder = tmp_path_factory.mktemp("data") / "drawn"
    dataset = datasets.read(made_models.draw_class_folders(folder, num_each=10))
    table = splits.assign(dataset.table)
    return candidates.Origin(
        "tiny-3", made_models.CONFIG, (dataset,), table, ("a note",), ({"epoch": 1, "loss": 1.5},)
    )


@pytest.fixture(scope="module")
def models_dir(network, origin, tmp_path_factory):
    """A models folder with this one candidate; only to be read."""
    folder = tmp_path_factory.mktemp("candidates") / "models"
    candidates.add(export.trained(network), origin, folder)
    return folder


@pytest.fixture
def card(models_dir):
    return store.read_card(models_dir / "tiny-3")


def test_candidate_passes_every_check_of_loading(models_dir, card):
    assert [path.name for path in models_dir.iterdir()] == ["tiny-3"]
    assert predict.load(models_dir / "tiny-3").card == card
    written = {path.name for path in (models_dir / "tiny-3").iterdir()}
    assert written == {*store.FILES, "card.json", "taught.npz"}


def test_candidate_keeps_which_photographs_it_was_taught(models_dir, origin):
    _, _, contents = store.read_files(models_dir / "tiny-3")
    found = training_ids.from_bytes(contents["taught.npz"])
    assert found.is_whole
    assert (found.holds(origin.table) == (origin.table["split"] == "train")).all()
    assert found.images.size == 28


def test_candidate_was_taught_what_the_model_before_it_was(network, origin, models_dir, tmp_path):
    shutil.copytree(models_dir, tmp_path / "models")
    half = origin.table.assign(
        image_id="new-" + origin.table["image_id"], lesion_id="l-" + origin.table["image_id"]
    )
    second = dataclasses.replace(origin, run_id="tiny-4", table=half, from_models=("tiny-3",))
    candidates.add(export.trained(network), second, tmp_path / "models")
    _, _, contents = store.read_files(tmp_path / "models" / "tiny-4")
    found = training_ids.from_bytes(contents["taught.npz"])
    for table in (origin.table, half):
        assert (found.holds(table) == (table["split"] == "train")).all()


def test_card_names_the_data_sets_of_all_models_before_it(network, origin, models_dir, tmp_path):
    models_dir = shutil.copytree(models_dir, tmp_path / "models")
    drawn = dataclasses.replace(origin.datasets[0], license="CC BY-NC 4.0")
    cards = {}
    for model_id, before, name in (
        ("first", (), "drawn"), ("second", ("first",), "clinic"), ("third", ("second",), "other"),
        ("fourth", ("third", "second"), "clinic"),
    ):  # fmt: skip
        made = dataclasses.replace(
            origin,
            run_id=model_id,
            datasets=(dataclasses.replace(drawn, name=name),),
            table=origin.table.assign(source=name),
            from_models=before,
        )
        cards[model_id] = candidates.add(export.trained(network), made, models_dir)
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
    _, _, lineage = provenance.read(models_dir, "third")
    assert lineage.names == {"drawn", "clinic", "other"}


def test_a_data_set_that_the_model_before_was_only_measured_on_is_not_inherited(
    network, origin, models_dir, tmp_path
):
    models_dir = shutil.copytree(models_dir, tmp_path / "models")
    measured = origin.table["split"] != "train"
    made = dataclasses.replace(
        origin,
        run_id="first",
        datasets=(*origin.datasets, dataclasses.replace(origin.datasets[0], name="held out")),
        table=origin.table.assign(source=origin.table["source"].mask(measured, "held out")),
    )
    candidates.add(export.trained(network), made, models_dir)
    clinic = dataclasses.replace(
        origin,
        run_id="second",
        datasets=(dataclasses.replace(origin.datasets[0], name="clinic"),),
        from_models=("first",),
    )
    card = candidates.add(export.trained(network), clinic, models_dir)
    assert [use.name for use in card.inherited_datasets] == ["drawn"]


def test_card_counts_photographs_by_split_and_diagnosis(card, origin):
    for split, number in {"train": 7, "val": 1, "test": 2}.items():
        expected = {code: number if code in PRESENT else 0 for code in CODES}
        assert card.class_counts[split] == expected
    (use,) = card.datasets
    assert (use.name, use.sha256) == ("drawn", origin.datasets[0].sha256)
    assert (use.num_train, use.num_val, use.num_test) == (28, 4, 8)
    assert card.notes == ("a note",)


def test_photograph_that_cannot_be_measured_is_not_counted(network, origin, tmp_path):
    table = origin.table.copy()
    row = table.index[(table["split"] == "test") & (table["diagnosis"] == "NV")][0]
    path = tmp_path / "cut.png"
    path.write_bytes(Path(table.loc[row, "path"]).read_bytes()[:500])
    table.loc[row, "path"] = str(path)
    damaged = dataclasses.replace(origin, run_id="tiny-5", table=table)
    card = candidates.add(export.trained(network), damaged, tmp_path / "models")
    assert card.class_counts["test"]["NV"] == 1
    assert card.datasets[0].num_test == 7
    assert sum("Left out" in note for note in card.notes) == 1


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


def test_card_names_what_made_the_model(card):
    assert card.versions["keras"] == keras.__version__
    assert card.versions["backend"] == "tensorflow"
    assert set(card.versions) == {"python", "keras", "numpy", "pillow", "backend", "tensorflow"}
    assert [point.target for point in card.operating_points] == [0.95, 0.90]
    assert card.has_saliency


def test_checksum_of_the_splits_changes_when_one_photograph_moves(card, origin):
    shuffled = origin.table.sample(frac=1, random_state=0)
    assert candidates.split_sha256(shuffled) == card.split_sha256
    moved = origin.table.copy()
    moved.loc[0, "split"] = "val" if moved.loc[0, "split"] == "train" else "train"
    assert candidates.split_sha256(moved) != card.split_sha256


def test_biases_and_temperature_are_fitted_on_validation_and_figures_are_of_the_test_split(
    models_dir, card, origin, network
):
    def logits_and_labels(split):
        rows = origin.table[origin.table["split"] == split]
        images = [reading.resize(reading.read(Path(p).read_bytes()), 32) for p in rows["path"]]
        labels = [CODES.index(code) for code in rows["diagnosis"]]
        return np.asarray(network(np.stack(images).astype(np.float32))), np.array(labels)

    logits, labels = logits_and_labels("val")
    class_bias = calibration.fit_class_bias(logits, labels)
    assert np.ptp(class_bias) > 0.1
    np.testing.assert_allclose(card.class_bias, class_bias, atol=1e-3)
    temperature = calibration.fit_temperature(logits + class_bias, labels)
    assert card.temperature == pytest.approx(temperature, rel=1e-3)
    logits, labels = logits_and_labels("test")
    logits = logits + class_bias
    accuracy = card.figures["all"]["accuracy"]
    assert accuracy.num_photographs == 8
    nine = calibration.probabilities(logits, card.temperature)
    sums = [
        nine[:, [CODES.index(c) for c in codes]].sum(axis=1) for codes in SEVEN_CLASSES.values()
    ]
    called = [list(SEVEN_CLASSES.values())[k] for k in np.argmax(sums, axis=0)]
    hits = [CODES[label] in codes for label, codes in zip(labels, called, strict=True)]
    assert accuracy.value == pytest.approx(np.mean(hits))


def test_golden_inputs_are_drawn_lesions_and_what_keras_says_of_them(models_dir, card, network):
    with np.load(models_dir / "tiny-3" / "golden.npz") as golden:
        images, probabilities = golden["images"], golden["probabilities"]
    np.testing.assert_array_equal(
        images[1], reading.resize(synthetic.lesion(1, kind=synthetic.KINDS[1]), 32)
    )
    logits = np.asarray(network(images.astype(np.float32))) + card.class_bias
    expected = calibration.probabilities(logits, card.temperature)
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)


def test_class_biases_stand_in_the_last_layer_of_every_file(models_dir, card, network):
    kernel, bias = architectures.head(network)
    with np.load(models_dir / "tiny-3" / "head.npz") as head:
        np.testing.assert_array_equal(head["kernel"], kernel)
        np.testing.assert_allclose(head["bias"], bias + card.class_bias, atol=1e-5)
    on_disk = architectures.build("tiny", 32, len(CODES))
    architectures.load_weights(on_disk, models_dir / "tiny-3" / "network.weights.h5")
    np.testing.assert_allclose(architectures.head(on_disk)[1], bias + card.class_bias, atol=1e-5)


def test_diagnosis_that_was_never_taught_calibrates_nothing(network, origin, tmp_path):
    """By its photographs in validation every temperature and bias would be wrong."""
    silent = architectures.build("tiny", 32, len(CODES))
    bias = np.where(np.array(CODES) == "VASC", -1000.0, architectures.head(network)[1])
    silent.set_weights(network.get_weights())
    architectures.set_bias(silent, bias)
    card = candidates.add(export.trained(silent), origin, tmp_path)
    without = origin.table[(origin.table["diagnosis"] != "VASC") | (origin.table["split"] != "val")]
    expected = candidates.add(
        export.trained(silent),
        dataclasses.replace(origin, table=without, run_id="without"),
        tmp_path,
    )
    assert (card.class_bias, card.temperature) == (expected.class_bias, expected.temperature)
    assert card.operating_points == expected.operating_points
    assert np.abs(card.class_bias).max() < 2
    assert card.class_counts["val"]["VASC"] == 0
    assert card.class_counts["test"]["VASC"] == 2
    assert (
        "Left out of validation, as the last layer can never give their diagnosis: 1." in card.notes
    )
    assert not [note for note in expected.notes if note.startswith("Left out of validation")]


def test_progress_counts_to_all_photographs_that_are_measured(network, origin, tmp_path):
    told = []
    candidates.add(
        export.trained(network),
        origin,
        tmp_path,
        lambda phase, **facts: told.append((phase, facts)),
    )
    assert ("measuring", {"done": 12, "total": 12}) in told
    assert [phase for phase, facts in told if not facts] == [
        "exporting", "calibrating", "choosing the threshold", "evaluating", "saving",
    ]  # fmt: skip


class Stopped(BaseException):
    """Ctrl-C, in the midst of it."""


@pytest.mark.parametrize("error", [OSError("No space left on device"), Stopped()])
@pytest.mark.parametrize("step", ["head.npz", "measuring", "adding"])
def test_nothing_half_built_is_left_after_a_failure(
    network, origin, tmp_path, monkeypatch, step, error
):
    def fail(*args, **kwargs):
        raise error

    place, name = {
        "head.npz": (architectures, "head"),
        "measuring": (candidates.evaluate, "score"),
        "adding": (candidates.registry, "add"),
    }[step]
    # The conversion itself takes seconds, and is not what fails here.
    monkeypatch.setattr(architectures, "export", lambda network, path: path.touch())
    served = SimpleNamespace(bias=np.zeros(len(CODES)))
    monkeypatch.setattr(candidates.predict, "read_network", lambda *files: served)
    if step == "adding":
        monkeypatch.setattr(candidates, "_build", fail)
    monkeypatch.setattr(place, name, fail)
    with pytest.raises(type(error)):
        candidates.add(export.trained(network), origin, tmp_path / "models")
    assert not list((tmp_path / "models").iterdir())


def test_second_model_of_the_same_name_is_refused_and_the_first_one_kept(
    network, origin, models_dir, card
):
    with pytest.raises(ModelError, match="a model of this name exists"):
        candidates.add(export.trained(network), origin, models_dir)
    assert [path.name for path in models_dir.iterdir()] == ["tiny-3"]
    assert predict.load(models_dir / "tiny-3").card == card


def test_damaged_test_photograph_is_named_on_the_card(network, tmp_path):
    folder = made_models.draw_class_folders(tmp_path / "drawn", num_each=10)
    dataset = datasets.read(folder)
    table = splits.assign(dataset.table)
    victim = table[(table["split"] == "test") & (table["diagnosis"] == "NV")].iloc[0]
    with open(victim["path"], "r+b") as file:
        file.truncate(400)
    origin = candidates.Origin("tiny-4", made_models.CONFIG, (dataset,), table, ())
    card = candidates.add(export.trained(network), origin, tmp_path / "models")
    assert len(card.notes) == 1
    assert victim["image_id"] in card.notes[0]
    assert card.figures["all"]["accuracy"].num_photographs == 7


def test_nothing_to_measure_is_refused(network, origin, tmp_path):
    table = origin.table.assign(split="train")
    empty = candidates.Origin("tiny-5", origin.config, origin.datasets, table, ())
    with pytest.raises(DatasetError):
        candidates.add(export.trained(network), empty, tmp_path)
    assert not list(tmp_path.iterdir())


def test_evaluation_has_a_row_for_each_photograph_held_out(models_dir, origin):
    record = json.loads((models_dir / "tiny-3" / "evaluation.json").read_text())
    held = set(origin.table.loc[origin.table["split"] != "train", "image_id"])
    assert held == {row["image_id"] for row in record["rows"]}
