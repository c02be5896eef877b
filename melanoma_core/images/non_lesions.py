"""Pictures that are no dermoscopic photograph of a lesion, made by code for the novelty detector.

A training anywhere can make them without a download. They are drawn roughly: the detector has to
learn that other things exist, not what each looks like. `skins` makes healthy skin and clinical
views, which must look like the photographs of the training set, out of those themselves.
"""

import itertools
import math
import zlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Picture = NDArray[np.uint8]
Plane = NDArray[np.float32]

_TEXTURE_CELLS = (0.004, 0.01, 0.03, 0.08, 0.2)  # of smooth noise, relative to the side
_WORDS = (
    "patient",
    "date",
    "of",
    "the",
    "report",
    "no finding",
    "arm",
    "dose",
    "mg",
    "total",
    "dear",
)


def made_up(seed: int, kind: str, size: int = 256) -> Picture:
    """A picture of this kind.

    Args:
        seed: another seed draws another picture of the same kind.
        kind: one of `KINDS`.
        size: side of the square, px, at least 32.

    Returns:
        (size, size, 3) RGB.

    Raises:
        ValueError: the kind is unknown or the size too small.
    """
    if kind not in _DRAWN:
        raise ValueError(f"Kind {kind!r} cannot be drawn; choose one of {', '.join(KINDS)}.")
    if size < 32:
        raise ValueError(f"A side of {size} px is too small; at least 32 px are needed.")
    rng = np.random.default_rng([seed, zlib.crc32(kind.encode())])
    return _pixels(_DRAWN[kind](rng, size))


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], cell: float) -> Plane:
    """Noise (height, width) of mean 0 and deviation 1, with bumps of about `cell` times the side.

    Args:
        rng: where the numbers come from.
        shape: (height, width), px.
        cell: size of the bumps, relative to the short side.
    """
    step = max(1.0, cell * min(shape))
    coarse = rng.normal(size=tuple(int(side / step) + 2 for side in shape)).astype(np.float32)
    fine = Image.fromarray(coarse).resize(shape[::-1], Image.Resampling.BICUBIC)
    plane = np.asarray(fine, np.float32)
    return np.asarray((plane - plane.mean()) / (plane.std() + 1e-6), np.float32)


def _pixels(canvas: NDArray[np.floating] | Picture) -> Picture:
    return np.asarray(np.clip(np.rint(canvas), 0, 255), np.uint8)


def _color(rng: np.random.Generator) -> NDArray[np.float32]:
    """Any color; as often one of wood, earth, paper, fur or skin, which a lesion may have too."""
    if rng.random() < 0.5:
        return rng.uniform(0, 255, 3).astype(np.float32)
    hue, strength = rng.uniform(0, 1), rng.uniform(0, 0.6)  # of the green, from red to yellow
    light = rng.uniform(20, 250)
    warm = np.array([1, 1 - strength * (1 - 0.7 * hue), 1 - strength * rng.uniform(0.8, 1.3)])
    return np.asarray(light * warm, np.float32)


def _ink(rng: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = _color(rng).astype(int).tolist()
    return red, green, blue


def _axes(size: int) -> tuple[Plane, Plane]:
    """Rows and columns, both from -1 to 1."""
    rows, columns = np.mgrid[:size, :size].astype(np.float32)
    return rows * (2 / size) - 1, columns * (2 / size) - 1


def _blend(weight: Plane, low: NDArray[np.floating], high: NDArray[np.floating]) -> Plane:
    """From color `low` where the weight is 0 to `high` where it is 1."""
    weight = np.clip(weight, 0, 1)[..., np.newaxis]
    return np.asarray(low + (high - low) * weight, np.float32)


def _noise(rng: np.random.Generator, size: int) -> Plane:
    cell = float(rng.choice(_TEXTURE_CELLS))
    planes = [smooth_noise(rng, (size, size), cell) for _ in range(3)]
    if rng.random() < 0.4:
        planes = planes[:1] * 3
    return _color(rng) + np.stack(planes, axis=-1) * np.float32(rng.uniform(15, 120))


def _blank(rng: np.random.Generator, size: int) -> Plane:
    gray = rng.choice([0.0, 255.0, float(rng.uniform(0, 255))])
    color = _color(rng) if rng.random() < 0.5 else np.full(3, gray, np.float32)
    canvas = np.broadcast_to(color, (size, size, 3)) + rng.normal(
        0, rng.uniform(0, 4), (size, size, 1)
    )
    rows, columns = _axes(size)
    return np.asarray(
        canvas * (1 - rng.uniform(0, 0.3) * (rows**2 + columns**2))[..., None], np.float32
    )


def _lens_cap(rng: np.random.Generator, size: int) -> Plane:
    """Nearly black, with the noise of a sensor and sometimes light from one side."""
    rows, columns = _axes(size)
    turn = rng.uniform(0, 2 * np.pi)
    leak = np.exp((rows * np.sin(turn) + columns * np.cos(turn) - 1.4) * rng.uniform(2, 8))
    canvas = rng.normal(rng.uniform(0, 25), rng.uniform(0.5, 8), (size, size, 3))
    return np.asarray(
        canvas + (leak * rng.uniform(0, 120))[..., None] * _color(rng) / 255, np.float32
    )


def _gradient(rng: np.random.Generator, size: int) -> Plane:
    rows, columns = _axes(size)
    turn = rng.uniform(0, 2 * np.pi)
    straight = (rows * np.sin(turn) + columns * np.cos(turn)) / 2 + 0.5
    middle = rng.uniform(-0.5, 0.5, 2)
    round_ = np.hypot(rows - middle[0], columns - middle[1]) / rng.uniform(0.5, 1.6)
    weight = straight if rng.random() < 0.5 else round_
    return _blend(np.asarray(weight, np.float32), _color(rng), _color(rng))


def _texture(rng: np.random.Generator, size: int) -> Plane:
    """Wood, stone, fur, grass: stretched noise in a few colors."""
    grain = rng.uniform(1, 12)
    height, width = size, max(8, int(size / grain))
    planes = []
    for _ in range(int(rng.integers(1, 4))):
        coarse = smooth_noise(rng, (height, width), float(rng.choice(_TEXTURE_CELLS)))
        planes.append(np.asarray(Image.fromarray(coarse).resize((size, size)), np.float32))
    weight = np.mean(planes, axis=0) * rng.uniform(0.2, 1.2) + 0.5
    if rng.random() < 0.4:
        weight = np.abs(np.sin(weight * rng.uniform(2, 12)))  # rings and veins
    canvas = _blend(np.asarray(weight, np.float32), _color(rng), _color(rng))
    return np.asarray(np.rot90(canvas, int(rng.integers(4))), np.float32)


def _cloth(rng: np.random.Generator, size: int) -> Plane:
    rows, columns = _axes(size)
    turn, pitch = rng.uniform(0, np.pi), rng.uniform(8, 160)
    along = (
        rows * np.sin(turn) + columns * np.cos(turn) + 0.02 * smooth_noise(rng, (size, size), 0.2)
    )
    across = rows * np.cos(turn) - columns * np.sin(turn)
    weave = np.sin(along * pitch)
    if rng.random() < 0.6:
        weave = weave * np.sin(across * pitch * rng.choice([0.5, 1, 2]))
    if rng.random() < 0.5:
        weave = np.sign(weave)
    folds = 1 + 0.25 * smooth_noise(rng, (size, size), 0.3)
    canvas = _blend(weave * rng.uniform(0.1, 0.6) + 0.5, _color(rng), _color(rng))
    return np.asarray(canvas * folds[..., np.newaxis], np.float32)


def _drawing(
    size: int, background: tuple[int, int, int]
) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    picture = Image.new("RGB", (size, size), background)
    return picture, ImageDraw.Draw(picture)


def _write(rng: np.random.Generator, draw: ImageDraw.ImageDraw, box: tuple[float, ...]) -> None:
    """Lines of words in a box (left, top, right, bottom), px."""
    height = int(rng.integers(7, 22))
    font = ImageFont.load_default(height)
    ink, top = tuple((rng.uniform(0, 0.5) * _color(rng)).astype(int).tolist()), box[1]
    while top + height < box[3]:
        words = rng.choice(_WORDS, int(rng.integers(0, 12)))
        line = " ".join(words)
        while line and draw.textlength(line, font) > box[2] - box[0]:
            line = line[: len(line) - 4]
        draw.text((box[0], top), line, ink, font)
        top += height * rng.uniform(1.2, 1.6)


def _document(rng: np.random.Generator, size: int) -> Picture:
    paper = tuple(rng.integers(215, 256, 3).tolist())
    picture, draw = _drawing(size, paper)
    margin = rng.uniform(0, 0.15) * size
    _write(rng, draw, (margin, margin, size - margin, size - margin))
    if rng.random() < 0.3:  # a table
        for line in np.linspace(margin, size - margin, int(rng.integers(4, 12))):
            draw.line((margin, line, size - margin, line), (90, 90, 90))
            draw.line((line, margin, line, size - margin), (90, 90, 90))
    if rng.random() < 0.3:  # handwriting
        points = np.cumsum(rng.normal(0.6, 2.5, (160, 2)), axis=0) + size * rng.uniform(0.1, 0.5, 2)
        draw.line([(x, y) for x, y in points.tolist()], _ink(rng), 2)
    return np.asarray(picture.rotate(rng.normal(0, 4), Image.Resampling.BILINEAR, fillcolor=paper))


def _screen(rng: np.random.Generator, size: int) -> Picture:
    """A page or a program: bars, panels, buttons, words."""
    picture, draw = _drawing(size, _ink(rng) if rng.random() < 0.3 else (246, 246, 248))
    for _ in range(int(rng.integers(3, 14))):
        left, top = rng.uniform(0, 0.8, 2) * size
        width, height = rng.uniform(0.05, 0.7, 2) * size
        box = (left, top, left + width, top + height)
        draw.rounded_rectangle(
            box, int(rng.integers(0, 9)), _ink(rng) if rng.random() < 0.5 else (255,) * 3
        )
        if rng.random() < 0.6:
            _write(rng, draw, (left + 3, top + 3, left + width, top + height))
    draw.rectangle((0, 0, size, rng.uniform(0, 0.12) * size), _ink(rng))
    return np.asarray(picture)


def _chart(rng: np.random.Generator, size: int) -> Picture:
    picture, draw = _drawing(size, (255, 255, 255) if rng.random() < 0.7 else _ink(rng))
    low, high, count = 0.12 * size, 0.92 * size, int(rng.integers(4, 14))
    for line in np.linspace(low, high, 6):
        draw.line((low, line, high, line), (205, 205, 205))
    steps, shape = np.linspace(low, high, count + 1), rng.random()
    for start, end in itertools.pairwise(steps):
        top = rng.uniform(low, high)
        if shape < 0.4:
            draw.rectangle((start, top, start + 0.8 * (end - start), high), _ink(rng))
        elif shape < 0.7:
            draw.line((start, rng.uniform(low, high), end, top), _ink(rng), 3)
        else:
            radius = rng.uniform(2, 12)
            draw.ellipse((start, top, start + radius, top + radius), _ink(rng))
    if shape > 0.85:
        draw.pieslice((low, low, high, high), 0, rng.uniform(60, 300), _ink(rng))
    draw.line((low, low, low, high, high, high), (30, 30, 30), 2)
    _write(rng, draw, (low, 0, high, low))
    return np.asarray(picture)


def _code(rng: np.random.Generator, size: int) -> Picture:
    """A matrix code, a bar code or a checkerboard."""
    count = int(rng.integers(6, 50))
    cells = rng.integers(0, 2, (count, count))
    if rng.random() < 0.3:
        cells = np.broadcast_to(cells[:1], (count, count))
    elif rng.random() < 0.3:
        cells = np.add.outer(np.arange(count), np.arange(count)) % 2
    canvas = _blend(cells.astype(np.float32), 0.3 * _color(rng), 255 - 0.3 * _color(rng))
    return np.asarray(
        Image.fromarray(_pixels(canvas)).resize((size, size), Image.Resampling.NEAREST)
    )


def _shapes(rng: np.random.Generator, size: int) -> Picture:
    """Colored shapes, as in a drawing, a logo or a sign."""
    picture, draw = _drawing(size, (255, 255, 255) if rng.random() < 0.5 else _ink(rng))
    for _ in range(int(rng.integers(1, 14))):
        middle, reach = rng.uniform(0, size, 2), rng.uniform(0.05, 0.5) * size
        corners = middle + rng.normal(0, reach, (int(rng.integers(3, 8)), 2))
        if rng.random() < 0.5:
            draw.polygon([(x, y) for x, y in corners.tolist()], _ink(rng))
        else:
            low, high = corners.min(axis=0), corners.max(axis=0)
            draw.ellipse((*low.tolist(), *high.tolist()), _ink(rng))
    return np.asarray(picture)


def _thing(rng: np.random.Generator, size: int) -> Plane:
    """A shaded, textured thing on a plain ground: fruit, stone, toy, animal."""
    rows, columns = _axes(size)
    canvas = _texture(rng, size) if rng.random() < 0.3 else _gradient(rng, size)
    if rng.random() < 0.5:
        canvas = np.full((size, size, 3), rng.uniform(200, 255), np.float32)
    for _ in range(int(rng.integers(1, 5))):
        middle, reach = rng.uniform(-0.6, 0.6, 2), rng.uniform(0.15, 0.6, 2)
        down, right = (rows - middle[0]) / reach[0], (columns - middle[1]) / reach[1]
        bumps = rng.uniform(0, 0.3) * smooth_noise(rng, (size, size), 0.15)
        distance = np.hypot(down, right) + bumps
        light = np.clip(1.1 - 0.5 * np.hypot(down + 0.4, right + 0.4), 0.2, 1.2)
        body = (
            _texture(rng, size)
            if rng.random() < 0.6
            else np.broadcast_to(_color(rng), canvas.shape)
        )
        inside = np.clip((1 - distance) * 25, 0, 1)[..., np.newaxis]
        canvas = canvas + (body * light[..., np.newaxis] - canvas) * inside
    return np.asarray(canvas, np.float32)


def _scene(rng: np.random.Generator, size: int) -> Plane:
    """A landscape or a room: bands of texture below a bright sky, with upright things."""
    canvas = _gradient(rng, size) * 0.4 + np.array([110, 130, 150], np.float32)
    for start in np.sort(rng.uniform(0.25, 0.95, int(rng.integers(1, 5)))):
        line = start * size + rng.uniform(0, 12) * smooth_noise(rng, (1, size), 0.1)[0]
        below = np.arange(size)[:, np.newaxis] > line
        canvas = np.where(below[..., np.newaxis], _texture(rng, size) * rng.uniform(0.4, 1), canvas)
    picture = Image.fromarray(_pixels(canvas))
    draw = ImageDraw.Draw(picture)
    for left in rng.uniform(0, size, int(rng.integers(0, 7))):
        top, width = rng.uniform(0.1, 0.7) * size, rng.uniform(3, 50)
        draw.rectangle((left, top, left + width, rng.uniform(0.8, 1) * size), _ink(rng))
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(rng.uniform(0, 1.5))), np.float32)


def _scan(rng: np.random.Generator, size: int) -> Plane:
    """An X-ray, a CT slice or an ultrasound picture: gray, soft, on black."""
    rows, columns = _axes(size)
    outer = np.hypot(rows / rng.uniform(0.6, 1.1), columns / rng.uniform(0.5, 1.1))
    canvas = 90 * np.clip((1 - outer) * 6, 0, 1) * (1 + 0.25 * smooth_noise(rng, (size, size), 0.2))
    style = rng.random()
    if style < 0.5:  # ribs and a spine
        curve = rows + rng.uniform(0.2, 0.7) * columns**2
        canvas += 60 * np.clip(np.sin(curve * rng.uniform(14, 30)), 0, 1) * (outer < 1)
        canvas += 90 * np.exp(-((columns / 0.09) ** 2))
    elif style < 0.8:  # organs in a slice
        for _ in range(int(rng.integers(2, 8))):
            down, right = rows - rng.uniform(-0.5, 0.5), columns - rng.uniform(-0.5, 0.5)
            organ = np.hypot(down, right) < rng.uniform(0.05, 0.35)
            canvas += rng.uniform(-60, 90) * organ * (outer < 1)
        canvas += 140 * (np.abs(outer - 0.9) < 0.05)
    else:  # a fan of speckle
        fan = (np.abs(columns) < (rows + 1.1) * rng.uniform(0.4, 0.9)) & (
            np.hypot(rows + 1, columns) < 1.9
        )
        speckle = np.abs(smooth_noise(rng, (size, size), 0.012)) * (
            1 + smooth_noise(rng, (size, size), 0.15)
        )
        canvas = 70 * np.clip(speckle, 0, 3) * fan
    canvas = canvas * rng.uniform(0.6, 1.6) + rng.normal(0, rng.uniform(1, 8), (size, size))
    if rng.random() < 0.2:
        canvas = 255 - canvas
    return np.asarray(np.repeat(canvas[..., np.newaxis], 3, axis=2), np.float32)


def _histology(rng: np.random.Generator, size: int) -> Plane:
    """Pink tissue with purple or brown nuclei, and white gaps."""
    tissue = np.array(rng.choice([[228, 160, 190], [214, 190, 220], [240, 200, 210]]), np.float32)
    nuclei = np.array(rng.choice([[90, 50, 130], [60, 60, 130], [110, 70, 40]]), np.float32)
    canvas = _blend(0.5 + 0.3 * smooth_noise(rng, (size, size), 0.04), tissue, tissue * 0.8)
    gaps = smooth_noise(rng, (size, size), 0.12) * 3 - rng.uniform(2, 6)
    canvas = _blend(np.clip(gaps, 0, 1), canvas, np.full(3, 242, np.float32))
    cells = smooth_noise(rng, (size, size), rng.uniform(0.015, 0.05)) * 3 - rng.uniform(1.5, 4)
    canvas = _blend(np.clip(cells, 0, 1) * (gaps < 0.3), canvas, nuclei)
    return canvas + 6 * smooth_noise(rng, (size, size), 0.01)[..., np.newaxis]


def _fundus(rng: np.random.Generator, size: int) -> Picture:
    """An orange disk on black, with a bright spot and dark vessels that branch from it."""
    rows, columns = _axes(size)
    away = np.hypot(rows, columns) / rng.uniform(0.85, 1.1)
    low, high = ((150, 50, 10), (250, 130, 90))
    color = rng.uniform(low, high).astype(np.float32)
    canvas = color * (1.1 - 0.5 * away + 0.08 * smooth_noise(rng, (size, size), 0.1))[..., None]
    place = np.array([rng.uniform(-0.1, 0.1), rng.choice([-0.45, 0.45])])
    spot = np.exp(-((np.hypot(rows - place[0], columns - place[1]) / 0.12) ** 4))
    canvas = _blend(spot, canvas, np.array([255, 225, 150], np.float32))
    picture = Image.fromarray(_pixels(canvas))
    draw = ImageDraw.Draw(picture)
    for _ in range(int(rng.integers(8, 18))):
        at, heading = (place[::-1] + 1) * size / 2, rng.uniform(0, 2 * np.pi)
        for width in np.linspace(size / 70, 1, 26):
            heading += rng.normal(0, 0.16)
            end = at + size / 30 * np.array([math.cos(heading), math.sin(heading)])
            draw.line(
                (*at.tolist(), *end.tolist()),
                tuple((color * 0.55).astype(int).tolist()),
                round(width),
            )
            at = end
    soft = np.asarray(picture.filter(ImageFilter.GaussianBlur(0.8)), np.float32)
    return _pixels(soft * (np.clip((1 - away) * 40, 0, 1))[..., np.newaxis])


_DRAWN: dict[str, Callable[[np.random.Generator, int], Plane | Picture]] = {
    "noise": _noise,
    "blank": _blank,
    "lens cap": _lens_cap,
    "gradient": _gradient,
    "texture": _texture,
    "cloth": _cloth,
    "document": _document,
    "screen": _screen,
    "chart": _chart,
    "code": _code,
    "shapes": _shapes,
    "thing": _thing,
    "scene": _scene,
    "scan": _scan,
    "histology": _histology,
    "fundus": _fundus,
}
KINDS = tuple(_DRAWN)
