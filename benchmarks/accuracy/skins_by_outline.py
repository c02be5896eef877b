"""Healthy skin and clinical views made with experts' outlines, another way than those fitted on."""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from melanoma_core.images import reading

Picture = NDArray[np.uint8]

_CROPS = (0.6, 0.5, 0.4, 0.33)  # sides of healthy skin, of the photograph's short side
_LARGEST_FILLED = 0.2  # of the area; more of it filled in no longer looks like skin
_DARK = 60  # mean level of a frame


def skin_beside(photograph: Picture, outline: NDArray[np.bool_]) -> Picture | None:
    """The largest corner of the photograph that the lesion does not reach; None: there is none.

    Args:
        photograph: (H, W, 3) RGB.
        outline: (H, W), true in the lesion.
    """
    wide = _widened(outline)
    for part in _CROPS:
        side = round(part * min(outline.shape))
        for rows in (slice(None, side), slice(-side, None)):
            for columns in (slice(None, side), slice(-side, None)):
                corner = photograph[rows, columns]
                if not wide[rows, columns].any() and corner.mean() > _DARK:
                    return corner
    return None


def skin_filled_in(photograph: Picture, outline: NDArray[np.bool_]) -> Picture | None:
    """The photograph with its lesion painted over from the skin around; None: it is too large."""
    wide = _widened(outline)
    if not wide.any() or wide.mean() > _LARGEST_FILLED:
        return None
    return cv2.inpaint(photograph, wide.astype(np.uint8), 5, cv2.INPAINT_TELEA).astype(np.uint8)


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
    inside = cv2.resize(_widened(outline).astype(np.float32), small.shape[1::-1])
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
        "clinical views": clinical_view(rng, photograph, outline, ground),
    }
    for kind, picture in pictures.items():
        if picture is not None:
            yield kind, reading.resize(picture, size)


def _widened(outline: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The outline with the rim that experts leave out."""
    reach = max(3, round(0.04 * min(outline.shape)))
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    return cv2.dilate(outline.astype(np.uint8), kernel).astype(bool)
