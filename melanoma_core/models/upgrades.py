"""Models made before version 0.9, brought to the present form of their files, once.

Their class bias was added to the last layer; now it is a field of the card, and head.npz holds the
layer as training left it. network.weights.h5 stays as it is: the last layer is read from head.npz.
Names of files and of the card's fields have changed, and some of the card's notes are reworded.
The probabilities stay the same.
"""

import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from melanoma_core.errors import ModelError
from melanoma_core.models import artifacts, cards, journal, predict, store, training_ids
from melanoma_core.models.cards import Card
from melanoma_core.models.journal import Event, Kind
from melanoma_core.paths import sha256, sync_dir, write_atomic

_UPGRADING = ".upgrading-"  # before the name of a folder that is kept until the upgrade is done
_FILES = {"taught.npz": store.TRAINING_IDS}
_FIELDS = {"colour_limits": "color_cast_limits", "licence": "license"}
_SETTINGS = {
    "calibrated_anew": "recalibrated_from",
    "joined": "ensemble_of",
    "limit_colours": "clamp_color_cast",
    "start_share": "init_weight",
    "soft_share": "distill_weight",
    "regularisation_c": "regularization_c",
}
# Notes on the card, as cleaning and combining data sets word them now.
_WORDS = (
    (r"its colour casts held within those of the training photographs, calibrated and measured "
     r"anew", "with color casts clamped to those of the training photographs, recalibrated"),
    (r"calibrated and measured anew", "recalibrated"),
    (r"quick: a new last layer, the network unchanged", "last layer only"),
    (r"none: two models joined, one vote each", "none: ensemble of two models with equal weights"),
    (r"^The networks of (\S+) and (\S+) stand side by side, one vote each;",
     r"Ensemble of \1 and \2 with equal weights;"),
    (r"^Training went on from the model (.+)\.$", r"Fine-tuned from \1."),
    (r": ([\d,]+) files: A copy of a photograph that stays",
     r": \1 files dropped: duplicate of a photograph that was kept"),
    (r": ([\d,]+) files: Its picture or its lesion is in (\w+)",
     r": \1 files dropped: the same picture or lesion is in \2"),
    (r": ([\d,]+) files: Filed as", r": \1 files dropped: filed as"),
    (r": ([\d,]+) files: A published table says",
     r": \1 files relabeled: a published table says"),
    (r": 1 files (dropped|relabeled)", r": 1 file \1"),
    (r"(\d) relabelled", r"\1 relabeled"),
    (r"“akiec” that another set calls (.+), and is so here",
     r"“akiec” labeled \1, as another data set has it"),
    (r"Further files of photographs that are there already, not counted again",
     "Duplicate files of photographs, counted once"),
)  # fmt: skip


def upgrade(models_dir: Path, author: str = "") -> list[str]:
    """Upgrade every model that needs it, and note each in the journal.

    An upgrade that was killed is finished or undone by the next one.

    Args:
        models_dir: where models are kept.
        author: who does it, for the journal.

    Returns:
        The ids of the upgraded models.

    Raises:
        ModelError: a file of a model is damaged; that model is left as it was, and the others are
            upgraded.
        JournalError: the journal cannot be written; another call writes the row.
    """
    if not models_dir.is_dir():
        return []
    with store.champion_lock(models_dir):
        return _upgrade(models_dir, author)


def _upgrade(models_dir: Path, author: str) -> list[str]:
    upgraded, problems = [], []
    for directory in _interrupted(models_dir) + _model_dirs(models_dir):
        try:
            if not _aside(directory).exists():
                fields = cards.checked_fields((directory / "card.json").read_bytes())
                if "prior_shift" in fields:
                    continue
                _replace(models_dir, directory, fields)
            _finish(models_dir, directory, author)
        except ModelError as error:
            problems.append(f"{directory.name}: {error}")
            continue
        upgraded.append(directory.name)
    _upgrade_champions(models_dir, {})
    if problems:
        raise ModelError(" ".join(problems))
    return upgraded


def _model_dirs(models_dir: Path) -> list[Path]:
    return sorted(path.parent for path in models_dir.glob("[!.]*/card.json"))


def _aside(directory: Path) -> Path:
    return directory.with_name(f"{_UPGRADING}{directory.name}")


def _interrupted(models_dir: Path) -> list[Path]:
    """Folders whose upgrade was killed before its end; what was not replaced yet is put back."""
    replaced = []
    for aside in sorted(models_dir.glob(f"{_UPGRADING}*")):
        directory = models_dir / aside.name.removeprefix(_UPGRADING)
        if directory.exists():
            replaced.append(directory)
        else:
            os.rename(aside, directory)
    return replaced


def _replace(models_dir: Path, directory: Path, fields: dict[str, Any]) -> None:
    """Put the upgraded model in the place of a model, which is kept aside."""
    contents = _read_files(directory, fields.get("files", {}))
    if not {"network.tflite", "head.npz"} <= contents.keys():
        raise ModelError("Its card names no network. Restore the folder from a copy.")
    network = predict.read_network(contents["network.tflite"], contents["head.npz"])
    class_bias = np.asarray(fields.get("class_bias", []), np.float64)
    if class_bias.size:
        bias = (network.bias - class_bias).astype(np.float32)
        contents["head.npz"] = artifacts.head_bytes(network.kernel, bias)
        # What the layer had more, to the last digit, so that no probability changes.
        class_bias = network.bias.astype(np.float64) - bias
    try:
        card = _upgraded_card(fields, class_bias.tolist())
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"Its card lacks what earlier versions wrote ({error}). Restore the folder from a copy."
        ) from error
    building = store.building_dir(models_dir)
    try:
        for name, data in contents.items():
            (building / name).write_bytes(data)
        os.rename(directory, _aside(directory))
        store.add(models_dir, building, card)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        if not directory.exists():
            os.rename(_aside(directory), directory)
        raise


def _read_files(directory: Path, checksums: Mapping[str, str]) -> dict[str, bytes]:
    """The checked files of a model of an earlier form, by their present names."""
    contents, damaged = {}, []
    for name, expected in checksums.items():
        path = directory / name
        data = path.read_bytes() if path.is_file() else b""
        if sha256(data) != expected:
            damaged.append(name)
        contents[_FILES.get(name, name)] = data
    if damaged:
        raise ModelError(
            f"The model “{directory.name}” cannot be upgraded: {', '.join(damaged)} differ from "
            "what its card says. Restore the folder from a copy."
        )
    if store.TRAINING_IDS not in contents:  # before version 0.8 none was kept
        none = np.array([], np.uint64)
        ids = training_ids.TrainingIds(none, none, is_whole=False)
        contents[store.TRAINING_IDS] = training_ids.to_bytes(ids)
    return contents


def _upgraded_card(record: dict[str, Any], class_bias: list[float]) -> Card:
    fields = {_FIELDS.get(name, name): value for name, value in record.items()}
    fields |= {"prior_shift": [], "class_bias": class_bias}
    fields.setdefault("inherited_datasets", [])
    fields.setdefault("color_cast_limits", [])
    for name in ("datasets", "inherited_datasets"):
        fields[name] = [
            {_FIELDS.get(key, key): value for key, value in use.items()} for use in fields[name]
        ]
    fields["config"] = {
        _SETTINGS.get(name, name): _reworded(value) for name, value in fields["config"].items()
    }
    fields["notes"] = [_reworded(note) for note in fields["notes"]]
    return Card.from_fields(fields)


def _finish(models_dir: Path, directory: Path, author: str) -> None:
    """Check the upgraded model, record it, and remove the model as it was."""
    aside = _aside(directory)
    try:
        predict.load(directory)
    except ModelError:
        shutil.rmtree(directory)
        os.rename(aside, directory)
        raise
    before, after = (path / "card.json" for path in (aside, directory))
    if before.is_file():  # otherwise only its removal was interrupted
        card_sha256 = sha256(after.read_bytes())
        _upgrade_champions(models_dir, {sha256(before.read_bytes()): card_sha256})
        event = Event(Kind.UPGRADED, who=author, model_id=directory.name, card_sha256=card_sha256)
        rows = [row.event for row in journal.rows(models_dir)]
        if (event.kind, card_sha256) not in {(row.kind, row.card_sha256) for row in rows}:
            journal.append(models_dir, event)
    shutil.rmtree(aside)
    sync_dir(models_dir)


def _reworded(value: Any) -> Any:
    if isinstance(value, str):
        for old, new in _WORDS:
            value = re.sub(old, new, value)
    return value


def _upgrade_champions(models_dir: Path, card_sha256: Mapping[str, str]) -> None:
    """Bring champion.json to its present form, and name upgraded cards by their new checksums.

    A checksum that was wrong before stays wrong. Models without a folder are dropped.

    Args:
        models_dir: where models are kept.
        card_sha256: new checksum by the one of the card as it was.
    """
    path = models_dir / "champion.json"
    if not path.is_file():
        return
    try:
        record = json.loads(path.read_bytes())
        is_earlier_form = "in_use" in record
        entries = record["in_use"] if is_earlier_form else record["champions"]
        upgraded = [
            {("author" if name == "by" else name): value for name, value in entry.items()}
            | {"sha256": card_sha256.get(entry["sha256"], entry["sha256"])}
            for entry in entries
            if (models_dir / entry["model_id"] / "card.json").is_file() or not is_earlier_form
        ]
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError(
            f"champion.json, which names the model in use, cannot be read ({error}). Restore it "
            "from a copy."
        ) from error
    if is_earlier_form or upgraded != entries:
        write_atomic(path, json.dumps({"champions": upgraded}, indent=1).encode())
