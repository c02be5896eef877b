"""The training lesions most similar to a photograph, and their vote."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """A training photograph."""

    image_id: str
    lesion_id: str
    group_id: str
    diagnosis: str  # code
    source: str
    confirmed_by: str  # how its label was confirmed; empty: not recorded
    license: str
    distance: float


@dataclass(frozen=True)
class Vote:
    """What the most similar training lesions were."""

    num_neighbors: int
    num_melanomas: int
    num_malignant: int
    num_benign: int
    melanoma_share: float  # weighted, in [0, 1]
