"""The data sets of a training without what the data doctor finds wrong with them."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from melanoma_core.audit import audits
from melanoma_core.data import file_trees, row_groups
from melanoma_core.data.datasets import Dataset
from melanoma_core.images import near_duplicates
from melanoma_core.images.fingerprints import Fingerprints, Report

_LEAK = "Left out, as a near copy or another photograph of the lesion is held out: {:,}."


@dataclass(frozen=True)
class Cleaned:
    """Data sets with their clean tables."""

    datasets: tuple[Dataset, ...]  # in the order given; name, license and SHA-256 as they were
    copies: tuple[tuple[str, str], ...]  # paths of two files that hold one picture, in any sets
    notes: tuple[str, ...]  # what was dropped or relabeled and why, in counts


def clean(datasets: Sequence[Dataset], report: Report | None = None) -> Cleaned:
    """Have the data doctor look at every data set, and take the clean tables.

    Each set is held against the published tables among the others.

    Args:
        datasets: as `datasets.read` has them, with the splits that they are to be judged by.
        report: is told the number of photographs read, and of all.
    """
    num_files = sum(len(dataset.table) for dataset in datasets)
    tables, found, notes = [], [], []
    num_before = 0
    for dataset in datasets:
        references = [other for other in datasets if other is not dataset and other.is_official]
        audit = audits.audit(dataset, references, _counting_on(report, num_before, num_files))
        table, changes = audits.clean(dataset, audit.findings)
        num_before += len(dataset.table)
        tables.append(dataclasses.replace(dataset, table=table))
        found.append(audit.fingerprints)
        notes += _notes(dataset, changes)
        notes += [f"Left out: {reason}" for reason in audit.fingerprints.refused.values()]
    paths = [path for dataset in datasets for path in dataset.table["path"]]
    pairs = _copies(_joined(found))
    return Cleaned(
        datasets=tuple(tables),
        copies=tuple((paths[first], paths[second]) for first, second in pairs),
        notes=tuple(notes),
    )


def _counting_on(report: Report | None, num_before: int, num_files: int) -> Report | None:
    if report is None:
        return None
    return lambda done, _: report(num_before + done, num_files)


def _notes(dataset: Dataset, changes: Sequence[audits.Change]) -> list[str]:
    """What was changed, a line a reason."""
    num_dropped = sum(change.is_dropped for change in changes)
    counts = f"{num_dropped:,} of {len(dataset.table):,} files dropped"
    if len(changes) > num_dropped:
        counts += f", {len(changes) - num_dropped:,} relabeled"
    reasons = Counter(change.reason for change in changes)
    return [
        f"{dataset.name}, cleaned by the data doctor: {counts}.",
        *(f"{dataset.name}: {num:,} files: {reason}" for reason, num in reasons.most_common()),
    ]


def _joined(parts: Sequence[Fingerprints]) -> Fingerprints:
    return Fingerprints(
        sha256=tuple(digest for part in parts for digest in part.sha256),
        thumbnails=np.concatenate([part.thumbnails for part in parts]),
        sizes=np.concatenate([part.sizes for part in parts]),
        colors=np.concatenate([part.colors for part in parts]),
        refused={},  # those have no SHA-256, and are compared with nothing
    )


def _copies(found: Fingerprints) -> list[tuple[int, int]]:
    pairs = [
        (group[0], place) for group in row_groups.equal_rows(found.sha256) for place in group[1:]
    ]
    return pairs + [(copy.first, copy.second) for copy in near_duplicates.find(found)]


def named_copies(
    combined: Dataset, copies: Sequence[tuple[str, str]]
) -> tuple[tuple[str, str], ...]:
    """Pairs of image ids of a combined data set, for pairs of files of the sets it was made of."""
    image_ids = dict(combined.table[["path", "image_id"]].to_numpy())
    for image_id, files in combined.further_files.items():
        image_ids |= dict.fromkeys(files, image_id)
    named = (
        (image_ids[first], image_ids[second])
        for first, second in copies
        if first in image_ids and second in image_ids
    )
    return tuple(dict.fromkeys((first, second) for first, second in named if first != second))


def without_leaks(
    table: pd.DataFrame, copies: Sequence[tuple[str, str]]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """A divided table without the rows that show what a stricter split holds out.

    The data doctor sees one data set at a time; copies lie across them.

    Args:
        table: has `split` and `group_id`.
        copies: as `named_copies` has them.

    Returns:
        The rows that may stay, and a note where some may not.
    """
    table = table.reset_index(drop=True)
    places = {image_id: place for place, image_id in enumerate(table["image_id"])}
    pairs = [
        (places[first], places[second])
        for first, second in copies
        if first in places and second in places
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
