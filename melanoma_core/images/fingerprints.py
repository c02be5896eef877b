"""What is kept of each photograph of a data set once it has been read: 4 kB, whatever its size.

The pixels themselves are gone after a photograph has been looked at, so the memory that an audit
takes grows with 4 kB a photograph and not with their megapixels.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from melanoma_core.errors import ImageError
from melanoma_core.images import reading, threads

SIDE = 64  # px of a thumbnail; hairs and pigment network still show, compression hardly does

Report = Callable[[int, int], None]  # is told how many photographs are done, of how many
OnImage = Callable[[str, NDArray[np.uint8]], None]  # is given a path and its decoded image


@dataclass(frozen=True)
class Fingerprints:
    """One entry a photograph, in the order in which they were given."""

    sha256: tuple[str | None, ...]  # of the decoded pixels; None where the file is refused
    thumbnails: NDArray[np.uint8]  # (N, SIDE, SIDE), gray, squashed; black where refused
    sizes: NDArray[np.int32]  # (N, 2): height and width as read, px; 0 where refused
    colors: NDArray[np.float32]  # (N, 3): mean red, green and blue, 0 to 255; NaN where refused
    refused: dict[int, str]  # the reason, by place, of those that cannot be read
    has_pictures: bool = True  # False: made from facts, without thumbnails and colors


def of_files(
    files: Sequence[Path], report: Report | None = None, on_image: OnImage | None = None
) -> Fingerprints:
    """The fingerprints of these files; what cannot be read is named, not dropped.

    Args:
        files: of photographs.
        report: called after each photograph with the number done and the number of all.
        on_image: is given each path and decoded image, so that nobody decodes it a second time.
    """
    num_files = len(files)
    sha256: list[str | None] = [None] * num_files
    thumbnails = np.zeros((num_files, SIDE, SIDE), np.uint8)
    sizes = np.zeros((num_files, 2), np.int32)
    colors = np.full((num_files, 3), np.nan, np.float32)
    refused: dict[int, str] = {}

    def read(place: int) -> None:
        try:
            image = reading.read_file(files[place])
        except ImageError as error:
            refused[place] = str(error)
            return
        sha256[place] = pixel_sha256(image)
        thumbnails[place] = thumbnail(image)
        sizes[place] = image.shape[:2]
        colors[place] = image.mean(axis=(0, 1))
        if on_image is not None:
            on_image(str(files[place]), image)

    with threads.pool() as pool:
        for num_read, _ in enumerate(pool.map(read, range(num_files)), start=1):
            if report is not None:
                report(num_read, num_files)
    reasons = dict(sorted(refused.items()))
    return Fingerprints(tuple(sha256), thumbnails, sizes, colors, reasons)


def of_facts(checksums: Sequence[str], sizes: NDArray[np.int32]) -> Fingerprints:
    """The fingerprints of photographs of which only facts are there.

    The same pixels are found by them, near copies and shifts of color are not.

    Args:
        checksums: one of the pixels of each photograph; alike where the pixels are.
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
    """SHA-256 of the picture itself: its shape and pixels, whatever the file says beside them."""
    digest = hashlib.sha256(repr(image.shape).encode())
    digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()


def thumbnail(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(SIDE, SIDE) gray; squashed, as two of three archives are, so that both forms agree."""
    gray = Image.fromarray(image).convert("L")
    return np.array(gray.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
