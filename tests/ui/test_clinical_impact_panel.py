"""The clinic panel: sentences, small print and squares."""

import collections
import dataclasses
import math

import pytest

from melanoma_core.metrics.clinical_impact import expected
from melanoma_core.metrics.estimates import Estimate
from tests.support.made_pages import figure_of
from tests.support.stub_models import operating_point
from ui import charts
from ui.clinical_impact_panel import basis, summary
from ui.theme import DARK, LIGHT

NARROW = "\u202f"
SENSITIVITY = Estimate(0.94, 0.90, 0.97, 216, 197, 203)
SPECIFICITY = Estimate(0.64, 0.60, 0.68, 1800, 1331, 1152)


def test_the_sentences_count_referred_and_not_referred_lesions_by_hand():
    # 50 melanomas, 47 found; 950 others, 342 referred.
    assert summary(expected(0.94, 0.64, 0.05), SENSITIVITY) == (
        "**47 of 389** referred lesions would be melanoma  \n"
        f":small[:gray[PPV 12{NARROW}%]]\n\n"
        "**608 of 611** lesions not referred would not be melanoma  \n"
        f":small[:gray[NPV ≥99.5{NARROW}%]]"
    )


def test_zero_missed_by_rounding_is_not_called_none():
    sentences = summary(expected(0.94, 0.64, 0.003), SENSITIVITY)
    assert sentences.endswith("Fewer than one melanoma would be missed, but not none.")
    perfect = dataclasses.replace(SENSITIVITY, value=1.0)
    assert "not none" not in summary(expected(1.0, 0.64, 0.003), perfect)


def test_ppv_and_npv_are_not_known_if_nothing_or_everything_is_referred():
    none = summary(expected(0.0, 1.0, 0.05), dataclasses.replace(SENSITIVITY, value=0.0))
    assert none.startswith("No lesion would be referred  \n:small[:gray[PPV not known]]")
    every = summary(expected(1.0, 0.0, 0.05), dataclasses.replace(SENSITIVITY, value=1.0))
    assert "Every lesion would be referred  \n:small[:gray[NPV not known]]" in every


def test_the_small_print_counts_at_the_ends_of_the_intervals():
    # Of 50 melanomas 3 % to 10 % are missed: 1.5, counted as 2, to 5. Of 950 others 32 % to 40 %.
    small_print = basis(SENSITIVITY, SPECIFICITY, 0.05)
    assert f"sensitivity 94{NARROW}% (90–97{NARROW}%), specificity 64{NARROW}%" in small_print
    assert small_print.endswith(
        "Across these intervals, 2 to 5 of 50 melanomas would be missed and 304 to 380 other "
        "lesions referred."
    )


def test_without_an_interval_the_small_print_says_that_it_is_not_known():
    unknown = dataclasses.replace(SENSITIVITY, low=math.nan, high=math.nan)
    small_print = basis(unknown, SPECIFICITY, 0.05)
    assert "interval not known" in small_print
    assert "Across these intervals" not in small_print


@pytest.mark.parametrize("ground", [LIGHT, DARK])
def test_the_squares_are_20_rows_of_50_in_the_order_of_the_legend(ground):
    clinic = expected(0.94, 0.64, 0.05)
    figure = figure_of(charts.squares(clinic, ground))
    (heatmap,) = figure.data
    assert [len(row) for row in heatmap.z] == [50] * 20
    flat = [number for row in heatmap.z for number in row]
    assert flat == sorted(flat)
    assert collections.Counter(flat) == {0: 47, 1: 3, 2: 342, 3: 608}
    # The color scale runs in four even steps; the middle of each is the number that is drawn.
    colors = dict(zip((0, 1, 2, 3), [color for _, color in heatmap.colorscale[::2]], strict=True))
    assert colors == {0: "#C32A36", 1: ground.ink, 2: "#5B8DB8", 3: ground.rest}
    assert (heatmap.zmin, heatmap.zmax, heatmap.xgap, heatmap.ygap) == (-0.5, 3.5, 2, 2)
    assert figure.layout.yaxis.autorange == "reversed"
    assert figure.layout.height <= 350
    legend = [annotation.text for annotation in figure.layout.annotations]
    for number, (name, num_lesions) in enumerate(
        [("melanomas referred", 47), ("melanomas missed", 3), ("others referred", 342),
         ("others not referred", 608)]
    ):  # fmt: skip
        assert legend[number] == (
            f'<span style="color:{colors[number]};font-size:17px">■</span> '
            f"<b>{num_lesions}</b> {name}"
        )


def test_the_squares_have_alt_text():
    assert charts.squares_alt(expected(0.94, 0.64, 0.05), LIGHT) == (
        "Of 1,000 lesions: 47 melanomas referred, 3 melanomas missed, 342 others referred, "
        "608 others not referred."
    )


def test_the_two_operating_points_find_different_numbers_of_melanomas():
    first, second = operating_point(), operating_point(0.90, 0.40, num_hits=195)
    num_found = [
        expected(point.sensitivity.value, point.specificity.value, 0.05).found
        for point in (first, second)
    ]
    assert num_found == [47, 45]


def test_a_single_melanoma_is_in_the_singular():
    clinic = expected(0.94, 0.64, 0.001)
    assert charts.squares_alt(clinic, LIGHT).startswith(
        "Of 1,000 lesions: 1 melanoma referred, 0 melanomas missed,"
    )
    assert "0 of 1 melanoma would be missed" in basis(SENSITIVITY, SPECIFICITY, 0.001)
