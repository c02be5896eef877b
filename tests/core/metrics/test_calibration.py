"""Softmax, temperature and reliability: by hand, against SciPy, and by property."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.metrics import log_loss

from melanoma_core.errors import RunError
from melanoma_core.metrics import calibration
from melanoma_core.metrics.calibration import Calibration


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def sample(logits, temperature, rng):
    """Class indices drawn from the probabilities of the logits at this temperature."""
    prob = softmax(logits / temperature, axis=1)
    return (prob.cumsum(axis=1) > rng.random((len(prob), 1))).argmax(axis=1)


def test_probabilities_equal_scipy_and_keep_the_shape(rng):
    logits = rng.normal(size=(20, 9)).astype(np.float32) * 10
    got = calibration.probabilities(logits, Calibration(1.7))
    np.testing.assert_allclose(got, softmax(logits.astype(np.float64) / 1.7, axis=1), atol=1e-15)
    np.testing.assert_allclose(
        calibration.probabilities(logits[3], Calibration(1.7)), got[3], atol=0
    )
    np.testing.assert_allclose(got.sum(axis=1), 1, atol=1e-15)


def test_probabilities_of_huge_logits_do_not_overflow():
    assert calibration.probabilities([1e4, -1e4]).tolist() == [1.0, 0.0]
    assert calibration.probabilities([-1e4, -1e4]).tolist() == [0.5, 0.5]


def test_a_higher_temperature_flattens_probabilities_and_keeps_their_order(rng):
    logits = rng.normal(size=(50, 9))
    cold, warm = (calibration.probabilities(logits, Calibration(t)) for t in (0.5, 3.0))
    assert (cold.max(axis=1) > warm.max(axis=1)).all()
    assert (cold.argsort(axis=1) == warm.argsort(axis=1)).all()


def test_shift_adds_prior_shift_and_class_bias_to_each_row(rng):
    logits = rng.normal(size=(4, 3)).astype(np.float32)
    both = Calibration(2.0, prior_shift=(0.5, -1.0, 0.0), class_bias=(0.1, 0.2, -0.3))
    shifted = both.shift(logits)
    assert shifted.dtype == np.float64
    expected = logits.astype(np.float64) + np.array([0.6, -0.8, -0.3])
    np.testing.assert_allclose(shifted, expected, atol=1e-15)
    np.testing.assert_array_equal(both.shift(logits[1]), shifted[1])


def test_shift_of_an_empty_calibration_leaves_the_logits(rng):
    logits = rng.normal(size=(4, 3))
    np.testing.assert_array_equal(Calibration(3.0).shift(logits), logits)
    np.testing.assert_array_equal(
        Calibration(class_bias=(1.0, 0.0, 0.0)).shift([0, 0, 0]), [1, 0, 0]
    )


def test_probabilities_shift_the_logits_before_the_temperature(rng):
    logits = rng.normal(size=(20, 3))
    fitted = Calibration(1.7, (0.5, -1.0, 0.0), (0.1, 0.2, -0.3))
    expected = softmax((logits + np.array([0.6, -0.8, -0.3])) / 1.7, axis=1)
    np.testing.assert_allclose(calibration.probabilities(logits, fitted), expected, atol=1e-15)


def test_prior_shift_turns_probabilities_for_even_classes_into_those_for_real_ones(rng):
    """Bayes: the odds of each class are multiplied by its real proportion over the trained one."""
    even = rng.dirichlet(np.ones(3), size=50)
    real = np.array([0.7, 0.2, 0.1])
    shift = Calibration(prior_shift=tuple(np.log(real / (1 / 3))))
    joint = even * real
    expected = joint / joint.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(calibration.probabilities(np.log(even), shift), expected, atol=1e-12)


def test_fit_is_class_bias_then_temperature_on_the_shifted_logits(rng):
    logits = rng.normal(size=(300, 4)) * 2
    truth = sample(logits + np.array([1.0, 0.0, -1.0, 0.5]), 1.4, rng)
    prior_shift = (0.4, 0.0, -0.2, 0.0)
    fitted = calibration.fit(logits, truth, prior_shift)
    class_bias = calibration.fit_class_bias(logits + prior_shift, truth)
    assert fitted.prior_shift == prior_shift
    np.testing.assert_array_equal(fitted.class_bias, class_bias)
    temperature = calibration.fit_temperature(logits + prior_shift + class_bias, truth)
    assert fitted.temperature == temperature
    without = calibration.fit(logits, truth)
    assert without.prior_shift == ()
    assert without.class_bias != fitted.class_bias


@pytest.mark.parametrize("temperature", [0, -1, math.nan, math.inf])
def test_probabilities_refuse_an_impossible_temperature(temperature):
    with pytest.raises(ValueError, match="above 0"):
        calibration.probabilities([0.0, 1.0], Calibration(temperature))


@pytest.mark.parametrize("logit", [math.nan, math.inf])
def test_probabilities_refuse_damaged_logits(logit):
    with pytest.raises(ValueError, match="NaN or infinite"):
        calibration.probabilities([0.0, logit])


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_fit_recovers_the_temperature_that_labels_were_drawn_with(rng, temperature):
    logits = rng.normal(size=(20_000, 5)) * 3
    fitted = calibration.fit_temperature(logits, sample(logits, temperature, rng))
    assert fitted == pytest.approx(temperature, rel=0.05)


def test_fit_equals_scipys_minimum(rng):
    logits = rng.normal(size=(200, 4)) * 2
    truth = sample(logits, 1.6, rng)

    def loss(log_temperature):
        prob = softmax(logits / math.exp(log_temperature), axis=1)
        return log_loss(truth, prob, labels=range(4))

    expected = math.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x)
    fitted = calibration.fit_temperature(logits, truth)
    assert fitted == pytest.approx(expected, rel=1e-4)
    assert loss(math.log(fitted)) <= loss(math.log(expected)) + 1e-12


def test_fit_scales_with_the_logits(rng):
    logits = rng.normal(size=(300, 3))
    truth = sample(logits, 1.2, rng)
    once = calibration.fit_temperature(logits, truth)
    assert calibration.fit_temperature(3 * logits, truth) == pytest.approx(3 * once, rel=1e-12)


def test_fit_stays_within_its_bounds_if_all_rows_are_right_or_wrong():
    logits = np.array([[5.0, 0.0], [0.0, 5.0]])
    all_right = calibration.fit_temperature(logits, [0, 1])
    all_wrong = calibration.fit_temperature(logits, [1, 0])
    assert all_right == pytest.approx(calibration.MIN_TEMPERATURE)
    assert all_wrong == pytest.approx(calibration.MAX_TEMPERATURE)
    assert calibration.MIN_TEMPERATURE <= all_right < all_wrong <= calibration.MAX_TEMPERATURE


def test_fit_of_constant_logits_is_1():
    assert calibration.fit_temperature(np.zeros((4, 3)), [0, 1, 2, 0]) == 1.0


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_class_biases_correct_wrong_class_proportions(rng, temperature):
    """Labels drawn with extra biases: temperature and biases are recovered, up to a constant."""
    logits = rng.normal(size=(20_000, 4)) * 3
    missing = np.array([0.9, -0.3, 0.0, -0.6])
    truth = sample(logits + missing, temperature, rng)
    bias = calibration.fit_class_bias(logits, truth)
    np.testing.assert_allclose(bias - bias.mean(), missing - missing.mean(), atol=0.1)
    fitted = calibration.fit_temperature(logits + bias, truth)
    assert fitted == pytest.approx(temperature, rel=0.05)
    proportions = calibration.probabilities(logits + bias, Calibration(fitted)).mean(axis=0)
    np.testing.assert_allclose(proportions, np.bincount(truth) / len(truth), atol=1e-3)


@pytest.mark.parametrize("wrong_by", [0, 900])
def test_class_biases_equal_scipys_minimum_without_gradients(rng, wrong_by):
    """Also if the true class is so unlikely that its probability underflows."""
    logits = rng.normal(size=(60, 3)) * 2
    truth = sample(logits + np.array([1.0, 0.0, -1.0]), 1.4, rng)
    logits[0, truth[0]] -= wrong_by

    def loss(parameters):
        log_prob = log_softmax(math.exp(parameters[0]) * logits + parameters[1:], axis=1)
        return -log_prob[np.arange(60), truth].sum() + 2 * np.sum(parameters[1:] ** 2)

    bounds = [(-math.log(calibration.MAX_TEMPERATURE), None), *[(None, None)] * 3]
    settings = {"xatol": 1e-9, "fatol": 1e-9, "maxiter": 10_000, "maxfev": 10_000}
    scale, *expected = minimize(
        loss, np.zeros(4), method="Nelder-Mead", bounds=bounds, options=settings
    ).x
    fitted = calibration.fit_class_bias(logits, truth)
    np.testing.assert_allclose(fitted, np.array(expected) / math.exp(scale), atol=2e-3)


def test_few_photographs_move_class_biases_less_than_many(rng):
    logits = np.zeros((400, 2))
    moved = [
        np.ptp(calibration.fit_class_bias(logits[: 4 * n], [0] * 3 * n + [1] * n)) for n in (1, 100)
    ]
    assert 0.05 < moved[0] < moved[1] / 2
    assert moved[1] == pytest.approx(math.log(3), abs=0.1)


def test_a_class_without_photographs_keeps_its_bias(rng):
    logits = rng.normal(size=(50, 3))
    bias = calibration.fit_class_bias(logits, sample(logits[:, :2], 1.0, rng))
    assert bias[2] == 0
    assert np.ptp(bias[:2]) > 0


def test_class_biases_stay_finite_if_a_diagnosis_is_masked(rng):
    logits = np.column_stack([rng.normal(size=(50, 2)), np.full(50, -1000.0)])
    bias = calibration.fit_class_bias(logits, sample(logits[:, :2], 1.0, rng))
    assert np.isfinite(bias).all()
    assert np.abs(bias).max() < 2


def test_class_biases_need_a_photograph():
    with pytest.raises(RunError, match="validation split holds no photograph"):
        calibration.fit_class_bias(np.empty((0, 9)), [])


def test_fit_refuses_an_empty_validation_split():
    with pytest.raises(RunError, match="validation split holds no photograph"):
        calibration.fit_temperature(np.empty((0, 9)), [])


@pytest.mark.parametrize(
    ("logits", "truth"),
    [([[0.0, 1.0]], [0, 1]), ([0.0, 1.0], [0, 1]), ([[0.0, 1.0]], [2]), ([[0.0, 1.0]], [-1])],
)
def test_fit_refuses_invalid_shapes_and_indices(logits, truth):
    with pytest.raises(ValueError, match=r"needed|must lie"):
        calibration.fit_temperature(logits, truth)


def test_reliability_by_hand():
    bins = calibration.reliability([1, 0, 1, 1], [0.0, 0.25, 0.5, 1.0], num_bins=2)
    low, high = bins
    assert (low.low, low.high, low.num_rows, low.num_hits) == (0.0, 0.5, 3, 2)
    assert (low.mean_probability, low.observed) == (0.25, 2 / 3)
    assert (high.low, high.high, high.num_rows, high.num_hits) == (0.5, 1.0, 1, 1)
    assert (high.mean_probability, high.observed) == (1.0, 1.0)


def test_reliability_shows_an_empty_bin_as_undefined():
    middle = calibration.reliability([0, 1], [0.1, 0.9], num_bins=3)[1]
    assert (middle.num_rows, middle.num_hits) == (0, 0)
    assert math.isnan(middle.mean_probability)
    assert math.isnan(middle.observed)


def test_reliability_counts_every_row_once(rng):
    prob = rng.random(500)
    truth = rng.random(500) < prob
    bins = calibration.reliability(truth, prob)
    assert len(bins) == 10
    assert sum(b.num_rows for b in bins) == 500
    assert sum(b.num_hits for b in bins) == truth.sum()
    assert all(b.low < b.mean_probability <= b.high for b in bins)


@pytest.mark.parametrize("prob", [-0.1, 1.1, math.nan])
def test_reliability_refuses_invalid_probabilities(prob):
    with pytest.raises(ValueError, match="outside 0 to 1"):
        calibration.reliability([1], [prob])


def test_rows_with_one_possible_class_are_like_indices(rng):
    logits, truth = rng.normal(size=(60, 4)) * 3, rng.integers(0, 4, 60)
    assert calibration.fit(logits, np.eye(4, dtype=bool)[truth]) == calibration.fit(logits, truth)


def test_labels_that_leave_classes_open_are_explained_by_their_sum(rng):
    logits = 4 * rng.normal(size=(400, 3))
    truth = sample(logits, 2.5, rng)
    is_possible = np.eye(3, dtype=bool)[truth]
    is_possible[truth > 0] = [False, True, True]
    found = calibration.fit_temperature(logits, is_possible)

    def loss(temperature):
        p = calibration.probabilities(logits, Calibration(temperature))
        return -np.log(np.where(is_possible, p, 0).sum(axis=1)).mean()

    assert calibration.MIN_TEMPERATURE < found < calibration.MAX_TEMPERATURE
    assert all(loss(found) <= loss(found * factor) for factor in (0.9, 0.99, 1.01, 1.1))


def test_benign_rows_without_a_name_lower_the_bias_of_melanoma(rng):
    truth = np.repeat([0, 1, 2], [60, 20, 20])
    logits = 2 * np.eye(3)[truth] + rng.normal(size=(100, 3))
    named = calibration.fit_class_bias(logits, truth)
    more = 2 * np.eye(3)[rng.integers(1, 3, 300)] + rng.normal(size=(300, 3))
    is_possible = np.eye(3, dtype=bool)[np.append(truth, np.full(300, 1))]
    is_possible[100:] = [False, True, True]
    both = calibration.fit_class_bias(np.concatenate([logits, more]), is_possible)
    assert both[0] - both[1:].mean() < named[0] - named[1:].mean()
