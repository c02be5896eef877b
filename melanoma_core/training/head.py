"""Quick training: data in, a candidate out, without TensorFlow and in minutes.

The network of another model stays as it is; only its last layer is made anew (`heads`). So nothing
that the network was taught can be measured on, and what was held out from it stays held out.
"""

import dataclasses
import io
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from melanoma_core.data.schema import HELD_OUT
from melanoma_core.diagnoses import CODES
from melanoma_core.errors import RunError, RunStopped
from melanoma_core.evaluation import evaluate
from melanoma_core.metrics import calibration
from melanoma_core.models import artifacts, embeddings, predict
from melanoma_core.models.artifacts import TrainedNetwork
from melanoma_core.models.cards import Card
from melanoma_core.models.predict import Network
from melanoma_core.paths import write_atomic
from melanoma_core.runs import plans, provenance, tables
from melanoma_core.runs.lifecycle import PARENT_EVALUATION
from melanoma_core.runs.plans import RunPlan
from melanoma_core.training import candidates, heads
from melanoma_core.training.candidates import Origin
from melanoma_core.training.heads import Head

_NUM_BETWEEN = 25  # photographs between two words of progress


def make(plan: RunPlan, run_dir: Path, models_dir: Path, report: Callable[[str], None]) -> Card:
    """Do what the plan says, where the run's folder is this process's alone already.

    Args:
        plan: names the model whose network is taken; of its settings only balance and seed count.
        run_dir: the run's own folder; its name becomes the model's id.
        models_dir: where that model is, and the candidate goes.
        report: is given the run's messages, a line each.

    Raises:
        RunError: no model is named, it was taught what is to be measured, or it has no last layer
            that could be made anew.
        RunStopped: the run was asked to stop.
        DatasetError: the data cannot be read, or do not suffice.
        ModelError: the model is damaged.
    """
    if plan.from_model is None:
        raise RunError(
            "Quick training makes a new last layer for the network of a model, and none is named. "
            "Put a model into use, or name one with --from-model."
        )
    card, contents, lineage = provenance.read(models_dir, plan.from_model)
    network = predict.read_network(contents["network.tflite"], contents["head.npz"])
    found = tables.read(plan, run_dir, lineage)
    notes, table = list(found.notes), found.rows
    taught, further = tables.with_further_files(table[table["split"] == "train"], found)
    notes += further
    watched = table[(table["split"] == "val") & table["diagnosis"].isin(set(taught["diagnosis"]))]
    num_unknown = int((table["split"] == "val").sum()) - len(watched)
    if num_unknown:
        notes.append(
            f"Left out of validation, as no training photograph shows the diagnosis: {num_unknown}."
        )
    table = pd.concat([table[table["split"] != "val"], watched], ignore_index=True)
    for note in notes:
        report(note)
    rows, vectors, refused = _embedded(network, pd.concat([taught, watched]), run_dir, report)
    for reason in refused:
        report(f"Left out: {reason}")
    tables.check(pd.concat([rows, table[table["split"] == "test"]]))
    is_taught = (rows["split"] == "train").to_numpy()
    labels = tables.labels(rows)
    photographs = rows[is_taught].drop_duplicates("image_id")
    report("Fitting the last layer, from strongly held back to hardly.")
    plans.write_status(run_dir, "fitting")

    def on_fit(history: list[dict[str, Any]]) -> None:
        plans.write_history(run_dir, history)
        plans.write_status(run_dir, "fitting", done=len(history), total=len(heads.STRENGTHS))
        report("  ".join(f"{name} {value:.4g}" for name, value in history[-1].items()))
        if plans.is_asked_to_stop(run_dir):
            raise RunStopped(f"The run “{run_dir.name}” stopped between two fits, as asked.")

    head = heads.fit(
        (vectors[is_taught], labels[is_taught]),
        (vectors[~is_taught], labels[~is_taught]),
        plan.config,
        np.bincount(tables.labels(photographs), minlength=len(CODES)),
        on_fit,
    )
    report(f"Held back by C = {head.strength:.3g}, which explains validation best.")
    # What the network said with its old last layer, of the very photographs of the test. Written
    # first: a run that is killed once the candidate is there has nothing left to do.
    logits, tested, _ = evaluate.score(network, table[table["split"] == "test"])
    before = evaluate.evaluation(tested, calibration.probabilities(logits, card.temperature))
    write_atomic(run_dir / PARENT_EVALUATION, evaluate.to_json(before).encode())
    return candidates.add(
        _trained(contents, head),
        _origin(plan, run_dir, card, found, table, rows, [*notes, *refused], head),
        models_dir,
        partial(plans.write_status, run_dir),
    )


def _embedded(
    network: Network, rows: pd.DataFrame, run_dir: Path, report: Callable[[str], None]
) -> tuple[pd.DataFrame, NDArray[np.float32], list[str]]:
    """The rows whose photograph can be read, their embeddings (N, K), and why others cannot."""
    report(f"Reading {len(rows):,} files through the network.")

    def tell(done: int, total: int) -> None:
        if done % _NUM_BETWEEN == 0 or done == total:
            plans.write_status(run_dir, "embedding", done=done, total=total)

    found = embeddings.of_files(network, [Path(path) for path in rows["path"]], tell)
    is_read = np.array([place not in found.refused for place in range(len(rows))])
    return rows[is_read].reset_index(drop=True), found.vectors[is_read], [*found.refused.values()]


def _trained(contents: dict[str, bytes], head: Head) -> TrainedNetwork:
    """The other model's network with the new last layer."""
    import sklearn

    file = io.BytesIO()
    np.savez(file, kernel=head.kernel, bias=head.bias)
    weights = artifacts.with_head(contents["network.weights.h5"], head.kernel, head.bias)
    return artifacts.of_files(
        contents | {"head.npz": file.getvalue(), "network.weights.h5": weights},
        {"scikit-learn": sklearn.__version__, "backend": "scikit-learn"},
    )


def _origin(
    plan: RunPlan,
    run_dir: Path,
    card: Card,
    found: tables.TrainingTable,
    table: pd.DataFrame,
    rows: pd.DataFrame,
    notes: list[str],
    head: Head,
) -> Origin:
    """What the candidate was made from; what could not be read was not learnt from."""
    is_known = table["image_id"].isin(set(rows["image_id"])) | (table["split"] == HELD_OUT[-1])
    config = dataclasses.replace(plan.config, network=card.network, image_size=card.image_size)
    settings = {
        "training": "quick: a new last layer, the network unchanged",
        "network": card.network,
        "image_size": card.image_size,
        "network_of": card.model_id,
        "balance": config.balance,
        "balance_by": config.balance_by,
        "regularization_c": head.strength,
        "seed": config.seed,
    }
    return Origin(
        run_id=run_dir.name,
        config=config,
        datasets=found.datasets,
        table=table[is_known].reset_index(drop=True),
        notes=tuple(notes),
        history=head.history,
        from_models=(card.model_id,),
        settings=settings,
        color_cast_limits=card.color_cast_limits,
    )
