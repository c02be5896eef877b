"""A trained Keras network as the files of a model."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from melanoma_core.errors import ModelError
from melanoma_core.images import reading, synthetic
from melanoma_core.models import artifacts, predict, store
from melanoma_core.models.artifacts import TrainedNetwork
from melanoma_core.networks import architectures, outline_decoder

# In logits, of which 0.1 moves a border by a tenth of a pixel; float32 alone differs by 0.001.
_OUTLINE_TOLERANCE = 0.05


def trained(network: keras.Model, decoder: keras.Model | None = None) -> TrainedNetwork:
    """The network as it goes into a model.

    Args:
        network: as `architectures.build` gives it, trained.
        decoder: of its outlines, as `outline_decoder.build` gives it, trained.
    """
    return TrainedNetwork(
        write=lambda folder: write(network, folder, decoder),
        logits=lambda images: np.asarray(network.predict(images, verbose=0)),
        versions=_versions(),
    )


def with_outline(
    network: keras.Model,
    decoder: keras.Model,
    files: Mapping[str, bytes],
    versions: Mapping[str, str],
) -> TrainedNetwork:
    """A model's network with a decoder added: a new graph, and weights that stay to the bit.

    Args:
        network: of the model.
        decoder: as in `trained`.
        files: of the model, by name.
        versions: of what the network was trained with.
    """
    before = artifacts.from_files(files, versions)

    def write_files(folder: Path) -> None:
        before.write(folder)
        _write_graph(network, folder, decoder)

    return dataclasses.replace(before, write=write_files)


def write(network: keras.Model, folder: Path, decoder: keras.Model | None = None) -> None:
    """Write network.tflite, head.npz, network.weights.h5 and, with a decoder, its weights.

    Raises:
        ModelError: TensorFlow, which converts, is not the backend, or the graph draws another
            outline than Keras.
        OSError: a file cannot be written.
    """
    _write_graph(network, folder, decoder)
    kernel, bias = architectures.head(network)
    np.savez(folder / "head.npz", kernel=kernel, bias=bias)
    # A model that was never compiled: the optimizer's moments, twice the weights, stay behind.
    try:
        keras.Model(network.input, network.output).save_weights(folder / "network.weights.h5")
    except RuntimeError as error:  # as h5py says that a disk is full
        raise OSError(f"the weights cannot be written ({error})") from error


def _write_graph(network: keras.Model, folder: Path, decoder: keras.Model | None) -> None:
    path = folder / "network.tflite"
    if decoder is None:
        architectures.export(network, path)
        return
    outline = outline_decoder.outline(network, decoder)
    architectures.export(network, path, outline)
    (folder / store.OUTLINE_WEIGHTS).write_bytes(outline_decoder.to_bytes(decoder))
    lesion = reading.resize(synthetic.lesion(0), network.input_shape[1])
    expected = keras.Model(network.input, outline).predict(lesion[np.newaxis], verbose=0)[0]
    exported = predict.Graph(path.read_bytes()).run(lesion).outline
    difference = np.inf if exported is None else float(np.abs(exported - expected).max())
    if not difference <= _OUTLINE_TOLERANCE:
        raise ModelError(
            f"The exported graph draws an outline {difference:.2g} away from the decoder's, in "
            f"logits; {_OUTLINE_TOLERANCE:g} is allowed. Finish the run again with the versions "
            "in requirements.txt."
        )


def _versions() -> dict[str, str]:
    versions = {"keras": keras.__version__, "backend": keras.backend.backend()}
    if versions["backend"] == "tensorflow":
        import tensorflow as tf

        versions["tensorflow"] = tf.__version__
    return versions
