"""The data doctor's findings in words, and the one sentence above them."""

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
class FindingText:
    """The texts of a kind of finding; `{photographs}` and `{training}` are filled in."""

    icon: str
    one: str  # after a count of 1
    many: str
    looked_for: str
    action: str = ""  # what the clean table does about it; empty: nothing
    needs_pictures: bool = False


TEXTS = {
    "same_photograph_in_two_splits": FindingText(
        "file_copy",
        "{photographs} was also used in {training}",
        "{photographs} were also used in {training}",
        "The same photograph on both sides of a split",
        "Keep held-out photographs out of training",
    ),
    "near_copy_in_two_splits": FindingText(
        "difference",
        "{photographs} has a near copy in {training}",
        "{photographs} have a near copy in {training}",
        "A near copy of a held-out photograph in training",
        "Keep their near copies out of training",
        needs_pictures=True,
    ),
    "same_lesion_in_two_splits": FindingText(
        "call_split",
        "{photographs} shows a lesion that is also in {training}",
        "{photographs} show a lesion that is also in {training}",
        "The same lesion on both sides of a split",
        "Keep held-out lesions out of training",
    ),
    "two_classes": FindingText(
        "label_off",
        "photograph carries two different diagnoses",
        "photographs carry two different diagnoses",
        "One photograph under two diagnoses",
        "Leave out photographs with two diagnoses",
    ),
    "copied_classes": FindingText(
        "folder_copy",
        "class is also filed in full under another diagnosis",
        "classes are also filed in full under another diagnosis",
        "A class that is a copy of another",
    ),
    "near_copies_in_two_classes": FindingText(
        "label_off",
        "pair of near copies carries two different diagnoses",
        "pairs of near copies carry two different diagnoses",
        "Near copies under two diagnoses",
        "Leave out near copies with two diagnoses",
        needs_pictures=True,
    ),
    "contradicts_table": FindingText(
        "rule",
        "photograph has another diagnosis in a published table",
        "photographs have another diagnosis in a published table",
        "A diagnosis that contradicts a published table",
        "Use the published table’s diagnosis",
    ),
    "unreadable": FindingText(
        "broken_image",
        "file cannot be read",
        "files cannot be read",
        "Files that are empty, damaged or not photographs",
        "Leave out files that cannot be read",
        needs_pictures=True,
    ),
    "exact_copies": FindingText(
        "content_copy",
        "pair of files has identical pixels under two names",
        "pairs of files have identical pixels under two names",
        "Identical pixels under two names",
        "Keep one of several identical files",
    ),
    "near_copies": FindingText(
        "difference",
        "pair of files is one picture saved twice",
        "pairs of files are one picture saved twice",
        "One picture re-encoded, resized, rotated or mirrored",
        "Keep near copies in one split",
        needs_pictures=True,
    ),
    "several_photographs": FindingText(
        "photo_library",
        "lesion has several photographs",
        "lesions have several photographs",
        "Lesions with several photographs",
    ),
    "small_classes": FindingText(
        "straighten",
        "class is too small to measure",
        "classes are too small to measure",
        "Classes too small to measure",
    ),
    "size_shift": FindingText(
        "aspect_ratio",
        "held-out split has other image sizes than training",
        "held-out splits have other image sizes than training",
        "Image sizes that differ between splits",
    ),
    "source_shift": FindingText(
        "inventory_2",
        "held-out split comes from other sources than training",
        "held-out splits come from other sources than training",
        "Sources that differ between splits",
    ),
    "color_shift": FindingText(
        "palette",
        "held-out split has other colors than training",
        "held-out splits have other colors than training",
        "Colors that differ between splits",
        needs_pictures=True,
    ),
}


def title(finding: Finding, table: pd.DataFrame) -> str:
    """The finding in words: "155 photographs carry two different diagnoses"."""
    texts = TEXTS[finding.kind]
    text = texts.one if finding.count == 1 else texts.many
    if "{photographs}" in text:
        photographs, training = _sides(finding, table)
        text = text.format(
            photographs=photographs if finding.count == 1 else f"{photographs}s", training=training
        )
    return f"{count(finding.count)} {text}"


def _sides(finding: Finding, table: pd.DataFrame) -> tuple[str, str]:
    """What to call a finding's held-out photographs, and the split that they are also in."""
    splits = list(table["split"])
    group_splits = [{splits[row] for row in group} for group in finding.groups]
    held_out = set().union(*group_splits) - {SPLITS[0], None}
    is_in_training = all(SPLITS[0] in of_group for of_group in group_splits)
    photographs = _HELD_OUT[held_out.pop()] if len(held_out) == 1 else "held-out photograph"
    return photographs, "training" if is_in_training else "another split"


def sentence(audit: Audit, table: pd.DataFrame, *, has_photographs: bool) -> str:
    """The most severe findings and their consequence, in Markdown."""
    most_severe = [
        next((finding for finding in audit.findings if finding.severity == severity), None)
        for severity in (INVALIDATES_LABELS, INVALIDATES_TEST)
    ]
    titles = [title(finding, table) for finding in most_severe if finding]
    if titles:
        consequence = (
            "Figures from this split would be too high."
            if most_severe[1]
            else "A network would learn wrong diagnoses."
        )
        return f"**{', and '.join(titles)}.** {consequence}"
    if audit.findings:
        return (
            "**Nothing invalidates the test or the labels** of these "
            f"{count(audit.num_files)} files. Findings worth knowing are listed below."
        )
    copies = "copies" if has_photographs else "identical files"
    return (
        f"**No {copies}, contradictions or leaks found among {count(audit.num_files)} images.** "
        "What was looked for is listed below."
    )


def is_invalid(audit: Audit) -> bool:
    """True if a finding invalidates the test or the labels."""
    return any(
        finding.severity in (INVALIDATES_TEST, INVALIDATES_LABELS) for finding in audit.findings
    )


def looked_for(audit: Audit, table: pd.DataFrame, *, has_photographs: bool) -> dict[str, list[str]]:
    """Everything that was looked for with the count found or why not; columns by name."""
    results = dict.fromkeys(TEXTS, "none")
    if not audit.references:
        results["contradicts_table"] = "needs a reference"
        if table["lesion_id"].isna().all():
            results["same_lesion_in_two_splits"] = "no lesion is recorded"
            results["several_photographs"] = "no lesion is recorded"
    if table["split"].isna().all():
        results |= {kind: "no split is recorded" for kind in TEXTS if _is_about_splits(kind)}
    if not has_photographs:
        needing = (kind for kind, text in TEXTS.items() if text.needs_pictures)
        results |= dict.fromkeys(needing, "needs the photographs")
    results |= {finding.kind: count(finding.count) for finding in audit.findings}
    return {
        "Looked for": [text.looked_for for text in TEXTS.values()],
        "Found": list(results.values()),
    }


def _is_about_splits(kind: str) -> bool:
    return kind.endswith(("_in_two_splits", "_shift"))


def actions(findings: Sequence[Finding], table: pd.DataFrame) -> dict[str, str]:
    """What the clean table can do about these findings, by kind."""
    has_splits = bool(table["split"].notna().any())
    return {
        finding.kind: TEXTS[finding.kind].action
        for finding in findings
        if TEXTS[finding.kind].action and (has_splits or finding.kind != "near_copies")
    }
