"""Recipe “recalibrate”: the network of a parent as it is; only calibration and figures are new.

For models whose validation or test photographs have become more. Color casts may be clamped before
the network, which needs TensorFlow.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from melanoma_core.errors import RunError
from melanoma_core.images import color_casts
from melanoma_core.models import artifacts
from melanoma_core.runs.configs import TrainConfig
from melanoma_core.runs.plans import RunPlan
from melanoma_core.runs.provenance import Parent
from melanoma_core.runs.training_data import TrainingData
from melanoma_core.training.recipes import RecipeNetwork, Report


def settle(plan: RunPlan, parents: Sequence[Parent]) -> TrainConfig:
    """The settings of the plan with the parent's network.

    Raises:
        RunError: there is no parent.
    """
    if not parents:
        raise RunError("No model is named to recalibrate. Name one.")
    card = parents[0].card
    return dataclasses.replace(plan.config, network=card.network, image_size=card.image_size)


def make(
    plan: RunPlan, data: TrainingData, parents: Sequence[Parent], run_dir: Path, report: Report
) -> RecipeNetwork:
    """The parent's network, with color casts clamped if the plan says so.

    Raises:
        RunError: the parent's weights do not fit its network.
    """
    (parent,) = parents
    card, limits = parent.card, parent.card.color_cast_limits
    network, clamped = (
        artifacts.from_files(parent.files, artifacts.network_versions(card.versions)),
        "",
    )
    if plan.config.clamp_color_cast:
        from melanoma_core.networks import architectures, export

        report("Measuring the color casts of the training photographs.")
        limits = color_casts.limits(map(color_casts.cast, data.images_of(data.split("train"))))
        clamping = dataclasses.replace(card, color_cast_limits=limits)
        network = export.trained(architectures.of_card(clamping, parent.files))
        clamped = ", with color casts clamped to those of the training photographs"
    return RecipeNetwork(
        network,
        card.prior_shift,
        limits,
        (f"The network is that of {card.model_id}{clamped}, recalibrated; nothing was trained.",),
        settings={
            "training": "none: recalibrated",
            "network": card.network,
            "image_size": card.image_size,
            "recalibrated_from": card.model_id,
            "clamp_color_cast": plan.config.clamp_color_cast,
            **plan.split_settings(),
        },
    )
