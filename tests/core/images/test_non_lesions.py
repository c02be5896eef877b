"""Pictures without a lesion, drawn by code or made out of photographs."""

import numpy as np
import pytest

from melanoma_core.images import non_lesions, reading, skins, synthetic


@pytest.mark.parametrize("kind", non_lesions.KINDS)
def test_every_kind_is_drawn_the_same_for_the_same_seed_and_differs_by_seed(kind):
    pictures = [non_lesions.made_up(seed, kind, 64) for seed in (3, 3, 4)]
    assert (pictures[0].shape, pictures[0].dtype) == ((64, 64, 3), np.uint8)
    np.testing.assert_array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])


def test_a_lens_cap_is_dark():
    assert np.median([non_lesions.made_up(seed, "lens cap", 64) for seed in range(9)]) < 40


def test_a_scan_has_no_color():
    picture = non_lesions.made_up(1, "scan", 64)
    assert (picture == picture[..., :1]).all()


@pytest.mark.parametrize(("kind", "size", "message"), [("cat", 64, "cat"), ("noise", 31, "31 px")])
def test_what_cannot_be_drawn_is_said(kind, size, message):
    with pytest.raises(ValueError, match=message):
        non_lesions.made_up(0, kind, size)


def photograph():
    return reading.resize(synthetic.lesion(1, (192, 256), "melanoma"), 128)


def darkest(picture):
    """How much darker its darkest thousandth is than its median."""
    lightness = picture.mean(axis=2)
    return np.median(lightness) - np.quantile(lightness, 0.001)


@pytest.mark.parametrize("seed", range(4))
def test_healthy_skin_has_the_color_of_the_photographs_skin_and_no_lesion(seed):
    skin = skins.healthy(np.random.default_rng(seed), photograph())
    corner = photograph()[:16, :16].reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(np.median(skin, axis=(0, 1)), corner, atol=15)
    assert darkest(skin) < darkest(photograph()) / 3


def test_a_picture_without_even_parts_gives_no_skin():
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    blocks = np.kron(noise, np.ones((16, 16, 1), np.uint8))
    assert skins.healthy(np.random.default_rng(0), blocks) is None
    assert skins.clinical_view(np.random.default_rng(0), blocks) is None


def test_a_clinical_view_is_a_picture_of_the_same_size():
    views = [skins.clinical_view(np.random.default_rng(seed), photograph()) for seed in range(6)]
    assert {view.shape for view in views} == {(128, 128, 3)}
    assert not np.array_equal(views[0], views[1])
