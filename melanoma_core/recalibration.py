"""A model calibrated and measured anew: its network stays as it is, and nothing is learned.

For models made before calibration fitted a bias of each diagnosis, and where the validation or test
photographs have become more.
"""

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path

from melanoma_core import candidates, lineages, runs, training_tables
from melanoma_core.candidates import Origin
from melanoma_core.errors import RunError
from melanoma_core.registry import Card
from melanoma_core.runs import RunPlan


def make(plan: RunPlan, run_dir: Path, models_dir: Path, report: Callable[[str], None]) -> Card:
    """Do what the plan says, where the run's folder is this process's alone already.

    Args:
        plan: names the model; of its settings only the seed counts, which draws the split.
        run_dir: the run's own folder; its name becomes the new model's id.
        models_dir: where the model is, and the candidate goes.
        report: is given the run's messages, a line each.

    Raises:
        RunError: no model is named, or it was taught what is to be measured, or nothing of the
            data.
        DatasetError: the data cannot be read, or do not suffice.
        ModelError: the model is damaged.
    """
    if plan.from_model is None:
        raise RunError("A model is calibrated anew: name it with --from-model.")
    card, contents, lineage = lineages.read(models_dir, plan.from_model)
    found = training_tables.taught_alone(training_tables.read(plan, run_dir, lineage), [lineage])
    notes = (
        f"The network is that of {card.model_id}, calibrated and measured anew; nothing was "
        "trained.",
        *found.notes,
    )
    for note in notes:
        report(note)
    origin = Origin(
        run_id=run_dir.name,
        config=dataclasses.replace(plan.config, network=card.network, image_size=card.image_size),
        datasets=found.datasets,
        table=found.rows,
        notes=notes,
        from_models=(card.model_id,),
        settings={
            "training": "none: calibrated and measured anew",
            "network": card.network,
            "image_size": card.image_size,
            "calibrated_anew": card.model_id,
            **plan.how_divided(),
        },
    )
    return candidates.add(
        candidates.of_files(contents, card.versions),
        origin,
        models_dir,
        partial(runs.write_status, run_dir),
    )
