"""Seeded batches of augmented photographs for training."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from melanoma_core.data.balance import draw_rows
from melanoma_core.images.augmentations import AugmentConfig, augment, augment_with_mask
from melanoma_core.runs.configs import TrainConfig


class EpochBatches(keras.utils.PyDataset):
    """The batches of one epoch; they depend on the run's seed and the epoch alone.

    So a resumed run sees the very views that it would have seen.
    """

    def __init__(
        self,
        images: Sequence[NDArray[np.uint8]],
        labels: NDArray[np.int64],
        num_classes: int,
        config: TrainConfig,
        epoch: int,
        weight_of_class: NDArray[np.float64] | None = None,
        targets: NDArray[np.float32] | None = None,
    ) -> None:
        """Take N images (S, S, 3), labels (N,) from 0, and loss weights (C,) if any.

        `targets` (N, C) take the place of the one-hot labels.
        """
        super().__init__(workers=2, use_multiprocessing=False, max_queue_size=16)
        self._images, self._labels = images, labels
        one_hot = np.eye(num_classes, dtype=np.float32)
        self._targets = one_hot[labels] if targets is None else targets
        self._config, self._epoch = config, epoch
        self._weight_of_class = weight_of_class
        self._rows = draw_rows(labels, config.balance, (config.seed, epoch), config.balance_by)

    def __len__(self) -> int:
        return -(-len(self._rows) // self._config.batch_size)

    def __getitem__(self, index: int) -> tuple[NDArray[Any], ...]:
        """Images (B, S, S, 3) in [0, 255], targets (B, C), and loss weights (B,) if any.

        The images are uint8, a quarter of the memory to move; float32 where they are blended.
        """
        start = index * self._config.batch_size
        stop = min(start + self._config.batch_size, len(self._rows))
        views = np.stack(
            [
                augment(
                    self._images[self._rows[position]],
                    # By position, not by row: a rare photograph drawn twice gives two views.
                    (self._config.seed, self._epoch, position),
                    self._config.augment,
                )
                for position in range(start, stop)
            ]
        )
        rows = self._rows[start:stop]
        parts: list[NDArray[Any]] = [views, self._targets[rows]]
        if self._weight_of_class is not None:
            parts.append(self._weight_of_class[self._labels[rows]].astype(np.float32))
        if self._config.mixup:
            parts = self._mix(parts, index)
        return tuple(parts)

    def _mix(self, parts: list[NDArray[Any]], index: int) -> list[NDArray[Any]]:
        """Blend each photograph and its label with another of the batch (Zhang et al., 2018)."""
        rng = np.random.default_rng((self._config.seed, self._epoch, index, 1))
        num_views = len(parts[0])
        others = rng.permutation(num_views)
        alpha = self._config.mixup
        weight = rng.beta(alpha, alpha, size=num_views).astype(np.float32)
        mixed = []
        for part in parts:
            factor = weight.reshape(-1, *[1] * (part.ndim - 1))
            mixed.append(factor * part + (1 - factor) * part[others])
        return mixed


class OutlineBatches(keras.utils.PyDataset):
    """The batches of one epoch for a decoder of outlines, in a random order of the photographs."""

    SIZE = 16  # photographs in a batch

    def __init__(
        self,
        images: Sequence[NDArray[np.uint8]],
        masks: Sequence[NDArray[np.bool_]],
        size: tuple[int, int],
        augment_config: AugmentConfig,
        seed: tuple[int, int],
    ) -> None:
        """Take N images (S, S, 3), masks (S, S), the outline's (h, w), and (run seed, epoch)."""
        super().__init__(workers=2, use_multiprocessing=False, max_queue_size=16)
        self._images, self._masks, self._size = images, masks, size
        self._config, self._seed = augment_config, seed
        self._rows = np.random.default_rng(seed).permutation(len(images))

    def __len__(self) -> int:
        return -(-len(self._rows) // self.SIZE)

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Images (B, S, S, 3), and the share of each pixel (B, h, w) that is inside."""
        images, shares = [], []
        for row in self._rows[index * self.SIZE : (index + 1) * self.SIZE]:
            image, mask = augment_with_mask(
                self._images[row], self._masks[row], (*self._seed, int(row)), self._config
            )
            images.append(image)
            shares.append(share_inside(mask, *self._size))
        return np.stack(images), np.stack(shares)


def share_inside(mask: NDArray[np.bool_], height: int, width: int) -> NDArray[np.float32]:
    """The mask (H, W) averaged down to (height, width)."""
    whole = Image.fromarray(mask.astype(np.float32))
    return np.asarray(whole.resize((width, height), Image.Resampling.BOX), np.float32)
