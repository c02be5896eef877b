"""Division into train, val and test, with every lesion in a single split."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from melanoma_core import diagnoses
from melanoma_core.data import csv_tables, file_trees, row_groups
from melanoma_core.data.csv_tables import CsvTable
from melanoma_core.data.schema import SPLITS
from melanoma_core.errors import DatasetError

_SHOWN = 3  # ids that an error lists


def assign(
    table: pd.DataFrame,
    *,
    seed: int = 0,
    fractions: tuple[float, float, float] = (0.7, 0.1, 0.2),
    keep_existing: bool = False,
    copies: Iterable[tuple[str, str]] = (),
) -> pd.DataFrame:
    """Assign each photograph to a split, by group and stratified by diagnosis.

    Photographs of one patient (column `patient_id`, if there is one) or one lesion form a group; a
    photograph without either is its own group. Groups that share copies of a picture are merged.
    The draw depends only on group ids and the seed, not on the order of rows.

    Args:
        table: has the columns of `schema.COLUMNS`.
        seed: of the draw.
        fractions: proportions of each diagnosis's groups for train, val and test; sum 1.
        keep_existing: keep the (published) splits that the table has, and draw only the rest. If
            a diagnosis then lacks a split, some of its training groups are moved there.
        copies: pairs of image ids that show one picture, as `cleaning.copies_by_image_id`
            returns them; ids that are not in the table are ignored.

    Returns:
        A copy with `split` and `group_id`. Each diagnosis with at least three groups has one in
        every split whose fraction is above 0.

    Raises:
        ValueError: a fraction is negative or they do not sum to 1.
    """
    if min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-9:
        raise ValueError(f"fractions is {fractions}; three proportions that sum to 1 are expected.")
    proportions = dict(zip(SPLITS, fractions, strict=True))
    group_ids = _merge_copies(table, _group_ids(table), copies)
    existing: dict[str, str | None] = dict.fromkeys(group_ids)
    if keep_existing:
        columns = pd.DataFrame({"group": group_ids, "split": table["split"]}).dropna()
        existing |= columns.groupby("group")["split"].agg(file_trees.strictest_split).to_dict()
    drawn: dict[str, str] = {}
    for groups in _groups_by_diagnosis(table, group_ids).values():
        ordered = sorted(groups, key=lambda group: _draw_key(group, seed))
        drawn |= _divide([group for group in ordered if not existing[group]], proportions)
        drawn |= {group: split for group in ordered if (split := existing[group])}
        filled = {drawn[group] for group in ordered}
        missing = {split: proportions[split] for split in SPLITS if split not in filled}
        training = [group for group in ordered if drawn[group] == "train"]
        if keep_existing and any(missing.values()):
            drawn |= _divide(training, {"train": proportions["train"]} | missing)
    return table.assign(
        group_id=group_ids.astype("object"), split=group_ids.map(drawn).astype("object")
    )


def _group_ids(table: pd.DataFrame) -> pd.Series:
    """Each row's patient, named after one of its lesions, else its lesion, else its image."""
    group_ids = table["lesion_id"].where(table["lesion_id"].notna(), table["image_id"])
    if "patient_id" in table:
        # One row that names the patient of a lesion is enough for all its rows.
        patients = table["patient_id"].groupby(group_ids).transform("first")
        # Group ids are saved with models, so they must not be patient numbers.
        lesions = group_ids.groupby(patients).transform("min")
        group_ids = lesions.where(patients.notna(), group_ids)
    return group_ids


def _merge_copies(
    table: pd.DataFrame, group_ids: pd.Series, copies: Iterable[tuple[str, str]]
) -> pd.Series:
    """Group ids in which groups that share copies have the alphabetically first id of them."""
    group_of = dict(zip(table["image_id"], group_ids, strict=True))
    names = sorted(set(group_ids))
    index_of = {name: index for index, name in enumerate(names)}
    pairs = [
        (index_of[group_of[first]], index_of[group_of[second]])
        for first, second in copies
        if first in group_of and second in group_of
    ]
    first_of = {
        names[index]: names[group[0]]
        for group in row_groups.connected(len(names), pairs)
        for index in group
    }
    return group_ids.map(first_of)


def _groups_by_diagnosis(table: pd.DataFrame, group_ids: pd.Series) -> dict[str, list[str]]:
    """Groups by diagnosis; a group of several diagnoses counts for the first in `LABELS`."""
    ranks = table["diagnosis"].map(diagnoses.LABELS.index).groupby(group_ids).min()
    groups: dict[str, list[str]] = {}
    for group, rank in ranks.items():
        groups.setdefault(diagnoses.LABELS[rank], []).append(group)
    return groups


def _draw_key(group: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}/{group}".encode()).hexdigest()


def _divide(groups: Sequence[str], proportions: Mapping[str, float]) -> dict[str, str]:
    """The split of each group: the first ones train, then val, then test."""
    positive = {split: proportion for split, proportion in proportions.items() if proportion > 0}
    counts = _counts(len(groups), positive)
    splits = [split for split, count in counts.items() for _ in range(count)]
    return dict(zip(groups, splits, strict=True))


def _counts(num_groups: int, proportions: Mapping[str, float]) -> dict[str, int]:
    """Groups per split, near the proportions; none is 0 if there are enough groups.

    >>> _counts(4, {"train": 0.7, "val": 0.1, "test": 0.2})
    {'train': 2, 'val': 1, 'test': 1}
    """
    total = sum(proportions.values())
    exact = {split: num_groups * part / total for split, part in proportions.items()}
    counts = {split: int(count) for split, count in exact.items()}
    by_remainder = sorted(proportions, key=lambda split: counts[split] - exact[split])
    for split in by_remainder[: num_groups - sum(counts.values())]:
        counts[split] += 1
    if num_groups >= len(proportions):
        for split in proportions:
            if counts[split] == 0:
                counts[max(counts, key=lambda split: counts[split])] -= 1
                counts[split] = 1
    return counts


def apply_file(table: pd.DataFrame, split_csv: Path) -> pd.DataFrame:
    """The table with the splits and groups of a split file.

    Args:
        table: has the columns of `schema.COLUMNS`.
        split_csv: has the columns image_id, group_id, split and optionally lesion_id; it may list
            other images too.

    Returns:
        A copy: `split` from the file; `lesion_id` from the file if it has it; `group_id` from the
        file, else the file's lesion, else as in `assign`.

    Raises:
        DatasetError: the file cannot be read, does not list an image, or has a group or lesion,
            its own or the table's, in two splits.
    """
    sheet = _sheet(split_csv)
    lesions, groups, splits = {}, {}, {}
    split_of_group: dict[str, str] = {}
    for line, cells in sheet.records():
        image_id, split = cells["image_id"], _split_in(sheet, line, cells)
        lesion_id = cells.get("lesion_id", "")
        group_id = cells["group_id"] or lesion_id
        if image_id in splits:
            raise DatasetError(
                f"{sheet.name}, line {line}: {image_id} is listed twice. Remove one of its rows."
            )
        if group_id and split_of_group.setdefault(group_id, split) != split:
            raise DatasetError(
                f"{sheet.name}, line {line}: the group {group_id} is in {split} and in "
                f"{split_of_group[group_id]}. Photographs of one lesion must be in one split."
            )
        splits[image_id] = split
        if group_id:
            groups[image_id] = group_id
        if lesion_id:
            lesions[image_id] = lesion_id
    missing = [image_id for image_id in table["image_id"] if image_id not in splits]
    if missing:
        raise DatasetError(
            f"{sheet.name} has no row for {len(missing):,} of {len(table):,} photographs "
            f"({first_few(missing)}). Add them, or leave their data set out."
        )
    ids = table["image_id"]
    divided = table.assign(
        lesion_id=ids.map(lesions).astype("object").where(ids.isin(lesions), table["lesion_id"]),
        split=ids.map(splits).astype("object"),
        group_id=ids.map(groups).astype("object").where(ids.isin(groups), _group_ids(table)),
    )
    for kind, known in (
        ("group", divided["group_id"]),
        ("lesion", divided["lesion_id"]),
        ("lesion", table["lesion_id"]),  # which the file must not overrule
    ):
        _check_undivided(divided, kind, known, sheet.name)
    return divided


def read_file(split_csv: Path) -> dict[str, str]:
    """The split of each image id in a split file; its columns are as in `apply_file`.

    Raises:
        DatasetError: the file cannot be read.
    """
    sheet = _sheet(split_csv)
    return {cells["image_id"]: _split_in(sheet, line, cells) for line, cells in sheet.records()}


def _sheet(split_csv: Path) -> CsvTable:
    sheet = csv_tables.read(split_csv, split_csv.name)
    sheet.require("image_id", "group_id", "split")
    return sheet


def _split_in(sheet: CsvTable, line: int, cells: Mapping[str, str]) -> str:
    split = cells["split"].lower()
    if split not in SPLITS:
        raise DatasetError(
            f"{sheet.name}, line {line}: the split is “{cells['split']}”; "
            f"it must be one of {', '.join(SPLITS)}."
        )
    return split


def _check_undivided(table: pd.DataFrame, kind: str, known: pd.Series, file_name: str) -> None:
    """Refuse a group or lesion (`known`: its id in each row) that is in more than one split."""
    num_splits = table["split"].groupby(known).nunique()
    divided = num_splits.index[num_splits > 1]
    if len(divided) == 0:
        return
    rows = table[known == divided[0]].drop_duplicates("split")
    places = " and in ".join(
        f"{row.split} ({row.image_id})" for row in rows.itertuples(index=False)
    )
    raise DatasetError(
        f"{file_name}: the {kind} {divided[0]} is in {places}. Photographs of one lesion must "
        f"be in one split. Correct its rows; {kind}s in two splits: {len(divided):,}."
    )


def first_few(ids: Sequence[str]) -> str:
    """The first few ids, for an error message."""
    return ", ".join(ids[:_SHOWN]) + (", …" if len(ids) > _SHOWN else "")
