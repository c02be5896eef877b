"""The decoder of outlines: beside any network with a feature map, which stays as it is."""

import keras
import numpy as np
import pytest

from melanoma_core.errors import ModelError, RunError
from melanoma_core.images import reading, synthetic
from melanoma_core.models import predict, store
from melanoma_core.networks import architectures, export, outline_decoder

SIZE = 64


@pytest.fixture(scope="module")
def lesion():
    """(64, 64, 3) uint8."""
    return reading.resize(synthetic.lesion(0), SIZE)


def made(name="tiny", size=SIZE, seed=0):
    """A network and a decoder with random weights."""
    keras.utils.set_random_seed(seed)
    network = architectures.build(name, size, 9)
    decoder = outline_decoder.build(network)
    # Kernels as they are drawn would give next to nothing: normalization has seen no image yet.
    decoder.set_weights([4 * w if w.ndim > 1 else w for w in decoder.get_weights()])
    return network, decoder


def drawn(network, decoder, image):
    """The outline in Keras."""
    model = keras.Model(network.input, outline_decoder.outline(network, decoder))
    return np.asarray(model(image[np.newaxis].astype(np.float32), training=False))[0]


@pytest.mark.parametrize(
    ("name", "sides"),
    [
        ("tiny", (16,)),
        ("tiny_and_tiny", (16,)),
        ("mobilenet_v2", (2, 4, 8, 16)),
        ("efficientnet_lite0", (2, 4, 8, 16)),
        ("mobilenet_v2_and_efficientnet_lite0", (2, 4, 8, 16)),
    ],
)
def test_decoder_reads_every_map_down_to_a_quarter_of_the_side(name, sides):
    _, decoder = made(name)
    shapes = [tuple(tensor.shape[1:3]) for tensor in decoder.inputs]
    assert shapes == [(side, side) for side in sides]
    assert decoder.output_shape == (None, 16, 16)


def test_sides_need_not_halve_evenly():
    _, decoder = made("mobilenet_v2", size=80)
    assert [tensor.shape[1] for tensor in decoder.inputs] == [3, 5, 10, 20]
    assert decoder.output_shape == (None, 20, 20)


def test_decoder_is_small():
    _, decoder = made("mobilenet_v2")
    assert 4 * decoder.count_params() < 1.5e6


def test_a_network_without_a_feature_map_has_no_decoder():
    with pytest.raises(RunError, match="starting_cnn has no feature map"):
        made("starting_cnn")


def test_graph_draws_what_keras_draws_and_answers_as_without(lesion, tmp_path):
    network, decoder = made()
    export.write(network, tmp_path, decoder)
    with_outline = predict.Graph((tmp_path / "network.tflite").read_bytes()).run(lesion)
    expected = drawn(network, decoder, lesion)
    assert expected.std() > 0.01
    np.testing.assert_allclose(with_outline.outline, expected, atol=1e-4)
    architectures.export(network, tmp_path / "plain.tflite")
    plain = predict.Graph((tmp_path / "plain.tflite").read_bytes()).run(lesion)
    assert plain.outline is None
    np.testing.assert_allclose(with_outline.embedding, plain.embedding, atol=1e-6)
    np.testing.assert_allclose(with_outline.features, plain.features, atol=1e-6)


def test_a_graph_that_draws_another_outline_is_refused(tmp_path, monkeypatch):
    network, decoder = made()
    shifted = architectures.export

    def export_shifted(network, path, outline):
        shifted(network, path, outline + 0.1)

    monkeypatch.setattr(architectures, "export", export_shifted)
    with pytest.raises(ModelError, match=r"0\.1 away"):
        export.write(network, tmp_path, decoder)


def test_weights_are_read_again(lesion):
    network, decoder = made(seed=1)
    _, other = made(seed=2)
    assert not np.allclose(drawn(network, other, lesion), drawn(network, decoder, lesion))
    again = outline_decoder.from_bytes(network, outline_decoder.to_bytes(decoder))
    np.testing.assert_array_equal(drawn(network, again, lesion), drawn(network, decoder, lesion))


@pytest.mark.filterwarnings("ignore:Skipping nested container:UserWarning")
def test_weights_of_another_kind_of_network_are_refused():
    network, _ = made()
    _, other = made("mobilenet_v2")
    with pytest.raises(RunError, match=r"“outline\.weights\.h5” does not hold weights"):
        outline_decoder.from_bytes(network, outline_decoder.to_bytes(other))


def test_an_ensemble_takes_over_the_decoder_of_its_first_network(lesion):
    first, decoder = made(seed=1)
    second, _ = made(seed=2)
    both = architectures.build("tiny_and_tiny", SIZE, 9)
    architectures.load_ensemble(both, [first, second], [1.0, 1.0])
    again = outline_decoder.from_bytes(both, outline_decoder.to_bytes(decoder))
    np.testing.assert_allclose(drawn(both, again, lesion), drawn(first, decoder, lesion), atol=1e-6)


def test_adding_a_decoder_leaves_the_weights_of_a_model_to_the_bit(trained_models, tmp_path):
    card, _, files = store.read_files(trained_models / "tiny-1")
    network = architectures.of_card(card, files)
    decoder = outline_decoder.build(network)
    export.with_outline(network, decoder, files, {}).write(tmp_path)
    for name in ("network.weights.h5", "head.npz"):
        assert (tmp_path / name).read_bytes() == files[name]
    assert (tmp_path / store.OUTLINE_WEIGHTS).is_file()
    graph = predict.Graph((tmp_path / "network.tflite").read_bytes())
    assert graph.run(reading.resize(synthetic.lesion(0), 32)).outline.shape == (8, 8)
