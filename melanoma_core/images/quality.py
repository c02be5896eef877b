"""How good a photograph is: one number for each kind of defect, all growing with the defect.

Measured on the square that the network takes, because what does not reach the network does no
harm: the noise of 12 megapixels is gone after resizing. Only the size in pixels and the blocks of
a JPEG file are looked at before. The black frame around a round field of view is left out of
everything but `dark_corners`.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from melanoma_core.images import reading

SIDE = 192  # px of the square that is measured
LEVELS = 255.0
_BLACK = 0.3  # of the 90th percentile: corners darker than this are outside the field of view
_RIM = 9  # px: the soft edge of the field of view is left out
_CLIPPED = 253  # from here on a channel is at its limit, JPEG's ripples allowed for
_COARSENESS = 0.4  # chosen on train: separates a blur of 2 px of 256 from sharp photographs
_FAINT = 0.05  # gray levels, so that a uniform picture has a logarithm
_BLOCK = 8  # px of a JPEG block
_MOST_BLOCKS = 64  # a side, looked at in the middle of the photograph
_LINE_WIDTH = 7  # px: hair and ticks are narrower
_HAIR_DEPTH = 22  # gray levels that hair is darker than what is around it
_HAIR_LENGTH = 30  # px, shortest
_HAIR_AREA = 3.0  # px for each px of length, at most
_MARGIN = 4  # px: many files have a dark line along the frame
_SHINE = 235  # of all three channels in a reflection
_SHINE_STEP, _SHINE_SIZE = 40, 25  # levels above all around it, px: its largest width
_INK = 35  # levels that ink is bluer than red, after the skin's own cast is taken out
_INK_LEAST = 40  # gray level: what is darker has no color to speak of
_STRIP, _TICKS = 22, range(3, 17)  # px: width of a ruler at the frame, distances of its ticks
_LEAST_MARKS = 4.0  # mean square, gray levels, below which nothing is marked there

# Second differences in both directions: nothing of a slope or an edge along an axis is left.
_LAPLACIAN = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
_LAPLACIAN_MEDIAN = 0.6745 * 6  # median of its size, for noise of standard deviation 1


@dataclass(frozen=True)
class _Square:
    """The square, and what several measures need of it."""

    rgb: NDArray[np.uint8]  # (S, S, 3)
    luma: NDArray[np.float32]  # (S, S), not rounded: the median of whole numbers is too coarse
    gray: NDArray[np.uint8]  # (S, S), the same rounded
    frame: float  # proportion outside the field of view
    field: NDArray[np.bool_]  # (S, S), inside the field of view, away from its rim
    levels: NDArray[np.uint8]  # (N,), gray levels of the pixels inside


def measure(image: NDArray[np.uint8]) -> dict[str, float]:
    """Every measure that needs the photograph alone, by kind of finding.

    Args:
        image: (H, W, 3) RGB as decoded, any size.

    Returns:
        blur: coarse structure for each bit of fine structure.
        dark: how far the brightest skin is below white, 0 to 1.
        overexposed: proportion of pixels with a channel at its limit.
        glare: proportion of pixels in small white highlights.
        low_contrast: 255 divided by the standard deviation of the gray levels.
        noise: standard deviation of the noise, gray levels.
        compression: height of the steps between JPEG blocks, of the mean difference of neighbors.
        too_small: the network's side divided by the short side.
        dark_corners: proportion of the frame outside the field of view.
        hair: length of thin dark lines, in sides of the square.
        ink: proportion of pixels in blue, green or violet ink.
        ruler: how regular the marks along a side are, 0 to 1.
    """
    prepared = _prepare(image)
    red, green, blue = cv2.split(prepared.rgb)
    brightest = np.asarray(cv2.max(cv2.max(red, green), blue), np.uint8)[prepared.field]
    kernel = np.ones((_LINE_WIDTH, _LINE_WIDTH), np.uint8)
    lines = np.asarray(cv2.morphologyEx(prepared.gray, cv2.MORPH_BLACKHAT, kernel), np.uint8)
    return {
        "blur": _blur(prepared.luma, prepared.field),
        "dark": 1 - _quantile(brightest, 0.95) / LEVELS,
        "overexposed": float((brightest >= _CLIPPED).mean()),
        "glare": _glare(prepared),
        "low_contrast": LEVELS / max(1.0, float(prepared.levels.std())),
        "noise": _noise(prepared.luma, prepared.field),
        "compression": _compression(image),
        "too_small": SIDE / min(image.shape[:2]),
        "dark_corners": prepared.frame,
        "hair": _hair(lines, prepared.field),
        "ink": _ink(prepared),
        "ruler": _ruler(lines, prepared.field),
    }


def measure_outline(outline: NDArray[np.bool_]) -> dict[str, float]:
    """How the lesion lies in the frame, by kind of finding.

    Args:
        outline: (h, w), true inside the lesion, any size.

    Returns:
        cut_off: proportion of the lesion's circumference that lies on the frame.
        small_lesion: 1 minus the lesion's width and height, of the frame's; 0: it fills it.
    """
    inside = outline.astype(np.uint8)
    if not inside.any():
        return {"cut_off": 0.0, "small_lesion": 1.0}
    on_frame = sum(int(side.sum()) for side in (inside[0], inside[-1], inside[:, 0], inside[:, -1]))
    # Without a border a lesion at the frame has its edge there too.
    edge = inside - cv2.erode(inside, np.ones((3, 3), np.uint8), borderValue=0)
    rows, columns = outline.any(axis=1), outline.any(axis=0)
    size = np.sqrt(rows.mean() * columns.mean())
    return {"cut_off": min(1.0, on_frame / int(edge.sum())), "small_lesion": 1 - float(size)}


def square(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(SIDE, SIDE, 3): what is measured of a photograph (H, W, 3)."""
    return image if image.shape == (SIDE, SIDE, 3) else reading.resize(image, SIDE)


def _prepare(image: NDArray[np.uint8]) -> _Square:
    rgb = square(image)
    luma = np.asarray(cv2.cvtColor(rgb.astype(np.float32), cv2.COLOR_RGB2GRAY), np.float32)
    gray = np.rint(luma).astype(np.uint8)
    outside = _corners(gray)
    kernel = np.ones((_RIM, _RIM), np.uint8)
    field = cv2.erode(1 - outside, kernel, borderValue=1).astype(bool)
    if field.mean() < 0.2:  # a black picture: there is no field to tell from a frame
        field = np.ones_like(field)
    return _Square(rgb, luma, gray, float(outside.mean()), field, gray[field])


def _corners(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(S, S), 1 in dark areas that reach into a corner."""
    dark = (gray < _BLACK * _quantile(gray, 0.9)).astype(np.uint8)
    corners = dark[[0, 0, -1, -1], [0, -1, 0, -1]]
    if not corners.any():
        return np.zeros_like(dark)
    num_areas, areas = cv2.connectedComponents(dark)
    reaches = np.zeros(num_areas, np.uint8)
    reaches[areas[[0, 0, -1, -1], [0, -1, 0, -1]]] = corners
    return np.asarray(reaches[areas], np.uint8)


def _quantile(levels: NDArray[np.uint8], proportion: float) -> float:
    """Lowest gray level that at least this proportion does not exceed; ten times as fast."""
    counts = np.bincount(levels.ravel(), minlength=256).cumsum()
    return float(np.searchsorted(counts, proportion * counts[-1]))


def _blur(gray: NDArray[np.float32], field: NDArray[np.bool_]) -> float:
    """Coarse structure (1.2 to 2 px), to the power of 0.4, by fine structure (below 0.7 px).

    The power is what tells blur from a lesion that has little structure of its own.
    """
    smooth = [cv2.GaussianBlur(gray, (0, 0), radius) for radius in (0.7, 1.2, 2)]
    fine = float(np.abs(gray - smooth[0])[field].mean())
    coarse = float(np.abs(smooth[1] - smooth[2])[field].mean())
    return float((coarse + _FAINT) ** _COARSENESS / (fine + _FAINT))


def _noise(gray: NDArray[np.float32], field: NDArray[np.bool_]) -> float:
    """Standard deviation of the noise, gray levels (Immerkær 1996, with the median for the mean).

    The median leaves hair and other sharp lines out.
    """
    rough = np.abs(cv2.filter2D(gray, -1, _LAPLACIAN))[field]
    return float(np.median(rough[::3])) / _LAPLACIAN_MEDIAN


def _compression(image: NDArray[np.uint8]) -> float:
    """Mean step over the borders of JPEG blocks, beyond that beside them, of the mean step."""
    middle = image[tuple(slice(*_middle(side)) for side in image.shape[:2])]
    gray = cv2.cvtColor(np.ascontiguousarray(middle), cv2.COLOR_RGB2GRAY).astype(np.int16)
    beyond = mean = 0.0
    for axis in (0, 1):
        if gray.shape[axis] < 3 * _BLOCK:
            continue
        steps = np.abs(np.diff(gray, axis=axis)).mean(axis=1 - axis)
        border = slice(_BLOCK - 1, len(steps) - 1, _BLOCK)
        beside = (steps[:-2] + steps[2:]) / 2
        beyond += float(
            (steps[border] - beside[border.start - 1 :: _BLOCK][: len(steps[border])]).mean()
        )
        mean += float(steps.mean())
    return max(0.0, beyond / mean) if mean else 0.0


def _middle(side: int) -> tuple[int, int]:
    """Start and end of at most `_MOST_BLOCKS` blocks in the middle of this many pixels."""
    start = max(0, (side // _BLOCK - _MOST_BLOCKS) // 2) * _BLOCK
    return start, start + _MOST_BLOCKS * _BLOCK


def _glare(square: _Square) -> float:
    """Proportion of pixels that are white, and brighter than all that is around them."""
    kernel = np.ones((_SHINE_SIZE, _SHINE_SIZE), np.uint8)
    higher = cv2.morphologyEx(square.gray, cv2.MORPH_TOPHAT, kernel)
    red, green, blue = cv2.split(square.rgb)
    is_white = np.asarray(cv2.min(cv2.min(red, green), blue)) >= _SHINE
    return float((is_white & (higher >= _SHINE_STEP))[square.field].mean())


def _hair(lines: NDArray[np.uint8], field: NDArray[np.bool_]) -> float:
    """Length of lines that are dark, thin and long; a pigment network is a mesh, not a line."""
    is_line = ((lines >= _HAIR_DEPTH) & field).astype(np.uint8)
    is_line[[*range(_MARGIN), *range(-_MARGIN, 0)]] = 0
    is_line[:, [*range(_MARGIN), *range(-_MARGIN, 0)]] = 0
    _, _, stats, _ = cv2.connectedComponentsWithStats(is_line)
    length = np.hypot(stats[1:, cv2.CC_STAT_WIDTH], stats[1:, cv2.CC_STAT_HEIGHT])
    is_hair = (length >= _HAIR_LENGTH) & (stats[1:, cv2.CC_STAT_AREA] <= _HAIR_AREA * length)
    return float(length[is_hair].sum()) / SIDE


def _ink(square: _Square) -> float:
    """Proportion of pixels more blue or green than red, as they are and beside the skin."""
    is_skin = (square.field & (square.gray >= _quantile(square.levels, 0.5))).astype(np.uint8)
    skin = np.array(cv2.mean(square.rgb, mask=is_skin)[:3]) + 1.0
    gains = np.diag(skin.mean() / skin).astype(np.float32)
    red, green, blue = cv2.split(cv2.transform(square.rgb.astype(np.float32), gains))
    is_ink = (cv2.max(green, blue) - red >= _INK) & (square.gray >= _INK_LEAST)
    red, green, blue = cv2.split(square.rgb)
    is_ink &= cv2.max(green, blue) >= red  # brown is greener than red skin, too
    return float(is_ink[square.field].mean())


def _ruler(lines: NDArray[np.uint8], field: NDArray[np.bool_]) -> float:
    """Highest autocorrelation of the dark marks along one of the four sides."""
    marks = np.where(field, lines, 0).astype(np.float32)
    starts = range(_MARGIN, _MARGIN + 2 * _STRIP, _STRIP // 2)
    sides = (marks, marks[::-1], marks.T, marks.T[::-1])
    return max(_regularity(side[start : start + _STRIP]) for side in sides for start in starts)


def _regularity(strip: NDArray[np.float32]) -> float:
    """Highest autocorrelation of the marks along a strip, at a distance that ticks may have."""
    profile = strip[:, _MARGIN:-_MARGIN].mean(axis=0)
    profile = profile - cv2.blur(profile, (2 * _STRIP + 1, 1)).ravel()
    energy = float(profile @ profile)
    if energy < _LEAST_MARKS * len(profile):
        return 0.0
    full = np.correlate(profile, profile, "full")[len(profile) - 1 :][_TICKS.start : _TICKS.stop]
    is_peak = (full[1:-1] > full[:-2]) & (full[1:-1] > full[2:])
    return float(full[1:-1][is_peak].max(initial=0.0)) / energy
