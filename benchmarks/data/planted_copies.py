"""Copies of a photograph as data sets contain them: the same file, or the image saved again."""

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


# Each function returns the content of a file.
COPIES: dict[str, Callable[[Photograph], bytes]] = {
    "quality 50": lambda image: reading.jpeg(image, quality=50),
    "half size": _half,
    "rotated 90°": lambda image: reading.jpeg(np.ascontiguousarray(np.rot90(image))),
    "mirrored": lambda image: reading.jpeg(np.ascontiguousarray(image[:, ::-1])),
}
SAME_BYTES = "same bytes"
KINDS = (SAME_BYTES, *COPIES)


def copy(data: bytes, kind: str) -> bytes:
    """A copy of the photograph in `data`, as a file; `kind` is one of `KINDS`."""
    return data if kind == SAME_BYTES else COPIES[kind](reading.read(data))
