"""Recipe “recalibrate”: the network of a parent as it is; only calibration and figures are new.

For models whose validation or test photographs have become more. Color casts may be clamped before
the network, and a decoder of outlines added to it; both need TensorFlow.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from melanoma_core.data import outline_files
from melanoma_core.errors import RunError
from melanoma_core.images import color_casts
from melanoma_core.images.color_casts import Limits
from melanoma_core.models import artifacts, store
from melanoma_core.models.artifacts import TrainedNetwork
from melanoma_core.runs.configs import TrainConfig
from melanoma_core.runs.plans import RunPlan
from melanoma_core.runs.provenance import Parent
from melanoma_core.runs.training_data import TrainingData
from melanoma_core.training.recipes import RecipeNetwork, Report


def settle(plan: RunPlan, parents: Sequence[Parent]) -> TrainConfig:
    """The settings of the plan with the parent's network.

    Raises:
        RunError: there is no parent.
        DatasetError: the outlines cannot be found.
    """
    if not parents:
        raise RunError("No model is named to recalibrate. Name one.")
    if plan.outlines is not None:
        outline_files.find(Path(plan.outlines))
    card = parents[0].card
    return dataclasses.replace(plan.config, network=card.network, image_size=card.image_size)


def make(
    plan: RunPlan, data: TrainingData, parents: Sequence[Parent], run_dir: Path, report: Report
) -> RecipeNetwork:
    """The parent's network, with color casts clamped if the plan says so.

    Raises:
        RunError: the parent's weights do not fit its network.
        DatasetError: an outline cannot be read.
    """
    (parent,) = parents
    card, limits, added = parent.card, parent.card.color_cast_limits, ""
    if plan.config.clamp_color_cast:
        report("Measuring the color casts of the training photographs.")
        limits = color_casts.limits(map(color_casts.cast, data.images_of(data.split("train"))))
        added += ", with color casts clamped to those of the training photographs"
    if plan.outlines is not None:
        added += ", with a decoder of outlines"
    trained = "nothing" if plan.outlines is None else "only the decoder"
    if added:
        network = _rebuilt(plan, data, parent, limits, run_dir, report)
    else:
        network = artifacts.from_files(parent.files, artifacts.network_versions(card.versions))
    return RecipeNetwork(
        network,
        card.prior_shift,
        limits,
        (f"The network is that of {card.model_id}{added}, recalibrated; {trained} was trained.",),
        settings={
            "training": "none: recalibrated",
            "network": card.network,
            "image_size": card.image_size,
            "recalibrated_from": card.model_id,
            "clamp_color_cast": plan.config.clamp_color_cast,
            **plan.split_settings(),
        },
    )


def _rebuilt(
    plan: RunPlan,
    data: TrainingData,
    parent: Parent,
    limits: Limits,
    run_dir: Path,
    report: Report,
) -> TrainedNetwork:
    """The parent's network in Keras, with these limits, and the plan's decoder or the parent's."""
    from melanoma_core.networks import architectures, export, outline_decoder
    from melanoma_core.training import outline_training

    card = dataclasses.replace(parent.card, color_cast_limits=limits)
    network, decoder = architectures.of_card(card, parent.files), None
    if plan.outlines is not None:
        decoder = outline_training.fit_from_files(
            network, Path(plan.outlines), data, plan.config.seed, run_dir, report
        )
    elif store.OUTLINE_WEIGHTS in parent.files:
        decoder = outline_decoder.from_bytes(network, parent.files[store.OUTLINE_WEIGHTS])
    if decoder is None or plan.config.clamp_color_cast:
        return export.trained(network, decoder)
    versions = artifacts.network_versions(card.versions)
    return export.with_outline(network, decoder, parent.files, versions)
