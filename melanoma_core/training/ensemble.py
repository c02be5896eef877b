"""Two models joined into one: their networks side by side, one vote each, and nothing learned anew.

It is measured and calibrated as every other candidate, on photographs that were held out from both.
"""

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path

from melanoma_core.diagnoses import CODES
from melanoma_core.errors import RunError
from melanoma_core.models.cards import Card
from melanoma_core.models.network_table import JOINED, NETWORKS
from melanoma_core.networks import architectures, export
from melanoma_core.runs import plans, provenance, tables
from melanoma_core.runs.plans import RunPlan
from melanoma_core.runs.tables import TrainingTable
from melanoma_core.training import candidates
from melanoma_core.training.candidates import Origin


def make(plan: RunPlan, run_dir: Path, models_dir: Path, report: Callable[[str], None]) -> Card:
    """Do what the plan says, where the run's folder is this process's alone already.

    Args:
        plan: names both models; of its settings only the seed counts, which draws the split.
        run_dir: the run's own folder; its name becomes the model's id.
        models_dir: where those models are, and the candidate goes.
        report: is given the run's messages, a line each.

    Raises:
        RunError: a model is not named, the two cannot be joined, or one was taught what is to be
            measured, or neither anything of the data.
        DatasetError: the data cannot be read, or do not suffice.
        ModelError: a model is damaged.
    """
    if plan.from_model is None or plan.joined_with is None:
        raise RunError("Two models are joined: name one with --from-model and one with --join.")
    named = [provenance.read(models_dir, name) for name in (plan.from_model, plan.joined_with)]
    cards = in_order([card for card, _, _ in named])
    weights = {card.model_id: contents["network.weights.h5"] for card, contents, _ in named}
    found = tables.read(plan, run_dir, named[0][2])
    tables.check_lineage(plan, found, named[1][2])
    found = tables.taught_alone(found, [lineage for _, _, lineage in named])
    notes = [
        f"The networks of {cards[0].model_id} and {cards[1].model_id} stand side by side, one vote "
        "each; nothing was trained.",
        *found.notes,
    ]
    for note in notes:
        report(note)
    network = architectures.build(
        JOINED.join(card.network for card in cards),
        cards[0].image_size,
        len(CODES),
        color_cast_limits=cards[0].color_cast_limits,
    )
    architectures.load_ensemble(
        network,
        [architectures.of_card(card, weights[card.model_id]) for card in cards],
        [card.temperature for card in cards],
    )
    return candidates.add(
        export.trained(network),
        _origin(plan, run_dir, cards, found, notes),
        models_dir,
        partial(plans.write_status, run_dir),
    )


def in_order(cards: list[Card]) -> list[Card]:
    """Two models in the order in which their networks stand side by side.

    Raises:
        RunError: there is no network that both are parts of.
    """
    first, second = cards
    if first.image_size != second.image_size:
        raise RunError(
            f"“{first.model_id}” takes {first.image_size} px and “{second.model_id}” "
            f"{second.image_size} px. Join models of one image size."
        )
    if first.color_cast_limits != second.color_cast_limits:
        raise RunError(
            f"“{first.model_id}” and “{second.model_id}” do not hold color casts within the same "
            "limits. Join models of the same limits, or of none, and set limits for the joined "
            "model with --recalibrate --clamp-color-cast."
        )
    for pair in ([first, second], [second, first]):
        if JOINED.join(card.network for card in pair) in NETWORKS:
            return pair
    known = ", ".join(name.replace(JOINED, " with ") for name in NETWORKS if JOINED in name)
    raise RunError(
        f"“{first.model_id}” is a {first.network} and “{second.model_id}” a {second.network}; "
        f"such two cannot be joined. These can: {known}."
    )


def _origin(
    plan: RunPlan,
    run_dir: Path,
    cards: list[Card],
    found: TrainingTable,
    notes: list[str],
) -> Origin:
    """What the candidate was made from."""
    names = tuple(card.model_id for card in cards)
    network, size = JOINED.join(card.network for card in cards), cards[0].image_size
    return Origin(
        run_id=run_dir.name,
        config=dataclasses.replace(plan.config, network=network, image_size=size),
        datasets=found.datasets,
        table=found.rows,
        notes=tuple(notes),
        from_models=names,
        settings={
            "training": "none: two models joined, one vote each",
            "network": network,
            "image_size": size,
            "joined": list(names),
            **plan.how_divided(),
        },
        color_cast_limits=cards[0].color_cast_limits,
    )
