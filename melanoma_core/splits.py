"""Which photographs are for training, choosing and testing; one lesion is in one split only."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from melanoma_core import csv_tables, diagnoses, file_trees
from melanoma_core.configs import SPLITS
from melanoma_core.errors import DatasetError

_SHOWN = 3  # ids that an error names before it gives the count


def assign(
    table: pd.DataFrame,
    *,
    seed: int = 0,
    fractions: tuple[float, float, float] = (0.7, 0.1, 0.2),
    keep_given: bool = False,
) -> pd.DataFrame:
    """The table with each photograph in a split, drawn by lesion and by diagnosis.

    Photographs of one patient (column `patient_id`, where there is one) or one lesion are one
    group; a photograph of which neither is known is a group of its own. A group's place in the
    draw hangs on its id and the seed alone, so the order of rows makes no difference.

    Args:
        table: has the columns of `datasets.COLUMNS`.
        seed: another seed gives another draw.
        fractions: shares of the groups of each diagnosis for train, val and test; sum 1.
        keep_given: groups that the table holds out already (as published) stay there, as do
            those given for training, save that a diagnosis which nothing is held out of for a
            split gives it some of its training groups.

    Returns:
        A copy with `split` and `group_id`. Of each diagnosis with three groups or more, every
        split of a fraction above 0 has one.

    Raises:
        ValueError: the fractions are below 0 or do not sum to 1.
    """
    if min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-9:
        raise ValueError(f"fractions is {fractions}; three shares that sum to 1 are expected.")
    shares = dict(zip(SPLITS, fractions, strict=True))
    group_ids = _group_ids(table)
    given: dict[str, str | None] = dict.fromkeys(group_ids)
    if keep_given:
        columns = pd.DataFrame({"group": group_ids, "split": table["split"]}).dropna()
        given |= columns.groupby("group")["split"].agg(file_trees.strictest).to_dict()
    drawn: dict[str, str] = {}
    for groups in _groups_by_diagnosis(table, group_ids).values():
        ordered = sorted(groups, key=lambda group: _draw_key(group, seed))
        drawn |= _drawn([group for group in ordered if not given[group]], shares)
        drawn |= {group: split for group in ordered if (split := given[group])}
        filled = {drawn[group] for group in ordered}
        lacking = {split: shares[split] for split in SPLITS if split not in filled}
        training = [group for group in ordered if drawn[group] == "train"]
        if keep_given and any(lacking.values()):
            drawn |= _drawn(training, {"train": shares["train"]} | lacking)
    return table.assign(
        group_id=group_ids.astype("object"), split=group_ids.map(drawn).astype("object")
    )


def _group_ids(table: pd.DataFrame) -> pd.Series:
    """The patient, else the lesion, else the image of each row."""
    group_ids = table["lesion_id"].where(table["lesion_id"].notna(), table["image_id"])
    if "patient_id" in table:
        # A lesion of which one row names the patient is that patient's in every row.
        patients = table["patient_id"].groupby(group_ids).transform("first")
        group_ids = patients.where(patients.notna(), group_ids)
    return group_ids


def _groups_by_diagnosis(table: pd.DataFrame, group_ids: pd.Series) -> dict[str, list[str]]:
    """The groups of each diagnosis; one of several diagnoses counts for the first of the nine."""
    ranks = table["diagnosis"].map(diagnoses.CODES.index).groupby(group_ids).min()
    groups: dict[str, list[str]] = {}
    for group, rank in ranks.items():
        groups.setdefault(diagnoses.CODES[rank], []).append(group)
    return groups


def _draw_key(group: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}/{group}".encode()).hexdigest()


def _drawn(groups: Sequence[str], shares: Mapping[str, float]) -> dict[str, str]:
    """The split of each group: runs of the given order, as long as the shares ask."""
    counts = _counts(len(groups), {split: share for split, share in shares.items() if share > 0})
    splits = [split for split, count in counts.items() for _ in range(count)]
    return dict(zip(groups, splits, strict=True))


def _counts(num_groups: int, shares: Mapping[str, float]) -> dict[str, int]:
    """Whole numbers of groups near the shares; none is 0 where there are enough to go round.

    >>> _counts(4, {"train": 0.7, "val": 0.1, "test": 0.2})
    {'train': 2, 'val': 1, 'test': 1}
    """
    wanted = {split: num_groups * share / sum(shares.values()) for split, share in shares.items()}
    counts = {split: int(count) for split, count in wanted.items()}
    by_remainder = sorted(shares, key=lambda split: counts[split] - wanted[split])
    for split in by_remainder[: num_groups - sum(counts.values())]:
        counts[split] += 1
    if num_groups >= len(shares):
        for split in shares:
            if counts[split] == 0:
                counts[max(counts, key=lambda split: counts[split])] -= 1
                counts[split] = 1
    return counts


def apply_file(table: pd.DataFrame, split_csv: Path) -> pd.DataFrame:
    """The table with the splits and groups that a file gives.

    Args:
        table: has the columns of `datasets.COLUMNS`.
        split_csv: columns image_id, lesion_id, group_id, split; other images may be in it too.

    Returns:
        A copy: `split` and `group_id` from the file, `lesion_id` where the file knows it.

    Raises:
        DatasetError: the file cannot be read, leaves an image out, or has a group in two splits.
    """
    sheet = csv_tables.read(split_csv, split_csv.name)
    sheet.require("image_id", "lesion_id", "group_id", "split")
    lesions, groups, splits = {}, {}, {}
    split_of_group: dict[str, str] = {}
    for line, cells in sheet.records():
        image_id, split = cells["image_id"], cells["split"].lower()
        group_id = cells["group_id"] or cells["lesion_id"] or image_id
        if split not in SPLITS:
            raise DatasetError(
                f"{sheet.name}, line {line}: the split is “{cells['split']}”; "
                f"it must be one of {', '.join(SPLITS)}."
            )
        if image_id in splits:
            raise DatasetError(
                f"{sheet.name}, line {line}: {image_id} stands there a second time. "
                "Take one of its rows out."
            )
        if split_of_group.setdefault(group_id, split) != split:
            raise DatasetError(
                f"{sheet.name}, line {line}: the group {group_id} stands in {split} and in "
                f"{split_of_group[group_id]}. Photographs of one lesion must be in one split."
            )
        splits[image_id], groups[image_id] = split, group_id
        if cells["lesion_id"]:
            lesions[image_id] = cells["lesion_id"]
    missing = [image_id for image_id in table["image_id"] if image_id not in splits]
    if missing:
        raise DatasetError(
            f"{sheet.name} has no row for {len(missing):,} of {len(table):,} photographs "
            f"({_first(missing)}). Add them, or leave the data set that holds them out."
        )
    ids = table["image_id"]
    return table.assign(
        lesion_id=ids.map(lesions).astype("object").where(ids.isin(lesions), table["lesion_id"]),
        split=ids.map(splits).astype("object"),
        group_id=ids.map(groups).astype("object"),
    )


def _first(ids: Sequence[str]) -> str:
    return ", ".join(ids[:_SHOWN]) + (", …" if len(ids) > _SHOWN else "")
