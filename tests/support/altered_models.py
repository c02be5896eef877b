"""Copies of a model with some files or card fields replaced, and with correct checksums.

A test then reaches the check that it is about, and does not fail at a checksum before it.
"""

import dataclasses
import io
from pathlib import Path
from typing import Any

import numpy as np

from melanoma_core.models import store
from melanoma_core.models.cards import Card


def add(
    models_dir: Path, source_id: str, model_id: str, files: dict[str, bytes], **fields: Any
) -> Card:
    """Add a copy of `source_id` as `model_id`, with these files and card fields replaced."""
    source = models_dir / source_id
    building = store.building_dir(models_dir)
    for name in store.FILES:
        (building / name).write_bytes((source / name).read_bytes())
    for name, content in files.items():
        (building / name).write_bytes(content)
    card = dataclasses.replace(store.read_card(source), model_id=model_id, **fields)
    return store.read_card(store.add(models_dir, building, card))


def npz(**arrays: Any) -> bytes:
    """The content of an .npz file."""
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def arrays_of(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz file."""
    with np.load(path, allow_pickle=False) as archive:
        return dict(archive)
