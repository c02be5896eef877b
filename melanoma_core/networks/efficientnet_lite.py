"""What EfficientNet-Lite networks are made of (Liu, TensorFlow, 2020), for whatever builds them.

Stem and top stay as in Lite0 at every scale, and so does the depth of the first and the last stage.
"""

import math
from typing import NamedTuple

STEM_CHANNELS = 32
NUM_FEATURES = 1280
EPSILON = 1e-3  # of batch normalization; Keras' default
SCALES = {"efficientnet_lite0": (1.0, 1.0), "efficientnet_lite2": (1.1, 1.2)}  # width, depth
# Of Lite0: expansion, channels out, blocks, stride of the first, kernel side.
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
    """An inverted residual."""

    channels_in: int
    channels: int
    expansion: int
    stride: int
    side: int  # of the depthwise kernel

    @property
    def has_skip(self) -> bool:
        """Whether what goes in is added to what comes out."""
        return self.stride == 1 and self.channels_in == self.channels


def blocks(name: str) -> list[Block]:
    """The blocks of a network of `SCALES`, from stem to top."""
    width, depth = SCALES[name]
    found: list[Block] = []
    channels_in = STEM_CHANNELS
    for stage, (expansion, channels, num_blocks, stride, side) in enumerate(_STAGES):
        is_outermost = stage in (0, len(_STAGES) - 1)
        channels = _whole_eights(channels * width)
        for number in range(num_blocks if is_outermost else math.ceil(num_blocks * depth)):
            found.append(
                Block(channels_in, channels, expansion, stride if number == 0 else 1, side)
            )
            channels_in = channels
    return found


def _whole_eights(channels: float) -> int:
    """The nearest multiple of 8, but never a tenth less (Tan and Le, ICML 2019)."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * channels else nearest + 8
