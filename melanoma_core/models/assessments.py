"""One lesion from one or several photographs: what the model says, and whether it can say it."""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from melanoma_core.errors import ImageError
from melanoma_core.images import outlines, reading
from melanoma_core.metrics import calibration
from melanoma_core.models import novelty, outcomes, predict, quality_checks, similar_cases
from melanoma_core.models.cards import Card
from melanoma_core.models.novelty import Refusal
from melanoma_core.models.outcomes import Closest
from melanoma_core.models.predict import Model, Prediction
from melanoma_core.models.quality_checks import SEVERE, Finding, Judge
from melanoma_core.models.similar_cases import Case, Vote


class Verdict(StrEnum):
    """Where a lesion stands, in order of urgency."""

    MELANOMA = "melanoma"  # above the threshold for melanoma
    CARCINOMA = "carcinoma"  # above the threshold for carcinoma only
    NOT_JUDGED = "not_judged"  # below, but a photograph is too bad for that to stand
    BELOW = "below"  # below every threshold of the model

    @property
    def is_referred(self) -> bool:
        """True if the lesion is above a referral threshold."""
        return self in (Verdict.MELANOMA, Verdict.CARCINOMA)


class RefusedError(ImageError):
    """The picture is no dermoscopic photograph of a skin lesion; nothing is said of it."""

    def __init__(self, refusal: Refusal) -> None:
        """Take the reason."""
        super().__init__(
            f"This does not look like a dermoscopic photograph of a skin lesion. {refusal.message}"
        )
        self.refusal = refusal


@dataclass(frozen=True)
class Photograph:
    """One photograph, and what the model says of it alone."""

    square: NDArray[np.uint8]  # (S, S, 3), as the network took it
    prediction: Prediction
    findings: tuple[Finding, ...]  # one a check, problems first; empty: the model has no limits
    outline: NDArray[np.bool_] | None  # (S, S), True inside the lesion; None: not found

    @property
    def severe(self) -> tuple[Finding, ...]:
        """The findings that let no "below" stand."""
        return tuple(finding for finding in self.findings if finding.severity == SEVERE)


@dataclass(frozen=True)
class Assessment:
    """What a model says of one lesion."""

    card: Card
    photographs: tuple[Photograph, ...]
    prediction: Prediction  # of the mean logits; with one photograph, its own
    closest: Closest | None  # test photographs of about this melanoma probability
    cases: tuple[Case, ...]  # most similar training lesions, nearest first; empty: no index
    vote: Vote | None  # of the similar training lesions; None: no index

    def verdict(self, target: float = 0.95) -> Verdict:
        """Where the lesion stands at the thresholds for this sensitivity.

        Raises:
            ModelError: the model has no threshold for it.
        """
        if self.prediction.melanoma_probability >= self.card.operating_point(target).threshold:
            return Verdict.MELANOMA
        carcinoma = self.card.carcinoma_point(target)
        if carcinoma and self.prediction.carcinoma_probability >= carcinoma.threshold:
            return Verdict.CARCINOMA
        if any(photograph.severe for photograph in self.photographs):
            return Verdict.NOT_JUDGED
        return Verdict.BELOW


def examine(model: Model, image: NDArray[np.uint8]) -> Photograph:
    """Assess one photograph by itself.

    Args:
        model: as `predict.load` gives it.
        image: (H, W, 3) RGB, upright, any size.

    Raises:
        RefusedError: it does not show a skin lesion through a dermatoscope.
    """
    square = reading.resize(image, model.network.graph.image_size)
    prediction = predict.classify(model, square)
    if model.novelty is not None:
        refusal = novelty.refusal(model.novelty, square, prediction.embedding)
        if refusal is not None:
            raise RefusedError(refusal)
    logits = prediction.outline
    outline = None if logits is None else outlines.mask(logits, *square.shape[:2])
    return Photograph(square, prediction, _findings(model, image, prediction, outline), outline)


def _findings(
    model: Model,
    image: NDArray[np.uint8],
    prediction: Prediction,
    outline: NDArray[np.bool_] | None,
) -> tuple[Finding, ...]:
    card = model.card
    if not card.quality_limits:
        return ()
    judge = Judge(
        card.color_cast_limits,
        card.operating_point().threshold,
        prediction.melanoma_probability,
        lambda other: predict.classify(model, other).melanoma_probability,
        max(point.threshold for point in card.operating_points),
    )
    return quality_checks.findings(image, outline, card.quality_limits, judge)


def combine(model: Model, photographs: Sequence[Photograph]) -> Assessment:
    """Assess a lesion from all its photographs, at least one, by the mean of their logits."""
    first, index = photographs[0].prediction, model.index
    logits = np.mean([photograph.prediction.logits for photograph in photographs], axis=0)
    prediction = first
    if len(photographs) > 1:
        prediction = dataclasses.replace(
            first,
            logits=logits,
            probabilities=calibration.probabilities(logits, model.card.calibration),
            # The last layer is linear: this embedding has these logits.
            embedding=np.mean([p.prediction.embedding for p in photographs], axis=0),
        )
    voters: tuple[Case, ...] = ()
    if index is not None:
        # The search itself leaves out the copies of a single photograph.
        alone = photographs if len(photographs) > 1 else ()
        copies = [similar_cases.near_copies(index, p.prediction.embedding) for p in alone]
        voters = similar_cases.nearest(
            index, prediction.embedding, similar_cases.NUM_VOTERS, frozenset().union(*copies)
        )
    return Assessment(
        card=model.card,
        photographs=tuple(photographs),
        prediction=prediction,
        closest=outcomes.closest(model.outcomes, prediction.melanoma_probability),
        cases=voters[: similar_cases.NUM_CASES],
        vote=similar_cases.count(voters) if voters else None,
    )


def assess(model: Model, images: Iterable[NDArray[np.uint8]]) -> Assessment:
    """Assess a lesion from one or several photographs (H, W, 3).

    Raises:
        RefusedError: one of them does not show a skin lesion through a dermatoscope.
    """
    return combine(model, [examine(model, image) for image in images])
