"""Recipe “head”: a new last layer on the network of a parent, without TensorFlow and in minutes.

The network stays as it is, so nothing that it was trained on can be measured, and what was held out
from it stays held out.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from melanoma_core.diagnoses import CODES, UNNAMED
from melanoma_core.errors import RunError, RunStopped
from melanoma_core.evaluation import evaluate
from melanoma_core.metrics import calibration
from melanoma_core.models import artifacts, predict
from melanoma_core.models.predict import Network
from melanoma_core.paths import write_atomic
from melanoma_core.runs import lifecycle, plans, training_data
from melanoma_core.runs.configs import TrainConfig
from melanoma_core.runs.plans import RunPlan
from melanoma_core.runs.provenance import Parent
from melanoma_core.runs.training_data import TrainingData
from melanoma_core.training import head_fitting
from melanoma_core.training.recipes import RecipeNetwork, Report

_NUM_BETWEEN = 25  # photographs between two updates of the progress
_UNNAMED = "Left out of training, as no table names their diagnosis: {:,} files."


def settle(plan: RunPlan, parents: Sequence[Parent]) -> TrainConfig:
    """The settings of the plan with the parent's network.

    Raises:
        RunError: there is no parent.
    """
    if not parents:
        raise RunError(
            "A new last layer needs the network of a model, and none is named. Promote a model, "
            "or name one with --from-model."
        )
    card = parents[0].card
    return dataclasses.replace(plan.config, network=card.network, image_size=card.image_size)


def make(
    plan: RunPlan, data: TrainingData, parents: Sequence[Parent], run_dir: Path, report: Report
) -> RecipeNetwork:
    """Fit the last layer on the embeddings of the parent's network.

    Raises:
        RunError: the parent's network cannot be read.
        RunStopped: the run was asked to stop.
        DatasetError: fewer than two diagnoses are to be distinguished.
    """
    import sklearn

    (parent,) = parents
    network = predict.read_network(parent.files["network.tflite"], parent.files["head.npz"])
    files, val = data.files("train"), data.split("val")
    is_named = files["diagnosis"].isin(CODES)
    notes = [_UNNAMED.format(int((~is_named).sum()))] if not is_named.all() else []
    files = files[is_named]
    val = val[val["diagnosis"].isin({*files["diagnosis"], UNNAMED.code})]
    report(f"Embedding {len(files) + len(val):,} photographs.")
    vectors = _embeddings(network, data.images_of(pd.concat([files, val])), run_dir)
    report("Fitting the last layer, from strong to weak regularization.")
    plans.write_status(run_dir, "fitting")

    def on_fit(history: list[dict[str, Any]]) -> None:
        plans.write_history(run_dir, history)
        plans.write_status(run_dir, "fitting", done=len(history), total=len(head_fitting.STRENGTHS))
        report("  ".join(f"{name} {value:.4g}" for name, value in history[-1].items()))
        if plans.is_asked_to_stop(run_dir):
            raise RunStopped(f"The run “{run_dir.name}” stopped between two fits, as asked.")

    head = head_fitting.fit(
        (vectors[: len(files)], training_data.labels(files)),
        (vectors[len(files) :], training_data.labels(val)),
        plan.config,
        training_data.counts(data.split("train")),
        on_fit,
    )
    report(f"Regularization C = {head.strength:.3g} explains validation best.")
    _write_parent_evaluation(network, parent, data, run_dir)
    card = parent.card
    return RecipeNetwork(
        artifacts.from_files(
            {**parent.files, "head.npz": artifacts.head_bytes(head.kernel, head.bias)},
            {**artifacts.network_versions(card.versions), "scikit-learn": sklearn.__version__},
        ),
        head.prior_shift,
        card.color_cast_limits,
        (f"The network is that of {card.model_id}; only the last layer was trained.", *notes),
        head.history,
        {
            "training": "last layer only",
            "network": card.network,
            "image_size": card.image_size,
            "network_of": card.model_id,
            "balance": plan.config.balance,
            "balance_by": plan.config.balance_by,
            "regularization_c": head.strength,
            "seed": plan.config.seed,
        },
    )


def _embeddings(
    network: Network, images: Sequence[NDArray[np.uint8]], run_dir: Path
) -> NDArray[np.float32]:
    """(N, K) of images of the network's own size."""
    vectors = []
    for done, image in enumerate(images, start=1):
        vectors.append(network.graph.run(image).embedding)
        if done % _NUM_BETWEEN == 0 or done == len(images):
            plans.write_status(run_dir, "embedding", done=done, total=len(images))
    return np.stack(vectors)


def _write_parent_evaluation(
    network: Network, parent: Parent, data: TrainingData, run_dir: Path
) -> None:
    """What the parent says of this test, for the comparison on the page Train.

    Written before the candidate: a run that is killed after that has nothing left to do.
    """
    test = data.split("test")
    logits = network.logits_of(data.images_of(test))
    y_prob = calibration.probabilities(logits, parent.card.calibration)
    measured = evaluate.from_table(test, y_prob)
    write_atomic(run_dir / lifecycle.PARENT_EVALUATION, evaluate.to_json(measured).encode())
