"""The color cast of a photograph, and the limits of those that a network has learnt from.

Light, camera and white balance turn all colors of a photograph one way. A network that has seen
few photographs of a strong cast takes the cast for a sign of what those few showed. So a cast
beyond the limits is brought back to them, by one gain a channel (von Kries), as color constancy
does to every photograph (Barata, Celebi & Marques, IEEE J. Biomed. Health Inform. 2015); one within
them stays as it is, for its colors tell of the lesion.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Limits = tuple[float, ...]  # least and most of red, then of blue, as `cast`; empty: none
DARKEST = 1e-3  # added to the mean of each channel, which may be 0
_BEYOND = 0.05  # share of the photographs below the least, and above the most


def cast(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(2,) natural logarithms of mean red and of mean blue, each over mean green.

    Args:
        image: (H, W, 3) RGB.
    """
    red, green, blue = image.mean(axis=(0, 1)) + DARKEST
    return np.log([red / green, blue / green])


def limits(casts: Iterable[ArrayLike]) -> Limits:
    """Limits that one in twenty of these casts lies below, and one above, of red and of blue.

    >>> limits([[0.1 * step, -0.01 * step] for step in range(21)])
    (0.1, 1.9, -0.19, -0.01)
    """
    found = np.quantile(np.array(list(casts)), [_BEYOND, 1 - _BEYOND], axis=0)
    return tuple(round(float(value), 4) for value in found.T.ravel())
