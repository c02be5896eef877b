"""Limits of the quality findings: strict enough for degraded melanomas, rare on the others."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from melanoma_core.images import degradations, quality, reading, synthetic
from melanoma_core.metrics.calibration import Calibration
from melanoma_core.models import quality_checks
from melanoma_core.models.quality_checks import OK, SEVERE
from melanoma_core.training import quality_limits
from melanoma_core.training.quality_limits import Judged

THRESHOLD = 0.1


def undegraded(num=1000, sources=("a", "b"), **columns):
    """Photographs of each source, whose measures are 0 to 1 in equal steps, unless told."""
    even = np.linspace(0, 1, num)
    return pd.concat(
        [
            pd.DataFrame({"source": source, "blur": even, "hair": 0.0, **columns})
            for source in sources
        ],
        ignore_index=True,
    )


def degraded(blur, probability):
    return pd.DataFrame({"kind": "blur", "strength": 3, "blur": blur, "probability": probability})


def test_the_worst_data_set_decides_how_often_a_measure_may_fire():
    table = undegraded()
    table.loc[table["source"] == "b", "blur"] += 1
    limits = quality_limits.limits(table, degraded([3.0], [0.01]), THRESHOLD)
    fires = table["blur"] >= limits["blur"].warning
    assert fires[table["source"] == "a"].mean() == 0
    assert 0 < fires[table["source"] == "b"].mean() <= quality_limits.MOST_WARNED


def test_severe_begins_where_melanomas_are_missed():
    blur = np.linspace(0, 10, 101)
    limits = quality_limits.limits(
        undegraded(), degraded(blur, np.where(blur >= 6, 0.01, 0.9)), THRESHOLD
    )
    # Two in a hundred may be missed: those at 6.0 and 6.1.
    assert limits["blur"].severe == pytest.approx(6.2)


def test_severe_is_rare_even_where_sharp_melanomas_are_missed():
    limits = quality_limits.limits(undegraded(), degraded(np.linspace(0, 1, 500), 0.01), THRESHOLD)
    fires = undegraded()["blur"] >= limits["blur"].severe
    assert 0 < fires.mean() <= quality_limits.MOST_SEVERE


def test_the_measure_that_saves_most_melanomas_fires_most():
    rng = np.random.default_rng(0)
    table = undegraded(dark=rng.random(1000))
    blurred = degraded(np.linspace(0.9, 1, 200), 0.01).assign(dark=0.5)
    limits = quality_limits.limits(table, blurred, THRESHOLD)
    assert (table["blur"] >= limits["blur"].severe).mean() > 0.006
    assert (table["dark"] >= limits["dark"].severe).mean() == 0


def test_the_extremes_of_a_few_photographs_are_no_bound():
    few = quality_limits.limits(undegraded(num=20), pd.DataFrame(), THRESHOLD)
    # 20 of 200: all but 1.2 %, moved out by nine tenths of the distance from the median.
    assert few["blur"].severe == pytest.approx(0.988 + 0.9 * 0.488)


def test_several_measures_share_what_may_fire():
    rng = np.random.default_rng(0)
    table = undegraded(**{name: rng.random(1000) for name in ("dark", "noise", "overexposed")})
    limits = quality_limits.limits(table, pd.DataFrame(), THRESHOLD)
    names = ["blur", "dark", "noise", "overexposed"]
    for level, most in (("severe", 0.008), ("warning", 0.10)):
        bounds = pd.Series({name: getattr(limits[name], level) for name in names})
        assert 0 < (table[names] >= bounds).any(axis=1).mean() <= most


def test_outlines_are_severe_on_few_photographs_and_never_below_their_least_limits():
    even = np.linspace(0, 1, 1000)
    limits = quality_limits.limits(
        undegraded(cut_off=even, small_lesion=0.1), degraded([3.0], [0.01]), THRESHOLD
    )
    assert 0 < (even >= limits["cut_off"].severe).mean() <= quality_limits.MOST_SEVERE_OUTLINES
    assert limits["small_lesion"].warning == quality_limits.OUTLINE_LIMITS["small_lesion"].warning
    assert limits["small_lesion"].severe == quality_limits.OUTLINE_LIMITS["small_lesion"].severe


def test_a_network_without_outlines_has_no_limits_for_them():
    limits = quality_limits.limits(undegraded(), degraded([3.0], [0.01]), THRESHOLD)
    assert not limits.keys() & quality_limits.OUTLINE_LIMITS.keys()


def test_a_defect_that_does_no_harm_is_never_severe():
    limits = quality_limits.limits(undegraded(), pd.DataFrame(), THRESHOLD)
    assert math.isnan(limits["hair"].severe)
    assert quality_checks.severity(0.0, limits["hair"]) == OK


def test_the_typical_value_is_the_median():
    limits = quality_limits.limits(undegraded(), pd.DataFrame(), THRESHOLD)
    assert limits["blur"].typical == pytest.approx(0.5)


def test_a_photograph_of_the_networks_size_is_not_too_small():
    table = undegraded(too_small=0.4)
    limits = quality_limits.limits(table, pd.DataFrame(), THRESHOLD)
    assert limits["too_small"].warning == 1


@dataclasses.dataclass(frozen=True)
class SharpnessJudge(Judged):
    """Finds every lesion that is sharp, and none that is blurred."""

    def probability(self, image):
        return 0.9 if quality.measure(image)["blur"] < 2.5 else 0.01

    def measure_outline(self, image):
        return {}


@pytest.fixture
def rows(tmp_path):
    made = []
    for seed in range(6):
        path = tmp_path / f"{seed}.png"
        path.write_bytes(reading.png(synthetic.lesion(seed, (128, 160), "melanoma")))
        made.append(
            {
                "path": str(path),
                "source": "ab"[seed % 2],
                "image_id": str(seed),
                "split": "train",
                "is_melanoma": seed < 2,
            }
        )
    return pd.DataFrame(made)


def test_limits_from_a_few_photographs_tell_blurred_from_sharp(rows):
    judged = SharpnessJudge(None, Calibration(1.0, (), ()), 0, THRESHOLD, (0.0, 0.5, -0.4, 0.2))
    progress = []
    limits = quality_limits.fit(judged, rows, lambda *done: progress.append(done))
    assert progress == [(k, 8) for k in range(1, 9)]  # six as they are, two degraded
    for path in rows["path"]:
        image = reading.read_file(Path(path))
        sharp = quality_checks.findings(image, None, limits)
        blurred = quality_checks.findings(degradations.blur(image, 3), None, limits)
        assert SEVERE not in {finding.severity for finding in sharp}
        assert (blurred[0].kind, blurred[0].severity) == ("blur", SEVERE)


def test_validation_photographs_are_taken_first(rows, monkeypatch):
    monkeypatch.setattr(quality_limits, "NUM_UNDEGRADED", 1)
    mixed = rows.assign(is_melanoma=False, split=["train", "train", "val", "val", "train", "train"])
    read = []
    original = reading.read_file
    monkeypatch.setattr(reading, "read_file", lambda path: read.append(path.stem) or original(path))
    judged = SharpnessJudge(None, Calibration(1.0, (), ()), 0, THRESHOLD, ())
    quality_limits.fit(judged, mixed, lambda *done: None)
    assert read == ["2", "3"]


def test_without_a_melanoma_the_limits_are_those_of_the_photographs(rows):
    judged = SharpnessJudge(None, Calibration(1.0, (), ()), 0, THRESHOLD, ())
    limits = quality_limits.fit(judged, rows.assign(is_melanoma=False), lambda *done: None)
    assert limits["blur"].severe > limits["blur"].typical
    assert "color_cast" not in limits
