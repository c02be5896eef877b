"""What tells photographs of lesions from other pictures."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Refusal:
    """Why a picture is not assessed."""

    kind: str  # such as "not_a_lesion"
    message: str  # the reason in one sentence
