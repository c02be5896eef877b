"""Healthy skin and clinical views made with an outline."""

import numpy as np
import pytest

from melanoma_core.images import outlined_skins

SKIN = (210, 160, 140)


def lesion():
    """A black lesion in the lower half of even skin, and its outline."""
    photograph = np.full((96, 96, 3), SKIN, np.uint8)
    outline = np.zeros((96, 96), bool)
    outline[60:80, 40:70] = True
    photograph[outline] = 0
    return photograph, outline


@pytest.mark.parametrize("seed", range(4))
def test_healthy_skin_holds_nothing_of_the_lesion(seed):
    made = list(outlined_skins.made(np.random.default_rng(seed), *lesion(), 64))
    assert [(kind, picture.shape) for kind, picture in made] == [
        ("no_lesion", (64, 64, 3)),
        ("no_lesion", (64, 64, 3)),
        ("clinical_view", (64, 64, 3)),
    ]
    for _, skin in made[:2]:
        assert np.abs(skin.astype(int) - SKIN).max() <= 5


@pytest.mark.parametrize("seed", range(4))
def test_a_clinical_view_holds_the_lesion_small(seed):
    photograph, outline = lesion()
    photograph[outline] = (0, 255, 255)  # of no ground's color
    view = outlined_skins.clinical_view(np.random.default_rng(seed), photograph, outline, 96)
    is_lesion = (view[..., 0] < 90) & (view[..., 1] > 140) & (view[..., 2] > 140)
    assert 0 < is_lesion.mean() < outline.mean() / 2


def test_a_lesion_across_the_photograph_gives_nothing():
    photograph, outline = lesion()
    outline[:] = True
    assert list(outlined_skins.made(np.random.default_rng(0), photograph, outline, 64)) == []
