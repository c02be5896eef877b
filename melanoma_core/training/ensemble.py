"""Recipe “ensemble”: the networks of two parents as one, with equal weights; nothing is trained."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from melanoma_core.diagnoses import CODES
from melanoma_core.errors import RunError
from melanoma_core.models import store
from melanoma_core.models.network_table import ENSEMBLE_SEPARATOR, NETWORKS
from melanoma_core.networks import architectures, export, outline_decoder
from melanoma_core.runs.configs import TrainConfig
from melanoma_core.runs.plans import RunPlan
from melanoma_core.runs.provenance import Parent
from melanoma_core.runs.training_data import TrainingData
from melanoma_core.training.recipes import RecipeNetwork, Report


def settle(plan: RunPlan, parents: Sequence[Parent]) -> TrainConfig:
    """The settings of the plan with the network of both parents.

    Raises:
        RunError: there are not two parents, or they cannot be combined.
    """
    if len(parents) != 2:
        raise RunError(
            f"An ensemble is made of two models; {len(parents)} were named. Name two of them."
        )
    cards = [parent.card for parent in in_order(parents)]
    return dataclasses.replace(
        plan.config,
        network=ENSEMBLE_SEPARATOR.join(card.network for card in cards),
        image_size=cards[0].image_size,
    )


def make(
    plan: RunPlan, data: TrainingData, parents: Sequence[Parent], run_dir: Path, report: Report
) -> RecipeNetwork:
    """One network whose logits are the mean of the parents' calibrated logits.

    Raises:
        RunError: a parent's weights do not fit its network.
    """
    parents = in_order(parents)
    cards = [parent.card for parent in parents]
    config, limits = plan.config, cards[0].color_cast_limits
    report(f"Combining {cards[0].model_id} and {cards[1].model_id}.")
    network = architectures.build(
        config.network, config.image_size, len(CODES), color_cast_limits=limits
    )
    architectures.load_ensemble(
        network,
        [architectures.of_card(parent.card, parent.files) for parent in parents],
        [card.temperature for card in cards],
    )
    # An ensemble's decoder reads its first backbone, which is the first parent's.
    weights = parents[0].files.get(store.OUTLINE_WEIGHTS)
    decoder = None if weights is None else outline_decoder.from_bytes(network, weights)
    # The weights are means of the parents' weights over their temperatures; so is this.
    prior_shift = np.mean(
        [card.calibration.shift(np.zeros(len(CODES))) / card.temperature for card in cards], axis=0
    )
    return RecipeNetwork(
        export.trained(network, decoder),
        tuple(prior_shift.tolist()),
        limits,
        (
            f"Ensemble of {cards[0].model_id} and {cards[1].model_id} with equal weights; nothing "
            "was trained.",
        ),
        settings={
            "training": "none: ensemble of two models with equal weights",
            "network": config.network,
            "image_size": config.image_size,
            "ensemble_of": [card.model_id for card in cards],
            **plan.split_settings(),
        },
    )


def in_order(parents: Sequence[Parent]) -> list[Parent]:
    """Two parents in the order of their networks in the ensemble.

    Raises:
        RunError: there is no network that both are parts of.
    """
    first, second = (parent.card for parent in parents)
    if first.image_size != second.image_size:
        raise RunError(
            f"“{first.model_id}” takes {first.image_size} px and “{second.model_id}” "
            f"{second.image_size} px. Combine models of one image size."
        )
    if first.color_cast_limits != second.color_cast_limits:
        raise RunError(
            f"“{first.model_id}” and “{second.model_id}” clamp color casts to different limits. "
            "Combine models of the same limits, or of none, and set limits for the ensemble with "
            "recalibrate --clamp-color-cast."
        )
    for pair in (list(parents), list(reversed(parents))):
        if ENSEMBLE_SEPARATOR.join(parent.card.network for parent in pair) in NETWORKS:
            return pair
    known = ", ".join(
        name.replace(ENSEMBLE_SEPARATOR, " with ")
        for name in NETWORKS
        if ENSEMBLE_SEPARATOR in name
    )
    raise RunError(
        f"“{first.model_id}” is a {first.network} and “{second.model_id}” a {second.network}; "
        f"they cannot be combined. These can: {known}."
    )
