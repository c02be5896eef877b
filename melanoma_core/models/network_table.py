"""The networks that there are: a table of facts, known without building one."""

from dataclasses import dataclass


@dataclass(frozen=True)
class NetworkInfo:
    """Facts about a network, known before it is built."""

    description: str
    image_size: int  # px a side that it is usually trained at
    has_saliency: bool  # ends in global average pooling and one dense layer
    needs_weights: bool  # starts from ImageNet weights in a file that the user names


ENSEMBLE_SEPARATOR = "_and_"  # between the names of networks in an ensemble


NETWORKS = {
    "mobilenet_v2": NetworkInfo("MobileNetV2", 160, True, True),
    "efficientnet_lite0": NetworkInfo("EfficientNet-Lite0", 192, True, True),
    "efficientnet_lite2": NetworkInfo("EfficientNet-Lite2", 224, True, True),
    f"mobilenet_v2{ENSEMBLE_SEPARATOR}efficientnet_lite0": NetworkInfo(
        "MobileNetV2 and EfficientNet-Lite0, an ensemble with equal weights", 192, True, True
    ),
    "starting_cnn": NetworkInfo(
        "The starting project's kind of network, from random weights: a baseline", 180, False, False
    ),
    "tiny": NetworkInfo("Two small convolutions, for tests", 32, True, False),
    f"tiny{ENSEMBLE_SEPARATOR}tiny": NetworkInfo(
        "An ensemble of two of these, for tests", 32, True, False
    ),
}
