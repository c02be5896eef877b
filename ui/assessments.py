"""One lesion, and what one model says of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from melanoma_core.images import reading
from melanoma_core.models import grad_cam, predict
from melanoma_core.models.cards import Card
from melanoma_core.models.predict import Model, Prediction

_LONGEST = 1024  # px of the long side that is kept to be shown
_SHORTEST_LONG = 640  # px of it under a map, or the map's line would be fat


@dataclass(frozen=True)
class Patient:
    """What the user chose to say of the patient; it is held against what the model has seen."""

    age: int | None = None  # years
    sex: str | None = None  # one of boundaries.SEXES
    site: str | None = None  # one of boundaries.SITES


@dataclass(frozen=True)
class Assessment:
    """Everything that a result shows; nothing in it tells whose lesion it is."""

    picture: NDArray[np.uint8]  # (H, W, 3), at a size for display
    is_drawn: bool  # by code, not photographed
    prediction: Prediction
    maps: NDArray[np.float32] | None  # (C, h, w), as prediction.codes; not every network has them
    card: Card  # of the model that said it, which may since have been replaced
    network_image: NDArray[np.uint8]  # (image_size, image_size, 3), what the network was fed


def assess(model: Model, image: NDArray[np.uint8], *, is_drawn: bool = False) -> Assessment:
    """The model's prediction for an image, with the evidence map of every diagnosis.

    Args:
        model: as the registry's champion was loaded.
        image: (H, W, 3), upright, at its full size.
        is_drawn: whether it was drawn by code, which every page then says.
    """
    # Resized here and kept, for other methods are asked about these very pixels; resized once more
    # to the same size, an image stays as it is.
    network_image = reading.resize(image, model.network.graph.image_size)
    prediction = predict.classify(model, network_image)
    return Assessment(
        picture=reading.reduce(image, _LONGEST),
        is_drawn=is_drawn,
        prediction=prediction,
        maps=grad_cam.grad_cams(model, prediction) if model.card.has_saliency else None,
        card=model.card,
        network_image=network_image,
    )


def ground_for_map(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture at the size at which a map is laid over it; a small one is enlarged."""
    height, width = picture.shape[:2]
    if max(height, width) >= _SHORTEST_LONG:
        return picture
    scale = _SHORTEST_LONG / max(height, width)
    size = (round(width * scale), round(height * scale))
    return np.array(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))
