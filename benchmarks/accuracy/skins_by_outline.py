"""Healthy skin and clinical views made with experts' outlines, at the photographs' own size.

Lesions are filled in and clinical views drawn in other ways than `images.outlined_skins` does,
which the detector is fitted on; so the figures are not those of one generator alone.
"""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from melanoma_core.images import reading
from melanoma_core.images.outlined_skins import skin_beside, widened

Picture = NDArray[np.uint8]

_LARGEST_FILLED = 0.2  # of the area; more of it filled in no longer looks like skin


def skin_filled_in(photograph: Picture, outline: NDArray[np.bool_]) -> Picture | None:
    """The photograph with its lesion painted over from the skin around; None: it is too large."""
    wide = widened(outline)
    if not wide.any() or wide.mean() > _LARGEST_FILLED:
        return None
    return cv2.inpaint(photograph, wide.astype(np.uint8), 5, cv2.INPAINT_TELEA).astype(np.uint8)


def skin_laid_over(photograph: Picture, outline: NDArray[np.bool_]) -> Picture | None:
    """The photograph with a corner's skin cloned over its lesion; None: no skin, or too large."""
    wide, corner = widened(outline), skin_beside(photograph, outline)
    if corner is None or not wide.any() or wide.mean() > _LARGEST_FILLED:
        return None
    wide[[0, -1]] = wide[:, [0, -1]] = False  # cloning needs a rim
    left, top, width, height = cv2.boundingRect(wide.astype(np.uint8))
    patch = cv2.resize(corner, (width, height), interpolation=cv2.INTER_AREA)
    inside = wide[top : top + height, left : left + width].astype(np.uint8) * 255
    middle = (left + width // 2, top + height // 2)
    cloned = cv2.seamlessClone(patch, photograph, inside, middle, cv2.NORMAL_CLONE)
    return np.asarray(cloned, np.uint8)


def clinical_view(
    rng: np.random.Generator, photograph: Picture, outline: NDArray[np.bool_], ground: Picture
) -> Picture | None:
    """The lesion at an eighth to a quarter of its size on a limb of its own skin; None: no skin.

    Args:
        rng: where the choices come from.
        photograph: (H, W, 3) RGB.
        outline: (H, W), true in the lesion.
        ground: (S, S, 3), a picture behind the limb.
    """
    corner = skin_beside(photograph, outline)
    if corner is None:
        return None
    size = ground.shape[0]
    tile = cv2.resize(corner, (size // 3, size // 3), interpolation=cv2.INTER_AREA)
    skin = np.tile(
        np.block([[[tile], [tile[:, ::-1]]], [[tile[::-1]], [tile[::-1, ::-1]]]]), (2, 2, 1)
    )
    canvas = skin[:size, :size].astype(np.float32)
    scale = size * rng.uniform(0.12, 0.25) / photograph.shape[0]
    small = cv2.resize(photograph, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    inside = cv2.resize(widened(outline).astype(np.float32), small.shape[1::-1])
    top, left = (int(rng.integers(size // 4, 3 * size // 4 - side)) for side in small.shape[:2])
    window = canvas[top : top + small.shape[0], left : left + small.shape[1]]
    window += (small - window) * cv2.GaussianBlur(inside, (0, 0), 1)[..., np.newaxis]
    rows, columns = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    limb = np.hypot(rows / rng.uniform(0.8, 1.6), columns / rng.uniform(0.6, 1.0))
    canvas *= (1.1 - 0.4 * np.clip(limb, 0, 1) ** 2)[..., np.newaxis]
    return np.where(limb[..., np.newaxis] < 1, np.clip(canvas, 0, 255), ground).astype(np.uint8)


def made(
    rng: np.random.Generator,
    photograph: Picture,
    outline: NDArray[np.bool_],
    size: int,
    ground: Picture,
) -> Iterator[tuple[str, Picture]]:
    """Kind and square of each picture that this photograph gives."""
    pictures = {
        "skin beside lesions": skin_beside(photograph, outline),
        "lesions filled in": skin_filled_in(photograph, outline),
        "skin laid over lesions": skin_laid_over(photograph, outline),
        "clinical views": clinical_view(rng, photograph, outline, ground),
    }
    for kind, picture in pictures.items():
        if picture is not None:
            yield kind, reading.resize(picture, size)
