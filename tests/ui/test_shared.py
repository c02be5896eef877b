"""Charts, result texts, number formats and errors that pages share."""

import dataclasses
import math

import numpy as np
import pytest

from melanoma_core.diagnoses import BY_CODE, CODES
from melanoma_core.errors import ImageError, ModelError
from melanoma_core.evaluation.formats import digits
from melanoma_core.metrics.estimates import Estimate
from melanoma_core.models.cards import DatasetUse
from melanoma_core.models.predict import Prediction
from tests.support.made_pages import figure_of
from tests.support.stub_models import PROBABILITIES, REFERRAL_RULE, card, operating_point
from ui import card_tables, charts, errors, result_text, theme
from ui.formats import (
    count,
    counted,
    day,
    literal,
    percent,
    percent_estimate,
    percent_range,
    score_estimate,
)
from ui.theme import DARK, LIGHT

NARROW = "\u202f"


def prediction(**probabilities):
    """A prediction with these probabilities, the rest of 1 spread evenly over the others."""
    others = [code for code in CODES if code not in probabilities]
    rest = (1 - sum(probabilities.values())) / len(others) if others else 0.0
    values = np.array([probabilities.get(code, rest) for code in CODES])
    return Prediction("m", CODES, np.log(values), values, None, np.zeros(1, np.float32))


def annotation_texts(figure):
    return [annotation.text for annotation in figure.layout.annotations]


@pytest.mark.parametrize(
    ("proportion", "shown"),
    [
        (0.0, "0"),
        (0.0001, "<1"),
        (0.00999, "<1"),
        (0.01, "1.0"),
        (0.0841, "8.4"),
        (0.0996, "10"),  # never "10.0"
        (0.105, "10"),
        (0.312, "31"),
        (0.9949, "99"),
        (0.996, "≥99.5"),  # nothing here is certain
        (1.0, "100"),
        (math.nan, "not known"),
    ],
)
def test_percentages_are_no_finer_than_they_are(proportion, shown):
    assert digits(proportion) == shown


def test_a_number_and_its_sign_stay_on_one_line():
    assert percent(0.31) == f"31{NARROW}%"
    assert percent_range(0.912, 0.974) == f"91–97{NARROW}%"
    assert percent(math.nan) == "not known"
    assert percent_range(math.nan, 0.4) == "interval not known"


def test_counts_have_thousands_separators_and_dates_month_names():
    assert count(1331) == "1,331"
    assert (counted(1, "lesion"), counted(2000, "lesion")) == ("1 lesion", "2,000 lesions")
    assert day("2026-11-14T23:10:00+00:00") == "14 Nov 2026"
    assert day("last *week*") == r"last \*week\*"


def test_estimates_are_shown_with_their_intervals():
    assert percent_estimate(Estimate(0.95, 0.91, 0.98, 216, 197)) == f"95{NARROW}% (91–98{NARROW}%)"
    assert score_estimate(Estimate(0.91, 0.8912, 0.9301, 2016, 1528)) == "0.910 (0.891–0.930)"
    unknown = Estimate(math.nan, math.nan, math.nan, 9, 9)
    assert percent_estimate(unknown) == score_estimate(unknown) == "not known"


@pytest.mark.parametrize(
    "name",
    [
        "**bold** _it_ ~~no~~ `code`.jpg",
        "[click](http://evil.example).jpg",
        "![x](http://evil.example/x.png)",
        "<img src=x onerror=alert(1)>.png",
        ":smile: :material/home: :red[x].jpg",
        "$x^2$ www.evil.example a@evil.example",
        "a -- b -> c <- d >= e ~= f",
        "1. list",
        "- list",
        "# heading",
        "a|b&amp;c",
    ],
)
def test_literal_text_keeps_every_character_and_loses_its_markdown(name):
    shown = literal(name)
    assert shown.replace("\u2060", "").replace("\\", "") == name
    for special in "*_`[]<>#$|~&!:@":
        assert shown.count(special) == shown.count("\\" + special)
    for replaced in (":smile:", ":material/", "://", "www.", "@evil", "--", "->", "<-", ">=", "~="):
        assert replaced not in shown.replace("\\", "")
    assert not shown.startswith(("1.", "-", "#"))


def test_invisible_characters_are_replaced_by_a_visible_one():
    assert literal("a\u202egpj.exe\x00\x1b[0m") == "a�gpj.exe��\\[0m"
    assert literal("two\nlines\tof it") == "two lines of it"


def test_the_first_clause_of_a_refusal_is_bold_despite_dots_in_the_name():
    refusal = ImageError(
        "“a. b: c; **d**.jpg” is 48×36 px; at least 64 px on the short side are needed. Do this."
    )
    bold, _, rest = errors.to_markdown(refusal).removeprefix("**").partition(";** ")
    assert bold.endswith("d\\*\\*.jpg” is 48×36 px")
    assert rest == "at least 64 px on the short side are needed. Do this."
    assert errors.to_markdown(ModelError("Nothing to split")) == "**Nothing to split**"


def test_only_errors_of_the_core_are_shown():
    with pytest.raises(ZeroDivisionError), errors.shown():
        raise ZeroDivisionError


def test_the_nine_diagnoses_are_grouped_and_sorted_inside_their_group():
    groups = charts.groups(prediction(**PROBABILITIES))
    assert [group.name for group in groups] == ["Malignant", "Pre-malignant", "Benign"]
    assert groups[0].codes == ("MEL", "BCC", "SCC")
    assert groups[1].codes == ("AK",)
    assert groups[2].codes == ("NV", "SK", "PBK", "VASC", "DF")
    assert groups[0].probability == pytest.approx(0.31 + 0.021 + 0.005)
    assert sum(group.probability for group in groups) == pytest.approx(1)


@pytest.mark.parametrize("ground", [LIGHT, DARK])
def test_one_bar_chart_shows_every_probability_in_its_color(ground):
    figure = figure_of(charts.bars(prediction(**PROBABILITIES), ground))
    (bar,) = figure.data
    assert bar.type == "bar"
    assert sum(bar.x) == pytest.approx(100)
    names = list(figure.layout.yaxis.ticktext)
    assert names[:4] == [
        "Melanoma",
        "Basal cell carcinoma",
        "Squamous cell carcinoma",
        "Actinic keratosis",
    ]
    assert bar.text[0] == f"31{NARROW}%"
    assert list(bar.marker.color) == [
        next(theme.DIAGNOSIS_COLORS[code] for code in CODES if BY_CODE[code].name == name)
        for name in names
    ]
    assert list(bar.y) == sorted(bar.y)
    assert tuple(figure.layout.xaxis.range) == (0, 116)
    assert bar.textfont.color == figure.layout.yaxis.tickfont.color == ground.ink
    assert figure.layout.height <= 350
    for text in ("Malignant", f"34{NARROW}%", "Benign", f"63{NARROW}%"):
        assert f"<b>{text}</b>" in annotation_texts(figure)


def test_the_bars_have_alt_text():
    assert "Malignant 34" in charts.bars_alt(prediction(**PROBABILITIES))
    assert f"Melanoma 31{NARROW}%" in charts.bars_alt(prediction(**PROBABILITIES))


@pytest.mark.parametrize(
    ("probability", "color"),
    [(0.31, "#C32A36"), (0.084, "#C32A36"), (0.03, theme.DIAGNOSIS_COLORS["NV"])],
)
def test_the_mark_on_the_ruler_is_red_from_the_threshold_up_and_never_green(probability, color):
    figure = figure_of(charts.ruler(probability, 0.084, LIGHT))
    (mark,) = figure.data
    assert mark.x == pytest.approx((log_odds(probability),))
    assert mark.marker.color == color
    assert f"Referral threshold 8.4{NARROW}%" in annotation_texts(figure)
    (line,) = [shape for shape in figure.layout.shapes if shape.type == "line"]
    assert (line.x0, line.x1) == pytest.approx((log_odds(0.084),) * 2)


def log_odds(probability):
    return math.log(probability / (1 - probability))


def test_the_ruler_has_log_odds_from_a_thousandth_to_ninety_nine_percent():
    figure = figure_of(charts.ruler(0.31, 0.084, LIGHT))
    assert figure.layout.xaxis.range == pytest.approx((log_odds(0.001), log_odds(0.99)))
    ticks = {text: note.x for note in figure.layout.annotations for text in [note.text]}
    for text, value in (("0.1", 0.001), ("1", 0.01), ("10", 0.1), ("50", 0.5), ("90", 0.9)):
        assert ticks[text] == pytest.approx(log_odds(value))
    assert f"99{NARROW}%" in ticks


@pytest.mark.parametrize("threshold", [0.0, 0.002, 0.1, 0.98, 1.0])
@pytest.mark.parametrize("probability", [0.0, 0.2, 1.0])
def test_labels_near_an_end_of_the_ruler_extend_inward(probability, threshold):
    figure = figure_of(charts.ruler(probability, threshold, LIGHT))
    low, high = figure.layout.xaxis.range
    for annotation in figure.layout.annotations[:2]:
        place = (annotation.x - low) / (high - low)
        assert 0 <= place <= 1
        assert not (place < 0.3 and annotation.xanchor != "left")
        assert not (place > 0.7 and annotation.xanchor != "right")


def test_the_label_says_on_which_side_the_lesion_is_if_the_numbers_match():
    assert charts.ruler_label(0.0842, 0.0838) == f"This lesion 8.4{NARROW}%, just above"
    assert charts.ruler_label(0.0836, 0.0838) == f"This lesion 8.4{NARROW}%, just below"
    assert charts.ruler_label(0.0838, 0.0838) == f"This lesion 8.4{NARROW}%, just above"
    assert charts.ruler_label(0.31, 0.084) == f"This lesion 31{NARROW}%"


def test_a_lesion_at_the_threshold_is_referred():
    point = operating_point(threshold=0.25)
    assert result_text.is_above(prediction(MEL=0.25), point)
    assert not result_text.is_above(prediction(MEL=0.2499), point)


def test_how_many_fall_below_is_measured_not_taken_from_the_target():
    assert result_text.missed(operating_point(num_hits=190)).startswith("About 12 of 100 melanomas")
    assert result_text.missed(operating_point(num_hits=214)) == (
        "About 1 of 100 melanomas falls below this threshold."
    )
    assert result_text.missed(operating_point(num_hits=216)) == (
        "Between 3 and 9 of 100 melanomas fall below this threshold."
    )


@pytest.mark.parametrize(
    ("low", "high", "found", "missed"),
    [
        (0.917, 0.974, f"92 and 97{NARROW}%", "Between 3 and 8 of 100"),
        (0.724, 0.999, f"72 and ≥99.5{NARROW}%", "Up to 28 of 100"),
        (0.724, 1.0, f"72 and 100{NARROW}%", "Up to 28 of 100"),
    ],
)
def test_missed_melanomas_are_rounded_as_the_sensitivity_beside_them(low, high, found, missed):
    sensitivity = Estimate(0.95, low, high, 60, 50, 57)
    point = dataclasses.replace(operating_point(), sensitivity=sensitivity)
    assert f"lies between {found}." in result_text.evidence(point)
    assert result_text.missed(point).startswith(f"{missed} melanomas fall")


def test_the_small_print_gives_counts_proportions_and_intervals():
    assert result_text.evidence(operating_point()) == (
        f"In testing it flagged 205 of 216 melanoma photographs (95{NARROW}%, 95{NARROW}% CI "
        f"91–97) and did not flag 1,220 of 1,800 others (68{NARROW}%, 66–70)."
    )


@pytest.mark.parametrize("few", [{"val_lesions": 93}, {"num_lesions": 99}])
def test_with_few_melanomas_no_sensitivity_is_claimed(few):
    point = operating_point(**few)
    for_95 = f"for 95{NARROW}% sensitivity"
    assert for_95 in result_text.intended_use_line(card(), operating_point())
    assert for_95 not in result_text.intended_use_line(card(), point)
    chosen, measured = point.val_lesions, point.sensitivity.num_lesions
    assert result_text.evidence(point).endswith(
        f"The threshold was chosen on {chosen} melanomas and tested on {measured}: "
        f"the true sensitivity lies between 91 and 97{NARROW}%."
    )
    assert result_text.missed(point).startswith("Between 3 and 9 of 100")


def test_a_threshold_that_is_not_the_default_is_named():
    points = operating_point(), operating_point(0.90, 0.2)
    two = dataclasses.replace(card(), operating_points=points)
    assert "You chose" not in result_text.intended_use_line(two, points[0])
    assert result_text.intended_use_line(two, points[1]).endswith(
        f"**You chose the threshold for 90{NARROW}% sensitivity; the default is the one for "
        f"95{NARROW}%, 8.4{NARROW}%.**"
    )


def test_a_sensitivity_measured_to_be_lower_is_not_claimed():
    sensitivity = operating_point().sensitivity
    for high, is_claimed in ((0.9499, False), (0.95, True), (0.99, True), (math.nan, False)):
        measured = dataclasses.replace(sensitivity, value=0.93, low=0.9, high=high)
        point = dataclasses.replace(operating_point(), sensitivity=measured)
        assert result_text.is_well_measured(point) is is_claimed
    measured = dataclasses.replace(sensitivity, value=0.9, low=0.87, high=0.94)
    point = dataclasses.replace(operating_point(), sensitivity=measured)
    assert f"for 95{NARROW}% sensitivity" not in result_text.intended_use_line(card(), point)
    assert result_text.missed(point).startswith("Between 6 and 13 of 100")
    assert f"lies between 87 and 94{NARROW}%." in result_text.evidence(point)


def test_what_was_not_measured_is_shown_as_not_known():
    unknown = Estimate(math.nan, math.nan, math.nan, 0, 0)
    point = type(operating_point())(0.95, 0.1, 0, 0, unknown, unknown)
    assert "not known" in result_text.evidence(point)
    assert "is not known" in result_text.missed(point)


def test_the_line_below_the_title_names_use_model_and_threshold():
    assert result_text.intended_use_line(card("nine_*x*"), operating_point()) == (
        "Research and education; not a medical device; the decision is the clinician’s. "
        f"Model nine\\_\\*x\\*, threshold 8.4{NARROW}% for 95{NARROW}% sensitivity."
    )


def test_the_differential_is_the_conformal_set_with_the_likeliest_first():
    # Cut-offs 0.11 for melanoma and 0.17 for the others.
    assert result_text.differential(prediction(NV=0.7, PBK=0.2), card(), operating_point()) == (
        "**Differential:** nevus, pigmented benign keratosis."
    )
    assert result_text.differential(prediction(MEL=0.8), card(), operating_point()) == (
        "**Differential:** melanoma."
    )


def test_melanoma_and_a_benign_diagnosis_need_review():
    text = result_text.differential(prediction(MEL=0.12, NV=0.8), card(), operating_point())
    assert text == (
        "**Differential:** nevus, melanoma. **Review:** melanoma and benign diagnoses are both "
        "possible; the photograph alone cannot settle it."
    )
    malignant = result_text.differential(prediction(MEL=0.6, BCC=0.3), card(), operating_point())
    assert malignant == "**Differential:** melanoma, basal cell carcinoma."


def test_a_large_differential_needs_review():
    four = prediction(NV=0.3, SK=0.25, PBK=0.2, DF=0.18)
    assert result_text.differential(four, card(), operating_point()).endswith(
        "**Review:** the list has 4 diagnoses; the photograph alone cannot settle it."
    )
    both = result_text.differential(prediction(MEL=0.2, NV=0.3, SK=0.25, PBK=0.2), card(),
                              operating_point())  # fmt: skip
    assert "diagnoses are both possible, and the list has 4 diagnoses; the photograph" in both
    three = prediction(NV=0.3, SK=0.3, PBK=0.3)
    assert "Review" not in result_text.differential(three, card(), operating_point())


def test_a_differential_without_melanoma_above_the_threshold_explains_why():
    text = result_text.differential(prediction(MEL=0.1, NV=0.85), card(), operating_point())
    assert text == (
        "**Differential:** nevus. Melanoma is not on this list but is above the referral "
        "threshold, which is set lower to miss fewer melanomas."
    )
    below = result_text.differential(prediction(MEL=0.08, NV=0.85), card(), operating_point())
    assert below == "**Differential:** nevus."


def test_a_differential_without_carcinoma_above_its_threshold_explains_why():
    made = prediction(MEL=0.01, NV=0.83, BCC=0.08, SCC=0.06)
    assert result_text.differential(made, card(), operating_point()) == (
        "**Differential:** nevus. Carcinoma is not on this list but is above its referral "
        "threshold, which is set lower to miss fewer carcinomas."
    )
    listed = prediction(MEL=0.01, NV=0.7, BCC=0.27)
    assert "not on this list" not in result_text.differential(listed, card(), operating_point())


def test_the_differential_says_how_often_it_includes_the_true_diagnosis():
    aim = f"This list is designed to include the true diagnosis in 90{NARROW}% of cases;"
    assert result_text.differential_evidence(card(), is_outside=False) == (
        f"{aim} in testing it did so in 90{NARROW}% (95{NARROW}% CI 89–92), and in 91{NARROW}% of "
        "melanomas (86–95)."
    )
    assert result_text.differential_evidence(card(), is_outside=True) == (
        f"{aim} how often it does so for lesions like this one is not known."
    )


def test_a_threshold_below_one_percent_is_shown_with_digits_everywhere():
    point, shown = operating_point(threshold=0.0035), f"0.35{NARROW}%"
    assert f"threshold {shown} for" in result_text.intended_use_line(card(), point)
    model_card = card(operating_points=(point,), carcinoma_points=(), referral_rules=())
    assert card_tables.operating_points(model_card)["Threshold"] == [shown]
    notes = [note.text for note in figure_of(charts.ruler(0.31, 0.0035, LIGHT)).layout.annotations]
    assert f"Referral threshold {shown}" in notes


def test_for_a_lesion_unlike_those_tested_the_threshold_claims_nothing():
    point = result_text.unmeasured(operating_point())
    assert point.threshold == operating_point().threshold
    assert result_text.evidence(point) == (
        "For lesions like this one, the sensitivity and specificity of this threshold are not "
        "known."
    )
    assert f"threshold 8.4{NARROW}%." in result_text.intended_use_line(card(), point)
    assert result_text.missed(point) == (
        "How many melanomas fall below this threshold is not known."
    )


def test_both_thresholds_together_give_counts_proportions_and_intervals():
    assert result_text.rule_evidence(REFERRAL_RULE) == (
        f"In testing they flagged 308 of 322 photographs of any malignancy (96{NARROW}%, "
        f"95{NARROW}% CI 93–98) and did not flag 1,050 of 1,694 others (62{NARROW}%, 59–64)."
    )


def test_the_line_beside_a_refused_picture_has_no_number():
    assert result_text.intended_use_line(card("nine"), None) == (
        "Research and education; not a medical device; the decision is the clinician’s. Model nine."
    )


def test_an_evidence_map_says_what_it_shows_and_when_it_is_empty():
    strong, faint, none = (np.full((4, 4), heat, np.float32) for heat in (1.0, 0.1, 0.0))
    assert result_text.map_caption("melanoma", strong, 1.0).startswith(
        "White line: half of the strongest evidence for melanoma. The map"
    )
    assert result_text.map_caption("melanoma", none, 1.0) == (
        "No region of this photograph supports melanoma."
    )
    assert result_text.map_caption("melanoma", none, 0.0) == (
        "No region of this photograph supports melanoma."
    )
    assert "too faint to draw" in result_text.map_caption("nevus", faint, 1.0)
    assert result_text.map_caption("nevus", faint, 0.4).startswith(
        "No line: the evidence for nevus is less than a third of the strongest for any diagnosis. "
        "The map"
    )


def test_a_source_with_few_photographs_has_no_column():
    model_card = card()
    for num, columns in ((49, ["Figure", "All"]), (50, ["Figure", "All", "isic2017"])):
        few = Estimate(0.9, 0.7, 1.0, num, num)
        figures = {"all": model_card.figures["all"], "isic2017": {"accuracy": few}}
        table = card_tables.figures(card(figures=figures))
        assert list(table) == columns
    # All photographs are always shown, however few.
    assert list(card_tables.figures(card(figures={"all": {"accuracy": few}}))) == ["Figure", "All"]


def test_tables_of_a_card_show_what_was_not_recorded():
    counts = card_tables.class_counts(card())
    row = counts["Diagnosis"].index("Squamous cell carcinoma")
    assert counts["Test"][row] == "not recorded"
    assert counts["Training"][0] == "1,000"
    assert counts["Validation"][-1] == "900"
    sets = card_tables.data_sets(card())
    assert sets["Data set"] == ["ham10000", r"my\*set\*"]
    assert sets["License"] == ["CC BY-NC 4.0", "not recorded"]
    inherited = DatasetUse("old*set*", "", "", 1200, 2, 3)
    sets = card_tables.data_sets(card(inherited_datasets=(inherited,)))
    assert [column[-1] for column in sets.values()] == [
        r"old\*set\* (from parent models)", "not recorded", "1,200", "–", "–", "not recorded",
    ]  # fmt: skip
    figures = card_tables.figures(card())
    assert figures["All"][0] == f"81{NARROW}% (79–83{NARROW}%)"
    melanoma = figures["Figure"].index("AUROC, melanoma")
    assert figures["isic2017"][melanoma] == "n/a"  # no melanoma there: undefined, not 0
    assert figures["isic2017"][0] == "not recorded"
    points = card_tables.operating_points(card())
    assert points["Threshold"][:2] == [f"8.4{NARROW}%", f"40{NARROW}%"]
