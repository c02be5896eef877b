"""Train a network on data sets and leave a candidate in `models/`."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from melanoma_core import paths
from melanoma_core.data import datasets
from melanoma_core.data.schema import HELD_OUT
from melanoma_core.diagnoses import CODES
from melanoma_core.errors import RunError
from melanoma_core.images import color_casts
from melanoma_core.images.color_casts import Limits
from melanoma_core.models import store
from melanoma_core.models.cards import Card
from melanoma_core.models.network_table import JOINED, NETWORKS
from melanoma_core.networks import architectures, export
from melanoma_core.paths import sha256
from melanoma_core.runs import lifecycle, plans, provenance, tables
from melanoma_core.runs.configs import TrainConfig
from melanoma_core.runs.plans import RunPlan
from melanoma_core.runs.provenance import Lineage
from melanoma_core.training import candidates, fitting, input_pipeline, soft_targets
from melanoma_core.training.fitting import Report
from melanoma_core.training.soft_targets import SoftTargets


@dataclass(frozen=True)
class TrainingData:
    """Everything a run learns from and is measured on."""

    datasets: tuple[datasets.Dataset, ...]  # as they were read
    table: pd.DataFrame  # combined and split; the rows of all splits
    images: dict[str, NDArray[np.uint8]]  # "train" and "val": (N, S, S, 3)
    rows: dict[str, pd.DataFrame]  # "train" and "val": the rows of `images`, one a file
    notes: tuple[str, ...]  # what was translated, merged or left out

    def labels(self, split: str) -> NDArray[np.int64]:
        """(N,) position of the diagnosis of each image in `CODES`."""
        return tables.labels(self.rows[split])

    def photographs(self, split: str) -> pd.DataFrame:
        """The rows of a split, one a photograph, of however many files it was taught."""
        return self.rows[split].drop_duplicates("image_id")


def train(
    plan: RunPlan,
    run_dir: Path,
    models_dir: Path | None = None,
    report: Report = print,
    by: str | None = None,
) -> Card:
    """Do what the plan says; a run that was stopped goes on where its last epoch ended.

    Args:
        plan: settings and data.
        run_dir: the run's own folder; its name becomes the model's id.
        models_dir: where the candidate goes; `paths.models_dir()` by default.
        report: is given the run's messages, a line each.
        by: who asked for it, for the journal; the system's name of the user by default.

    Returns:
        The card of the candidate. It answers nobody before it is put into use.

    Raises:
        RunStopped: the run was asked to stop after its epoch.
        RunError: the folder holds another run or another process is at work in it, another
            training is running, the backbone's weights are missing or wrong, the model to go on
            from was taught what is to be measured, or a file cannot be read or written (a full
            disk).
        DatasetError: the data cannot be read, or do not suffice.
        ModelError: a model of this name exists already, or no model can be called so.
    """
    into = models_dir or paths.models_dir()
    return lifecycle.carry_out(plan, run_dir, into, lambda: make(plan, run_dir, into, report), by)


def make(plan: RunPlan, run_dir: Path, models_dir: Path, report: Report) -> Card:
    """What `train` does, where the run's folder is this process's alone already."""
    network, data, history = fit(plan, run_dir, models_dir, report)
    plans.write_status(run_dir, "measuring")
    report("Exporting the network and measuring it on the photographs held out.")
    shift = _prior_shift(data, plan.config)
    fitting.move_bias(network, shift)
    report(f"Bias moved to the real class shares by {np.round(shift, 2).tolist()}.")
    if plan.from_model and plan.config.init_weight:
        # After the bias was moved: that of the model gone on from was moved as well.
        start = store.model_dir(models_dir, plan.from_model) / "network.weights.h5"
        architectures.interpolate_weights(network, start, plan.config.init_weight)
        report(f"Weights: {plan.config.init_weight:g} of {plan.from_model} mixed in.")
    origin = candidates.Origin(
        run_dir.name,
        plan.config,
        data.datasets,
        data.table,
        data.notes,
        tuple(history),
        (plan.from_model,) if plan.from_model else (),
        color_cast_limits=architectures.color_cast_limits(network),
    )
    return candidates.add(
        export.trained(network), origin, models_dir, partial(plans.write_status, run_dir)
    )


def fit(
    plan: RunPlan, run_dir: Path, models_dir: Path, report: Report = print
) -> tuple[keras.Model, TrainingData, list[dict[str, Any]]]:
    """Read the data and train the network; `train` without the candidate at the end.

    Returns:
        The network, what it was trained on, and a dict an epoch, as `fitting.fit` gives them.
    """
    # Before the photographs are read, which may take minutes.
    start, card, lineage = _start(plan, models_dir)
    soft = _soft_targets(plan)
    data = prepare(plan, run_dir, report, lineage)
    held_to, targets = candidates.split_sha256(data.table), None
    if soft is not None:
        is_held_out = data.table["split"].isin(HELD_OUT)
        soft.check_held_out(data.table.loc[is_held_out, "image_id"].tolist())
        ids, share = data.rows["train"]["image_id"].tolist(), plan.config.distill_weight
        targets, num_without = soft.mixed(ids, data.labels("train"), share)
        note = (
            f"Taught by {share:g} what other networks say of a photograph ({soft.name}, SHA-256 "
            f"{soft.sha256[:12]}…); of {num_without:,} files the diagnosis alone."
        )
        report(note)
        data = replace(data, notes=(*data.notes, note))
        held_to = sha256((held_to + soft.sha256).encode())
    if plan.weights and start:
        digest = sha256(start.read_bytes())
        note = f"Training started from the weights in {start.name} (SHA-256 {digest[:12]}…)."
        report(note)
        data = replace(data, notes=(note, *data.notes))
    plans.hold_to_data(run_dir, held_to)
    fitting.make_repeatable(plan.config.seed)
    network = architectures.build(
        plan.config.network,
        plan.config.image_size,
        len(CODES),
        dropout=plan.config.dropout,
        weights_path=None if plan.from_model else start,
        color_cast_limits=_color_cast_limits(plan.config, data, card),
    )
    if plan.from_model and start:
        architectures.load_weights(network, start)
        start_bias = architectures.head(network)[1]
        architectures.unmask_classes(network)
        # It answers for the real class shares; this run teaches others, and undoes it at its end.
        fitting.move_bias(network, -_prior_shift(data, plan.config))
    history = fitting.fit(
        network,
        (data.images["train"], data.labels("train")),
        (data.images["val"], data.labels("val")),
        plan.config,
        run_dir,
        report,
        targets,
    )
    if plan.from_model and start:
        architectures.mask_classes(network, start_bias, _counts(data) > 0)
    return network, data, history


def _soft_targets(plan: RunPlan) -> SoftTargets | None:
    """What other networks say of the photographs; None where only labels are taught."""
    if plan.soft_targets is None:
        if plan.config.distill_weight:
            raise RunError(
                f"distill_weight is {plan.config.distill_weight:g}, but no file of soft targets was named. "
                "Name one with --teacher-probs, or leave the share out."
            )
        return None
    return soft_targets.read(Path(plan.soft_targets))


def _color_cast_limits(config: TrainConfig, data: TrainingData, card: Card | None) -> Limits:
    """Those of what is taught, of the model that training goes on from, or none."""
    if config.clamp_color_cast:
        return color_casts.limits(map(color_casts.cast, data.images["train"]))
    return card.color_cast_limits if card else ()


def _counts(data: TrainingData) -> NDArray[np.int64]:
    """(C,) files of each diagnosis that are taught."""
    return np.bincount(data.labels("train"), minlength=len(CODES))


def _prior_shift(data: TrainingData, config: TrainConfig) -> NDArray[np.float64]:
    return fitting.prior_shift_of(
        _counts(data),
        config,
        np.bincount(tables.labels(data.photographs("train")), minlength=len(CODES)),
    )


def _start(plan: RunPlan, models_dir: Path) -> tuple[Path | None, Card | None, Lineage | None]:
    """The weights that the network starts from; None where it starts from nothing.

    Where they are a model's: its card, and what it may have been taught, too.
    """
    name = plan.config.network
    if plan.config.init_weight and plan.from_model is None:
        raise RunError(
            f"init_weight is {plan.config.init_weight:g}, but no model to go on from was named. "
            "Name one with --from-model, or leave the share out."
        )
    if plan.from_model is not None:
        if plan.weights is not None:
            raise RunError(
                f"Training cannot start both from the model “{plan.from_model}” and from "
                f"“{Path(plan.weights).name}”. Leave one of them out."
            )
        card, _, lineage = provenance.read(models_dir, plan.from_model)  # every file checked
        if card.network != name:
            raise RunError(
                f"The model “{plan.from_model}” is a {card.network}, not a {name}. Choose "
                "another model, or the network that it is."
            )
        directory = store.model_dir(models_dir, plan.from_model)
        return directory / "network.weights.h5", card, lineage
    if JOINED in name:
        raise RunError(
            f"The network {name} is made of two models, and has no weights to start from. Train "
            "both and join them with --from-model and --join, or go on from a joined model with "
            "--from-model."
        )
    if NETWORKS[name].needs_weights and plan.weights is None:
        raise RunError(
            f"The network {name} starts from ImageNet weights, and none were named. Give the "
            "file with --weights, or a model to go on from with --from-model."
        )
    if plan.weights is None:
        return None, None, None
    path = Path(plan.weights)
    if not NETWORKS[name].needs_weights:
        raise RunError(
            f"The network {name} starts from nothing and cannot use “{path.name}”. Leave "
            "--weights out, or choose another network."
        )
    if not path.is_file():
        raise RunError(
            f"There is no file “{path.name}” to start from. Give the backbone's Keras weights "
            "with --weights."
        )
    return path, None, None


def prepare(
    plan: RunPlan, run_dir: Path, report: Report = print, lineage: Lineage | None = None
) -> TrainingData:
    """Read, clean, combine and split the data sets, and decode what training looks at.

    Args:
        plan: settings and data.
        run_dir: the run's own folder.
        report: is given the run's messages, a line each.
        lineage: of the model to go on from; None where there is no such model.

    Raises:
        DatasetError: a data set cannot be read, or a split lacks what training needs.
        RunError: a photograph to be measured is not among those held out.
    """
    found = tables.read(plan, run_dir, lineage)
    notes, table = list(found.notes), found.rows
    images, rows = {}, {}
    parts = {split: table[table["split"] == split] for split in ("train", "val")}
    parts["train"], further = tables.with_further_files(parts["train"], found)
    notes += further
    report(f"Reading {int((table['split'] != 'test').sum()):,} photographs.")
    for split, part in parts.items():
        images[split], rows[split], refused = input_pipeline.read_images(
            part,
            plan.config.image_size,
            lambda done, total: plans.write_status(run_dir, "reading", done=done, total=total),
        )
        notes += [f"Left out: {reason}" for reason in refused]
    for note in notes:
        report(note)
    # What could not be read was not learnt from, and is not counted.
    read_rows = pd.concat(rows.values()).drop_duplicates("image_id")
    table = pd.concat([read_rows, table[table["split"] == "test"]], ignore_index=True)
    tables.check(table)
    return TrainingData(found.datasets, table, images, rows, tuple(notes))
