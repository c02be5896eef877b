"""A parent model of made-up provenance, without files: enough to divide photographs by."""

from collections.abc import Mapping

import numpy as np

from melanoma_core.models.cards import DatasetUse
from melanoma_core.models.training_ids import TrainingIds
from melanoma_core.runs.provenance import Parent
from tests.support import stub_models

# Of a model whose own parents kept no list.
NO_IDS = TrainingIds(np.array([], np.uint64), np.array([], np.uint64), is_whole=False)


def parent(
    dataset: str,
    sha256: str = "",
    held_out: Mapping[str, str] | None = None,
    training_ids: TrainingIds = NO_IDS,
) -> Parent:
    """The model "model-1", trained on one data set of this name and checksum."""
    card = stub_models.card("model-1", datasets=(DatasetUse(dataset, "", sha256, 1, 0, 0),))
    return Parent(card, {}, held_out or {}, training_ids)
