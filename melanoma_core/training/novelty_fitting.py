"""Fit what refuses pictures that show no lesion: photographs of lesions against everything else."""

import dataclasses
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from melanoma_core.errors import DatasetError
from melanoma_core.images import non_lesions as drawings
from melanoma_core.images import outlined_skins, outlines, reading, skins
from melanoma_core.models import novelty, predict
from melanoma_core.models.novelty import KINDS, Novelty

Picture = NDArray[np.uint8]
OnProgress = Callable[[int, int], None]  # is told how many pictures are done, of how many

SEED = 0
NUM_PHOTOGRAPHS = 15_000  # as they are: the more, the lower the limit; bounds the time of the fit
NUM_DEGRADED = 1500  # so that a bad photograph is left to the quality checks
NUM_SKINS = 900  # healthy skin and clinical views, of each; some photographs give none
NUM_OF_KIND = 70  # pictures drawn by code, of each kind
REFUSED = 0.008  # of the validation photographs, in all; and of each source
REFUSED_OF_SOURCE = 0.015
_LEAST_OF_SOURCE = 100  # fewer photographs place no limit
_NEARLY_WHITE = 244  # levels; the ground of cut-out pictures
_STRENGTH = 1e-3  # C of the regression; 1e-2 refused more of the acral lesions


def fit(
    network: predict.Network,
    train_images: Sequence[Picture],
    train_embeddings: NDArray[np.float32],
    val_images: Sequence[Picture],
    non_lesions: Path | None = None,
    val_sources: Sequence[str] | None = None,
    on_progress: OnProgress | None = None,
) -> Novelty:
    """The novelty detector of a network.

    Args:
        network: whose embeddings it is to judge.
        train_images: N photographs of lesions, (S, S, 3) each, of the network's size.
        train_embeddings: (N, K), the network's of them.
        val_images: others, which the limit is placed on.
        non_lesions: folder of further pictures, such as `benchmarks.data.non_lesions` collects;
            None: only pictures made by code.
        val_sources: data set of each validation photograph, so that none is refused more often.
        on_progress: is told the pictures done, of how many; the last number is an estimate.

    Raises:
        DatasetError: there are no photographs to fit it on.
    """
    if not len(train_images) or not len(val_images):
        raise DatasetError(
            "Without training and validation photographs, the novelty detector cannot be fitted."
        )
    rng = np.random.default_rng(SEED)
    numbers = [
        novelty.numbers(train_images[index], train_embeddings[index])
        for index in rng.permutation(len(train_images))[:NUM_PHOTOGRAPHS]
    ]
    kinds = [0] * len(numbers)
    count = NUM_DEGRADED + 2 * NUM_SKINS + NUM_OF_KIND * len(drawings.KINDS)
    pictures = _all_pictures(rng, network, train_images, non_lesions)
    for done, (kind, image) in enumerate(pictures, start=1):
        kinds.append(KINDS.index(kind))
        numbers.append(_numbers(network, image))
        if on_progress is not None:
            on_progress(done, max(count, done) + len(val_images))
    fitted = _fit_weights(np.array(numbers), np.array(kinds))
    val = [_numbers(network, image) for image in val_images]
    scores = novelty.score(novelty.evidence(fitted, np.array(val)))
    limit = place_limit(scores, val_sources)
    return dataclasses.replace(fitted, limit=np.array([limit], np.float32))


def place_limit(scores: NDArray[np.float64], sources: Sequence[str] | None = None) -> float:
    """The lowest limit that refuses few enough photographs, in all and of each source.

    Args:
        scores: (N,) of photographs that must not be refused.
        sources: (N,), their data sets.
    """
    limits = [_exceeded_by(scores, REFUSED)]
    for source in sorted(set(sources or ())):
        of_source = scores[np.array(sources) == source]
        if len(of_source) >= _LEAST_OF_SOURCE:
            limits.append(_exceeded_by(of_source, REFUSED_OF_SOURCE))
    return max(limits)


def _exceeded_by(scores: NDArray[np.float64], fraction: float) -> float:
    """A score that at most this fraction of them exceeds."""
    return float(np.sort(scores)[len(scores) - 1 - int(fraction * len(scores))])


def _numbers(network: predict.Network, image: Picture) -> NDArray[np.float32]:
    return novelty.numbers(image, network.graph.run(image)[1])


def _fit_weights(numbers: NDArray[np.float32], kinds: NDArray[np.int64]) -> Novelty:
    """Multinomial logistic regression on deviations from the photographs of lesions."""
    lesions = numbers[kinds == 0]
    mean, scale = lesions.mean(axis=0), lesions.std(axis=0)
    # A number that is nearly constant on lesions would weigh any difference without measure.
    scale = scale + 1e-3 * lesions.std() + np.float32(1e-6)
    with warnings.catch_warnings():
        # Whatever 100 steps leave undone, the limit is placed afterwards.
        warnings.simplefilter("ignore", ConvergenceWarning)
        regression = LogisticRegression(C=_STRENGTH, max_iter=100).fit(
            novelty.standardized(numbers, mean, scale), kinds
        )
    weights = np.zeros((numbers.shape[1], len(KINDS)), np.float32)
    bias = np.full(len(KINDS), -1e3, np.float32)  # of a kind that no picture was made of
    # Of two kinds, scikit-learn gives the coefficients of the second alone.
    last = regression.coef_.shape[0]
    bias[0] = 0.0
    weights[:, regression.classes_[-last:]] = regression.coef_.T
    bias[regression.classes_[-last:]] = regression.intercept_
    return Novelty(mean, scale, weights, bias, np.zeros(1, np.float32))


def _all_pictures(
    rng: np.random.Generator,
    network: predict.Network,
    photographs: Sequence[Picture],
    non_lesions: Path | None,
) -> Iterator[tuple[str, Picture]]:
    """Kind and square of everything that is fitted on besides the photographs as they are."""
    size, count = network.graph.image_size, len(photographs)
    for index in rng.permutation(count)[:NUM_DEGRADED]:
        yield "lesion", _degraded(rng, photographs[index])
    for index in rng.permutation(count)[:NUM_SKINS]:
        yield from _skins(rng, network, photographs[index])
    for kind in drawings.KINDS:
        for seed in range(NUM_OF_KIND):
            yield "not_a_lesion", drawings.made_up(seed, kind, size)
    for path in sorted(non_lesions.rglob("*.png")) if non_lesions else ():
        with Image.open(path) as file:
            picture = np.array(file.convert("RGB"))
        on_a_ground = rng.random() < 0.5
        part = _part(rng, _on_a_ground(rng, picture) if on_a_ground else picture)
        for view in (picture, part):
            yield "not_a_lesion", reading.resize(view, size)


def _skins(
    rng: np.random.Generator, network: predict.Network, photograph: Picture
) -> Iterator[tuple[str, Picture]]:
    """Healthy skin and clinical views; with the lesion's outline, where the network gives it."""
    size, logits = photograph.shape[0], network.graph.run(photograph).outline
    outline = None if logits is None else outlines.mask(logits, size, size)
    if outline is not None:
        yield from outlined_skins.made(rng, photograph, outline, size)
        return
    for kind, make in (("no_lesion", skins.healthy), ("clinical_view", skins.clinical_view)):
        picture = make(rng, photograph)
        if picture is not None:
            yield kind, picture


def _on_a_ground(rng: np.random.Generator, picture: Picture) -> Picture:
    """The picture with texture, cloth or a scene in the place of white, as a photograph has it."""
    height, width = picture.shape[:2]
    kind = str(rng.choice(["texture", "cloth", "scene", "gradient", "noise"]))
    drawn = drawings.made_up(int(rng.integers(1 << 30)), kind, 256)
    ground = np.asarray(Image.fromarray(drawn).resize((width, height)))
    return np.where(picture.min(axis=2, keepdims=True) > _NEARLY_WHITE, ground, picture)


def _part(rng: np.random.Generator, picture: Picture) -> Picture:
    """A part of the picture, sometimes gray or tinted."""
    height, width = (round(side * rng.uniform(0.3, 0.8)) for side in picture.shape[:2])
    top = rng.integers(picture.shape[0] - height + 1)
    left = rng.integers(picture.shape[1] - width + 1)
    part = picture[top : top + height, left : left + width].astype(np.float64)
    change = rng.random()
    if change < 0.3:
        part = np.broadcast_to(part.mean(axis=2, keepdims=True), part.shape)
    elif change < 0.5:
        part = part * rng.uniform(0.6, 1.3, 3)
    return np.clip(part, 0, 255).astype(np.uint8)


def _degraded(rng: np.random.Generator, photograph: Picture) -> Picture:
    """The photograph blurred, dark, bright, tinted, noisy, pale, framed or cut; flipped, turned."""
    size, change = photograph.shape[0], rng.integers(8)
    values, image = photograph.astype(np.float64), Image.fromarray(photograph)
    if change == 0:
        blur = ImageFilter.GaussianBlur(size * rng.uniform(0.003, 0.02))
        values = np.asarray(image.filter(blur), np.float64)
    elif change == 1:
        values = values * rng.uniform(0.25, 0.8)
    elif change == 2:
        values = values * rng.uniform(1.1, 1.8)
    elif change == 3:
        values = values * rng.uniform(0.75, 1.25, 3)
    elif change == 4:
        values = values + rng.normal(0, rng.uniform(3, 25), values.shape)
    elif change == 5:
        values = (values - 128) * rng.uniform(0.4, 0.9) + 128
    elif change == 6:
        away = np.hypot(*np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j])
        light = np.clip((rng.uniform(0.85, 1.3) - away) * rng.uniform(5, 40), 0, 1)
        values = values * light[..., np.newaxis]
    else:
        side = max(2, round(size * rng.uniform(0.45, 0.95)))
        top, left = rng.integers(0, size - side + 1, 2)
        part = photograph[top : top + side, left : left + side]
        values = reading.resize(part, size).astype(np.float64)
    values = np.rot90(values, int(rng.integers(4)))[:: rng.choice([-1, 1])]
    return np.clip(values, 0, 255).astype(np.uint8)
