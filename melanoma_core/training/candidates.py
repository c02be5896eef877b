"""From a network to a candidate in `models/`: exported, calibrated, measured, described."""

import dataclasses
import datetime
import json
import platform
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import PIL
from numpy.typing import NDArray

from melanoma_core.data import coverage
from melanoma_core.data.datasets import Dataset
from melanoma_core.data.schema import SPLITS
from melanoma_core.diagnoses import CODES, LABELS, UNNAMED
from melanoma_core.errors import ModelError
from melanoma_core.evaluation import evaluate, operating_points
from melanoma_core.images import reading, synthetic
from melanoma_core.metrics import calibration
from melanoma_core.metrics.calibration import Calibration
from melanoma_core.models import artifacts, cards, predict, store, training_ids
from melanoma_core.models.artifacts import TrainedNetwork
from melanoma_core.models.cards import Card, DatasetUse
from melanoma_core.models.network_table import NETWORKS
from melanoma_core.models.predict import Network
from melanoma_core.runs import plans, training_data
from melanoma_core.runs.plans import RunPlan
from melanoma_core.runs.provenance import Parent
from melanoma_core.runs.training_data import TrainingData
from melanoma_core.training import parts
from melanoma_core.training.quality_limits import Judged
from melanoma_core.training.recipes import RecipeNetwork

TARGETS = (0.95, 0.90)  # sensitivities for melanoma that a threshold is placed for
_NUM_GOLDEN = 4
_NUM_BETWEEN = 50  # photographs between two updates of the progress


def add(
    made: RecipeNetwork,
    plan: RunPlan,
    data: TrainingData,
    parents: Sequence[Parent],
    run_dir: Path,
    models_dir: Path,
) -> Card:
    """Put a network into `models/`, with everything that its card must say.

    Calibration, thresholds and the cutoffs of the differential come from the validation split,
    figures from the test split, both through the LiteRT graph that will serve.

    Args:
        made: gives logits of all of `CODES`.
        plan: with the settings in force.
        data: what it was trained on and is measured on.
        parents: the models that it comes from.
        run_dir: the run's folder, whose status shows the progress; the model is named after it.
        models_dir: where models are kept.

    Raises:
        DatasetError: the validation or the test split cannot be measured.
        ModelError: a model of this name exists, or the export differs from the network.
    """
    training_data.check_splits(data.rows)
    building = store.building_dir(models_dir)
    try:
        plans.write_status(run_dir, "exporting")
        made.network.write(building)
        network = predict.read_network(
            (building / "network.tflite").read_bytes(), (building / "head.npz").read_bytes()
        )
        data = _without_masked(data, network.bias)
        card = _measure(building, network, made, plan, data, parents, run_dir)
        plans.write_status(run_dir, "saving")
        return store.read_card(store.add(models_dir, building, card))
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise


def _measure(
    building: Path,
    network: Network,
    made: RecipeNetwork,
    plan: RunPlan,
    data: TrainingData,
    parents: Sequence[Parent],
    run_dir: Path,
) -> Card:
    """Calibrate and evaluate the network; write what belongs to the model, and give its card."""
    held_out = data.rows[data.rows["split"] != "train"].reset_index(drop=True)
    measuring = partial(_report, run_dir, "measuring")
    embeddings = parts.embed(network, data.images_of(held_out), measuring)
    logits = np.array([network.logits(embedding) for embedding in embeddings])
    plans.write_status(run_dir, "calibrating")
    is_val = (held_out["split"] == "val").to_numpy()
    is_possible = evaluate.possible(training_data.labels(held_out)[is_val])
    fitted = calibration.fit(logits[is_val], is_possible, made.prior_shift)
    measured = evaluate.from_table(held_out, calibration.probabilities(logits, fitted))
    (building / "evaluation.json").write_text(evaluate.to_json(measured))
    train = data.split("train")
    ids = [training_ids.of(train), *(parent.training_ids for parent in parents)]
    (building / store.TRAINING_IDS).write_bytes(training_ids.to_bytes(training_ids.union(ids)))
    images, y_prob = _golden(made.network, network, fitted)
    np.savez(building / "golden.npz", images=images, probabilities=y_prob)

    plans.write_status(run_dir, "choosing the threshold")
    val, test = measured.where(is_val), measured.where(~is_val)
    points = tuple(operating_points.operating_point(val, test, target) for target in TARGETS)
    carcinoma_points = operating_points.carcinoma_points(val, test, TARGETS)
    counts = _class_counts(data)
    judged = Judged(
        network, fitted, CODES.index("MEL"), points[0].threshold, made.color_cast_limits
    )
    non_lesions = None if plan.non_lesions is None else Path(plan.non_lesions)
    made_parts = parts.make(
        judged, data, test, embeddings[~is_val], non_lesions, partial(_report, run_dir)
    )
    for name, content in made_parts.files.items():
        (building / name).write_bytes(content)
    plans.write_status(run_dir, "evaluating")
    config = plan.config
    return Card(
        model_id=run_dir.name,
        created=f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}",
        run_id=run_dir.name,
        network=config.network,
        image_size=config.image_size,
        has_saliency=NETWORKS[config.network].has_saliency,
        diagnoses=CODES,
        temperature=fitted.temperature,
        prior_shift=fitted.prior_shift,
        class_bias=fitted.class_bias,
        operating_points=points,
        differential=evaluate.differential(val, test),
        figures=evaluate.figures_by_source(test, counts["train"], points[0].threshold),
        class_counts=counts,
        seen=coverage.count_lesions(train),
        datasets=tuple(_use(dataset, data) for dataset in data.datasets),
        inherited_datasets=_inherited(data.datasets, [parent.card for parent in parents]),
        split_sha256=training_data.split_sha256(data.rows),
        notes=(*made.notes, *data.notes),
        config=dict(made.settings or json.loads(config.to_json())),
        history=made.history,
        versions={**_versions(), **made.network.versions},
        intended_use=cards.INTENDED_USE,
        not_for=cards.NOT_FOR,
        files={},
        color_cast_limits=made.color_cast_limits,
        carcinoma_points=carcinoma_points,
        referral_rules=tuple(
            operating_points.referral_rule(test, *both)
            for both in zip(points, carcinoma_points, strict=False)
        ),
        quality_limits=made_parts.quality_limits,
        part_figures=made_parts.figures,
    )


def _report(run_dir: Path, phase: str, done: int, total: int) -> None:
    if done % _NUM_BETWEEN == 0 or done == total:
        plans.write_status(run_dir, phase, done=done, total=total)


def _class_counts(data: TrainingData) -> dict[str, dict[str, int]]:
    """Photographs by split and label; those without a name are listed only where there are any."""
    counts = {
        split: dict(zip(LABELS, training_data.counts(data.split(split)).tolist(), strict=True))
        for split in SPLITS
    }
    named = CODES if not any(part[UNNAMED.code] for part in counts.values()) else LABELS
    return {split: {label: part[label] for label in named} for split, part in counts.items()}


def _without_masked(data: TrainingData, bias: NDArray[np.float32]) -> TrainingData:
    """Without the validation photographs of diagnoses that the last layer can never give.

    Nothing can be calibrated by them. In the test they stay: there they are errors, and count.
    """
    is_masked = artifacts.is_masked(bias)
    masked = [code for code, is_one in zip(CODES, is_masked, strict=True) if is_one]
    is_left_out = (data.rows["split"] == "val") & data.rows["diagnosis"].isin(masked)
    if not is_left_out.any():
        return data
    note = (
        "Left out of validation, as the model was never trained on their diagnosis: "
        f"{int(is_left_out.sum())}."
    )
    rows = data.rows[~is_left_out].reset_index(drop=True)
    return dataclasses.replace(data, rows=rows, notes=(*data.notes, note))


def _inherited(own: Sequence[Dataset], parents: Sequence[Card]) -> tuple[DatasetUse, ...]:
    """The data sets that only the parents were trained on, each once."""
    uses = [use for card in parents for use in (*card.datasets, *card.inherited_datasets)]
    inherited: dict[tuple[str, str], DatasetUse] = {}
    for use in sorted(uses, key=lambda use: use.num_train, reverse=True):
        if use.num_train:
            inherited.setdefault((use.name, use.sha256), use)
    keys = {(dataset.name, dataset.sha256) for dataset in own}
    return tuple(use for key, use in inherited.items() if key not in keys)


def _golden(
    trained: TrainedNetwork, exported: Network, fitted: Calibration
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Synthetic lesions, and the probabilities that the trained network gives for them.

    Raises:
        ModelError: the exported graph gives others.
    """
    size = exported.graph.image_size
    images = np.stack(
        [
            reading.resize(synthetic.lesion(seed, kind=kind), size)
            for seed, kind in enumerate(synthetic.KINDS[:_NUM_GOLDEN])
        ]
    )
    y_prob = calibration.probabilities(trained.logits(images), fitted)
    difference = float(
        np.abs(y_prob - calibration.probabilities(exported.logits_of(images), fitted)).max()
    )
    if not difference <= predict.GOLDEN_TOLERANCE:
        raise ModelError(
            f"The exported graph answers {difference:.2g} away from the trained network; "
            f"{predict.GOLDEN_TOLERANCE:g} is allowed. Finish the run again with the versions in "
            "requirements.txt."
        )
    return images, y_prob


def _use(dataset: Dataset, data: TrainingData) -> DatasetUse:
    in_split = data.rows.loc[data.rows["source"] == dataset.name, "split"].value_counts()
    num_train, num_val, num_test = (int(in_split.get(split, 0)) for split in SPLITS)
    return DatasetUse(dataset.name, dataset.license, dataset.sha256, num_train, num_val, num_test)


def _versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "pillow": PIL.__version__,
    }
