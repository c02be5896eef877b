"""Color casts: measured, clamped to limits, and left alone where they are within them."""

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
    """A drawn lesion of this cast, (64, 64, 3) uint8 in which little is cut off."""
    image = reading.resize(synthetic.lesion(seed), SIZE) * 0.4
    gains = np.exp(np.array([red, blue]) - color_casts.cast(image))
    return np.clip(image * [gains[0], 1, gains[1]], 0, 255).round().astype(np.uint8)


def held(image, limits=LIMITS):
    """What the layer makes of it."""
    return np.asarray(architectures.ColorCastClamp(limits)(image[None].astype(np.float32)))[0]


def test_cast_is_of_red_and_blue_beside_green():
    gray = np.full((4, 6, 3), 90, np.uint8)
    np.testing.assert_allclose(color_casts.cast(gray), [0, 0], atol=1e-9)
    np.testing.assert_allclose(color_casts.cast(gray // (1, 2, 3)), np.log([2, 2 / 3]), atol=1e-4)
    assert np.isfinite(color_casts.cast(np.zeros((4, 6, 3), np.uint8))).all()


def test_limits_leave_one_in_twenty_outside_at_either_end():
    assert doctest.testmod(color_casts).failed == 0
    casts = np.random.default_rng(0).normal([0.3, 0.0], [0.15, 0.1], (4000, 2))
    least_red, most_red, least_blue, most_blue = color_casts.limits(casts)
    for values, least, most in ((0, least_red, most_red), (1, least_blue, most_blue)):
        assert (casts[:, values] < least).mean() == pytest.approx(0.05, abs=1e-3)
        assert (casts[:, values] > most).mean() == pytest.approx(0.05, abs=1e-3)


@pytest.mark.parametrize(("red", "blue"), [(0.15, -0.15), (0.3, 0.0), (0.55, 0.05)])
def test_photograph_within_the_limits_stays_to_the_bit(red, blue):
    image = lesion(red, blue)
    np.testing.assert_array_equal(held(image), image)


@pytest.mark.parametrize(
    ("red", "blue", "expected"),
    [
        (-0.2, 0.0, (0.1, 0.0)),
        (0.9, 0.0, (0.6, 0.0)),
        (0.3, 0.5, (0.3, 0.1)),
        (-0.1, 0.4, (0.1, 0.1)),  # blue, as by cold light
        (0.8, -0.5, (0.6, -0.2)),
    ],
)
def test_cast_beyond_the_limits_is_brought_back_to_them(red, blue, expected):
    image = lesion(red, blue)
    found = held(image)
    np.testing.assert_allclose(color_casts.cast(found), expected, atol=0.02)
    assert found.mean() == pytest.approx(image.mean(), rel=0.01)
    assert found.min() >= 0
    assert found.max() <= 255


def test_black_photograph_stays_finite():
    assert np.isfinite(held(np.zeros((SIZE, SIZE, 3), np.uint8))).all()


@pytest.mark.parametrize("name", [name for name in NETWORKS if NETWORKS[name].has_saliency])
def test_network_sees_what_the_layer_leaves_and_is_the_same_otherwise(name):
    keras.utils.set_random_seed(0)
    plain = architectures.build(name, SIZE, 9)
    limited = architectures.build(name, SIZE, 9, color_cast_limits=LIMITS)
    limited.set_weights(plain.get_weights())
    cast = lesion(-0.2, 0.5)
    answer = np.asarray(limited(cast[None].astype(np.float32)))
    np.testing.assert_allclose(answer, np.asarray(plain(held(cast)[None])), atol=1e-4)


def test_weights_of_a_network_fit_it_with_limits_and_without(tmp_path):
    limited = architectures.build("tiny_and_tiny", SIZE, 9, color_cast_limits=LIMITS)
    limited.save_weights(tmp_path / "network.weights.h5")
    plain = architectures.build("tiny_and_tiny", SIZE, 9)
    architectures.load_weights(plain, tmp_path / "network.weights.h5")
    for one, other in zip(limited.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_exported_graph_holds_the_limits(tmp_path):
    keras.utils.set_random_seed(0)
    network = architectures.build("tiny", SIZE, 9, color_cast_limits=LIMITS)
    architectures.export(network, tmp_path / "network.tflite")
    graph = predict.Graph((tmp_path / "network.tflite").read_bytes())
    embedding = keras.Model(network.input, network.get_layer("embedding").output)
    for red, blue in ((-0.3, 0.6), (0.3, 0.0)):
        image = lesion(red, blue)
        expected = np.asarray(embedding(image[None].astype(np.float32)))[0]
        np.testing.assert_allclose(graph.run(image)[1], expected, atol=1e-5)


def test_layer_is_made_anew_from_its_settings():
    layer = architectures.ColorCastClamp(LIMITS, name="colors")
    assert architectures.ColorCastClamp.from_config(layer.get_config()).limits == LIMITS
