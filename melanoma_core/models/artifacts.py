"""The files of a network on their way into a model's folder, and its last layer."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from melanoma_core.models import predict, store

# The logit of a diagnosis that no training photograph shows: its probability is 0 at any
# temperature that calibration may choose.
MASKED = -1000.0
_LOWEST_TRAINED = -20.0  # no training arrives at a bias below; an ensemble scales `MASKED` to less


@dataclass(frozen=True)
class TrainedNetwork:
    """A trained network, ready to be written as the files of a model."""

    # network.tflite, head.npz, network.weights.h5 and outline.weights.h5, if any, into a folder
    write: Callable[[Path], None]
    logits: Callable[[NDArray[np.uint8]], NDArray[Any]]  # (N, C) of images (N, S, S, 3)
    versions: Mapping[str, str]  # of what it was trained with


def from_files(files: Mapping[str, bytes], versions: Mapping[str, str]) -> TrainedNetwork:
    """The network in a model's files, or in some of them with another last layer.

    Args:
        files: network.tflite, head.npz and network.weights.h5 by name; others than those of the
            network and its outline are left out.
        versions: of what it was trained with.

    Raises:
        ModelError: the graph or the last layer cannot be read.
    """
    network = predict.read_network(files["network.tflite"], files["head.npz"])

    def write(folder: Path) -> None:
        for name in ("network.tflite", "head.npz", "network.weights.h5", store.OUTLINE_WEIGHTS):
            if name in files:
                (folder / name).write_bytes(files[name])

    return TrainedNetwork(write, network.logits_of, versions)


def network_versions(versions: Mapping[str, str]) -> dict[str, str]:
    """Of the versions on a card, those of what trained its network and last layer."""
    names = ("keras", "backend", "tensorflow", "scikit-learn")
    return {name: versions[name] for name in names if name in versions}


def head_bytes(kernel: NDArray[np.float32], bias: NDArray[np.float32]) -> bytes:
    """The content of head.npz: kernel (K, C) and bias (C,) of the last layer."""
    file = io.BytesIO()
    np.savez(file, kernel=kernel, bias=bias)
    return file.getvalue()


def is_masked(bias: ArrayLike) -> NDArray[np.bool_]:
    """(C,) True for a diagnosis that a last layer with this bias (C,) can never give.

    >>> is_masked([0.3, -1000.0, -4.0]).tolist()
    [False, True, False]
    """
    return np.asarray(bias) < _LOWEST_TRAINED
