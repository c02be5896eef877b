"""Which photographs and lesions a model was taught, so that no test of another one holds them.

A model keeps them as checksums of their ids (`training_ids.npz`), with those of the models that its
training went on from. Models of before keep no such list: of them it is not known.
"""

import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from melanoma_core.data import schema
from melanoma_core.errors import ModelError

_DIGEST_BYTES = 8  # two of 100,000 ids share a checksum with a chance of one in 3 thousand million


@dataclass(frozen=True)
class TrainingIds:
    """Checksums of the ids of all photographs and lesions that a model learned from."""

    images: NDArray[np.uint64]  # (N,), rising
    lesions: NDArray[np.uint64]  # (M,), rising; those that have an id
    is_whole: bool = True  # False: a model that training went on from keeps no list

    def holds(self, table: pd.DataFrame) -> NDArray[np.bool_]:
        """(N,) whether the photograph, under any of its ids, or its lesion was taught.

        Args:
            table: columns image_id, source and lesion_id.
        """
        known = table["lesion_id"].notna().to_numpy()
        is_taught = np.isin(_digests(table["lesion_id"].astype(str)), self.lesions) & known
        for ids in zip(*map(schema.possible_ids, table["image_id"], table["source"]), strict=True):
            is_taught |= np.isin(_digests(ids), self.images)
        return np.asarray(is_taught)


def of(table: pd.DataFrame) -> TrainingIds:
    """What a model is taught that learns from these rows; columns image_id and lesion_id."""
    images, lesions = (
        np.unique(_digests(table[column].dropna())) for column in ("image_id", "lesion_id")
    )
    return TrainingIds(images, lesions)


def after(before: TrainingIds | None, now: TrainingIds) -> TrainingIds:
    """What a model was taught that went on from another; None: of that one it is not known."""
    if before is None:
        return TrainingIds(now.images, now.lesions, is_whole=False)
    return TrainingIds(
        np.union1d(before.images, now.images),
        np.union1d(before.lesions, now.lesions),
        before.is_whole and now.is_whole,
    )


def to_bytes(found: TrainingIds) -> bytes:
    """The content of `training_ids.npz`."""
    file = io.BytesIO()
    np.savez(file, images=found.images, lesions=found.lesions, is_whole=np.array([found.is_whole]))
    return file.getvalue()


def from_bytes(data: bytes) -> TrainingIds:
    """What `to_bytes` wrote.

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
            f"The list of what a model was taught cannot be read ({error}). Restore its folder "
            "from a copy."
        ) from error
    return TrainingIds(images, lesions, bool(is_whole))


def _digests(ids: Iterable[str]) -> NDArray[np.uint64]:
    digests = (hashlib.sha256(str(name).encode()).digest()[:_DIGEST_BYTES] for name in ids)
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)
