"""Refusal of pictures that show no dermoscopic photograph of a skin lesion.

A linear layer on the network's embedding and on cheap measures of the pixels, fitted in training on
photographs of lesions against other pictures, healthy skin and clinical views
(`training.novelty_fitting`). What it learned lies in `novelty.npz`; a model without it refuses
nothing.
"""

import dataclasses
import io
import zipfile
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from melanoma_core.errors import ModelError
from melanoma_core.images import appearance

KINDS = ("lesion", "not_a_lesion", "no_lesion", "clinical_view")  # the order of the weights
MESSAGES = {
    "not_a_lesion": "It has little in common with the dermoscopic photographs that the model was "
    "trained on.",
    "no_lesion": "No lesion stands out from the skin.",
    "clinical_view": "It looks like a view from a distance; a photograph through a dermatoscope is "
    "needed.",
}
_MOST_DEVIATIONS = 6.0  # a number further out counts as this, or one of them would decide alone


@dataclass(frozen=True)
class Novelty:
    """What tells a model's photographs from other pictures; D = embedding and measures."""

    mean: NDArray[np.float32]  # (D,), of the training photographs
    scale: NDArray[np.float32]  # (D,), above 0
    weights: NDArray[np.float32]  # (D, 4), for `KINDS`
    bias: NDArray[np.float32]  # (4,)
    limit: NDArray[np.float32]  # (1,); a picture with a higher `score` is refused


@dataclass(frozen=True)
class Refusal:
    """Why a picture is not assessed."""

    kind: str  # one of `KINDS` but the first
    message: str


def numbers(image: NDArray[np.uint8], embedding: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a picture is judged by (D,).

    Args:
        image: (S, S, 3) RGB, the square that the network took.
        embedding: (K,), the network's.
    """
    return np.concatenate([embedding, appearance.measures(image)], dtype=np.float32)


def standardized(
    values: NDArray[np.float32], mean: NDArray[np.float32], scale: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Deviations (…, D) from the training photographs, at most 6 either way."""
    deviations = np.clip((values - mean) / scale, -_MOST_DEVIATIONS, _MOST_DEVIATIONS)
    return np.asarray(deviations, np.float32)


def evidence(novelty: Novelty, values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Logits (…, 4) of `KINDS` for numbers (…, D)."""
    deviations = standardized(values, novelty.mean, novelty.scale)
    return deviations.astype(np.float64) @ novelty.weights + novelty.bias


def score(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much more the other kinds together are supported than a lesion; logits (…, 4)."""
    return np.asarray(np.logaddexp.reduce(logits[..., 1:], axis=-1) - logits[..., 0])


def refusal(
    novelty: Novelty, image: NDArray[np.uint8], embedding: NDArray[np.float32]
) -> Refusal | None:
    """Why this picture is not assessed; None where it may be.

    Args:
        novelty: of the model.
        image: (S, S, 3) RGB, the square that the network took.
        embedding: (K,), the network's of it.

    Raises:
        ModelError: the novelty detector belongs to another network.
    """
    values = numbers(image, embedding)
    if values.shape != novelty.mean.shape:
        raise ModelError(
            f"The novelty detector takes {len(novelty.mean)} numbers, the network gives "
            f"{len(values)}: files of two models were mixed. Restore the folder from a copy."
        )
    logits = evidence(novelty, values)
    if score(logits) <= novelty.limit[0]:
        return None
    kind = KINDS[1 + int(logits[1:].argmax())]
    return Refusal(kind, MESSAGES[kind])


def to_bytes(novelty: Novelty) -> bytes:
    """The content of `novelty.npz`."""
    file = io.BytesIO()
    np.savez_compressed(file, **dataclasses.asdict(novelty))
    return file.getvalue()


def from_bytes(data: bytes) -> Novelty:
    """What `to_bytes` wrote.

    Raises:
        ModelError: the bytes are something else, or an array is not finite or of a wrong shape.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {field.name: archive[field.name] for field in dataclasses.fields(Novelty)}
        _check(arrays)
    except (
        OSError, EOFError, ValueError, TypeError, KeyError, zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        raise ModelError(
            f"The model’s novelty detector cannot be read ({error}). Restore its folder from a "
            "copy."
        ) from error
    return Novelty(**arrays)


def _check(arrays: dict[str, NDArray[np.float32]]) -> None:
    count = arrays["mean"].size
    shapes = {
        "mean": (count,), "scale": (count,), "weights": (count, len(KINDS)),
        "bias": (len(KINDS),), "limit": (1,),
    }  # fmt: skip
    for name, array in arrays.items():
        if array.dtype != np.float32 or array.shape != shapes[name]:
            raise ValueError(
                f"its {name} is {array.shape} of {array.dtype}; {shapes[name]} of float32 is "
                "expected"
            )
        if not np.isfinite(array).all():
            raise ValueError(f"its {name} is not finite")
    if not (arrays["scale"] > 0).all():
        raise ValueError("its scale is not above 0")
