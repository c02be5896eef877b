"""Healthy skin and clinical views, made out of dermoscopic photographs for the novelty detector.

Both are made of the photograph's own skin, so that neither camera nor skin tone gives them away:
what is missing is the lesion, or its size.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from melanoma_core.images import non_lesions

Picture = NDArray[np.uint8]
Plane = NDArray[np.float32]

_BORDER = 0.12  # of the side; a ring where most photographs show skin
_NUM_LAID = 160  # patches in a picture
_MOST_DEVIATION = 26.0  # levels of 255; a part that differs more holds more than skin


def healthy(rng: np.random.Generator, photograph: Picture) -> Picture | None:
    """A picture of the photograph's skin without the lesion; None where there is too little.

    Patches of skin from the corners and edges are laid over one another with soft borders, on the
    whole picture or only where it is not skin.

    Args:
        rng: where the choices come from.
        photograph: (S, S, 3) RGB.
    """
    found = _skin_patches(rng, photograph)
    if found is None:
        return None
    skin = _quilt(rng, *found, photograph.shape[0])
    if rng.random() < 0.5:
        return _pixels(skin)
    distance = np.abs(_blurred(photograph, 2) - found[0]).max(axis=2)
    weight = _blurred((distance > _MOST_DEVIATION) * np.uint8(255), 9) / 255
    weight = np.clip(weight * 4, 0, 1)[..., np.newaxis]
    return _pixels(photograph + (skin - photograph) * weight)


def clinical_view(rng: np.random.Generator, photograph: Picture) -> Picture | None:
    """The photograph's lesion small in a wide field, as a camera sees it; None without skin.

    Args:
        rng: where the choices come from.
        photograph: (S, S, 3) RGB.
    """
    found = _skin_patches(rng, photograph)
    if found is None:
        return None
    size = photograph.shape[0]
    grain = int(size * rng.uniform(1.2, 2.5))  # far skin is finer, and its light less even
    coarse = Image.fromarray(_pixels(_quilt(rng, *found, grain)))
    canvas = np.asarray(coarse.resize((size, size), Image.Resampling.BOX), np.float32)
    light = 1 + rng.uniform(0.03, 0.15) * non_lesions.smooth_noise(rng, (size, size), 0.45)
    picture = Image.fromarray(_pixels(canvas * light[..., np.newaxis]))
    side = max(8, round(size * rng.uniform(0.08, 0.28)))
    small = Image.fromarray(photograph).resize((side, side), Image.Resampling.BOX)
    for _ in range(int(rng.choice([0, 1, 1, 1, 2, 4]))):
        rows, columns = np.mgrid[:side, :side] * (2 / side) - 1
        inside = np.clip((1 - np.hypot(rows, columns)) * 3, 0, 1) * 255
        place = rng.integers(0, size - side, 2).tolist()
        picture.paste(small, (place[0], place[1]), Image.fromarray(inside.astype(np.uint8)))
    surroundings = (_cloth, _body, _ruler)
    for index in rng.permutation(3)[: int(rng.integers(0, 3))]:
        picture = surroundings[index](rng, picture)
    return _pixels(_blurred(np.asarray(picture), rng.uniform(0, 0.8)))


def _pixels(canvas: NDArray[np.floating] | Picture) -> Picture:
    return np.asarray(np.clip(np.rint(canvas), 0, 255), np.uint8)


def _blurred(picture: Picture, radius: float) -> Plane:
    soft = Image.fromarray(np.asarray(picture, np.uint8)).filter(ImageFilter.GaussianBlur(radius))
    return np.asarray(soft, np.float32)


def _skin_patches(
    rng: np.random.Generator, photograph: Picture
) -> tuple[Plane, list[Plane]] | None:
    """Its typical skin color (3,), and the detail of even parts of that color.

    None: too little of the photograph looks like skin.
    """
    size = photograph.shape[0]
    values, soft = photograph.astype(np.float32), _blurred(photograph, size / 64)
    band = max(2, round(_BORDER * size))
    ring = np.concatenate([soft[:band], soft[-band:]])[:, ::2].reshape(-1, 3)
    bright = ring[ring.mean(axis=1) > 60]  # leaves out a dark frame
    if len(bright) < len(ring) / 3:
        return None
    typical, patches = np.median(bright, axis=0), []
    for _ in range(60):
        side = round(size * rng.uniform(0.14, 0.35))
        top, left = rng.integers(0, size - side + 1, 2)
        part = np.s_[top : top + side, left : left + side]
        color, step = soft[part].mean(axis=(0, 1)), max(1, side // 16)
        is_even = np.abs(soft[part][::step, ::step] - color).max() < _MOST_DEVIATION
        if is_even and np.abs(color - typical).max() < _MOST_DEVIATION:
            patches.append(values[part] - color)
    return (typical, patches) if len(patches) >= 3 else None


def _quilt(rng: np.random.Generator, typical: Plane, patches: list[Plane], size: int) -> Plane:
    """The detail of patches laid over one another, in the typical color and uneven light."""
    detail = np.zeros((size, size, 3), np.float32)
    weights = np.full((size, size, 1), 1e-3, np.float32)
    soft_borders = [_soft_border(patch.shape[0]) for patch in patches]
    for index in rng.integers(0, len(patches), _NUM_LAID):
        patch = np.rot90(patches[index], int(rng.integers(4)))[:: rng.choice([-1, 1])]
        reach = patch.shape[0]
        weight = soft_borders[index] * np.float32(rng.uniform(0.2, 5))
        top, left = rng.integers(-reach // 2, size - reach // 2, 2)
        low, high = (max(0, -top), max(0, -left)), (min(reach, size - top), min(reach, size - left))
        window = np.s_[top + low[0] : top + high[0], left + low[1] : left + high[1]]
        part = np.s_[low[0] : high[0], low[1] : high[1]]
        detail[window] += patch[part] * weight[part]
        weights[window] += weight[part]
    light = 1 + rng.uniform(0, 0.03) * non_lesions.smooth_noise(rng, (size, size), 0.4)
    return np.asarray(typical * light[..., np.newaxis] + detail / weights, np.float32)


def _soft_border(side: int) -> Plane:
    """Weights (side, side, 1) that fall steeply from the middle.

    Where two patches meet, their mean would be smoother than skin.
    """
    squares = np.square(np.linspace(-1, 1, side, dtype=np.float32))
    away = np.sqrt(np.add.outer(squares, squares))
    return np.asarray(np.clip(1 - away, 0, 1) ** 4, np.float32)[..., np.newaxis]


def _cloth(rng: np.random.Generator, picture: Image.Image) -> Image.Image:
    """Clothing, a sheet or a table along one side."""
    size = picture.width
    cloth = non_lesions.made_up(
        int(rng.integers(1 << 30)), str(rng.choice(["cloth", "gradient"])), size
    )
    line = size * rng.uniform(0.6, 0.9) + 6 * non_lesions.smooth_noise(rng, (1, size), 0.2)[0]
    mask = np.rot90(np.arange(size)[:, np.newaxis] > line, int(rng.integers(4)))
    picture.paste(Image.fromarray(cloth), (0, 0), Image.fromarray(mask))
    return picture


def _body(rng: np.random.Generator, picture: Image.Image) -> Image.Image:
    """The skin as an arm, a finger or a nose: shaded, on another ground."""
    size = picture.width
    rows, columns = np.mgrid[:size, :size] / size - 0.5
    turn = rng.uniform(0, np.pi)
    across = (rows * np.cos(turn) + columns * np.sin(turn) + rng.uniform(-0.1, 0.1)) / rng.uniform(
        0.3, 0.6
    )
    shaded = np.asarray(picture, np.float32) * (1 - 0.5 * across**4)[..., np.newaxis]
    ground = non_lesions.made_up(
        int(rng.integers(1 << 30)), str(rng.choice(["cloth", "blank", "gradient"])), size
    )
    inside = np.clip((1 - np.abs(across)) * 30, 0, 1)[..., np.newaxis]
    return Image.fromarray(_pixels(ground + (shaded - ground) * inside))


def _ruler(rng: np.random.Generator, picture: Image.Image) -> Image.Image:
    size, draw = picture.width, ImageDraw.Draw(picture)
    top, height = rng.uniform(0, 0.85) * size, rng.uniform(0.08, 0.15) * size
    draw.rectangle((0, top, size, top + height), (235, 235, 228))
    for number, left in enumerate(np.arange(0, size, rng.uniform(2.5, 7))):
        draw.line((left, top, left, top + height * (0.6 if number % 5 == 0 else 0.3)), (30, 30, 30))
    return picture.rotate(90 * int(rng.integers(4)))
