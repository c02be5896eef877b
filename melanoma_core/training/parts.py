"""What a model has besides its network and thresholds.

The index of similar cases, what refuses pictures that show no lesion, and the limits of quality.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from melanoma_core.evaluation import evaluate
from melanoma_core.evaluation.evaluate import Evaluation
from melanoma_core.metrics.estimates import Estimate
from melanoma_core.models import novelty, similar_cases, store
from melanoma_core.models.predict import Network
from melanoma_core.models.quality_checks import Limit
from melanoma_core.runs.training_data import TrainingData
from melanoma_core.training import novelty_fitting, quality_limits
from melanoma_core.training.quality_limits import Judged

OnProgress = Callable[[int, int], None]
Report = Callable[[str, int, int], None]  # is told the phase, and how many are done, of how many


@dataclass(frozen=True)
class Parts:
    """The parts of a model, and how they did on test photographs."""

    files: dict[str, bytes]  # by name, of `store.PARTS`
    quality_limits: dict[str, Limit]  # for the card, as the figures
    figures: dict[str, Estimate]


def make(
    judged: Judged,
    data: TrainingData,
    test: Evaluation,
    test_embeddings: NDArray[np.float32],
    non_lesions: Path | None,
    report: Report,
) -> Parts:
    """Make the parts of a model from its training and validation photographs.

    Args:
        judged: the network, its calibration and its threshold.
        data: of its run.
        test: its evaluation on N test photographs.
        test_embeddings: (N, K) of these.
        non_lesions: folder of pictures to refuse; None: only those drawn by code.
        report: is told the progress.
    """
    train, val = data.part_rows(), data.split("val")
    network = judged.network
    embeddings = embed(network, data.images_of(train), partial(report, "indexing"))
    licenses = {dataset.name: dataset.license for dataset in data.datasets}
    index = similar_cases.build(embeddings, network.kernel, train, licenses)
    shares = [
        similar_cases.vote(index, embedding, (group,)).melanoma_share
        for embedding, group in zip(test_embeddings, test.groups, strict=True)
    ]
    rows = pd.concat([train, val], ignore_index=True)
    rows = rows.assign(is_melanoma=rows["diagnosis"] == "MEL")
    detector = novelty_fitting.fit(
        network,
        data.images_of(train),
        embeddings,
        data.images_of(val),
        non_lesions,
        list(val["source"]),
        partial(report, "telling apart"),
    )
    return Parts(
        {
            store.NEIGHBORS: similar_cases.to_bytes(index),
            store.NOVELTY: novelty.to_bytes(detector),
        },
        quality_limits.fit(judged, rows, partial(report, "degrading")),
        {"vote_melanoma_auroc": evaluate.auroc(test, test.is_melanoma, np.array(shares))},
    )


def embed(
    network: Network, images: list[NDArray[np.uint8]], on_progress: OnProgress
) -> NDArray[np.float32]:
    """The embeddings (N, K) of images (S, S, 3)."""
    embeddings = np.empty((len(images), network.kernel.shape[0]), np.float32)
    for done, image in enumerate(images, start=1):
        embeddings[done - 1] = network.graph.run(image).embedding
        on_progress(done, len(images))
    return embeddings
