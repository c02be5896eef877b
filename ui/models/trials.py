"""A candidate held against the model that answers: figures of both, cached by their cards.

The cache is shared by all visitors and holds nothing of a patient: figures of test photographs, by
the id of each model and the SHA-256 of its card, which holds that of every other file.
"""

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from melanoma_core import paths
from melanoma_core.evaluation import comparisons
from melanoma_core.evaluation.comparisons import Comparison
from melanoma_core.models import predict, store
from melanoma_core.models.cards import Card

Key = tuple[str, str]  # id of a model, SHA-256 of its card


@dataclass(frozen=True)
class Facts:
    """What a model is, beside its figures."""

    card: Card
    num_bytes: int  # of what answers: the graph and the dense layer
    milliseconds: float  # a photograph, on this machine


def key_of(model_id: str) -> Key:
    """What the figures of a model are cached by.

    Raises:
        ModelError: there is no such model.
    """
    card = store.model_dir(paths.models_dir(), model_id) / "card.json"
    return model_id, paths.sha256(card.read_bytes())


def facts(model_id: str) -> Facts:
    """What a model is; it is loaded for this, so that every check is passed.

    Raises:
        ModelError: a check failed, the golden set among them.
    """
    return _facts(str(paths.models_dir()), key_of(model_id))


def compare(champion_id: str, candidate_id: str) -> Comparison:
    """The candidate held against the champion; some seconds the first time.

    Raises:
        ModelError: the two cannot be compared.
    """
    return _compare(str(paths.models_dir()), key_of(champion_id), key_of(candidate_id))


@st.cache_data(show_spinner="Loading the model and timing it", max_entries=16)
def _facts(models_dir: str, key: Key) -> Facts:
    directory = store.model_dir(Path(models_dir), key[0])
    model = predict.load(directory)
    num_bytes = sum((directory / name).stat().st_size for name in ("network.tflite", "head.npz"))
    return Facts(model.card, num_bytes, comparisons.milliseconds_per_photograph(model))


@st.cache_data(
    show_spinner="Drawing the test lesions a thousand times, some seconds", max_entries=16
)
def _compare(models_dir: str, champion: Key, candidate: Key) -> Comparison:
    return comparisons.compare(Path(models_dir), champion[0], candidate[0])
