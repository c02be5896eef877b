"""Training the decoder that draws the lesion's outline, on a network that stays as it is."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from melanoma_core.data import outline_files
from melanoma_core.errors import DatasetError
from melanoma_core.images import outlines
from melanoma_core.images.augmentations import AugmentConfig
from melanoma_core.networks import outline_decoder
from melanoma_core.runs import plans
from melanoma_core.runs.training_data import TrainingData
from melanoma_core.training import fitting, input_pipeline
from melanoma_core.training.input_pipeline import OutlineBatches
from melanoma_core.training.recipes import Report

# Of thousands of outlines. After 4 of HAM10000's the mean Dice on validation was 0.934 and rising.
_EPOCHS = 8
_LEAST_STEPS = 400  # of fewer, so many batches
_LEARNING_RATE = 2e-3  # peak, after the warm-up
# Wider than for diagnosis: other archives show lesions smaller, larger and less central. No piece
# is cut out, as it would be asked to be inside an outline that cannot be seen.
_AUGMENTATION = AugmentConfig(
    scale=0.4, shift=0.15, brightness=0.3, contrast=0.3, saturation=0.3, hue_degrees=15, blur=2.0,
    cutout=0.0, dark_corners=0.45,
)  # fmt: skip


def fit_from_files(
    network: keras.Model,
    path: Path,
    data: TrainingData,
    seed: int,
    run_dir: Path,
    report: Report = print,
) -> keras.Model:
    """A decoder from the outlines that a folder or zip has of a run's photographs.

    Args:
        network: as in `fit`.
        path: as in `outline_files.find`.
        data: of the run; photographs without an outline are left out.
        seed: as in `fit`.
        run_dir: the run's own folder, whose status shows the progress.
        report: as in `fit`.

    Raises:
        DatasetError: there are no outlines, or none of a split.
        ImageError: an outline cannot be read.
        RunError: the network has no feature map.
    """
    files = outline_files.find(path)
    parts = []
    for split in ("train", "val"):
        rows = data.split(split)
        rows = rows[rows["image_id"].isin(files.keys())]
        if rows.empty:
            raise DatasetError(
                f"{path.name} has no outline of a photograph in the {split} split. Give the "
                "outlines of these data sets, or train without."
            )
        images = data.images_of(rows)
        masks = [
            outlines.resize(outlines.read_file(files[image_id]), *image.shape[:2])
            for image_id, image in zip(rows["image_id"], images, strict=True)
        ]
        parts.append((images, masks))
    train, val = parts
    report(f"Training the decoder on {len(train[0]):,} outlines; {len(val[0]):,} for validation.")

    def on_epoch(done: int, total: int) -> None:
        plans.write_status(run_dir, "outlining", done=done, total=total)

    plans.write_status(run_dir, "outlining")
    return fit(network, train, val, seed, report, on_epoch=on_epoch)


def fit(
    network: keras.Model,
    train: tuple[Sequence[NDArray[np.uint8]], Sequence[NDArray[np.bool_]]],
    val: tuple[Sequence[NDArray[np.uint8]], Sequence[NDArray[np.bool_]]],
    seed: int,
    report: Report = print,
    num_epochs: int | None = None,
    on_epoch: Callable[[int, int], None] | None = None,
) -> keras.Model:
    """A decoder for this network, with the weights of the epoch that agrees best on validation.

    Args:
        network: as `architectures.build` gives it, trained; it is not changed.
        train: N images (S, S, 3) and as many masks (S, S).
        val: likewise, for the choice of the epoch.
        seed: same data, seed and machine: same weights.
        report: is given a line an epoch.
        num_epochs: passes over the photographs; by default as many as suffice.
        on_epoch: is told how many epochs are done, of how many.

    Returns:
        As `outline_decoder.build` gives it.

    Raises:
        RunError: the network has no feature map.
    """
    fitting.make_repeatable(seed)
    decoder = outline_decoder.build(network)
    height, width = decoder.output_shape[1:]
    val_images = np.stack(val[0])
    val_masks = [input_pipeline.share_inside(mask, height, width) >= 0.5 for mask in val[1]]
    best, best_dice = decoder.get_weights(), -1.0
    num_steps = -(-len(train[0]) // OutlineBatches.SIZE)
    num_epochs = num_epochs or max(_EPOCHS, -(-_LEAST_STEPS // num_steps))
    with _frozen(network):
        model = keras.Model(network.input, outline_decoder.outline(network, decoder))
        _compile(model, num_epochs * num_steps)
        for epoch in range(num_epochs):
            started = time.monotonic()
            batches = OutlineBatches(*train, (height, width), _AUGMENTATION, (seed, epoch))
            loss = model.fit(batches, shuffle=False, verbose=0).history["loss"][0]
            predicted = model.predict(val_images, batch_size=OutlineBatches.SIZE, verbose=0) > 0
            mean_dice = float(np.mean([*map(outlines.dice, predicted, val_masks)]))
            report(
                f"outline: epoch {epoch + 1}  loss {loss:.4g}  val_dice {mean_dice:.4f}  "
                f"seconds {time.monotonic() - started:.0f}"
            )
            if on_epoch is not None:
                on_epoch(epoch + 1, num_epochs)
            if mean_dice > best_dice:
                best, best_dice = decoder.get_weights(), mean_dice
    decoder.set_weights(best)
    return decoder


@contextlib.contextmanager
def _frozen(network: keras.Model) -> Iterator[None]:
    """Keep every weight, and batch normalization at its moving moments."""
    before = [(layer, layer.trainable) for layer in network.layers]
    network.trainable = False
    try:
        yield
    finally:
        network.trainable = True
        for layer, was_trainable in before:
            layer.trainable = was_trainable


def _compile(model: keras.Model, num_steps: int) -> None:
    warmup_steps = num_steps // 20
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, num_steps - warmup_steps, warmup_target=_LEARNING_RATE, warmup_steps=warmup_steps
    )
    model.compile(
        optimizer=keras.optimizers.AdamW(schedule, weight_decay=1e-4), loss=_loss, jit_compile=False
    )


def _loss(y_true: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    """Cross-entropy and soft Dice, (N,) of (N, h, w): the first by pixel, the second by lesion."""
    axes = (1, 2)
    entropy = ops.mean(ops.binary_crossentropy(y_true, logits, from_logits=True), axis=axes)
    inside = ops.sigmoid(logits)
    overlap = ops.sum(y_true * inside, axis=axes)
    areas = ops.sum(y_true, axis=axes) + ops.sum(inside, axis=axes)
    return entropy + 1 - (2 * overlap + 1) / (areas + 1)
