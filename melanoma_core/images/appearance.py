"""Colors, edges and layout of a picture in a hundred numbers, for telling photographs from others.

They need no network: a drawing's flat areas, a document's edges or a cold color are seen in them.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Plane = NDArray[np.float32]

_SIDE = 96  # px that every picture is reduced to; then to 48, 24, 12 and 6
_PERCENTILES = (2, 10, 50, 90, 98)  # of lightness


def measures(image: NDArray[np.uint8]) -> Plane:
    """The numbers (99,) of one picture.

    Args:
        image: (S, S, 3) RGB, squashed to a square as a network takes it.
    """
    small = Image.fromarray(image).resize((_SIDE, _SIDE), Image.Resampling.BOX)
    values = np.asarray(small, np.float32)
    red, green, blue = np.moveaxis(values, 2, 0)
    lightness = (red + green + blue) / 3
    planes = np.stack([lightness, red - green, (red + green) / 2 - blue])
    scales = [planes]
    while scales[-1].shape[1] > 6:
        scales.append(_halved(scales[-1]))
    cells = scales[-1][0]
    parts = np.concatenate(
        [
            _areas(scales[1]),
            _color_fractions(values),
            np.percentile(lightness, _PERCENTILES).astype(np.float32),
            _edges(scales[:-1]),
            (cells - cells.mean()).ravel() / 32,
        ]
    )
    return parts.astype(np.float32)


def _halved(planes: Plane) -> Plane:
    """Means of squares of 2 × 2 px; planes (P, S, S)."""
    rows = planes[:, ::2] + planes[:, 1::2]
    return np.asarray((rows[:, :, ::2] + rows[:, :, 1::2]) / 4, np.float32)


def _areas(planes: Plane) -> Plane:
    """Mean and spread of the whole picture, of its middle and of a ring along its edge."""
    side = planes.shape[1]
    is_ring = np.ones((side, side), bool)
    is_ring[side // 9 : -(side // 9), side // 9 : -(side // 9)] = False
    middle = np.s_[:, side // 4 : -(side // 4), side // 4 : -(side // 4)]
    areas = (planes.reshape(3, -1), planes[middle].reshape(3, -1), planes[:, is_ring])
    numbers = [
        number for area in areas for number in (area.mean(axis=1), np.log1p(area.std(axis=1)))
    ]
    return np.concatenate(numbers)


def _color_fractions(values: Plane) -> Plane:
    """Saturation, and fractions of the pixels with colors that skin has or has not."""
    red, green, blue = np.moveaxis(values, 2, 0)
    brightest, darkest = values.max(axis=2), values.min(axis=2)
    saturation = (brightest - darkest) / (brightest + 1)
    fractions = (
        blue > red,
        green > red,
        blue > green + 4,
        brightest < 25,
        darkest > 245,
        (red >= green) & (green >= blue - 8),
    )
    means = [np.mean(fraction) for fraction in fractions]
    return np.array([saturation.mean(), saturation.std(), *means], np.float32)


def _edges(scales: list[Plane]) -> Plane:
    """Strength of edges at each scale, how much is flat, and how few pixels hold the edges."""
    numbers: list[NDArray[np.float32] | list[float]] = []
    for planes in scales:
        across, down = np.abs(np.diff(planes, axis=2)), np.abs(np.diff(planes, axis=1))
        light = across[0]
        sparsity = np.square(light).mean() / (np.square(light.mean()) + 1e-3)
        numbers += [
            np.log(across.mean(axis=(1, 2)) + 0.3),
            np.log(down.mean(axis=(1, 2)) + 0.3),
            [float((light < 0.5).mean()), float(np.log(sparsity + 1e-3))],
        ]
    return np.concatenate(numbers).astype(np.float32)
