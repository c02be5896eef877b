"""The words of a verdict."""

import dataclasses

import numpy as np
import pytest

from melanoma_core.diagnoses import CODES
from melanoma_core.models.assessments import Assessment, Photograph, Verdict
from melanoma_core.models.outcomes import Closest
from melanoma_core.models.predict import Prediction
from melanoma_core.models.quality_checks import SEVERE, WARNING, Finding
from tests.support import stub_models
from ui import verdict_text

NARROW = "\u202f"
MELANOMA, CARCINOMA, BELOW = {"MEL": 0.31, "NV": 0.49}, {"MEL": 0.02, "BCC": 0.53, "SCC": 0.36}, {
    "MEL": 0.03, "NV": 0.9
}  # fmt: skip


def result(probabilities, *findings, closest=None, **changes):
    """A result of one photograph; the rest of 1 is spread evenly over the other diagnoses."""
    others = [code for code in CODES if code not in probabilities]
    rest = (1 - sum(probabilities.values())) / len(others)
    values = np.array([probabilities.get(code, rest) for code in CODES])
    prediction = Prediction("m", CODES, np.log(values), values, None, np.zeros(1, np.float32))
    photograph = Photograph(np.zeros((2, 2, 3), np.uint8), prediction, findings, None)
    card = dataclasses.replace(stub_models.card(), **changes)
    return Assessment(card, (photograph,), prediction, closest, (), None)


def text(made, *, is_outside=False):
    return verdict_text.text(made, 0.95, is_outside=is_outside)


BLURRED = Finding("blur", SEVERE, "Blurred.")
DARK = Finding("dark", SEVERE, "Dark.")


@pytest.mark.parametrize(
    ("made", "heading"),
    [
        (result(MELANOMA), "Above the referral threshold for melanoma"),
        (result(MELANOMA, BLURRED), "Above the referral threshold for melanoma"),
        (result(CARCINOMA, BLURRED), "Above the referral threshold for carcinoma"),
        (result(BELOW, BLURRED), "Cannot be judged: too blurred"),
        (result(BELOW, BLURRED, DARK), "Cannot be judged: too blurred and too dark"),
        (result(BELOW, Finding("blur", WARNING, "")), "Below both referral thresholds"),
        (result(BELOW, carcinoma_points=()), "Below the referral threshold for melanoma"),
    ],
)
def test_the_heading_speaks_for_the_gravest_that_is_known(made, heading):
    assert verdict_text.heading(made, 0.95) == heading


def test_only_what_is_above_has_a_flag_and_nothing_has_a_check_mark():
    icons = {verdict: verdict_text.icon(verdict) for verdict in Verdict}
    flagged = {verdict for verdict, icon in icons.items() if "flag" in icon}
    assert flagged == {Verdict.MELANOMA, Verdict.CARCINOMA}
    assert not any("check" in icon or "green" in icon for icon in icons.values())


def test_a_carcinoma_has_both_probabilities():
    assert text(result(CARCINOMA)) == (
        f"Basal cell carcinoma 53{NARROW}%, squamous cell carcinoma 36{NARROW}%; melanoma below "
        "its threshold."
    )


def test_below_and_not_judged_rule_nothing_out():
    assert text(result(BELOW)) == "**This does not rule melanoma out.**"
    assert text(result(BELOW, BLURRED)).endswith("**This does not rule melanoma out.**")


@pytest.mark.parametrize(
    ("number", "were"),
    [(0, "none was a melanoma"), (1, "1 was a melanoma"), (62, "62 were melanomas")],
)
def test_the_lesions_like_this_one_are_counted(number, were):
    closest = Closest(200, number, 0.1, 0.4)
    assert text(result(MELANOMA, closest=closest)) == (
        f"Of the 200 test photographs closest to this probability, {were}."
    )
    # The ruler of a carcinoma is not melanoma's.
    assert f"closest to this melanoma probability, {were}." in text(
        result(CARCINOMA, closest=closest)
    )
    assert "200" not in text(result(MELANOMA, closest=closest), is_outside=True)
    assert "200" not in text(result(BELOW, BLURRED, closest=closest))


def test_the_interval_of_the_lesions_like_this_one_is_in_percent():
    assert verdict_text.closest_interval(Closest(200, 62, 0.25, 0.377)) == (
        f"Of the 200 test photographs closest to this melanoma probability, 31{NARROW}% were "
        f"melanomas (95{NARROW}% CI 25–38{NARROW}%)."
    )


def test_a_model_with_a_threshold_for_melanoma_only_names_another_malignancy():
    malignant = result({"MEL": 0.03, "BCC": 0.8}, carcinoma_points=())
    assert text(malignant) == (
        "**This does not rule melanoma out.** **Basal cell carcinoma is the likeliest diagnosis.** "
        "The threshold is for melanoma only."
    )
    benign = result(BELOW, carcinoma_points=())
    assert "only" not in text(benign)


def test_the_likeliest_diagnosis_is_explained_where_it_seems_to_contradict():
    assert verdict_text.likeliest(result({"MEL": 0.8}), 0.95) == (
        "Melanoma is the likeliest diagnosis."
    )
    assert verdict_text.likeliest(result(MELANOMA), 0.95) == (
        "Nevus is the likeliest single diagnosis, but the probability of melanoma is still high "
        "enough to refer."
    )
    assert verdict_text.likeliest(result(BELOW), 0.95) == ""
    assert verdict_text.likeliest(result(CARCINOMA), 0.95) == (
        "Basal cell carcinoma is the likeliest diagnosis."
    )
    assert verdict_text.likeliest(result({"MEL": 0.02, "NV": 0.7, "BCC": 0.14}), 0.95) == (
        "Nevus is the likeliest single diagnosis, but the probability of carcinoma is still high "
        "enough to refer."
    )
    high = (stub_models.operating_point(threshold=0.6),)
    below = result({"MEL": 0.5}, operating_points=high)
    assert "still the likeliest" in verdict_text.likeliest(below, 0.95)


def test_no_verdict_uses_forbidden_words():
    closest = Closest(200, 3, 0.01, 0.04)
    made = [
        result(probabilities, *findings, closest=closest, **changes)
        for probabilities in (MELANOMA, CARCINOMA, BELOW)
        for findings in ((), (BLURRED,))
        for changes in ({}, {"carcinoma_points": ()})
    ]
    words = " ".join(
        f"{verdict_text.heading(one, 0.95)} {text(one)} {verdict_text.likeliest(one, 0.95)}"
        for one in made
    ).lower()
    for word in ("confiden", "positive", "negative", "suspicio", "diagnosed", "safe", "risk", "!"):
        assert word not in words
