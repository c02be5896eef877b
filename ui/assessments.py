"""One lesion on screen: a model's assessment of it, with pictures and evidence maps."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from melanoma_core.images import outlines, reading
from melanoma_core.metrics import calibration
from melanoma_core.models import assessments, grad_cam, predict, views
from melanoma_core.models.assessments import Verdict
from melanoma_core.models.cards import Card
from melanoma_core.models.predict import Model, Prediction

_MAX_LONG_SIDE = 1024  # px, of the picture kept for display
_MIN_LONG_SIDE = 640  # px, under a map or an outline; on a smaller picture a line would look thick


@dataclass(frozen=True)
class Patient:
    """What the user entered about the patient, to compare with the training data."""

    age: int | None = None  # years
    sex: str | None = None  # one of coverage.SEXES
    site: str | None = None  # one of coverage.SITES, or another site of the training data


@dataclass(frozen=True)
class ShownPhotograph:
    """One photograph of the lesion, and all that is shown of it; nothing identifies the patient."""

    picture: NDArray[np.uint8]  # (H, W, 3), at display size
    is_drawn: bool  # a synthetic lesion, not a photograph
    examined: assessments.Photograph  # what the model says of it alone
    maps: NDArray[np.float32] | None  # (C, h, w), in the order of prediction.codes; None: no maps
    # (h, w) of the whole photograph, True inside the lesion; None: not found. The user may redraw
    # it, while `examined.outline` stays the one that was found.
    outline: NDArray[np.bool_] | None
    view_logits: NDArray[np.float64] | None = None  # (8, C) of its flips and turns, once computed

    @property
    def prediction(self) -> Prediction:
        """What the model says of this photograph alone."""
        return self.examined.prediction

    @property
    def network_image(self) -> NDArray[np.uint8]:
        """(image_size, image_size, 3), input of the network."""
        return self.examined.square


@dataclass(frozen=True)
class Assessment:
    """Everything that a result shows."""

    result: assessments.Assessment  # of all photographs together
    photographs: tuple[ShownPhotograph, ...]  # at least one

    @property
    def card(self) -> Card:
        """Of the model that assessed it, which may have been replaced since."""
        return self.result.card

    @property
    def prediction(self) -> Prediction:
        """Of all photographs together."""
        return self.result.prediction

    @property
    def is_drawn(self) -> bool:
        """True for a synthetic lesion."""
        return self.photographs[0].is_drawn


def examine(model: Model, image: NDArray[np.uint8], *, is_drawn: bool = False) -> ShownPhotograph:
    """One photograph with the evidence map of every diagnosis.

    Args:
        model: the loaded model.
        image: (H, W, 3), upright, at full size.
        is_drawn: True for a synthetic lesion, which every page then says.

    Raises:
        RefusedError: it does not show a skin lesion through a dermatoscope.
    """
    if is_drawn:  # neither refused nor checked: it is no photograph, and does not claim to be one
        square = reading.resize(image, model.network.graph.image_size)
        prediction = predict.classify(model, square)
        logits = prediction.outline
        outline = None if logits is None else outlines.mask(logits, *square.shape[:2])
        examined = assessments.Photograph(square, prediction, (), outline)
    else:
        examined = assessments.examine(model, image)
    return ShownPhotograph(
        picture=reading.reduce(image, _MAX_LONG_SIDE),
        is_drawn=is_drawn,
        examined=examined,
        maps=grad_cam.grad_cams(model, examined.prediction) if model.card.has_saliency else None,
        outline=examined.outline,
    )


def combine(model: Model, photographs: Sequence[ShownPhotograph]) -> Assessment:
    """The assessment of a lesion from all its photographs, at least one."""
    result = assessments.combine(model, [photograph.examined for photograph in photographs])
    return Assessment(result, tuple(photographs))


def with_views(model: Model, assessment: Assessment) -> Assessment:
    """The assessment with the logits of the eight flips and turns of every photograph."""
    photographs = (
        photograph
        if photograph.view_logits is not None
        else dataclasses.replace(
            photograph, view_logits=views.view_logits(model.network, photograph.network_image)
        )
        for photograph in assessment.photographs
    )
    return dataclasses.replace(assessment, photographs=tuple(photographs))


def view_verdicts(assessment: Assessment, target: float) -> tuple[Verdict, ...]:
    """The verdict in each of the eight flips and turns, from all photographs together.

    The first is the verdict itself. Empty until `with_views` has computed them.
    """
    logits = [photograph.view_logits for photograph in assessment.photographs]
    if any(of_one is None for of_one in logits):
        return ()
    result = assessment.result
    means = np.mean([of_one for of_one in logits if of_one is not None], axis=0)
    predictions = (
        dataclasses.replace(
            result.prediction,
            logits=mean,
            probabilities=calibration.probabilities(mean, result.card.calibration),
        )
        for mean in means
    )
    return tuple(
        dataclasses.replace(result, prediction=prediction).verdict(target)
        for prediction in predictions
    )


def is_split(assessment: Assessment, target: float) -> bool:
    """True if some photographs alone are above a referral threshold and others are not."""
    alone = (
        dataclasses.replace(
            assessment.result,
            photographs=(photograph.examined,),
            prediction=photograph.prediction,
        ).verdict(target)
        for photograph in assessment.photographs
    )
    return len({verdict.is_referred for verdict in alone}) > 1


def ground_for_map(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture to draw a map or an outline on; a small one is enlarged."""
    height, width = picture.shape[:2]
    if max(height, width) >= _MIN_LONG_SIDE:
        return picture
    scale = _MIN_LONG_SIDE / max(height, width)
    size = (round(width * scale), round(height * scale))
    return np.array(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))


def outlined(picture: NDArray[np.uint8], outline: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The picture with a thin white line, on a dark edge, around the lesion.

    Args:
        picture: (H, W, 3).
        outline: (h, w) at any size, True inside the lesion.
    """
    drawn = ground_for_map(picture).copy()
    size = (drawn.shape[1], drawn.shape[0])
    inside = Image.fromarray(outline).convert("L").resize(size, Image.Resampling.BILINEAR)
    inside = inside.point(lambda value: 255 * (value > 127))
    grown = [np.asarray(inside.filter(ImageFilter.MaxFilter(side))) > 0 for side in (5, 7)]
    core = np.asarray(inside) > 0
    drawn[grown[1] & ~core] = (27, 39, 51)
    drawn[grown[0] & ~core] = 255
    return drawn
