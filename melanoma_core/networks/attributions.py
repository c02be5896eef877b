"""Grad-CAM++, Score-CAM and SmoothGrad by tf-keras-vis, for one photograph and one diagnosis.

Run as a child process by `attribution_jobs`, which describes the protocol:

    python -m melanoma_core.networks.attributions MODEL_FOLDER DIAGNOSIS METHOD… < image.npy > maps
"""

import io
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray
from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus
from tf_keras_vis.saliency import Saliency
from tf_keras_vis.scorecam import Scorecam
from tf_keras_vis.utils.scores import CategoricalScore

from melanoma_core.errors import MelanomaError, ModelError
from melanoma_core.images import reading
from melanoma_core.metrics import calibration
from melanoma_core.models import predict, store
from melanoma_core.models.attribution_jobs import METHODS, PROGRESS, REFUSAL, npy
from melanoma_core.networks import architectures

# Keras and LiteRT differ by about 1e-6; the weights of another network by far more.
_TOLERANCE = 1e-3
_NUM_NOISY = 20  # copies that SmoothGrad averages, as in the examples of tf-keras-vis
_NOISE = 0.2  # standard deviation relative to the photograph's range; tf-keras-vis's default
_SEED = 0  # of the noise, so that the same photograph gives the same map
# tf-keras-vis keeps the masked photographs of all channels in memory, 2 GB for MobileNetV2 at
# 192 px; with 64 of 1,280 channels at a time, the whole process takes 1.2 GB.
_PIXELS_AT_A_TIME = 64 * 192 * 192
# The layer is named, or tf-keras-vis goes back to the convolution before batch normalization.
_RAW_AT_LAYER = {"seek_penultimate_conv_layer": False, "expand_cam": False, "normalize_cam": False}


def load(directory: Path, image: NDArray[np.uint8]) -> tuple[keras.Model, tuple[str, ...]]:
    """The model's Keras network, checked against the LiteRT graph, and its diagnoses in order.

    Args:
        directory: folder of the model.
        image: (H, W, 3); both must give the same probabilities for it.

    Raises:
        ModelError: a file is damaged, the network has no feature map, or its weights are not
            those of the graph.
    """
    model = predict.load(directory)
    card, _, contents = store.read_files(directory)
    if not card.has_saliency:
        raise ModelError(
            f"The network of “{card.model_id}” has no feature map, so there are no evidence maps. "
            "Use a model with global average pooling."
        )
    network = architectures.of_card(card, contents)
    logits = np.asarray(network(_batch(network, image), training=False))[0]
    expected = predict.classify(model, image).probabilities
    difference = np.abs(calibration.probabilities(logits, card.calibration) - expected).max()
    if not difference <= _TOLERANCE:
        raise ModelError(
            f"The weights of “{card.model_id}” give probabilities that differ by {difference:.2g} "
            f"from those of its graph; at most {_TOLERANCE:g} is allowed. Train the model again."
        )
    return network, card.diagnoses


def compute(
    network: keras.Model,
    image: NDArray[np.uint8],
    index: int,
    report: Callable[[str], None],
    methods: Sequence[str] = tuple(METHODS),
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """The map of each method as soon as it is computed, not negative, each on its own scale.

    Args:
        network: from `architectures.build`, with `features` and `logits`.
        image: (H, W, 3).
        index: of the diagnosis among the logits.
        report: called with what is being done, in words.
        methods: keys of `METHODS`.
    """
    # tf-keras-vis passes lists, which make a network with a single input tensor warn.
    listed = keras.Model([network.input], network.output)
    batch = _batch(network, image)
    for method in methods:
        if method == "grad_cam_plus_plus":
            report(METHODS[method])
            yield method, grad_cam_plus_plus(listed, batch, index)
        elif method == "smooth_grad":
            report(f"{METHODS[method]}, {_NUM_NOISY} noisy copies")
            yield method, smooth_grad(listed, batch, index)
        else:
            yield method, score_cam(listed, batch, index, report)


def grad_cam_plus_plus(
    network: keras.Model, batch: NDArray[np.float32], index: int
) -> NDArray[np.float32]:
    """Grad-CAM++ (Chattopadhay et al., WACV 2018), (h, w) of the feature map."""
    cam = GradcamPlusPlus(network, clone=False)(
        CategoricalScore(index), batch, penultimate_layer="features", **_RAW_AT_LAYER
    )
    return _first(cam)


def smooth_grad(
    network: keras.Model, batch: NDArray[np.float32], index: int
) -> NDArray[np.float32]:
    """SmoothGrad (Smilkov et al., 2017), (H, W) of the network's input."""
    keras.utils.set_random_seed(_SEED)
    heat = Saliency(network, clone=False)(
        CategoricalScore(index),
        batch,
        smooth_samples=_NUM_NOISY,
        smooth_noise=_NOISE,
        normalize_map=False,
    )
    return _first(heat)


def score_cam(
    network: keras.Model,
    batch: NDArray[np.float32],
    index: int,
    report: Callable[[str], None],
    num_at_a_time: int | None = None,
) -> NDArray[np.float32]:
    """Score-CAM (Wang et al., CVPR Workshops 2020), (h, w) of the feature map.

    It is a sum over the channels, so it is computed in parts to save memory.

    Args:
        network: with the layer `features`.
        batch: (1, H, W, 3).
        index: of the diagnosis.
        report: called with the number of channels done.
        num_at_a_time: channels per part; None: as many as memory allows.
    """
    features = network.get_layer("features").output
    height, width, num_channels = features.shape[1:]
    step = num_at_a_time or max(1, _PIXELS_AT_A_TIME // (batch.shape[1] * batch.shape[2]))
    method = Scorecam(network, clone=False)
    total = np.zeros((height, width), np.float32)
    began = time.monotonic()
    for start in range(0, num_channels, step):
        seconds = time.monotonic() - began
        left = f", {_about(seconds * (num_channels / start - 1))} left" if start else ""
        report(f"{METHODS['score_cam']}, {start:,} of {num_channels:,} channels{left}")
        part = layers.Identity()
        part(features[..., start : start + step])
        cam = method(
            CategoricalScore(index),
            batch,
            penultimate_layer=part,
            activation_modifier=None,  # the sum is rectified, not its parts
            **_RAW_AT_LAYER,
        )
        total += _first(cam)
    return np.maximum(total, 0)


def _about(seconds: float) -> str:
    """A time left, rounded up, as an estimate is: "about 3 minutes", "less than a minute"."""
    minutes = math.ceil(seconds / 60)
    return f"about {minutes} minutes" if minutes > 1 else "less than a minute"


def _first(maps: keras.KerasTensor) -> NDArray[np.float32]:
    only: NDArray[np.float32] = np.asarray(maps, np.float32)[0]
    return only


def _batch(network: keras.Model, image: NDArray[np.uint8]) -> NDArray[np.float32]:
    size = int(network.input_shape[1])
    return reading.resize(image, size)[np.newaxis].astype(np.float32)


def main(arguments: list[str]) -> int:
    """Read pixels from stdin and write maps to stdout; returns the exit status."""
    directory, code, *methods = arguments
    # Keras prints to stderr, so that its output does not mix with the maps.
    answer = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    keras.config.disable_interactive_logging()
    image = np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False)
    _say(PROGRESS, "Loading the network")
    try:
        network, codes = load(Path(directory), image)
    except MelanomaError as error:
        _say(REFUSAL, str(error))
        return 2
    maps = compute(network, image, codes.index(code), lambda words: _say(PROGRESS, words), methods)
    with answer:
        for name, heat in maps:
            content = npy(heat)
            answer.write(f"{name} {len(content)}\n".encode() + content)
            answer.flush()
    return 0


def _say(kind: str, words: str) -> None:
    sys.stderr.write(f"{kind}{words}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
