"""The checks on the photograph on screen: quality, steadiness, and what is not known."""

import re

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from melanoma_core.models import store, views
from melanoma_core.models.quality_checks import OK, SEVERE, Finding
from ui import assessments, card_tables, verdict_text
from ui.assessments import Assessment
from ui.formats import NARROW_SPACE, literal, small

# Of findings in full, and where the page says more: of several photographs, or that there is no
# outline. The others are named. More would be too much to read before the verdict.
_MOST_WORDS, _FEWER_WORDS = 24, 14
_PROBLEM, _FINE = ":orange[:material/warning:]", ":gray[:material/check:]"
_UNKNOWN = ":gray[:material/horizontal_rule:]"
# In the words of a photograph without them; the kinds that must all be without a finding.
_GOOD = {
    "sharp": ("blur",),
    "well lit": ("dark", "overexposed"),
    "whole lesion in the frame": ("cut_off",),
}


def show(assessment: Assessment, number: int) -> DeltaGenerator:
    """Draw the card.

    Args:
        assessment: of the lesion.
        number: of the photograph on screen.

    Returns:
        The place of the line that `show_steadiness` draws, as soon as the views are computed.
    """
    photograph = assessment.photographs[number]
    lacks_outline = _lacks_outline(assessment, number)
    says_more = lacks_outline or len(assessment.photographs) > 1
    most_words = _FEWER_WORDS if says_more else _MOST_WORDS
    with st.container(border=True, gap="xsmall"):
        st.subheader("Checks on this photograph", anchor=False)
        with st.container(gap="xsmall"):
            for line in _quality(photograph.examined.findings, most_words):
                st.markdown(line)
            for line in _others(assessment, number):
                st.markdown(line)
            steadiness = st.empty()
            steadiness.markdown(f"{_UNKNOWN} Rotated views: being checked")
            if lacks_outline:
                st.markdown(f"{_UNKNOWN} Lesion in the frame: not known, its outline was not found")
            st.markdown(f"{_UNKNOWN} Skin tone: not recorded")
            lacking = card_tables.missing_parts(assessment.card)
            if lacking:
                st.markdown(small(f"This model was made without {lacking}."))
    return steadiness


def show_steadiness(place: DeltaGenerator, assessment: Assessment, target: float) -> None:
    """Draw in how many flips and turns the verdict is the same."""
    verdicts = assessments.view_verdicts(assessment, target)
    if not verdicts:
        place.markdown(f"{_UNKNOWN} Rotated views: not checked")
        return
    num_same = len(verdicts) - views.num_changed(verdicts)
    icon = _FINE if num_same == len(verdicts) else _PROBLEM
    number = f"all {num_same}" if num_same == len(verdicts) else f"{num_same} of {len(verdicts)}"
    place.markdown(f"{icon} Same verdict in {number} views, rotated and mirrored")


def _lacks_outline(assessment: Assessment, number: int) -> bool:
    """Whether the model draws outlines and found none; one that the user drew checks nothing."""
    is_drawn_by_model = store.OUTLINE_WEIGHTS in assessment.card.files
    return is_drawn_by_model and assessment.photographs[number].examined.outline is None


def _quality(findings: tuple[Finding, ...], most_words: int) -> list[str]:
    lines, named, num_words = [], [], 0
    for finding in findings:
        if finding.severity == OK:
            continue
        num_words += len(finding.message.split())
        if lines and num_words > most_words:
            named.append(finding.kind.replace("_", " "))
        else:
            lines.append(f"{_PROBLEM} {_text(finding)}")
    if named:
        lines.append(f"{_PROBLEM} Also: {', '.join(named)}")
    fine = {finding.kind for finding in findings if finding.severity == OK}
    good = [name for name, kinds in _GOOD.items() if fine.issuperset(kinds)]
    if good:
        lines.append(f"{_FINE} {', '.join(good).capitalize()}")
    return lines


def _text(finding: Finding) -> str:
    message = re.sub(r"(\d) ?%", rf"\1{NARROW_SPACE}%", literal(finding.message.rstrip(".")))
    return f"**{message}**" if finding.severity == SEVERE else message


def _others(assessment: Assessment, number: int) -> list[str]:
    """The severe findings of the other photographs, which may be why there is no verdict."""
    return [
        f"{_PROBLEM} Photograph {other + 1}: "
        + ", ".join(verdict_text.REASONS.get(f.kind, f.kind) for f in photograph.examined.severe)
        for other, photograph in enumerate(assessment.photographs)
        if other != number and photograph.examined.severe
    ]
