"""Which photographs are for training, choosing and testing; one lesion is in one split only."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from melanoma_core import diagnoses
from melanoma_core.data import csv_tables, file_trees, row_groups
from melanoma_core.data.csv_tables import CsvTable
from melanoma_core.data.schema import SPLITS
from melanoma_core.errors import DatasetError

_SHOWN = 3  # ids that an error names before it gives the count


def assign(
    table: pd.DataFrame,
    *,
    seed: int = 0,
    fractions: tuple[float, float, float] = (0.7, 0.1, 0.2),
    keep_given: bool = False,
    copies: Iterable[tuple[str, str]] = (),
) -> pd.DataFrame:
    """The table with each photograph in a split, drawn by lesion and by diagnosis.

    Photographs of one patient (column `patient_id`, where there is one) or one lesion are one
    group; a photograph of which neither is known is a group of its own. Groups that hold copies of
    one picture are one. A group's place in the draw hangs on its id and the seed alone, so the
    order of rows makes no difference.

    Args:
        table: has the columns of `datasets.COLUMNS`.
        seed: another seed gives another draw.
        fractions: shares of the groups of each diagnosis for train, val and test; sum 1.
        keep_given: groups that the table holds out already (as published) stay there, as do
            those given for training, save that a diagnosis which nothing is held out of for a
            split gives it some of its training groups.
        copies: pairs of image ids of one picture, as `near_copies` has them; ids that are not in
            the table are passed over.

    Returns:
        A copy with `split` and `group_id`. Of each diagnosis with three groups or more, every
        split of a fraction above 0 has one.

    Raises:
        ValueError: the fractions are below 0 or do not sum to 1.
    """
    if min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-9:
        raise ValueError(f"fractions is {fractions}; three shares that sum to 1 are expected.")
    shares = dict(zip(SPLITS, fractions, strict=True))
    group_ids = _with_copies(table, _group_ids(table), copies)
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
    """The patient, called after one of the lesions, else the lesion, else the image of each row."""
    group_ids = table["lesion_id"].where(table["lesion_id"].notna(), table["image_id"])
    if "patient_id" in table:
        # A lesion of which one row names the patient is that patient's in every row.
        patients = table["patient_id"].groupby(group_ids).transform("first")
        # Models keep group ids beside their figures, so no patient's number may be one.
        lesions = group_ids.groupby(patients).transform("min")
        group_ids = lesions.where(patients.notna(), group_ids)
    return group_ids


def _with_copies(
    table: pd.DataFrame, group_ids: pd.Series, copies: Iterable[tuple[str, str]]
) -> pd.Series:
    """The groups, those that hold copies of one picture called after the first of them by name."""
    group_of = dict(zip(table["image_id"], group_ids, strict=True))
    names = sorted(set(group_ids))
    places = {name: place for place, name in enumerate(names)}
    pairs = [
        (places[group_of[first]], places[group_of[second]])
        for first, second in copies
        if first in group_of and second in group_of
    ]
    first_of = {
        names[place]: names[group[0]]
        for group in row_groups.connected(len(names), pairs)
        for place in group
    }
    return group_ids.map(first_of)


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
        split_csv: columns image_id, group_id, split and, if wanted, lesion_id; other images may
            be in it too.

    Returns:
        A copy: `split` from the file; `lesion_id` where the file knows it; `group_id` from the
        file, else the lesion in the file, else as `assign` has it.

    Raises:
        DatasetError: the file cannot be read, leaves an image out, or has a group or a lesion,
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
                f"{sheet.name}, line {line}: {image_id} stands there a second time. "
                "Take one of its rows out."
            )
        if group_id and split_of_group.setdefault(group_id, split) != split:
            raise DatasetError(
                f"{sheet.name}, line {line}: the group {group_id} stands in {split} and in "
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
            f"({first_few(missing)}). Add them, or leave the data set that holds them out."
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
        ("lesion", table["lesion_id"]),  # which the file cannot make into another one
    ):
        _check_undivided(divided, kind, known, sheet.name)
    return divided


def in_file(split_csv: Path) -> dict[str, str]:
    """The split of each image id in a split file, as `apply_file` takes it.

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
    """Refuse a group or lesion (`known`, one a row) that is in more than one split."""
    num_splits = table["split"].groupby(known).nunique()
    divided = num_splits.index[num_splits > 1]
    if len(divided) == 0:
        return
    rows = table[known == divided[0]].drop_duplicates("split")
    places = " and in ".join(
        f"{row.split} ({row.image_id})" for row in rows.itertuples(index=False)
    )
    raise DatasetError(
        f"{file_name}: the {kind} {divided[0]} stands in {places}. Photographs of one lesion must "
        f"be in one split. Mend its rows; {len(divided):,} of this kind in all."
    )


def first_few(ids: Sequence[str]) -> str:
    """The first ids, as a message names them."""
    return ", ".join(ids[:_SHOWN]) + (", …" if len(ids) > _SHOWN else "")
