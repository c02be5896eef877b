"""Data and split files for whole runs with the tiny network."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from melanoma_core.models import artifacts, store
from melanoma_core.runs import provenance
from melanoma_core.runs.provenance import Parent
from tests.support import altered_models, made_models

CORRUPT = "nevus_005"  # in the training split


def draw(folder: Path) -> Path:
    """Drawn lesions, 4 a kind to train on but 1 vascular lesion; one nevus is cut off."""
    made_models.draw_class_folders(folder, num_each=8)
    path = folder / "nevus" / f"{CORRUPT}.png"
    path.write_bytes(path.read_bytes()[:500])
    for number in (5, 6, 7):
        (folder / "vascular lesion" / f"vascular_lesion_{number:03d}.png").unlink()
    return folder


def split_file(path: Path, dataset: Path, **changes: str) -> str:
    """Of each kind the first two photographs for val, the next two for test; `changes` by id."""
    rows = []
    for image in sorted(dataset.rglob("*.png")):
        number = int(image.stem[-3:])
        split = "val" if number < 2 else "test" if number < 4 else "train"
        rows.append((image.stem, "", "", changes.get(image.stem, split)))
    columns = ["image_id", "lesion_id", "group_id", "split"]
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False)
    return str(path)


def add_masked(models_dir: Path, source_id: str, model_id: str, codes: list[bool]) -> None:
    """A copy of a model whose last layer can never give some diagnoses.

    Its golden inputs are not made again, so it can be a parent but not answer.
    """
    head = altered_models.arrays_of(models_dir / source_id / "head.npz")
    bias = np.where(codes, artifacts.MASKED, head["bias"]).astype(np.float32)
    files = {"head.npz": artifacts.head_bytes(head["kernel"], bias)}
    altered_models.add(models_dir, source_id, model_id, files)


def parents_of(models_dir: Path, *model_ids: str) -> list[Parent]:
    """Models as a run reads them."""
    return [provenance.read(models_dir, model_id) for model_id in model_ids]


def remove_on(line_part: str, folder: Path):
    """A report that removes a folder as soon as a line holds these words."""

    def report(line: str) -> None:
        if line_part in line:
            shutil.rmtree(folder)

    return report


def logits(models_dir: Path, model_id: str, image: np.ndarray) -> np.ndarray:
    """The serving graph's logits (C,) of an image of its size, before calibration."""
    from melanoma_core.models import predict

    _, _, files = store.read_files(models_dir / model_id)
    network = predict.read_network(files["network.tflite"], files["head.npz"])
    return network.logits_of([image])[0]
