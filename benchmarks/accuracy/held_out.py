"""The models that a benchmark measures, and photographs held out from the training of them all."""

import argparse
from collections.abc import Callable, Iterator, Sequence
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
from melanoma_core.metrics import classification
from melanoma_core.metrics.estimates import Estimate
from melanoma_core.models import predict, store
from melanoma_core.models.predict import Model

DATA = Path("../shared/data")
_SOURCES = {
    "ham10000": "HAM10000",
    "isic2017": "ISIC 2017 Part 3",
    "isic9": "nine-class set alone",
}


def add_model_option(parser: argparse.ArgumentParser) -> None:
    """Add the option for the models to measure."""
    parser.add_argument(
        "--model", action="append", help="id, repeatable (default: all, the one in use first)"
    )


def add_options(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add the options for models and data sets; `names` are the default files in `DATA`."""
    add_model_option(parser)
    add_dataset_option(parser, *names)


def add_dataset_option(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add the option for data sets; `names` are the default files in `DATA`."""
    parser.add_argument(
        "--dataset",
        action="append",
        type=Path,
        help=f"folder or zip, repeatable (default: {', '.join(names)} in {DATA})",
    )
    parser.set_defaults(default_datasets=[DATA / name for name in names])


def source_name(source: str) -> str:
    """A data set's name as the tables print it."""
    return _SOURCES.get(source, source)


def model_ids(arguments: argparse.Namespace) -> list[str]:
    """The models from the command line; all of them, the one in use first, if none are named.

    Raises:
        ModelError: there is no model, or a card cannot be read.
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
    """The models to measure, with all their files checked."""
    models = [
        predict.load(store.model_dir(paths.models_dir(), model_id))
        for model_id in model_ids(arguments)
    ]
    for model in models:
        evaluate.check_diagnoses(model)
    return models


def describe(models: Sequence[Model]) -> list[dict[str, Any]]:
    """IDs, hashes and networks of the models, for a record."""
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
    """Print which model has which number in the tables."""
    print()
    for number, model in enumerate(models, start=1):
        card = model.card
        print(
            f"Model {number}: {card.model_id} ({card.network}, {card.image_size} px; card SHA-256 "
            f"{model.sha256[:12]}…)"
        )


def evaluation(model_id: str) -> evaluate.Evaluation:
    """The model's stored evaluation on the photographs held out from it.

    Raises:
        ModelError: a file of the model is missing or has changed.
    """
    directory = store.model_dir(paths.models_dir(), model_id)
    return evaluate.from_json(store.read_files(directory)[2]["evaluation.json"])


def photographs(
    arguments: argparse.Namespace, model_ids: Sequence[str], split: str = "test"
) -> pd.DataFrame:
    """The photographs of a split of the first model that the data sets contain.

    Returns:
        The columns of `Evaluation.table`, and `path`.

    Raises:
        DatasetError: photographs that the first model was measured on are missing.
        ModelError: another model was not measured on all of these, so it may have trained on some.
    """
    files = combined(arguments).set_index("image_id")
    table = evaluation(model_ids[0]).table
    table = table[(table["split"] == split) & table["source"].isin(set(files["source"]))]
    missing = table.loc[~table["image_id"].isin(files.index), "image_id"]
    if len(missing) or table.empty:
        raise DatasetError(
            f"The data sets lack {len(missing):,} of the {len(table):,} {split} photographs of "
            f"“{model_ids[0]}”, such as {next(iter(missing), 'none')}. Name the data sets that it "
            "was made with."
        )
    for model_id in model_ids[1:]:
        other = evaluation(model_id).table
        held_out = set(other.loc[other["split"].isin(HELD_OUT), "image_id"])
        num_not_held_out = len(set(table["image_id"]) - held_out)
        if num_not_held_out:
            raise ModelError(
                f"{num_not_held_out:,} of the {split} photographs of “{model_ids[0]}” were not "
                f"held out from “{model_id}”, so the two cannot be compared. Name models that "
                "were made with the same split."
            )
    return table.assign(path=files.loc[table["image_id"], "path"].to_numpy()).reset_index(drop=True)


def combined(arguments: argparse.Namespace) -> pd.DataFrame:
    """One table of the data sets on the command line, one row per photograph."""
    dataset_paths = arguments.dataset or arguments.default_datasets
    return datasets.combine([datasets.read(path) for path in dataset_paths]).table


def add_splits_option(parser: argparse.ArgumentParser) -> None:
    """Add the option for the split file that `combined_with_splits` applies."""
    parser.add_argument("--splits", type=Path, default=DATA / "splits.csv")


def combined_with_splits(arguments: argparse.Namespace) -> pd.DataFrame:
    """As `combined`, with the split of each photograph from the split file."""
    return splits.apply_file(combined(arguments), arguments.splits)


def sample_groups(table: pd.DataFrame, num_photographs: int, seed: int) -> pd.DataFrame:
    """A random sample of whole groups with at least this many photographs, or the whole table.

    Args:
        table: has `group_id`.
        num_photographs: the last group drawn may exceed it.
        seed: of the draw.
    """
    groups = table["group_id"].to_numpy()
    order = np.random.default_rng(seed).permutation(np.unique(groups))
    sizes = table.groupby("group_id").size()[order].cumsum()
    num_groups = int(np.searchsorted(sizes.to_numpy(), num_photographs)) + 1
    return table[np.isin(groups, order[:num_groups])].reset_index(drop=True)


def read(table: pd.DataFrame) -> list[NDArray[np.uint8]]:
    """The photographs of the rows, as they are stored.

    Raises:
        ImageError: one cannot be read. None is skipped, so all figures are for the same
            photographs.
    """
    return list(each(table))


def each(table: pd.DataFrame) -> Iterator[NDArray[np.uint8]]:
    """As `read`, one photograph at a time."""
    return (reading.read_file(Path(path)) for path in table["path"])


def estimate(
    table: pd.DataFrame,
    statistic: Callable[..., float],
    arrays: tuple[NDArray[Any], ...],
    num_resamples: int = 1000,
) -> Estimate:
    """A statistic of these photographs, with its interval bootstrapped over groups.

    Args:
        table: has `group_id`, `lesion_id` and `image_id`; a photograph without a known lesion
            counts as a lesion of its own.
        statistic: takes the arrays.
        arrays: each has one row per row of the table.
        num_resamples: of the bootstrap.
    """
    low, high = classification.bootstrap_interval(
        statistic, arrays, table["group_id"], num_resamples=num_resamples
    )
    num_lesions = int(table["lesion_id"].fillna(table["image_id"]).nunique())
    return Estimate(float(statistic(*arrays)), low, high, len(table), num_lesions)
