"""Grad-CAM without a gradient, compared with tf-keras-vis, and how a map is drawn."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from melanoma_core.diagnoses import CODES
from melanoma_core.errors import ModelError
from melanoma_core.images import reading, synthetic
from melanoma_core.models import grad_cam, predict
from melanoma_core.models.predict import Network, Prediction

PHOTOGRAPHS = [
    synthetic.lesion(20 + seed, (90, 120), kind) for seed, kind in enumerate(synthetic.KINDS[:4])
]


@pytest.fixture(scope="module")
def model(trained_models):
    return predict.load(trained_models / "tiny-1")


@pytest.fixture(scope="module")
def keras_network(trained_models, model):
    """The model's network in Keras."""
    from melanoma_core.networks import architectures

    network = architectures.build("tiny", model.card.image_size, len(CODES))
    network.load_weights(trained_models / "tiny-1" / "network.weights.h5")
    return network


def with_head(model, kernel):
    network = Network(model.network.graph, kernel.astype(np.float32), model.network.bias)
    return replace(model, network=network)


def made_prediction(model, features):
    embedding = features.mean(axis=(0, 1))
    logits = model.network.logits(embedding)
    return Prediction(
        model.card.model_id, model.card.diagnoses, logits, np.full(9, 1 / 9), features, embedding
    )


# The maps


def test_maps_equal_those_of_tf_keras_vis(model, keras_network):
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.utils.scores import CategoricalScore

    gradcam = Gradcam(keras_network, clone=False)
    for photograph in PHOTOGRAPHS:
        image = reading.resize(photograph, model.card.image_size)
        maps = grad_cam.grad_cams(model, predict.classify(model, photograph))
        assert maps.shape == (9, 8, 8)
        expected = [
            gradcam(
                CategoricalScore(k),
                image[np.newaxis].astype(np.float32),
                penultimate_layer="features",
                seek_penultimate_conv_layer=False,
                expand_cam=False,
                normalize_cam=False,
            )[0]
            for k in range(len(CODES))
        ]
        # The tiny network's maps are faint, so the tolerance is relative to the strongest cell.
        assert np.max(expected) > 1e-4
        np.testing.assert_allclose(maps, expected, atol=1e-4 * np.max(expected))


def test_map_by_hand(model):
    """Two cells, of which each carries one feature: 3 × 2 / 2 cells and 4 × -1 / 2 cells."""
    kernel = np.zeros((2, 9))
    kernel[:, 0] = (2, -1)
    features = np.array([[[3.0, 0.0], [0.0, 4.0]]], np.float32)
    small = with_head(model, kernel)
    maps = grad_cam.grad_cams(small, made_prediction(small, features))
    np.testing.assert_array_equal(maps[0], [[3, 0]])
    assert not maps[1:].any()


def test_maps_without_rectifying_sum_to_the_logit_without_its_bias(model):
    kernel = np.abs(np.random.default_rng(0).normal(size=(16, 9)))
    positive = with_head(model, kernel)
    prediction = predict.classify(positive, PHOTOGRAPHS[0])
    maps = grad_cam.grad_cams(positive, prediction)
    expected = prediction.logits - model.network.bias
    np.testing.assert_allclose(maps.sum(axis=(1, 2)), expected, rtol=1e-4)


def test_maps_depend_on_the_diagnosis_and_the_photograph(model):
    maps = [grad_cam.grad_cams(model, predict.classify(model, image)) for image in PHOTOGRAPHS[:2]]
    drawn = {cam.tobytes() for cam in maps[0] if cam.any()}
    assert len(drawn) == sum(bool(cam.any()) for cam in maps[0]) > 1
    assert not np.allclose(maps[0], maps[1])


def test_maps_depend_on_the_weights(model):
    """Sanity check of Adebayo et al. (2018): another head must give other maps."""
    prediction = predict.classify(model, PHOTOGRAPHS[0])
    maps = grad_cam.grad_cams(model, prediction)
    shape = model.network.kernel.shape
    kernel = np.random.default_rng(1).normal(0, model.network.kernel.std(), shape)
    random = grad_cam.grad_cams(with_head(model, kernel), prediction)
    for own, other in zip(maps, random, strict=True):
        assert not np.allclose(own, other, atol=0.05 * maps.max()) or not own.any()
    assert maps.any()


def correlation(one, other):
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def maps_of(network, photograph):
    """Grad-CAM of a Keras network, by the closed form."""
    import keras

    from melanoma_core.networks import architectures

    tapped = keras.Model(network.input, network.get_layer("features").output)
    image = reading.resize(photograph, network.input_shape[1]).astype(np.float32)
    features = np.asarray(tapped(image[np.newaxis], training=False))[0]
    kernel, _ = architectures.head(network)
    return np.maximum(np.einsum("hwk,kc->chw", features, kernel), 0)


def mean_correlation(first, second):
    """Mean over the pairs of maps of which neither is flat; 1 when all are the same."""
    pairs = [pair for pair in zip(first, second, strict=True) if all(cam.std() for cam in pair)]
    assert len(pairs) >= len(first) / 3
    return np.mean([correlation(*pair) for pair in pairs])


def test_maps_of_different_diagnoses_differ(model):
    """R11: equal maps would show the photograph, not the evidence for a diagnosis."""
    pairs = []
    for photograph in PHOTOGRAPHS:
        maps = grad_cam.grad_cams(model, predict.classify(model, photograph))
        pairs += itertools.combinations([cam for cam in maps if cam.std() > 0], 2)
    assert len(pairs) > 20
    assert mean_correlation(*zip(*pairs, strict=True)) < 0.3  # measured 0.05


@pytest.mark.parametrize("seed", range(3))
def test_maps_change_when_the_weights_are_randomized(model, keras_network, seed):
    """R11, after Adebayo et al. (NeurIPS 2018): every layer randomized."""
    import keras

    from melanoma_core.networks import architectures

    trained = [cam for image in PHOTOGRAPHS for cam in maps_of(keras_network, image)]
    served = grad_cam.grad_cams(model, predict.classify(model, PHOTOGRAPHS[0]))
    assert mean_correlation(trained[: len(CODES)], served) > 0.999
    keras.utils.set_random_seed(seed)
    random = architectures.build("tiny", model.card.image_size, len(CODES))
    randomized = [cam for image in PHOTOGRAPHS for cam in maps_of(random, image)]
    assert mean_correlation(trained, randomized) < 0.4  # measured -0.16 to 0.18 over eight seeds


def test_prediction_of_another_model_is_refused(model):
    other = replace(predict.classify(model, PHOTOGRAPHS[0]), model_id="other-2")
    with pytest.raises(ModelError, match=r"“other-2”.*“tiny-1”"):
        grad_cam.grad_cams(model, other)


def test_network_without_feature_map_is_refused(model):
    prediction = replace(predict.classify(model, PHOTOGRAPHS[0]), features=None)
    with pytest.raises(ModelError, match="no feature map"):
        grad_cam.grad_cams(model, prediction)


# How much of a map lies inside the lesion


def test_heat_is_counted_by_cell_for_an_outline_of_the_map_s_size():
    cam = np.array([[1, 2], [3, 4]], np.float32)
    assert grad_cam.heat_inside(cam, np.array([[True, False], [False, True]])) == 0.5
    assert grad_cam.heat_inside(cam, np.ones((2, 2), bool)) == 1
    assert grad_cam.heat_inside(cam, np.zeros((2, 2), bool)) == 0


def test_a_cell_partly_inside_counts_in_part():
    """The outline holds the left three of four columns: all of one cell, half of the other."""
    outline = np.zeros((4, 4), bool)
    outline[:, :3] = True
    cam = np.array([[1, 3]], np.float32)
    assert grad_cam.heat_inside(cam, outline) == pytest.approx((1 + 1.5) / 4)


def test_proportion_does_not_depend_on_the_map_s_strength_or_the_outline_s_size():
    rng = np.random.default_rng(0)
    cam = rng.random((6, 8)).astype(np.float32)
    outline = rng.random((6, 8)) < 0.4
    proportion = grad_cam.heat_inside(cam, outline)
    assert proportion == pytest.approx(cam[outline].sum() / cam.sum())
    assert grad_cam.heat_inside(cam * 1e-3, outline) == pytest.approx(proportion)
    large = outline.repeat(25, axis=0).repeat(25, axis=1)
    assert grad_cam.heat_inside(cam, large) == pytest.approx(proportion)


def test_a_coarse_outline_is_spread_over_the_cells_of_the_map():
    cam = np.arange(16, dtype=np.float32).reshape(4, 4)
    outline = np.array([[True, False], [False, False]])
    assert grad_cam.heat_inside(cam, outline) == pytest.approx((0 + 1 + 4 + 5) / 120)


def test_proportion_of_an_empty_map_is_nan():
    assert np.isnan(grad_cam.heat_inside(np.zeros((4, 4), np.float32), np.ones((9, 9), bool)))


# Drawing them


@pytest.fixture
def photograph():
    return np.full((80, 120, 3), 200, np.uint8)


@pytest.fixture
def cam():
    """Evidence in the right half, twice as strong in its lower part."""
    heat = np.zeros((4, 6), np.float32)
    heat[:, 3:] = 0.5
    heat[2:, 3:] = 1.0
    return heat


def differs(one, other):
    return (one != other).any(axis=2)


def is_contour(drawn):
    return (drawn == 255).all(axis=2)


def test_overlay_has_the_shape_of_the_photograph_and_leaves_it_alone(photograph, cam):
    before = photograph.copy()
    drawn = grad_cam.overlay(photograph, cam, scale=1.0)
    assert drawn.shape == photograph.shape
    assert drawn.dtype == np.uint8
    assert differs(drawn, photograph).any()
    np.testing.assert_array_equal(photograph, before)


def test_opacity_0_is_the_photograph(cam):
    image = PHOTOGRAPHS[0]
    np.testing.assert_array_equal(grad_cam.overlay(image, cam, 1.0, opacity=0), image)


@pytest.mark.parametrize("scale", [0.0, 1.0])
def test_empty_map_is_the_photograph(photograph, scale):
    drawn = grad_cam.overlay(photograph, np.zeros((4, 6), np.float32), scale)
    np.testing.assert_array_equal(drawn, photograph)
    assert drawn is not photograph


def test_the_photograph_is_unchanged_where_there_is_no_evidence(photograph, cam):
    drawn = grad_cam.overlay(photograph, cam, 1.0)
    np.testing.assert_array_equal(drawn[:, :35], photograph[:, :35])


def test_full_evidence_is_yellow_at_the_strongest_opacity(photograph, cam):
    drawn = grad_cam.overlay(photograph, cam, 1.0)
    expected = 200 + 0.42 * (np.array([0xFD, 0xE7, 0x25]) - 200)
    np.testing.assert_allclose(drawn[70, 100], expected, atol=1)
    half = grad_cam.overlay(photograph, cam, 1.0, opacity=0.5)
    np.testing.assert_allclose(half[70, 100], (expected + 200) / 2, atol=1)


def test_on_the_scale_of_all_diagnoses_a_weak_map_looks_weak(photograph, cam):
    """On its own scale every map would look the same."""
    strong = grad_cam.overlay(photograph, cam, scale=1.0)
    weak = grad_cam.overlay(photograph, cam / 3, scale=1.0)
    strongest = np.abs(strong[70, 100].astype(int) - 200).max()
    assert 0 < np.abs(weak[70, 100].astype(int) - 200).max() < strongest / 2
    np.testing.assert_array_equal(grad_cam.overlay(photograph, cam / 3, scale=1 / 3), strong)


def test_map_below_the_faintest_evidence_is_not_drawn(photograph, cam):
    assert not grad_cam.is_drawable(cam * 0.149, scale=1.0)
    np.testing.assert_array_equal(grad_cam.overlay(photograph, cam * 0.149, 1.0), photograph)
    assert grad_cam.is_drawable(cam * 0.151, scale=1.0)
    assert differs(grad_cam.overlay(photograph, cam * 0.151, 1.0), photograph).any()
    assert not grad_cam.is_drawable(np.zeros_like(cam), scale=0.0)


def test_contour_runs_along_half_of_the_strongest_evidence(photograph):
    """A ramp from 0 to 1, left to right: half of its maximum lies in the middle."""
    ramp = np.tile(np.linspace(0, 1, 12, dtype=np.float32), (4, 1))
    drawn = grad_cam.overlay(photograph, ramp, scale=2.0)
    assert grad_cam.is_outlined(ramp, 2.0)
    columns = np.nonzero(is_contour(drawn).any(axis=0))[0]
    assert 57 <= columns.min() <= columns.max() <= 63
    assert is_contour(drawn)[:, columns.min()].all()


def test_weak_evidence_is_colored_without_a_line(photograph, cam):
    """Less than a third of the strongest evidence of all diagnoses."""
    assert grad_cam.is_outlined(cam * 0.34, scale=1.0)
    assert is_contour(grad_cam.overlay(photograph, cam * 0.34, 1.0)).any()
    assert not grad_cam.is_outlined(cam * 0.33, scale=1.0)
    weak = grad_cam.overlay(photograph, cam * 0.33, 1.0)
    assert differs(weak, photograph).any()
    np.testing.assert_array_equal(
        weak, grad_cam.overlay(photograph, cam * 0.33, 1.0, has_line=False)
    )


def test_line_can_be_left_out(photograph, cam):
    drawn = grad_cam.overlay(photograph, cam, 1.0, has_line=False)
    assert not is_contour(drawn).any()
    with_line = grad_cam.overlay(photograph, cam, 1.0)
    line = is_contour(with_line) | (with_line == (27, 39, 51)).all(axis=2)
    np.testing.assert_array_equal(drawn[~line], with_line[~line])


def test_contour_is_white_on_a_dark_edge_and_thicker_on_a_large_photograph(cam):
    def width(size):
        height = size * 2 // 3
        ramp = np.tile(np.linspace(0, 1, 12, dtype=np.float32), (4, 1))
        drawn = grad_cam.overlay(np.full((height, size, 3), 200, np.uint8), ramp, scale=2.0)
        row = drawn[height // 2]
        return (row == 255).all(axis=1).sum(), (row == (27, 39, 51)).all(axis=1).sum()

    assert all(number > 0 for number in width(120))
    assert width(1200)[0] > width(120)[0]
