"""The eight views of a photograph, and whether the verdict stays the same in all of them.

A lesion has no orientation, so a verdict that turns with the photograph is not to be relied on.
`benchmarks/accuracy/views.py` measures how often that is, and what a mean of the views is worth.
"""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from melanoma_core.models.predict import Network

NUM_VIEWS = 8
# A verdict is unsteady if it changes in this many views: in 7 % of the validation photographs. In
# one view it changes for as many more, all close to a threshold.
UNSTEADY_FROM = 2


def flips_and_turns(image: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """The image itself, its three quarter turns, and the same of its mirror image.

    Args:
        image: (S, S, 3).
    """
    return [
        np.ascontiguousarray(np.rot90(side, turns))
        for side in (image, image[:, ::-1])
        for turns in range(4)
    ]


def view_logits(network: Network, square: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Logits (8, C) of `flips_and_turns`, those of the photograph itself first.

    Args:
        network: of a model.
        square: (S, S, 3), as the network takes it.
    """
    return network.logits_of(flips_and_turns(square))


def num_changed(verdicts: Sequence[Hashable]) -> int:
    """In how many views the verdict is another than the first, the photograph's own.

    >>> num_changed(["below", "above", "below", "above"])
    2
    """
    return sum(verdict != verdicts[0] for verdict in verdicts)


def is_unsteady(verdicts: Sequence[Hashable]) -> bool:
    """True if the verdict changes in so many views that it is to be said."""
    return num_changed(verdicts) >= UNSTEADY_FROM
