"""From a trained network to a model in `models/`: calibrated, measured, described.

Whatever trained it: full training hands over a Keras network (`export`), quick training a new
head on the network of another model.
"""

import dataclasses
import datetime
import json
import platform
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import PIL
from numpy.typing import NDArray

from melanoma_core.data import coverage
from melanoma_core.data.datasets import Dataset
from melanoma_core.data.schema import HELD_OUT, SPLITS
from melanoma_core.diagnoses import CODES
from melanoma_core.errors import ModelError
from melanoma_core.evaluation import evaluate
from melanoma_core.images import reading, synthetic
from melanoma_core.images.color_casts import Limits
from melanoma_core.metrics import calibration
from melanoma_core.models import artifacts, cards, predict, store, training_ids
from melanoma_core.models.artifacts import TrainedNetwork
from melanoma_core.models.cards import Card, DatasetUse
from melanoma_core.models.network_table import NETWORKS
from melanoma_core.models.training_ids import TrainingIds
from melanoma_core.paths import sha256
from melanoma_core.runs import provenance
from melanoma_core.runs.configs import TrainConfig

TARGETS = (0.95, 0.90)  # sensitivities for melanoma that a threshold is placed for
_NUM_GOLDEN = 4
OnPhase = Callable[..., None]  # is told the phase, and facts of it: done, total


@dataclass(frozen=True)
class Origin:
    """What a network was made from, as its card will tell."""

    run_id: str
    config: TrainConfig
    datasets: tuple[Dataset, ...]
    table: pd.DataFrame  # combined and split; the rows of all splits
    notes: tuple[str, ...]
    history: tuple[dict[str, Any], ...] = ()  # as `fitting.fit` gives it
    from_models: tuple[str, ...] = ()  # ids of the models that its weights come from
    settings: Mapping[str, Any] | None = None  # for the card, where `config` does not say it
    color_cast_limits: Limits = ()  # that the network holds color casts within


def add(
    network: TrainedNetwork, origin: Origin, models_dir: Path, on_phase: OnPhase | None = None
) -> Card:
    """Put a trained network into `models/`, with everything that its card must say.

    Class biases, temperature, thresholds and the cutoffs of the differential come from the
    validation split, figures from the test split, both through the LiteRT graph that will serve.

    Args:
        network: gives logits of all of `CODES`, its prior corrected.
        origin: what it was made from.
        models_dir: where models are kept; the model is named after the run.
        on_phase: is told what is being done, and how far measuring is.

    Raises:
        DatasetError: the validation or the test split cannot be measured.
        ModelError: a model of this name exists, or the export differs from the network.
    """
    building = store.building_dir(models_dir)
    try:
        return _build(building, network, origin, models_dir, on_phase or _tell_nobody)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise


def _tell_nobody(phase: str, **facts: Any) -> None:
    pass


def _build(
    building: Path, network: TrainedNetwork, origin: Origin, models_dir: Path, on_phase: OnPhase
) -> Card:
    on_phase("exporting")
    network.write(building)
    served = _served(building)
    origin = _without_never_given(origin, served.bias)
    held = origin.table[origin.table["split"].isin(HELD_OUT)]
    logits, rows, refused = evaluate.score(
        served, held, lambda done, total: on_phase("measuring", done=done, total=total)
    )
    on_phase("calibrating")
    is_val = (rows["split"] == "val").to_numpy()
    y_true = np.array([CODES.index(code) for code in rows["diagnosis"]])
    class_bias = calibration.fit_class_bias(logits[is_val], y_true[is_val])
    artifacts.move_bias(building, class_bias)
    served, logits = _served(building), logits + class_bias
    temperature = calibration.fit_temperature(logits[is_val], y_true[is_val])
    measured = evaluate.evaluation(rows, calibration.probabilities(logits, temperature))
    (building / "evaluation.json").write_text(evaluate.to_json(measured))
    parents = [
        (card, lineage.taught)
        for card, _, lineage in (provenance.read(models_dir, name) for name in origin.from_models)
    ]
    listed = _taught(origin, [before for _, before in parents])
    (building / store.TRAINING_IDS).write_bytes(training_ids.to_bytes(listed))
    images, probabilities = _golden(network, served, class_bias, temperature)
    np.savez(building / "golden.npz", images=images, probabilities=probabilities)

    on_phase("choosing the threshold")
    val, test = measured.where(is_val), measured.where(~is_val)
    points = tuple(evaluate.operating_point(val, test, target) for target in TARGETS)
    # What could not be read was not measured, and is not counted.
    is_unread = origin.table["split"].isin(HELD_OUT) & ~origin.table["image_id"].isin(
        set(rows["image_id"])
    )
    table = origin.table[~is_unread]
    counts = _class_counts(table)
    on_phase("evaluating")
    card = Card(
        model_id=origin.run_id,
        created=f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}",
        run_id=origin.run_id,
        network=origin.config.network,
        image_size=origin.config.image_size,
        has_saliency=NETWORKS[origin.config.network].has_saliency,
        diagnoses=CODES,
        temperature=temperature,
        operating_points=points,
        differential=evaluate.differential(val, test),
        figures=evaluate.figures_by_source(test, counts["train"], points[0].threshold),
        class_counts=counts,
        seen=coverage.count_lesions(origin.table[origin.table["split"] == "train"]),
        datasets=tuple(_use(dataset, table) for dataset in origin.datasets),
        split_sha256=split_sha256(origin.table),
        notes=(*origin.notes, *(f"Left out: {reason}" for reason in refused)),
        config=dict(origin.settings or json.loads(origin.config.to_json())),
        history=origin.history,
        versions={**_versions(), **network.versions},
        intended_use=cards.INTENDED_USE,
        not_for=cards.NOT_FOR,
        files={},
        inherited_datasets=_inherited(origin, [parent for parent, _ in parents]),
        class_bias=tuple(round(float(by), 6) for by in class_bias),
        color_cast_limits=origin.color_cast_limits,
    )
    on_phase("saving")
    return store.read_card(store.add(models_dir, building, card))


def _without_never_given(origin: Origin, bias: NDArray[np.float32]) -> Origin:
    """Without the validation photographs of diagnoses that the last layer was never taught.

    Nothing can be calibrated by them. In the test they stay: there they are errors, and count.
    """
    missing = [code for code, never in zip(CODES, artifacts.is_masked(bias), strict=True) if never]
    table = origin.table
    is_left_out = (table["split"] == "val") & table["diagnosis"].isin(missing)
    if not is_left_out.any():
        return origin
    note = (
        "Left out of validation, as the last layer can never give their diagnosis: "
        f"{int(is_left_out.sum())}."
    )
    return dataclasses.replace(
        origin, table=table[~is_left_out].reset_index(drop=True), notes=(*origin.notes, note)
    )


def _taught(origin: Origin, parents: Sequence[TrainingIds | None]) -> TrainingIds:
    """What the network learned from, and before it the models that its weights come from."""
    now = training_ids.of(origin.table[origin.table["split"] == "train"])
    for before in parents:
        now = training_ids.after(before, now)
    return now


def _inherited(origin: Origin, parents: Sequence[Card]) -> tuple[DatasetUse, ...]:
    """What those models learned from, each data set once, save what this run has itself."""
    uses = [use for card in parents for use in (*card.datasets, *card.inherited_datasets)]
    found: dict[tuple[str, str], DatasetUse] = {}
    for use in sorted(uses, key=lambda use: use.num_train, reverse=True):
        if use.num_train:
            found.setdefault((use.name, use.sha256), use)
    own = {(dataset.name, dataset.sha256) for dataset in origin.datasets}
    return tuple(use for key, use in found.items() if key not in own)


def _served(building: Path) -> predict.Network:
    return predict.read_network(
        (building / "network.tflite").read_bytes(), (building / "head.npz").read_bytes()
    )


def _golden(
    network: TrainedNetwork,
    served: predict.Network,
    class_bias: NDArray[np.float64],
    temperature: float,
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Drawn lesions, and what the network that was trained says of them.

    Raises:
        ModelError: the exported graph says something else.
    """
    size = served.graph.image_size
    images = np.stack(
        [
            reading.resize(synthetic.lesion(seed, kind=kind), size)
            for seed, kind in enumerate(synthetic.KINDS[:_NUM_GOLDEN])
        ]
    )
    trained = calibration.probabilities(network.logits(images) + class_bias, temperature)
    logits = [served.logits(served.graph.run(image)[1]) for image in images]
    exported = calibration.probabilities(np.array(logits), temperature)
    difference = float(np.abs(trained - exported).max())
    if not difference <= predict.GOLDEN_TOLERANCE:
        raise ModelError(
            f"The exported graph answers {difference:.2g} away from the network that was trained; "
            f"{predict.GOLDEN_TOLERANCE:g} is allowed. Finish the run again, with the versions in "
            "requirements.txt."
        )
    return images, trained


def _class_counts(table: pd.DataFrame) -> dict[str, dict[str, int]]:
    return {
        split: {
            code: int(((table["split"] == split) & (table["diagnosis"] == code)).sum())
            for code in CODES
        }
        for split in SPLITS
    }


def _use(dataset: Dataset, table: pd.DataFrame) -> DatasetUse:
    in_split = table.loc[table["source"] == dataset.name, "split"].value_counts()
    num_train, num_val, num_test = (int(in_split.get(s, 0)) for s in SPLITS)
    return DatasetUse(dataset.name, dataset.license, dataset.sha256, num_train, num_val, num_test)


def split_sha256(table: pd.DataFrame) -> str:
    """Of which photograph, of which group, is in which split."""
    rows = sorted(
        f"{row.image_id},{row.group_id},{row.split}" for row in table.itertuples(index=False)
    )
    return sha256("\n".join(rows).encode())


def _versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "pillow": PIL.__version__,
    }
