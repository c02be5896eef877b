"""Which photographs are for training, choosing and testing; one lesion is in one split only."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from melanoma_core import csv_tables
from melanoma_core.datasets import SPLITS
from melanoma_core.errors import DatasetError

_SHOWN = 3  # ids that an error names before it gives the count


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
