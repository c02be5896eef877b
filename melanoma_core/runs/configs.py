"""Settings of a training run, saved as JSON with every run."""

import dataclasses
import json
import math
from dataclasses import dataclass, field
from typing import Any

from melanoma_core.data.balance import BALANCE_METHODS, BALANCE_POWERS, balance_floor
from melanoma_core.errors import RunError
from melanoma_core.images.augmentations import AugmentConfig
from melanoma_core.models.network_table import NETWORKS

_SEEDS = 2**32  # as many as there are


@dataclass(frozen=True)
class TrainConfig:
    """Settings of a training: with the same data and machine they give the same weights."""

    network: str = "mobilenet_v2"
    image_size: int = 160  # pixels a side
    epochs: int = 12
    batch_size: int = 32
    learning_rate: float = 5e-4  # peak, after the warm-up; falls to zero along a cosine
    weight_decay: float = 0.02  # decoupled (AdamW); kernels only
    warmup_epochs: float = 0.5  # a fresh dense layer would otherwise shake the pretrained weights
    label_smoothing: float = 0.05
    dropout: float = 0.2
    balance: str = "sqrt"  # of `BALANCE_POWERS`, or "floor:n": how often each class is drawn
    balance_by: str = "sampling"  # of `BALANCE_METHODS`
    mixup: float = 0.0  # alpha of Beta(alpha, alpha), the weight of a second photograph; 0: off
    class_weights: bool = False  # weigh the loss by class instead of drawing rare classes more
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    init_weight: float = 0.0  # weight of the parent's weights in the mean that is kept
    distill_weight: float = 0.0  # weight of the teacher probabilities in the targets
    clamp_color_cast: bool = False  # to the casts of the training photographs; see `color_casts`
    seed: int = 0

    def __post_init__(self) -> None:
        if self.network not in NETWORKS:
            raise RunError(
                f"There is no network “{self.network}”. Choose one of: {', '.join(NETWORKS)}."
            )
        if self.balance not in BALANCE_POWERS and balance_floor(self.balance) is None:
            known = ", ".join(BALANCE_POWERS)
            raise RunError(
                f"balance is “{self.balance}”; it must be one of: {known}, or floor: and a number."
            )
        if self.balance_by not in BALANCE_METHODS:
            known = ", ".join(BALANCE_METHODS)
            raise RunError(f"balance_by is “{self.balance_by}”; it must be one of: {known}.")
        if self.class_weights and self.balance != "none":
            # Weights are of the photographs as they are: rare classes would come out on top.
            raise RunError(
                f"class_weights is on and balance is “{self.balance}”: rare classes would be "
                "balanced twice. Set balance to none, or leave the class weights out."
            )
        if not 0 <= self.init_weight < 1:
            raise RunError(f"init_weight is {self.init_weight}; it must be at least 0 and below 1.")
        if not 0 <= self.distill_weight <= 1:
            raise RunError(f"distill_weight is {self.distill_weight}; it must be between 0 and 1.")
        if self.image_size < 32 or self.image_size % 2:
            raise RunError(
                f"The image size is {self.image_size} px; it must be even and at least 32."
            )
        for name in ("epochs", "batch_size", "learning_rate"):
            if not 0 < getattr(self, name) < math.inf:
                raise RunError(f"{name} is {getattr(self, name)}; it must be above 0, and finite.")
        if not 0 <= self.seed < _SEEDS:
            raise RunError(f"seed is {self.seed}; it must be 0 or above, and below {_SEEDS}.")
        if self.mixup < 0:
            raise RunError(f"mixup is {self.mixup}; it must be 0 (off) or above.")
        if not 0 <= self.dropout < 1:
            raise RunError(f"dropout is {self.dropout}; it must be at least 0 and below 1.")

    def to_json(self) -> str:
        """The settings as a JSON object, one line a field."""
        return json.dumps(dataclasses.asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> "TrainConfig":
        """The settings that `to_json` wrote.

        Raises:
            RunError: the text is not such an object.
        """
        try:
            fields: dict[str, Any] = json.loads(text)
            missing = {f.name for f in dataclasses.fields(cls)} - fields.keys()
            missing |= {f.name for f in dataclasses.fields(AugmentConfig)} - fields[
                "augment"
            ].keys()
            if missing:  # a default would change a resumed run without a word
                raise KeyError(", ".join(sorted(missing)))
            fields["augment"] = AugmentConfig(**fields["augment"])
            return cls(**fields)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise RunError(
                f"The settings of this run cannot be read: {error}. Start a new run."
            ) from error
