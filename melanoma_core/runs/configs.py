"""Settings of a training run, saved as JSON with every run, and the table of networks."""

import dataclasses
import json
import math
import re
from dataclasses import dataclass, field
from typing import Any

from melanoma_core.errors import RunError

SPLITS = ("train", "val", "test")  # to learn from, to choose thresholds on, to measure on
HELD_OUT = SPLITS[1:]  # nothing is learnt from these

# Share of a class in an epoch is proportional to (number of its images) ** power.
BALANCE_POWERS = {"none": 1.0, "sqrt": 0.5, "even": 0.0}
_SEEDS = 2**32  # as many as there are
_FLOOR = re.compile(r"floor:(\d{1,6})")  # no class below this many images

# How a plan is carried out: rare photographs drawn more in an epoch of the same length, further
# views of them in a longer one, or a larger weight in the loss.
BALANCE_METHODS = ("sampling", "copies", "weights")


def balance_floor(balance: str) -> int | None:
    """The n of "floor:n"; None of every other balance.

    >>> balance_floor("floor:500")
    500
    """
    found = _FLOOR.fullmatch(balance)
    return int(found[1]) if found else None


@dataclass(frozen=True)
class NetworkInfo:
    """What there is to know of a network before it is built."""

    description: str
    image_size: int  # pixels a side that it is usually trained at
    has_saliency: bool  # ends in global average pooling and one dense layer
    needs_weights: bool  # starts from weights in a file that the user names


JOINED = "_and_"  # between the names of networks that stand side by side in one
NETWORKS = {
    "mobilenet_v2": NetworkInfo("MobileNetV2", 160, True, True),
    "efficientnet_lite0": NetworkInfo("EfficientNet-Lite0", 192, True, True),
    "efficientnet_lite2": NetworkInfo("EfficientNet-Lite2", 224, True, True),
    f"mobilenet_v2{JOINED}efficientnet_lite0": NetworkInfo(
        "MobileNetV2 and EfficientNet-Lite0 side by side, one vote each", 192, True, True
    ),
    "starting_cnn": NetworkInfo(
        "The starting project's kind of network, from nothing: a baseline", 180, False, False
    ),
    "tiny": NetworkInfo("Two small convolutions, for tests", 32, True, False),
    f"tiny{JOINED}tiny": NetworkInfo("Two of these side by side, for tests", 32, True, False),
}


@dataclass(frozen=True)
class AugmentConfig:
    """How far a training photograph is changed; every range is drawn from evenly."""

    flip: bool = True  # a lesion has no up or left
    rotate_degrees: float = 180.0  # free rotation, on top of quarter turns
    scale: float = 0.2  # magnification 1/(1+s) to 1+s: dermatoscopes differ
    shift: float = 0.08  # of the side, in x and y
    stretch: float = 0.12  # of the aspect ratio: photographs are squashed to a square
    brightness: float = 0.2  # gain 1-b to 1+b
    contrast: float = 0.2
    saturation: float = 0.25
    hue_degrees: float = 12.0  # white balance differs between cameras
    blur: float = 1.0  # largest radius of a Gaussian, in pixels, on one photograph in four
    sharpen: float = 2.0  # largest strength of an unsharp mask, on another one in four
    noise: float = 8.0  # largest standard deviation, in levels, on one photograph in four
    jpeg: int = 40  # lowest quality that one photograph in four is compressed to again; 0: off
    cutout: float = 0.3  # largest side of a grey square, of the side, on one photograph in two
    dark_corners: float = 0.35  # how far they reach in, of half a diagonal, on one in four; 0: off


NO_AUGMENTATION = AugmentConfig(
    flip=False, rotate_degrees=0, scale=0, shift=0, stretch=0, brightness=0, contrast=0,
    saturation=0, hue_degrees=0, blur=0, sharpen=0, noise=0, jpeg=0, cutout=0,
    dark_corners=0,
)  # fmt: skip


AUGMENTATIONS = {
    "strong": AugmentConfig(),
    # For the last epochs of a network that has learnt from strong views.
    "mild": AugmentConfig(
        scale=0.15, brightness=0.12, contrast=0.12, saturation=0.12, hue_degrees=6, blur=0.6,
        sharpen=1.0, noise=4.0, jpeg=60, cutout=0.15,
        dark_corners=0.35,
    ),
    "none": NO_AUGMENTATION,
}  # fmt: skip


@dataclass(frozen=True)
class TrainConfig:
    """One training run, complete: the same settings, data and machine give the same weights."""

    network: str = "mobilenet_v2"
    image_size: int = 160  # pixels a side
    epochs: int = 12
    batch_size: int = 32
    learning_rate: float = 5e-4  # peak, after the warm-up; falls to zero along a cosine
    weight_decay: float = 0.02  # decoupled (AdamW); kernels only
    warmup_epochs: float = 0.5  # a fresh dense layer would otherwise shake the pretrained weights
    label_smoothing: float = 0.05
    dropout: float = 0.2
    balance: str = "sqrt"  # of `BALANCE_POWERS`, or "floor:n": how much of each class is taught
    balance_by: str = "sampling"  # of `BALANCE_METHODS`
    mixup: float = 0.0  # alpha of Beta(alpha, alpha), the share of a second photograph; 0: off
    class_weights: bool = False  # weigh the loss by class instead of drawing rare classes more
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    start_share: float = 0.0  # of the model gone on from, in the mean of weights that is kept
    soft_share: float = 0.0  # of what other networks say, in what is taught; the label is the rest
    limit_colours: bool = False  # to the casts of the training photographs; see `color_casts`
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
                f"class_weights is on and balance is “{self.balance}”: rare classes would be made "
                "up for twice. Set balance to none, or leave the class weights out."
            )
        if not 0 <= self.start_share < 1:
            raise RunError(f"start_share is {self.start_share}; it must be at least 0 and below 1.")
        if not 0 <= self.soft_share <= 1:
            raise RunError(f"soft_share is {self.soft_share}; it must be between 0 and 1.")
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

        A change of photographs that the text does not name was not there yet when it was written,
        and is off: a run of before goes on as it began.

        Raises:
            RunError: the text is not such an object.
        """
        try:
            fields: dict[str, Any] = json.loads(text)
            fields["augment"] = dataclasses.replace(NO_AUGMENTATION, **fields["augment"])
            return cls(**fields)
        except (ValueError, TypeError, KeyError) as error:
            raise RunError(
                f"The settings of this run cannot be read: {error}. Start a new run."
            ) from error
