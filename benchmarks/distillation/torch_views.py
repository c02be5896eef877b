"""The augmentations of `melanoma_core.images.augmentations` for whole batches on an accelerator.

The ranges are those of `AugmentConfig`. Some details differ: photographs are compressed once,
before training and so before they are rotated; mirrored margins repeat the outermost pixel; the
blur is at least 0.05 pixels; and colors are not rounded between the steps.
"""

import math

import torch
from torch.nn import functional

from melanoma_core.images.augmentations import AugmentConfig

# As in `augmentations`: each color's weight in brightness, and the parts of a hue rotation.
_GRAY = [[0.299, 0.587, 0.114]] * 3
_ALONG = [[1 / 3] * 3] * 3
_ACROSS = [[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]
_BLUR_REACH = 3  # pixels to each side


def augment(images: torch.Tensor, compressed: torch.Tensor, config: AugmentConfig) -> torch.Tensor:
    """An augmented copy of each photograph.

    Args:
        images: (N, 3, S, S) uint8 RGB.
        compressed: the same photographs with more compression.
        config: ranges of the changes.

    Returns:
        (N, 3, S, S) float32, mostly within [0, 255].
    """
    draw = _Draw(len(images), images.device)
    if config.jpeg:
        images = torch.where(_spread(draw.happens(0.25), 4), compressed, images)
    changed = _warp(images.float().contiguous(), draw, config)
    changed = _recolor(changed, draw, config).clamp_(0, 255)
    changed = _change_sharpness(changed, draw, config)
    level = draw.uniform(0, config.noise) * draw.happens(0.25)
    changed = (changed + torch.randn_like(changed) * _spread(level, 4)).clamp_(0, 255)
    if config.cutout:
        changed = _cut_out(changed, draw, config)
    return _darken_corners(changed, draw, config) if config.dark_corners else changed


class _Draw:
    """Random numbers, one per photograph of a batch."""

    def __init__(self, number: int, device: torch.device) -> None:
        self._number, self._device = number, device

    def uniform(self, low: float, high: float) -> torch.Tensor:
        return torch.rand(self._number, device=self._device) * (high - low) + low

    def happens(self, probability: float) -> torch.Tensor:
        return torch.rand(self._number, device=self._device) < probability

    def factor(self, spread: float) -> torch.Tensor:
        return (1 + spread) ** self.uniform(-1, 1)

    def sign(self) -> torch.Tensor:
        return self.happens(0.5) * 2.0 - 1.0


def _spread(values: torch.Tensor, dimensions: int) -> torch.Tensor:
    return values.view(-1, *[1] * (dimensions - 1))


def _warp(images: torch.Tensor, draw: _Draw, config: AugmentConfig) -> torch.Tensor:
    angle = torch.deg2rad(draw.uniform(-config.rotate_degrees, config.rotate_degrees))
    scale, stretch = draw.factor(config.scale), draw.factor(config.stretch)
    flips = torch.stack([draw.sign(), draw.sign()], 1)
    if config.flip:
        angle = angle + draw.uniform(0, 4).floor() * math.pi / 2
    else:
        flips = torch.ones_like(flips)
    cos, sin = torch.cos(angle), torch.sin(angle)
    rotation = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)
    stretches = torch.stack([1 / stretch.sqrt(), stretch.sqrt()], 1)
    inverse = stretches.unsqueeze(2) * rotation * flips.unsqueeze(1) / _spread(scale, 3)
    # The grid's coordinates go from −1 to 1, so a side is 2.
    shift = 2 * torch.stack([draw.uniform(-config.shift, config.shift) for _ in "xy"], 1)
    grid = functional.affine_grid(
        torch.cat([inverse, shift.unsqueeze(2)], 2), list(images.shape), align_corners=False
    )
    return functional.grid_sample(
        images, grid, mode="bicubic", padding_mode="reflection", align_corners=False
    )


def _recolor(images: torch.Tensor, draw: _Draw, config: AugmentConfig) -> torch.Tensor:
    gain = 1 + draw.uniform(-config.brightness, config.brightness)
    contrast = 1 + draw.uniform(-config.contrast, config.contrast)
    saturation = 1 + draw.uniform(-config.saturation, config.saturation)
    angle = torch.deg2rad(draw.uniform(-config.hue_degrees, config.hue_degrees))
    unit, gray, along, across = (
        torch.tensor(matrix, device=images.device)
        for matrix in (torch.eye(3).tolist(), _GRAY, _ALONG, _ACROSS)
    )
    rotated = _spread(torch.cos(angle), 3) * (unit - along)
    hue = rotated + _spread(torch.sin(angle), 3) * across / math.sqrt(3) + along
    linear = _spread(gain * contrast, 3) * torch.matmul(
        gray + _spread(saturation, 3) * (unit - gray), hue
    )
    recolored = torch.matmul(linear, images.flatten(2)).view_as(images)
    return recolored + 127.5 * _spread(1 - contrast, 4)


def _change_sharpness(images: torch.Tensor, draw: _Draw, config: AugmentConfig) -> torch.Tensor:
    number, colors, size, _ = images.shape
    kind = draw.uniform(0, 1)
    is_blurred, is_sharpened = kind < 0.25, kind >= 0.75
    radius = torch.where(is_blurred, draw.uniform(0.05, config.blur), 1.0)
    amount = torch.where(is_sharpened, draw.uniform(0, config.sharpen), 0.0)
    amount = torch.where(is_blurred, -1.0, amount)
    offsets = torch.arange(-_BLUR_REACH, _BLUR_REACH + 1, device=images.device).float()
    kernel = torch.exp(-(offsets**2) / (2 * radius.unsqueeze(1) ** 2))
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(colors, 0)
    groups = number * colors
    blurred = functional.pad(images, (_BLUR_REACH,) * 4, mode="reflect")
    blurred = blurred.reshape(1, groups, size + 2 * _BLUR_REACH, size + 2 * _BLUR_REACH)
    for shape in ((groups, 1, -1, 1), (groups, 1, 1, -1)):
        blurred = functional.conv2d(blurred, kernel.view(shape), groups=groups)
    return images + _spread(amount, 4) * (images - blurred.view_as(images))


def _cut_out(images: torch.Tensor, draw: _Draw, config: AugmentConfig) -> torch.Tensor:
    size = images.shape[-1]
    along = torch.arange(size, device=images.device).float()
    side = draw.uniform(0.05, config.cutout) * size
    spans = []
    for _ in ("rows", "columns"):
        start = (draw.uniform(0, 1) * (size - side)).unsqueeze(1)
        spans.append((along >= start) & (along < start + side.unsqueeze(1)))
    inside = spans[0].unsqueeze(2) & spans[1].unsqueeze(1) & _spread(draw.happens(0.5), 3)
    return torch.where(inside.unsqueeze(1), images.mean((2, 3), keepdim=True), images)


def _darken_corners(images: torch.Tensor, draw: _Draw, config: AugmentConfig) -> torch.Tensor:
    size = images.shape[-1]
    along = torch.arange(size, device=images.device).float()
    radius = draw.uniform(1 - config.dark_corners, 1)
    row, column = ((size - 1) / 2 + draw.uniform(-0.05, 0.05) * size for _ in range(2))
    edge, light_outside = draw.uniform(0.01, 0.15), draw.uniform(0, 0.15)
    distance = torch.hypot(
        along.view(1, -1, 1) - _spread(row, 3), along.view(1, 1, -1) - _spread(column, 3)
    ) / (size / math.sqrt(2))
    inside = (0.5 + (_spread(radius, 3) - distance) / _spread(edge, 3)).clamp(0, 1)
    light = _spread(light_outside, 3) + _spread(1 - light_outside, 3) * inside
    light = torch.where(_spread(draw.happens(0.25), 3), light, 1.0)
    return images * light.unsqueeze(1)
