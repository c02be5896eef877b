"""Findings of the data doctor in the words of the page, and the one sentence over them all."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from melanoma_core.audit.audits import Audit
from melanoma_core.audit.findings import INVALIDATES_LABELS, INVALIDATES_TEST, SEVERITIES, Finding
from melanoma_core.data.schema import SPLITS
from ui.formats import count

COLORS = dict(zip(SEVERITIES, ("red", "orange", "gray"), strict=True))
_HELD_OUT = {"test": "test photograph", "val": "validation photograph"}


@dataclass(frozen=True)
class Words:
    """How a kind of finding is called; `{photographs}` and `{training}` are filled in."""

    icon: str
    one: str  # behind a count of 1
    many: str
    looked_for: str
    action: str = ""  # what the clean table does about it; empty: nothing
    needs_pictures: bool = False


WORDS = {
    "same_photograph_in_two_splits": Words(
        "file_copy",
        "{photographs} was also used in {training}",
        "{photographs} were also used in {training}",
        "The same photograph on both sides of a split",
        "Keep held-out photographs out of training",
    ),
    "near_copy_in_two_splits": Words(
        "difference",
        "{photographs} has a near copy in {training}",
        "{photographs} have a near copy in {training}",
        "A near copy of a held-out photograph in training",
        "Keep their near copies out of training",
        needs_pictures=True,
    ),
    "same_lesion_in_two_splits": Words(
        "call_split",
        "{photographs} shows a lesion that {training} shows too",
        "{photographs} show a lesion that {training} shows too",
        "The same lesion on both sides of a split",
        "Keep held-out lesions out of training",
    ),
    "two_classes": Words(
        "label_off",
        "photograph carries two different diagnoses",
        "photographs carry two different diagnoses",
        "One photograph under two diagnoses",
        "Leave out photographs with two diagnoses",
    ),
    "copied_classes": Words(
        "folder_copy",
        "class is, as a whole, filed under another diagnosis too",
        "classes are, as a whole, filed under another diagnosis too",
        "A class that is as a whole a copy of another",
    ),
    "near_copies_in_two_classes": Words(
        "label_off",
        "pair of near copies carries two different diagnoses",
        "pairs of near copies carry two different diagnoses",
        "Near copies under two diagnoses",
        "Leave out near copies with two diagnoses",
        needs_pictures=True,
    ),
    "contradicts_table": Words(
        "rule",
        "photograph has another diagnosis in a published table",
        "photographs have another diagnosis in a published table",
        "A diagnosis that a published table denies",
        "Take the published table’s diagnosis",
    ),
    "unreadable": Words(
        "broken_image",
        "file cannot be read",
        "files cannot be read",
        "Files that are empty, damaged or no photographs",
        "Leave out files that cannot be read",
        needs_pictures=True,
    ),
    "exact_copies": Words(
        "content_copy",
        "pair of files holds the same pixels under two names",
        "pairs of files hold the same pixels under two names",
        "The same pixels under two names",
        "Keep one file of the same pixels",
    ),
    "near_copies": Words(
        "difference",
        "pair is one picture saved twice",
        "pairs are one picture saved twice",
        "One picture re-encoded, resized, rotated or mirrored",
        "Keep near copies in one split",
        needs_pictures=True,
    ),
    "several_photographs": Words(
        "photo_library",
        "lesion has several photographs",
        "lesions have several photographs",
        "Lesions with several photographs",
    ),
    "small_classes": Words(
        "straighten",
        "class is too small to measure",
        "classes are too small to measure",
        "Classes too small to measure",
    ),
    "size_shift": Words(
        "aspect_ratio",
        "held-out split has images of other sizes than training",
        "held-out splits have images of other sizes than training",
        "Image sizes that shift between splits",
    ),
    "source_shift": Words(
        "inventory_2",
        "held-out split comes from other sources than training",
        "held-out splits come from other sources than training",
        "Sources that shift between splits",
    ),
    "color_shift": Words(
        "palette",
        "held-out split has other colors than training",
        "held-out splits have other colors than training",
        "Colors that shift between splits",
        needs_pictures=True,
    ),
}


def title(finding: Finding, table: pd.DataFrame) -> str:
    """What was found: "155 photographs carry two different diagnoses"."""
    words = WORDS[finding.kind]
    text = words.one if finding.count == 1 else words.many
    if "{photographs}" in text:
        photographs, training = _sides(finding, table)
        text = text.format(
            photographs=photographs if finding.count == 1 else f"{photographs}s", training=training
        )
    return f"{count(finding.count)} {text}"


def _sides(finding: Finding, table: pd.DataFrame) -> tuple[str, str]:
    """What the held-out photographs of a finding are called, and where else they stand."""
    splits = list(table["split"])
    of_groups = [{splits[row] for row in group} for group in finding.groups]
    held_out = set().union(*of_groups) - {SPLITS[0], None}
    is_taught = all(SPLITS[0] in of_group for of_group in of_groups)
    photographs = _HELD_OUT[held_out.pop()] if len(held_out) == 1 else "held-out photograph"
    return photographs, "training" if is_taught else "another split"


def sentence(audit: Audit, table: pd.DataFrame, *, has_photographs: bool) -> str:
    """The gravest of what was found, and what it means, in Markdown."""
    gravest = [
        next((finding for finding in audit.findings if finding.severity == severity), None)
        for severity in (INVALIDATES_LABELS, INVALIDATES_TEST)
    ]
    titles = [title(finding, table) for finding in gravest if finding]
    if titles:
        means = (
            "Figures from this split would be too high."
            if gravest[1]
            else "A network would be taught wrong diagnoses."
        )
        return f"**{', and '.join(titles)}.** {means}"
    if audit.findings:
        return (
            "**Nothing spoils the test or the labels** of these "
            f"{count(audit.num_files)} files. What is worth knowing stands below."
        )
    copies = "copies" if has_photographs else "identical files"
    return (
        f"**No {copies}, contradictions or leaks found among {count(audit.num_files)} images.** "
        "What was looked for stands below."
    )


def is_spoilt(audit: Audit) -> bool:
    """Whether anything spoils the test or the labels."""
    return any(
        finding.severity in (INVALIDATES_TEST, INVALIDATES_LABELS) for finding in audit.findings
    )


def looked_for(audit: Audit, table: pd.DataFrame, *, has_photographs: bool) -> dict[str, list[str]]:
    """Everything that was looked for, and how much of it was found; columns by name."""
    lacks = dict.fromkeys(WORDS, "none")
    if not audit.references:
        lacks["contradicts_table"] = "needs a reference"
        if table["lesion_id"].isna().all():
            lacks["same_lesion_in_two_splits"] = "no lesion is recorded"
            lacks["several_photographs"] = "no lesion is recorded"
    if table["split"].isna().all():
        lacks |= {kind: "no split is given" for kind in WORDS if _is_about_splits(kind)}
    if not has_photographs:
        needing = (kind for kind, words in WORDS.items() if words.needs_pictures)
        lacks |= dict.fromkeys(needing, "needs the photographs")
    found = {finding.kind: count(finding.count) for finding in audit.findings}
    return {
        "Looked for": [words.looked_for for words in WORDS.values()],
        "Found": list((lacks | found).values()),
    }


def _is_about_splits(kind: str) -> bool:
    return kind.endswith(("_in_two_splits", "_shift"))


def actions(found: Sequence[Finding], table: pd.DataFrame) -> dict[str, str]:
    """What the clean table can do about these findings, by kind."""
    is_divided = bool(table["split"].notna().any())
    return {
        finding.kind: WORDS[finding.kind].action
        for finding in found
        if WORDS[finding.kind].action and (is_divided or finding.kind != "near_copies")
    }
