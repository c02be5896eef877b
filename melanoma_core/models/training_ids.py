"""IDs of a model's training images and lesions, used to keep them out of other models' test sets.

A model keeps checksums of them (`training_ids.npz`), its parents' included.
"""

import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from melanoma_core.data import schema
from melanoma_core.errors import ModelError

_DIGEST_BYTES = 8  # two of 100,000 ids share a checksum with a chance of one in 3 thousand million


@dataclass(frozen=True)
class TrainingIds:
    """Checksums of the ids of all training photographs and lesions of a model and its parents."""

    images: NDArray[np.uint64]  # (N,), rising
    lesions: NDArray[np.uint64]  # (M,), rising; those that have an id
    is_whole: bool = True  # False: of a parent they are not known

    def holds(self, table: pd.DataFrame) -> NDArray[np.bool_]:
        """(N,) True if the photograph, under any of its ids, or its lesion is among them.

        Args:
            table: columns image_id, source and lesion_id.
        """
        has_lesion = table["lesion_id"].notna().to_numpy()
        is_known = np.isin(_digests(table["lesion_id"].astype(str)), self.lesions) & has_lesion
        for ids in zip(*map(schema.possible_ids, table["image_id"], table["source"]), strict=True):
            is_known |= np.isin(_digests(ids), self.images)
        return np.asarray(is_known)


def of(table: pd.DataFrame) -> TrainingIds:
    """Those of a training table; columns image_id and lesion_id."""
    images, lesions = (
        np.unique(_digests(table[column].dropna())) for column in ("image_id", "lesion_id")
    )
    return TrainingIds(images, lesions)


def union(parts: Sequence[TrainingIds]) -> TrainingIds:
    """Those of a training and of its parents together; whole if each of them is.

    Args:
        parts: at least one.
    """
    return TrainingIds(
        np.unique(np.concatenate([part.images for part in parts])),
        np.unique(np.concatenate([part.lesions for part in parts])),
        all(part.is_whole for part in parts),
    )


def to_bytes(ids: TrainingIds) -> bytes:
    """The content of `training_ids.npz`."""
    file = io.BytesIO()
    np.savez(file, images=ids.images, lesions=ids.lesions, is_whole=np.array([ids.is_whole]))
    return file.getvalue()


def from_bytes(data: bytes) -> TrainingIds:
    """The ids that `to_bytes` wrote.

    Raises:
        ModelError: the bytes are something else.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            images, lesions = archive["images"], archive["lesions"]
            (is_whole,) = archive["is_whole"]
        if images.dtype != np.uint64 or lesions.dtype != np.uint64:
            raise ValueError(f"its checksums are of type {images.dtype} and {lesions.dtype}")
    except (
        OSError, EOFError, ValueError, TypeError, KeyError, zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        raise ModelError(
            f"The model’s list of training ids cannot be read ({error}). Restore its folder from a "
            "copy."
        ) from error
    return TrainingIds(images, lesions, bool(is_whole))


def _digests(ids: Iterable[str]) -> NDArray[np.uint64]:
    digests = (hashlib.sha256(str(name).encode()).digest()[:_DIGEST_BYTES] for name in ids)
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)
