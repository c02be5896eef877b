"""Corrupt photographs in eight ways, in five strengths each.

The photograph is changed as it is stored, before it is resized. The random part depends only on
the image id and the kind of corruption, so a higher strength gives the same noise, only stronger.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from melanoma_core.images import degradations
from melanoma_core.images.degradations import STRENGTHS


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
    rng = degradations.random_generator(kind, image_id)
    return corruption.change(image, corruption.levels[STRENGTHS.index(strength)], rng)


def _blur(image: NDArray[np.uint8], level: float, _: np.random.Generator) -> NDArray[np.uint8]:
    return degradations.blur(image, level * max(image.shape[:2]))


def _jpeg(image: NDArray[np.uint8], level: float, _: np.random.Generator) -> NDArray[np.uint8]:
    return degradations.compress(image, int(level))


def _brightness(
    image: NDArray[np.uint8], level: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    return degradations.change_brightness(image, 1 + degradations.sign(rng) * level)


def _contrast(
    image: NDArray[np.uint8], level: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    return degradations.change_contrast(image, 1 + degradations.sign(rng) * level)


def _hue(image: NDArray[np.uint8], level: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Rotate all colors about the gray axis (Rodrigues' formula); gray stays gray."""
    angle = np.deg2rad(degradations.sign(rng) * level)
    axis = np.full(3, 1 / np.sqrt(3))
    rotation = (
        np.cos(angle) * np.eye(3)
        + np.sin(angle) * np.cross(np.eye(3), axis)
        + (1 - np.cos(angle)) * np.outer(axis, axis)
    )
    return degradations.rounded(image @ rotation)


def _white_balance(
    image: NDArray[np.uint8], level: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Make red and blue weaker or stronger, each independently; the brightness stays."""
    return degradations.tint(image, degradations.sign(rng) * level, degradations.sign(rng) * level)


def _dark_corners(
    image: NDArray[np.uint8], level: float, _: np.random.Generator
) -> NDArray[np.uint8]:
    return degradations.darken_corners(image, level)


# From barely visible to worse than a clinic would keep, judged by eye on one photograph.
CORRUPTIONS = {
    "blur": Corruption(
        (0.0025, 0.005, 0.0075, 0.01, 0.015), "radius of a Gaussian, of the long side", _blur
    ),
    "noise": Corruption(
        (4, 8, 12, 18, 26), "standard deviation, of 255 levels", degradations.add_noise
    ),
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
