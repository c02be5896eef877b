"""Recipe “full”: a network trained epoch by epoch, from ImageNet weights or from a parent."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from melanoma_core.data import outline_files
from melanoma_core.diagnoses import CODES, LABELS
from melanoma_core.errors import RunError
from melanoma_core.images import color_casts
from melanoma_core.images.color_casts import Limits
from melanoma_core.metrics.calibration import Calibration
from melanoma_core.models import artifacts, store
from melanoma_core.models.network_table import ENSEMBLE_SEPARATOR, NETWORKS
from melanoma_core.networks import architectures, export
from melanoma_core.paths import sha256
from melanoma_core.runs import plans, training_data
from melanoma_core.runs.configs import TrainConfig
from melanoma_core.runs.plans import RunPlan
from melanoma_core.runs.provenance import Parent
from melanoma_core.runs.training_data import TrainingData
from melanoma_core.training import fitting, outline_training, soft_targets
from melanoma_core.training.recipes import RecipeNetwork, Report

_UNNAMED = "Trained only to be benign, as no table names their diagnosis: {:,} files."


def settle(plan: RunPlan, parents: Sequence[Parent]) -> TrainConfig:
    """The settings of the plan, if the network can start as it says.

    Raises:
        RunError: the start of the network is missing, of another kind, or given twice.
        DatasetError: the teacher probabilities or the outlines cannot be read.
    """
    name, config = plan.config.network, plan.config
    if config.distill_weight and plan.teacher_probs is None:
        raise RunError(
            f"distill_weight is {config.distill_weight:g}, but no teacher probabilities were "
            "given. Give a file with --teacher-probs, or leave the weight out."
        )
    if plan.teacher_probs is not None:
        soft_targets.read(Path(plan.teacher_probs))
    if plan.outlines is not None:
        outline_files.find(Path(plan.outlines))
    if parents:
        (parent,) = parents
        if plan.weights is not None:
            raise RunError(
                f"Training cannot start both from the model “{parent.model_id}” and from "
                f"“{Path(plan.weights).name}”. Leave one of them out."
            )
        if parent.card.network != name:
            raise RunError(
                f"The model “{parent.model_id}” is a {parent.card.network}, not a {name}. Choose "
                "another model, or its network."
            )
        return config
    if config.init_weight:
        raise RunError(
            f"init_weight is {config.init_weight:g}, but there is no model to fine-tune. Name one "
            "with --from-model, or leave the weight out."
        )
    if ENSEMBLE_SEPARATOR in name:
        raise RunError(
            f"The network {name} is an ensemble of two models and has no weights to start from. "
            "Train both and combine them with the command ensemble, or fine-tune an ensemble with "
            "--from-model."
        )
    if not NETWORKS[name].needs_weights:
        if plan.weights is not None:
            raise RunError(
                f"The network {name} starts from random weights and cannot use "
                f"“{Path(plan.weights).name}”. Leave --weights out, or choose another network."
            )
    elif plan.weights is None:
        raise RunError(
            f"The network {name} starts from ImageNet weights, and none were given. Give the file "
            "with --weights, or a model to fine-tune with --from-model."
        )
    elif not Path(plan.weights).is_file():
        raise RunError(
            f"There is no file “{Path(plan.weights).name}” to start from. Give the Keras weights "
            "of the backbone with --weights."
        )
    return config


def make(
    plan: RunPlan, data: TrainingData, parents: Sequence[Parent], run_dir: Path, report: Report
) -> RecipeNetwork:
    """Train the network; a run that was stopped resumes after its last finished epoch.

    Raises:
        RunError: weights or teacher probabilities do not fit, or the loss is not finite.
        RunStopped: the run was asked to stop.
        DatasetError: the teacher probabilities or outlines cannot be read.
    """
    config, files, val = plan.config, data.files("train"), data.split("val")
    labels, counts = training_data.labels(files), training_data.counts(files)
    targets, data_sha256, notes = _targets(plan, data, files)
    plans.check_same_data(run_dir, data_sha256)
    prior_shift = fitting.prior_shift(counts, config, training_data.counts(data.split("train")))
    limits = _color_cast_limits(config, data, files, parents)
    fitting.make_repeatable(config.seed)
    network = architectures.build(
        config.network,
        config.image_size,
        len(CODES),
        dropout=config.dropout,
        weights_path=Path(plan.weights) if plan.weights else None,
        color_cast_limits=limits,
    )
    if parents:
        bias = _load_parent(network, parents[0], prior_shift)
        start = network.get_weights() if config.init_weight else []
        notes = [f"Fine-tuned from {parents[0].model_id}.", *notes]
    elif plan.weights:
        path = Path(plan.weights)
        digest = sha256(path.read_bytes())
        notes = [f"Started from the weights in {path.name} (SHA-256 {digest[:12]}…).", *notes]
    for note in notes:
        report(note)
    history = fitting.fit(
        network,
        (data.images_of(files), labels),
        (data.images_of(val), training_data.labels(val)),
        config,
        run_dir,
        report,
        targets,
    )
    if parents:
        is_masked = artifacts.is_masked(bias)
        if config.init_weight:
            architectures.interpolate_weights(network, start, config.init_weight, is_masked)
        architectures.mask_classes(network, bias, is_masked & (counts[: len(CODES)] == 0))
    decoder = None
    if plan.outlines is not None:
        decoder = outline_training.fit_from_files(
            network, Path(plan.outlines), data, config.seed, run_dir, report
        )
    elif any(store.OUTLINE_WEIGHTS in parent.files for parent in parents):
        notes.append("Draws no outlines: the parent's decoder does not fit the changed network.")
    return RecipeNetwork(
        export.trained(network, decoder),
        tuple(prior_shift.tolist()),
        limits,
        tuple(notes),
        tuple(history),
    )


def _targets(
    plan: RunPlan, data: TrainingData, files: pd.DataFrame
) -> tuple[NDArray[np.float32] | None, str, list[str]]:
    """Targets, as in `fitting.fit`; a checksum of the data; and notes."""
    checksum = training_data.split_sha256(data.rows)
    labels = training_data.labels(files)
    num_unnamed = int((labels == len(CODES)).sum())
    notes = [_UNNAMED.format(num_unnamed)] if num_unnamed else []
    if plan.teacher_probs is None:
        targets = np.eye(len(LABELS), dtype=np.float32)[labels] if num_unnamed else None
        return targets, checksum, notes
    teacher = soft_targets.read(Path(plan.teacher_probs))
    teacher.check_held_out(data.rows.loc[data.rows["split"] != "train", "image_id"].tolist())
    weight = plan.config.distill_weight
    targets, num_without = teacher.mix(files["image_id"].tolist(), labels, weight)
    note = (
        f"Distilled with weight {weight:g} from the teacher probabilities in {teacher.name} "
        f"(SHA-256 {teacher.sha256[:12]}…); {num_without:,} files have none."
    )
    if not num_unnamed:
        targets = targets[:, : len(CODES)]
    return targets, sha256((checksum + teacher.sha256).encode()), [*notes, note]


def _color_cast_limits(
    config: TrainConfig, data: TrainingData, files: pd.DataFrame, parents: Sequence[Parent]
) -> Limits:
    """Those of the training photographs, of the parent, or none."""
    if config.clamp_color_cast:
        return color_casts.limits(map(color_casts.cast, data.images_of(files)))
    return parents[0].card.color_cast_limits if parents else ()


def _load_parent(
    network: keras.Model, parent: Parent, prior_shift: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Give the network the parent's weights, and the bias (C,) of its last layer as it was.

    Masked classes are unmasked, and the bias is moved to the class proportions of this training.
    """
    architectures.load_files(network, parent.files)
    bias = architectures.head(network)[1]
    # Unmasked at the real proportions, or a rare class would start with the bias of a common one.
    real = Calibration(prior_shift=parent.card.prior_shift).shift(bias)
    architectures.set_bias(network, real)
    architectures.unmask_classes(network)
    architectures.set_bias(network, architectures.head(network)[1] - prior_shift)
    return bias
