"""The last layer in the files of a model, changed without Keras."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from melanoma_core.errors import ModelError
from melanoma_core.models import predict


def move_bias(folder: Path, shift: NDArray[np.float64]) -> None:
    """Add `shift` (C,) to the bias in head.npz and network.weights.h5.

    Raises:
        ModelError: the weights have no such last layer.
    """
    with np.load(folder / "head.npz") as head:
        kernel, bias = head["kernel"], head["bias"]
    bias = (bias + shift).astype(bias.dtype)
    weights = folder / "network.weights.h5"
    weights.write_bytes(with_head(weights.read_bytes(), kernel, bias))
    np.savez(folder / "head.npz", kernel=kernel, bias=bias)


def with_head(weights: bytes, kernel: NDArray[np.float32], bias: NDArray[np.float32]) -> bytes:
    """Keras' file of weights with another last layer.

    Keras files a layer's kernel and bias as `vars/0` and `vars/1` of a group that names the layer.

    Args:
        weights: of network.weights.h5.
        kernel: (K, C).
        bias: (C,).

    Raises:
        ModelError: the file has no such layer of this shape.
    """
    file = io.BytesIO(weights)
    with h5py.File(file, "r+") as content:
        for layer in content["layers"].values():
            kept = layer.get("vars")
            if kept is None or kept.attrs.get("name") != "logits":
                continue
            if (kept["0"].shape, kept["1"].shape) == (kernel.shape, bias.shape):
                kept["0"][...], kept["1"][...] = kernel, bias
                break
        else:
            raise ModelError(
                "The weights of the model have no last layer that a new one could take the place "
                "of. Choose another model, or train fully."
            )
    return file.getvalue()


# The logit of a diagnosis that no training photograph shows: its probability is nothing, and stays
# so at every temperature that calibration may choose.
MASKED = -1000.0


_HARDLY = -20.0  # a bias that no training arrives at; joined, `MASKED` at any temperature is below


def is_masked(bias: ArrayLike) -> NDArray[np.bool_]:
    """(C,) whether a last layer of this bias (C,) was never taught a diagnosis, and cannot give it.

    >>> is_masked([0.3, -1000.0, -4.0]).tolist()
    [False, True, False]
    """
    return np.asarray(bias) < _HARDLY


@dataclass(frozen=True)
class TrainedNetwork:
    """A network that was trained, as the files of a model are made from it."""

    write: Callable[[Path], None]  # network.tflite, head.npz and network.weights.h5 into a folder
    logits: Callable[[NDArray[np.uint8]], NDArray[Any]]  # (N, C) of images (N, S, S, 3)
    versions: Mapping[str, str]  # of what it was trained with


def of_files(contents: Mapping[str, bytes], versions: Mapping[str, str]) -> TrainedNetwork:
    """A network that another model's files hold, or some of them with another last layer.

    Args:
        contents: of network.tflite, head.npz and network.weights.h5, by name.
        versions: of what it was trained with.

    Raises:
        ModelError: the graph or the last layer cannot be read.
    """
    network = predict.read_network(contents["network.tflite"], contents["head.npz"])

    def write(folder: Path) -> None:
        for name in ("network.tflite", "head.npz", "network.weights.h5"):
            (folder / name).write_bytes(contents[name])

    def logits(images: NDArray[np.uint8]) -> NDArray[np.float64]:
        return np.stack([network.logits(network.graph.run(image)[1]) for image in images])

    return TrainedNetwork(write, logits, versions)
