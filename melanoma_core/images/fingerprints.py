"""Fingerprints of photographs: checksum, thumbnail, size and mean color, 4 kB each.

An audit keeps these instead of pixels, so its memory does not depend on image sizes.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from melanoma_core.errors import ImageError
from melanoma_core.images import reading, thread_pools

SIDE = 64  # px of a thumbnail; hairs and pigment network are visible, compression hardly is

Report = Callable[[int, int], None]  # called with the numbers of photographs done and in total
OnImage = Callable[[str, NDArray[np.uint8]], None]  # called with a path and its decoded image


@dataclass(frozen=True)
class Fingerprints:
    """The fingerprints of N photographs, in their order."""

    sha256: tuple[str | None, ...]  # of the decoded pixels; None if the file is refused
    thumbnails: NDArray[np.uint8]  # (N, SIDE, SIDE), gray, squashed; black if refused
    sizes: NDArray[np.int32]  # (N, 2): height and width as read, px; 0 if refused
    colors: NDArray[np.float32]  # (N, 3): mean red, green and blue, 0 to 255; NaN if refused
    refused: dict[int, str]  # the reason, by index, for files that cannot be read
    has_pictures: bool = True  # False: made by `of_facts`, without thumbnails and colors


def of_files(
    files: Sequence[Path], report: Report | None = None, on_image: OnImage | None = None
) -> Fingerprints:
    """The fingerprints of these files; unreadable files keep their index in `refused`.

    Args:
        files: photographs.
        report: called after each photograph.
        on_image: called with each path and decoded image, to save decoding it a second time.
    """
    num_files = len(files)
    sha256: list[str | None] = [None] * num_files
    thumbnails = np.zeros((num_files, SIDE, SIDE), np.uint8)
    sizes = np.zeros((num_files, 2), np.int32)
    colors = np.full((num_files, 3), np.nan, np.float32)
    refused: dict[int, str] = {}

    def read(index: int) -> None:
        try:
            image = reading.read_file(files[index])
        except ImageError as error:
            refused[index] = str(error)
            return
        sha256[index] = pixel_sha256(image)
        thumbnails[index] = thumbnail(image)
        sizes[index] = image.shape[:2]
        colors[index] = image.mean(axis=(0, 1))
        if on_image is not None:
            on_image(str(files[index]), image)

    with thread_pools.pool() as pool:
        for num_read, _ in enumerate(pool.map(read, range(num_files)), start=1):
            if report is not None:
                report(num_read, num_files)
    reasons = dict(sorted(refused.items()))
    return Fingerprints(tuple(sha256), thumbnails, sizes, colors, reasons)


def of_facts(checksums: Sequence[str], sizes: NDArray[np.int32]) -> Fingerprints:
    """The fingerprints of photographs without files.

    They show identical pixels, but no near copies and no color shift.

    Args:
        checksums: of each photograph's pixels.
        sizes: (N, 2) height and width, px.
    """
    return Fingerprints(
        sha256=tuple(checksums),
        thumbnails=np.zeros((0, SIDE, SIDE), np.uint8),
        sizes=sizes,
        colors=np.full((len(checksums), 3), np.nan, np.float32),
        refused={},
        has_pictures=False,
    )


def pixel_sha256(image: NDArray[np.uint8]) -> str:
    """SHA-256 of an image's shape and pixels, without the file's metadata."""
    digest = hashlib.sha256(repr(image.shape).encode())
    digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()


def thumbnail(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(SIDE, SIDE) gray; squashed, so that squashed copies match (two of three archives are)."""
    gray = Image.fromarray(image).convert("L")
    return np.array(gray.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
