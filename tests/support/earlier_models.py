"""Models in the form of their files before version 0.9."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from melanoma_core.models import artifacts, store
from melanoma_core.paths import sha256
from tests.support import altered_models


def bring_back(models_dir: Path, model_id: str, **fields: Any) -> None:
    """Give a model's folder the earlier form; `fields` replace those of its card.

    Prior shift and class bias go into the bias of the last layer, and files and fields get their
    earlier names.
    """
    directory = models_dir / model_id
    card = store.read_card(directory)
    record = json.loads((directory / "card.json").read_bytes()) | fields
    head = altered_models.arrays_of(directory / "head.npz")
    bias = (card.calibration.shift(head["bias"])).astype(np.float32)
    (directory / "head.npz").write_bytes(artifacts.head_bytes(head["kernel"], bias))
    (directory / "training_ids.npz").rename(directory / "taught.npz")
    del record["prior_shift"], record["card_sha256"]
    record["colour_limits"] = record.pop("color_cast_limits")
    for use in (*record["datasets"], *record["inherited_datasets"]):
        use["licence"] = use.pop("license")
    names = sorted(path.name for path in directory.iterdir() if path.name != "card.json")
    record["files"] = {name: sha256((directory / name).read_bytes()) for name in names}
    seal(directory, record)


def seal(directory: Path, record: dict[str, Any]) -> None:
    """Write a card of these fields with the right checksum."""
    fields = {name: value for name, value in record.items() if name != "card_sha256"}
    sealed = fields | {"card_sha256": sha256(json.dumps(fields).encode())}
    (directory / "card.json").write_text(json.dumps(sealed, indent=1))


def write_champions(models_dir: Path, *model_ids: str) -> None:
    """champion.json in its earlier form, the first model in use."""
    entries = [
        {
            "model_id": model_id,
            "since": "2026-11-22T17:47:15+00:00",
            "sha256": sha256((models_dir / model_id / "card.json").read_bytes()),
        }
        for model_id in model_ids
    ]
    (models_dir / "champion.json").write_text(json.dumps({"in_use": entries}))
