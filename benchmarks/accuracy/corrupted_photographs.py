"""Corrupt photographs in eight ways, in five strengths each.

The photograph is changed as it is stored, before it is resized. The random part depends only on
the image id and the kind of corruption, so a higher strength gives the same noise, only stronger.
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
    """One kind of corruption."""

    levels: tuple[float, ...]  # passed to `change`, one per strength
    unit: str  # of the levels, in words
    change: Callable[[NDArray[np.uint8], float, np.random.Generator], NDArray[np.uint8]]


def corrupt(image: NDArray[np.uint8], kind: str, strength: int, image_id: str) -> NDArray[np.uint8]:
    """A corrupted copy of the photograph.

    Args:
        image: (H, W, 3) RGB; not modified.
        kind: a key of `CORRUPTIONS`.
        strength: one of `STRENGTHS`.
        image_id: seeds the random part: the same id gives the same change.

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
    """Rotate all colors about the gray axis (Rodrigues' formula); gray stays gray."""
    angle = np.deg2rad(_sign(rng) * level)
    axis = np.full(3, 1 / np.sqrt(3))
    rotation = (
        np.cos(angle) * np.eye(3)
        + np.sin(angle) * np.cross(np.eye(3), axis)
        + (1 - np.cos(angle)) * np.outer(axis, axis)
    )
    return _rounded(image @ rotation)


def _white_balance(
    image: NDArray[np.uint8], level: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Make red and blue weaker or stronger, each independently; the brightness stays."""
    gains = np.exp([_sign(rng) * level, 0, _sign(rng) * level])
    return _rounded(image * (gains * image.mean() / (image * gains).mean()))


def _dark_corners(
    image: NDArray[np.uint8], level: float, _: np.random.Generator
) -> NDArray[np.uint8]:
    """Black outside a circle, as when a dermatoscope's tube is in the picture."""
    height, width = image.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    distance = np.hypot(rows - (height - 1) / 2, columns - (width - 1) / 2)
    beyond = distance / (np.hypot(height, width) / 2) - level
    light = np.clip(0.5 - beyond / _EDGE, 0, 1)
    return _rounded(image * light[..., np.newaxis])


def _sign(rng: np.random.Generator) -> float:
    """1 or −1, equally likely."""
    return float(rng.choice([-1.0, 1.0]))


def _rounded(values: Pixels) -> NDArray[np.uint8]:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


# From barely visible to worse than a clinic would keep, judged by eye on one photograph.
CORRUPTIONS = {
    "blur": Corruption(
        (0.0025, 0.005, 0.0075, 0.01, 0.015), "radius of a Gaussian, of the long side", _blur
    ),
    "noise": Corruption((4, 8, 12, 18, 26), "standard deviation, of 255 levels", _noise),
    "JPEG": Corruption((50, 30, 20, 12, 7), "quality", _jpeg),
    "brightness": Corruption((0.1, 0.2, 0.3, 0.4, 0.5), "fraction, up or down", _brightness),
    "contrast": Corruption((0.15, 0.3, 0.45, 0.6, 0.75), "fraction, up or down", _contrast),
    "hue": Corruption((6, 12, 18, 27, 40), "degrees, either way", _hue),
    "white balance": Corruption(
        (0.05, 0.1, 0.2, 0.3, 0.45), "logarithm of the gain of red and blue", _white_balance
    ),
    "dark corners": Corruption(
        (0.95, 0.88, 0.81, 0.74, 0.67),
        "black from this fraction of the half-diagonal",
        _dark_corners,
    ),
}
