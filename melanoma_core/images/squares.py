"""Photographs in memory as a network takes them: squashed to one size, each file decoded once."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from melanoma_core.errors import ImageError
from melanoma_core.images import reading, thread_pools

OnProgress = Callable[[int, int], None]  # is told how many photographs are done, of how many


class Squares:
    """Images (size, size, 3) by the path of their file, and why other files were refused."""

    def __init__(self, size: int) -> None:
        """Start empty; `size` is the side of the squares, px."""
        self.size = size
        self.images: dict[str, NDArray[np.uint8]] = {}
        self.refused: dict[str, str] = {}

    def add(self, path: str, image: NDArray[np.uint8]) -> None:
        """Keep a decoded image (H, W, 3) of any size."""
        self.images[path] = reading.resize(image, self.size)

    def read(self, paths: Sequence[str], on_progress: OnProgress | None = None) -> None:
        """Decode these files; what cannot be read is named in `refused`."""

        def read_one(path: str) -> None:
            try:
                self.add(path, reading.read_file(Path(path)))
            except ImageError as error:
                self.refused[path] = str(error)

        with thread_pools.pool() as pool:
            for num_read, _ in enumerate(pool.map(read_one, paths), start=1):
                if on_progress is not None:
                    on_progress(num_read, len(paths))
        # In the order of the paths, however the threads finished: cards name these files.
        self.refused = {path: self.refused[path] for path in paths if path in self.refused}
