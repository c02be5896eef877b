"""Color casts: measured, clamped to limits, and unchanged within them."""

import doctest

import keras
import numpy as np
import pytest

from melanoma_core.images import color_casts, reading, synthetic
from melanoma_core.models import predict
from melanoma_core.models.network_table import NETWORKS
from melanoma_core.networks import architectures

SIZE = 64
LIMITS = (0.1, 0.6, -0.2, 0.1)  # of red, then of blue


def lesion(red, blue, seed=1):
    """A synthetic lesion with this cast, (64, 64, 3) uint8, with little clipping."""
    image = reading.resize(synthetic.lesion(seed), SIZE) * 0.4
    gains = np.exp(np.array([red, blue]) - color_casts.cast(image))
    return np.clip(image * [gains[0], 1, gains[1]], 0, 255).round().astype(np.uint8)


def clamped(image, limits=LIMITS):
    """The output of the layer."""
    return np.asarray(architectures.ColorCastClamp(limits)(image[None].astype(np.float32)))[0]


def test_cast_is_red_and_blue_relative_to_green():
    gray = np.full((4, 6, 3), 90, np.uint8)
    np.testing.assert_allclose(color_casts.cast(gray), [0, 0], atol=1e-9)
    np.testing.assert_allclose(color_casts.cast(gray // (1, 2, 3)), np.log([2, 2 / 3]), atol=1e-4)
    assert np.isfinite(color_casts.cast(np.zeros((4, 6, 3), np.uint8))).all()


def test_limits_exclude_one_in_twenty_at_each_end():
    assert doctest.testmod(color_casts).failed == 0
    casts = np.random.default_rng(0).normal([0.3, 0.0], [0.15, 0.1], (4000, 2))
    min_red, max_red, min_blue, max_blue = color_casts.limits(casts)
    for channel, lowest, highest in ((0, min_red, max_red), (1, min_blue, max_blue)):
        assert (casts[:, channel] < lowest).mean() == pytest.approx(0.05, abs=1e-3)
        assert (casts[:, channel] > highest).mean() == pytest.approx(0.05, abs=1e-3)


@pytest.mark.parametrize(("red", "blue"), [(0.15, -0.15), (0.3, 0.0), (0.55, 0.05)])
def test_a_cast_within_the_limits_is_unchanged(red, blue):
    image = lesion(red, blue)
    np.testing.assert_array_equal(clamped(image), image)


@pytest.mark.parametrize(
    ("red", "blue", "expected"),
    [
        (-0.2, 0.0, (0.1, 0.0)),
        (0.9, 0.0, (0.6, 0.0)),
        (0.3, 0.5, (0.3, 0.1)),
        (-0.1, 0.4, (0.1, 0.1)),  # blue, as in cold light
        (0.8, -0.5, (0.6, -0.2)),
    ],
)
def test_a_cast_beyond_the_limits_is_clamped(red, blue, expected):
    image = lesion(red, blue)
    result = clamped(image)
    np.testing.assert_allclose(color_casts.cast(result), expected, atol=0.02)
    assert result.mean() == pytest.approx(image.mean(), rel=0.01)
    assert result.min() >= 0
    assert result.max() <= 255


def test_a_black_photograph_stays_finite():
    assert np.isfinite(clamped(np.zeros((SIZE, SIZE, 3), np.uint8))).all()


@pytest.mark.parametrize("name", [name for name in NETWORKS if NETWORKS[name].has_saliency])
def test_the_layer_changes_only_the_input_of_the_network(name):
    keras.utils.set_random_seed(0)
    plain = architectures.build(name, SIZE, 9)
    limited = architectures.build(name, SIZE, 9, color_cast_limits=LIMITS)
    limited.set_weights(plain.get_weights())
    cast = lesion(-0.2, 0.5)
    answer = np.asarray(limited(cast[None].astype(np.float32)))
    np.testing.assert_allclose(answer, np.asarray(plain(clamped(cast)[None])), atol=1e-4)


def test_weights_fit_a_network_with_and_without_limits(tmp_path):
    limited = architectures.build("tiny_and_tiny", SIZE, 9, color_cast_limits=LIMITS)
    limited.save_weights(tmp_path / "network.weights.h5")
    plain = architectures.build("tiny_and_tiny", SIZE, 9)
    architectures.load_weights(plain, tmp_path / "network.weights.h5")
    for one, other in zip(limited.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_exported_graph_includes_the_limits(tmp_path):
    keras.utils.set_random_seed(0)
    network = architectures.build("tiny", SIZE, 9, color_cast_limits=LIMITS)
    architectures.export(network, tmp_path / "network.tflite")
    graph = predict.Graph((tmp_path / "network.tflite").read_bytes())
    embedding = keras.Model(network.input, network.get_layer("embedding").output)
    for red, blue in ((-0.3, 0.6), (0.3, 0.0)):
        image = lesion(red, blue)
        expected = np.asarray(embedding(image[None].astype(np.float32)))[0]
        np.testing.assert_allclose(graph.run(image).embedding, expected, atol=1e-5)


def test_the_layer_is_restored_from_its_config():
    layer = architectures.ColorCastClamp(LIMITS, name="colors")
    assert architectures.ColorCastClamp.from_config(layer.get_config()).limits == LIMITS
