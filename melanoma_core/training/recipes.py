"""What a recipe gives: the settings in force, and the network with what the card says of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from melanoma_core.images.color_casts import Limits
from melanoma_core.models.artifacts import TrainedNetwork

Report = Callable[[str], None]  # is given the run's messages, a line each


@dataclass(frozen=True)
class RecipeNetwork:
    """A network, as its recipe left it, before calibration."""

    network: TrainedNetwork
    prior_shift: tuple[float, ...] = ()  # as in `Calibration`
    color_cast_limits: Limits = ()  # to which it clamps color casts
    notes: tuple[str, ...] = ()  # for the card
    history: tuple[dict[str, Any], ...] = ()  # one dict per epoch or fit
    settings: Mapping[str, Any] | None = None  # for the card, where the config does not say it
