"""Where in a photograph the network found support for a diagnosis, and how to draw it.

What is explained (a diagnosis), how the map is made (Grad-CAM) and how it is drawn (overlay) are
kept separate.
"""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from melanoma_core.errors import ModelError
from melanoma_core.models.predict import Model, Prediction

# Viridis without its dark purple end: perceptually uniform, and green does not occur in skin.
_COLORS = np.array([[0x31, 0x68, 0x8E], [0x35, 0xB7, 0x79], [0xFD, 0xE7, 0x25]], np.float64)
FAINTEST = 0.15  # of the scale; weaker evidence is not drawn
FAINTEST_LINE = 1 / 3  # of the scale; a line would make weaker evidence look important
_STRONGEST_OPACITY = 0.42  # structures stay visible


def grad_cams(model: Model, prediction: Prediction) -> NDArray[np.float32]:
    """Grad-CAM map of every diagnosis, from the prediction's forward pass.

    After global average pooling and one dense layer, the gradient of a logit with respect to the
    feature map is the kernel divided by the number of cells. Grad-CAM (Selvaraju et al., ICCV 2017)
    averages it over the cells, so the map is exactly this sum and needs no gradient.

    Returns:
        (C, h, w), not negative, in the order of `prediction.codes`, unscaled: the maps of one
        photograph can be compared with each other.

    Raises:
        ModelError: the network has no feature map, or the prediction is another model's.
    """
    if prediction.model_id != model.card.model_id:
        raise ModelError(
            f"The prediction is from “{prediction.model_id}”, the model is "
            f"“{model.card.model_id}”. Assess the photograph again."
        )
    if prediction.features is None:
        raise ModelError(
            f"The network of “{model.card.model_id}” has no feature map, so there is no evidence "
            "map. Use a model with global average pooling."
        )
    height, width, num_features = prediction.features.shape
    # One matrix product takes a tenth of the time of np.einsum.
    sums = prediction.features.reshape(-1, num_features) @ model.network.kernel
    maps = sums.T.reshape(-1, height, width) / (height * width)
    rectified: NDArray[np.float32] = np.maximum(maps, 0).astype(np.float32)
    return rectified


def heat_inside(cam: NDArray[np.float32], outline: NDArray[np.bool_]) -> float:
    """Proportion of a map's heat inside the outline of the lesion; NaN for an empty map.

    Args:
        cam: (h, w), not negative.
        outline: (H, W), True inside; of the whole photograph at any size. A cell of the map that is
            partly inside counts in part.

    >>> heat_inside(np.float32([[3, 1], [0, 0]]), np.array([[True, False], [True, False]]))
    0.75
    """
    total = float(cam.sum(dtype=np.float64))
    if total == 0:
        return math.nan
    height, width = cam.shape
    inside = Image.fromarray(outline.astype(np.float32)).resize(
        (width, height), Image.Resampling.BOX
    )
    return float((cam * np.asarray(inside, np.float64)).sum()) / total


def is_drawable(cam: NDArray[np.float32], scale: float) -> bool:
    """True if any cell of a map is strong enough, on this scale, to be colored."""
    return bool(scale > 0 and cam.max() > 0 and cam.max() >= FAINTEST * scale)


def is_outlined(cam: NDArray[np.float32], scale: float) -> bool:
    """True if a map is strong enough, on this scale, for a line at half of its maximum."""
    return is_drawable(cam, scale) and bool(cam.max() >= FAINTEST_LINE * scale)


def overlay(
    image: NDArray[np.uint8],
    cam: NDArray[np.float32],
    scale: float,
    opacity: float = 1.0,
    *,
    has_line: bool = True,
) -> NDArray[np.uint8]:
    """The photograph with a map on top, and a line at half of its evidence if `is_outlined`.

    Args:
        image: (H, W, 3) RGB.
        cam: (h, w), not negative, from `grad_cams`.
        scale: heat drawn at full strength: the largest of **all** diagnoses, so that a diagnosis
            without support looks empty.
        opacity: 0 (only the photograph) to 1.
        has_line: draw the line; around single pixels it would be a scribble.

    Returns:
        (H, W, 3) RGB; a copy of the photograph if the map is too faint to be drawn.
    """
    if not is_drawable(cam, scale):
        return image.copy()
    height, width = image.shape[:2]
    heat = np.asarray(
        Image.fromarray(cam.astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC)
    )
    heat = np.clip(heat / scale, 0, 1)
    strength = np.clip((heat - FAINTEST) / (1 - FAINTEST), 0, 1) ** 0.7
    alpha = (_STRONGEST_OPACITY * opacity * strength)[..., np.newaxis]
    stops = np.linspace(0, 1, len(_COLORS))
    colors = np.stack([np.interp(heat, stops, _COLORS[:, k]) for k in range(3)], axis=-1)
    drawn = image * (1 - alpha) + colors * alpha
    if opacity > 0 and has_line and is_outlined(cam, scale):
        _draw_contour(drawn, heat >= heat.max() / 2)
    return np.rint(drawn).astype(np.uint8)


def _draw_contour(drawn: NDArray[np.float64], inside: NDArray[np.bool_]) -> None:
    """Draw a white line with dark edges around `inside`, about 1/250 of the long side wide."""
    width = max(1, round(max(inside.shape) / 400))
    edge = _grow(inside, 1) & ~inside
    drawn[_grow(edge, 2 * width)] = (27, 39, 51)
    drawn[_grow(edge, width)] = 255


def _grow(mask: NDArray[np.bool_], num_pixels: int) -> NDArray[np.bool_]:
    for axis in (0, 1):
        grown = mask.copy()
        for step in range(1, num_pixels + 1):
            ahead, behind = [slice(None)] * 2, [slice(None)] * 2
            ahead[axis], behind[axis] = slice(step, None), slice(None, -step)
            grown[tuple(ahead)] |= mask[tuple(behind)]
            grown[tuple(behind)] |= mask[tuple(ahead)]
        mask = grown
    return mask
