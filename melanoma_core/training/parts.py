"""What a model has besides its network and thresholds: the index of similar cases."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from melanoma_core.evaluation import evaluate
from melanoma_core.evaluation.evaluate import Evaluation
from melanoma_core.metrics.estimates import Estimate
from melanoma_core.models import similar_cases, store
from melanoma_core.models.predict import Network
from melanoma_core.runs.training_data import TrainingData

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Parts:
    """The parts of a model, and how they did on test photographs."""

    files: dict[str, bytes]  # by name, of `store.PARTS`
    figures: dict[str, Estimate]  # for the card


def make(
    network: Network,
    data: TrainingData,
    test: Evaluation,
    test_embeddings: NDArray[np.float32],
    on_progress: OnProgress,
) -> Parts:
    """Make the parts of a model from its training photographs.

    Args:
        network: of the model.
        data: of its run.
        test: its evaluation on N test photographs.
        test_embeddings: (N, K) of these.
        on_progress: is told how many training photographs are embedded, of how many.
    """
    train = data.split("train")
    embeddings = embed(network, data.images_of(train), on_progress)
    licenses = {dataset.name: dataset.license for dataset in data.datasets}
    index = similar_cases.build(embeddings, network.kernel, train, licenses)
    shares = [
        similar_cases.vote(index, embedding, (group,)).melanoma_share
        for embedding, group in zip(test_embeddings, test.groups, strict=True)
    ]
    figures = {"vote_melanoma_auroc": evaluate.auroc(test, test.is_melanoma, np.array(shares))}
    return Parts({store.NEIGHBORS: similar_cases.to_bytes(index)}, figures)


def embed(
    network: Network, images: list[NDArray[np.uint8]], on_progress: OnProgress
) -> NDArray[np.float32]:
    """The embeddings (N, K) of images (S, S, 3)."""
    embeddings = np.empty((len(images), network.kernel.shape[0]), np.float32)
    for done, image in enumerate(images, start=1):
        embeddings[done - 1] = network.graph.run(image).embedding
        on_progress(done, len(images))
    return embeddings
