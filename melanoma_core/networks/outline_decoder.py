"""A small decoder that draws the lesion's outline from the feature maps of a trained network.

The network stays as it is: the decoder reads feature maps on the way to its last one, as a U-Net
does (Ronneberger et al., MICCAI 2015), with separable convolutions. Of an ensemble it reads the
first backbone alone, so that the ensemble of a model takes over the model's decoder.
"""

import tempfile
from pathlib import Path

import keras
from keras import layers

from melanoma_core.errors import RunError
from melanoma_core.networks import architectures

_FINEST = 4  # the finest feature map has this many pixels of the image a side
_CHANNELS = (48, 64, 96, 128)  # by level, the finest map first; deeper levels have the last
_MOMENTUM = 0.9  # of batch normalization: a short training, in which 0.99 lags behind the weights


def build(network: keras.Model) -> keras.Model:
    """A decoder with random weights for this network.

    Args:
        network: as `architectures.build` gives it, with a feature map.

    Returns:
        A model from the network's feature maps, the coarsest first, to logits (N, h, w).

    Raises:
        RunError: the network has no feature map.
    """
    maps = [keras.Input(tensor.shape[1:]) for tensor in _feature_maps(network)]
    tensor = None
    for level in reversed(range(len(maps))):
        num_channels = _CHANNELS[min(level, len(_CHANNELS) - 1)]
        skip = maps[len(maps) - 1 - level]
        skip = _normalized(layers.Conv2D(num_channels, 1, use_bias=False)(skip))
        if tensor is None:
            tensor = skip
        else:
            height, width = skip.shape[1:3]
            tensor = layers.Resizing(height, width, interpolation="bilinear")(tensor)
            tensor = layers.Concatenate()([tensor, skip])
        for _ in range(2):
            convolution = layers.SeparableConv2D(num_channels, 3, padding="same", use_bias=False)
            tensor = _normalized(convolution(tensor))
    logits = layers.Conv2D(1, 1, dtype="float32")(tensor)
    return keras.Model(maps, layers.Reshape(logits.shape[1:3])(logits), name="outline_decoder")


def outline(network: keras.Model, decoder: keras.Model) -> keras.KerasTensor:
    """Logits (N, h, w) of the network's input, > 0 inside the lesion.

    Args:
        network: as `architectures.build` gives it.
        decoder: as `build` gives it for a network of this kind.
    """
    return decoder(_feature_maps(network))


def to_bytes(decoder: keras.Model) -> bytes:
    """The decoder's weights as Keras files them."""
    with tempfile.TemporaryDirectory() as aside:
        path = Path(aside) / "outline.weights.h5"
        decoder.save_weights(path)
        return path.read_bytes()


def from_bytes(network: keras.Model, content: bytes) -> keras.Model:
    """The decoder of this network from what `to_bytes` gave.

    Raises:
        RunError: the weights cannot be read or do not fit the network.
    """
    decoder = build(network)
    with tempfile.TemporaryDirectory() as aside:
        path = Path(aside) / "outline.weights.h5"
        path.write_bytes(content)
        architectures.load_weights(decoder, path)
    return decoder


def _feature_maps(network: keras.Model) -> list[keras.KerasTensor]:
    """The last feature map of each size in the first backbone, the smallest first.

    Raises:
        RunError: the network has no feature map.
    """
    if not any(layer.name == "features" for layer in network.layers):
        raise RunError(
            f"The network {network.name} has no feature map to draw an outline from. Choose "
            "another network, or train without outlines."
        )
    backbone = keras.Model(network.input, architectures.branches(network)[0])
    image_size = network.input_shape[1]
    last: dict[int, keras.KerasTensor] = {}
    for layer in backbone.layers:
        shape = layer.output.shape
        if len(shape) == 4 and not isinstance(layer, layers.ZeroPadding2D):
            last[shape[1]] = layer.output
    return [last[side] for side in sorted(last) if _FINEST * side <= image_size]


def _normalized(tensor: keras.KerasTensor) -> keras.KerasTensor:
    return layers.ReLU(6.0)(architectures.BatchNormalization(momentum=_MOMENTUM)(tensor))
