"""What is on disk of one model, checked, and the figures that the Models page makes of it.

Nothing here loads a network: every figure comes from `card.json` and `evaluation.json`. The caches
are shared by all visitors and hold nothing of a patient: figures of test photographs that are
public, by the model's id and the SHA-256 of its card, which holds that of the evaluation.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from melanoma_core import paths
from melanoma_core.errors import ModelError
from melanoma_core.evaluation import evaluate, model_cards, subgroups
from melanoma_core.evaluation.evaluate import Evaluation
from melanoma_core.evaluation.subgroups import DiagnosisFigures
from melanoma_core.metrics.estimates import Estimate
from melanoma_core.models import store
from melanoma_core.models.cards import Card

_RESAMPLING = "Drawing the test lesions a thousand times for the intervals, some seconds"


@dataclass(frozen=True)
class Record:
    """One model as it lies on disk; every file had the SHA-256 that the card names."""

    card: Card
    card_json: bytes  # card.json as it was read
    sha256: str  # of card.json
    test: Evaluation  # the test photographs, nine calibrated probabilities each

    @property
    def key(self) -> tuple[str, str]:
        """What its figures are cached by."""
        return self.card.model_id, self.sha256


def read(model_id: str) -> Record:
    """The record of this model.

    Raises:
        ModelError: there is no such model, or one of its files is damaged.
    """
    models_dir = paths.models_dir()
    directory = store.model_dir(models_dir, model_id)
    # By the card's present bytes, so that a folder that was put in its place is read anew.
    return _read(str(directory), paths.sha256((directory / "card.json").read_bytes()))


@st.cache_data(show_spinner="Reading the model’s evaluation", max_entries=8)
def _read(directory: str, card_sha256: str) -> Record:
    card, found_sha256, contents = store.read_files(Path(directory))
    if found_sha256 != card_sha256:
        raise ModelError(
            f"The card of “{card.model_id}” was changed while it was read. Open the page again."
        )
    measured = evaluate.from_json(contents["evaluation.json"])
    test = measured.where((measured.table["split"] == "test").to_numpy())
    return Record(card, (Path(directory) / "card.json").read_bytes(), card_sha256, test)


def roc(record: Record) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Shares of the other photographs and of the melanomas at or above each threshold."""
    return subgroups.roc(record.test)


def at_threshold(record: Record, threshold: float) -> tuple[Estimate, Estimate]:
    """Sensitivity and specificity for melanoma where lesions are referred from `threshold` on."""
    return _at_threshold(record.key, threshold, record.test)


def before_calibration(record: Record) -> Evaluation:
    """The probabilities that the network would give without its calibration."""
    card = record.card
    return evaluate.before_calibration(record.test, card.temperature, card.class_bias)


def calibration_before(record: Record) -> dict[str, Estimate]:
    """The calibration error and Brier score that the network has without its calibration."""
    return _calibration_before(record.key, record)


def observed_proportions(
    record: Record, name: str, hits: NDArray[np.bool_], y_prob: NDArray[np.float64], num_bins: int
) -> tuple[Estimate, ...]:
    """The shares of a reliability diagram after calibration, with their intervals.

    Args:
        record: of the model.
        name: what the probability is of; one name stands for one `hits` and `y_prob`.
        hits: (N,) test photographs that are what the probability is of.
        y_prob: (N,) of that probability.
        num_bins: equally wide ones.
    """
    return _observed_proportions(record.key, name, num_bins, record.test, hits, y_prob)


def by_diagnosis(record: Record) -> dict[str, DiagnosisFigures]:
    """How well each diagnosis is told from the rest."""
    return _by_diagnosis(record.key, record.test)


def confusion(record: Record) -> NDArray[np.int64]:
    """(9, 9) photographs: a row is the true diagnosis, a column the likeliest one."""
    return subgroups.confusion(record.test)


def confusion_rate(record: Record, code: str, taken_for: str) -> Estimate:
    """Share of the photographs of one diagnosis whose likeliest diagnosis is another one."""
    return _confusion_rate(record.key, code, taken_for, record.test)


def by_attribute(
    record: Record, attribute: str, threshold: float
) -> dict[str, dict[str, Estimate]]:
    """Figures for melanoma in each group of "source", "sex", "age" or "site"."""
    return _by_attribute(record.key, attribute, threshold, record.test)


def document(record: Record) -> str:
    """The model card in Markdown; it takes some seconds the first time.

    Raises:
        ModelError: the card lacks something that a model card must say.
    """
    return _document(record.key, record.card, record.test)


@st.cache_data(show_spinner=False, max_entries=512)
def _at_threshold(
    key: tuple[str, str], threshold: float, _test: Evaluation
) -> tuple[Estimate, Estimate]:
    return subgroups.at_threshold(_test, threshold)


@st.cache_data(show_spinner=_RESAMPLING, max_entries=8)
def _calibration_before(key: tuple[str, str], _record: Record) -> dict[str, Estimate]:
    return evaluate.calibration_figures(before_calibration(_record))


@st.cache_data(show_spinner=_RESAMPLING, max_entries=16)
def _observed_proportions(
    key: tuple[str, str],
    name: str,
    num_bins: int,
    _test: Evaluation,
    _hits: NDArray[np.bool_],
    _y_prob: NDArray[np.float64],
) -> tuple[Estimate, ...]:
    return subgroups.observed_proportions(_test, _hits, _y_prob, num_bins)


@st.cache_data(show_spinner=_RESAMPLING, max_entries=8)
def _by_diagnosis(key: tuple[str, str], _test: Evaluation) -> dict[str, DiagnosisFigures]:
    return subgroups.by_diagnosis(_test)


@st.cache_data(show_spinner=False, max_entries=32)
def _confusion_rate(key: tuple[str, str], code: str, taken_for: str, _test: Evaluation) -> Estimate:
    return subgroups.confusion_rate(_test, code, taken_for)


@st.cache_data(show_spinner=_RESAMPLING, max_entries=64)
def _by_attribute(
    key: tuple[str, str], attribute: str, threshold: float, _test: Evaluation
) -> dict[str, dict[str, Estimate]]:
    return subgroups.by_attribute(_test, attribute, threshold)


@st.cache_data(show_spinner=False, max_entries=8)  # asked for by a click, away from the page
def _document(key: tuple[str, str], _card: Card, _test: Evaluation) -> str:
    return model_cards.document(_card, _test, key[1])
