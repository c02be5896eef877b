"""Sizes of photographs, read from their headers alone."""

from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from PIL import Image, UnidentifiedImageError

from melanoma_core.images.file_formats import MAX_PIXELS

Size = tuple[int, int]  # width and height as stored, px


def read(paths: Iterable[str]) -> list[Size | None]:
    """The size of each file; None for a file that is not a readable photograph."""
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(_size, paths))


def _size(path: str) -> Size | None:
    try:
        with Image.open(path, formats=list(MAX_PIXELS)) as photograph:
            return photograph.size
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError):
        return None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None


def most_common(sizes: Sequence[Size | None], num_shown: int) -> tuple[dict[Size, int], int]:
    """The most frequent sizes with their counts, and the number of photographs of other sizes.

    >>> most_common([(4, 3), (4, 3), (2, 2), None], 1)
    ({(4, 3): 2}, 1)
    """
    ranked = Counter(size for size in sizes if size is not None).most_common()
    return dict(ranked[:num_shown]), sum(number for _, number in ranked[num_shown:])
