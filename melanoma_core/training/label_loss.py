"""The loss of photographs of which some are known to be benign and no more."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from melanoma_core.diagnoses import CODES, IS_POSSIBLE

_IS_BENIGN = np.array(IS_POSSIBLE[-1])


def label_crossentropy(label_smoothing: float = 0.0) -> Callable[[Any, Any], Any]:
    """The cross-entropy of targets (B, 10), in the order of `LABELS`, with logits (B, 9).

    A diagnosis costs the negative logarithm of its probability; “benign” that of the sum of the
    benign diagnoses, so that the network may choose among them. Linear in the targets: labels may
    be blended with each other and with teacher probabilities.

    Args:
        label_smoothing: share of the targets that is spread evenly over the nine diagnoses.

    Returns:
        A function of targets and logits that gives the losses (B,).
    """

    def losses(y_true: Any, y_pred: Any) -> Any:
        log_prob = keras.ops.log_softmax(y_pred, axis=-1)
        benign = keras.ops.logsumexp(keras.ops.where(_IS_BENIGN, log_prob, -np.inf), axis=-1)
        named = keras.ops.sum(y_true[:, : len(CODES)] * log_prob, axis=-1)
        likelihood = named + y_true[:, len(CODES)] * benign
        even = keras.ops.mean(log_prob, axis=-1)
        return -((1 - label_smoothing) * likelihood + label_smoothing * even)

    return losses
