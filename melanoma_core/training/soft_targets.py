"""Soft targets: what other networks, which never saw a photograph, say of it; taught beside labels.

Out-of-fold probabilities tell how typical a lesion is of its diagnosis; a network that is taught
them learns less by heart (Hinton et al., 2015; Furlanello et al., ICML 2018).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from melanoma_core.data import csv_tables
from melanoma_core.diagnoses import CODES
from melanoma_core.errors import DatasetError, RunError
from melanoma_core.paths import sha256

_ROUNDING = 0.01  # how far from 1 the probabilities of a row may add up to


@dataclass(frozen=True)
class SoftTargets:
    """Probabilities of photographs, as a file gave them."""

    name: str  # of the file
    sha256: str  # of its bytes
    by_image: dict[str, tuple[float, ...]]  # by image id; in the order of `CODES`

    def check_held_out(self, image_ids_held_out: Sequence[str]) -> None:
        """Refuse soft targets of photographs that are to be measured on.

        Networks that speak of these were divided otherwise, and may have learned from others.

        Raises:
            RunError: the file names a photograph that is held out.
        """
        named = [image_id for image_id in image_ids_held_out if image_id in self.by_image]
        if named:
            raise RunError(
                f"{self.name} names {len(named):,} photographs that are held out here (the first "
                f"is {named[0]}): its networks were taught by another division, and may know what "
                "is measured on. Give soft targets made with this division of the photographs."
            )

    def mixed(
        self, image_ids: Sequence[str], labels: ArrayLike, share: float
    ) -> tuple[NDArray[np.float32], int]:
        """What is taught of each image: its label, and by `share` the soft target.

        Args:
            image_ids: (N,).
            labels: (N,) positions in `CODES`.
            share: of the soft target, 0 to 1; the label is the rest.

        Returns:
            (N, C), rows that add up to 1; and of how many images there is no soft target, so that
            the label alone is taught.
        """
        taught = np.eye(len(CODES))[np.asarray(labels)]
        rows = [row for row, image_id in enumerate(image_ids) if image_id in self.by_image]
        if rows:
            soft = np.array([self.by_image[image_ids[row]] for row in rows])
            soft /= soft.sum(axis=1, keepdims=True)
            taught[rows] = share * soft + (1 - share) * taught[rows]
        return taught.astype(np.float32), len(image_ids) - len(rows)


def read(path: Path) -> SoftTargets:
    """A CSV file with the column image_id and one of probabilities for each diagnosis code.

    Raises:
        DatasetError: the file cannot be read, lacks a column, names an image twice, or holds
            something else than probabilities that add up to 1.
    """
    sheet = csv_tables.read(path, path.name)
    columns = [code.lower() for code in CODES]
    sheet.require("image_id", *columns)
    by_image: dict[str, tuple[float, ...]] = {}
    for line, cells in sheet.records():
        image_id = cells["image_id"]
        if image_id in by_image:
            raise DatasetError(
                f"{sheet.name}, line {line}: {image_id} stands there a second time. "
                "Take one of its rows out."
            )
        values = [
            csv_tables.parse_number(cells[column], f"{sheet.name}, line {line}, {column}")
            for column in columns
        ]
        shares = tuple(math.nan if value is None else value for value in values)
        if not (min(shares) >= 0 and abs(sum(shares) - 1) <= _ROUNDING):
            raise DatasetError(
                f"{sheet.name}, line {line}: the probabilities of {image_id} add up to "
                f"{sum(shares):g}, or one is missing or below 0. Give nine that add up to 1."
            )
        by_image[image_id] = shares
    return SoftTargets(path.name, sha256(path.read_bytes()), by_image)
