"""One lesion and a model's assessment of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from melanoma_core.images import reading
from melanoma_core.models import grad_cam, predict
from melanoma_core.models.cards import Card
from melanoma_core.models.predict import Model, Prediction

_MAX_LONG_SIDE = 1024  # px, of the picture kept for display
_MIN_LONG_SIDE = 640  # px, under a map; on a smaller picture the map's line would look thick


@dataclass(frozen=True)
class Patient:
    """What the user entered about the patient, to compare with the training data."""

    age: int | None = None  # years
    sex: str | None = None  # one of coverage.SEXES
    site: str | None = None  # one of coverage.SITES, or another site of the training data


@dataclass(frozen=True)
class Assessment:
    """Everything that a result shows; nothing identifies the patient."""

    picture: NDArray[np.uint8]  # (H, W, 3), at display size
    is_drawn: bool  # a synthetic lesion, not a photograph
    prediction: Prediction
    maps: NDArray[np.float32] | None  # (C, h, w), in the order of prediction.codes; None: no maps
    card: Card  # of the model that assessed it, which may have been replaced since
    network_image: NDArray[np.uint8]  # (image_size, image_size, 3), input of the network


def assess(model: Model, image: NDArray[np.uint8], *, is_drawn: bool = False) -> Assessment:
    """The model's prediction for an image, with the evidence map of every diagnosis.

    Args:
        model: the loaded model.
        image: (H, W, 3), upright, at full size.
        is_drawn: True for a synthetic lesion, which every page then says.
    """
    # Kept so that other methods explain the same pixels. `classify` resizes again, which changes
    # nothing at the same size.
    network_image = reading.resize(image, model.network.graph.image_size)
    prediction = predict.classify(model, network_image)
    return Assessment(
        picture=reading.reduce(image, _MAX_LONG_SIDE),
        is_drawn=is_drawn,
        prediction=prediction,
        maps=grad_cam.grad_cams(model, prediction) if model.card.has_saliency else None,
        card=model.card,
        network_image=network_image,
    )


def ground_for_map(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture to draw a map on; a small one is enlarged."""
    height, width = picture.shape[:2]
    if max(height, width) >= _MIN_LONG_SIDE:
        return picture
    scale = _MIN_LONG_SIDE / max(height, width)
    size = (round(width * scale), round(height * scale))
    return np.array(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))
