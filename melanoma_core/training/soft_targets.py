"""Teacher probabilities: out-of-fold predictions of other networks as soft targets (distillation).

They say how typical a lesion is of its diagnosis; a network trained on them memorizes less (Hinton
et al., 2015; Furlanello et al., ICML 2018).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from melanoma_core.data import csv_tables
from melanoma_core.diagnoses import CODES, LABELS
from melanoma_core.errors import DatasetError, RunError
from melanoma_core.paths import sha256

_ROUNDING = 0.01  # how far from 1 the probabilities of a row may sum to


@dataclass(frozen=True)
class TeacherProbs:
    """Probabilities by photograph, from a file."""

    name: str  # of the file
    sha256: str  # of its bytes
    by_image: dict[str, tuple[float, ...]]  # by image id; in the order of `CODES`

    def check_held_out(self, image_ids_held_out: Sequence[str]) -> None:
        """Refuse teacher probabilities of photographs that are held out.

        The teachers were then trained on another division, perhaps on the held-out photographs.

        Raises:
            RunError: the file names a photograph that is held out.
        """
        leaked = [image_id for image_id in image_ids_held_out if image_id in self.by_image]
        if leaked:
            raise RunError(
                f"{self.name} names {len(leaked):,} photographs that are held out here (the first "
                f"is {leaked[0]}), so its networks may have been trained on what is to be "
                "measured. Give teacher probabilities made with this division of the photographs."
            )

    def mix(
        self, image_ids: Sequence[str], labels: ArrayLike, weight: float
    ) -> tuple[NDArray[np.float32], int]:
        """Targets: the mean of one-hot label and teacher probabilities.

        Args:
            image_ids: (N,).
            labels: (N,) positions in `LABELS`.
            weight: of the teacher probabilities, 0 to 1.

        Returns:
            (N, 10), rows that sum to 1, in the order of `LABELS`; and the number of images without
            teacher probabilities, whose target is the label alone.
        """
        targets = np.eye(len(LABELS))[np.asarray(labels)]
        rows = [row for row, image_id in enumerate(image_ids) if image_id in self.by_image]
        if rows:
            soft = np.array([self.by_image[image_ids[row]] for row in rows])
            soft /= soft.sum(axis=1, keepdims=True)
            targets[rows] *= 1 - weight
            targets[rows, : len(CODES)] += weight * soft
        return targets.astype(np.float32), len(image_ids) - len(rows)


def read(path: Path) -> TeacherProbs:
    """Read a CSV file with the column image_id and one column for each diagnosis code.

    Raises:
        DatasetError: the file cannot be read, lacks a column, names an image twice, or holds
            something else than probabilities that sum to 1.
    """
    sheet = csv_tables.read(path, path.name)
    columns = [code.lower() for code in CODES]
    sheet.require("image_id", *columns)
    by_image: dict[str, tuple[float, ...]] = {}
    for line, cells in sheet.records():
        image_id = cells["image_id"]
        if image_id in by_image:
            raise DatasetError(
                f"{sheet.name}, line {line}: {image_id} is listed twice. Remove one of its rows."
            )
        values = [
            csv_tables.parse_number(cells[column], f"{sheet.name}, line {line}, {column}")
            for column in columns
        ]
        probs = tuple(math.nan if value is None else value for value in values)
        if not (min(probs) >= 0 and abs(sum(probs) - 1) <= _ROUNDING):
            raise DatasetError(
                f"{sheet.name}, line {line}: the probabilities of {image_id} sum to "
                f"{sum(probs):g}, or one is missing or below 0. Give nine that sum to 1."
            )
        by_image[image_id] = probs
    return TeacherProbs(path.name, sha256(path.read_bytes()), by_image)
