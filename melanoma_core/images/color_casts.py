"""The color cast of a photograph, and the range of casts in a training set.

Light, camera and white balance shift all colors of a photograph in one direction. A network trained
on few photographs with a strong cast associates the cast with their diagnoses. So a cast outside
the training range is clamped to it with one gain per channel (von Kries), as color constancy does
to every photograph (Barata, Celebi & Marques, IEEE J. Biomed. Health Inform. 2015). A cast inside
the range is kept, because colors are a feature of the lesion.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Limits = tuple[
    float, ...
]  # lowest and highest cast of red, then of blue, as in `cast`; empty: no limits
EPSILON = 1e-3  # added to the mean of each channel, which may be 0
_TAIL = 0.05  # proportion of photographs below the lowest, and above the highest cast


def cast(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(2,) natural logarithms of mean red and mean blue, each relative to mean green.

    Args:
        image: (H, W, 3) RGB.
    """
    red, green, blue = image.mean(axis=(0, 1)) + EPSILON
    return np.log([red / green, blue / green])


def balance(image: NDArray[np.uint8], target: ArrayLike) -> NDArray[np.uint8]:
    """The photograph with this cast instead of its own, by one gain per channel.

    Args:
        image: (H, W, 3) RGB; its mean brightness is kept.
        target: (2,) as `cast`.
    """
    red, blue = np.exp(np.asarray(target) - cast(image))
    gains = np.array([red, 1.0, blue])
    balanced = image * gains
    balanced *= image.mean() / max(EPSILON, float(balanced.mean()))
    return np.asarray(np.clip(np.rint(balanced), 0, 255), np.uint8)


def limits(casts: Iterable[ArrayLike]) -> Limits:
    """The 5th and 95th percentiles of these casts, of red and of blue.

    >>> limits([[0.1 * step, -0.01 * step] for step in range(21)])
    (0.1, 1.9, -0.19, -0.01)
    """
    bounds = np.quantile(np.array(list(casts)), [_TAIL, 1 - _TAIL], axis=0)
    return tuple(round(float(value), 4) for value in bounds.T.ravel())
