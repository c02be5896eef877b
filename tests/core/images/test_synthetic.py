"""Synthetic lesions are reproducible and show the features of their kind."""

import numpy as np
import pytest

from melanoma_core.images import synthetic


def luminance(image: np.ndarray) -> np.ndarray:
    return image @ np.array([0.299, 0.587, 0.114])


def inside_and_around(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The middle of the drawing, and its left margin, as rows of RGB."""
    height, width = image.shape[:2]
    middle = image[height * 2 // 5 : height * 3 // 5, width * 2 // 5 : width * 3 // 5]
    return middle.reshape(-1, 3).astype(float), image[:, : width // 12].reshape(-1, 3).astype(float)


@pytest.mark.parametrize("kind", synthetic.KINDS)
def test_the_same_seed_gives_the_same_lesion_and_another_seed_another(kind: str) -> None:
    first = synthetic.lesion(3, (96, 128), kind)
    assert first.shape == (96, 128, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, synthetic.lesion(3, (96, 128), kind))
    assert not np.array_equal(first, synthetic.lesion(4, (96, 128), kind))


def test_the_default_is_a_melanoma_of_450_by_600() -> None:
    assert np.array_equal(synthetic.lesion(1), synthetic.lesion(1, (450, 600), "melanoma"))


@pytest.mark.parametrize("seed", range(5))
def test_pigmented_lesions_are_darker_than_the_skin_and_vascular_ones_redder(seed: int) -> None:
    for kind in ("melanoma", "nevus"):
        middle, skin = inside_and_around(synthetic.lesion(seed, (150, 200), kind))
        assert luminance(middle).mean() < luminance(skin).mean() - 40
    middle, skin = inside_and_around(synthetic.lesion(seed, (150, 200), "vascular lesion"))
    redness = [(rgb[:, 0] - rgb[:, 1]).mean() for rgb in (middle, skin)]
    assert redness[0] > redness[1] + 30


def test_a_melanoma_varies_more_in_color_than_a_nevus() -> None:
    spread = {}
    for kind in ("melanoma", "nevus"):
        images = [synthetic.lesion(seed, (150, 200), kind) for seed in range(8)]
        # Means of blocks inside the lesion, larger than the mesh of the pigment network.
        blocks = [
            luminance(image)[45:105, 70:130].reshape(4, 15, 4, 15).mean(axis=(1, 3))
            for image in images
        ]
        spread[kind] = np.mean([block.std() for block in blocks])
    assert spread["melanoma"] > 2 * spread["nevus"]


def test_every_lesion_has_skin_at_its_margin() -> None:
    for seed in range(10):
        image = luminance(synthetic.lesion(seed, (150, 200)))
        assert image[:, :6].min() > 110


def test_an_unknown_kind_and_a_tiny_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"'mole' cannot be drawn; choose one of melanoma, nevus"):
        synthetic.lesion(0, kind="mole")
    with pytest.raises(ValueError, match="at least 64 px"):
        synthetic.lesion(0, (450, 63))
