"""The last layer in the files of a model, changed without Keras."""

import io
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from melanoma_core.errors import ModelError


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
