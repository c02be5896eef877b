"""The training loop: epoch by epoch on photographs in memory, resumable after a kill."""

import math
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from melanoma_core.data import balance
from melanoma_core.errors import RunError, RunStopped
from melanoma_core.evaluation import evaluate
from melanoma_core.runs import plans
from melanoma_core.runs.configs import TrainConfig
from melanoma_core.training import checkpoints
from melanoma_core.training.input_pipeline import EpochBatches
from melanoma_core.training.label_loss import label_crossentropy
from melanoma_core.training.recipes import Report

# TensorFlow reads it before its first operation. Its plain allocator gives the memory of every
# large tensor back to the system; allocating it again cost a third of the training time.
os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")


def make_repeatable(seed: int) -> None:
    """Same data, seed and machine: the same weights. Call before the network is built."""
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def fit(
    network: keras.Model,
    train: tuple[Sequence[NDArray[np.uint8]], NDArray[np.int64]],
    val: tuple[Sequence[NDArray[np.uint8]], NDArray[np.int64]],
    config: TrainConfig,
    run_dir: Path,
    report: Report = print,
    targets: NDArray[np.float32] | None = None,
) -> list[dict[str, Any]]:
    """Train `network` in place, from the run's newest whole checkpoint if there is one.

    Args:
        network: as `architectures.build` gives it.
        train: N images (S, S, 3) and labels (N,) from 0, to draw epochs by.
        val: the same for validation; monitored only: the learning rate falls to zero, so the last
            epoch is the one to keep.
        config: the settings.
        run_dir: an existing folder; status, history and checkpoints are written here.
        report: is given a line about each epoch.
        targets: (N, C) in place of the one-hot labels of `train`; (N, C + 1) in the order of
            `LABELS` where some are not named.

    Returns:
        One dict per finished epoch: epoch (from 1), loss, val_loss, val_accuracy,
        val_balanced_accuracy, val_macro_auroc, val_melanoma_auroc, seconds.

    Raises:
        RunError: the loss is not finite.
        RunStopped: the run was asked to stop, and epochs are left to do.
    """
    images, labels = train
    num_classes = network.output_shape[-1]
    counts = np.bincount(labels, minlength=num_classes)
    num_drawn = int(balance.planned_counts(counts, config.balance, config.balance_by).sum())
    steps_per_epoch = math.ceil(num_drawn / config.batch_size)
    is_named = targets is None or targets.shape[1] == num_classes
    _compile(network, config, steps_per_epoch, is_named)
    state, notes = checkpoints.restore(run_dir / "checkpoint", network)
    for note in notes:
        report(note)
    history: list[dict[str, Any]] = state["history"] if state else []
    if history:
        report(f"Resuming after epoch {len(history)} of {config.epochs}.")
    weights = _loss_weights(counts, config)
    val_images, val_labels = np.array(val[0]), val[1]

    for epoch in range(len(history), config.epochs):
        started = time.monotonic()
        progress = _Progress(run_dir, epoch, config.epochs, steps_per_epoch, report)
        fitted = network.fit(
            EpochBatches(images, labels, num_classes, config, epoch, weights, targets),
            shuffle=False,  # the batches are drawn already
            verbose=0,
            callbacks=[progress],
        )
        _check_loss(float(fitted.history["loss"][0]), epoch + 1)
        figures = _validate(network, val_images, val_labels)
        row = {"epoch": epoch + 1, "loss": float(fitted.history["loss"][0]), **figures}
        row["seconds"] = round(time.monotonic() - started, 1)
        history.append(row)
        checkpoints.save(run_dir / "checkpoint", network, {"epoch": epoch + 1, "history": history})
        plans.write_history(run_dir, history)
        report("  ".join(f"{name} {value:.4g}" for name, value in row.items()))
        if plans.is_asked_to_stop(run_dir) and len(history) < config.epochs:
            raise RunStopped(
                f"The run “{run_dir.name}” stopped after epoch {len(history)} of {config.epochs}, "
                "as asked. Nothing is lost: start it again with the same folder to resume."
            )
    return history


def prior_shift(
    counts: NDArray[np.int64], config: TrainConfig, real_counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """From the class proportions that epochs show to the real ones, in logits.

    See `balance.prior_shift`.

    Args:
        counts: (10,) training files of each label, from which epochs are drawn.
        config: the settings of the training.
        real_counts: (10,) training photographs of each label.

    Returns:
        (9,) 0 for a diagnosis without photographs.
    """
    seen = balance.planned_counts(counts, config.balance, config.balance_by).astype(np.float64)
    weights = _loss_weights(counts, config)
    if weights is not None:
        seen *= weights
    return balance.prior_shift(balance.by_diagnosis(seen), balance.by_diagnosis(real_counts))


def _loss_weights(counts: NDArray[np.int64], config: TrainConfig) -> NDArray[np.float64] | None:
    """Weight of each class in the loss; None where all weigh the same."""
    if config.class_weights:
        return balance.class_weights(counts)
    return balance.class_weights(counts, config.balance) if config.balance_by == "weights" else None


def _compile(
    network: keras.Model, config: TrainConfig, steps_per_epoch: int, is_named: bool
) -> None:
    warmup_steps = round(config.warmup_epochs * steps_per_epoch)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        decay_steps=max(1, config.epochs * steps_per_epoch - warmup_steps),
        warmup_target=config.learning_rate,
        warmup_steps=warmup_steps,
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=config.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])
    network.compile(
        optimizer=optimizer,
        loss=keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=config.label_smoothing
        )
        if is_named
        else label_crossentropy(config.label_smoothing),
        jit_compile=False,  # XLA was 1.5 to 5 times slower on processors
    )
    optimizer.build(network.trainable_variables)


def _check_loss(loss: float, epoch: int) -> None:
    if not math.isfinite(loss):
        raise RunError(
            f"The loss is {loss} after epoch {epoch}, so training cannot continue. Start a run "
            "with a lower learning rate."
        )


def _validate(
    network: keras.Model, images: NDArray[np.uint8], labels: NDArray[np.int64]
) -> dict[str, float]:
    if len(labels) == 0:
        return {}
    return evaluate.validation_figures(network.predict(images, batch_size=64, verbose=0), labels)


class _Progress(keras.callbacks.Callback):
    """Writes the run's status every few seconds, and reports it twice a minute."""

    _SECONDS_BETWEEN = 2.0
    _SECONDS_BETWEEN_REPORTS = 30.0

    def __init__(
        self, run_dir: Path, epoch: int, num_epochs: int, num_steps: int, report: Report
    ) -> None:
        super().__init__()
        self._run_dir, self._epoch, self._report = run_dir, epoch, report
        self._num_epochs, self._num_steps = num_epochs, num_steps
        self._written, self._reported = 0.0, time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Say that the first step, which builds the graph, takes a while."""
        plans.write_status(
            self._run_dir, "compiling", epoch=self._epoch + 1, num_epochs=self._num_epochs
        )

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Say how far the epoch is, and how long the rest will take."""
        now = time.monotonic()
        if batch == 0:
            self._first_step_ended = now
        if now - self._written < self._SECONDS_BETWEEN or batch == 0:
            return
        self._written = now
        seconds_a_step = (now - self._first_step_ended) / batch
        epochs_left = self._num_epochs - self._epoch - (batch + 1) / self._num_steps
        seconds_left = round(epochs_left * self._num_steps * seconds_a_step)
        phase = f"epoch {self._epoch + 1} of {self._num_epochs}"
        plans.write_status(
            self._run_dir,
            phase,
            epoch=self._epoch + 1,
            num_epochs=self._num_epochs,
            step=batch + 1,
            num_steps=self._num_steps,
            loss=float((logs or {}).get("loss", math.nan)),
            seconds_left=seconds_left,
        )
        if now - self._reported >= self._SECONDS_BETWEEN_REPORTS:
            self._reported = now
            self._report(
                f"  step {batch + 1} of {self._num_steps} of {phase}, "
                f"about {math.ceil(seconds_left / 60)} min left"
            )
