"""The nine diagnoses: their codes, names and groups; and the labels that data sets have."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from melanoma_core.errors import DatasetError

MALIGNANT = "malignant"
PRE_MALIGNANT = "pre-malignant"
BENIGN = "benign"
GROUPS = (MALIGNANT, PRE_MALIGNANT, BENIGN)


@dataclass(frozen=True)
class Diagnosis:
    """A diagnosis, with its names on screen and in data sets."""

    code: str
    name: str
    group: str
    aliases: tuple[str, ...]  # names in other data sets, lower case, words separated by spaces


# In the order of the network's outputs, which never changes.
DIAGNOSES = (
    Diagnosis("MEL", "Melanoma", MALIGNANT, ("melanoma", "mel")),
    Diagnosis(
        "NV", "Nevus", BENIGN,
        ("nevus", "nv", "nevi", "naevus", "melanocytic nevus", "melanocytic nevi"),
    ),
    Diagnosis("BCC", "Basal cell carcinoma", MALIGNANT, ("basal cell carcinoma", "bcc")),
    Diagnosis(
        "AK", "Actinic keratosis", PRE_MALIGNANT,
        ("actinic keratosis", "ak", "solar keratosis", "actinic keratoses"),
    ),
    Diagnosis(
        "SCC", "Squamous cell carcinoma", MALIGNANT,
        ("squamous cell carcinoma", "scc", "bowen s disease", "bowen disease"),
    ),
    Diagnosis(
        "PBK", "Pigmented benign keratosis", BENIGN,
        ("pigmented benign keratosis", "pbk"),
    ),
    Diagnosis(
        "SK", "Seborrheic keratosis", BENIGN,
        ("seborrheic keratosis", "sk", "seborrhoeic keratosis"),
    ),
    Diagnosis("DF", "Dermatofibroma", BENIGN, ("dermatofibroma", "df")),
    Diagnosis(
        "VASC", "Vascular lesion", BENIGN,
        ("vascular lesion", "vasc", "vascular lesions", "vascular"),
    ),
)  # fmt: skip
CODES = tuple(diagnosis.code for diagnosis in DIAGNOSES)
MALIGNANT_CODES = tuple(d.code for d in DIAGNOSES if d.group == MALIGNANT)
CARCINOMA_CODES = ("BCC", "SCC")  # they share a referral threshold

# Some labels say “benign” and nothing else. No network has this class: it is the set of the benign
# ones, of which nobody says which it is.
UNNAMED = Diagnosis("BENIGN", "Benign, not named", BENIGN, ())
LABELS = (*CODES, UNNAMED.code)  # every label that a photograph may have
CODES_OF_LABEL: dict[str, tuple[str, ...]] = {
    **{code: (code,) for code in CODES},
    UNNAMED.code: tuple(d.code for d in DIAGNOSES if d.group == BENIGN),
}
# Row k marks the diagnoses, in the order of `CODES`, that the k-th of `LABELS` may be.
IS_POSSIBLE = tuple(tuple(code in CODES_OF_LABEL[label] for code in CODES) for label in LABELS)
BY_CODE = {diagnosis.code: diagnosis for diagnosis in (*DIAGNOSES, UNNAMED)}

# The seven classes of HAM10000 as groups of the nine.
SEVEN_CLASSES: dict[str, tuple[str, ...]] = {
    "MEL": ("MEL",),
    "NV": ("NV",),
    "BCC": ("BCC",),
    "AKIEC": ("AK", "SCC"),
    "BKL": ("PBK", "SK"),
    "DF": ("DF",),
    "VASC": ("VASC",),
}

_BY_ALIAS = {alias: d.code for d in DIAGNOSES for alias in d.aliases}


def parse(name: str) -> str:
    """The code of a diagnosis from any of its names, ignoring case and punctuation.

    Raises:
        DatasetError: no diagnosis has this name.

    >>> parse("Seborrheic_Keratosis")
    'SK'
    """
    words = re.sub(r"[^a-z0-9]+", " ", name.lower()).strip()
    code = _BY_ALIAS.get(words)
    if code is None:
        known = ", ".join(f"{d.name} ({d.code})" for d in DIAGNOSES)
        raise DatasetError(
            f"“{name}” is not a diagnosis that this app knows. Known diagnoses: {known}. "
            "Rename the class, or remove it from the data set."
        )
    return code


def common_label(labels: Iterable[str]) -> str | None:
    """The most precise of several labels of one photograph; None if they contradict each other.

    >>> common_label(["BENIGN", "NV"]), common_label(["BENIGN", "MEL"])
    ('NV', None)
    """
    distinct = set(labels)
    possible = set.intersection(*(set(CODES_OF_LABEL[label]) for label in distinct))
    return min(distinct, key=lambda label: len(CODES_OF_LABEL[label])) if possible else None
