"""A model's card: all there is to know of it, every figure from the run that made it."""

import dataclasses
import json
import math
from dataclasses import dataclass, field
from typing import Any

from melanoma_core.data.coverage import ATTRIBUTES
from melanoma_core.errors import ModelError
from melanoma_core.images.color_casts import Limits
from melanoma_core.metrics import estimates
from melanoma_core.metrics.calibration import Calibration
from melanoma_core.metrics.estimates import Estimate
from melanoma_core.models.quality_checks import Limit
from melanoma_core.paths import sha256

INTENDED_USE = "Research and education; not a medical device; the decision is the clinician’s."


NOT_FOR = (
    "photographs taken without a dermatoscope",
    "nails, mucosa, palms and soles",
    "several lesions in one photograph",
    "patients under 18",
)


_CHECKSUM = "card_sha256"


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold chosen on validation photographs, and what it did on test photographs.

    It is for melanoma, or for carcinoma (basal and squamous cell together).
    """

    target: float  # proportion of these malignancies that it is placed to find
    threshold: float  # a lesion is referred when their probability reaches it
    val_photographs: int  # of these malignancies, that it was chosen on
    val_lesions: int
    sensitivity: Estimate
    specificity: Estimate


@dataclass(frozen=True)
class ReferralRule:
    """Refer what is above the threshold for melanoma or for carcinoma: what it did on the test."""

    target: float  # of both thresholds
    sensitivity: Estimate  # for any malignancy
    specificity: Estimate  # of photographs of other lesions


@dataclass(frozen=True)
class Differential:
    """The cutoffs of a conformal differential, and what its sets held on test photographs."""

    level: float  # share of the cases whose true diagnosis it is to hold
    melanoma_cutoff: float  # melanoma joins from this probability on
    other_cutoff: float  # any other diagnosis joins from this one on
    val_photographs: int  # other than melanomas, that `other_cutoff` was chosen on
    val_melanomas: int  # photographs of melanomas, that `melanoma_cutoff` was chosen on
    coverage: Estimate  # share of the photographs whose true diagnosis is in the set
    melanoma_coverage: Estimate  # the same of melanomas
    mean_size: Estimate  # diagnoses in a set
    review_share: Estimate  # share of the photographs whose set is for review


@dataclass(frozen=True)
class DatasetUse:
    """A data set that a model was made with."""

    name: str
    license: str
    sha256: str
    num_train: int  # photographs
    num_val: int
    num_test: int


@dataclass(frozen=True)
class Card:
    """All there is to know of a model; every figure comes from the run that made it."""

    model_id: str
    created: str  # date, UTC
    run_id: str
    network: str
    image_size: int  # pixels a side
    has_saliency: bool
    diagnoses: tuple[str, ...]  # codes, in the order of the outputs
    temperature: float
    # (C,) of `Calibration`; empty: none.
    prior_shift: tuple[float, ...]
    class_bias: tuple[float, ...]
    operating_points: tuple[OperatingPoint, ...]
    differential: Differential
    figures: dict[str, dict[str, Estimate]]  # by source, then by name, on the test split
    class_counts: dict[str, dict[str, int]]  # by split, then by diagnosis: photographs
    seen: dict[str, dict[str, int]]  # by `coverage.ATTRIBUTES`, then by value: training lesions
    datasets: tuple[DatasetUse, ...]  # of its own run
    split_sha256: str
    notes: tuple[str, ...]  # what was translated, merged or left out of the data
    config: dict[str, Any]
    history: tuple[dict[str, Any], ...]  # of each epoch, as `fitting.fit`; empty: not recorded
    versions: dict[str, str]
    intended_use: str
    not_for: tuple[str, ...]
    files: dict[str, str]  # SHA-256 by name
    # Those that only its parent models were trained on, counted as on their cards.
    inherited_datasets: tuple[DatasetUse, ...]
    color_cast_limits: Limits  # to which its network clamps color casts; empty: it does not
    # Models made before version 0.10 lack what follows, and work without it.
    carcinoma_points: tuple[OperatingPoint, ...] = ()  # by target, as `operating_points`
    referral_rules: tuple[ReferralRule, ...] = ()  # by target
    quality_limits: dict[str, Limit] = field(default_factory=dict)  # by kind of finding
    part_figures: dict[str, Estimate] = field(default_factory=dict)  # of its further parts

    @property
    def calibration(self) -> Calibration:
        """What turns the network's logits into probabilities."""
        return Calibration(self.temperature, self.prior_shift, self.class_bias)

    def operating_point(self, target: float = 0.95) -> OperatingPoint:
        """The operating point placed to find this share of the melanomas.

        Raises:
            ModelError: the model has none for it.
        """
        for point in self.operating_points:
            if math.isclose(point.target, target):
                return point
        known = ", ".join(f"{point.target:g}" for point in self.operating_points)
        raise ModelError(
            f"The model “{self.model_id}” has no threshold for a sensitivity of {target:g}; it "
            f"has {known or 'none'}."
        )

    def carcinoma_point(self, target: float = 0.95) -> OperatingPoint | None:
        """The operating point for carcinoma; None if the model has none for this target."""
        return next((p for p in self.carcinoma_points if math.isclose(p.target, target)), None)

    def referral_rule(self, target: float = 0.95) -> ReferralRule | None:
        """What both thresholds for this target do together; None if that was not measured."""
        return next((r for r in self.referral_rules if math.isclose(r.target, target)), None)

    def to_json(self) -> str:
        """The card as JSON, with a checksum of its own; NaN becomes null."""
        fields = estimates.without_nan(dataclasses.asdict(self))
        record = {**fields, _CHECKSUM: _checksum(fields)}
        return json.dumps(record, indent=1, allow_nan=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Card":
        """The card that `to_json` wrote.

        Raises:
            ModelError: a field is missing, unknown or damaged.
        """
        return cls.from_fields(checked_fields(text))

    @classmethod
    def from_fields(cls, record: dict[str, Any]) -> "Card":
        """The card of these JSON values.

        Raises:
            ModelError: a field is missing, unknown or damaged.
        """
        fields = dict(record)
        try:
            for name in ("carcinoma_points", "referral_rules"):
                fields.setdefault(name, ())
            for name, kind in _MEASURED.items():
                fields[name] = tuple(
                    kind(**_with_estimates(point, "sensitivity", "specificity"))
                    for point in fields[name]
                )
            names = ("coverage", "melanoma_coverage", "mean_size", "review_share")
            fields["differential"] = Differential(**_with_estimates(fields["differential"], *names))
            fields["figures"] = {
                source: {name: estimates.from_record(figure) for name, figure in figures.items()}
                for source, figures in fields["figures"].items()
            }
            fields["quality_limits"] = {
                kind: Limit(**_with_nan(limit))
                for kind, limit in fields.get("quality_limits", {}).items()
            }
            fields["part_figures"] = {
                name: estimates.from_record(figure)
                for name, figure in fields.get("part_figures", {}).items()
            }
            for name in ("datasets", "inherited_datasets"):
                fields[name] = tuple(DatasetUse(**use) for use in fields[name])
            fields["history"] = tuple(_with_nan(epoch) for epoch in fields["history"])
            for name in (
                "diagnoses", "notes", "not_for", "prior_shift", "class_bias", "color_cast_limits",
            ):  # fmt: skip
                fields[name] = tuple(fields[name])
            lacking = [name for name in ATTRIBUTES if name not in fields["seen"]]
            if lacking:
                raise ValueError(f"the data coverage lacks {', '.join(lacking)}")
            return cls(**fields)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise _unreadable(error) from error


# Measured on test photographs, each with a sensitivity and a specificity.
_MEASURED = {
    "operating_points": OperatingPoint,
    "carcinoma_points": OperatingPoint,
    "referral_rules": ReferralRule,
}


def checked_fields(text: str | bytes) -> dict[str, Any]:
    """The JSON values of a card of this or an earlier form, if its checksum is right.

    Raises:
        ModelError: it is no card, or it was changed after it was written.
    """
    try:
        fields: dict[str, Any] = json.loads(text)
        if fields.pop(_CHECKSUM) != _checksum(fields):
            raise ValueError("it was changed after it was written")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _unreadable(error) from error
    return fields


def _unreadable(error: Exception) -> ModelError:
    return ModelError(
        f"The model’s card cannot be read ({error}). Restore the model’s folder from a copy, or "
        "train again. If it was made before version 0.9, run: python -m melanoma_core upgrade"
    )


def _checksum(fields: dict[str, Any]) -> str:
    return sha256(json.dumps(fields).encode())


def _with_nan(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: math.nan if value is None else value for name, value in fields.items()}


def _with_estimates(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {**fields, **{name: estimates.from_record(fields[name]) for name in names}}
