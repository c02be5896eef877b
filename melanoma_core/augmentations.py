"""Changed views of a photograph: one image and a seed give one augmented image.

The same function serves training on any backend and the pages that show what augmentation does.
Geometry is one affine map and colour one matrix, so each view is resampled once only.
"""

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from melanoma_core.configs import AugmentConfig

# ITU-R BT.601, as Pillow uses for its grey conversion.
_LUMA = np.array([0.299, 0.587, 0.114])
_BEST_JPEG = 96  # from here on nothing is to be seen of it


def augment(
    image: NDArray[np.uint8], seed: Sequence[int], config: AugmentConfig
) -> NDArray[np.uint8]:
    """A changed view of `image`, the same for the same seed.

    Args:
        image: (S, S, 3) RGB.
        seed: whole numbers, none below 0; in training (run seed, epoch, row).
        config: how far the view may differ.

    Returns:
        (S, S, 3) RGB.
    """
    rng = np.random.default_rng(seed)
    view = _warp(image, rng, config)
    view = view.convert("RGB", tuple(_color_matrix(rng, config).ravel().tolist()))
    view = _change_sharpness(view, rng, config)
    if config.jpeg and rng.random() < 0.25:
        view = _compress(view, int(rng.integers(config.jpeg, _BEST_JPEG)))
    changed = np.array(view)
    if config.noise and rng.random() < 0.25:
        noise = rng.normal(0, rng.uniform(0, config.noise), changed.shape)
        changed = np.clip(np.rint(changed + noise), 0, 255).astype(np.uint8)
    if config.cutout and rng.random() < 0.5:
        _cut_out(changed, rng, config.cutout)
    return changed


def _warp(image: NDArray[np.uint8], rng: np.random.Generator, config: AugmentConfig) -> Image.Image:
    size = image.shape[0]
    angle = np.deg2rad(rng.uniform(-config.rotate_degrees, config.rotate_degrees))
    scale = _factor(rng, config.scale)
    stretch = _factor(rng, config.stretch)
    flips = rng.choice([-1.0, 1.0], size=2) if config.flip else np.ones(2)
    turns = rng.integers(4) if config.flip else 0
    shift = rng.uniform(-config.shift, config.shift, size=2) * size
    angle += turns * np.pi / 2

    # Pillow wants the map from the view back to the photograph.
    cos, sin = np.cos(angle), np.sin(angle)
    rotation = np.array([[cos, -sin], [sin, cos]])
    back = np.diag([1 / np.sqrt(stretch), np.sqrt(stretch)]) @ rotation @ np.diag(flips) / scale
    # Mirrored margins: empty corners would teach the network to tell turned photographs apart.
    center = (size - 1) / 2
    reach = np.abs(back).sum(axis=1) * center + np.abs(shift)
    margin = int(np.ceil(max(reach.max() - center, 0))) + 2  # 2: as far as bicubic looks
    padded = np.pad(image, ((margin, margin), (margin, margin), (0, 0)), mode="reflect")
    offset = center + margin + shift - back @ (center, center)
    # Pillow samples at pixel centres: it adds 0.5 before the map and takes it off after.
    offset += 0.5 - back @ (0.5, 0.5)
    data = (*back[0], offset[0], *back[1], offset[1])
    return Image.fromarray(padded).transform(
        (size, size), Image.Transform.AFFINE, data, Image.Resampling.BICUBIC
    )


def _color_matrix(rng: np.random.Generator, config: AugmentConfig) -> NDArray[np.float64]:
    """(3, 4): brightness, contrast about mid grey, saturation and hue as one linear map."""
    gain = 1 + rng.uniform(-config.brightness, config.brightness)
    contrast = 1 + rng.uniform(-config.contrast, config.contrast)
    saturation = 1 + rng.uniform(-config.saturation, config.saturation)
    angle = np.deg2rad(rng.uniform(-config.hue_degrees, config.hue_degrees))

    grey = np.tile(_LUMA, (3, 1))
    # Rotation about the grey axis (Rodrigues' formula): grey stays grey, hues move by `angle`.
    axis = np.full(3, 1 / np.sqrt(3))
    cross = np.cross(np.eye(3), axis)
    hue = (
        np.cos(angle) * np.eye(3)
        + np.sin(angle) * cross
        + (1 - np.cos(angle)) * np.outer(axis, axis)
    )
    linear = gain * contrast * (grey + saturation * (np.eye(3) - grey)) @ hue
    offset = np.full((3, 1), 127.5 * (1 - contrast))
    return np.hstack([linear, offset])


def _change_sharpness(
    view: Image.Image, rng: np.random.Generator, config: AugmentConfig
) -> Image.Image:
    """Blurred, sharpened or neither: optics, and the archive's own processing, differ in it."""
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


def _factor(rng: np.random.Generator, spread: float) -> float:
    """A factor between 1/(1+spread) and 1+spread, as often below 1 as above."""
    return float((1 + spread) ** rng.uniform(-1, 1))
