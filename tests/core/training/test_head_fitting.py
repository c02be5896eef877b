"""A new last layer: fitted on embeddings, for real class proportions, absent classes masked."""

from dataclasses import replace

import numpy as np
import pytest

from melanoma_core.diagnoses import CODES, LABELS
from melanoma_core.errors import DatasetError
from melanoma_core.metrics import calibration
from melanoma_core.metrics.calibration import Calibration
from melanoma_core.training import head_fitting
from tests.support import made_models

CONFIG = replace(made_models.CONFIG, balance="none")
MEL, NV, BCC = (CODES.index(code) for code in ("MEL", "NV", "BCC"))


def clouds(counts, seed=0, width=8):
    """Embeddings around one corner for each class, and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(list(counts), list(counts.values()))
    corners = 2.5 * np.eye(width)[labels % width]
    vectors = (corners + rng.normal(size=(len(labels), width))).astype(np.float32)
    return vectors, labels


def fit(train, val, config=CONFIG, **options):
    counts = np.bincount(train[1], minlength=len(LABELS))
    return head_fitting.fit(train, val, config, counts, **options)


def test_classes_are_distinguished():
    train, val = clouds({MEL: 80, NV: 120, BCC: 60}), clouds({MEL: 30, NV: 30, BCC: 30}, seed=1)
    head = fit(train, val)
    logits = val[0] @ head.kernel + head.bias
    assert (logits.argmax(axis=1) == val[1]).mean() > 0.85
    assert head.kernel.dtype == head.bias.dtype == np.float32
    assert head.kernel.shape == (8, 9)


def test_layer_is_the_one_that_explains_validation_best_and_every_fit_is_reported():
    told = []
    train, val = clouds({MEL: 40, NV: 40}), clouds({MEL: 20, NV: 20}, seed=1)
    head = fit(train, val, on_fit=lambda history: told.append(len(history)))
    losses = [row["val_loss"] for row in head.history]
    best = int(np.argmin(losses))
    assert head.strength == head.history[best]["strength"]
    assert told == list(range(1, len(losses) + 1)) == [row["epoch"] for row in head.history]
    shift = Calibration(prior_shift=head.prior_shift)
    logits = val[0].astype(np.float64) @ head.kernel + head.bias
    probabilities = calibration.probabilities(logits, shift)
    loss = -np.log(probabilities[np.arange(len(val[1])), val[1]]).mean()
    assert loss == pytest.approx(losses[best], rel=1e-4)


@pytest.mark.parametrize("method", ["sampling", "weights", "copies"])
def test_probabilities_are_for_real_proportions_however_classes_were_balanced(method):
    counts = {MEL: 60, NV: 540}
    train, val = clouds(counts), clouds(counts, seed=1)
    head = fit(train, val, replace(CONFIG, balance="even", balance_by=method))
    logits = val[0] @ head.kernel + head.bias
    shift = Calibration(prior_shift=head.prior_shift)
    assert calibration.probabilities(logits, shift)[:, MEL].mean() == pytest.approx(0.1, abs=0.025)
    # The layer itself stays as it was fitted, on balanced classes.
    assert calibration.probabilities(logits)[:, MEL].mean() > 0.15
    expected = np.zeros(len(CODES))
    expected[[MEL, NV]] = np.log([0.1 / 0.5, 0.9 / 0.5])
    np.testing.assert_allclose(head.prior_shift, expected, atol=1e-6)


def test_diagnosis_without_training_photographs_has_no_probability():
    train, val = clouds({MEL: 40, NV: 40}), clouds({MEL: 20, NV: 20}, seed=1)
    head = fit(train, val)
    mildest = Calibration(calibration.MAX_TEMPERATURE, head.prior_shift)
    probabilities = calibration.probabilities(val[0] @ head.kernel + head.bias, mildest)
    assert probabilities[:, [k for k in range(9) if k not in (MEL, NV)]].max() < 1e-9


def test_one_class_alone_is_refused():
    with pytest.raises(DatasetError, match="show 1 diagnoses; at least two"):
        fit(clouds({NV: 10}), clouds({NV: 5}))


def test_same_data_give_the_same_layer():
    train, val = clouds({MEL: 40, NV: 60}), clouds({MEL: 20, NV: 20}, seed=1)
    first, second = fit(train, val), fit(train, val)
    np.testing.assert_array_equal(first.kernel, second.kernel)
    np.testing.assert_array_equal(first.bias, second.bias)
