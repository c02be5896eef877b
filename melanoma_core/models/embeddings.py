"""Embeddings of a whole data set: a network's output before its last layer."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from melanoma_core.errors import ImageError
from melanoma_core.images import reading
from melanoma_core.images.fingerprints import Report
from melanoma_core.models.predict import Network


@dataclass(frozen=True)
class Embeddings:
    """Embeddings of N files, in their order."""

    vectors: NDArray[np.float32]  # (N, K); NaN for files that cannot be read
    refused: dict[int, str]  # by position: why the file cannot be read


def of_files(network: Network, files: Sequence[Path], report: Report | None = None) -> Embeddings:
    """The embeddings of these files; unreadable files are reported, not dropped.

    Args:
        network: of a model.
        files: of photographs.
        report: called after each photograph with the number done and the total.
    """
    vectors = np.full((len(files), network.kernel.shape[0]), np.nan, np.float32)
    refused: dict[int, str] = {}
    for place, file in enumerate(files):
        try:
            image = reading.read_file(file)
        except ImageError as error:
            refused[place] = str(error)
        else:
            square = reading.resize(image, network.graph.image_size)
            vectors[place] = network.graph.run(square).embedding
        if report is not None:
            report(place + 1, len(files))
    return Embeddings(vectors, refused)
