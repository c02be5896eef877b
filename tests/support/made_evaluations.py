"""Made-up evaluations whose correct figures are easy to see."""

import numpy as np
import pandas as pd

from melanoma_core.diagnoses import CODES
from melanoma_core.evaluation.evaluate import Evaluation
from melanoma_core.metrics import calibration


def made(diagnoses, y_prob, **columns) -> Evaluation:
    """An evaluation with one lesion per photograph, unless `columns` say otherwise."""
    num = len(diagnoses)
    table = {
        "image_id": [f"i{row}" for row in range(num)],
        "group_id": [f"g{row}" for row in range(num)],
        "lesion_id": [f"l{row}" for row in range(num)],
        "source": "made",
        "split": "test",
        "diagnosis": list(diagnoses),
        "age_approx": 45.0,
        "sex": "female",
        "anatom_site_general": "back",
    }
    return Evaluation(pd.DataFrame(table | columns), np.asarray(y_prob, np.float64))


def spread(code: str, probability: float) -> np.ndarray:
    """`probability` on one diagnosis, the rest on nevus (or on melanoma)."""
    row = np.zeros(len(CODES))
    row[CODES.index(code)] = probability
    row[CODES.index("NV" if code != "NV" else "MEL")] += 1 - probability
    return row


def drawn(num: int = 300, seed: int = 0, **columns) -> Evaluation:
    """A random evaluation: two photographs per lesion, two archives, fairly good predictions."""
    rng = np.random.default_rng(seed)
    diagnoses = rng.choice(CODES, num, p=[0.2, 0.3, 0.1, 0.05, 0.05, 0.1, 0.1, 0.05, 0.05])
    logits = rng.normal(size=(num, len(CODES)))
    logits[np.arange(num), [CODES.index(code) for code in diagnoses]] += 1.2
    groups = [f"g{row // 2}" for row in range(num)]
    defaults = {
        "group_id": groups,
        "lesion_id": groups,
        "source": np.where(np.arange(num) < 2 * num // 3, "ham10000", "isic2017"),
    }
    return made(diagnoses, calibration.probabilities(logits), **(defaults | columns))
