"""Findings on the quality of a photograph, each with its severity and the reason."""

from dataclasses import dataclass

OK, WARNING, SEVERE = "ok", "warning", "severe"


@dataclass(frozen=True)
class Limit:
    """From which value on a measure is a finding; NaN: never."""

    warning: float
    severe: float


@dataclass(frozen=True)
class Finding:
    """What one check says of a photograph."""

    kind: str  # "blur", "dark" …
    severity: str  # `OK`, `WARNING` or `SEVERE`
    message: str  # one plain sentence with the measured value
