"""A decoder trained on drawn lesions: it finds them, and leaves the network as it was."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from melanoma_core.images import outlines
from melanoma_core.models import predict
from melanoma_core.networks import architectures, export
from melanoma_core.training import outline_training

SIZE = 32
ROWS, COLUMNS = np.mgrid[:SIZE, :SIZE]


def disc(seed):
    """A dark disc on skin, (32, 32, 3), and its mask."""
    rng = np.random.default_rng(seed)
    row, column, radius = *rng.uniform(11, 21, size=2), rng.uniform(5, 9)
    mask = (ROWS - row) ** 2 + (COLUMNS - column) ** 2 <= radius**2
    image = np.where(mask[..., np.newaxis], (90, 60, 45), (215, 170, 150))
    return np.clip(image + rng.normal(0, 6, image.shape), 0, 255).astype(np.uint8), mask


def discs(seeds):
    images, masks = zip(*map(disc, seeds), strict=True)
    return list(images), list(masks)


TRAIN, VAL, TEST = discs(range(192)), discs(range(200, 216)), discs(range(300, 316))


@pytest.fixture(scope="module")
def fitted():
    """A tiny network, its weights before, and the decoder after a few epochs."""
    keras.utils.set_random_seed(0)
    network = architectures.build("tiny", SIZE, 9)
    before, lines, done = network.get_weights(), [], []
    decoder = outline_training.fit(
        network, TRAIN, VAL, 0, lines.append, 10, lambda *counts: done.append(counts)
    )
    return SimpleNamespace(network=network, before=before, decoder=decoder, lines=lines, done=done)


def test_graph_finds_the_lesions(fitted, tmp_path):
    export.write(fitted.network, tmp_path, fitted.decoder)
    graph = predict.Graph((tmp_path / "network.tflite").read_bytes())
    found = [
        outlines.dice(graph.run(image).outline > 0, outlines.resize(mask, 8, 8))
        for image, mask in zip(*TEST, strict=True)
    ]
    assert np.mean(found) > 0.85


def test_network_stays_as_it_was_and_can_be_trained_again(fitted):
    for before, after in zip(fitted.before, fitted.network.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert all(layer.trainable for layer in fitted.network.layers)


def test_each_epoch_is_reported(fitted):
    assert fitted.done == [(epoch, 10) for epoch in range(1, 11)]
    assert len(fitted.lines) == 10
    assert "val_dice" in fitted.lines[0]


def test_the_same_seed_gives_the_same_weights(fitted):
    few = tuple(part[:32] for part in TRAIN)
    first, second, other = (
        outline_training.fit(fitted.network, few, VAL, seed, lambda line: None, num_epochs=1)
        for seed in (1, 1, 2)
    )
    weights = [decoder.get_weights()[0] for decoder in (first, second, other)]
    np.testing.assert_array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])
