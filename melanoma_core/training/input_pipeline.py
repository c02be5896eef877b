"""From a table of images to seeded batches for training."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from melanoma_core.data.balance import draw_rows
from melanoma_core.errors import DatasetError, ImageError
from melanoma_core.images import reading
from melanoma_core.images.augmentations import augment
from melanoma_core.runs.configs import TrainConfig


def read_images(
    table: pd.DataFrame, image_size: int, on_progress: Callable[[int, int], None] | None = None
) -> tuple[NDArray[np.uint8], pd.DataFrame, list[str]]:
    """Every photograph of a table, squashed to a square, in memory.

    A photograph that cannot be read is left out and named, so that one bad file neither stops a
    run nor goes unnoticed.

    Args:
        table: has `image_id` and `path`.
        image_size: pixels a side.
        on_progress: called with (number read, number in all).

    Returns:
        images (N, image_size, image_size, 3) uint8; the table's rows that they belong to; one
        line for each photograph left out.

    Raises:
        DatasetError: not one photograph can be read.
    """
    images = np.empty((len(table), image_size, image_size, 3), np.uint8)
    refused: dict[int, str] = {}

    def read(row: int) -> None:
        path = Path(table["path"].iloc[row])
        try:
            images[row] = reading.resize(reading.read_file(path), image_size)
        except ImageError as error:
            refused[row] = str(error)

    with ThreadPoolExecutor() as pool:
        for num_read, _ in enumerate(pool.map(read, range(len(table))), start=1):
            if on_progress and (num_read % 200 == 0 or num_read == len(table)):
                on_progress(num_read, len(table))
    if len(refused) == len(table):
        raise DatasetError(
            f"None of the {len(table)} photographs can be read. The first: "
            f"{refused.get(0, 'there is none')}"
        )
    kept = [row for row in range(len(table)) if row not in refused]
    reasons = [refused[row] for row in sorted(refused)]
    return (images[kept] if refused else images), table.iloc[kept].reset_index(drop=True), reasons


class EpochBatches(keras.utils.PyDataset):
    """The batches of one epoch, a function of the run's seed and the epoch alone.

    A stopped run therefore sees, once resumed, the very views it would have seen.
    """

    def __init__(
        self,
        images: NDArray[np.uint8],
        labels: NDArray[np.int64],
        num_classes: int,
        config: TrainConfig,
        epoch: int,
        weight_of_class: NDArray[np.float64] | None = None,
        targets: NDArray[np.float32] | None = None,
    ) -> None:
        """Take images (N, S, S, 3), labels (N,) from 0, and, if wanted, loss weights (C,).

        `targets` (N, C) are taught in place of the one-hot labels.
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
        share = rng.beta(alpha, alpha, size=num_views).astype(np.float32)
        mixed = []
        for part in parts:
            kept = share.reshape(-1, *[1] * (part.ndim - 1))
            mixed.append(kept * part + (1 - kept) * part[others])
        return mixed
