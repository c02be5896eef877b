"""The table of diagnoses: order, groups, names and colors."""

import tomllib
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from melanoma_core import diagnoses
from melanoma_core.diagnoses import BY_CODE, CODES, DIAGNOSES, GROUPS, SEVEN_CLASSES
from melanoma_core.errors import DatasetError

THEME = tomllib.loads(
    (Path(__file__).resolve().parents[2] / ".streamlit" / "config.toml").read_text()
)["theme"]


def test_the_order_is_that_of_the_networks_outputs():
    assert CODES == ("MEL", "NV", "BCC", "AK", "SCC", "PBK", "SK", "DF", "VASC")


def test_malignant_and_pre_malignant_diagnoses():
    assert {d.group for d in DIAGNOSES} == set(GROUPS)
    assert diagnoses.MALIGNANT_CODES == ("MEL", "BCC", "SCC")
    assert [d.code for d in DIAGNOSES if d.group == diagnoses.PRE_MALIGNANT] == ["AK"]


def test_the_seven_classes_contain_each_of_the_nine_once():
    assert sorted(code for nine in SEVEN_CLASSES.values() for code in nine) == sorted(CODES)


def test_every_name_code_and_alias_is_understood():
    for diagnosis in DIAGNOSES:
        for name in (diagnosis.name, diagnosis.code, *diagnosis.aliases):
            assert diagnoses.parse(name) == diagnosis.code


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Seborrheic_Keratosis", "SK"),
        ("  basal-cell carcinoma ", "BCC"),
        ("Bowen's disease", "SCC"),
        ("MELANOMA", "MEL"),
    ],
)
def test_case_and_punctuation_are_ignored(name, code):
    assert diagnoses.parse(name) == code


@pytest.mark.parametrize("name", ["", "wart", "melanom", "nevus melanoma", "BKL"])
def test_an_unknown_name_is_refused_with_the_known_ones(name):
    with pytest.raises(DatasetError, match=rf"“{name}” is not a diagnosis.*Melanoma \(MEL\)"):
        diagnoses.parse(name)


def test_no_alias_belongs_to_two_diagnoses():
    aliases = [alias for diagnosis in DIAGNOSES for alias in diagnosis.aliases]
    assert len(aliases) == len(set(aliases))


def luminance(color):
    """Relative luminance by WCAG 2."""
    channels = np.array([int(color[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colors_contrast_with_both_backgrounds(theme):
    background = THEME[theme]["backgroundColor"]
    for diagnosis in DIAGNOSES:
        assert contrast(diagnosis.color, background) >= 3, diagnosis.code


def test_colors_differ_and_are_those_of_the_charts():
    for one, other in combinations(CODES, 2):
        assert BY_CODE[one].color != BY_CODE[other].color
    assert {d.color for d in DIAGNOSES} == set(THEME["chartCategoricalColors"])
