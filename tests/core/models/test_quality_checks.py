"""Findings on a photograph: each defect trips its own, an undegraded photograph none."""

import math

import cv2
import numpy as np
import pytest

from melanoma_core.images import color_casts, degradations, quality, synthetic
from melanoma_core.models import quality_checks
from melanoma_core.models.quality_checks import OK, SEVERE, WARNING, Judge, Limit

IMAGE = synthetic.lesion(5, (256, 341), "nevus")
CAST = tuple(float(value) for value in color_casts.cast(IMAGE))
CAST_LIMITS = (CAST[0] - 0.1, CAST[0] + 0.1, CAST[1] - 0.1, CAST[1] + 0.1)
TYPICAL = quality.measure(IMAGE)
# What is 1.6 times worse than the drawn lesion is a warning, 3 times worse severe.
LIMITS = {
    "blur": Limit(1.6 * TYPICAL["blur"], 2 * TYPICAL["blur"], TYPICAL["blur"]),
    "dark": Limit(0.4, 0.6),
    "overexposed": Limit(0.2, 0.5),
    "glare": Limit(0.002, math.nan),
    "low_contrast": Limit(2 * TYPICAL["low_contrast"], 4 * TYPICAL["low_contrast"]),
    "noise": Limit(3, 8),
    "compression": Limit(0.8, 1.4),
    "too_small": Limit(1, 1.5),
    "cut_off": Limit(0.25, 0.45),
    "small_lesion": Limit(0.82, 0.88),
    "dark_corners": Limit(0.2, math.nan),
    "hair": Limit(0.5, math.nan),
    "ink": Limit(0.02, math.nan),
    "ruler": Limit(0.5, math.nan),
    **{name: Limit(0.1, 0.4) for name in ("less_red", "more_red", "less_blue", "more_blue")},
    "color_cast": Limit(math.inf, 1.5),
}
CENTERED = np.zeros((60, 60), bool)
CENTERED[15:45, 15:45] = True


def judge(probability=0.5, balanced=0.5):
    return Judge(CAST_LIMITS, 0.1, probability, lambda image: balanced)


def found(image, outline=CENTERED, judge=None):
    """Severity by kind, of the problems alone."""
    findings = quality_checks.findings(image, outline, LIMITS, judge or globals()["judge"]())
    return {finding.kind: finding.severity for finding in findings if finding.severity != OK}


def message(kind, image, outline=CENTERED, judge=None):
    findings = quality_checks.findings(image, outline, LIMITS, judge or globals()["judge"]())
    return next(finding.message for finding in findings if finding.kind == kind)


def with_hair(image):
    image = image.copy()
    for left in (30, 60, 300):
        cv2.line(image, (left, 20), (left + 20, 230), (40, 30, 30), 2)
    return image


def with_ink(image):
    image = image.copy()
    image[10:50, 10:80] = (70, 60, 170)
    return image


def with_ruler(image):
    image = image.copy()
    image[8:22, 10:330:11] = image[8:22, 11:331:11] = (50, 40, 40)
    return image


def with_glare(image):
    image = image.copy()
    cv2.circle(image, (60, 60), 12, (255, 255, 255), -1)
    return image


def test_an_undegraded_photograph_has_only_good_findings():
    findings = quality_checks.findings(IMAGE, CENTERED, LIMITS, judge())
    assert {finding.severity for finding in findings} == {OK}
    assert {finding.kind for finding in findings} == set(LIMITS) - {
        "less_red", "more_red", "less_blue", "more_blue",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "image"),
    [
        ("blur", degradations.blur(IMAGE, 2)),
        ("dark", degradations.change_brightness(IMAGE, 0.5)),
        ("overexposed", degradations.change_brightness(IMAGE, 1.25)),
        ("glare", with_glare(IMAGE)),
        ("noise", degradations.add_noise(IMAGE, 16, np.random.default_rng(0))),
        ("compression", degradations.compress(IMAGE, 20)),
        ("dark_corners", degradations.darken_corners(IMAGE, 0.6)),
        ("hair", with_hair(IMAGE)),
        ("ink", with_ink(IMAGE)),
        ("ruler", with_ruler(IMAGE)),
        ("color_cast", degradations.tint(IMAGE, -0.25, 0.0)),
    ],
)
def test_a_defect_trips_its_own_finding_and_no_other(kind, image):
    assert set(found(image)) == {kind}


def test_low_contrast_and_few_pixels_are_found():
    assert "low_contrast" in found(degradations.change_contrast(IMAGE, 0.3))
    assert "too_small" in found(degradations.shrink(IMAGE, 100))


def test_where_the_lesion_lies_is_judged_by_its_outline():
    at_frame, small = np.zeros((60, 60), bool), np.zeros((60, 60), bool)
    at_frame[:10, 10:50] = True
    small[28:34, 28:34] = True
    assert found(IMAGE, at_frame) == {"cut_off": WARNING}
    assert found(IMAGE, small) == {"small_lesion": SEVERE}
    kinds = {f.kind for f in quality_checks.findings(IMAGE, None, LIMITS, judge())}
    assert not kinds & {"cut_off", "small_lesion"}


def test_a_stronger_defect_is_severe_and_stands_first():
    image = degradations.blur(with_ink(IMAGE), 5)
    findings = quality_checks.findings(image, CENTERED, LIMITS, judge())
    assert (findings[0].kind, findings[0].severity) == ("blur", SEVERE)
    severities = [finding.severity for finding in findings]
    assert severities == sorted(severities, key=(SEVERE, WARNING, OK).index)


def test_the_message_says_what_was_measured():
    blurred = degradations.blur(IMAGE, 5)
    share = TYPICAL["blur"] / quality.measure(blurred)["blur"]
    assert message("blur", blurred) == (
        f"Blurred: fine structure is at {share:.0%} of what the training photographs show."
    )
    assert message("too_small", degradations.shrink(IMAGE, 100)).startswith("Too small: 100 px")
    assert message("color_cast", degradations.tint(IMAGE, -0.3, 0.0)).startswith(
        "Color cast: red is 2"
    )
    assert message("blur", IMAGE) == "Sharp."


def test_a_photograph_below_that_is_above_in_balanced_light_is_severe():
    tinted = degradations.tint(IMAGE, -0.25, 0.0)
    assert found(tinted, judge=judge(0.05, balanced=0.16)) == {"color_cast": SEVERE}
    assert found(tinted, judge=judge(0.05, balanced=0.14)) == {"color_cast": WARNING}
    assert "above the threshold" in message("color_cast", tinted, judge=judge(0.05, 0.16))


def test_balanced_light_is_tried_only_where_it_matters():
    def refuse(image):
        raise AssertionError("asked without need")

    tinted = degradations.tint(IMAGE, -0.25, 0.0)
    assert found(tinted, judge=Judge(CAST_LIMITS, 0.1, 0.2, refuse)) == {"color_cast": WARNING}
    assert found(IMAGE, judge=Judge(CAST_LIMITS, 0.1, 0.05, refuse)) == {}


def test_balanced_light_has_the_cast_in_the_middle_of_the_limits():
    seen = []

    def keep(image):
        seen.append(color_casts.cast(image))
        return 0.0

    tinted = degradations.tint(IMAGE, -0.25, 0.25)
    quality_checks.cast_measures(tinted, Judge(CAST_LIMITS, 0.1, 0.05, keep))
    np.testing.assert_allclose(seen, [CAST], atol=0.03)


def test_without_limits_there_are_no_findings():
    assert quality_checks.findings(IMAGE, CENTERED, {}, judge()) == ()
    without_judge = quality_checks.findings(IMAGE, CENTERED, LIMITS)
    assert "color_cast" not in {finding.kind for finding in without_judge}


def test_a_limit_of_nan_is_never_reached():
    limit = Limit(math.nan, math.nan)
    assert quality_checks.severity(1e9, limit) == OK
