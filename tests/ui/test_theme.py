"""Colors of charts: contrast, and agreement with the theme of Streamlit."""

import tomllib
from itertools import combinations

import numpy as np
import pytest

from melanoma_core.diagnoses import CODES, LABELS
from melanoma_core.paths import PROJECT_DIR
from ui import theme

THEME = tomllib.loads((PROJECT_DIR / ".streamlit" / "config.toml").read_text())["theme"]


def luminance(color):
    """Relative luminance by WCAG 2."""
    channels = np.array([int(color[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", ["light", "dark"])
def test_colors_contrast_with_both_backgrounds(name):
    background = THEME[name]["backgroundColor"]
    for code in CODES:
        assert contrast(theme.DIAGNOSIS_COLORS[code], background) >= 3, code


def test_colors_differ_and_are_those_of_the_charts():
    assert tuple(theme.DIAGNOSIS_COLORS) == LABELS
    for one, other in combinations(LABELS, 2):
        assert theme.DIAGNOSIS_COLORS[one] != theme.DIAGNOSIS_COLORS[other]
    of_diagnoses = {theme.DIAGNOSIS_COLORS[code] for code in CODES}
    assert of_diagnoses == set(THEME["chartCategoricalColors"])
