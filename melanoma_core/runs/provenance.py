"""What a parent model may have been trained on, so that its child is measured on nothing of that.

A model keeps the ids of the photographs that were held out from it and checksums of the ids that
it was trained on. The second list has gaps where one of its own parents kept none. Then whatever
belongs to its data sets, or may by its name, counts as trained on unless it was held out; a
photograph of a new data set, under a name of its own, does not.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from melanoma_core.data import class_folders, schema, splits
from melanoma_core.data.datasets import Dataset
from melanoma_core.data.schema import HELD_OUT
from melanoma_core.errors import RunError
from melanoma_core.evaluation import evaluate
from melanoma_core.models import store, training_ids
from melanoma_core.models.cards import Card
from melanoma_core.models.training_ids import TrainingIds

_UNPACKED = re.compile(r"-[0-9a-f]{16}$")  # as `archives.open_folder` names unpacked zips


@dataclass(frozen=True)
class Parent:
    """A model that a run starts from, read and checked once."""

    card: Card
    files: Mapping[str, bytes]  # by name
    held_out: Mapping[str, str]  # split by image id
    training_ids: TrainingIds

    @property
    def model_id(self) -> str:
        """Its id."""
        return self.card.model_id


def read(models_dir: Path, model_id: str) -> Parent:
    """A model with its files, each one checked.

    Raises:
        ModelError: there is no such model, or a file of it is damaged.
    """
    card, _, files = store.read_files(store.model_dir(models_dir, model_id))
    rows = evaluate.from_json(files["evaluation.json"]).table
    rows = rows[rows["split"].isin(HELD_OUT)]
    return Parent(
        card,
        files,
        dict(zip(rows["image_id"], rows["split"], strict=True)),
        training_ids.from_bytes(files[store.TRAINING_IDS]),
    )


def held_out(parent: Parent, table: pd.DataFrame) -> list[str | None]:
    """The split of each row for the parent; None if it was not held out."""
    return [
        next((parent.held_out[name] for name in names if name in parent.held_out), None)
        for names in map(schema.possible_ids, table["image_id"], table["source"])
    ]


def may_be_trained_on(
    parent: Parent, table: pd.DataFrame, datasets: Sequence[Dataset]
) -> NDArray[np.bool_]:
    """(N,) True if the parent may have been trained on the photograph of a row.

    Args:
        parent: the model.
        table: combined from the data sets.
        datasets: as they were read.
    """
    is_listed = parent.training_ids.holds(table)
    if parent.training_ids.is_whole:
        return is_listed
    uses = (*parent.card.datasets, *parent.card.inherited_datasets)
    checksums = {use.sha256 for use in uses}
    names = {_plain(use.name) for use in uses}
    names |= {_plain(dataset.name) for dataset in datasets if dataset.sha256 in checksums}
    is_held_out = [split is not None for split in held_out(parent, table)]
    return is_listed | np.array(
        [
            not is_out and (_plain(source) in names or class_folders.is_archive_id(image_id))
            for image_id, source, is_out in zip(
                table["image_id"], table["source"], is_held_out, strict=True
            )
        ],
        np.bool_,
    )


def _plain(name: str) -> str:
    """The name of a data set, without the suffix of an unpacked archive's folder."""
    return _UNPACKED.sub("", name)


def assign(
    table: pd.DataFrame,
    parent: Parent,
    datasets: Sequence[Dataset],
    *,
    seed: int,
    copies: Sequence[tuple[str, str]] = (),
) -> pd.DataFrame:
    """The table with each photograph in the split that it was in for the parent.

    What the parent may have been trained on is for training, with all photographs of those
    lesions; new photographs are drawn by lesion.

    Args:
        table: has the columns of `schema.COLUMNS`.
        parent: the model.
        datasets: as they were read.
        seed: of the draw.
        copies: as in `splits.assign`.
    """
    known = np.array(held_out(parent, table), dtype=object)
    known[may_be_trained_on(parent, table, datasets)] = "train"
    divided = splits.assign(table.assign(split=known), seed=seed, keep_existing=True, copies=copies)
    # `assign` holds out all of a mixed group, and some of a diagnosis that nothing is held out of.
    is_train = pd.Series(known == "train", index=divided.index)
    is_held_out = pd.Series([split in HELD_OUT for split in known], index=divided.index)
    groups = divided["group_id"]
    in_train_group = groups.isin(groups[is_train]) & ~groups.isin(groups[is_held_out])
    return divided.assign(split=divided["split"].mask(is_train | in_train_group, "train"))


def check(parent: Parent, table: pd.DataFrame, datasets: Sequence[Dataset], advice: str) -> None:
    """Refuse to measure on what the parent may have been trained on.

    Args:
        parent: the model.
        table: divided.
        datasets: as they were read.
        advice: what to do, for the message.

    Raises:
        RunError: a photograph to be held out may have been trained on.
    """
    part = table[table["split"].isin(HELD_OUT)]
    leaked = list(part.loc[may_be_trained_on(parent, part, datasets), "image_id"])
    if leaked:
        raise RunError(
            f"Of the {len(part):,} photographs to be held out, {len(leaked):,} were not held out "
            f"from the model “{parent.model_id}” ({splits.first_few(leaked)}). It may have been "
            f"trained on them, and figures would be too good. {advice}"
        )
