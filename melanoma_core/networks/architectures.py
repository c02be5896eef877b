"""The networks: build one, load ImageNet weights, save weights, export for serving.

A network takes float32 RGB in [0, 255], scales it inside, and gives logits. The shipped kind ends
in `features` (last feature map) → `embedding` (global average pooling) → `logits` (one dense
layer), because then the class activation map is exact without a gradient. Models are flat and
functional: tf-keras-vis cannot look into a nested one.
"""

import io
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from melanoma_core.errors import ModelError, RunError
from melanoma_core.images import color_casts
from melanoma_core.images.color_casts import Limits
from melanoma_core.models import artifacts
from melanoma_core.models.cards import Card
from melanoma_core.models.network_table import ENSEMBLE_SEPARATOR
from melanoma_core.networks import efficientnet_lite
from melanoma_core.networks.efficientnet_lite import Block

_OF_ANOTHER_VERSION = (
    "The model was made by another version of this program: choose another model, or train again."
)

# Of batch normalization. With 0.999, made for a million images, the statistics lag a thousand steps
# behind the weights: after the first epoch the validation loss was 4.8 beside 1.6 in training.
_MOMENTUM = 0.99

_ENSEMBLE = "side_by_side"  # name of the layer that concatenates the features of an ensemble


def build(
    name: str,
    image_size: int,
    num_classes: int,
    *,
    dropout: float = 0.0,
    weights_path: Path | None = None,
    color_cast_limits: Limits = (),
) -> keras.Model:
    """A network from `network_table`, ready to train.

    Args:
        name: a key of `NETWORKS`.
        image_size: pixels a side.
        num_classes: number of diagnoses.
        dropout: proportion of the embedding dropped in training.
        weights_path: Keras weights of the backbone without its top; random when None.
        color_cast_limits: to which color casts are clamped, from `color_casts.limits`.

    Returns:
        A model from (N, image_size, image_size, 3) in [0, 255] to (N, num_classes) logits.

    Raises:
        RunError: the weights cannot be read or do not fit.
    """
    image = keras.Input((image_size, image_size, 3), name="image")
    seen = (
        ColorCastClamp(color_cast_limits, name="color_cast")(image) if color_cast_limits else image
    )
    scaled = layers.Rescaling(1 / 127.5, offset=-1, name="scale")(seen)
    if name == "starting_cnn":
        embedding = _starting_cnn(scaled, dropout)
    else:
        features = _features(name, scaled)
        if weights_path is not None:
            load_weights(
                keras.Model(image, features),
                weights_path,
                "Give the Keras weights (.weights.h5) of the backbone without its top.",
            )
        features = layers.Identity(name="features")(features)
        embedding = layers.GlobalAveragePooling2D(name="embedding")(features)
        if dropout:
            embedding = layers.Dropout(dropout, name="dropout")(embedding)
    logits = layers.Dense(num_classes, name="logits")(embedding)
    return keras.Model(image, logits, name=name)


def _features(name: str, scaled: keras.KerasTensor) -> keras.KerasTensor:
    backbones: dict[str, Callable[[keras.KerasTensor], keras.KerasTensor]] = {
        "mobilenet_v2": _mobilenet_v2,
        "tiny": _tiny,
        **{lite: partial(_efficientnet_lite, name=lite) for lite in efficientnet_lite.SCALES},
    }
    features = [backbones[part](scaled) for part in name.split(ENSEMBLE_SEPARATOR)]
    if len(features) == 1:
        return features[0]
    return layers.Concatenate(name=_ENSEMBLE)(features)


def _mobilenet_v2(scaled: keras.KerasTensor) -> keras.KerasTensor:
    backbone = keras.applications.MobileNetV2(include_top=False, weights=None, input_tensor=scaled)
    return keras.models.clone_model(
        backbone, input_tensors=backbone.input, clone_function=_clone_for_training
    ).output


def _clone_for_training(layer: keras.Layer) -> keras.Layer:
    """The same layer; batch normalization made fast, and quick to follow the weights."""
    if isinstance(layer, layers.Rescaling | ColorCastClamp):  # before the backbone, and shared
        return layer
    settings = layer.get_config()
    if not isinstance(layer, layers.BatchNormalization):
        return type(layer).from_config(settings)
    return BatchNormalization.from_config(settings | {"momentum": _MOMENTUM})


def _efficientnet_lite(scaled: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """EfficientNet without squeeze-and-excitation and with ReLU6."""
    stem = layers.Conv2D(
        efficientnet_lite.STEM_CHANNELS, 3, strides=2, padding="same", use_bias=False
    )
    tensor = _normalized(stem(scaled))
    for block in efficientnet_lite.blocks(name):
        tensor = _inverted_residual(tensor, block)
    return _normalized(layers.Conv2D(efficientnet_lite.NUM_FEATURES, 1, use_bias=False)(tensor))


def _inverted_residual(tensor: keras.KerasTensor, block: Block) -> keras.KerasTensor:
    inner = tensor
    if block.expansion > 1:
        inner = _normalized(
            layers.Conv2D(block.expansion * block.channels_in, 1, use_bias=False)(inner)
        )
    depthwise = layers.DepthwiseConv2D(
        block.side, strides=block.stride, padding="same", use_bias=False
    )
    inner = _normalized(depthwise(inner))
    inner = BatchNormalization(momentum=_MOMENTUM)(
        layers.Conv2D(block.channels, 1, use_bias=False)(inner)
    )
    return layers.Add()([tensor, inner]) if block.has_skip else inner


def _normalized(tensor: keras.KerasTensor) -> keras.KerasTensor:
    return layers.ReLU(6.0)(BatchNormalization(momentum=_MOMENTUM)(tensor))


class ColorCastClamp(layers.Layer):
    """Clamps a color cast to the limits; see `color_casts`."""

    def __init__(self, limits: Sequence[float], **settings: Any) -> None:
        """Take limits as `color_casts.limits` gives them."""
        super().__init__(**settings)
        self.limits = tuple(limits)

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """(N, H, W, 3) in [0, 255], each channel by a gain, as bright as before."""
        red, more_red, blue, more_blue = self.limits
        least, most = np.array([[red, 0, blue], [more_red, 0, more_blue]], np.float32)
        # SmoothGrad adds noise: the mean of an empty channel may lie below 0, and has no logarithm.
        means = ops.relu(ops.mean(inputs, axis=(1, 2), keepdims=True)) + color_casts.EPSILON
        logs = ops.log(means / means[..., 1:2])  # over green, whose own stays 0
        gains = ops.exp(ops.minimum(ops.maximum(logs, least), most) - logs)
        gains = gains * (
            ops.mean(means, axis=-1, keepdims=True)
            / ops.mean(means * gains, axis=-1, keepdims=True)
        )
        return ops.clip(inputs * gains, 0, 255)

    def get_config(self) -> dict[str, Any]:
        """The settings from which Keras builds the layer again."""
        return {**super().get_config(), "limits": self.limits}


class BatchNormalization(layers.BatchNormalization):
    """Keras' layer, by one fused operation where TensorFlow trains: whole steps 1.6 times faster.

    Keras takes the moments in operations of their own, each of which reads the whole tensor. The
    name is the parent's because Keras files weights under it.
    """

    def call(
        self, inputs: keras.KerasTensor, training: bool | None = None, mask: Any = None
    ) -> keras.KerasTensor:
        """(N, H, W, K) normalized by the batch in training, by the moving moments otherwise."""
        if not (training and self.trainable) or keras.backend.backend() != "tensorflow":
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        output, mean, variance, *_ = tf.compat.v1.nn.fused_batch_norm(
            inputs, self.gamma, self.beta, epsilon=self.epsilon
        )
        for moving, of_batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(self.momentum * moving + (1 - self.momentum) * of_batch)
        return output


def _tiny(scaled: keras.KerasTensor) -> keras.KerasTensor:
    tensor = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(scaled)
    return layers.Conv2D(16, 3, strides=2, padding="same", activation="relu")(tensor)


def _starting_cnn(scaled: keras.KerasTensor, dropout: float) -> keras.KerasTensor:
    tensor = scaled
    for num_filters in (16, 32, 64):
        tensor = layers.Conv2D(num_filters, 3, padding="same", activation="relu")(tensor)
        tensor = layers.MaxPooling2D()(tensor)
        tensor = layers.Dropout(dropout)(tensor)
    tensor = layers.Flatten()(tensor)
    return layers.Dense(128, activation="relu", name="embedding")(tensor)


def load_weights(
    network: keras.Model, weights_path: Path, advice: str = _OF_ANOTHER_VERSION
) -> None:
    """Load what `save_weights` wrote; the image size may be another one.

    Args:
        network: changed in place.
        weights_path: a model's network.weights.h5, or another file of Keras weights.
        advice: what to do if they do not fit, for the message.

    Raises:
        RunError: the file cannot be read or does not fit.
    """
    try:
        network.load_weights(weights_path)
    except (OSError, ValueError, KeyError) as error:
        # Keras adds a list of every layer, 8,000 characters long.
        reason = " ".join(str(error).split("List of objects")[0].split())
        raise RunError(
            f"“{weights_path.name}” does not hold weights for this network ({reason}). {advice}"
        ) from error


def of_card(card: Card, files: Mapping[str, bytes]) -> keras.Model:
    """A model's network in Keras.

    Args:
        card: the model's.
        files: of the model, by name: the very bytes that were checked.

    Raises:
        RunError: the files hold no weights of this network.
    """
    network = build(
        card.network, card.image_size, len(card.diagnoses), color_cast_limits=card.color_cast_limits
    )
    load_files(network, files)
    return network


def load_files(network: keras.Model, files: Mapping[str, bytes]) -> None:
    """Load a model's weights, its last layer from head.npz; the image size may be another one.

    Raises:
        RunError: the files hold no weights of this network.
    """
    with tempfile.TemporaryDirectory() as aside:
        path = Path(aside) / "network.weights.h5"
        path.write_bytes(files["network.weights.h5"])
        load_weights(network, path)
    # A new last layer stands in head.npz alone: Keras' file would have to be edited by hand.
    with np.load(io.BytesIO(files["head.npz"]), allow_pickle=False) as head_file:
        network.get_layer("logits").set_weights([head_file["kernel"], head_file["bias"]])


def interpolate_weights(
    network: keras.Model,
    start: Sequence[NDArray[np.float32]],
    weight: float,
    is_masked: NDArray[np.bool_],
) -> None:
    """Move every weight of `network` towards those that it started from, in place.

    The mean of a network and of what it was fine-tuned from mostly errs less than either, also on
    photographs from elsewhere (Wortsman et al., CVPR 2022).

    Args:
        network: fine-tuned from `start`.
        start: what `network.get_weights()` gave before training.
        weight: of `start` in the mean, 0 (nothing changes) to 1.
        is_masked: (C,) classes that `start` was never trained on; their bias stays.
    """
    tuned, tuned_bias = network.get_weights(), head(network)[1]
    network.set_weights([weight * a + (1 - weight) * b for a, b in zip(start, tuned, strict=True)])
    set_bias(network, np.where(is_masked, tuned_bias, head(network)[1]))


def unmask_classes(network: keras.Model) -> None:
    """Let the last layer give diagnoses that it was never trained on, in place.

    Their bias becomes the smallest of the others: rare, but within reach of training. This holds
    for classes without training photographs too: label smoothing asks for a trace of each, and a
    class out of reach would pull at the whole network for ever.
    """
    bias = head(network)[1]
    is_masked = artifacts.is_masked(bias)
    set_bias(network, np.where(is_masked, bias[~is_masked].min(), bias))


def mask_classes(
    network: keras.Model, bias: NDArray[np.floating[Any]], is_masked: NDArray[np.bool_]
) -> None:
    """Mask classes again after training, in place; `bias` (C,) is that before `unmask_classes`."""
    set_bias(network, np.where(is_masked, bias, head(network)[1]))


def set_bias(network: keras.Model, bias: NDArray[np.floating[Any]]) -> None:
    """Give the dense layer that gives the logits this bias (C,), in place."""
    network.get_layer("logits").set_weights([head(network)[0], bias])


def load_ensemble(
    network: keras.Model, parts: Sequence[keras.Model], temperatures: Sequence[float]
) -> None:
    """Give a network of several backbones the weights of networks of one each, in place.

    Its logits are the mean of their temperature-scaled logits. An ensemble of independently trained
    networks mostly errs less than each of them, also on photographs from elsewhere
    (Lakshminarayanan et al., NeurIPS 2017, with the mean of probabilities). The mean of logits is
    one dense layer over all features, so that one forward pass and exact activation maps remain.

    Args:
        network: as `build` gives it.
        parts: as `build` gives them, in the order of the network's name.
        temperatures: of the parts.
    """
    kernels, biases = [], []
    for branch, part, temperature in zip(branches(network), parts, temperatures, strict=True):
        features = part.get_layer("features").output
        keras.Model(network.input, branch).set_weights(
            keras.Model(part.input, features).get_weights()
        )
        kernel, bias = head(part)
        kernels.append(kernel / temperature / len(parts))
        biases.append(bias / temperature / len(parts))
    network.get_layer("logits").set_weights([np.concatenate(kernels), np.sum(biases, axis=0)])


def head(network: keras.Model) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Kernel (K, C) and bias (C,) of the dense layer that gives the logits."""
    kernel, bias = network.get_layer("logits").get_weights()
    return kernel, bias


def branches(network: keras.Model) -> list[keras.KerasTensor]:
    """The last feature map of each backbone, in the order of the network's name.

    Args:
        network: as `build` gives it, of a kind that has a feature map.
    """
    if ENSEMBLE_SEPARATOR in network.name:
        return list(network.get_layer(_ENSEMBLE).input)
    return [network.get_layer("features").output]


def export(network: keras.Model, path: Path, outline: keras.KerasTensor | None = None) -> None:
    """Write the LiteRT graph: one image → last feature map (where there is one), embedding.

    The graph is fixed at a batch of one: it is fastest so, and answers one photograph at a time.

    Args:
        network: as `build` gives it.
        path: the .tflite file to write.
        outline: (N, h, w) of the network's input, one more output; see `outline_decoder`.

    Raises:
        ModelError: TensorFlow, which converts, is not the backend.
    """
    if keras.backend.backend() != "tensorflow":
        raise ModelError(
            f"The backend is {keras.backend.backend()}; the graph for serving is written by "
            "TensorFlow. Finish this run where TensorFlow is installed."
        )
    outputs = {"embedding": network.get_layer("embedding").output}
    if any(layer.name == "features" for layer in network.layers):
        outputs["features"] = network.get_layer("features").output
    if outline is not None:
        outputs["outline"] = outline
    serving = keras.Model(network.input, outputs)
    one_image = keras.InputSpec(shape=(1, *network.input_shape[1:]), dtype="float32", name="image")
    serving.export(path, format="litert", input_signature=[one_image], verbose=False)
