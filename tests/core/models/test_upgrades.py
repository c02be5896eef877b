"""Models of an earlier form get the present one, with the same probabilities."""

import json
import shutil

import numpy as np
import pytest

from melanoma_core.errors import JournalError, ModelError
from melanoma_core.images import synthetic
from melanoma_core.metrics import calibration
from melanoma_core.metrics.calibration import Calibration
from melanoma_core.models import journal, predict, store, training_ids, upgrades
from melanoma_core.models.journal import Kind
from melanoma_core.paths import sha256
from tests.support import altered_models, earlier_models

LESIONS = [synthetic.lesion(seed, (96, 128), kind) for seed, kind in enumerate(synthetic.KINDS)]


@pytest.fixture
def models_dir(trained_models, tmp_path):
    """The tiny model and a copy of it, both of the earlier form; the first is the champion."""
    folder = shutil.copytree(trained_models, tmp_path / "models")
    altered_models.add(folder, "tiny-1", "tiny-2", {})
    for path in folder.glob("journal.*"):
        path.unlink()
    for model_id in ("tiny-1", "tiny-2"):
        earlier_models.bring_back(folder, model_id)
    earlier_models.write_champions(folder, "tiny-1", "tiny-2")
    return folder


def earlier_probabilities(directory):
    """What the earlier version of the program made of the files: bias as it is, temperature."""
    record = json.loads((directory / "card.json").read_bytes())
    content = [(directory / name).read_bytes() for name in ("network.tflite", "head.npz")]
    network = predict.read_network(*content)
    images = [predict.reading.resize(image, network.graph.image_size) for image in LESIONS]
    temperature = Calibration(record["temperature"])
    return calibration.probabilities(network.logits_of(images), temperature)


def probabilities(directory):
    model = predict.load(directory)
    return np.array([predict.classify(model, image).probabilities for image in LESIONS])


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def upgraded_rows(models_dir):
    """(model_id, card_sha256) of the journal's rows about upgrades."""
    return [
        (row.event.model_id, row.event.card_sha256)
        for row in journal.rows(models_dir)
        if row.event.kind == Kind.UPGRADED
    ]


def card_sha256(models_dir, model_id):
    return sha256((models_dir / model_id / "card.json").read_bytes())


def assert_whole(models_dir, *model_ids):
    """Each model passes its checks, has one row, and answers as champion.json expects."""
    for model_id in model_ids:
        predict.load(models_dir / model_id)
    rows = [(model_id, card_sha256(models_dir, model_id)) for model_id in model_ids]
    assert sorted(upgraded_rows(models_dir)) == sorted(rows)
    assert journal.verify(models_dir).problems == ()
    for entry in store.champions(models_dir):
        if entry.model_id in model_ids:
            predict.check_card(entry, card_sha256(models_dir, entry.model_id))
    assert not list(models_dir.glob(".upgrading-*"))
    assert not list(models_dir.glob(".building-*"))


def test_earlier_form_is_refused_before_the_upgrade(models_dir):
    with pytest.raises(ModelError, match="card cannot be read"):
        predict.load(models_dir / "tiny-1")


def test_upgrade_changes_no_probability_and_takes_the_class_bias_out_of_the_layer(models_dir):
    before = earlier_probabilities(models_dir / "tiny-1")
    head = altered_models.arrays_of(models_dir / "tiny-1" / "head.npz")
    weights = (models_dir / "tiny-1" / "network.weights.h5").read_bytes()
    earlier = json.loads((models_dir / "tiny-1" / "card.json").read_bytes())["class_bias"]
    assert upgrades.upgrade(models_dir, "Ada") == ["tiny-1", "tiny-2"]
    np.testing.assert_allclose(probabilities(models_dir / "tiny-1"), before, atol=1e-12, rtol=0)
    card = store.read_card(models_dir / "tiny-1")
    assert card.prior_shift == ()
    np.testing.assert_allclose(card.class_bias, earlier, atol=1e-6)
    after = altered_models.arrays_of(models_dir / "tiny-1" / "head.npz")
    np.testing.assert_array_equal(after["kernel"], head["kernel"])
    np.testing.assert_allclose(after["bias"], head["bias"] - earlier, atol=1e-6)
    assert np.abs(earlier).max() > 0.01
    assert (models_dir / "tiny-1" / "network.weights.h5").read_bytes() == weights
    assert_whole(models_dir, "tiny-1", "tiny-2")
    assert {row.event.who for row in journal.rows(models_dir)} == {"Ada"}


def test_champion_goes_on_answering_after_the_upgrade(models_dir):
    upgrades.upgrade(models_dir)
    model, problem = predict.load_champion(models_dir)
    assert (model.card.model_id, problem) == ("tiny-1", None)
    assert [entry.model_id for entry in store.champions(models_dir)] == ["tiny-1", "tiny-2"]
    assert store.champion(models_dir).since == "2026-11-22T17:47:15+00:00"


def test_champions_without_a_folder_are_dropped(models_dir):
    shutil.rmtree(models_dir / "tiny-2")
    upgrades.upgrade(models_dir)
    assert [entry.model_id for entry in store.champions(models_dir)] == ["tiny-1"]


def test_card_that_was_not_the_champions_before_is_not_after(models_dir):
    """An upgrade must not bless a model that took the place of the one that was promoted."""
    record = json.loads((models_dir / "tiny-1" / "card.json").read_bytes())
    earlier_models.seal(models_dir / "tiny-1", record | {"created": "2020-01-01"})
    upgrades.upgrade(models_dir)
    model, problem = predict.load_champion(models_dir)
    assert model.card.model_id == "tiny-2"
    assert "The card of “tiny-1” was changed" in problem


def test_second_upgrade_does_nothing(models_dir):
    upgrades.upgrade(models_dir)
    before = contents(models_dir)
    assert upgrades.upgrade(models_dir) == []
    assert contents(models_dir) == before


def test_models_of_the_present_form_are_left_alone(trained_models, tmp_path):
    folder = shutil.copytree(trained_models, tmp_path / "models")
    before = contents(folder)
    assert upgrades.upgrade(folder) == []
    assert contents(folder) == before
    assert upgrades.upgrade(tmp_path / "nowhere") == []


def test_model_without_class_bias_keeps_its_layer(models_dir):
    directory = models_dir / "tiny-1"
    record = json.loads((directory / "card.json").read_bytes())
    del record["class_bias"], record["inherited_datasets"], record["colour_limits"]
    earlier_models.seal(directory, record)
    before = earlier_probabilities(directory)
    head = (directory / "head.npz").read_bytes()
    upgrades.upgrade(models_dir)
    card = store.read_card(directory)
    assert (card.class_bias, card.inherited_datasets, card.color_cast_limits) == ((), (), ())
    assert (directory / "head.npz").read_bytes() == head
    np.testing.assert_allclose(probabilities(directory), before, atol=1e-12, rtol=0)


def test_masked_diagnosis_stays_masked(models_dir):
    directory = models_dir / "tiny-1"
    head = altered_models.arrays_of(directory / "head.npz")
    head["bias"][3] = -1000
    (directory / "head.npz").write_bytes(altered_models.npz(**head))
    expected = earlier_probabilities(directory)
    golden = altered_models.arrays_of(directory / "golden.npz")
    record = json.loads((directory / "card.json").read_bytes())
    network = predict.read_network(
        (directory / "network.tflite").read_bytes(), (directory / "head.npz").read_bytes()
    )
    golden["probabilities"] = calibration.probabilities(
        network.logits_of(golden["images"]), Calibration(record["temperature"])
    )
    (directory / "golden.npz").write_bytes(altered_models.npz(**golden))
    for name in ("head.npz", "golden.npz"):
        record["files"][name] = sha256((directory / name).read_bytes())
    earlier_models.seal(directory, record)
    upgrades.upgrade(models_dir)
    np.testing.assert_allclose(probabilities(directory), expected, atol=1e-12, rtol=0)
    assert expected[:, 3].max() == 0


def test_model_without_training_ids_gets_a_list_that_says_so(models_dir):
    directory = models_dir / "tiny-1"
    record = json.loads((directory / "card.json").read_bytes())
    del record["files"]["taught.npz"]
    (directory / "taught.npz").unlink()
    earlier_models.seal(directory, record)
    earlier_models.write_champions(models_dir, "tiny-1", "tiny-2")
    upgrades.upgrade(models_dir)
    ids = training_ids.from_bytes((directory / "training_ids.npz").read_bytes())
    assert not ids.is_whole
    assert ids.images.size == 0
    assert_whole(models_dir, "tiny-1", "tiny-2")


def test_training_ids_settings_and_words_are_carried_over(models_dir):
    directory = models_dir / "tiny-1"
    ids = (directory / "taught.npz").read_bytes()
    record = json.loads((directory / "card.json").read_bytes())
    record["config"] = {"calibrated_anew": "a", "limit_colours": True, "soft_share": 0.5,
                        "training": "none: calibrated and measured anew"}  # fmt: skip
    record["notes"] = ["The network is that of a, calibrated and measured anew.",
                       "ham: 2 files: A copy of a photograph that stays.",
                       "isic: 1 files: A published table says Melanoma, not Nevus."]  # fmt: skip
    earlier_models.seal(directory, record)
    upgrades.upgrade(models_dir)
    card, _, files = store.read_files(directory)
    assert files["training_ids.npz"] == ids
    assert card.config == {
        "recalibrated_from": "a", "clamp_color_cast": True, "distill_weight": 0.5,
        "training": "none: recalibrated",
    }  # fmt: skip
    assert card.notes == (
        "The network is that of a, recalibrated.",
        "ham: 2 files dropped: duplicate of a photograph that was kept.",
        "isic: 1 file relabeled: a published table says Melanoma, not Nevus.",
    )
    assert [use.name for use in card.datasets] == ["drawn"]


def damage_file(directory):
    path = directory / "network.weights.h5"
    path.write_bytes(path.read_bytes()[:-1])


def remove_file(directory):
    (directory / "golden.npz").unlink()


def edit_card(directory):
    text = (directory / "card.json").read_text()
    assert text.count('"image_size": 32') >= 1
    (directory / "card.json").write_text(text.replace('"threshold": 0.', '"threshold": 0.9', 1))


def cut_card(directory):
    path = directory / "card.json"
    path.write_bytes(path.read_bytes()[:200])


def change_answers(directory):
    """Every checksum is right, and the golden inputs are not."""
    record = json.loads((directory / "card.json").read_bytes())
    earlier_models.seal(directory, record | {"temperature": 2 * record["temperature"]})


@pytest.mark.parametrize("damage", [damage_file, remove_file, edit_card, cut_card, change_answers])
def test_damaged_model_is_refused_and_left_as_it_was_while_others_are_upgraded(models_dir, damage):
    damage(models_dir / "tiny-1")
    before = contents(models_dir / "tiny-1")
    with pytest.raises(ModelError, match="tiny-1"):
        upgrades.upgrade(models_dir)
    assert contents(models_dir / "tiny-1") == before
    assert_whole(models_dir, "tiny-2")
    with pytest.raises(ModelError, match="tiny-1"):
        upgrades.upgrade(models_dir)
    assert contents(models_dir / "tiny-1") == before


def test_model_is_upgraded_once_it_was_restored(models_dir):
    whole = (models_dir / "tiny-1" / "network.weights.h5").read_bytes()
    damage_file(models_dir / "tiny-1")
    with pytest.raises(ModelError):
        upgrades.upgrade(models_dir)
    (models_dir / "tiny-1" / "network.weights.h5").write_bytes(whole)
    assert upgrades.upgrade(models_dir) == ["tiny-1"]
    assert_whole(models_dir, "tiny-1", "tiny-2")
    model, problem = predict.load_champion(models_dir)
    assert (model.card.model_id, problem) == ("tiny-1", None)


class Killed(BaseException):
    """The process ends here."""


def kill(*args, **kwargs):
    raise Killed


@pytest.mark.parametrize(
    ("place", "name"),
    [
        (store, "add"),  # the model is aside, nothing is in its place
        (predict, "load"),  # the new one is in its place
        (upgrades, "_upgrade_champions"),
        (journal, "append"),
        (shutil, "rmtree"),  # all is recorded, the model is still aside
    ],
)
def test_upgrade_that_was_killed_is_finished_by_the_next_one(models_dir, monkeypatch, place, name):
    before = earlier_probabilities(models_dir / "tiny-1")
    with monkeypatch.context() as patched:
        patched.setattr(place, name, kill)
        with pytest.raises(Killed):
            upgrades.upgrade(models_dir)
    assert upgrades.upgrade(models_dir) == ["tiny-1", "tiny-2"]
    assert_whole(models_dir, "tiny-1", "tiny-2")
    np.testing.assert_allclose(probabilities(models_dir / "tiny-1"), before, atol=1e-12, rtol=0)
    assert predict.load_champion(models_dir)[1] is None


def test_model_that_a_killed_upgrade_left_aside_is_put_back(models_dir):
    """As after a kill between the two renames, when no code of this program can run any more."""
    (models_dir / "tiny-1").rename(models_dir / ".upgrading-tiny-1")
    assert upgrades.upgrade(models_dir) == ["tiny-1", "tiny-2"]
    assert_whole(models_dir, "tiny-1", "tiny-2")


def test_half_removed_earlier_model_is_removed_by_the_next_upgrade(models_dir, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", kill)
        with pytest.raises(Killed):
            upgrades.upgrade(models_dir)
    (models_dir / ".upgrading-tiny-1" / "card.json").unlink()
    upgrades.upgrade(models_dir)
    assert_whole(models_dir, "tiny-1", "tiny-2")


def test_row_that_the_journal_could_not_take_is_written_by_the_next_upgrade(
    models_dir, monkeypatch
):
    def full(*args):
        raise JournalError("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(journal, "append", full)
        with pytest.raises(JournalError):
            upgrades.upgrade(models_dir)
    upgrades.upgrade(models_dir)
    assert_whole(models_dir, "tiny-1", "tiny-2")


def test_damaged_champion_file_is_refused(models_dir):
    (models_dir / "champion.json").write_text("{")
    with pytest.raises(ModelError, match=r"champion\.json"):
        upgrades.upgrade(models_dir)
