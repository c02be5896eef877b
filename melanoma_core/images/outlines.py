"""The lesion's outline as a mask and as a polygon, from what a network's decoder gives."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from melanoma_core.errors import ImageError
from melanoma_core.images import reading

_INSIDE = 128  # lowest gray level of the lesion in a file
_SMALLEST_SHARE = 0.002  # of the photograph: below, nothing worth the name of a lesion is inside
# Mean probability inside. None of HAM10000's validation photographs lies below; of other archives
# those do in which the outline follows a shadow, a nail or hair instead of a lesion.
_LEAST_CONFIDENCE = 0.8
_NUM_POINTS = 48  # of a polygon: enough for a smooth border, few enough to move by hand


def read_file(path: Path) -> NDArray[np.bool_]:
    """The lesion's mask from a file of an expert's outline.

    Args:
        path: an image, light inside the lesion. One in 25 of HAM10000's has a palette in which
            the lesion is number 0, white: what counts is the color, not its number.

    Returns:
        (H, W), true inside the outline, with the photograph's aspect ratio.

    Raises:
        ImageError: the file cannot be read, or the mask is empty.
    """
    mask: NDArray[np.bool_] = reading.read_file(path).mean(axis=2) >= _INSIDE
    if not mask.any():
        raise ImageError(
            f"The outline {path.name} is empty: no pixel is at or above {_INSIDE} of 255. "
            "Remove the file, or restore it from the archive."
        )
    return mask


def resize(mask: NDArray[np.bool_], height: int, width: int) -> NDArray[np.bool_]:
    """The mask (H, W) at another size."""
    whole = Image.fromarray(mask.astype(np.float32))
    return np.asarray(whole.resize((width, height), Image.Resampling.BICUBIC)) >= 0.5


def mask(logits: NDArray[np.floating], height: int, width: int) -> NDArray[np.bool_] | None:
    """The one lesion that a decoder sees, without holes; None if it sees none.

    Of several regions it is the one with the largest sum of logits: a faint shadow in a corner may
    be larger than the lesion, but the decoder is less sure of it.

    Args:
        logits: (h, w), > 0 inside, of the photograph squashed to a square.
        height: of the mask, px; the photograph's, usually.
        width: likewise.

    Returns:
        (height, width), or None where next to nothing is inside or the decoder is hardly sure.
    """
    from scipy import ndimage  # of no use to a process that draws no outline

    plane = Image.fromarray(np.asarray(logits, np.float32))
    large = np.asarray(plane.resize((width, height), Image.Resampling.BICUBIC))
    labels, num_regions = ndimage.label(large > 0)
    if not num_regions:
        return None
    region = labels == 1 + int(np.bincount(labels.ravel(), large.ravel())[1:].argmax())
    if region.sum() <= _SMALLEST_SHARE * large.size:
        return None
    if (1 / (1 + np.exp(-large[region]))).mean() < _LEAST_CONFIDENCE:
        return None
    filled: NDArray[np.bool_] = ndimage.binary_fill_holes(region)
    return filled


def polygon(mask: NDArray[np.bool_]) -> list[tuple[float, float]]:
    """The border of a mask's largest region, clockwise from its top, to draw or to edit.

    Args:
        mask: (H, W).

    Returns:
        At most 48 points (x, y), px, where pixel (0, 0) reaches from 0 to 1; none for an empty
        mask.
    """
    corners = border(mask)
    # The mean of each stretch of the border: without the steps of the pixels.
    stretches = np.array_split(corners, min(_NUM_POINTS, len(corners))) if len(corners) else []
    return [(float(x), float(y)) for x, y in (stretch.mean(axis=0) for stretch in stretches)]


def from_polygon(
    points: Sequence[tuple[float, float]], height: int, width: int
) -> NDArray[np.bool_]:
    """The pixels (height, width) with their middle inside of a polygon as `polygon` gives it."""
    mask = np.zeros((height, width), bool)
    rows, columns = np.arange(height)[:, np.newaxis] + 0.5, np.arange(width) + 0.5
    for (x, y), (next_x, next_y) in zip(points, [*points[1:], *points[:1]], strict=True):
        if y != next_y:  # each side of the polygon turns over what lies to the right of it
            is_beside = (rows >= min(y, next_y)) & (rows < max(y, next_y))
            mask ^= is_beside & (columns >= x + (rows - y) * (next_x - x) / (next_y - y))
    return mask


def border(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The corners (N, 2) of the pixels along the border of a mask's largest region, as (x, y).

    They follow each other clockwise, a pixel apart, from the left corner of the top row.
    """
    region = largest(mask)
    if not region.any():
        return np.empty((0, 2))
    padded = np.pad(region, 1)
    row = int(np.flatnonzero(padded.any(axis=1))[0])
    column = int(np.flatnonzero(padded[row])[0])
    inside = padded.tolist()  # single values of a list are read ten times faster
    start, step = (row, column), (0, 1)
    corners: list[tuple[int, int]] = []
    while not corners or (row, column) != start:
        corners.append((column - 1, row - 1))
        row, column = row + step[0], column + step[1]
        # The two pixels ahead; the lesion is to the right.
        down, right = step
        ahead = {(0, 1): (0, 0), (1, 0): (0, -1), (0, -1): (-1, -1), (-1, 0): (-1, 0)}[step]
        on_right = inside[row + ahead[0]][column + ahead[1]]
        on_left = inside[row + ahead[0] - right][column + ahead[1] + down]
        if not on_right:
            step = (right, -down)
        elif on_left:
            step = (-right, down)
    return np.array(corners, np.float64)


def largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest region of a mask (H, W), of pixels that share a side."""
    from scipy import ndimage

    labels, num_regions = ndimage.label(mask)
    if num_regions < 2:
        return mask
    return np.asarray(labels == 1 + int(np.bincount(labels.ravel())[1:].argmax()))


def dice(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Agreement of two masks (H, W): twice their overlap over their areas; 1 if both are empty.

    >>> dice(np.array([[True, True, False]]), np.array([[False, True, False]]))
    0.6666666666666666
    """
    areas = int(first.sum()) + int(second.sum())
    return 2 * int((first & second).sum()) / areas if areas else 1.0
