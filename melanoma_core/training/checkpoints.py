"""Checkpoints that a killed run resumes from to the very same weights.

Keras' own BackupAndRestore neither writes atomically nor restores every number. Here a checkpoint
is one folder, written aside, synced and renamed, with every array of the network and its
optimizer. The newest two are kept, so that another is left if one is damaged.
"""

import io
import json
import os
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np

from melanoma_core.paths import sha256, sync_dir

_NUM_KEPT = 2


def save(checkpoint_dir: Path, model: keras.Model, state: dict[str, Any]) -> None:
    """Write the checkpoint of a finished epoch and remove all but the newest two.

    Args:
        checkpoint_dir: holds one folder a checkpoint; made if absent.
        model: compiled; its variables and its optimizer's are written.
        state: what else resuming needs, as JSON values; `state["epoch"]` counts finished epochs.
    """
    checkpoint_dir.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    np.savez(buffer, **{f"v{k:04d}": v.numpy() for k, v in enumerate(_variables(model))})
    arrays = buffer.getvalue()
    aside = checkpoint_dir / ".aside"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    try:
        _write_synced(aside / "arrays.npz", arrays)
        record = {
            "state": state,
            "state_sha256": _checksum(state),
            "arrays_sha256": sha256(arrays),
        }
        _write_synced(aside / "state.json", json.dumps(record).encode())
        sync_dir(aside)
    except OSError:
        shutil.rmtree(aside, ignore_errors=True)  # a full disk needs the room
        raise
    # What is as new or newer is damaged: the run that saves now could not resume from it.
    final = checkpoint_dir / f"epoch-{state['epoch']:04d}"
    for overtaken in checkpoint_dir.glob("epoch-*"):
        if overtaken.name >= final.name:
            shutil.rmtree(overtaken)
    os.replace(aside, final)
    sync_dir(checkpoint_dir)
    for old in _newest_first(checkpoint_dir)[_NUM_KEPT:]:
        shutil.rmtree(old)


def restore(checkpoint_dir: Path, model: keras.Model) -> tuple[dict[str, Any] | None, list[str]]:
    """Load the newest checkpoint that is whole.

    Args:
        checkpoint_dir: as given to `save`; may be absent.
        model: compiled, with the optimizer built.

    Returns:
        The state that was saved, None when there is none; and a line for each damaged checkpoint
        that was passed over.
    """
    notes = []
    for directory in _newest_first(checkpoint_dir):
        try:
            state, arrays = _read(directory)
        except (OSError, ValueError, KeyError, TypeError) as error:
            notes.append(
                f"The checkpoint {directory.name} is damaged ({error}); continuing from the one "
                "before it, if there is one."
            )
            continue
        with np.load(io.BytesIO(arrays), allow_pickle=False) as saved:
            for k, variable in enumerate(_variables(model)):
                variable.assign(saved[f"v{k:04d}"])
        return state, notes
    return None, notes


def _read(directory: Path) -> tuple[dict[str, Any], bytes]:
    """The state and the bytes of the arrays, both checked; raises where anything is damaged."""
    record = json.loads((directory / "state.json").read_bytes())
    state: dict[str, Any] = record["state"]
    arrays = (directory / "arrays.npz").read_bytes()
    if _checksum(state) != record["state_sha256"] or sha256(arrays) != record["arrays_sha256"]:
        raise ValueError("its checksum is wrong")
    return state, arrays


def _checksum(state: dict[str, Any]) -> str:
    return sha256(json.dumps(state).encode())


def _variables(model: keras.Model) -> list[keras.Variable]:
    return [*model.variables, *model.optimizer.variables]


def _newest_first(checkpoint_dir: Path) -> list[Path]:
    return sorted(checkpoint_dir.glob("epoch-*"), reverse=True)


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
