"""What a model may have been taught, so that a model made from it is measured on nothing of that.

A model keeps lists of the photographs that were held out from it and of those that it was taught.
The second one is missing, or has gaps, where models of before are among those that it was made
from. Then what it was made with, or may have been by its name, counts as taught unless it was held
out; a photograph of a new data set, under a name of its own, does not.
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

_UNPACKED = re.compile(r"-[0-9a-f]{16}$")  # as `archives.folder` names what it unpacks


@dataclass(frozen=True)
class Lineage:
    """What is known of the photographs that a model was made with."""

    model_id: str
    held_out: Mapping[str, str]  # split by image id
    names: frozenset[str]  # of its data sets
    sha256: frozenset[str]  # of these
    taught: TrainingIds | None  # None: the model keeps no list


def read(models_dir: Path, model_id: str) -> tuple[Card, dict[str, bytes], Lineage]:
    """The card of a model, its files, each one checked, and its lineage.

    Raises:
        ModelError: there is no such model, or a file of it is damaged.
    """
    card, _, contents = store.read_files(store.model_dir(models_dir, model_id))
    measured = evaluate.from_json(contents["evaluation.json"]).table
    measured = measured[measured["split"].isin(HELD_OUT)]
    listed = contents.get(store.TRAINING_IDS)
    uses = (*card.datasets, *card.inherited_datasets)
    return (
        card,
        contents,
        Lineage(
            card.model_id,
            dict(zip(measured["image_id"], measured["split"], strict=True)),
            frozenset(use.name for use in uses),
            frozenset(use.sha256 for use in uses),
            None if listed is None else training_ids.from_bytes(listed),
        ),
    )


def held_out(lineage: Lineage, table: pd.DataFrame) -> list[str | None]:
    """The split that each row was in for the model; None where it was not held out."""
    return [
        next((lineage.held_out[name] for name in names if name in lineage.held_out), None)
        for names in map(schema.possible_ids, table["image_id"], table["source"])
    ]


def may_be_taught(
    lineage: Lineage, table: pd.DataFrame, datasets: Sequence[Dataset]
) -> NDArray[np.bool_]:
    """(N,) whether the model may know the photograph of each row.

    Args:
        lineage: of the model.
        table: combined from the data sets.
        datasets: as they were read.
    """
    is_listed = np.zeros(len(table), np.bool_)
    if lineage.taught is not None:
        is_listed = lineage.taught.holds(table)
        if lineage.taught.is_whole:
            return is_listed
    known = set(map(_plain, lineage.names)) | {
        _plain(d.name) for d in datasets if d.sha256 in lineage.sha256
    }
    is_held_out = [split is not None for split in held_out(lineage, table)]
    return is_listed | np.array(
        [
            not is_out and (_plain(source) in known or class_folders.is_archive_id(image_id))
            for image_id, source, is_out in zip(
                table["image_id"], table["source"], is_held_out, strict=True
            )
        ],
        np.bool_,
    )


def _plain(name: str) -> str:
    """The name of a data set, without what an unpacked archive's folder adds to it."""
    return _UNPACKED.sub("", name)


def assign(
    table: pd.DataFrame,
    lineage: Lineage,
    datasets: Sequence[Dataset],
    *,
    seed: int,
    copies: Sequence[tuple[str, str]] = (),
) -> pd.DataFrame:
    """The table with each photograph in the split that it was in for the model.

    What the model may have been taught is for training; new photographs are drawn by lesion. A
    lesion that the model was taught is for training with all of its photographs.

    Args:
        table: has the columns of `schema.COLUMNS`.
        lineage: of the model.
        datasets: as they were read.
        seed: of the draw.
        copies: as `splits.assign` takes them.
    """
    known = np.array(held_out(lineage, table), dtype=object)
    known[may_be_taught(lineage, table, datasets)] = "train"
    divided = splits.assign(table.assign(split=known), seed=seed, keep_existing=True, copies=copies)
    # `assign` holds out all of a mixed group, and some of a diagnosis that nothing is held out of.
    is_taught = pd.Series(known == "train", index=divided.index)
    is_held_out = pd.Series([split in HELD_OUT for split in known], index=divided.index)
    of_group = divided["group_id"]
    is_of_taught = of_group.isin(of_group[is_taught]) & ~of_group.isin(of_group[is_held_out])
    return divided.assign(split=divided["split"].mask(is_taught | is_of_taught, "train"))


def check(
    lineage: Lineage,
    table: pd.DataFrame,
    datasets: Sequence[Dataset],
    advice: str = "Divide them as they were for that model (--split-by model), or start from "
    "--weights.",
) -> None:
    """Refuse to measure on what the model may have been taught.

    Args:
        lineage: of the model that training goes on from.
        table: divided.
        datasets: as they were read.
        advice: what to do, for the message.

    Raises:
        RunError: a photograph to be held out may have been taught.
    """
    part = table[table["split"].isin(HELD_OUT)]
    taught = list(part.loc[may_be_taught(lineage, part, datasets), "image_id"])
    if taught:
        raise RunError(
            f"Of the {len(part):,} photographs to be held out, {len(taught):,} were not held out "
            f"from the model “{lineage.model_id}” ({splits.first_few(taught)}): it may know them, "
            f"and figures would be too good. {advice}"
        )
