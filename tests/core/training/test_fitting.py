"""Fitting: the same weights for the same seed, through any kill, and an exact prior shift."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from melanoma_core.diagnoses import CODES, LABELS
from melanoma_core.metrics import calibration
from melanoma_core.metrics.calibration import Calibration
from melanoma_core.networks import architectures
from melanoma_core.paths import sha256
from melanoma_core.runs.configs import TrainConfig
from melanoma_core.training import checkpoints, fitting
from melanoma_core.training.label_loss import label_crossentropy

PROJECT = Path(__file__).resolve().parents[3]
CONFIG = TrainConfig(
    network="tiny", image_size=32, epochs=3, batch_size=8, learning_rate=0.01, dropout=0.5, seed=1
)
NUM_STEPS = 3  # of 20 photographs in eights


def pictures(num_images, seed):
    """Noise of three kinds, told apart by their brightness."""
    labels = np.arange(num_images) % 3
    noise = np.random.default_rng(seed).integers(0, 90, (num_images, 32, 32, 3))
    return (noise + 80 * labels[:, None, None, None]).astype(np.uint8), labels


def fit(run_dir, config=CONFIG, report=lambda line: None):
    """The trained network and its history."""
    run_dir.mkdir(exist_ok=True)
    fitting.make_repeatable(config.seed)
    network = architectures.build(config.network, 32, 3, dropout=config.dropout)
    history = fitting.fit(network, pictures(20, 0), pictures(9, 1), config, run_dir, report)
    return network, history


def fit_until_killed(run_dir: str, moment: str) -> None:
    """In a child process: kill it, with no chance to tidy up, at the given moment."""
    if moment == "in the middle of epoch 3":
        step = fitting._Progress.on_train_batch_end

        def killed(progress, batch, logs=None):
            step(progress, batch, logs)
            if (progress._epoch, batch) == (2, NUM_STEPS - 2):
                os.kill(os.getpid(), signal.SIGKILL)

        fitting._Progress.on_train_batch_end = killed
    else:
        write = checkpoints._write_synced

        def killed(path, data):
            if Path(run_dir, "checkpoint", "epoch-0001").exists():
                write(path, data[: len(data) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            write(path, data)

        checkpoints._write_synced = killed
    fit(Path(run_dir))


def arrays(network):
    return [np.asarray(v) for v in (*network.weights, *network.optimizer.variables)]


def digest(network):
    return sha256(b"".join(array.tobytes() for array in arrays(network)))


def without_times(history):
    return [{name: row[name] for name in row if name != "seconds"} for row in history]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("unbroken")
    return (run_dir, *fit(run_dir))


@pytest.fixture(scope="module")
def killed_runs(tmp_path_factory):
    """Folder of a run killed at each moment, and the epochs that it had finished."""
    moments = {"in the middle of epoch 3": 2, "while it writes the checkpoint of epoch 2": 1}
    code = (
        "import sys; from tests.core.training import test_fitting; "
        "test_fitting.fit_until_killed(*sys.argv[1:])"
    )
    runs = {}
    for moment, num_finished in moments.items():
        run_dir = tmp_path_factory.mktemp("killed")
        child = subprocess.Popen(
            [sys.executable, "-c", code, str(run_dir), moment],
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
            stderr=subprocess.PIPE,
        )
        runs[num_finished] = (run_dir, child)
    for _, child in runs.values():
        _, errors = child.communicate(timeout=300)
        assert child.returncode == -signal.SIGKILL, errors.decode()
    return {num_finished: run_dir for num_finished, (run_dir, _) in runs.items()}


@pytest.mark.parametrize("num_finished", [1, 2])
def test_killed_run_resumes_to_the_very_weights_of_the_unbroken_one(
    num_finished, killed_runs, unbroken, tmp_path
):
    run_dir = shutil.copytree(killed_runs[num_finished], tmp_path / "run")
    finished = (run_dir / "history.jsonl").read_text().splitlines()
    assert len(finished) == num_finished
    lines = []
    network, history = fit(run_dir, report=lines.append)
    assert lines[0] == f"Resuming after epoch {num_finished} of 3."
    _, expected, expected_history = unbroken
    for got, wanted in zip(arrays(network), arrays(expected), strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert without_times(history) == without_times(expected_history)
    written = [json.loads(line) for line in (run_dir / "history.jsonl").read_text().splitlines()]
    assert written == history


def test_damaged_newest_checkpoint_costs_one_epoch_and_changes_nothing(
    killed_runs, unbroken, tmp_path
):
    run_dir = shutil.copytree(killed_runs[2], tmp_path / "run")
    newest = max((run_dir / "checkpoint").glob("epoch-*"))
    (newest / "arrays.npz").write_bytes(b"torn")
    lines = []
    network, history = fit(run_dir, report=lines.append)
    assert f"{newest.name} is damaged" in lines[0]
    assert lines[1] == f"Resuming after epoch {int(newest.name[-4:]) - 1} of 3."
    assert digest(network) == digest(unbroken[1])
    assert [row["epoch"] for row in history] == [1, 2, 3]


def test_same_seed_gives_the_same_weights_three_times_of_three(tmp_path, unbroken):
    digests = {digest(fit(tmp_path / name)[0]) for name in ("second", "third")}
    assert digests == {digest(unbroken[1])}


def test_another_seed_gives_other_weights(tmp_path, unbroken):
    config = replace(CONFIG, seed=2, epochs=1)
    network, _ = fit(tmp_path / "run", config)
    assert digest(network) != digest(unbroken[1])
    assert digest(network) != digest(fit(tmp_path / "other", replace(config, seed=3))[0])


def test_finished_run_is_not_trained_again(unbroken, monkeypatch):
    run_dir, network, history = unbroken

    def no_training(*args, **kwargs):
        raise AssertionError("an epoch was trained again")

    monkeypatch.setattr(keras.Model, "fit", no_training)
    again, same = fit(run_dir)
    assert same == history
    assert digest(again) == digest(network)


def test_network_learns_and_the_learning_rate_ends_at_zero(unbroken):
    _, network, history = unbroken
    assert history[-1]["loss"] < history[0]["loss"]
    assert float(network.optimizer.learning_rate) == pytest.approx(0, abs=1e-9)


def test_figures_of_validation_are_those_of_the_network(unbroken):
    _, network, history = unbroken
    images, labels = pictures(9, 1)
    y_prob = calibration.probabilities(np.asarray(network(images.astype(np.float32))))
    loss = -np.log(y_prob[np.arange(9), labels]).mean()
    assert history[-1]["val_loss"] == pytest.approx(loss, rel=1e-4)
    assert history[-1]["val_accuracy"] == (y_prob.argmax(axis=1) == labels).mean()


def test_status_says_how_far_the_epoch_is_and_how_long_the_rest_takes(tmp_path, monkeypatch):
    """Ten steps an epoch, ten seconds each: after step 3 of epoch 2 of 2, seven are left."""
    clock = iter([90.0, 100.0, 110.0, 120.0])
    monkeypatch.setattr(fitting.time, "monotonic", lambda: next(clock))
    lines = []
    progress = fitting._Progress(tmp_path, 1, num_epochs=2, num_steps=10, report=lines.append)
    progress.on_epoch_begin(0)
    assert json.loads((tmp_path / "status.json").read_text())["phase"] == "compiling"
    for batch in range(3):
        progress.on_train_batch_end(batch, {"loss": 0.25})
    status = json.loads((tmp_path / "status.json").read_text())
    assert status["phase"] == "epoch 2 of 2"
    assert (status["step"], status["num_steps"], status["loss"]) == (3, 10, 0.25)
    assert status["seconds_left"] == 70
    assert lines == ["  step 3 of 10 of epoch 2 of 2, about 2 min left"]  # after 30 seconds


# The prior


def of_labels(counts):
    """These counts of the first labels, and 0 of the others."""
    return np.pad(counts, (0, len(LABELS) - len(counts)))


def shift_of(counts, config):
    """The prior shift where each photograph is one file."""
    shift = fitting.prior_shift(of_labels(counts), config, of_labels(counts))
    assert not shift[len(counts) :].any()
    return shift[: len(counts)]


def test_prior_shift_by_hand():
    # Drawn 50 to 50; in truth 90 to 10. A class without photographs has no proportion to go to.
    shift = shift_of([90, 10, 0], replace(CONFIG, balance="even"))
    np.testing.assert_allclose(shift, [np.log(0.9 / 0.5), np.log(0.1 / 0.5), 0])


def test_prior_is_that_of_photographs_where_some_have_two_files():
    config = replace(CONFIG, balance="none")
    shift = fitting.prior_shift(of_labels([50, 50]), config, of_labels([80, 20]))
    np.testing.assert_allclose(shift[:2], np.log([0.8 / 0.5, 0.2 / 0.5]))


def test_run_that_changed_no_proportions_has_no_prior_shift():
    shift = shift_of([70, 30], replace(CONFIG, balance="none"))
    np.testing.assert_array_equal(shift, [0, 0])


def test_prior_of_weighted_classes_is_that_of_even_ones():
    counts = [60, 30, 10]
    weighted = replace(CONFIG, balance="none", class_weights=True)
    shift = shift_of(counts, weighted)
    np.testing.assert_allclose(shift, np.log(np.divide(counts, 100)) - np.log(1 / 3))


def test_copies_add_steps_and_the_learning_rate_still_ends_at_zero(tmp_path):
    config = replace(CONFIG, epochs=1, balance="floor:10", balance_by="copies")
    network, _ = fit(tmp_path / "run", config)
    assert int(network.optimizer.iterations) == 4  # of 30 views in eights
    assert float(network.optimizer.learning_rate) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("method", ["copies", "weights"])
def test_prior_shift_is_the_same_however_the_classes_were_balanced(method):
    config = replace(CONFIG, balance="even", balance_by=method)
    shift = shift_of([90, 10], config)
    np.testing.assert_allclose(shift, np.log([0.9 / 0.5, 0.1 / 0.5]))


@pytest.mark.parametrize(
    ("balance", "seen"), [("none", [0.9, 0.1]), ("sqrt", [0.75, 0.25]), ("even", [0.5, 0.5])]
)
def test_prior_shift_gives_the_exact_posterior_of_two_normal_classes(balance, seen):
    """Classes N(−1, 1) and N(1, 1): the logit of the second over the first is 2x + log(q2/q1)."""
    shift = shift_of([900, 100], replace(CONFIG, balance=balance))
    x = np.linspace(-4, 4, 33)[:, np.newaxis]
    likelihood = np.exp(-((x - np.array([-1, 1])) ** 2) / 2)
    joint = likelihood * (0.9, 0.1)
    posterior = joint / joint.sum(axis=1, keepdims=True)
    logits = x * [-1.0, 1.0] + np.log(seen)
    got = calibration.probabilities(logits, Calibration(prior_shift=tuple(shift)))
    np.testing.assert_allclose(got, posterior, atol=1e-12)


def test_benign_photographs_without_a_name_count_among_the_benign_diagnoses():
    counts = np.array([100, 300, 0, 0, 0, 0, 100, 0, 0, 500])  # MEL, NV, SK, and benign
    shift = fitting.prior_shift(counts, replace(CONFIG, balance="even"), counts)
    # Drawn a quarter each, so that nevus stands for 2/3 of the half that is shared out.
    drawn = {0: 0.25, 1: 0.25 + 0.125, 6: 0.25 + 0.125}
    real = {0: 0.1, 1: 0.3 + 0.375, 6: 0.1 + 0.125}
    expected = [np.log(real[k] / drawn[k]) if k in drawn else 0 for k in range(9)]
    np.testing.assert_allclose(shift, expected)


def test_loss_of_benign_is_that_of_the_sum_of_the_benign_diagnoses():
    logits = np.random.default_rng(0).normal(size=(3, 9)).astype(np.float32)
    prob = calibration.probabilities(logits)
    benign = prob[:, [1, 5, 6, 7, 8]].sum(axis=1)
    targets = np.zeros((3, 10), np.float32)
    targets[0, 9] = targets[1, 4] = 1
    targets[2, [0, 9]] = 0.3, 0.7
    expected = [
        -np.log(benign[0]),
        -np.log(prob[1, 4]),
        -0.3 * np.log(prob[2, 0]) - 0.7 * np.log(benign[2]),
    ]
    losses = label_crossentropy()(targets, keras.ops.convert_to_tensor(logits))
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    smoothed = label_crossentropy(0.1)(targets, keras.ops.convert_to_tensor(logits))
    even = -np.log(prob).mean(axis=1)
    np.testing.assert_allclose(smoothed, 0.9 * np.array(expected) + 0.1 * even, rtol=1e-5)


def test_network_learns_from_benign_without_a_name_what_it_is_not(tmp_path):
    images, kinds = pictures(24, 0)
    labels = np.where(kinds == 0, 0, len(CODES))  # dark: melanoma; all others: benign
    targets = np.eye(len(LABELS), dtype=np.float32)[labels]
    config = replace(CONFIG, epochs=6)
    fitting.make_repeatable(1)
    network = architectures.build(config.network, 32, len(CODES), dropout=0.0)
    history = fitting.fit(
        network, (images, labels), (images, labels), config, tmp_path, lambda line: None, targets
    )
    assert history[-1]["val_loss"] < 0.5 * history[0]["val_loss"]
    assert history[-1]["val_melanoma_auroc"] == 1
