"""Figures by diagnosis, subgroup and threshold: by hand, and against scikit-learn."""

import math
import time

import numpy as np
import pytest
from sklearn import metrics as sk

from melanoma_core.diagnoses import CODES
from melanoma_core.evaluation import evaluate, subgroups
from melanoma_core.metrics import calibration, classification
from tests.support.made_evaluations import drawn, made, spread


def of_codes(**probabilities):
    """A row of probabilities by code; they sum to 1."""
    row = np.zeros(len(CODES))
    for code, probability in probabilities.items():
        row[CODES.index(code)] = probability
    return row


@pytest.fixture(scope="module")
def random_evaluation():
    rng = np.random.default_rng(5)
    return drawn(
        age_approx=rng.choice([5.0, 45.0, 85.0, np.nan], 300),
        sex=rng.choice(np.array(["male", "female", None], dtype=object), 300),
    )


def test_diagnoses_by_hand():
    measured = made(
        ["SK", "SK", "PBK", "NV", "NV"],
        [
            of_codes(
                SK=0.3, PBK=0.3, NV=0.4
            ),  # nevus is the likeliest of the nine, BKL of the seven
            of_codes(SK=0.9, NV=0.1),
            of_codes(SK=0.6, PBK=0.4),  # the wrong keratosis
            of_codes(NV=0.8, SK=0.2),
            of_codes(NV=0.5, SK=0.35, MEL=0.15),
        ],
        lesion_id=["a", "a", "b", "c", "d"],
    )
    by_diagnosis = subgroups.by_diagnosis(measured)
    assert list(by_diagnosis) == [*CODES, "BKL", "AKIEC"]
    counts = {code: (part.num_photographs, part.num_lesions) for code, part in by_diagnosis.items()}
    assert counts["SK"] == (2, 1)
    assert counts["PBK"] == (1, 1)
    assert counts["BKL"] == (3, 2)
    assert counts["NV"] == (2, 2)
    assert counts["AKIEC"] == (0, 0)
    sensitivities = {code: part.sensitivity.value for code, part in by_diagnosis.items()}
    assert (sensitivities["SK"], sensitivities["PBK"], sensitivities["NV"]) == (0.5, 0, 1)
    assert sensitivities["BKL"] == 1
    assert by_diagnosis["SK"].sensitivity.num_hits == 1
    assert math.isnan(sensitivities["MEL"])
    # Of the six pairs of an SK and another: 0.3 beats 0.2; 0.9 beats all three.
    assert by_diagnosis["SK"].auroc.value == pytest.approx(4 / 6)
    assert by_diagnosis["SK"].auroc.num_photographs == 5
    assert by_diagnosis["BKL"].auroc.value == 1
    assert math.isnan(by_diagnosis["MEL"].auroc.value)


def test_diagnoses_agree_with_scikit_learn_and_with_the_card(random_evaluation):
    measured = random_evaluation
    by_diagnosis = subgroups.by_diagnosis(measured)
    diagnosis = measured.table["diagnosis"]
    likeliest = measured.y_prob.argmax(axis=1)
    for column, code in enumerate(CODES):
        assert by_diagnosis[code].auroc.value == pytest.approx(
            sk.roc_auc_score(diagnosis == code, measured.y_prob[:, column])
        )
        assert by_diagnosis[code].sensitivity.value == pytest.approx(
            sk.recall_score(diagnosis == code, likeliest == column)
        )
    figures = evaluate.figures(measured, dict.fromkeys(CODES, 1), 0.2)
    assert by_diagnosis["MEL"].auroc == figures["melanoma_auroc"]
    assert by_diagnosis["BKL"].auroc == figures["keratoses_auroc"]
    low, high = classification.bootstrap_interval(
        classification.auroc, (measured.is_melanoma, measured.melanoma_probability), measured.groups
    )
    assert (by_diagnosis["MEL"].auroc.low, by_diagnosis["MEL"].auroc.high) == (low, high)


def test_subgroups_by_hand():
    measured = made(
        ["MEL", "NV", "NV", "MEL", "NV", "NV"],
        [spread("MEL", p) for p in (0.9, 0.1, 0.6, 0.2, 0.3, 0.7)],
        sex=["male", "male", "male", "female", None, None],
        age_approx=[45, 40, 49, 5, 90, np.nan],
        anatom_site_general=["back"] * 6,
    )
    by_sex = subgroups.by_attribute(measured, "sex", 0.5)
    assert list(by_sex) == ["female", "male", "not recorded"]
    assert set(by_sex["male"]) == {"melanoma_auroc", "sensitivity", "specificity"}
    assert by_sex["male"]["melanoma_auroc"].value == 1
    assert by_sex["male"]["sensitivity"].value == 1
    assert by_sex["male"]["specificity"].value == 0.5
    assert by_sex["male"]["specificity"].num_photographs == 2
    assert by_sex["female"]["sensitivity"].value == 0
    assert math.isnan(by_sex["female"]["melanoma_auroc"].value)
    assert math.isnan(by_sex["female"]["specificity"].value)
    assert by_sex["not recorded"]["specificity"].num_hits == 1
    by_age = subgroups.by_attribute(measured, "age", 0.5)
    assert list(by_age) == ["0–9", "40–49", "90+", "not recorded"]
    assert by_age["40–49"]["specificity"].num_photographs == 2
    assert list(subgroups.by_attribute(measured, "site", 0.5)) == ["back"]


def test_subgroups_by_source_are_those_of_the_card(random_evaluation):
    by_value = subgroups.by_attribute(random_evaluation, "source", 0.2)
    card = evaluate.figures_by_source(random_evaluation, dict.fromkeys(CODES, 1), 0.2)
    assert list(by_value) == ["ham10000", "isic2017"]
    for source, figures in by_value.items():
        assert figures == {name: card[source][name] for name in figures}


@pytest.mark.parametrize("attribute", ["age", "sex", "site", "source"])
def test_every_photograph_is_in_one_subgroup(random_evaluation, attribute):
    by_value = subgroups.by_attribute(random_evaluation, attribute, 0.2)
    total = sum(part["melanoma_auroc"].num_photographs for part in by_value.values())
    melanomas = sum(part["sensitivity"].num_photographs for part in by_value.values())
    assert (total, melanomas) == (300, random_evaluation.is_melanoma.sum())


def test_rows_of_the_confusion_are_true_diagnoses():
    measured = made(
        ["MEL", "MEL", "NV", "VASC"],
        [spread("NV", 0.9), spread("MEL", 0.9), spread("NV", 0.8), spread("VASC", 0.7)],
    )
    counts = subgroups.confusion(measured)
    expected = np.zeros((9, 9), int)
    expected[0, 1] = expected[0, 0] = expected[1, 1] = expected[8, 8] = 1
    np.testing.assert_array_equal(counts, expected)


def test_confusion_and_curve_agree_with_scikit_learn(random_evaluation):
    measured = random_evaluation
    np.testing.assert_array_equal(
        subgroups.confusion(measured),
        sk.confusion_matrix(measured.true, measured.y_prob.argmax(axis=1), labels=range(9)),
    )
    ties = made(measured.table["diagnosis"], np.round(measured.y_prob, 1))
    for part in (measured, ties):
        expected = sk.roc_curve(part.is_melanoma, part.melanoma_probability)
        for actual, desired in zip(subgroups.roc(part), expected, strict=True):
            np.testing.assert_allclose(actual, desired)


def test_curve_starts_with_nothing_referred_and_ends_with_everything():
    measured = made(["MEL", "MEL", "NV", "NV"], [spread("MEL", p) for p in (0.9, 0.3, 0.5, 0.1)])
    rates, sensitivities, thresholds = subgroups.roc(measured)
    assert rates.tolist() == [0, 0, 0.5, 0.5, 1]
    assert sensitivities.tolist() == [0, 0.5, 0.5, 1, 1]
    assert thresholds.tolist() == [np.inf, 0.9, 0.5, 0.3, 0.1]


def test_curve_passes_through_every_operating_point(random_evaluation):
    rates, sensitivities, thresholds = subgroups.roc(random_evaluation)
    for rate, expected, threshold in zip(rates, sensitivities, thresholds, strict=True):
        sensitivity, specificity = subgroups.at_threshold(random_evaluation, threshold)
        assert (expected, rate) == pytest.approx((sensitivity.value, 1 - specificity.value))
    assert np.trapezoid(sensitivities, rates) == pytest.approx(
        classification.auroc(random_evaluation.is_melanoma, random_evaluation.melanoma_probability)
    )


@pytest.mark.parametrize("code", ["MEL", "NV"])
def test_a_single_class_has_no_curve(code):
    curve = subgroups.roc(made([code] * 3, [spread("MEL", 0.5)] * 3))
    assert [len(part) for part in curve] == [0, 0, 0]


def test_figures_at_a_threshold_are_those_of_the_card(random_evaluation):
    figures = evaluate.figures(random_evaluation, dict.fromkeys(CODES, 1), 0.3)
    assert subgroups.at_threshold(random_evaluation, 0.3) == (
        figures["sensitivity"], figures["specificity"],
    )  # fmt: skip


def test_all_figures_of_a_test_split_take_a_few_seconds():
    rng = np.random.default_rng(0)
    measured = drawn(
        2400,
        age_approx=rng.integers(0, 19, 2400) * 5.0,
        anatom_site_general=rng.choice([f"site {k}" for k in range(14)], 2400),
    )
    started = time.process_time()
    subgroups.by_diagnosis(measured)
    for attribute in ("age", "sex", "site", "source"):
        subgroups.by_attribute(measured, attribute, 0.2)
    assert time.process_time() - started < 8


def test_observed_proportions_are_those_of_the_reliability_bins():
    measured = made(
        ["MEL", "NV", "NV", "MEL", "NV"],
        [spread("MEL", p) for p in (0.9, 0.85, 0.2, 0.1, 0.5)],
        group_id=["a", "a", "b", "c", "d"],
    )
    hits, prob = measured.is_melanoma == 1, measured.melanoma_probability
    observed = subgroups.observed_proportions(measured, hits, prob, 2)
    bins = calibration.reliability(hits, prob, 2)
    assert [bin_.value for bin_ in observed] == [b.observed for b in bins] == [1 / 3, 1 / 2]
    assert [bin_.num_hits for bin_ in observed] == [b.num_hits for b in bins] == [1, 1]
    assert (observed[0].low, observed[0].high) == (0, 1)  # resampled from three groups
    assert math.isnan(
        subgroups.observed_proportions(measured, hits, prob, 20)[0].value
    )  # an empty bin
