"""Batches that depend on seed and epoch alone."""

from dataclasses import replace

import numpy as np
import pytest

from melanoma_core.data.balance import draw_rows
from melanoma_core.images.augmentations import NO_AUGMENTATION, augment
from melanoma_core.runs.configs import TrainConfig
from melanoma_core.training import input_pipeline

CONFIG = TrainConfig(network="tiny", image_size=32, batch_size=4, balance="sqrt", seed=5)
LABELS = np.array([0] * 7 + [1] * 3)


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (10, 32, 32, 3), dtype=np.uint8)


def batches(images, config=CONFIG, epoch=0, weights=None):
    dataset = input_pipeline.EpochBatches(images, LABELS, 3, config, epoch, weights)
    return [dataset[k] for k in range(len(dataset))]


def equal(some, others):
    return all(
        np.array_equal(one, other)
        for batch, other_batch in zip(some, others, strict=True)
        for one, other in zip(batch, other_batch, strict=True)
    )


def test_batches_are_the_same_for_the_same_epoch_and_differ_between_epochs(images):
    assert equal(batches(images, epoch=1), batches(images, epoch=1))
    assert not equal(batches(images, epoch=1), batches(images, epoch=2))
    other_seed = replace(CONFIG, seed=6)
    assert not equal(batches(images, epoch=1), batches(images, other_seed, epoch=1))


def test_batches_are_the_same_in_whatever_order_they_are_asked_for(images):
    dataset = input_pipeline.EpochBatches(images, LABELS, 3, CONFIG, 0)
    backwards = [dataset[k] for k in (2, 1, 0)][::-1]
    assert equal(backwards, batches(images))


def test_last_batch_may_be_short_and_every_drawn_row_comes_once(images):
    config = replace(CONFIG, augment=NO_AUGMENTATION)
    views, labels = zip(*batches(images, config), strict=True)
    assert [len(part) for part in views] == [4, 4, 2]
    assert [len(part) for part in labels] == [4, 4, 2]
    rows = draw_rows(LABELS, "sqrt", (5, 0))
    np.testing.assert_array_equal(np.concatenate(views), images[rows])
    np.testing.assert_array_equal(np.concatenate(labels), np.eye(3)[LABELS[rows]])


@pytest.mark.parametrize(("mixup", "kind"), [(0.0, np.uint8), (0.4, np.float32)])
def test_batch_is_in_0_to_255_and_float_only_where_blended(images, mixup, kind):
    views, labels = batches(images, replace(CONFIG, mixup=mixup))[0]
    assert views.dtype == kind
    assert labels.dtype == np.float32
    assert 200 < views.max() <= 255
    assert views.min() >= 0


def test_photograph_drawn_twice_gives_two_views(images):
    config = replace(CONFIG, balance="even")
    views = np.concatenate([batch[0] for batch in batches(images, config)])
    rows = draw_rows(LABELS, "even", (5, 0)).tolist()
    twice = next(row for row in rows if rows.count(row) > 1)
    first, second = (k for k, row in enumerate(rows) if row == twice)
    assert not np.array_equal(views[first], views[second])
    expected = augment(images[twice], (5, 0, first), CONFIG.augment)
    np.testing.assert_array_equal(views[first], expected)


def test_copies_make_the_epoch_longer(images):
    config = replace(CONFIG, balance="even", balance_by="copies")
    labels = np.concatenate([batch[1] for batch in batches(images, config)])
    assert labels.sum(axis=0).tolist() == [7, 7, 0]


def test_weights_of_classes_come_with_their_labels(images):
    weights = np.array([0.5, 2.5, 0])
    for _, labels, weight in batches(images, weights=weights):
        np.testing.assert_allclose(weight, weights[labels.argmax(axis=1)])


def test_mixed_photographs_carry_their_labels_in_the_same_shares():
    # Photograph k is of one even color, 20 k, and of class k: the label tells what the blend is.
    images = (
        np.full((4, 32, 32, 3), 20, np.uint8) * np.arange(4, dtype=np.uint8)[:, None, None, None]
    )
    config = replace(CONFIG, augment=NO_AUGMENTATION, mixup=0.5, batch_size=4)
    views, labels = input_pipeline.EpochBatches(images, np.arange(4), 4, config, 0)[0]
    np.testing.assert_allclose(labels.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(views[:, 5, 5, 1], 20 * labels @ np.arange(4), atol=1e-3)
    assert ((labels > 0.01) & (labels < 0.99)).any()


def test_mixing_is_the_same_for_the_same_seed_and_off_at_0(images):
    config = replace(CONFIG, mixup=0.5)
    assert equal(batches(images, config), batches(images, config))
    assert not equal(batches(images, config), batches(images))
    assert set(np.concatenate([batch[1] for batch in batches(images)]).ravel()) == {0, 1}


def test_mixing_blends_the_weights_of_classes_too(images):
    weights = np.array([0.5, 2.5, 0])
    for _, labels, weight in batches(images, replace(CONFIG, mixup=0.5), weights=weights):
        np.testing.assert_allclose(weight, labels @ weights, rtol=1e-5)


def test_targets_are_taught_in_place_of_labels(images):
    config = replace(CONFIG, augment=NO_AUGMENTATION)
    targets = np.random.default_rng(1).random((10, 3), dtype=np.float32)
    dataset = input_pipeline.EpochBatches(images, LABELS, 3, config, 0, targets=targets)
    drawn = draw_rows(LABELS, config.balance, (config.seed, 0), config.balance_by)
    taught = np.concatenate([dataset[k][1] for k in range(len(dataset))])
    np.testing.assert_array_equal(taught, targets[drawn])
