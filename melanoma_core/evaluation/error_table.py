"""The test photographs that a model gets wrong: by the likeliest diagnosis, or by the threshold."""

import numpy as np
import pandas as pd

from melanoma_core.diagnoses import BENIGN, BY_CODE, CODES
from melanoma_core.evaluation.evaluate import Evaluation

CONFUSED = "is_confused"  # another diagnosis is the likeliest one
MISSED = "is_missed"  # a melanoma below the threshold for melanoma
NEEDLESS = "is_needless"  # a benign lesion above it
KINDS = (CONFUSED, MISSED, NEEDLESS)


def build(evaluation: Evaluation, threshold: float) -> pd.DataFrame:
    """One row per photograph with an error of any kind, the most certain error first.

    Args:
        evaluation: of the test photographs.
        threshold: lesions are referred from this melanoma probability on.

    Returns:
        image_id, group_id, lesion_id, source, diagnosis, age_approx, sex, anatom_site_general,
        likeliest (code), its probability, melanoma_probability, is_referred, and a column of
        booleans for each of `KINDS`.
    """
    codes = np.array(CODES)
    likeliest = evaluation.y_prob.argmax(axis=1)
    is_referred = evaluation.melanoma_probability >= threshold
    labels = evaluation.table["diagnosis"]
    is_benign = np.array([BY_CODE[label].group == BENIGN for label in labels], bool)
    # Of a lesion that is benign without a name, nobody knows whether the diagnosis is right.
    is_confused = (labels.isin(CODES) & (labels != codes[likeliest])).to_numpy()
    table = evaluation.table.drop(columns="split").assign(
        likeliest=codes[likeliest],
        probability=evaluation.y_prob.max(axis=1),
        melanoma_probability=evaluation.melanoma_probability,
        is_referred=is_referred,
        is_confused=is_confused,
        is_missed=(evaluation.is_melanoma == 1) & ~is_referred,
        is_needless=is_benign & is_referred,
    )
    table = table.sort_values("probability", ascending=False, kind="stable")
    return table[table[list(KINDS)].any(axis=1)].reset_index(drop=True)


def count_confusions(table: pd.DataFrame) -> dict[tuple[str, str], int]:
    """Photographs by true and likeliest diagnosis, the most frequent confusion first."""
    counts = table[table[CONFUSED]].groupby(["diagnosis", "likeliest"]).size()
    return {
        (str(true), str(likeliest)): int(number)
        for (true, likeliest), number in counts.sort_values(ascending=False, kind="stable").items()
    }
