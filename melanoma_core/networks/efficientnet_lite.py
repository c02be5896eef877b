"""The layers of EfficientNet-Lite networks (Liu, TensorFlow, 2020), for Keras and PyTorch.

Stem, top, and the depth of the first and last stages are the same at every scale.
"""

import math
from typing import NamedTuple

STEM_CHANNELS = 32
NUM_FEATURES = 1280
EPSILON = 1e-3  # of batch normalization; Keras' default
SCALES = {"efficientnet_lite0": (1.0, 1.0), "efficientnet_lite2": (1.1, 1.2)}  # width, depth
# Stages of Lite0: expansion, output channels, blocks, stride of the first block, kernel side.
_STAGES = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)


class Block(NamedTuple):
    """An inverted residual block."""

    channels_in: int
    channels: int
    expansion: int
    stride: int
    side: int  # of the depthwise kernel

    @property
    def has_skip(self) -> bool:
        """True if the input is added to the output."""
        return self.stride == 1 and self.channels_in == self.channels


def blocks(name: str) -> list[Block]:
    """The blocks of a network in `SCALES`, from stem to top."""
    width, depth = SCALES[name]
    result: list[Block] = []
    channels_in = STEM_CHANNELS
    for stage, (expansion, channels, num_blocks, stride, side) in enumerate(_STAGES):
        is_outermost = stage in (0, len(_STAGES) - 1)
        channels = _whole_eights(channels * width)
        for number in range(num_blocks if is_outermost else math.ceil(num_blocks * depth)):
            result.append(
                Block(channels_in, channels, expansion, stride if number == 0 else 1, side)
            )
            channels_in = channels
    return result


def _whole_eights(channels: float) -> int:
    """The nearest multiple of 8, but at least 90 % of the number (Tan and Le, ICML 2019)."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * channels else nearest + 8
