"""Findings on files: what cannot be read, what is there twice, what is filed in two classes."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from melanoma_core import diagnoses
from melanoma_core.audit.findings import INVALIDATES_LABELS, WORTH_KNOWING, Evidence, Finding
from melanoma_core.data import row_groups
from melanoma_core.data.row_groups import Rows
from melanoma_core.images import fingerprints, near_duplicates
from melanoma_core.images.fingerprints import Report

MIN_COPIED_SHARE = 0.9  # of a class that is, as a whole, another's copy


def unreadable(evidence: Evidence) -> Finding | None:
    """Files that are empty, cut off, damaged or no photographs."""
    rows = sorted(evidence.found.refused)
    if not rows:
        return None
    return Finding(
        kind="unreadable",
        severity=WORTH_KNOWING,
        count=len(rows),
        unit="files",
        meaning="These files cannot be read, so no training sees them. Their class has fewer "
        "photographs than its folder has files.",
        ids=_unique(evidence.ids[row] for row in rows),
        parts={evidence.found.refused[row]: 1 for row in rows},
        groups=tuple((row,) for row in rows),
    )


def exact_copies(evidence: Evidence) -> Finding | None:
    """The same pixels under different file names; one name in two folders is another finding."""
    groups = [rows for rows in evidence.exact if len({evidence.names[row] for row in rows}) > 1]
    pairs = []
    for rows in groups:
        first, *others = dict.fromkeys(evidence.names[row] for row in rows)
        pairs += [(first, other) for other in others]
    return _of_groups(
        evidence,
        "exact_copies",
        WORTH_KNOWING,
        "The same pixels under another name. A photograph that is there twice counts double in "
        "training, and leaks where the data are divided by file.",
        groups,
        pairs,
    )


def near_copies(evidence: Evidence) -> Finding | None:
    """One picture re-encoded, resized, rotated or mirrored, under two image ids."""
    near = _near_of_two_ids(evidence)
    return _of_groups(
        evidence,
        "near_copies",
        WORTH_KNOWING,
        "One picture saved once more: re-encoded, resized, rotated or mirrored. Divide the data "
        "so that both stay on one side.",
        near,
        [(evidence.names[first], evidence.names[second]) for first, second in near],
    )


def two_classes(evidence: Evidence) -> Finding | None:
    """Photographs that are filed under more than one diagnosis, by image id or pixels."""
    groups = [
        rows for rows in evidence.photographs if len({evidence.codes[row] for row in rows}) > 1
    ]
    if not groups:
        return None
    return Finding(
        kind="two_classes",
        severity=INVALIDATES_LABELS,
        count=len(groups),
        unit="photographs",
        meaning="One photograph under two diagnoses: at least one is wrong, and a network is "
        "taught both. Without an official table these are left out.",
        ids=_unique(evidence.ids[row] for rows in groups for row in rows),
        parts=_filed(evidence, groups),
        groups=tuple(groups),
    )


def near_copies_in_two_classes(evidence: Evidence) -> Finding | None:
    """Near copies under two image ids, each id filed under a diagnosis of its own."""
    filed: dict[str, set[str]] = {}
    for image_id, code in zip(evidence.ids, evidence.codes, strict=True):
        filed.setdefault(image_id, set()).add(code)
    near = [
        (first, second)
        for first, second in _near_of_two_ids(evidence)
        if not filed[evidence.ids[first]] & filed[evidence.ids[second]]
    ]
    return _of_groups(
        evidence,
        "near_copies_in_two_classes",
        INVALIDATES_LABELS,
        "One picture saved twice under two diagnoses: at least one is wrong.",
        near,
        [(evidence.names[first], evidence.names[second]) for first, second in near],
    )


def copied_classes(evidence: Evidence) -> Finding | None:
    """Classes of which nearly every file is also filed under one other diagnosis."""
    sizes = Counter(evidence.codes)
    shared: Counter[tuple[str, str]] = Counter()
    rows_of: dict[tuple[str, str], list[int]] = {}
    for rows in evidence.photographs:
        codes = {evidence.codes[row] for row in rows}
        for row in rows:
            for other in codes - {evidence.codes[row]}:
                shared[evidence.codes[row], other] += 1
                rows_of.setdefault((evidence.codes[row], other), []).append(row)
    copied = [
        (code, other)
        for (code, other), count in shared.items()
        if count >= MIN_COPIED_SHARE * sizes[code] and sizes[code] <= sizes[other]
    ]
    if not copied:
        return None
    parts = {}
    for code, other in copied:
        copies = set(rows_of[code, other])
        own = [
            evidence.ids[row]
            for row, filed in enumerate(evidence.codes)
            if filed == code and row not in copies
        ]
        words = f"of {sizes[code]:,} files of {_name(code)} are also filed as {_name(other)}"
        parts[words + (f", not {', '.join(own)}" if own else "")] = len(copies)
    return Finding(
        kind="copied_classes",
        severity=INVALIDATES_LABELS,
        count=len(copied),
        unit="classes",
        meaning="Such a class has next to no photographs of its own. What is measured on it says "
        "nothing of that diagnosis.",
        ids=_unique(evidence.ids[row] for pair in copied for row in rows_of[pair]),
        parts=parts,
        groups=tuple(tuple(rows_of[pair]) for pair in copied),
    )


def _near_of_two_ids(evidence: Evidence) -> list[Rows]:
    """Pairs of rows; two files of one image id are the same photograph anyway."""
    return [
        (copy.first, copy.second)
        for copy in evidence.near
        if evidence.ids[copy.first] != evidence.ids[copy.second]
    ]


def _of_groups(
    evidence: Evidence,
    kind: str,
    severity: str,
    meaning: str,
    groups: Sequence[Rows],
    pairs: Sequence[tuple[str, str]],
) -> Finding | None:
    """A finding of pairs; None where there are none."""
    if not groups:
        return None
    return Finding(
        kind=kind,
        severity=severity,
        count=len(pairs),
        unit="pairs",
        meaning=meaning,
        ids=_unique(evidence.ids[row] for rows in groups for row in rows),
        pairs=tuple(pairs),
        groups=tuple(groups),
    )


def _filed(evidence: Evidence, groups: Sequence[Rows]) -> dict[str, int]:
    """How many photographs are filed where, the most first."""
    places: Counter[str] = Counter()
    for rows in groups:
        by_diagnosis = sorted(rows, key=lambda row: diagnoses.CODES.index(evidence.codes[row]))
        places[" and ".join(dict.fromkeys(map(evidence.group_name, by_diagnosis)))] += 1
    return dict(places.most_common())


def _name(code: str) -> str:
    return diagnoses.BY_CODE[code].name


def _unique(ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(ids))


def near_copy_ids(table: pd.DataFrame, report: Report | None = None) -> tuple[tuple[str, str], ...]:
    """Pairs of image ids that show one picture, for `assign`; every photograph is read.

    Give the table of all data sets that are divided at once: copies lie across archives.

    Args:
        table: has the columns of `schema.COLUMNS`.
        report: is told the number of photographs read, and of all.
    """
    found = fingerprints.of_files([Path(path) for path in table["path"]], report)
    image_ids = list(table["image_id"])
    pairs = [(group[0], row) for group in row_groups.equal_rows(found.sha256) for row in group[1:]]
    pairs += [(copy.first, copy.second) for copy in near_duplicates.find(found)]
    named = ((image_ids[first], image_ids[second]) for first, second in pairs)
    return tuple(dict.fromkeys((first, second) for first, second in named if first != second))
