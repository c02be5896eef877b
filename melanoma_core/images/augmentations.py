"""Augmentation of photographs: the same image and seed always give the same augmented image.

Training and the pages that show augmentation use the same function. Geometry is a single affine
map and color a single matrix, so each image is resampled only once.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter


@dataclass(frozen=True)
class AugmentConfig:
    """Strength of the augmentation; values are drawn uniformly from each range."""

    flip: bool = True  # lesions have no orientation
    rotate_degrees: float = 180.0  # rotation, in addition to quarter turns
    scale: float = 0.2  # magnification 1/(1+s) to 1+s: dermatoscopes differ
    shift: float = 0.08  # as a fraction of the side, in x and y
    stretch: float = 0.12  # of the aspect ratio, because photographs are squashed to a square
    brightness: float = 0.2  # gain 1-b to 1+b
    contrast: float = 0.2
    saturation: float = 0.25
    hue_degrees: float = 12.0  # white balance differs between cameras
    blur: float = 1.0  # largest Gaussian radius, px, in one image in four
    sharpen: float = 2.0  # largest strength of an unsharp mask, in another one in four
    noise: float = 8.0  # largest standard deviation, in gray levels, in one image in four
    jpeg: int = 40  # lowest quality of recompression, in one image in four; 0: off
    cutout: float = (
        0.3  # largest side of a square in the mean color, as a fraction, in one image in two
    )
    dark_corners: float = (
        0.35  # reach, as a fraction of half the diagonal, in one image in four; 0: off
    )


NO_AUGMENTATION = AugmentConfig(
    flip=False, rotate_degrees=0, scale=0, shift=0, stretch=0, brightness=0, contrast=0,
    saturation=0, hue_degrees=0, blur=0, sharpen=0, noise=0, jpeg=0, cutout=0, dark_corners=0,
)  # fmt: skip
AUGMENTATIONS = {
    "strong": AugmentConfig(),
    # For the last epochs of a network trained with strong augmentation.
    "mild": AugmentConfig(
        scale=0.15, brightness=0.12, contrast=0.12, saturation=0.12, hue_degrees=6, blur=0.6,
        sharpen=1.0, noise=4.0, jpeg=60, cutout=0.15, dark_corners=0.35,
    ),
    "none": NO_AUGMENTATION,
}  # fmt: skip

# ITU-R BT.601: each color's weight in the luma.
_LUMA = np.tile([0.299, 0.587, 0.114], (3, 1))
# Components of a rotation about the gray axis (Rodrigues' formula): along it and across it.
_ALONG = np.full((3, 3), 1 / 3)
_ACROSS = np.array([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)
_HALF = 128  # of 255: where a warped mask is cut
_BEST_JPEG = 96  # compression is invisible from here on


def augment(
    image: NDArray[np.uint8], seed: Sequence[int], config: AugmentConfig
) -> NDArray[np.uint8]:
    """An augmented copy of `image`, the same for the same seed.

    Args:
        image: (S, S, 3) RGB.
        seed: non-negative integers; in training (run seed, epoch, row).
        config: strength of the augmentation.

    Returns:
        (S, S, 3) RGB.
    """
    return _augment(image, None, seed, config)[0]


def augment_with_mask(
    image: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    seed: Sequence[int],
    config: AugmentConfig,
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """An augmented copy of `image` and its mask, in step; what is darkened leaves the mask.

    Args:
        image: (S, S, 3) RGB.
        mask: (S, S).
        seed: as in `augment`.
        config: strength of the augmentation.

    Returns:
        (S, S, 3) RGB, and (S, S).
    """
    view, moved = _augment(image, mask, seed, config)
    assert moved is not None
    return view, moved


def _augment(
    image: NDArray[np.uint8],
    mask: NDArray[np.bool_] | None,
    seed: Sequence[int],
    config: AugmentConfig,
) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
    rng = np.random.default_rng(seed)
    warp = _warp(image.shape[0], rng, config)
    view = Image.fromarray(_warped(image, warp, cv2.INTER_CUBIC))
    if mask is not None:
        inside = _warped(np.where(mask, np.uint8(255), np.uint8(0)), warp, cv2.INTER_LINEAR)
        mask = inside >= _HALF
    view = view.convert("RGB", tuple(_color_matrix(rng, config).ravel().tolist()))
    view = _change_sharpness(view, rng, config)
    if config.jpeg and rng.random() < 0.25:
        view = _compress(view, int(rng.integers(config.jpeg, _BEST_JPEG)))
    changed = np.array(view)
    if config.noise and rng.random() < 0.25:
        level = np.float32(rng.uniform(0, config.noise))
        noise = rng.standard_normal(changed.shape, dtype=np.float32) * level
        changed = np.clip(np.rint(changed + noise), 0, 255).astype(np.uint8)
    if config.cutout and rng.random() < 0.5:
        _cut_out(changed, rng, config.cutout)
    if config.dark_corners and rng.random() < 0.25:
        light = _light(changed.shape[0], rng, config.dark_corners)
        changed = np.rint(changed * light[..., np.newaxis]).astype(np.uint8)
        mask = None if mask is None else mask & (light >= 0.5)
    return changed, mask


def _warp(size: int, rng: np.random.Generator, config: AugmentConfig) -> NDArray[np.float64]:
    """(2, 3): the affine map from the augmented image back to the original."""
    angle = np.deg2rad(rng.uniform(-config.rotate_degrees, config.rotate_degrees))
    scale = _factor(rng, config.scale)
    stretch = _factor(rng, config.stretch)
    flips = rng.choice([-1.0, 1.0], size=2) if config.flip else np.ones(2)
    turns = rng.integers(4) if config.flip else 0
    shift = rng.uniform(-config.shift, config.shift, size=2) * size
    angle += turns * np.pi / 2

    # About the center.
    cos, sin = np.cos(angle), np.sin(angle)
    rotation = np.array([[cos, -sin], [sin, cos]])
    back = np.diag([1 / np.sqrt(stretch), np.sqrt(stretch)]) @ rotation @ np.diag(flips) / scale
    center = (size - 1) / 2
    offset = center + shift - back @ (center, center)
    return np.column_stack([back, offset])


def _warped(
    image: NDArray[np.uint8], warp: NDArray[np.float64], interpolation: int
) -> NDArray[np.uint8]:
    size = image.shape[0]
    # Mirrored margins: from empty corners a network could learn which images were rotated.
    warped = cv2.warpAffine(
        image, warp, (size, size),
        flags=interpolation | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT_101,
    )  # fmt: skip
    return np.asarray(warped, np.uint8)


def _color_matrix(rng: np.random.Generator, config: AugmentConfig) -> NDArray[np.float64]:
    """(3, 4): brightness, contrast about mid gray, saturation and hue as a linear map."""
    gain = 1 + rng.uniform(-config.brightness, config.brightness)
    contrast = 1 + rng.uniform(-config.contrast, config.contrast)
    saturation = 1 + rng.uniform(-config.saturation, config.saturation)
    angle = np.deg2rad(rng.uniform(-config.hue_degrees, config.hue_degrees))

    # Gray stays gray, hues rotate by `angle`.
    hue = np.cos(angle) * (np.eye(3) - _ALONG) + np.sin(angle) * _ACROSS + _ALONG
    linear = gain * contrast * (_LUMA + saturation * (np.eye(3) - _LUMA)) @ hue
    offset = np.full((3, 1), 127.5 * (1 - contrast))
    return np.hstack([linear, offset])


def _change_sharpness(
    view: Image.Image, rng: np.random.Generator, config: AugmentConfig
) -> Image.Image:
    """Blurred, sharpened or neither, because optics and the processing by archives differ."""
    kind = rng.random()
    if config.blur and kind < 0.25:
        return view.filter(ImageFilter.GaussianBlur(rng.uniform(0, config.blur)))
    if config.sharpen and kind >= 0.75:
        percent = round(100 * rng.uniform(0, config.sharpen))
        return view.filter(ImageFilter.UnsharpMask(radius=1, percent=percent, threshold=0))
    return view


def _compress(view: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    view.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def _cut_out(image: NDArray[np.uint8], rng: np.random.Generator, largest: float) -> None:
    size = image.shape[0]
    side = int(rng.uniform(0.05, largest) * size)
    top, left = rng.integers(0, size - side + 1, size=2)
    image[top : top + side, left : left + side] = image.mean(axis=(0, 1)).astype(np.uint8)


def _light(size: int, rng: np.random.Generator, furthest: float) -> NDArray[np.float64]:
    """(S, S), dark outside of a circle, with a sharp or soft edge, like a dermatoscope's tube."""
    radius = rng.uniform(1 - furthest, 1)
    row, column = (size - 1) / 2 + rng.uniform(-0.05, 0.05, size=2) * size
    edge, light_outside = rng.uniform(0.01, 0.15), rng.uniform(0, 0.15)
    along = np.arange(size, dtype=np.float32)
    distance = np.hypot(along[:, np.newaxis] - np.float32(row), along - np.float32(column))
    inside = np.clip(0.5 + (radius - distance / (size / np.sqrt(2))) / edge, 0, 1)
    return np.asarray(light_outside + (1 - light_outside) * inside, np.float64)


def _factor(rng: np.random.Generator, spread: float) -> float:
    """A log-uniform factor between 1/(1+spread) and 1+spread."""
    return float((1 + spread) ** rng.uniform(-1, 1))
