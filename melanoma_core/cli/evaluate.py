"""`evaluate`: a model measured on photographs whose diagnosis is known."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from melanoma_core import paths
from melanoma_core.cli import output
from melanoma_core.data import schema
from melanoma_core.errors import DatasetError

if TYPE_CHECKING:
    import pandas as pd

    from melanoma_core.models.predict import Model


@click.command()
@click.option(
    "--dataset",
    "dataset_paths",
    multiple=True,
    required=True,
    type=click.Path(exists=True),
    help="As for train. Repeatable.",
)
@click.option(
    "--splits",
    "splits_path",
    type=click.Path(exists=True),
    help="CSV, as for train; without it, the splits that the model was measured on.",
)
@click.option(
    "--split",
    type=click.Choice([*schema.SPLITS, "all"]),
    default="test",
    show_default=True,
    help="all: for photographs that the model has never seen; train needs --splits.",
)
@click.option("--model", "model_id", help="Id of a model; the champion by default.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def evaluate(
    dataset_paths: tuple[str, ...],
    splits_path: str | None,
    split: str,
    model_id: str | None,
    as_json: bool,
) -> None:
    """Measure a model on photographs whose diagnosis is known."""
    if split == "train" and not splits_path:
        raise click.UsageError("--split train needs --splits: a model keeps no list of these.")
    from melanoma_core.data import datasets, splits
    from melanoma_core.evaluation import evaluate as evaluation
    from melanoma_core.metrics import calibration

    model = output.read_model(model_id)
    evaluation.check_diagnoses(model)
    table = datasets.combine([datasets.read(Path(path)) for path in dataset_paths]).table
    if splits_path:
        table = splits.apply_file(table, Path(splits_path))
        if split != "all":
            table = table[table["split"] == split]
    elif split == "all":
        table = splits.assign(table)  # for its group_id: every photograph is measured
    else:
        table = _measured_before(model, table, split)
    logits, rows, refused = evaluation.score(model.network, table)
    for reason in refused:
        click.echo(reason, err=True)
    measured = evaluation.from_table(
        rows, calibration.probabilities(logits, model.card.calibration)
    )
    figures = evaluation.figures_by_source(
        measured, model.card.class_counts["train"], model.card.operating_point().threshold
    )
    if as_json:
        click.echo(json.dumps(_record(model, split, figures, refused)))
    else:
        output.print_estimates(figures)


def _measured_before(model: "Model", table: "pd.DataFrame", split: str) -> "pd.DataFrame":
    """The rows that are in this split of the model's own evaluation, with its groups and lesions.

    A new draw would hold photographs that the model was trained on.
    """
    from melanoma_core.evaluation import evaluate as evaluation
    from melanoma_core.models import store

    directory = store.model_dir(paths.models_dir(), model.card.model_id)
    _, _, contents = store.read_files(directory)
    known = evaluation.from_json(contents["evaluation.json"]).table.set_index("image_id")
    known = known[known["split"] == split]
    kept = table[table["image_id"].isin(known.index)]
    if kept.empty:
        raise DatasetError(
            f"None of these {len(table):,} photographs is in the {split} split of "
            f"{model.card.model_id}. Name data that it was made with, or choose --split all, "
            "which measures photographs that the model has never seen."
        )
    of_model = known.loc[kept["image_id"]]
    return kept.assign(
        split=split,
        group_id=of_model["group_id"].to_numpy(),
        lesion_id=of_model["lesion_id"].to_numpy(),
    )


def _record(
    model: "Model", split: str, figures: dict[str, Any], refused: list[str]
) -> dict[str, Any]:
    from melanoma_core.metrics import estimates

    return {
        "model_id": model.card.model_id,
        "split": split,
        "threshold": model.card.operating_point().threshold,
        "figures": {
            source: {name: estimates.to_record(figure) for name, figure in part.items()}
            for source, part in figures.items()
        },
        "refused": refused,
        "intended_use": model.card.intended_use,
    }
