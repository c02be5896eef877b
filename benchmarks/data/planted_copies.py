"""Copies of a photograph as they stray into data sets: the same bytes, or the picture once more."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from melanoma_core.images import reading

Photograph = NDArray[np.uint8]


def _half(image: Photograph) -> bytes:
    small = Image.fromarray(image).resize(
        (image.shape[1] // 2, image.shape[0] // 2), Image.Resampling.BICUBIC
    )
    return reading.jpeg(np.asarray(small))


# By what was done to the photograph; each gives a file.
COPIES: dict[str, Callable[[Photograph], bytes]] = {
    "quality 50": lambda image: reading.jpeg(image, quality=50),
    "half size": _half,
    "rotated 90°": lambda image: reading.jpeg(np.ascontiguousarray(np.rot90(image))),
    "mirrored": lambda image: reading.jpeg(np.ascontiguousarray(image[:, ::-1])),
}
SAME_BYTES = "same bytes"
KINDS = (SAME_BYTES, *COPIES)


def copy(data: bytes, kind: str) -> bytes:
    """The file of a copy of this kind, one of `KINDS`, of the photograph in `data`."""
    return data if kind == SAME_BYTES else COPIES[kind](reading.read(data))
