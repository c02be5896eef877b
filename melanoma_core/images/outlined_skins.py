"""Healthy skin and clinical views, made of photographs whose lesion's outline is known.

Training takes the outlines that the network's decoder gives; `benchmarks.accuracy.refusal` takes
those of experts.
"""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from melanoma_core.images import non_lesions, reading

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]

_CROPS = (0.6, 0.5, 0.4, 0.33)  # sides of healthy skin, of the photograph's short side
_LARGEST_FILLED = 0.25  # of the area; more of it filled in no longer looks like skin
_DARK = 60  # mean level of a frame
_GROUNDS = ("cloth", "gradient", "blank", "texture", "scene")  # behind a limb


def made(
    rng: np.random.Generator, photograph: Picture, outline: Mask, size: int
) -> Iterator[tuple[str, Picture]]:
    """Kind ("no_lesion" or "clinical_view") and square of each picture that this photograph gives.

    Args:
        rng: where the choices come from.
        photograph: (H, W, 3) RGB.
        outline: (H, W), true in the lesion.
        size: side of the squares, px.
    """
    pictures = (
        ("no_lesion", skin_beside(photograph, outline)),
        ("no_lesion", skin_filled_in(rng, photograph, outline)),
        ("clinical_view", clinical_view(rng, photograph, outline, size)),
    )
    for kind, picture in pictures:
        if picture is not None:
            yield kind, reading.resize(picture, size)


def skin_beside(photograph: Picture, outline: Mask) -> Picture | None:
    """The largest corner of the photograph that the lesion does not reach; None: there is none."""
    wide = widened(outline)
    for part in _CROPS:
        side = round(part * min(outline.shape))
        for rows in (slice(None, side), slice(-side, None)):
            for columns in (slice(None, side), slice(-side, None)):
                corner = photograph[rows, columns]
                if not wide[rows, columns].any() and corner.mean() > _DARK:
                    return corner
    return None


def skin_filled_in(rng: np.random.Generator, photograph: Picture, outline: Mask) -> Picture | None:
    """The photograph with skin in the place of its lesion; None: the lesion is too large.

    The color is that of the skin around, the detail that of a corner, where there is one.
    """
    wide = widened(outline)
    if not wide.any() or wide.mean() > _LARGEST_FILLED:
        return None
    filled = cv2.inpaint(photograph, wide.astype(np.uint8), 5, cv2.INPAINT_NS)
    corner = skin_beside(photograph, outline)
    if corner is None or rng.random() < 0.3:
        return filled.astype(np.uint8)
    soft = cv2.GaussianBlur(filled.astype(np.float32), (0, 0), 0.02 * min(outline.shape))
    color = cv2.GaussianBlur(corner.astype(np.float32), (0, 0), 0.1 * corner.shape[0])
    detail = _mirrored(corner - color, outline.shape)
    inside = cv2.GaussianBlur(wide.astype(np.float32), (0, 0), 0.01 * min(outline.shape))
    values = filled + (soft + detail - filled) * inside[..., np.newaxis]
    return np.clip(values, 0, 255).astype(np.uint8)


def clinical_view(
    rng: np.random.Generator, photograph: Picture, outline: Mask, size: int
) -> Picture | None:
    """The lesion at an eighth to a quarter of its size on a limb of its own skin; None: no skin."""
    corner = skin_beside(photograph, outline)
    if corner is None:
        return None
    side = round(size * rng.uniform(0.2, 0.6))
    tile = cv2.resize(corner, (side, side), interpolation=cv2.INTER_AREA)
    canvas = _mirrored(tile.astype(np.float32), (size, size))
    scale = size * rng.uniform(0.1, 0.28) / photograph.shape[0]
    small = cv2.resize(photograph, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    inside = cv2.resize(widened(outline).astype(np.float32), small.shape[1::-1])
    weight = cv2.GaussianBlur(inside, (0, 0), 1)[..., np.newaxis]
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        top, left = (int(rng.integers(size // 8, 7 * size // 8 - side)) for side in small.shape[:2])
        window = canvas[top : top + small.shape[0], left : left + small.shape[1]]
        window += (small - window) * weight
    return _limb(rng, canvas) if rng.random() < 0.8 else np.clip(canvas, 0, 255).astype(np.uint8)


def widened(outline: Mask) -> Mask:
    """The outline with the rim that experts leave out."""
    reach = max(3, round(0.04 * min(outline.shape)))
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    return cv2.dilate(outline.astype(np.uint8), kernel).astype(bool)


def _mirrored(tile: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The tile, mirrored again and again, over (height, width, 3)."""
    pair = np.concatenate([tile, tile[::-1]])
    block = np.concatenate([pair, pair[:, ::-1]], axis=1)
    counts = (-(-shape[0] // block.shape[0]), -(-shape[1] // block.shape[1]), 1)
    return np.tile(block, counts)[: shape[0], : shape[1]].copy()


def _limb(rng: np.random.Generator, skin: NDArray[np.float32]) -> Picture:
    """Skin (S, S, 3) as a limb or a trunk, shaded towards its sides, before cloth or a room."""
    size, turn = skin.shape[0], rng.uniform(0, np.pi)
    rows, columns = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j] - rng.uniform(-0.3, 0.3)
    along = rows * np.cos(turn) - columns * np.sin(turn)
    across = rows * np.sin(turn) + columns * np.cos(turn)
    away = np.hypot(across / rng.uniform(0.5, 1.1), along / rng.uniform(0.8, 3))
    shaded = skin * (1.1 - rng.uniform(0.1, 0.5) * np.clip(away, 0, 1) ** 2)[..., np.newaxis]
    ground = non_lesions.made_up(int(rng.integers(1 << 30)), str(rng.choice(_GROUNDS)), size)
    weight = np.clip((1 - away) * 20, 0, 1)[..., np.newaxis]
    view = ground + (shaded - ground) * weight
    return np.asarray(np.clip(view, 0, 255), np.uint8)
