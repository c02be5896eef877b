"""The networks: flat, scaling inside, exported as they are, started from ImageNet weights."""

from pathlib import Path

import keras
import numpy as np
import pytest

from melanoma_core.errors import ModelError, RunError
from melanoma_core.images import reading, synthetic
from melanoma_core.models import artifacts, predict, store
from melanoma_core.models.network_table import NETWORKS
from melanoma_core.networks import architectures

IMAGENET = (
    Path(__file__).resolve().parents[4]
    / "shared"
    / "pretrained"
    / "mobilenet_v2_imagenet_notop.weights.h5"
)
SIZE = 64


@pytest.fixture(scope="module")
def pretrained():
    """MobileNetV2 that starts from ImageNet weights."""
    if not IMAGENET.is_file():
        pytest.skip("The ImageNet weights are not at ../shared/pretrained.")
    return architectures.build("mobilenet_v2", SIZE, 9, dropout=0.2, weights_path=IMAGENET)


@pytest.fixture(scope="module")
def lesions():
    """(3, 64, 64, 3) float32 in [0, 255]."""
    images = [reading.resize(synthetic.lesion(seed), SIZE) for seed in range(3)]
    return np.stack(images).astype(np.float32)


@pytest.fixture(scope="module")
def tiny():
    keras.utils.set_random_seed(0)
    return architectures.build("tiny", SIZE, 9)


def served(network, path):
    architectures.export(network, path)
    return predict.Graph(path.read_bytes())


def outputs(network, names, images):
    """What the named layers give for a batch, by name."""
    tapped = keras.Model(network.input, {name: network.get_layer(name).output for name in names})
    return {name: np.asarray(output) for name, output in tapped(images, training=False).items()}


@pytest.mark.parametrize("name", NETWORKS)
def test_network_is_flat_and_gives_logits(name, lesions):
    network = architectures.build(name, SIZE, 9, dropout=0.2)
    assert not [layer for layer in network.layers if isinstance(layer, keras.Model)]
    assert network.output_shape == (None, 9)
    assert network.layers[-1].name == "logits"
    assert network.layers[-1].activation is keras.activations.linear
    has_features = any(layer.name == "features" for layer in network.layers)
    assert has_features == NETWORKS[name].has_saliency


def test_scaling_is_inside_from_0_to_255_to_minus_1_to_1(tiny):
    scale = keras.Model(tiny.input, tiny.get_layer("scale").output)
    levels = np.zeros((1, SIZE, SIZE, 3), np.float32)
    levels[0, 0, :3, 0] = (0, 127.5, 255)
    np.testing.assert_allclose(np.asarray(scale(levels))[0, 0, :3, 0], [-1, 0, 1], atol=1e-6)


def test_logits_are_one_dense_layer_on_the_mean_of_the_feature_map(tiny, lesions):
    given = outputs(tiny, ["features", "embedding", "logits"], lesions)
    means = given["features"].mean(axis=(1, 2))
    kernel, bias = architectures.head(tiny)
    assert kernel.shape == (16, 9)
    np.testing.assert_allclose(given["embedding"], means, atol=1e-5)
    np.testing.assert_allclose(given["logits"], means @ kernel + bias, atol=1e-4)


def test_dropout_acts_in_training_only(lesions):
    network = architectures.build("tiny", SIZE, 9, dropout=0.5)
    still = [np.asarray(network(lesions, training=False)) for _ in range(2)]
    np.testing.assert_array_equal(*still)
    assert not np.array_equal(still[0], np.asarray(network(lesions, training=True)))


def check_export(network, images, path, tolerance):
    """The graph, one image at a time, beside the network on the whole batch."""
    graph = served(network, path)
    names = ["embedding", "features"] if NETWORKS[network.name].has_saliency else ["embedding"]
    expected = outputs(network, names, images)
    assert expected["embedding"].std() > 1e-2
    for k, image in enumerate(images):
        features, embedding, outline = graph.run(image.astype(np.uint8))
        assert outline is None
        np.testing.assert_allclose(embedding, expected["embedding"][k], atol=tolerance)
        if "features" in expected:
            np.testing.assert_allclose(features, expected["features"][k], atol=tolerance)
        else:
            assert features is None


@pytest.mark.parametrize("name", ["tiny", "starting_cnn"])
def test_export_gives_what_keras_gives(name, lesions, tmp_path):
    keras.utils.set_random_seed(1)
    network = architectures.build(name, SIZE, 9, dropout=0.2)
    check_export(network, lesions, tmp_path / "network.tflite", tolerance=1e-5)


def test_export_of_mobilenet_gives_what_keras_gives(pretrained, lesions, tmp_path):
    # Fifty layers of float32 with outputs up to 6.
    check_export(pretrained, lesions, tmp_path / "network.tflite", tolerance=2e-4)


def test_export_of_efficientnet_gives_what_keras_gives(lesions, tmp_path):
    keras.utils.set_random_seed(1)
    network = architectures.build("efficientnet_lite0", SIZE, 9)
    for layer in network.layers:
        layer.momentum = 0.0  # take the moments of these photographs: else all falls to zero
    network(lesions, training=True)
    check_export(network, lesions, tmp_path / "network.tflite", tolerance=1e-3)


@pytest.mark.parametrize(
    ("name", "published"), [("efficientnet_lite0", 4_652_008), ("efficientnet_lite2", 6_092_072)]
)
def test_efficientnet_is_as_large_as_published(name, published):
    # With 1,000 classes, and without the moments that the published weights hold as well.
    network = architectures.build(name, SIZE, 1000)
    moments = sum(
        2 * layer.moving_mean.shape[0]
        for layer in network.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    )
    assert network.count_params() - moments == published
    assert network.get_layer("features").output.shape == (None, SIZE // 32, SIZE // 32, 1280)


def test_export_needs_tensorflow(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ModelError, match="backend is jax"):
        architectures.export(tiny, tmp_path / "network.tflite")
    assert not list(tmp_path.iterdir())


def test_mobilenet_with_imagenet_weights_is_that_of_keras_applications(pretrained, lesions):
    original = keras.applications.MobileNetV2(
        include_top=False, weights=None, input_shape=(SIZE, SIZE, 3)
    )
    original.load_weights(IMAGENET)
    scaled = keras.applications.mobilenet_v2.preprocess_input(lesions.copy())
    expected = np.asarray(original(scaled, training=False))
    assert expected.max() > 1
    np.testing.assert_allclose(
        outputs(pretrained, ["features"], lesions)["features"], expected, atol=1e-4
    )


@pytest.mark.filterwarnings("ignore:Skipping nested container:UserWarning")
@pytest.mark.parametrize("kind", ["another network's", "cut off", "missing"])
def test_weights_that_do_not_fit_are_refused(kind, tiny, tmp_path):
    path = tmp_path / "given.weights.h5"
    if kind != "missing":
        tiny.save_weights(path)
    if kind == "cut off":
        path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(RunError, match=r"“given\.weights\.h5”.*without its top"):
        architectures.build("mobilenet_v2", SIZE, 9, weights_path=path)


@pytest.mark.filterwarnings("ignore:Skipping nested container:UserWarning")
def test_weights_of_a_model_that_do_not_fit_are_refused_with_advice_for_models(
    trained_models, tmp_path
):
    path = tmp_path / "network.weights.h5"
    architectures.build("starting_cnn", 32, 9).save_weights(path)
    card, _, files = store.read_files(trained_models / "tiny-1")
    with pytest.raises(RunError, match=r"another version.*choose another model") as caught:
        architectures.of_card(card, files | {"network.weights.h5": path.read_bytes()})
    assert "without its top" not in str(caught.value)


def test_last_layer_of_a_model_is_read_from_its_own_file(trained_models, lesions):
    card, _, files = store.read_files(trained_models / "tiny-1")
    kernel, bias = architectures.head(architectures.of_card(card, files))
    other = files | {"head.npz": artifacts.head_bytes(2 * kernel, bias + 1)}
    network = architectures.build("tiny", SIZE, 9)
    architectures.load_files(network, other)
    np.testing.assert_array_equal(architectures.head(network)[0], 2 * kernel)
    np.testing.assert_array_equal(architectures.head(network)[1], bias + 1)
    assert network.input_shape == (None, SIZE, SIZE, 3)  # at another size than its own


def test_interpolated_weights_are_the_mean_but_for_masked_classes():
    network = architectures.build("tiny", 32, 9)
    start = [np.zeros_like(array) for array in network.get_weights()]
    tuned = [np.ones_like(array) for array in start]
    network.set_weights(tuned)
    is_masked = np.arange(9) == 2
    architectures.interpolate_weights(network, start, 0.25, is_masked)
    kernel, bias = architectures.head(network)
    np.testing.assert_array_equal(kernel, 0.75)
    np.testing.assert_array_equal(bias, np.where(is_masked, 1.0, 0.75))


def test_classes_are_unmasked_as_rare_ones_and_masked_again():
    network = architectures.build("tiny", 32, 9)
    bias = np.array([0.5, -2, -1000, 1, -1000, 0, 0, 0, 0], np.float32)
    architectures.set_bias(network, bias)
    architectures.unmask_classes(network)
    np.testing.assert_array_equal(architectures.head(network)[1], [0.5, -2, -2, 1, -2, 0, 0, 0, 0])
    architectures.mask_classes(network, bias, np.arange(9) == 4)
    np.testing.assert_array_equal(
        architectures.head(network)[1], [0.5, -2, -2, 1, -1000, 0, 0, 0, 0]
    )


def test_fused_normalization_trains_as_that_of_keras(lesions):
    both = [
        architectures.BatchNormalization(momentum=0.9),
        keras.layers.BatchNormalization(momentum=0.9),
    ]
    images = keras.ops.convert_to_tensor(lesions)
    fused, of_keras = (np.asarray(layer(images, training=True)) for layer in both)
    np.testing.assert_allclose(fused, of_keras, atol=1e-4)
    for moment in ("moving_mean", "moving_variance"):
        values = [np.asarray(getattr(layer, moment)) for layer in both]
        np.testing.assert_allclose(*values, rtol=1e-3)
        assert (values[0] > 1).all()  # it has moved away from where it starts
    later = [np.asarray(layer(images, training=False)) for layer in both]
    np.testing.assert_allclose(*later, rtol=1e-2)


@pytest.mark.parametrize(
    ("name", "number"),
    [("mobilenet_v2", 52), ("efficientnet_lite0", 49), ("efficientnet_lite2", 64)],
)
def test_backbones_are_normalized_by_it(name, number):
    network = architectures.build(name, SIZE, 9)
    normalizations = [
        layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert len(normalizations) == number
    assert all(type(layer) is architectures.BatchNormalization for layer in normalizations)
    assert {layer.momentum for layer in normalizations} == {0.99}


@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_lite2"])
def test_published_weights_of_efficientnet_come_to_their_layers(name):
    from benchmarks.training.efficientnet_weights import backbone

    network = architectures.build(name, SIZE, 9)
    expected = [layer for layer in network.layers if layer.weights and layer.name != "logits"]
    rng = np.random.default_rng(0)
    arrays = {}
    for number, layer in enumerate(expected):
        for part, variable in enumerate(layer.weights):
            shape = tuple(variable.shape)
            if len(shape) == 4:  # as PyTorch has them: outputs, inputs, height, width
                height, width, inputs, outputs = shape
                is_depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
                shape = (
                    (inputs, 1, height, width) if is_depthwise else (outputs, inputs, height, width)
                )
            arrays[f"{number}.{part}"] = rng.standard_normal(shape, dtype=np.float32)
    made = backbone(arrays, name)
    stem, depthwise = (
        next(layer for layer in made.layers if type(layer) is kind)
        for kind in (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
    )
    np.testing.assert_array_equal(np.asarray(stem.kernel)[1, 2, 0, 5], arrays["0.0"][5, 0, 1, 2])
    np.testing.assert_array_equal(
        np.asarray(depthwise.kernel)[1, 2, 7, 0], arrays["2.0"][7, 0, 1, 2]
    )
    with pytest.raises(ValueError, match="has more layers"):
        backbone(arrays | {"left.over": np.zeros(3, np.float32)}, name)
    arrays.pop(f"{len(expected) - 1}.3")
    with pytest.raises(ValueError, match="has fewer layers"):
        backbone(arrays, name)
