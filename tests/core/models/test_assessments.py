"""One lesion from one or several photographs, and where it stands."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from melanoma_core.metrics import calibration
from melanoma_core.models import assessments, novelty, similar_cases
from melanoma_core.models.assessments import RefusedError, Verdict
from melanoma_core.models.novelty import Refusal
from melanoma_core.models.predict import Model, Network
from melanoma_core.models.quality_checks import SEVERE, WARNING, Finding, Limit
from tests.support import stub_models

IMAGE = np.full((48, 64, 3), 150, np.uint8)
CODES = stub_models.card().diagnoses


def model(probabilities, **changes):
    """A model with these probabilities for every photograph."""
    card = stub_models.card(temperature=1.0, **changes)
    bias = np.log([probabilities[code] for code in CODES]).astype(np.float32)
    network = Network(stub_models.StubGraph(), np.zeros((1, len(CODES)), np.float32), bias)
    return Model(card, "ab" * 32, network, stub_models.OUTCOMES)


def spread(**probabilities):
    """These probabilities; the rest is on nevus."""
    rest = 1 - sum(probabilities.values()) - 1e-6 * 9
    return {code: 1e-6 + probabilities.get(code, 0) + rest * (code == "NV") for code in CODES}


def with_finding(assessment, severity):
    finding = Finding("blur", severity, "Blurred.")
    photographs = (dataclasses.replace(assessment.photographs[0], findings=(finding,)),)
    return dataclasses.replace(assessment, photographs=photographs)


# The thresholds are 8.4 % for melanoma and 12 % for both carcinomas together.
@pytest.mark.parametrize(
    ("probabilities", "verdict"),
    [
        (spread(MEL=0.09), Verdict.MELANOMA),
        (spread(MEL=0.09, BCC=0.8), Verdict.MELANOMA),
        (spread(BCC=0.07, SCC=0.06), Verdict.CARCINOMA),
        (spread(MEL=0.08, BCC=0.11), Verdict.BELOW),
    ],
)
def test_the_most_urgent_threshold_gives_the_verdict(probabilities, verdict):
    assert assessments.assess(model(probabilities), [IMAGE]).verdict() is verdict


def test_the_verdict_is_that_of_the_wanted_sensitivity():
    assessment = assessments.assess(model(spread(MEL=0.2)), [IMAGE])
    assert assessment.verdict(0.95) is Verdict.MELANOMA
    assert assessment.verdict(0.90) is Verdict.BELOW


def test_a_severe_finding_lets_no_below_stand_and_leaves_an_above():
    below = assessments.assess(model(spread(MEL=0.01)), [IMAGE])
    assert with_finding(below, WARNING).verdict() is Verdict.BELOW
    assert with_finding(below, SEVERE).verdict() is Verdict.NOT_JUDGED
    above = assessments.assess(model(spread(MEL=0.5)), [IMAGE])
    assert with_finding(above, SEVERE).verdict() is Verdict.MELANOMA


def test_a_model_without_a_threshold_for_carcinoma_speaks_of_melanoma_only():
    old = model(spread(BCC=0.9), carcinoma_points=())
    assert assessments.assess(old, [IMAGE]).verdict() is Verdict.BELOW


def test_several_photographs_are_judged_by_the_mean_of_their_logits():
    one, other = (assessments.examine(model(spread(MEL=p)), IMAGE).prediction for p in (0.02, 0.6))
    photographs = [
        dataclasses.replace(assessments.examine(model(spread(MEL=0.5)), IMAGE), prediction=p)
        for p in (one, other)
    ]
    combined = assessments.combine(model(spread(MEL=0.5)), photographs)
    expected = calibration.probabilities((one.logits + other.logits) / 2)
    np.testing.assert_allclose(combined.prediction.probabilities, expected)
    assert 0.02 < combined.prediction.melanoma_probability < 0.6
    assert len(combined.photographs) == 2


def with_parts(**changes):
    """A model whose parts are made up: `changes` are fields of `Model`."""
    return dataclasses.replace(model(spread(MEL=0.01)), **changes)


def test_a_picture_that_the_detector_refuses_has_no_result(monkeypatch):
    refusal = Refusal("not_a_lesion", "It has little in common with the training photographs.")
    monkeypatch.setattr(novelty, "refusal", lambda *_: refusal)
    with pytest.raises(RefusedError, match="not look like a dermoscopic photograph") as raised:
        assessments.examine(with_parts(novelty=object()), IMAGE)
    assert raised.value.refusal is refusal
    assert not any(letter.isdigit() for letter in str(raised.value))


def test_photographs_are_checked_by_the_limits_on_the_card():
    limits = {"dark": Limit(0.5, 0.8)}
    dim = np.full((48, 64, 3), 20, np.uint8)
    for made, severities in (
        (model(spread(MEL=0.01)), []),
        (model(spread(MEL=0.01), quality_limits=limits), [SEVERE]),
    ):
        photograph = assessments.examine(made, dim)
        assert [finding.severity for finding in photograph.findings] == severities


def test_the_nearest_lesions_are_shown_and_more_of_them_vote():
    num = similar_cases.NUM_VOTERS + 10
    rows = pd.DataFrame(
        {
            "image_id": [f"i{n}" for n in range(num)],
            "lesion_id": [f"l{n}" for n in range(num)],
            "group_id": [f"g{n}" for n in range(num)],
            "diagnosis": ["MEL"] + ["NV"] * (num - 1),
            "source": "made",
        }
    )
    places = np.linspace(2, 40, num, dtype=np.float32)[:, np.newaxis]
    kernel = np.array([[1.0, -1.0]], np.float32)
    index = similar_cases.build(places, kernel, rows, {"made": "CC0"})
    assessment = assessments.assess(with_parts(index=index), [IMAGE])  # its embedding is 1
    assert [case.image_id for case in assessment.cases] == ["i0", "i1", "i2", "i3", "i4"]
    assert assessment.vote.num_neighbors == similar_cases.NUM_VOTERS
    assert assessment.vote.num_melanomas == 1


def test_a_lesion_is_outlined_where_the_network_draws_one():
    logits = np.full((8, 8), -8.0, np.float32)
    logits[2:6, 2:6] = 8.0

    class OutliningGraph(stub_models.StubGraph):
        def run(self, image):
            return super().run(image)._replace(outline=logits)

    made = model(spread(MEL=0.01))
    network = dataclasses.replace(made.network, graph=OutliningGraph())
    outline = assessments.examine(dataclasses.replace(made, network=network), IMAGE).outline
    assert outline.shape == (32, 32)
    assert outline[16, 16]
    assert not outline[1, 1]
    assert assessments.examine(made, IMAGE).outline is None
