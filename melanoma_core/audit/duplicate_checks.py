"""Checks of files: unreadable files, duplicates, and photographs in two classes."""

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from melanoma_core import diagnoses
from melanoma_core.audit.findings import INVALIDATES_LABELS, WORTH_KNOWING, Evidence, Finding
from melanoma_core.data import row_groups
from melanoma_core.data.row_groups import Rows
from melanoma_core.images import fingerprints, near_duplicates
from melanoma_core.images.fingerprints import Fingerprints, Report

MIN_COPIED_SHARE = 0.9  # of a class's files, to count as a copy of another class


def unreadable(evidence: Evidence) -> Finding | None:
    """Files that are empty, cut off, damaged or not photographs."""
    rows = sorted(evidence.fingerprints.refused)
    if not rows:
        return None
    return Finding(
        kind="unreadable",
        severity=WORTH_KNOWING,
        count=len(rows),
        unit="files",
        meaning="These files cannot be read, so they are not used for training. Their class has "
        "fewer photographs than its folder has files.",
        ids=_unique(evidence.ids[row] for row in rows),
        parts={evidence.fingerprints.refused[row]: 1 for row in rows},
        groups=tuple((row,) for row in rows),
    )


def exact_copies(evidence: Evidence) -> Finding | None:
    """Identical pixels under different file names."""
    groups = [rows for rows in evidence.exact if len({evidence.names[row] for row in rows}) > 1]
    pairs = []
    for rows in groups:
        first, *others = dict.fromkeys(evidence.names[row] for row in rows)
        pairs += [(first, other) for other in others]
    return _of_groups(
        evidence,
        "exact_copies",
        WORTH_KNOWING,
        "The same pixels under another name. Such a photograph counts double in training, and "
        "leaks if the data are divided by file.",
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
        "One picture saved again: re-encoded, resized, rotated or mirrored. Keep both in the same "
        "split.",
        near,
        [(evidence.names[first], evidence.names[second]) for first, second in near],
    )


def two_classes(evidence: Evidence) -> Finding | None:
    """Photographs (by image id or pixels) with more than one diagnosis."""
    groups = [
        rows
        for rows in evidence.photographs
        if diagnoses.common_label(evidence.codes[row] for row in rows) is None
    ]
    if not groups:
        return None
    return Finding(
        kind="two_classes",
        severity=INVALIDATES_LABELS,
        count=len(groups),
        unit="photographs",
        meaning="One photograph under two diagnoses: at least one is wrong, and a network would be "
        "trained on both. Without a published table these are left out.",
        ids=_unique(evidence.ids[row] for rows in groups for row in rows),
        parts=_filed(evidence, groups),
        groups=tuple(groups),
    )


def near_copies_in_two_classes(evidence: Evidence) -> Finding | None:
    """Near copies with different image ids and different diagnoses."""
    filed: dict[str, set[str]] = {}
    for image_id, code in zip(evidence.ids, evidence.codes, strict=True):
        filed.setdefault(image_id, set()).add(code)
    near = [
        (first, second)
        for first, second in _near_of_two_ids(evidence)
        if not any(
            diagnoses.common_label(codes)
            for codes in itertools.product(filed[evidence.ids[first]], filed[evidence.ids[second]])
        )
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
    """Classes whose files are nearly all filed under another diagnosis too."""
    sizes = Counter(evidence.codes)
    shared: Counter[tuple[str, str]] = Counter()
    rows_of: dict[tuple[str, str], list[int]] = {}
    for rows in evidence.photographs:
        codes = {evidence.codes[row] for row in rows}
        for row in rows:
            for other in codes:
                if diagnoses.common_label((evidence.codes[row], other)):
                    continue
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
        text = f"of {sizes[code]:,} files of {_name(code)} are also filed as {_name(other)}"
        parts[text + (f", not {', '.join(own)}" if own else "")] = len(copies)
    return Finding(
        kind="copied_classes",
        severity=INVALIDATES_LABELS,
        count=len(copied),
        unit="classes",
        meaning="Such a class has hardly any photographs of its own. Metrics on it say nothing "
        "about that diagnosis.",
        ids=_unique(evidence.ids[row] for pair in copied for row in rows_of[pair]),
        parts=parts,
        groups=tuple(tuple(rows_of[pair]) for pair in copied),
    )


def near_copy_ids(table: pd.DataFrame, report: Report | None = None) -> tuple[tuple[str, str], ...]:
    """Pairs of image ids that show one picture, for `splits.assign`; reads every photograph.

    Pass the combined table of all data sets, because copies occur across archives.

    Args:
        table: has the columns of `schema.COLUMNS`.
        report: called with the numbers of photographs read and in total.
    """
    prints = fingerprints.of_files([Path(path) for path in table["path"]], report)
    image_ids = list(table["image_id"])
    pairs = ((image_ids[first], image_ids[second]) for first, second in copy_pairs(prints))
    return tuple(dict.fromkeys((first, second) for first, second in pairs if first != second))


def copy_pairs(prints: Fingerprints) -> list[tuple[int, int]]:
    """Pairs of indices that show one picture: exact copies (with the first) and near copies."""
    exact = [(rows[0], row) for rows in row_groups.equal_rows(prints.sha256) for row in rows[1:]]
    return exact + [(copy.first, copy.second) for copy in near_duplicates.find(prints)]


def _near_of_two_ids(evidence: Evidence) -> list[Rows]:
    """Pairs of rows of near copies with different image ids."""
    return [
        (copy.first, copy.second)
        for copy in evidence.near_copies
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
    """A finding on pairs; None if there are none."""
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
    """Photographs by their splits and diagnoses, the most frequent first."""
    counts: Counter[str] = Counter()
    for rows in groups:
        by_diagnosis = sorted(rows, key=lambda row: diagnoses.LABELS.index(evidence.codes[row]))
        counts[" and ".join(dict.fromkeys(map(evidence.group_name, by_diagnosis)))] += 1
    return dict(counts.most_common())


def _name(code: str) -> str:
    return diagnoses.BY_CODE[code].name


def _unique(ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(ids))
