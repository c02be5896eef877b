"""A model calibrated and measured anew: the weights of its network stay, and nothing is learned.

For models made before calibration fitted a bias of each diagnosis, and where the validation or test
photographs have become more. Limits of color casts may be set before the network, which asks for
TensorFlow.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pandas as pd

from melanoma_core.errors import DatasetError, ImageError, RunError
from melanoma_core.images import color_casts, reading
from melanoma_core.images.color_casts import Limits
from melanoma_core.models import artifacts
from melanoma_core.models.artifacts import TrainedNetwork
from melanoma_core.models.cards import Card
from melanoma_core.runs import plans, provenance, tables
from melanoma_core.runs.plans import RunPlan
from melanoma_core.training import candidates
from melanoma_core.training.candidates import Origin


def make(plan: RunPlan, run_dir: Path, models_dir: Path, report: Callable[[str], None]) -> Card:
    """Do what the plan says, where the run's folder is this process's alone already.

    Args:
        plan: names the model; of its settings only the seed, which draws the split, and
            `clamp_color_cast` count.
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
    card, contents, lineage = provenance.read(models_dir, plan.from_model)
    found = tables.taught_alone(tables.read(plan, run_dir, lineage), [lineage])
    limits, network = card.color_cast_limits, artifacts.of_files(contents, card.versions)
    done = ""
    if plan.config.clamp_color_cast:
        limits = _limits(found.rows, partial(plans.write_status, run_dir, "reading"))
        network = _limited(card, contents, limits)
        done = ", its color casts held within those of the training photographs"
    notes = (
        f"The network is that of {card.model_id}{done}, calibrated and measured anew; nothing was "
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
            "clamp_color_cast": plan.config.clamp_color_cast,
            **plan.how_divided(),
        },
        color_cast_limits=limits,
    )
    return candidates.add(network, origin, models_dir, partial(plans.write_status, run_dir))


def _limits(rows: pd.DataFrame, on_progress: Callable[..., None]) -> Limits:
    """Limits of the color casts of the training photographs, as far as they can be read."""
    paths, casts = rows.loc[rows["split"] == "train", "path"], []
    for number, path in enumerate(paths, 1):
        with contextlib.suppress(ImageError):
            casts.append(color_casts.cast(reading.read_file(Path(path))))
        if number % 50 == 0 or number == len(paths):
            on_progress(done=number, total=len(paths))
    if not casts:
        raise DatasetError(
            f"None of the {len(paths)} training photographs can be read, so no limits of color "
            "casts can be measured. Put them back, or leave --clamp-color-cast out."
        )
    return color_casts.limits(casts)


def _limited(card: Card, contents: Mapping[str, bytes], limits: Limits) -> TrainedNetwork:
    from melanoma_core.networks import architectures, export

    limited = dataclasses.replace(card, color_cast_limits=limits)
    return export.trained(architectures.of_card(limited, contents["network.weights.h5"]))
