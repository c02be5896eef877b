"""The test photographs that got about the same probability."""

import json

import numpy as np
import pytest

from melanoma_core.diagnoses import CODES
from melanoma_core.errors import ModelError
from melanoma_core.metrics.classification import wilson_interval
from melanoma_core.models import outcomes
from melanoma_core.models.outcomes import Outcomes


def test_the_closest_are_counted_on_the_log_odds_scale():
    y_prob = np.array([0.001, 0.01, 0.1, 0.9])
    made = Outcomes(y_prob, np.array([False, True, True, True]))
    # 0.004 is nearer to 0.001 in probability than to 0.01, and the other way round in log-odds.
    assert outcomes.closest(made, 0.004, num=1).num_melanomas == 1
    found = outcomes.closest(made, 0.0, num=2)
    assert (found.num_photographs, found.num_melanomas) == (2, 1)
    assert (found.low, found.high) == wilson_interval(1, 2)


def test_too_small_a_test_has_no_closest_photographs():
    made = Outcomes(np.linspace(0.1, 0.9, 9), np.ones(9, bool))
    assert outcomes.closest(made, 0.5, num=5) is None


def test_outcomes_are_the_test_rows_of_an_evaluation():
    def row(code, split, probability):
        rest = (1 - probability) / (len(CODES) - 1)
        y_prob = [probability if other == "MEL" else rest for other in CODES]
        return {"split": split, "y_true": code, "y_prob": y_prob}

    rows = [row("MEL", "test", 0.8), row("MEL", "val", 0.7), row("NV", "test", 0.2)]
    content = json.dumps({"diagnoses": CODES, "rows": rows}).encode()
    made = outcomes.from_evaluation(content)
    assert made.y_prob.tolist() == [0.2, 0.8]
    assert made.is_melanoma.tolist() == [False, True]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"diagnoses": ["NV"], "rows": []}'])
def test_a_damaged_evaluation_is_refused(content):
    with pytest.raises(ModelError, match="cannot be read"):
        outcomes.from_evaluation(content)
