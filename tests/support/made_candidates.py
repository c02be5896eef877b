"""Candidates with made-up evaluations, so that it is easy to see which one is better."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from melanoma_core.diagnoses import CODES
from melanoma_core.evaluation import evaluate
from melanoma_core.evaluation.evaluate import Evaluation
from melanoma_core.models import store
from tests.support import altered_models

NUM_MELANOMAS = 40
# Who changes the champion of a test, and why.
SIGNED = {"author": "Dr Li", "reason": "Made for this test"}


def measured(num_found: int, num_spared: int = 30, *, changed: dict | None = None) -> bytes:
    """evaluation.json of 40 melanomas and 40 nevi, measured at a threshold of 0.5.

    Args:
        num_found: melanomas above the threshold.
        num_spared: nevi below it.
        changed: columns of the test table to replace.
    """
    is_above = np.concatenate([np.arange(40) < num_found, np.arange(40) >= num_spared])
    return scored(np.where(is_above, 0.75, 0.25), changed=changed)


def scored(melanoma: np.ndarray, *, changed: dict | None = None) -> bytes:
    """evaluation.json with these melanoma probabilities, for melanomas and then as many nevi."""
    num = len(melanoma)
    is_melanoma = np.arange(num) < num // 2
    y_prob = np.zeros((num, len(CODES)))
    y_prob[:, CODES.index("MEL")] = melanoma
    y_prob[:, CODES.index("NV")] = 1 - melanoma
    columns = {
        "image_id": [f"i{row:03d}" for row in range(num)],
        "group_id": [f"g{row:03d}" for row in range(num)],
        "lesion_id": None,
        "source": "made",
        "split": "test",
        "diagnosis": np.where(is_melanoma, "MEL", "NV"),
        "age_approx": np.nan,
        "sex": None,
        "anatom_site_general": None,
    }
    table = pd.DataFrame(columns | (changed or {}))
    # Validation rows, which would change the result if they were counted.
    val = table.assign(
        split="val",
        image_id="v" + table["image_id"],
        group_id="v" + table["group_id"],
        lesion_id=None,
        diagnosis="MEL",
    )
    whole = Evaluation(pd.concat([val, table], ignore_index=True), np.concatenate([y_prob, y_prob]))
    return evaluate.to_json(whole).encode()


def add(
    models_dir: Path,
    model_id: str,
    evaluation: bytes,
    threshold: float = 0.5,
    files: dict[str, bytes] | None = None,
    **fields: Any,
) -> None:
    """Add a copy of "tiny-1" with this evaluation and threshold, and these files and fields."""
    card = store.read_card(models_dir / "tiny-1")
    points = tuple(dataclasses.replace(p, threshold=threshold) for p in card.operating_points)
    files = {"evaluation.json": evaluation} | (files or {})
    altered_models.add(models_dir, "tiny-1", model_id, files, operating_points=points, **fields)
