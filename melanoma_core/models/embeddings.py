"""What a network makes of each photograph before its last layer, for a whole data set."""

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
    """One row a photograph, in the order in which they were given."""

    vectors: NDArray[np.float32]  # (N, K); NaN where the photograph is refused
    refused: dict[int, str]  # the reason, by place, of those that cannot be read


def of_files(network: Network, files: Sequence[Path], report: Report | None = None) -> Embeddings:
    """The embeddings of these files; what cannot be read is named, not dropped.

    Args:
        network: as a model holds it.
        files: of photographs.
        report: called after each photograph with the number done and the number of all.
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
            _, vectors[place] = network.graph.run(square)
        if report is not None:
            report(place + 1, len(files))
    return Embeddings(vectors, refused)
