"""A trained Keras network as the files of a model."""

from pathlib import Path

import keras
import numpy as np

from melanoma_core.models.artifacts import TrainedNetwork
from melanoma_core.networks import architectures


def trained(network: keras.Model) -> TrainedNetwork:
    """The network as it goes into a model.

    Args:
        network: as `architectures.build` gives it, trained.
    """
    return TrainedNetwork(
        write=lambda folder: write(network, folder),
        logits=lambda images: np.asarray(network.predict(images, verbose=0)),
        versions=_versions(),
    )


def write(network: keras.Model, folder: Path) -> None:
    """Write network.tflite, head.npz and network.weights.h5.

    Raises:
        ModelError: TensorFlow, which converts, is not the backend.
        OSError: a file cannot be written.
    """
    architectures.export(network, folder / "network.tflite")
    kernel, bias = architectures.head(network)
    np.savez(folder / "head.npz", kernel=kernel, bias=bias)
    # A model that was never compiled: the optimizer's moments, twice the weights, stay behind.
    try:
        keras.Model(network.input, network.output).save_weights(folder / "network.weights.h5")
    except RuntimeError as error:  # as h5py says that a disk is full
        raise OSError(f"the weights cannot be written ({error})") from error


def _versions() -> dict[str, str]:
    versions = {"keras": keras.__version__, "backend": keras.backend.backend()}
    if versions["backend"] == "tensorflow":
        import tensorflow as tf

        versions["tensorflow"] = tf.__version__
    return versions
