"""Diagnoses of the ISIC Archive, in levels from general to precise, and the label of each.

The names are those of the archive's hierarchy (github.com/ImageMarkup/isic-metadata).
"""

from collections.abc import Sequence

from melanoma_core.diagnoses import UNNAMED

LEVELS = tuple(f"diagnosis_{level}" for level in range(1, 6))  # columns, the most general first

# Names of the first three levels, in lower case. A name that is not here is left to the level
# above; “benign” counts only where no level below it is given, for scars and lentigines are benign
# and none of the nine.
_LABELS = {
    "malignant melanocytic proliferations (melanoma)": "MEL",  # metastases among them
    "melanoma": "MEL",  # ISIC 2020 has names without levels
    "nevus": "NV",
    "basal cell carcinoma": "BCC",
    "solar or actinic keratosis": "AK",
    "actinic keratosis": "AK",
    "squamous cell carcinoma in situ": "SCC",
    "squamous cell carcinoma, invasive": "SCC",
    "squamous cell carcinoma, nos": "SCC",
    "squamous cell carcinoma": "SCC",
    "seborrheic keratosis": "SK",
    "pigmented benign keratosis": "PBK",
    # HAM10000 and ISIC 2019 count these among `bkl`.
    "lichen planus like keratosis": "PBK",
    "lichenoid keratosis": "PBK",
    "dermatofibroma": "DF",
    "benign soft tissue proliferations - vascular": "VASC",
    "vascular lesion": "VASC",
}
# Levels below which nothing is known mean only that a lesion is benign.
_BENIGN = frozenset(
    {"benign", "benign melanocytic proliferations", "benign epidermal proliferations"}
)


def translate(levels: Sequence[str]) -> tuple[str, str | None]:
    """The name of a diagnosis, and its label.

    Args:
        levels: cells of `LEVELS`, the most general first; unknown ones are empty.

    Returns:
        The most precise of the first three levels, and one of `diagnoses.LABELS`; None for what is
        none of the nine classes.

    >>> translate(["Benign", "Benign melanocytic proliferations", "Nevus", "Blue nevus"])
    ('Nevus', 'NV')
    >>> translate(["Benign", "", ""]), translate(["", "", ""])
    (('Benign', 'BENIGN'), ('no diagnosis', None))
    """
    names = [level for level in levels[:3] if level]
    if not names:
        return "no diagnosis", None
    if names[-1].lower() in _BENIGN:
        return names[-1], UNNAMED.code
    labels = (label_of_name(name) for name in reversed(names))
    return names[-1], next((label for label in labels if label), None)


def label_of_name(name: str) -> str | None:
    """The label of a single diagnosis; None for what is none of the nine classes.

    >>> label_of_name("Basal cell carcinoma"), label_of_name("Scar")
    ('BCC', None)
    """
    return _LABELS.get(name.lower())
