"""Settings of a run: what is refused, and JSON that gives the same settings back."""

import dataclasses
import json

import pytest

from melanoma_core.errors import RunError
from melanoma_core.images.augmentations import NO_AUGMENTATION, AugmentConfig
from melanoma_core.models.network_table import NETWORKS
from melanoma_core.runs.configs import TrainConfig


def test_json_gives_the_same_settings_back():
    config = TrainConfig(network="tiny", image_size=64, augment=AugmentConfig(blur=0.5), seed=3)
    assert TrainConfig.from_json(config.to_json()) == config
    assert TrainConfig.from_json(config.to_json()) != dataclasses.replace(config, seed=4)


def test_settings_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        TrainConfig().seed = 1


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"network": "resnet"},
            "“resnet”.*mobilenet_v2, efficientnet_lite0, efficientnet_lite2, .*starting_cnn, tiny",
        ),
        ({"balance": "odd"}, "“odd”.*none, sqrt, even"),
        ({"balance": "floor:many"}, "“floor:many”.*or floor: and a number"),
        ({"balance_by": "magic"}, "“magic”.*sampling, copies, weights"),
        ({"class_weights": True}, "balance is “sqrt”: .*twice. Set balance to none"),
        ({"class_weights": True, "balance": "even"}, "balance is “even”: .*twice"),
        ({"image_size": 30}, "30 px.*even and at least 32"),
        ({"image_size": 161}, "161 px.*even and at least 32"),
        ({"epochs": 0}, "epochs is 0"),
        ({"batch_size": -1}, "batch_size is -1"),
        ({"learning_rate": 0.0}, r"learning_rate is 0\.0"),
        ({"seed": -1}, "seed is -1.*0 or above"),
        ({"seed": 2**32}, "seed is 4294967296.*below"),
        ({"learning_rate": float("inf")}, "learning_rate is inf.*finite"),
        ({"dropout": 1.0}, r"dropout is 1\.0"),
    ],
)
def test_impossible_settings_are_refused_in_words(settings, words):
    with pytest.raises(RunError, match=words):
        TrainConfig(**settings)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-5],
        lambda text: text.replace("epochs", "epochz"),
        lambda text: text.replace('"blur"', '"glow"'),
        lambda text: text.replace('"augment"', '"changes"'),
        lambda text: text.replace('"image_size": 160', '"image_size": "large"'),
        lambda text: "[]",
    ],
)
def test_damaged_json_is_refused(damage):
    text = TrainConfig().to_json()
    assert damage(text) != text
    with pytest.raises(RunError, match="cannot be read"):
        TrainConfig.from_json(damage(text))


def test_no_augmentation_turns_every_setting_off():
    assert not any(dataclasses.asdict(NO_AUGMENTATION).values())


@pytest.mark.parametrize("network", NETWORKS)
def test_usual_image_size_of_each_network_is_allowed(network):
    config = TrainConfig(network=network, image_size=NETWORKS[network].image_size)
    assert json.loads(config.to_json())["network"] == network
