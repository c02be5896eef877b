"""Training the decoder that draws the lesion's outline, on a network that stays as it is."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray
from PIL import Image

from melanoma_core.images.augmentations import AugmentConfig, augment_with_mask
from melanoma_core.networks import outline_decoder
from melanoma_core.training import fitting
from melanoma_core.training.recipes import Report

EPOCHS = 4
_BATCH_SIZE = 16
_LEARNING_RATE = 2e-3  # peak, after the warm-up
_PATIENCE = 3  # epochs without a better Dice
# Wider than for diagnosis: other archives show lesions smaller, larger and less central. No piece
# is cut out, as it would be asked to be inside an outline that cannot be seen.
_AUGMENTATION = AugmentConfig(
    scale=0.4, shift=0.15, brightness=0.3, contrast=0.3, saturation=0.3, hue_degrees=15, blur=2.0,
    cutout=0.0, dark_corners=0.45,
)  # fmt: skip


def fit(
    network: keras.Model,
    train: tuple[Sequence[NDArray[np.uint8]], Sequence[NDArray[np.bool_]]],
    val: tuple[Sequence[NDArray[np.uint8]], Sequence[NDArray[np.bool_]]],
    seed: int,
    report: Report = print,
    num_epochs: int = EPOCHS,
    on_epoch: Callable[[int, int], None] | None = None,
) -> keras.Model:
    """A decoder for this network, with the weights of the epoch that agrees best on validation.

    Args:
        network: as `architectures.build` gives it, trained; it is not changed.
        train: N images (S, S, 3) and as many masks (S, S).
        val: likewise, for the choice of the epoch.
        seed: same data, seed and machine: same weights.
        report: is given a line an epoch.
        num_epochs: at most so many.
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
    val_masks = np.stack([_share_inside(mask, height, width) for mask in val[1]]) >= 0.5
    best, best_dice, num_worse = decoder.get_weights(), -1.0, 0
    with _frozen(network):
        model = keras.Model(network.input, outline_decoder.outline(network, decoder))
        _compile(model, num_epochs * -(-len(train[0]) // _BATCH_SIZE))
        for epoch in range(num_epochs):
            started = time.monotonic()
            batches = _EpochBatches(*train, (height, width), seed, epoch)
            loss = model.fit(batches, shuffle=False, verbose=0).history["loss"][0]
            predicted = model.predict(val_images, batch_size=_BATCH_SIZE, verbose=0) > 0
            mean_dice = float(np.mean([*map(dice, predicted, val_masks)]))
            report(
                f"outline: epoch {epoch + 1}  loss {loss:.4g}  val_dice {mean_dice:.4f}  "
                f"seconds {time.monotonic() - started:.0f}"
            )
            if on_epoch is not None:
                on_epoch(epoch + 1, num_epochs)
            num_worse += 1
            if mean_dice > best_dice:
                best, best_dice, num_worse = decoder.get_weights(), mean_dice, 0
            if num_worse == _PATIENCE:
                break
    decoder.set_weights(best)
    return decoder


def dice(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Agreement of two masks (H, W): twice their overlap over their areas; 1 if both are empty.

    >>> dice(np.array([[True, True, False]]), np.array([[False, True, False]]))
    0.6666666666666666
    """
    areas = int(first.sum()) + int(second.sum())
    return 2 * int((first & second).sum()) / areas if areas else 1.0


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


class _EpochBatches(keras.utils.PyDataset):
    """The batches of one epoch in a random order; they depend on the seed and the epoch alone."""

    def __init__(
        self,
        images: Sequence[NDArray[np.uint8]],
        masks: Sequence[NDArray[np.bool_]],
        size: tuple[int, int],
        seed: int,
        epoch: int,
    ) -> None:
        super().__init__(workers=2, use_multiprocessing=False, max_queue_size=16)
        self._images, self._masks, self._size = images, masks, size
        self._seed, self._epoch = seed, epoch
        self._rows = np.random.default_rng((seed, epoch)).permutation(len(images))

    def __len__(self) -> int:
        return -(-len(self._rows) // _BATCH_SIZE)

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Images (B, S, S, 3), and the share of each pixel (B, h, w) that is inside."""
        images, shares = [], []
        for row in self._rows[index * _BATCH_SIZE : (index + 1) * _BATCH_SIZE]:
            image, mask = augment_with_mask(
                self._images[row],
                self._masks[row],
                (self._seed, self._epoch, int(row)),
                _AUGMENTATION,
            )
            images.append(image)
            shares.append(_share_inside(mask, *self._size))
        return np.stack(images), np.stack(shares)


def _share_inside(mask: NDArray[np.bool_], height: int, width: int) -> NDArray[np.float32]:
    """The mask (H, W) averaged down to (height, width)."""
    whole = Image.fromarray(mask.astype(np.float32))
    return np.asarray(whole.resize((width, height), Image.Resampling.BOX), np.float32)
