"""Photographs made worse on purpose, in eight ways and five strengths each.

The photograph is changed as it is stored, before it is resized. A change hangs on the photograph's
id and the kind alone, so one photograph is noisier, never otherwise noisy, at a greater strength.
"""

import io
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from melanoma_core.images import reading

STRENGTHS = (1, 2, 3, 4, 5)
_EDGE = 0.04  # width of the soft edge of a dark corner, in half-diagonals
Pixels = NDArray[np.float64]


@dataclass(frozen=True)
class Corruption:
    """A way in which photographs get worse."""

    levels: tuple[float, ...]  # one for each of `STRENGTHS`, as given to `change`
    unit: str  # what the levels are, in words
    change: Callable[[NDArray[np.uint8], float, np.random.Generator], NDArray[np.uint8]]


def corrupt(image: NDArray[np.uint8], kind: str, strength: int, image_id: str) -> NDArray[np.uint8]:
    """The photograph made worse.

    Args:
        image: (H, W, 3) RGB; it stays as it is.
        kind: a key of `CORRUPTIONS`.
        strength: one of `STRENGTHS`.
        image_id: what chance hangs on: the same id gives the same change.

    Returns:
        (H, W, 3) RGB.
    """
    corruption = CORRUPTIONS[kind]
    rng = np.random.default_rng(zlib.crc32(f"{kind}/{image_id}".encode()))
    return corruption.change(image, corruption.levels[STRENGTHS.index(strength)], rng)


def _blur(image: NDArray[np.uint8], level: float, _: np.random.Generator) -> NDArray[np.uint8]:
    radius = level * max(image.shape[:2])
    return np.array(Image.fromarray(image).filter(ImageFilter.GaussianBlur(radius)))


def _noise(image: NDArray[np.uint8], level: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    return _rounded(image + level * rng.standard_normal(image.shape))


def _jpeg(image: NDArray[np.uint8], level: float, _: np.random.Generator) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(reading.jpeg(image, quality=int(level)))) as file:
        return np.array(file)


def _brightness(
    image: NDArray[np.uint8], level: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    return _rounded(image * (1 + _sign(rng) * level))


def _contrast(
    image: NDArray[np.uint8], level: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    mean = image.mean()
    return _rounded(mean + (image - mean) * (1 + _sign(rng) * level))


def _hue(image: NDArray[np.uint8], level: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """All colors turned about the gray axis (Rodrigues' formula): gray stays gray."""
    angle = np.deg2rad(_sign(rng) * level)
    axis = np.full(3, 1 / np.sqrt(3))
    turn = (
        np.cos(angle) * np.eye(3)
        + np.sin(angle) * np.cross(np.eye(3), axis)
        + (1 - np.cos(angle)) * np.outer(axis, axis)
    )
    return _rounded(image @ turn)


def _white_balance(
    image: NDArray[np.uint8], level: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Red and blue weaker or stronger, each either way; as bright as before."""
    gains = np.exp([_sign(rng) * level, 0, _sign(rng) * level])
    return _rounded(image * (gains * image.mean() / (image * gains).mean()))


def _dark_corners(
    image: NDArray[np.uint8], level: float, _: np.random.Generator
) -> NDArray[np.uint8]:
    """Black outside of a circle, as where a dermatoscope's tube stands in the picture."""
    height, width = image.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    distance = np.hypot(rows - (height - 1) / 2, columns - (width - 1) / 2)
    beyond = distance / (np.hypot(height, width) / 2) - level
    light = np.clip(0.5 - beyond / _EDGE, 0, 1)
    return _rounded(image * light[..., np.newaxis])


def _sign(rng: np.random.Generator) -> float:
    """1 for one half of the photographs, −1 for the other."""
    return float(rng.choice([-1.0, 1.0]))


def _rounded(values: Pixels) -> NDArray[np.uint8]:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


# From barely seen to worse than a clinic would keep, as judged by eye on one photograph.
CORRUPTIONS = {
    "blur": Corruption(
        (0.0025, 0.005, 0.0075, 0.01, 0.015), "radius of a Gaussian, of the long side", _blur
    ),
    "noise": Corruption((4, 8, 12, 18, 26), "standard deviation, of 255 levels", _noise),
    "JPEG": Corruption((50, 30, 20, 12, 7), "quality", _jpeg),
    "brightness": Corruption((0.1, 0.2, 0.3, 0.4, 0.5), "share, up or down", _brightness),
    "contrast": Corruption((0.15, 0.3, 0.45, 0.6, 0.75), "share, up or down", _contrast),
    "hue": Corruption((6, 12, 18, 27, 40), "degrees, either way", _hue),
    "white balance": Corruption(
        (0.05, 0.1, 0.2, 0.3, 0.45), "logarithm of the gain of red and blue", _white_balance
    ),
    "dark corners": Corruption(
        (0.95, 0.88, 0.81, 0.74, 0.67), "black from this share of the half-diagonal", _dark_corners
    ),
}
