"""Diagnoses of the ISIC Archive by their levels."""

import pytest

from melanoma_core.data import archive_diagnoses

MELANOMA = "Malignant melanocytic proliferations (Melanoma)"
KERATOSIS = "Solar or actinic keratosis"
MELANOCYTIC = "Benign melanocytic proliferations"
SOFT = "Benign soft tissue proliferations - "


@pytest.mark.parametrize(
    ("levels", "name", "label"),
    [
        (("Malignant", MELANOMA, "Melanoma in situ"), "Melanoma in situ", "MEL"),
        (("Malignant", MELANOMA), MELANOMA, "MEL"),
        (
            ("Malignant", "Malignant epidermal proliferations", "Squamous cell carcinoma, NOS"),
            "Squamous cell carcinoma, NOS",
            "SCC",
        ),
        (
            ("Indeterminate", "Indeterminate epidermal proliferations", KERATOSIS),
            KERATOSIS,
            "AK",
        ),
        (("Benign", SOFT + "Vascular", "Hemangioma"), "Hemangioma", "VASC"),
        (("Benign", SOFT + "Fibro-histiocytic", "Dermatofibroma"), "Dermatofibroma", "DF"),
        (("Benign", SOFT + "Fibro-histiocytic", "Scar"), "Scar", None),
        (("Benign", MELANOCYTIC, "Lentigo simplex"), "Lentigo simplex", None),
        (("Benign", MELANOCYTIC), MELANOCYTIC, "BENIGN"),
        (("Benign", "Cysts"), "Cysts", None),
        (("Malignant",), "Malignant", None),
        (("Malignant", "Merkel cell proliferation"), "Merkel cell proliferation", None),
    ],
)  # fmt: skip
def test_the_most_precise_level_that_is_one_of_the_nine_counts(levels, name, label):
    cells = [*levels, *[""] * (5 - len(levels))]
    assert archive_diagnoses.translate(cells) == (name, label)
