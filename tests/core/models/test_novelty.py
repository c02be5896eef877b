"""What is refused, and how the detector is saved."""

import dataclasses

import numpy as np
import pytest

from melanoma_core.errors import ModelError
from melanoma_core.images import appearance
from melanoma_core.models import novelty
from melanoma_core.models.novelty import Novelty
from tests.support import altered_models

NUM_MEASURES = 99


def detector(**changes):
    """It takes embeddings of two numbers; the first supports a kind in steps of one."""
    count = 2 + NUM_MEASURES
    weights = np.zeros((count, 4), np.float32)
    weights[0], weights[1] = [0, 1, -1, -1], [0, 0, 2, 0]
    made = Novelty(
        mean=np.zeros(count, np.float32),
        scale=np.ones(count, np.float32),
        weights=weights,
        bias=np.zeros(4, np.float32),
        limit=np.array([2.0], np.float32),
    )
    return dataclasses.replace(made, **changes)


def image():
    return np.full((32, 32, 3), 128, np.uint8)


def test_a_picture_at_the_limit_is_assessed_and_one_above_it_is_refused():
    value = novelty.score(
        novelty.evidence(detector(), novelty.numbers(image(), np.float32([3, 0])))
    )
    at_limit = detector(limit=np.array([value], np.float32) + 1e-5)
    above = detector(limit=np.array([value], np.float32) - 1e-5)
    assert novelty.refusal(at_limit, image(), np.float32([3, 0])) is None
    assert novelty.refusal(above, image(), np.float32([3, 0])).kind == "not_a_lesion"


def test_the_kind_with_the_most_support_is_the_reason():
    refusal = novelty.refusal(detector(), image(), np.float32([0, 4]))
    assert refusal.kind == "no_lesion"
    assert refusal.message == "No lesion stands out from the skin."


@pytest.mark.parametrize("kind", novelty.KINDS[1:])
def test_a_reason_is_one_sentence_without_a_number(kind):
    message = novelty.MESSAGES[kind]
    assert message.endswith(".")
    assert message.count(".") == 1
    assert not any(letter.isdigit() or letter == "%" for letter in message)


def test_the_score_is_the_support_of_all_other_kinds_together():
    logits = np.log([[1.0, 2.0, 3.0, 4.0]])
    np.testing.assert_allclose(novelty.score(logits), np.log([9.0]))


def test_a_number_far_out_counts_as_six_deviations():
    far, farther = (
        novelty.evidence(detector(), novelty.numbers(image(), np.float32([value, 0])))
        for value in (6, 6e5)
    )
    np.testing.assert_array_equal(far, farther)


def test_the_detector_of_another_network_is_refused():
    with pytest.raises(ModelError, match="takes 101 numbers, the network gives 102"):
        novelty.refusal(detector(), image(), np.float32([0, 0, 0]))


def test_the_file_gives_the_same_detector_back():
    made = detector()
    read = novelty.from_bytes(novelty.to_bytes(made))
    for field in dataclasses.fields(Novelty):
        np.testing.assert_array_equal(getattr(read, field.name), getattr(made, field.name))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"weights": np.zeros((101, 3), np.float32)}, r"weights is \(101, 3\)"),
        ({"bias": np.zeros(4)}, "float64"),
        ({"scale": np.zeros(101, np.float32)}, "scale is not above 0"),
        ({"limit": np.array([np.nan], np.float32)}, "limit is not finite"),
        ({"scale": np.ones(7, np.float32)}, r"scale is \(7,\)"),
    ],
)
def test_a_detector_with_unfit_arrays_cannot_be_read(changes, reason):
    with pytest.raises(ModelError, match=reason):
        novelty.from_bytes(novelty.to_bytes(detector(**changes)))


@pytest.mark.parametrize("data", [b"", b"PK\3\4", altered_models.npz(mean=np.zeros(3))])
def test_other_bytes_are_no_detector(data):
    with pytest.raises(ModelError, match="novelty detector cannot be read"):
        novelty.from_bytes(data)


def test_a_detector_of_the_largest_network_is_small():
    rng = np.random.default_rng(0)
    count = 2560 + NUM_MEASURES
    made = detector(
        mean=rng.normal(size=count).astype(np.float32),
        scale=rng.uniform(1, 2, count).astype(np.float32),
        weights=rng.normal(size=(count, 4)).astype(np.float32),
    )
    assert len(novelty.to_bytes(made)) < 100_000


def test_measures_of_a_plain_picture_are_its_color():
    plain = np.broadcast_to(np.uint8([200, 150, 120]), (64, 64, 3)).copy()
    measures = appearance.measures(plain)
    assert measures.shape == (NUM_MEASURES,)
    lightness, red_green, yellow_blue = (200 + 150 + 120) / 3, 50, 175 - 120
    np.testing.assert_allclose(measures[:3], [lightness, red_green, yellow_blue], rtol=1e-5)
    np.testing.assert_allclose(measures[3:6], 0, atol=1e-3)  # no spread
    np.testing.assert_allclose(measures[-36:], 0, atol=1e-5)  # the layout is even
