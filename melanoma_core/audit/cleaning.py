"""Audited and cleaned data sets for training."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from melanoma_core.audit import audits, duplicate_checks
from melanoma_core.data import file_trees, row_groups
from melanoma_core.data.datasets import Dataset
from melanoma_core.images.fingerprints import Fingerprints, OnImage, Report

_LEAK = "Left out, because a near copy or another photograph of the lesion is held out: {:,}."


@dataclass(frozen=True)
class Cleaned:
    """Data sets with their clean tables."""

    datasets: tuple[Dataset, ...]  # in their order; name, license and SHA-256 unchanged
    copies: tuple[tuple[str, str], ...]  # paths of two files that show one picture, in any sets
    notes: tuple[str, ...]  # counts of dropped and relabeled files, with reasons


def clean(
    datasets: Sequence[Dataset], report: Report | None = None, on_image: OnImage | None = None
) -> Cleaned:
    """Audit and clean every data set, with the published tables among the others as references.

    Args:
        datasets: from `datasets.read`, with the splits to check for leaks.
        report: called with the numbers of photographs read and in total.
        on_image: as in `fingerprints.of_files`.
    """
    num_files = sum(len(dataset.table) for dataset in datasets)
    cleaned, prints, notes = [], [], []
    num_done = 0
    for dataset in datasets:
        references = [other for other in datasets if other is not dataset and other.is_official]
        audit = audits.audit(
            dataset, references, _with_offset(report, num_done, num_files), on_image
        )
        table, changes = audits.clean(dataset, audit.findings)
        num_done += len(dataset.table)
        cleaned.append(dataclasses.replace(dataset, table=table))
        prints.append(audit.fingerprints)
        notes += _notes(dataset, changes)
        notes += [f"Left out: {reason}" for reason in audit.fingerprints.refused.values()]
    paths = [path for dataset in datasets for path in dataset.table["path"]]
    pairs = duplicate_checks.copy_pairs(_concatenated(prints))
    return Cleaned(
        datasets=tuple(cleaned),
        copies=tuple((paths[first], paths[second]) for first, second in pairs),
        notes=tuple(notes),
    )


def _with_offset(report: Report | None, num_before: int, num_files: int) -> Report | None:
    if report is None:
        return None
    return lambda done, _: report(num_before + done, num_files)


def _notes(dataset: Dataset, changes: Sequence[audits.Change]) -> list[str]:
    """The changes, one note per reason."""
    num_dropped = sum(change.is_dropped for change in changes)
    counts = f"{num_dropped:,} of {len(dataset.table):,} files dropped"
    if len(changes) > num_dropped:
        counts += f", {len(changes) - num_dropped:,} relabeled"
    notes = [f"{dataset.name}, cleaned by the data doctor: {counts}."]
    reasons = Counter((change.reason, change.is_dropped) for change in changes)
    for (reason, is_dropped), num_files in reasons.most_common():
        files = f"{num_files:,} {'file' if num_files == 1 else 'files'}"
        action = "dropped" if is_dropped else "relabeled"
        notes.append(f"{dataset.name}: {files} {action}: {reason[:1].lower()}{reason[1:]}.")
    return notes


def _concatenated(parts: Sequence[Fingerprints]) -> Fingerprints:
    return Fingerprints(
        sha256=tuple(digest for part in parts for digest in part.sha256),
        thumbnails=np.concatenate([part.thumbnails for part in parts]),
        sizes=np.concatenate([part.sizes for part in parts]),
        colors=np.concatenate([part.colors for part in parts]),
        refused={},  # refused files have no SHA-256, so they are not compared
    )


def copies_by_image_id(
    combined: Dataset, copies: Sequence[tuple[str, str]]
) -> tuple[tuple[str, str], ...]:
    """Pairs of image ids in a combined data set, from pairs of paths in its parts."""
    image_ids = dict(combined.table[["path", "image_id"]].to_numpy())
    for image_id, files in combined.further_files.items():
        image_ids |= dict.fromkeys(files, image_id)
    pairs = (
        (image_ids[first], image_ids[second])
        for first, second in copies
        if first in image_ids and second in image_ids
    )
    return tuple(dict.fromkeys((first, second) for first, second in pairs if first != second))


def without_leaks(
    table: pd.DataFrame, copies: Sequence[tuple[str, str]]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """A table without rows that have a copy or their group in a stricter split.

    An audit looks at a single data set; this finds copies between data sets.

    Args:
        table: has `split` and `group_id`.
        copies: from `copies_by_image_id`.

    Returns:
        The remaining rows, and a note if any were dropped.
    """
    table = table.reset_index(drop=True)
    row_of = {image_id: row for row, image_id in enumerate(table["image_id"])}
    pairs = [
        (row_of[first], row_of[second])
        for first, second in copies
        if first in row_of and second in row_of
    ]
    splits = list(table["split"])
    leaking = [
        row
        for rows in row_groups.connected(
            len(table), [*pairs, *row_groups.equal_rows(list(table["group_id"]))]
        )
        for row in rows
        if splits[row] != file_trees.strictest_split(splits[each] for each in rows)
    ]
    if not leaking:
        return table, ()
    return table.drop(index=leaking).reset_index(drop=True), (_LEAK.format(len(leaking)),)
