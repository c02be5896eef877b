"""Networks that benchmarks build themselves clamp color casts like the model that they copy."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from benchmarks.accuracy import heat_in_lesion
from benchmarks.serving import latency
from melanoma_core.diagnoses import CODES
from melanoma_core.images import reading, synthetic
from melanoma_core.metrics import calibration
from melanoma_core.models import artifacts
from melanoma_core.networks import architectures
from tests.support import stub_models

SIZE = 64
LIMITS = (0.1, 0.6, -0.2, 0.1)  # of red, then of blue
BLUE = (reading.resize(synthetic.lesion(5), SIZE) * [0.3, 0.5, 0.7]).astype(np.uint8)
# tf-keras-vis hands a list to a network that takes one tensor.
pytestmark = pytest.mark.filterwarnings("ignore:The structure of `inputs` doesn't match")


def model(**fields):
    """As much of a model as these benchmarks need to build its network."""
    return SimpleNamespace(card=stub_models.card(network="tiny", image_size=SIZE, **fields))


def test_the_keras_network_clamps_color_casts_to_the_limits_of_the_model(tmp_path):
    network = architectures.build("tiny", SIZE, len(CODES), color_cast_limits=LIMITS)
    network.save_weights(tmp_path / "network.weights.h5")
    file = io.BytesIO()
    Image.fromarray(BLUE).save(file, "PNG")
    clamping = model(color_cast_limits=LIMITS)
    files = {
        "network.weights.h5": (tmp_path / "network.weights.h5").read_bytes(),
        "head.npz": artifacts.head_bytes(*architectures.head(network)),
    }
    probabilities, _ = latency._keras_classifier(clamping.card, files)(file.getvalue())
    logits = np.asarray(network(BLUE[np.newaxis].astype(np.float32)))[0]
    expected = calibration.probabilities(logits, clamping.card.calibration)
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)


def test_untrained_networks_clamp_color_casts_to_the_limits_of_the_model():
    (clamping,) = heat_in_lesion._untrained_networks(model(color_cast_limits=LIMITS), 1)
    (plain,) = heat_in_lesion._untrained_networks(model(), 1)
    layer = architectures.ColorCastClamp(LIMITS)
    clamped = np.asarray(layer(BLUE[np.newaxis].astype(np.float32)))[0].round().astype(np.uint8)
    output, expected, without = (
        network.graph.run(image).embedding
        for network, image in ((clamping, BLUE), (plain, clamped), (plain, BLUE))
    )
    np.testing.assert_array_equal(clamping.kernel, plain.kernel)
    np.testing.assert_allclose(output, expected, atol=0.01)
    assert np.abs(output - without).max() > 0.05
