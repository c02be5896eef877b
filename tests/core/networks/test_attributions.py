"""Grad-CAM++, Score-CAM and SmoothGrad, compared with tf-keras-vis called directly and by hand."""

import shutil
import tempfile

import numpy as np
import pytest

from melanoma_core.diagnoses import CODES
from melanoma_core.errors import ModelError
from melanoma_core.images import reading, synthetic
from melanoma_core.models.attribution_jobs import METHODS
from melanoma_core.networks import architectures, attributions
from tests.support import altered_models

IMAGE = reading.resize(synthetic.lesion(21, (90, 120), "melanoma"), 32)
BATCH = IMAGE[np.newaxis].astype(np.float32)
MEL, NV = CODES.index("MEL"), CODES.index("NV")
# tf-keras-vis passes a list to a network with a single input tensor in the direct calls here.
pytestmark = pytest.mark.filterwarnings("ignore:The structure of `inputs` doesn't match")


@pytest.fixture(scope="module")
def network(trained_models):
    """The network of the model, loaded without the code under test."""
    network = architectures.build("tiny", 32, len(CODES))
    network.load_weights(trained_models / "tiny-1" / "network.weights.h5")
    return network


@pytest.fixture(scope="module")
def maps(trained_models):
    """The map of every method for melanoma, and what was reported on the way."""
    loaded, codes = attributions.load(trained_models / "tiny-1", IMAGE)
    assert codes == CODES
    reports = []
    return dict(attributions.compute(loaded, IMAGE, MEL, reports.append)), reports


def test_every_method_has_one_nonnegative_map(maps):
    heat_by_method, reports = maps
    assert set(heat_by_method) == set(METHODS)
    assert {name: heat.shape for name, heat in heat_by_method.items()} == {
        "grad_cam_plus_plus": (8, 8), "score_cam": (8, 8), "smooth_grad": (32, 32),
    }  # fmt: skip
    for heat in heat_by_method.values():
        assert heat.dtype == np.float32
        assert heat.min() >= 0
        assert heat.std() > 0
    assert reports == [
        "Grad-CAM++", "SmoothGrad, 20 noisy copies", "Score-CAM, 0 of 16 channels",
    ]  # fmt: skip


def test_grad_cam_plus_plus_is_that_of_tf_keras_vis(network, maps):
    from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus
    from tf_keras_vis.utils.scores import CategoricalScore

    expected = GradcamPlusPlus(network, clone=False)(
        CategoricalScore(MEL), BATCH, penultimate_layer="features",
        seek_penultimate_conv_layer=False, expand_cam=False, normalize_cam=False,
    )  # fmt: skip
    np.testing.assert_allclose(maps[0]["grad_cam_plus_plus"], np.asarray(expected)[0], rtol=1e-5)


def test_grad_cam_plus_plus_by_hand(network, maps):
    """After average pooling and one dense layer it is Grad-CAM without the negative weights."""
    import keras

    tapped = keras.Model(network.input, [network.get_layer("features").output, network.output])
    features, logits = (np.asarray(output)[0] for output in tapped(BATCH))
    kernel, _ = architectures.head(network)
    expected = np.exp(logits[MEL]) / 64 * (features @ np.maximum(kernel[:, MEL], 0))
    np.testing.assert_allclose(maps[0]["grad_cam_plus_plus"], expected, rtol=1e-4, atol=1e-6)


def test_score_cam_is_that_of_tf_keras_vis(network, maps):
    from tf_keras_vis.scorecam import Scorecam
    from tf_keras_vis.utils.scores import CategoricalScore

    expected = Scorecam(network, clone=False)(
        CategoricalScore(MEL), BATCH, penultimate_layer="features",
        seek_penultimate_conv_layer=False, expand_cam=False, normalize_cam=False,
    )  # fmt: skip
    np.testing.assert_allclose(maps[0]["score_cam"], np.asarray(expected)[0], rtol=1e-4)


def test_score_cam_in_parts_is_the_same_and_reports_progress(network, maps):
    reports = []
    parts = attributions.score_cam(network, BATCH, MEL, reports.append, num_at_a_time=6)
    np.testing.assert_allclose(parts, maps[0]["score_cam"], rtol=1e-5)
    left = ", less than a minute left"
    assert reports == [
        f"Score-CAM, {done} of 16 channels{left if done else ''}" for done in (0, 6, 12)
    ]


def test_smooth_grad_is_that_of_tf_keras_vis_with_the_same_noise(network, maps):
    import keras
    from tf_keras_vis.saliency import Saliency
    from tf_keras_vis.utils.scores import CategoricalScore

    keras.utils.set_random_seed(0)
    expected = Saliency(network, clone=False)(
        CategoricalScore(MEL), BATCH, smooth_samples=20, smooth_noise=0.2, normalize_map=False
    )
    np.testing.assert_allclose(maps[0]["smooth_grad"], np.asarray(expected)[0], rtol=1e-4)


def test_smooth_grad_is_reproducible(network, maps):
    again = attributions.smooth_grad(network, BATCH, MEL)
    np.testing.assert_allclose(again, maps[0]["smooth_grad"], rtol=1e-5)


def test_photograph_with_an_empty_channel_has_a_map_with_color_cast_clamping():
    clamped = architectures.build("tiny", 32, len(CODES), color_cast_limits=(0.1, 0.6, -0.2, 0.1))
    red_alone = BATCH * np.float32([1, 0, 0])
    heat = attributions.smooth_grad(clamped, red_alone, MEL)
    assert np.isfinite(heat).all()
    assert heat.std() > 0


def test_maps_depend_on_the_diagnosis(network, maps):
    of_nevus = dict(attributions.compute(network, IMAGE, NV, lambda words: None))
    for name, heat in maps[0].items():
        one, other = heat / heat.max(), of_nevus[name] / of_nevus[name].max()
        assert not np.allclose(one, other, atol=0.01), name


def test_photograph_of_any_size_is_resized_as_for_the_model(trained_models, network):
    photograph = synthetic.lesion(22, (90, 120), "nevus")
    loaded, _ = attributions.load(trained_models / "tiny-1", photograph)
    computed = dict(attributions.compute(loaded, photograph, MEL, lambda words: None))
    resized = reading.resize(photograph, 32)[np.newaxis].astype(np.float32)
    expected = attributions.grad_cam_plus_plus(network, resized, MEL)
    np.testing.assert_allclose(computed["grad_cam_plus_plus"], expected, rtol=1e-5)


def test_weights_of_another_network_are_refused(trained_models, tmp_path):
    import keras

    shutil.copytree(trained_models, tmp_path / "models")
    keras.utils.set_random_seed(5)
    architectures.build("tiny", 32, len(CODES)).save_weights(tmp_path / "other.weights.h5")
    files = {"network.weights.h5": (tmp_path / "other.weights.h5").read_bytes()}
    altered_models.add(tmp_path / "models", "tiny-1", "mixed", files)
    with pytest.raises(ModelError, match=r"weights of “mixed” give probabilities that differ by"):
        attributions.load(tmp_path / "models" / "mixed", IMAGE)


def test_damaged_weights_are_refused(trained_models, tmp_path):
    shutil.copytree(trained_models, tmp_path / "models")
    path = tmp_path / "models" / "tiny-1" / "network.weights.h5"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelError, match=r"network\.weights\.h5 .* SHA-256 differs"):
        attributions.load(tmp_path / "models" / "tiny-1", IMAGE)


def test_network_without_feature_map_is_refused(trained_models, tmp_path):
    shutil.copytree(trained_models, tmp_path / "models")
    altered_models.add(tmp_path / "models", "tiny-1", "flat", {}, has_saliency=False)
    with pytest.raises(ModelError, match="“flat” has no feature map"):
        attributions.load(tmp_path / "models" / "flat", IMAGE)


def test_loading_leaves_no_file_behind(trained_models, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    attributions.load(trained_models / "tiny-1", IMAGE)
    assert not list(tmp_path.iterdir())
