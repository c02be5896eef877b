"""Facts about a model, and comparisons of a candidate with the model in use, cached.

All visitors share the caches, which contain no patient data, only figures on test photographs.
Their key is each model's id and the SHA-256 of its card, which includes that of every other file.
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
    """A model's card, size and speed."""

    card: Card
    num_bytes: int  # of the network and its last layer
    milliseconds: float  # per photograph, on this computer


def key_of(model_id: str) -> Key:
    """The key of a model in the caches.

    Raises:
        ModelError: there is no such model.
    """
    card = store.model_dir(paths.models_dir(), model_id) / "card.json"
    return model_id, paths.sha256(card.read_bytes())


def facts(model_id: str) -> Facts:
    """The facts about a model, which is loaded and so passes every check.

    Raises:
        ModelError: a check failed, for instance of its golden outputs.
    """
    return _facts(str(paths.models_dir()), key_of(model_id))


def compare(champion_id: str, candidate_id: str) -> Comparison:
    """The candidate compared with the champion; takes a few seconds the first time.

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
    show_spinner="Resampling the test lesions 1,000 times, a few seconds", max_entries=16
)
def _compare(models_dir: str, champion: Key, candidate: Key) -> Comparison:
    return comparisons.compare(Path(models_dir), champion[0], candidate[0])
