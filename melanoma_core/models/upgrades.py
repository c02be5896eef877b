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
from pathlib import Path
from typing import Any

import numpy as np

from melanoma_core.errors import ModelError
from melanoma_core.models import artifacts, journal, predict, store
from melanoma_core.models.cards import Card
from melanoma_core.models.journal import Event, Kind
from melanoma_core.paths import sha256, sync_dir, write_atomic

_FILES = {"taught.npz": store.TRAINING_IDS}
_FIELDS = {"colour_limits": "color_cast_limits", "licence": "license"}
_SETTINGS = {
    "calibrated_anew": "recalibrated_from",
    "joined": "ensemble_of",
    "limit_colours": "clamp_color_cast",
    "start_share": "init_weight",
    "soft_share": "distill_weight",
}
_WORDS = (
    (r"its colour casts held within those of the training photographs, calibrated and measured "
     r"anew", "with color casts clamped to those of the training photographs, recalibrated"),
    (r"calibrated and measured anew", "recalibrated"),
    (r"\bfiles: A copy of a photograph that stays", "duplicates of photographs that were kept"),
    (r"\bfiles: Its picture or its lesion is in (\w+)",
     r"of a picture or lesion that is also in \1"),
    (r"\bfiles: (Filed|A published)", r"because: \1"),
    (r"relabelled", "relabeled"),
    (r"“akiec” that another set calls (.+), and is so here",
     r"“akiec” relabeled as another set has it, \1"),
    (r"Further files of photographs that are there already, not counted again",
     "Further files of the same photographs, counted once"),
)  # fmt: skip


def upgrade(models_dir: Path, author: str = "") -> list[str]:
    """Upgrade every model that needs it, and note each in the journal.

    Args:
        models_dir: where models are kept.
        author: who does it, for the journal.

    Returns:
        The ids of the upgraded models.

    Raises:
        ModelError: a file of a model is damaged; that model is left as it was.
    """
    _restore_interrupted(models_dir)
    upgraded = []
    for path in sorted(models_dir.glob("[!.]*/card.json")):
        record = json.loads(path.read_bytes())
        if "prior_shift" not in record:
            _upgrade_one(models_dir, path.parent, record)
            upgraded.append(path.parent.name)
    _upgrade_champions(models_dir)
    for model_id in upgraded:
        card_sha256 = sha256((models_dir / model_id / "card.json").read_bytes())
        journal.append(
            models_dir,
            Event(Kind.UPGRADED, who=author, model_id=model_id, card_sha256=card_sha256),
        )
    return upgraded


def _aside(directory: Path) -> Path:
    return directory.with_name(f".upgrading-{directory.name}")


def _restore_interrupted(models_dir: Path) -> None:
    """Undo what a killed upgrade left half done."""
    for aside in models_dir.glob(".upgrading-*"):
        target = models_dir / aside.name.removeprefix(".upgrading-")
        if target.exists():
            shutil.rmtree(aside)
        else:
            os.rename(aside, target)


def _upgrade_one(models_dir: Path, directory: Path, record: dict[str, Any]) -> None:
    contents = {name: (directory / name).read_bytes() for name in record["files"]}
    damaged = [name for name, data in contents.items() if sha256(data) != record["files"][name]]
    if damaged:
        raise ModelError(
            f"The model “{directory.name}” cannot be upgraded: {', '.join(damaged)} differ from "
            "what its card says. Restore the folder from a copy."
        )
    contents = {_FILES.get(name, name): data for name, data in contents.items()}
    network = predict.read_network(contents["network.tflite"], contents["head.npz"])
    class_bias = np.asarray(record.get("class_bias", []), np.float64)
    if class_bias.size:
        bias = (network.bias - class_bias).astype(np.float32)
        contents["head.npz"] = artifacts.head_bytes(network.kernel, bias)
        # What the layer had more, to the last digit, so that no probability changes.
        class_bias = network.bias.astype(np.float64) - bias
    building = store.building_dir(models_dir)
    for name, data in contents.items():
        (building / name).write_bytes(data)
    fields = {_FIELDS.get(name, name): value for name, value in record.items()}
    fields |= {"prior_shift": [], "class_bias": class_bias.tolist()}
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
    card = Card.from_fields(
        {name: value for name, value in fields.items() if name != "card_sha256"}
    )
    os.rename(directory, _aside(directory))
    store.add(models_dir, building, card)
    predict.load(directory)
    shutil.rmtree(_aside(directory))
    sync_dir(models_dir)


def _reworded(value: Any) -> Any:
    if isinstance(value, str):
        for old, new in _WORDS:
            value = re.sub(old, new, value)
    return value


def _upgrade_champions(models_dir: Path) -> None:
    """Name the champions by the cards that they have now; those without a folder are dropped."""
    path = models_dir / "champion.json"
    if not path.is_file():
        return
    record = json.loads(path.read_bytes())
    if "in_use" not in record:
        return
    entries = [
        entry | {"sha256": sha256((models_dir / entry["model_id"] / "card.json").read_bytes())}
        for entry in record["in_use"]
        if (models_dir / entry["model_id"] / "card.json").is_file()
    ]
    write_atomic(path, json.dumps({"champions": entries}, indent=1).encode())
