"""A photograph in, the calibrated probability of every diagnosis out, in one forward pass."""

import io
import os
import threading
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from melanoma_core.diagnoses import CARCINOMA_CODES, MALIGNANT_CODES
from melanoma_core.errors import ModelError
from melanoma_core.images import reading
from melanoma_core.metrics import calibration
from melanoma_core.models import cards, novelty, outcomes, similar_cases, store
from melanoma_core.models.novelty import Novelty
from melanoma_core.models.outcomes import Outcomes
from melanoma_core.models.similar_cases import Index

# Between processors the same graph differs by about 1e-6; a damaged one by far more.
GOLDEN_TOLERANCE = 1e-4
_MOST_THREADS = 2


class GraphOutput(NamedTuple):
    """What a graph gives for one image."""

    features: NDArray[np.float32] | None  # (h, w, K), last feature map; not every network has one
    embedding: NDArray[np.float32]  # (K,)
    # (h, w) logits, > 0 inside the lesion; None where no decoder was trained.
    outline: NDArray[np.float32] | None = None


class Graph:
    """A LiteRT graph that several threads may use; an interpreter itself is not thread-safe."""

    def __init__(self, content: bytes) -> None:
        """Take the bytes of the .tflite file.

        Raises:
            ModelError: they are no graph from an image to an embedding.
        """
        try:
            self._interpreter = Interpreter(model_content=content, num_threads=_num_threads())
            self._interpreter.allocate_tensors()
            self._runner = self._interpreter.get_signature_runner()
            shape = tuple(self._runner.get_input_details()["image"]["shape"])
            outputs = set(self._runner.get_output_details())
        except (ValueError, RuntimeError, KeyError) as error:
            raise ModelError(f"The network is not a graph that can be run ({error}).") from error
        if len(shape) != 4 or shape[0] != 1 or shape[1] != shape[2] or "embedding" not in outputs:
            raise ModelError(
                f"The network takes {shape} and gives {', '.join(sorted(outputs))}; one square "
                "image and an embedding are expected."
            )
        self.image_size = int(shape[1])
        self._lock = threading.Lock()

    def run(self, image: NDArray[np.uint8]) -> GraphOutput:
        """Run the graph on an image (image_size, image_size, 3), RGB."""
        batch = image[np.newaxis].astype(np.float32)
        with self._lock:
            answer = self._runner(image=batch)  # copies, which the next call leaves alone
        features, outline = answer.get("features"), answer.get("outline")
        return GraphOutput(
            None if features is None else features[0],
            answer["embedding"][0],
            None if outline is None else outline[0],
        )


def _num_threads() -> int:
    """Threads of a graph; they change no answer, and two on one core take longer than one."""
    if hasattr(os, "sched_getaffinity"):  # only Linux knows which cores a process is held to
        return min(_MOST_THREADS, len(os.sched_getaffinity(0)))
    return min(_MOST_THREADS, os.cpu_count() or 1)


@dataclass(frozen=True)
class Network:
    """A graph and the dense layer on top of it."""

    graph: Graph
    kernel: NDArray[np.float32]  # (K, C)
    bias: NDArray[np.float32]  # (C,)

    def logits(self, embedding: NDArray[np.float32]) -> NDArray[np.float64]:
        """Logits (C,) of one embedding (K,)."""
        return embedding.astype(np.float64) @ self.kernel + self.bias

    def logits_of(self, images: Iterable[NDArray[np.uint8]]) -> NDArray[np.float64]:
        """Logits (N, C) of images (S, S, 3) of the network's own size."""
        return np.array([self.logits(self.graph.run(image).embedding) for image in images])


@dataclass(frozen=True)
class Model:
    """A network with its card, checked and ready to answer."""

    card: cards.Card
    sha256: str  # of card.json, which holds that of every other file
    network: Network
    outcomes: Outcomes  # of its test photographs
    index: Index | None = None  # of its training photographs; None: it has none
    novelty: Novelty | None = None  # refuses pictures that show no lesion; None: it refuses none


@dataclass(frozen=True)
class Prediction:
    """What a model says of one photograph."""

    model_id: str
    codes: tuple[str, ...]  # diagnoses, in the order of the arrays
    logits: NDArray[np.float64]  # (C,)
    probabilities: NDArray[np.float64]  # (C,), calibrated; they sum to 1
    features: NDArray[np.float32] | None  # (h, w, K)
    embedding: NDArray[np.float32]  # (K,)
    outline: NDArray[np.float32] | None = None  # as in `GraphOutput`

    def probability(self, code: str) -> float:
        """Calibrated probability of one diagnosis."""
        return float(self.probabilities[self.codes.index(code)])

    @property
    def melanoma_probability(self) -> float:
        """What is compared with the referral threshold."""
        return self.probability("MEL")

    @property
    def malignant_probability(self) -> float:
        """Sum over the malignant diagnoses."""
        return sum(self.probability(code) for code in self.codes if code in MALIGNANT_CODES)

    @property
    def carcinoma_probability(self) -> float:
        """What is compared with the referral threshold for carcinoma."""
        return sum(self.probability(code) for code in self.codes if code in CARCINOMA_CODES)

    @property
    def likeliest(self) -> str:
        """Code of the diagnosis with the highest probability."""
        return self.codes[int(self.probabilities.argmax())]


def classify(model: Model, image: NDArray[np.uint8]) -> Prediction:
    """Assess one photograph.

    Args:
        model: as `load` gives it.
        image: (H, W, 3) RGB, upright, any size.
    """
    output = model.network.graph.run(reading.resize(image, model.network.graph.image_size))
    logits = model.network.logits(output.embedding)
    return Prediction(
        model_id=model.card.model_id,
        codes=model.card.diagnoses,
        logits=logits,
        probabilities=calibration.probabilities(logits, model.card.calibration),
        features=output.features,
        embedding=output.embedding,
        outline=output.outline,
    )


def read_network(graph: bytes, head: bytes) -> Network:
    """The network made of the contents of network.tflite and head.npz.

    Raises:
        ModelError: one of them is damaged, or they do not fit each other.
    """
    arrays = _read_arrays(head, ("kernel", "bias"))
    network = Network(Graph(graph), arrays["kernel"], arrays["bias"])
    blank = np.zeros((network.graph.image_size,) * 2 + (3,), np.uint8)
    embedding = network.graph.run(blank).embedding
    if not np.isfinite(embedding).all():
        raise ModelError("The network gives numbers that are not finite. Train again.")
    if network.kernel.ndim != 2 or network.kernel.shape != (*embedding.shape, *network.bias.shape):
        raise ModelError(
            f"The dense layer is {network.kernel.shape} and its bias {network.bias.shape}, but "
            f"the network gives {embedding.shape[0]} numbers: files of two models were mixed."
        )
    return network


def load(directory: Path) -> Model:
    """The model in this folder, after every check.

    Checked are the SHA-256 of every file, shapes, finite numbers, and that the golden inputs
    still give the probabilities that they gave in training.

    Raises:
        ModelError: a check failed; the message says which.
    """
    card, card_sha256, contents = store.read_files(directory)
    network = read_network(contents["network.tflite"], contents["head.npz"])
    if len(card.diagnoses) != len(network.bias) or network.graph.image_size != card.image_size:
        raise ModelError(
            f"The card of “{card.model_id}” speaks of {len(card.diagnoses)} diagnoses at "
            f"{card.image_size} px, its network of {len(network.bias)} at "
            f"{network.graph.image_size} px. Restore the folder from a copy."
        )
    neighbors, detector = contents.get(store.NEIGHBORS), contents.get(store.NOVELTY)
    model = Model(
        card,
        card_sha256,
        network,
        outcomes.from_evaluation(contents["evaluation.json"]),
        similar_cases.from_bytes(neighbors, network.kernel.shape[0]) if neighbors else None,
        novelty.from_bytes(detector) if detector else None,
    )
    _check_golden(model, contents["golden.npz"])
    return model


def _check_golden(model: Model, content: bytes) -> None:
    """Compare the answers to the made-up inputs with those given in training."""
    golden = _read_arrays(content, ("images", "probabilities"))
    images, probabilities = golden["images"], golden["probabilities"]
    size, num_codes = model.card.image_size, len(model.card.diagnoses)
    if (
        images.shape[1:] != (size, size, 3)
        or not len(images)
        or images.dtype != np.uint8
        or probabilities.shape != (len(images), num_codes)
    ):
        raise ModelError(
            f"The golden inputs of “{model.card.model_id}” are {images.shape} with answers "
            f"{probabilities.shape}; at least one of ({size}, {size}, 3) with {num_codes} "
            "probabilities is expected. Train again."
        )
    for image, expected in zip(images, probabilities, strict=True):
        difference = float(np.abs(classify(model, image).probabilities - expected).max())
        if not difference <= GOLDEN_TOLERANCE:
            raise ModelError(
                f"The model “{model.card.model_id}” answers {difference:.2g} away from what it "
                f"answered when it was made; {GOLDEN_TOLERANCE:g} is allowed. Promote another "
                "model."
            )


def check_card(entry: store.Champion, sha256: str) -> None:
    """Compare the SHA-256 of a card with the one that was noted at promotion.

    Raises:
        ModelError: they differ.
    """
    if sha256 != entry.sha256:
        raise ModelError(
            f"The card of “{entry.model_id}” was changed after its promotion. "
            "Restore the folder from a copy."
        )


def load_champion(
    models_dir: Path, entries: tuple[store.Champion, ...] | None = None
) -> tuple[Model, str | None]:
    """The model in use; where it fails its checks, the one before it, and what is wrong.

    Args:
        models_dir: where models are kept.
        entries: from `store.champions`; read again by default.

    Raises:
        ModelError: no model is in use, or none of them passes its checks.
    """
    problems: list[str] = []
    for entry in store.champions(models_dir) if entries is None else entries:
        try:
            model = load(store.model_dir(models_dir, entry.model_id))
            check_card(entry, model.sha256)
            return model, problems[0] if problems else None
        except ModelError as error:
            problems.append(str(error))
    raise ModelError(
        problems[0]
        if problems
        else "No model is in use yet. Train one on your data, or promote a candidate."
    )


def _read_arrays(data: bytes, names: tuple[str, ...]) -> dict[str, NDArray[np.float32]]:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in names}
    except (
        OSError, EOFError, ValueError, TypeError, KeyError, zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        raise ModelError(f"A file of the model cannot be read ({error}).") from error
    for name, array in arrays.items():
        if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
            raise ModelError(f"The array “{name}” of the model holds numbers that are not finite.")
    return arrays
