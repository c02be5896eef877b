"""The models that a benchmark measures, and the photographs that none of them was taught."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from melanoma_core import paths
from melanoma_core.data import datasets, splits
from melanoma_core.data.schema import HELD_OUT
from melanoma_core.errors import DatasetError, ModelError
from melanoma_core.evaluation import evaluate
from melanoma_core.images import reading
from melanoma_core.models import predict, store
from melanoma_core.models.predict import Model

DATA = Path("../shared/data")


def add_model_option(parser: argparse.ArgumentParser) -> None:
    """The option that says which models are measured."""
    parser.add_argument(
        "--model", action="append", help="id, repeatable; all when left out, the one in use first"
    )


def add_options(parser: argparse.ArgumentParser, *names: str) -> None:
    """The options that say what is measured; `names` are the data sets of `DATA` by default."""
    add_model_option(parser)
    parser.add_argument(
        "--dataset",
        action="append",
        type=Path,
        help=f"folder or zip, repeatable; {', '.join(names)} in {DATA} when left out",
    )
    parser.set_defaults(default_datasets=[DATA / name for name in names])


def ids(arguments: argparse.Namespace) -> list[str]:
    """The models that were named; else all that there are, the one in use first.

    Raises:
        ModelError: there is none, or a card cannot be read.
    """
    if arguments.model:
        return list(arguments.model)
    models_dir = paths.models_dir()
    cards, problems = store.list_cards(models_dir)
    if problems or not cards:
        raise ModelError("\n".join(problems) or "There are no models yet. Train one.")
    champion = store.champion(models_dir)
    known = [card.model_id for card in cards]
    return sorted(known, key=lambda i: champion is None or i != champion.model_id)


def load(arguments: argparse.Namespace) -> list[Model]:
    """The models to be measured, each checked whole."""
    models = [
        predict.load(store.model_dir(paths.models_dir(), model_id)) for model_id in ids(arguments)
    ]
    for model in models:
        evaluate.check_diagnoses(model)
    return models


def describe(models: Sequence[Model]) -> list[dict[str, Any]]:
    """Which models they are, for a record."""
    return [
        {
            "model_id": model.card.model_id,
            "card_sha256": model.sha256,
            "network": model.card.network,
            "image_size": model.card.image_size,
        }
        for model in models
    ]


def print_models(models: Sequence[Model]) -> None:
    """Name the models that the columns or rows of a table call by their number."""
    print()
    for number, model in enumerate(models, start=1):
        card = model.card
        print(
            f"Model {number}: {card.model_id} ({card.network}, {card.image_size} px; card SHA-256 "
            f"{model.sha256[:12]}…)"
        )


def measured(model_id: str) -> evaluate.Evaluation:
    """What the model said of the photographs held out, as its folder records it.

    Raises:
        ModelError: a file of the model is missing or was changed.
    """
    directory = store.model_dir(paths.models_dir(), model_id)
    return evaluate.from_json(store.read_files(directory)[2]["evaluation.json"])


def photographs(
    arguments: argparse.Namespace, model_ids: Sequence[str], split: str = "test"
) -> pd.DataFrame:
    """The photographs of a split that the given data sets hold, as the first model records them.

    Returns:
        The columns of `Evaluation.table`, and `path`.

    Raises:
        DatasetError: photographs that the first model was measured on are missing.
        ModelError: another model was not measured on all of these, so it may have been taught some.
    """
    files = combined(arguments).set_index("image_id")
    table = measured(model_ids[0]).table
    table = table[(table["split"] == split) & table["source"].isin(set(files["source"]))]
    missing = table.loc[~table["image_id"].isin(files.index), "image_id"]
    if len(missing) or table.empty:
        raise DatasetError(
            f"The data sets lack {len(missing):,} of the {len(table):,} {split} photographs of "
            f"“{model_ids[0]}”, such as {next(iter(missing), 'none')}. Give those that it was made "
            "with."
        )
    for model_id in model_ids[1:]:
        other = measured(model_id).table
        held_out = set(other.loc[other["split"].isin(HELD_OUT), "image_id"])
        taught = set(table["image_id"]) - held_out
        if taught:
            raise ModelError(
                f"{len(taught):,} of the {split} photographs of “{model_ids[0]}” were not held out "
                f"from “{model_id}”: the two cannot stand side by side. Name models of one split."
            )
    return table.assign(path=files.loc[table["image_id"], "path"].to_numpy()).reset_index(drop=True)


def combined(arguments: argparse.Namespace) -> pd.DataFrame:
    """One table of the data sets that were named, one row a photograph."""
    given = arguments.dataset or arguments.default_datasets
    return datasets.combine([datasets.read(path) for path in given]).table


def add_splits_option(parser: argparse.ArgumentParser) -> None:
    """The option that says how `divided` divides the data sets."""
    parser.add_argument("--splits", type=Path, default=DATA / "splits.csv")


def divided(arguments: argparse.Namespace) -> pd.DataFrame:
    """One table of the data sets that were named, one row a photograph, each in its split."""
    return splits.apply_file(combined(arguments), arguments.splits)


def some_lesions(table: pd.DataFrame, num_photographs: int, seed: int) -> pd.DataFrame:
    """Whole groups drawn until they hold so many photographs; all of it where that is more.

    Args:
        table: has `group_id`.
        num_photographs: wanted; the last group may bring some more.
        seed: another seed draws others.
    """
    groups = table["group_id"].to_numpy()
    order = np.random.default_rng(seed).permutation(np.unique(groups))
    sizes = table.groupby("group_id").size()[order].cumsum()
    num_groups = int(np.searchsorted(sizes.to_numpy(), num_photographs)) + 1
    return table[np.isin(groups, order[:num_groups])].reset_index(drop=True)


def read(table: pd.DataFrame) -> list[NDArray[np.uint8]]:
    """The photographs of the rows, as they are stored.

    Raises:
        ImageError: one cannot be read: a figure must be of the same photographs everywhere.
    """
    return [reading.read_file(Path(path)) for path in table["path"]]
