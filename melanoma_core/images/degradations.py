"""Degraded copies of photographs: what bad optics, light, cameras and files do to them.

The limits of the quality findings are fitted on such copies of real photographs, and measured on
them. The photograph is changed as it is stored, before it is resized. The random part depends only
on the seed and the kind, so a higher strength gives the same noise, only stronger.
"""

import io
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

STRENGTHS = (1, 2, 3, 4, 5)
_EDGE = 0.04  # width of the soft edge of a dark corner, in half-diagonals
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Degradation:
    """One way in which a photograph gets worse, in five strengths."""

    finding: str  # the kind of finding that it must cause once it does harm
    levels: tuple[float, ...]  # passed to `change`, one per strength
    unit: str  # of the levels, in words
    change: Callable[[Pixels, float, np.random.Generator], Pixels]


def degrade(image: Pixels, kind: str, strength: int, image_id: str) -> Pixels:
    """A degraded copy of the photograph.

    Args:
        image: (H, W, 3) RGB; not modified.
        kind: a key of `DEGRADATIONS`.
        strength: one of `STRENGTHS`.
        image_id: seeds the random part: the same id gives the same change.

    Returns:
        (H, W, 3) RGB.
    """
    degradation = DEGRADATIONS[kind]
    level = degradation.levels[STRENGTHS.index(strength)]
    return degradation.change(image, level, random_generator(kind, image_id))


def random_generator(kind: str, image_id: str) -> np.random.Generator:
    """The same for the same kind of change and the same photograph, anywhere."""
    return np.random.default_rng(zlib.crc32(f"{kind}/{image_id}".encode()))


def blur(image: Pixels, radius: float) -> Pixels:
    """Blurred by a Gaussian; `radius` is its standard deviation, px."""
    return np.array(Image.fromarray(image).filter(ImageFilter.GaussianBlur(radius)))


def add_noise(image: Pixels, deviation: float, rng: np.random.Generator) -> Pixels:
    """With Gaussian noise of this standard deviation, independent in each channel."""
    return rounded(image + deviation * rng.standard_normal(image.shape))


def compress(image: Pixels, quality: int) -> Pixels:
    """As it is after saving it as a JPEG file of this quality."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    with Image.open(file) as reopened:
        return np.array(reopened)


def shrink(image: Pixels, short_side: int) -> Pixels:
    """With this many pixels on the short side."""
    scale = short_side / min(image.shape[:2])
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    return np.array(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))


def change_brightness(image: Pixels, gain: float) -> Pixels:
    """All values multiplied by `gain`; what is above white is lost."""
    return rounded(image * gain)


def change_contrast(image: Pixels, gain: float) -> Pixels:
    """All distances from the mean gray level multiplied by `gain`."""
    mean = image.mean()
    return rounded(mean + (image - mean) * gain)


def tint(image: Pixels, red: float, blue: float) -> Pixels:
    """Red and blue made weaker or stronger; the brightness stays.

    Args:
        image: (H, W, 3) RGB.
        red: natural logarithm of the gain of red.
        blue: the same of blue.
    """
    gains = np.exp([red, 0, blue])
    return rounded(image * (gains * image.mean() / (image * gains).mean()))


def darken_corners(image: Pixels, radius: float) -> Pixels:
    """Black outside a circle, as when a dermatoscope's tube is in the picture.

    Args:
        image: (H, W, 3) RGB.
        radius: of the circle, as a fraction of half the diagonal.
    """
    height, width = image.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    distance = np.hypot(rows - (height - 1) / 2, columns - (width - 1) / 2)
    beyond = distance / (np.hypot(height, width) / 2) - radius
    light = np.clip(0.5 - beyond / _EDGE, 0, 1)
    return rounded(image * light[..., np.newaxis])


def sign(rng: np.random.Generator) -> float:
    """1 or −1, equally likely."""
    return float(rng.choice([-1.0, 1.0]))


def rounded(values: NDArray[np.floating[Any]]) -> Pixels:
    """Gray levels as 8-bit numbers."""
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


def _blur(image: Pixels, level: float, _: np.random.Generator) -> Pixels:
    return blur(image, level * min(image.shape[:2]) / 256)


def _tint(image: Pixels, level: float, rng: np.random.Generator) -> Pixels:
    return tint(image, sign(rng) * level, sign(rng) * level)


# From what a careless photograph has to worse than a clinic would keep.
DEGRADATIONS = {
    "blur": Degradation("blur", (1, 2, 3, 4, 5), "px of 256 on the short side", _blur),
    "dark": Degradation(
        "dark",
        (0.75, 0.6, 0.45, 0.3, 0.2),
        "gain of the brightness",
        lambda image, level, _: change_brightness(image, level),
    ),
    "bright": Degradation(
        "overexposed",
        (1.2, 1.4, 1.6, 1.9, 2.3),
        "gain of the brightness",
        lambda image, level, _: change_brightness(image, level),
    ),
    "low contrast": Degradation(
        "low_contrast",
        (0.7, 0.5, 0.35, 0.25, 0.15),
        "gain of the contrast",
        lambda image, level, _: change_contrast(image, level),
    ),
    "noise": Degradation(
        "noise", (8, 16, 24, 32, 45), "standard deviation, of 255 levels", add_noise
    ),
    "compression": Degradation(
        "compression",
        (30, 20, 12, 8, 5),
        "JPEG quality",
        lambda image, level, _: compress(image, int(level)),
    ),
    "few pixels": Degradation(
        "too_small",
        (160, 128, 96, 80, 64),
        "px on the short side",
        lambda image, level, _: shrink(image, int(level)),
    ),
    "color cast": Degradation(
        "color_cast", (0.1, 0.2, 0.3, 0.45, 0.6), "logarithm of the gain of red and blue", _tint
    ),
}
