"""A model's files, checked, and the figures that the Models page computes from them.

No network is loaded: every figure comes from `card.json` and `evaluation.json`. All visitors share
the caches, which contain no patient data, only figures on public test photographs. Their key is the
model's id and the SHA-256 of its card, which includes the checksum of the evaluation.
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

_RESAMPLING = "Resampling the test lesions 1,000 times for the intervals, a few seconds"


@dataclass(frozen=True)
class Record:
    """The files of a model, all with the SHA-256 in its card."""

    card: Card
    card_json: bytes  # content of card.json
    sha256: str  # of card.json
    test: Evaluation  # of the test photographs, with nine calibrated probabilities each

    @property
    def key(self) -> tuple[str, str]:
        """The key of its figures in the caches."""
        return self.card.model_id, self.sha256


def read(model_id: str) -> Record:
    """The record of this model.

    Raises:
        ModelError: there is no such model, or one of its files is damaged.
    """
    models_dir = paths.models_dir()
    directory = store.model_dir(models_dir, model_id)
    # Keyed by the card's current bytes, so that a replaced folder is read again.
    return _read(str(directory), paths.sha256((directory / "card.json").read_bytes()))


@st.cache_data(show_spinner="Reading the model’s evaluation", max_entries=8)
def _read(directory: str, card_sha256: str) -> Record:
    card, sha256, contents = store.read_files(Path(directory))
    if sha256 != card_sha256:
        raise ModelError(
            f"The card of “{card.model_id}” was changed while it was being read. Reload the page."
        )
    evaluation = evaluate.from_json(contents["evaluation.json"])
    test = evaluation.where((evaluation.table["split"] == "test").to_numpy())
    return Record(card, (Path(directory) / "card.json").read_bytes(), card_sha256, test)


def roc(record: Record) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The ROC curve of the test photographs, as `subgroups.roc` returns it."""
    return subgroups.roc(record.test)


def at_threshold(record: Record, threshold: float) -> tuple[Estimate, Estimate]:
    """Sensitivity and specificity for melanoma at this threshold."""
    return _at_threshold(record.key, threshold, record.test)


def before_calibration(record: Record) -> Evaluation:
    """The test photographs with the probabilities of the uncalibrated network."""
    card = record.card
    return evaluate.before_calibration(record.test, card.temperature, card.class_bias)


def calibration_before(record: Record) -> dict[str, Estimate]:
    """Calibration error and Brier score of the uncalibrated network."""
    return _calibration_before(record.key, record)


def observed_proportions(
    record: Record,
    name: str,
    measured: Evaluation,
    hits: NDArray[np.bool_],
    y_prob: NDArray[np.float64],
    num_bins: int,
) -> tuple[Estimate, ...]:
    """The observed proportions of a reliability diagram after calibration, with intervals.

    Args:
        record: of the model.
        name: cache key for the arguments that follow.
        measured: N test photographs.
        hits: (N,) True for those that the probability is right about.
        y_prob: (N,) predicted probability.
        num_bins: number of bins, all of the same width.
    """
    return _observed_proportions(record.key, name, num_bins, measured, hits, y_prob)


def by_diagnosis(record: Record) -> dict[str, DiagnosisFigures]:
    """AUROC and sensitivity of each diagnosis against the rest."""
    return _by_diagnosis(record.key, record.test)


def confusion(record: Record) -> NDArray[np.int64]:
    """(9, 9) photographs: a row is the true diagnosis, a column the likeliest one."""
    return subgroups.confusion(record.test)


def confusion_rate(record: Record, code: str, taken_for: str) -> Estimate:
    """Proportion of the photographs of `code` whose likeliest diagnosis is `taken_for`."""
    return _confusion_rate(record.key, code, taken_for, record.test)


def by_attribute(
    record: Record, attribute: str, threshold: float
) -> dict[str, dict[str, Estimate]]:
    """Figures for melanoma by group; `attribute` is "source", "sex", "age" or "site"."""
    return _by_attribute(record.key, attribute, threshold, record.test)


def document(record: Record) -> str:
    """The model card in Markdown; takes a few seconds the first time.

    Raises:
        ModelError: the card lacks something that a model card needs.
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


@st.cache_data(show_spinner=False, max_entries=8)  # made for a download, without a page to draw on
def _document(key: tuple[str, str], _card: Card, _test: Evaluation) -> str:
    return model_cards.document(_card, _test, key[1])
