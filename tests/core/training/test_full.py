"""A whole run: data in, a candidate out that answers as the network that was trained."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest

from melanoma_core import paths
from melanoma_core.diagnoses import CODES
from melanoma_core.errors import DatasetError, ModelError, RunError, RunStopped
from melanoma_core.images import color_casts, reading, synthetic
from melanoma_core.metrics import calibration
from melanoma_core.models import artifacts, predict, store
from melanoma_core.runs import locks
from melanoma_core.runs.configs import TrainConfig
from melanoma_core.runs.plans import RunPlan
from melanoma_core.training import checkpoints, train
from tests.support import altered_models, made_models

CORRUPT = "nevus_005"  # in the training split


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Drawn lesions, 4 a kind to train on but 1 vascular lesion; one nevus is cut off."""
    folder = made_models.draw_class_folders(tmp_path_factory.mktemp("data") / "drawn", num_each=8)
    path = folder / "nevus" / f"{CORRUPT}.png"
    path.write_bytes(path.read_bytes()[:500])
    for number in (5, 6, 7):
        (folder / "vascular lesion" / f"vascular_lesion_{number:03d}.png").unlink()
    return folder


def split_file(path, dataset, **changes):
    """Of each kind the first two photographs for val, the next two for test; `changes` by id."""
    rows = []
    for image in sorted(dataset.rglob("*.png")):
        number = int(image.stem[-3:])
        split = "val" if number < 2 else "test" if number < 4 else "train"
        rows.append((image.stem, "", "", changes.get(image.stem, split)))
    columns = ["image_id", "lesion_id", "group_id", "split"]
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False)
    return str(path)


@pytest.fixture(scope="module")
def plan(dataset, tmp_path_factory):
    splits = split_file(tmp_path_factory.mktemp("splits") / "splits.csv", dataset)
    return RunPlan(made_models.CONFIG, (str(dataset),), splits, None)


@pytest.fixture(scope="module")
def run(plan, tmp_path_factory):
    """One finished run: its folders, card, lines, and the network as it was given away."""
    root = tmp_path_factory.mktemp("run")
    lines, given = [], []
    trained = train.exports.trained
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            train.exports, "trained", lambda network: given.append(network) or trained(network)
        )
        card = train.train(plan, root / "tiny-7", root / "models", lines.append)
    return SimpleNamespace(
        dir=root / "tiny-7",
        models_dir=root / "models",
        card=card,
        network=given[0],
        lines=lines,
    )


def status(run_dir):
    return json.loads((run_dir / "status.json").read_text())


def test_served_model_gives_the_logits_of_the_network_that_was_trained(run):
    model = predict.load(run.models_dir / run.card.model_id)
    answers = []
    for seed, kind in enumerate(synthetic.KINDS):
        photograph = synthetic.lesion(100 + seed, (90, 120), kind)
        prediction = predict.classify(model, photograph)
        batch = reading.resize(photograph, 32)[np.newaxis].astype(np.float32)
        logits = np.asarray(run.network(batch, training=False))[0] + run.card.class_bias
        np.testing.assert_allclose(prediction.logits, logits, atol=1e-4)
        np.testing.assert_allclose(
            prediction.probabilities,
            calibration.probabilities(logits, run.card.temperature),
            atol=1e-5,
        )
        answers.append(logits)
    assert np.ptp(answers, axis=0).max() > 1e-2  # the network does tell photographs apart


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


def test_candidate_is_not_in_use_by_itself(run):
    assert store.champion(run.models_dir) is None


def test_corrupt_photograph_is_named_before_the_first_epoch_and_on_the_card(run):
    named = [k for k, line in enumerate(run.lines) if CORRUPT in line]
    epochs = [k for k, line in enumerate(run.lines) if line.startswith("epoch 1")]
    assert len(named) == len(epochs) == 1
    assert named[0] < epochs[0]
    assert [CORRUPT in note for note in run.card.notes].count(True) == 1


def test_weights_on_disk_are_those_of_the_network(run):
    kernel, bias = train.networks.head(run.network)
    built = train.networks.build("tiny", 32, len(CODES))
    built.load_weights(run.models_dir / "tiny-7" / "network.weights.h5")
    on_disk = train.networks.head(built)
    np.testing.assert_array_equal(on_disk[0], kernel)
    np.testing.assert_allclose(on_disk[1], bias + run.card.class_bias, atol=1e-5)


def test_prior_is_that_of_the_photographs_that_were_read(run):
    """Read are 4, 3, 4 and 1; drawn by square roots are 4, 3, 3 and 2 of twelve."""
    _, bias = train.networks.head(run.network)
    with np.load(run.dir / "checkpoint" / "epoch-0001" / "arrays.npz") as trained:
        (before, *_) = (trained[name] for name in trained.files if trained[name].shape == (9,))
    expected = np.zeros(len(CODES))
    expected[[CODES.index("BCC"), CODES.index("VASC")]] = np.log(4 / 3), np.log(1 / 2)
    np.testing.assert_allclose(bias - before, expected, atol=1e-5)


def test_finished_run_given_again_is_refused_because_its_model_exists(run, plan, tmp_path):
    copy = shutil.copytree(run.dir, tmp_path / run.dir.name)
    with pytest.raises(ModelError, match="a model of this name exists"):
        train.train(plan, copy, run.models_dir, lambda line: None)
    assert status(copy) == status(run.dir)  # it stays a finished run
    assert [path.name for path in run.models_dir.glob("*/")] == ["tiny-7"]
    assert store.read_card(run.models_dir / "tiny-7") == run.card


def test_run_that_another_process_is_at_work_on_is_refused_and_left_alone(run, plan, tmp_path):
    before = status(run.dir)
    with locks.lock(run.dir), pytest.raises(RunError, match="another process is at work"):
        train.train(plan, run.dir, tmp_path / "models", print)
    assert status(run.dir) == before


@pytest.mark.parametrize("name", ["My run", "-run", "r" * 81])
def test_run_whose_name_no_model_can_have_is_refused_before_anything_is_made(plan, tmp_path, name):
    with pytest.raises(ModelError, match=f"cannot be called “{name}”"):
        train.train(plan, tmp_path / name, tmp_path / "models", print)
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
            train.train(other, run.dir, tmp_path / "models")
    assert status(run.dir) == before


# Runs that fail


def fails(plan, tmp_path, error, words):
    """The run fails with these words, its status tells them, and no model is left."""
    with pytest.raises(error, match=words) as caught:
        train.train(plan, tmp_path / "run-1", tmp_path / "models", lambda line: None)
    told = status(tmp_path / "run-1")
    assert told["phase"] == "failed"
    assert told["reason"] == str(caught.value)
    assert not list((tmp_path / "models").glob("*/"))


@pytest.fixture
def untrained(monkeypatch):
    """No epoch may be trained: what is wrong is said before."""

    def fit(*args, **kwargs):
        raise AssertionError("an epoch was trained")

    monkeypatch.setattr(keras.Model, "fit", fit)


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize("split", ["val", "test"])
def test_split_without_melanoma_is_refused(dataset, plan, tmp_path, split):
    first = 0 if split == "val" else 2
    moved = {f"melanoma_{number:03d}": "train" for number in (first, first + 1)}
    splits = split_file(tmp_path / "splits.csv", dataset, **moved)
    words = f"The {split} split holds BCC, NV, VASC; it needs melanoma"
    fails(replace(plan, splits=splits), tmp_path, DatasetError, words)


@pytest.mark.usefixtures("untrained")
def test_split_of_melanoma_alone_is_refused(dataset, plan, tmp_path):
    kinds = ("nevus", "basal_cell_carcinoma", "vascular_lesion")
    moved = {f"{kind}_{number:03d}": "train" for kind in kinds for number in (0, 1)}
    splits = split_file(tmp_path / "splits.csv", dataset, **moved)
    words = "The val split holds MEL; .*one other diagnosis"
    fails(replace(plan, splits=splits), tmp_path, DatasetError, words)


@pytest.mark.usefixtures("untrained")
def test_mobilenet_without_weights_is_refused(plan, tmp_path):
    config = replace(plan.config, network="mobilenet_v2")
    fails(
        replace(plan, config=config), tmp_path, RunError, "starts from ImageNet weights.*--weights"
    )


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize("network", ["mobilenet_v2_and_efficientnet_lite0", "tiny_and_tiny"])
@pytest.mark.parametrize("weights", [None, "a.weights.h5"])
def test_network_of_two_models_is_joined_rather_than_trained_from_weights(
    network, weights, plan, tmp_path
):
    plan = replace(plan, config=replace(plan.config, network=network), weights=weights)
    fails(plan, tmp_path, RunError, f"{network} is made of two models.*--join")


@pytest.mark.usefixtures("untrained")
def test_weights_that_are_not_there_are_refused_before_photographs_are_read(
    plan, tmp_path, monkeypatch
):
    monkeypatch.setattr(train, "prepare", lambda *a: pytest.fail("photographs were read"))
    config = replace(plan.config, network="mobilenet_v2")
    plan = replace(plan, config=config, weights=str(tmp_path / "absent.weights.h5"))
    fails(plan, tmp_path, RunError, r"no file “absent\.weights\.h5”")


@pytest.mark.usefixtures("untrained")
def test_weights_for_a_network_that_starts_from_nothing_are_refused(plan, tmp_path):
    plan = replace(plan, weights=str(tmp_path / "imagenet.weights.h5"))
    fails(plan, tmp_path, RunError, r"starts from nothing and cannot use “imagenet")


def test_card_names_the_weights_that_training_started_from(plan, tmp_path, monkeypatch):
    asks = replace(train.NETWORKS["tiny"], needs_weights=True)
    monkeypatch.setitem(train.NETWORKS, "tiny", asks)
    network = train.networks.build("tiny", 32, len(CODES))
    backbone = keras.Model(network.input, network.get_layer("features").input)
    path = tmp_path / "taught-elsewhere.weights.h5"
    backbone.save_weights(path)
    begun = replace(plan, weights=str(path))
    card = train.train(begun, tmp_path / "tiny-9", tmp_path / "models", lambda line: None)
    digest = paths.sha256(path.read_bytes())[:12]
    assert card.notes[0] == (
        f"Training started from the weights in taught-elsewhere.weights.h5 (SHA-256 {digest}…)."
    )


# Going on from a model


def test_training_goes_on_from_the_weights_of_a_model(run, dataset, plan, tmp_path):
    models_dir = shutil.copytree(run.models_dir, tmp_path / "models")
    # What was held out from the model may be measured in another way, or be taught now.
    moved = {"melanoma_000": "test", "nevus_002": "val", "nevus_001": "train"}
    plan = replace(plan, splits=split_file(tmp_path / "splits.csv", dataset, **moved))
    still = replace(plan.config, learning_rate=1e-12, weight_decay=0.0, image_size=64, seed=3)
    plan = replace(plan, config=still, from_model="tiny-7")
    told = []
    card = train.train(plan, tmp_path / "tiny-8", models_dir, told.append)
    heads = [np.load(models_dir / name / "head.npz") for name in ("tiny-7", "tiny-8")]
    np.testing.assert_allclose(*(head["kernel"] for head in heads), atol=1e-6)
    # Other shares than the real ones are taught, and that is undone once, not twice.
    (moved_by,) = [line for line in told if line.startswith("Bias moved")]
    assert max(map(abs, json.loads(moved_by.split(" by ")[1].rstrip(".")))) > 0.01
    biases = [
        head["bias"] - store.read_card(models_dir / name).class_bias
        for head, name in zip(heads, ("tiny-7", "tiny-8"), strict=True)
    ]
    first = store.read_card(models_dir / "tiny-7").class_bias
    np.testing.assert_allclose(biases[0] + first, biases[1], atol=1e-5)
    assert card.image_size == 64
    assert card.notes[0] == "Training went on from the model tiny-7."


def test_limits_of_colors_come_from_what_is_taught_and_stay_where_training_goes_on(
    run, plan, tmp_path
):
    models_dir = shutil.copytree(run.models_dir, tmp_path / "models")
    limited = replace(plan, config=replace(plan.config, clamp_color_cast=True))
    card = train.train(limited, tmp_path / "tiny-10", models_dir, lambda line: None)
    taught = [
        color_casts.cast(reading.resize(reading.read_file(path), 32))
        for path in sorted(Path(plan.datasets[0]).rglob("*.png"))
        if int(path.stem[-3:]) >= 4 and path.stem != CORRUPT
    ]
    assert card.color_cast_limits == color_casts.limits(taught)
    assert run.card.color_cast_limits == ()
    onward = replace(plan, from_model="tiny-10")
    after = train.train(onward, tmp_path / "tiny-11", models_dir, lambda line: None)
    assert after.color_cast_limits == card.color_cast_limits


def test_share_of_the_start_is_mixed_into_the_weights(run, plan, tmp_path):
    kernels = []
    for share in (0.0, 0.25):
        models_dir = shutil.copytree(run.models_dir, tmp_path / f"models-{share}")
        config = replace(plan.config, init_weight=share, seed=3)
        other = replace(plan, config=config, from_model="tiny-7")
        train.train(other, tmp_path / f"tiny-{share}", models_dir, lambda line: None)
        kernels.append(np.load(models_dir / f"tiny-{share}" / "head.npz")["kernel"])
    start = np.load(run.models_dir / "tiny-7" / "head.npz")["kernel"]
    assert np.abs(kernels[0] - start).max() > 1e-3
    np.testing.assert_allclose(kernels[1], 0.25 * start + 0.75 * kernels[0], atol=1e-6)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_diagnosis_that_the_model_could_never_give_is_learned(run, plan, tmp_path, share):
    """As after quick training without a photograph of it: its bias there is -1,000."""
    models_dir = shutil.copytree(run.models_dir, tmp_path / "models")
    content = (models_dir / "tiny-7" / "network.weights.h5").read_bytes()
    head = altered_models.arrays_of(models_dir / "tiny-7" / "head.npz")
    silent = np.isin(CODES, ["VASC", "DF"])  # the one is taught now, the other is not
    bias = np.where(silent, -1000.0, head["bias"]).astype(np.float32)
    files = {
        "network.weights.h5": artifacts.with_head(content, head["kernel"], bias),
        "head.npz": altered_models.npz(kernel=head["kernel"], bias=bias),
    }
    altered_models.add(models_dir, "tiny-7", "silent", files)
    config = replace(plan.config, init_weight=share)
    plan = replace(plan, config=config, from_model="silent")
    card = train.train(plan, tmp_path / "on", models_dir)
    bias = altered_models.arrays_of(models_dir / "on" / "head.npz")["bias"]
    assert bias[CODES.index("VASC")] > -10
    assert bias[CODES.index("DF")] == -1000
    # The label is smoothed over all diagnoses: 0.05 / 9 of a loss of 1,000 would be 5.6.
    assert card.history[0]["loss"] < 4


def soft_file(path, image_ids, diagnosis):
    """A file that says the same diagnosis of all of these photographs."""
    row = ",".join("1" if code == diagnosis else "0" for code in CODES)
    lines = [f"image_id,{','.join(CODES)}", *(f"{image_id},{row}" for image_id in image_ids)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_soft_targets_are_taught_by_their_share(run, plan, tmp_path):
    """Told of every photograph that it is a vascular lesion, the network learns to say so."""
    taught = [f"{kind}_{k:03d}" for kind in ("melanoma", "nevus") for k in range(4, 8)]
    shares = {}
    for share in (0.0, 0.9):
        path = soft_file(tmp_path / "soft.csv", taught, "VASC")
        config = replace(plan.config, distill_weight=share, learning_rate=0.05)
        soft = replace(plan, config=config, soft_targets=str(path))
        models_dir = tmp_path / f"models-{share}"
        card = train.train(soft, tmp_path / f"tiny-{share}", models_dir, lambda line: None)
        model = predict.load(models_dir / card.model_id)
        said = predict.classify(model, synthetic.lesion(0, (64, 64), "melanoma"))
        shares[share] = said.logits[CODES.index("VASC")] - said.logits[CODES.index("MEL")]
        (note,) = [note for note in card.notes if note.startswith("Taught by")]
        assert note.startswith(f"Taught by {share:g} what other networks say of a photograph (soft")
        assert card.config["distill_weight"] == share
    assert shares[0.9] > shares[0.0] + 0.2


def test_run_goes_on_with_the_very_soft_targets_that_it_began_with(plan, tmp_path, monkeypatch):
    path = soft_file(tmp_path / "soft.csv", ["melanoma_005"], "VASC")
    soft = replace(
        plan, config=replace(plan.config, epochs=2, distill_weight=0.5), soft_targets=str(path)
    )
    monkeypatch.setattr(train.fitting.runs, "is_asked_to_stop", lambda run_dir: True)
    with pytest.raises(RunStopped):
        train.train(soft, tmp_path / "run-1", tmp_path / "models", lambda line: None)
    soft_file(path, ["melanoma_005"], "NV")
    with pytest.raises(RunError, match="have changed since its first epochs"):
        train.train(soft, tmp_path / "run-1", tmp_path / "models", lambda line: None)


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize("held_out", ["melanoma_001", "nevus_003"])  # for validation, for the test
def test_soft_targets_of_photographs_that_are_held_out_are_refused(held_out, plan, tmp_path):
    path = soft_file(tmp_path / "soft.csv", ["melanoma_005", held_out], "VASC")
    plan = replace(plan, config=replace(plan.config, distill_weight=0.5), soft_targets=str(path))
    fails(plan, tmp_path, RunError, f"names 1 photographs that are held out.*{held_out}")


@pytest.mark.usefixtures("untrained")
def test_share_of_soft_targets_that_are_not_named_is_refused(plan, tmp_path):
    plan = replace(plan, config=replace(plan.config, distill_weight=0.5))
    fails(plan, tmp_path, RunError, "no file of soft targets was named")


@pytest.mark.usefixtures("untrained")
def test_share_of_a_start_that_is_not_named_is_refused(plan, tmp_path):
    plan = replace(plan, config=replace(plan.config, init_weight=0.5))
    fails(plan, tmp_path, RunError, "no model to go on from was named")


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"from_model": "absent"}, ModelError, "There is no model “absent”"),
        ({"from_model": "tiny-7", "weights": "a.weights.h5"}, RunError, "cannot start both"),
    ],
)
def test_model_to_go_on_from_must_be_there_and_the_only_start(
    run, plan, tmp_path, changes, error, words
):
    with pytest.raises(error, match=words):
        train.train(replace(plan, **changes), tmp_path / "run-1", run.models_dir, print)


@pytest.mark.usefixtures("untrained")
def test_photographs_that_the_model_was_taught_are_not_measured_on(
    run, dataset, plan, tmp_path, monkeypatch
):
    monkeypatch.setattr(
        train.input_pipeline, "read_images", lambda *a: pytest.fail("photographs were read")
    )
    moved = {"nevus_004": "test", "melanoma_006": "val"}
    splits = split_file(tmp_path / "splits.csv", dataset, **moved)
    with pytest.raises(
        RunError,
        match=r"Of the 18 .* 2 were not held out from .* “tiny-7” \(melanoma_006, nevus_004\)",
    ):
        train.train(
            replace(plan, splits=splits, from_model="tiny-7"),
            tmp_path / "run-1",
            run.models_dir,
            lambda line: None,
        )
    assert status(tmp_path / "run-1")["phase"] == "failed"


@pytest.mark.usefixtures("untrained")
def test_model_of_another_network_is_no_start(run, plan, tmp_path):
    config = replace(plan.config, network="starting_cnn")
    other = replace(plan, config=config, from_model="tiny-7")
    with pytest.raises(RunError, match="“tiny-7” is a tiny, not a starting_cnn"):
        train.train(other, tmp_path / "run-1", run.models_dir, print)


def test_full_disk_is_told_and_the_run_can_go_on(plan, tmp_path, monkeypatch):
    write = checkpoints._write_synced

    def full(path, data):
        write(path, data[:10])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(checkpoints, "_write_synced", full)
        fails(plan, tmp_path, RunError, "“run-1” stopped.*No space left on device.*goes on")
    assert not list((tmp_path / "run-1" / "checkpoint").iterdir())
    train.train(plan, tmp_path / "run-1", tmp_path / "models", lambda line: None)
    assert status(tmp_path / "run-1")["phase"] == "finished"


@pytest.mark.usefixtures("untrained")
def test_without_a_split_file_the_seed_draws_the_splits(dataset, plan, tmp_path):
    def drawn(name, seed):
        run_dir = tmp_path / name
        run_dir.mkdir()
        config = replace(plan.config, seed=seed)
        data = train.prepare(replace(plan, splits=None, config=config), run_dir, lambda line: None)
        return dict(zip(data.table["image_id"], data.table["split"], strict=True))

    assert drawn("a", 0) == drawn("b", 0) != drawn("c", 1)


def test_labels_are_positions_in_the_table_of_diagnoses(plan, tmp_path):
    data = train.prepare(plan, tmp_path, lambda line: None)
    names = [Path(path).parent.name for path in data.rows["val"]["path"]]
    expected = {"melanoma": 0, "nevus": 1, "basal cell carcinoma": 2, "vascular lesion": 8}
    assert data.labels("val").tolist() == [expected[name] for name in names]
    assert len(names) == len(data.images["val"]) == 8
    assert len(data.images["train"]) == 12


def test_photograph_of_two_sets_is_taught_in_both_files_but_counted_and_measured_once(tmp_path):
    """The second set has every photograph in its own, brighter file."""
    drawn = made_models.draw_class_folders(tmp_path / "drawn", num_each=6)
    rows = []
    for number, path in enumerate(sorted(drawn.rglob("*.png"))):
        image_id = f"ISIC_{number:07d}"
        rows.append(
            (image_id, "", "", ("train", "train", "train", "train", "val", "test")[number % 6])
        )
        image = reading.read_file(path)
        for name, pixels in (("first", image), ("second", np.maximum(image, 200))):
            file = tmp_path / name / path.parent.name / f"{image_id}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(reading.png(pixels))
    columns = ["image_id", "lesion_id", "group_id", "split"]
    splits = tmp_path / "splits.csv"
    pd.DataFrame(rows, columns=columns).to_csv(splits, index=False)
    sets = (str(tmp_path / "first"), str(tmp_path / "second"))
    lines = []
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    data = train.prepare(
        RunPlan(made_models.CONFIG, sets, str(splits), None), run_dir, lines.append
    )

    num_train = sum(row[3] == "train" for row in rows)
    assert len(data.images["train"]) == len(data.labels("train")) == 2 * num_train
    first, second = data.images["train"][:num_train], data.images["train"][num_train:]
    assert second.min() >= 199 > first.min()  # 199: resizing rounds
    np.testing.assert_array_equal(
        data.labels("train")[:num_train], data.labels("train")[num_train:]
    )
    assert len(data.photographs("train")) == num_train
    assert len(data.images["val"]) == sum(row[3] == "val" for row in rows)
    assert len(data.table) == len(rows)
    assert f"Taught in a further file as well, as another set has it: {num_train}." in lines
