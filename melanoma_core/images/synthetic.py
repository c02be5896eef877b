"""Synthetic lesions: examples for pages without photographs, tests and golden inputs.

They have the features that dermoscopy looks for (network, globules, blue-white area, vessels,
milia-like cysts, scale), to show what a page is about. No model is trained or tested on them. The
same seed, size and kind give the same drawing on the same machine.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Plane = NDArray[np.float32]

_SKINS = ((226, 183, 162), (219, 171, 146), (231, 194, 176), (205, 157, 130))  # RGB
_DARK, _BROWN, _TAN, _BLUE = (38, 24, 22), (104, 62, 40), (158, 108, 74), (112, 122, 142)


@dataclass(frozen=True)
class _Look:
    """The features of a kind of lesion."""

    colors: tuple[tuple[int, int, int], ...]  # RGB, mixed by a smooth random field
    irregularity: float  # of the outline, as a fraction of the radius
    edge: float  # width of the border, as a fraction of the radius
    asymmetry: float  # of the colors, 0 (rings) to 1 (patches)
    network: float  # strength of the pigment network, 0 to 1
    num_globules: int
    features: tuple[str, ...] = ()


_LOOKS = {
    "melanoma": _Look((_DARK, _BROWN, _TAN, (82, 46, 32)), 0.10, 0.09, 1.0, 0.6, 34, ("veil",)),
    "nevus": _Look(((112, 70, 46), (140, 92, 62)), 0.025, 0.12, 0.0, 0.42, 0),
    "basal cell carcinoma": _Look(
        ((214, 150, 136), (200, 134, 122)), 0.10, 0.16, 0.5, 0.0, 0, ("nests", "branches")
    ),
    "seborrheic keratosis": _Look(
        ((126, 88, 58), (164, 122, 84), (96, 66, 46)), 0.07, 0.03, 0.5, 0.0, 0, ("cysts",)
    ),
    "actinic keratosis": _Look(
        ((216, 140, 126), (222, 164, 142)), 0.14, 0.25, 0.5, 0.0, 0, ("scale",)
    ),
    "vascular lesion": _Look(
        ((206, 92, 96), (188, 66, 78)), 0.06, 0.09, 0.3, 0.0, 0, ("lacunae", "branches")
    ),
}
KINDS = tuple(_LOOKS)


def lesion(
    seed: int, size: tuple[int, int] = (450, 600), kind: str = "melanoma"
) -> NDArray[np.uint8]:
    """A synthetic lesion on synthetic skin.

    Args:
        seed: another seed draws another lesion of the same kind.
        size: (height, width), px, at least 64 each.
        kind: one of `KINDS`.

    Returns:
        (height, width, 3) RGB.

    Raises:
        ValueError: the kind is unknown or the size too small.
    """
    if kind not in _LOOKS:
        raise ValueError(f"Kind {kind!r} cannot be drawn; choose one of {', '.join(KINDS)}.")
    if min(size) < 64:
        raise ValueError(f"Size {size} is too small; at least 64 px per side are needed.")
    look = _LOOKS[kind]
    rng = np.random.default_rng([seed, zlib.crc32(kind.encode())])
    canvas = _skin(rng, size)
    inside, polar = _outline(rng, size, look)
    canvas = _mix(canvas, _pigment(rng, size, look, polar), inside)
    if look.network:
        canvas = _network(rng, canvas, inside, polar, look)
    if look.num_globules:
        canvas = _globules(rng, canvas, inside, look.num_globules)
    for feature in look.features:
        canvas = _FEATURES[feature](rng, canvas, inside)
    canvas *= _light(rng, size)[..., None]
    canvas += rng.normal(0, 2.2, (*size, 1)).astype(np.float32)
    return np.clip(np.rint(canvas), 0, 255).astype(np.uint8)


def _field(rng: np.random.Generator, size: tuple[int, int], cell: float) -> Plane:
    """Smooth noise of mean 0 and deviation 1, with bumps of about `cell` times the short side."""
    step = max(1.0, cell * min(size))
    coarse = rng.normal(size=(int(size[0] / step) + 4, int(size[1] / step) + 4))
    enlarged = Image.fromarray(coarse.astype(np.float32)).resize(
        (round(coarse.shape[1] * step), round(coarse.shape[0] * step)), Image.Resampling.BICUBIC
    )
    plane = np.asarray(enlarged)[: size[0], : size[1]]
    return np.asarray((plane - plane.mean()) / (plane.std() + 1e-6), np.float32)


def _tint(rgb: list[float]) -> Plane:
    return np.array(rgb, np.float32)


def _mix(canvas: Plane, color: Plane | tuple[int, int, int], weight: Plane) -> Plane:
    mixed = canvas + (np.asarray(color, np.float32) - canvas) * weight[..., None]
    return np.asarray(mixed, np.float32)


def _ramp(values: Plane, low: float, high: float) -> Plane:
    """A smooth step from 0 at `low` to 1 at `high`; `low` may be the larger."""
    step = np.clip((values - low) / (high - low), 0, 1)
    return np.asarray(step * step * (3 - 2 * step), np.float32)


def _skin(rng: np.random.Generator, size: tuple[int, int]) -> Plane:
    tone = np.asarray(_SKINS[rng.integers(len(_SKINS))], np.float32)
    slow, patches, grain = (_field(rng, size, cell) for cell in (0.45, 0.11, 0.012))
    canvas = np.empty((*size, 3), np.float32)
    canvas[:] = tone
    canvas += (3.5 * slow)[..., None] * _tint([0.7, 1.0, 1.1])
    canvas += (3.0 * patches)[..., None] * _tint([0.3, 1.0, 0.9])  # redness comes in patches
    canvas += (2.0 * grain)[..., None]
    # Fine furrows: the zero crossings of a noise field are a net of thin lines.
    furrows = 1 - _ramp(np.abs(_field(rng, size, 0.035)), 0.0, 0.16)
    return canvas - (4.5 * furrows)[..., None]


def _outline(rng: np.random.Generator, size: tuple[int, int], look: _Look) -> tuple[Plane, Plane]:
    """How far each pixel is inside the lesion, 0 to 1; its distance from the center (edge 1)."""
    height, width = size
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    radius = min(size) * rng.uniform(0.27, 0.33)
    middle = (height * rng.uniform(0.47, 0.53), width * rng.uniform(0.47, 0.53))
    turn, flat = rng.uniform(0, np.pi), rng.uniform(1.05, 1.22)
    down, right = rows - middle[0], columns - middle[1]
    along = (right * np.cos(turn) + down * np.sin(turn)) / flat
    across = (-right * np.sin(turn) + down * np.cos(turn)) * flat
    angle = np.arctan2(across, along)
    edge = np.ones(size, np.float32)
    for wave in range(2, 10):
        strength = look.irregularity * rng.normal() / wave**0.8
        edge += strength * np.cos(wave * angle + rng.uniform(0, 2 * np.pi)).astype(np.float32)
    edge += 0.25 * look.irregularity * _field(rng, size, 0.06)
    distance = (np.hypot(along, across) / (radius * np.clip(edge, 0.45, 1.5))).astype(np.float32)
    return _ramp(distance, 1 + look.edge, 1 - look.edge), distance


def _pigment(
    rng: np.random.Generator, size: tuple[int, int], look: _Look, distance: Plane
) -> Plane:
    """The lesion's colors: rings if it is symmetric, patches if not."""
    where = look.asymmetry * 1.1 * _field(rng, size, 0.22) + (1 - look.asymmetry) * 2.2 * (
        distance - 0.6
    )
    canvas = np.empty((*size, 3), np.float32)
    canvas[:] = look.colors[0]
    steps = np.linspace(-0.9, 0.9, len(look.colors))
    order = rng.permutation(len(look.colors)) if look.asymmetry == 1 else range(len(steps))
    for step, index in zip(steps, order, strict=True):
        canvas = _mix(canvas, look.colors[index], _ramp(where, step - 0.6, step + 0.6))
    mottle = 5 * _field(rng, size, 0.05) + 4 * _field(rng, size, 0.015)
    return canvas + mottle[..., None] * _tint([1.0, 0.8, 0.65])


def _network(
    rng: np.random.Generator, canvas: Plane, inside: Plane, distance: Plane, look: _Look
) -> Plane:
    """Brown lines around lighter holes, an irregular honeycomb that fades towards the border."""
    size = inside.shape
    rows, columns = np.mgrid[: size[0], : size[1]].astype(np.float32)
    pitch = min(size) / rng.uniform(38, 44)
    bend = pitch * (0.22 + 0.3 * look.asymmetry)
    down = rows + bend * _field(rng, size, 0.05)
    right = columns + bend * _field(rng, size, 0.05)
    # Three plane waves at 60° sum to a honeycomb: high in the holes, low on the lines.
    waves = np.zeros(size, np.float32)
    for turn in (0.0, np.pi / 3, 2 * np.pi / 3):
        phase = (right * np.cos(turn) + down * np.sin(turn)) * (2 * np.pi / pitch)
        waves += np.cos(phase).astype(np.float32)
    lines = 1 - _ramp(waves, -1.4, 0.4)
    patchy = _ramp(_field(rng, size, 0.2), -0.8, 0.6) if look.asymmetry else np.float32(1)
    reach = _ramp(distance, 1.06, 0.62) * inside * patchy * look.network
    return (
        canvas * (1 - (0.62 * lines * reach)[..., None] * _tint([0.85, 1.0, 1.05]))
        + ((9 * (1 - lines) * reach)[..., None])
    )


def _spots(
    rng: np.random.Generator,
    inside: Plane,
    count: int,
    radii: tuple[float, float],
    least: float = 0.6,
) -> Plane:
    """Soft round spots where `inside` is at least `least`; radii relative to the short side."""
    spots = np.zeros(inside.shape, np.float32)
    places = np.argwhere(inside >= least)
    if not len(places):
        return spots
    for row, column in places[rng.integers(len(places), size=count)]:
        radius = max(1.2, min(inside.shape) * rng.uniform(*radii))
        reach = int(radius * 1.6) + 1
        top, left = max(0, row - reach), max(0, column - reach)
        window = spots[top : row + reach + 1, left : column + reach + 1]
        rows, columns = np.ogrid[: window.shape[0], : window.shape[1]]
        stretch = rng.uniform(0.8, 1.25)
        away = np.hypot((rows - (row - top)) * stretch, (columns - (column - left)) / stretch)
        spot = _ramp((away / radius).astype(np.float32), 1.25, 0.7)
        np.maximum(window, spot, out=window)
    return spots


def _globules(rng: np.random.Generator, canvas: Plane, inside: Plane, count: int) -> Plane:
    rim = inside * _ramp(_field(rng, inside.shape, 0.25), -0.4, 0.4)
    return _mix(canvas, (44, 26, 22), 0.7 * _spots(rng, rim, count, (0.006, 0.013), 0.5))


def _veil(rng: np.random.Generator, canvas: Plane, inside: Plane) -> Plane:
    """A structureless, eccentric blue-white area."""
    blob = _spots(rng, inside, 1, (0.085, 0.12), 0.98)
    cloud = blob * _ramp(_field(rng, inside.shape, 0.07), -1.2, 0.9)
    return _mix(canvas, _BLUE, _blurred(cloud, 0.03) * inside * 0.65)


def _nests(rng: np.random.Generator, canvas: Plane, inside: Plane) -> Plane:
    """Blue-gray ovoid nests on a shiny surface."""
    canvas = _mix(
        canvas, (236, 206, 198), 0.5 * inside * _ramp(_field(rng, inside.shape, 0.1), 0.4, 1.6)
    )
    nests = _blurred(_spots(rng, inside, 9, (0.015, 0.04), 0.8), 0.012)
    return _mix(canvas, (98, 96, 112), 0.65 * nests)


def _branches(rng: np.random.Generator, canvas: Plane, inside: Plane) -> Plane:
    """Arborizing vessels: bright red lines that fork and thin out."""
    drawn = np.zeros(inside.shape, np.float32)
    places = np.argwhere(inside > 0.5)
    unit = min(inside.shape) / 450
    threads = [
        (*places[rng.integers(len(places))].astype(float), rng.uniform(0, 2 * np.pi), 1.9, 0)
        for _ in range(7)
    ]
    while threads:
        row, column, heading, width, depth = threads.pop()
        for _ in range(int(rng.uniform(28, 50))):
            heading += rng.normal(0, 0.16)
            row, column = row + 1.5 * unit * np.sin(heading), column + 1.5 * unit * np.cos(heading)
            top, left = round(row - width * unit), round(column - width * unit)
            side = max(1, round(2 * width * unit * 0.7))
            if top < 0 or left < 0:
                break
            drawn[top : top + side, left : left + side] = 1
        if depth < 2:
            threads += [
                (row, column, heading + fork, width * 0.7, depth + 1)
                for fork in (rng.uniform(0.3, 0.8), -rng.uniform(0.3, 0.8))
            ]
    return _mix(canvas, (172, 44, 52), 0.75 * _blurred(drawn, 0.0022) * _ramp(inside, 0.0, 0.6))


def _cysts(rng: np.random.Generator, canvas: Plane, inside: Plane) -> Plane:
    """Milia-like cysts (pale) and comedo-like openings (dark) on a waxy, fissured surface."""
    fissures = 1 - _ramp(np.abs(_field(rng, inside.shape, 0.075)), 0.0, 0.3)
    canvas = _mix(canvas, (74, 48, 34), 0.55 * fissures * inside)
    canvas = _mix(canvas, (52, 34, 26), 0.7 * _spots(rng, inside, 16, (0.007, 0.016), 0.9))
    return _mix(canvas, (236, 214, 184), 0.8 * _spots(rng, inside, 20, (0.005, 0.012), 0.9))


def _scale(rng: np.random.Generator, canvas: Plane, inside: Plane) -> Plane:
    """Pale follicle openings in a red network, and flakes."""
    canvas = _mix(
        canvas, (196, 92, 88), 0.4 * inside * _ramp(_field(rng, inside.shape, 0.03), 0, 1.5)
    )
    canvas = _mix(canvas, (240, 214, 190), 0.6 * _spots(rng, inside, 70, (0.008, 0.014), 0.3))
    flakes = _ramp(_field(rng, inside.shape, 0.05), 1.1, 1.7) * inside
    return _mix(canvas, (246, 238, 226), 0.75 * flakes)


def _lacunae(rng: np.random.Generator, canvas: Plane, inside: Plane) -> Plane:
    """Red to purple lacunae, separated by paler septa."""
    canvas = _mix(
        canvas, (150, 30, 48), 0.7 * _blurred(_spots(rng, inside, 26, (0.03, 0.055), 0.75), 0.012)
    )
    return _mix(
        canvas, (88, 22, 52), 0.7 * _blurred(_spots(rng, inside, 9, (0.02, 0.035), 0.9), 0.012)
    )


def _blurred(plane: Plane, radius: float) -> Plane:
    """The plane blurred by a radius relative to the short side."""
    step = max(1.0, radius * min(plane.shape) * 1.5)
    size = (plane.shape[1], plane.shape[0])
    small = (max(2, round(size[0] / step)), max(2, round(size[1] / step)))
    image = Image.fromarray(plane).resize(small, Image.Resampling.BOX)
    blurred = np.asarray(image.resize(size, Image.Resampling.BICUBIC))
    return np.asarray(np.clip(blurred, 0, 1), np.float32)


def _light(rng: np.random.Generator, size: tuple[int, int]) -> Plane:
    """The dermatoscope's light: slightly off center, darker towards the corners."""
    rows, columns = np.mgrid[: size[0], : size[1]].astype(np.float32)
    down = rows / size[0] - rng.uniform(0.44, 0.56)
    right = columns / size[1] - rng.uniform(0.44, 0.56)
    return np.asarray(1.03 - 0.42 * (down * down + right * right), np.float32)


_FEATURES: dict[str, Callable[[np.random.Generator, Plane, Plane], Plane]] = {
    "veil": _veil,
    "nests": _nests,
    "branches": _branches,
    "cysts": _cysts,
    "scale": _scale,
    "lacunae": _lacunae,
}
