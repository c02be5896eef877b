"""What a model says of single test photographs: evidence, quality findings and similar cases.

Computed from the files of the data set that the session has open, and kept in the session: the
network and the map of a few photographs take a second.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from melanoma_core import paths
from melanoma_core.images import reading
from melanoma_core.models import assessments, grad_cam, predict, similar_cases, store
from melanoma_core.models.predict import Model
from melanoma_core.models.quality_checks import OK, Finding
from melanoma_core.models.similar_cases import Case
from ui.model_records import Record
from ui.serving import serving

_FINDINGS = "errors_findings"


@dataclass(frozen=True)
class Examined:
    """One photograph as the model sees it."""

    picture: NDArray[np.uint8]  # (H, W, 3), at display size
    maps: NDArray[np.float32] | None  # (C, h, w), in the order of the card's diagnoses
    problems: tuple[Finding, ...]  # of its quality; without those that are fine
    cases: tuple[Case, ...]  # the most similar reference lesions; empty: no index


def model_of(record: Record) -> Model:
    """The model itself, loaded once for all visitors.

    Raises:
        ModelError: a file is damaged.
    """
    current = serving()
    if current is not None and current.model.sha256 == record.sha256:
        return current.model
    return _load(str(store.model_dir(paths.models_dir(), record.card.model_id)), record.sha256)


@st.cache_resource(show_spinner="Loading the model, a few seconds", max_entries=1)
def _load(directory: str, card_sha256: str) -> Model:
    return predict.load(Path(directory))


def examine(model: Model, path: str, group_id: str, longest: int) -> Examined:
    """The photograph at this path, examined.

    Args:
        model: the shown one.
        path: of the file.
        group_id: its lesion and near copies, which are no similar cases.
        longest: of the picture to show, px.

    Raises:
        ImageError: it cannot be read, or the model refuses it.
    """
    image = reading.read_file(Path(path))
    photograph = assessments.examine(model, image)
    prediction = photograph.prediction
    return Examined(
        picture=reading.reduce(image, longest),
        maps=grad_cam.grad_cams(model, prediction) if model.card.has_saliency else None,
        problems=_problems(photograph.findings),
        cases=similar_cases.nearest(model.index, prediction.embedding, without_groups=(group_id,))
        if model.index
        else (),
    )


def examine_quality(model: Model, path: str) -> tuple[Finding, ...]:
    """The problems with the quality of the photograph at this path.

    Raises:
        ImageError: it cannot be read, or the model refuses it.
    """
    return _problems(assessments.examine(model, reading.read_file(Path(path))).findings)


def _problems(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    return tuple(finding for finding in findings if finding.severity != OK)


def known_findings(record: Record) -> dict[str, tuple[Finding, ...]]:
    """The problems of all photographs that this session has examined, by image id; to be filled."""
    by_model: dict[str, dict[str, tuple[Finding, ...]]] = st.session_state.setdefault(_FINDINGS, {})
    return by_model.setdefault(record.sha256, {})
