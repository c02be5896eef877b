"""The networks that there are: a table of facts, known without building one."""

from dataclasses import dataclass


@dataclass(frozen=True)
class NetworkInfo:
    """What there is to know of a network before it is built."""

    description: str
    image_size: int  # pixels a side that it is usually trained at
    has_saliency: bool  # ends in global average pooling and one dense layer
    needs_weights: bool  # starts from weights in a file that the user names


JOINED = "_and_"  # between the names of networks that stand side by side in one


NETWORKS = {
    "mobilenet_v2": NetworkInfo("MobileNetV2", 160, True, True),
    "efficientnet_lite0": NetworkInfo("EfficientNet-Lite0", 192, True, True),
    "efficientnet_lite2": NetworkInfo("EfficientNet-Lite2", 224, True, True),
    f"mobilenet_v2{JOINED}efficientnet_lite0": NetworkInfo(
        "MobileNetV2 and EfficientNet-Lite0 side by side, one vote each", 192, True, True
    ),
    "starting_cnn": NetworkInfo(
        "The starting project's kind of network, from nothing: a baseline", 180, False, False
    ),
    "tiny": NetworkInfo("Two small convolutions, for tests", 32, True, False),
    f"tiny{JOINED}tiny": NetworkInfo("Two of these side by side, for tests", 32, True, False),
}
