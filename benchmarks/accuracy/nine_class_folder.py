"""Accuracy on the nine-class set's Test folder, with and without contradictory labels.

Of its 118 photographs, 18 are also in the Train folder under another diagnosis. The models are
measured on the folder's own files, and, from their evaluations, on the same photographs as
published by HAM10000 and ISIC 2017. The figures of the starting project's network come from the
records of `python -m benchmarks.lessons.starting_cnn` in benchmarks/results.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import tables
from benchmarks.accuracy import held_out
from melanoma_core.data import datasets
from melanoma_core.diagnoses import CODES
from melanoma_core.errors import DatasetError, ModelError
from melanoma_core.evaluation.evaluate import Evaluation
from melanoma_core.images import reading
from melanoma_core.metrics import classification
from melanoma_core.metrics.estimates import Estimate
from melanoma_core.models import predict
from melanoma_core.models.predict import Model

_COPIES = {"before": "copies before the split", "after": "copies after the split"}
_PARTS = ("Test folder, as filed", "Test folder, sound labels")  # names that `starting_cnn` uses
_OWN, _ARCHIVES = "its own", "the archives’"


def rows(models: list[Model], dataset: Path, results_dir: Path) -> list[dict[str, Any]]:
    """Nine-class accuracy and balanced accuracy of the starting network and the models.

    Args:
        models: models of nine diagnoses.
        dataset: the nine-class set, a folder or zip.
        results_dir: folder with the records of the starting network; without a record there is
            no row.
    """
    return [*_starting_rows(results_dir), *_model_rows(models, dataset)]


def print_rows(rows: list[dict[str, Any]]) -> None:
    """Print the rows as one table."""
    lines = [
        (
            row["network"],
            f"nine-class {row['part']}",
            row["files"],
            f"{row['num_hits']:,} of {row['num_photographs']:,}",
            tables.interval(row["accuracy"]),
            tables.interval(row["balanced_accuracy"])
            if isinstance(row["balanced_accuracy"], Estimate)
            else tables.number(row["balanced_accuracy"]),
        )
        for row in rows
    ]
    headings = ("network", "measured on", "files", "correct", "accuracy (95 %)")
    tables.print_table((*headings, "balanced accuracy (95 %)"), lines, num_texts=3)
    for row in rows:
        if "num_in_both" in row:
            print(
                f"{row['network']}, same likeliest diagnosis for both files: "
                f"{row['num_same_answer']:,} of {row['num_in_both']:,} photographs"
            )


def _starting_rows(results_dir: Path) -> list[dict[str, Any]]:
    rows = []
    for copies, description in _COPIES.items():
        file = results_dir / f"starting_cnn_{copies}.json"
        if not file.exists():
            continue
        for part, figures in json.loads(file.read_text())["shares"].items():
            num_photographs = figures["num_photographs"]
            rows.append(
                {
                    "network": f"starting_cnn, {description}",
                    "part": part,
                    "files": _OWN,
                    "num_hits": figures["num_hits"],
                    "num_photographs": num_photographs,
                    # Wilson's interval: the record has no groups or lesions, so each file counts.
                    "accuracy": Estimate(
                        *(figures[name] for name in ("accuracy", "low", "high")),
                        num_photographs,
                        num_photographs,
                    ),
                    "balanced_accuracy": figures["balanced_accuracy"],
                }
            )
    return rows


def _model_rows(models: list[Model], dataset: Path) -> list[dict[str, Any]]:
    table = datasets.read(dataset).table
    is_contradictory = table.groupby("image_id")["diagnosis"].transform("nunique") > 1
    test = table.assign(is_sound=~is_contradictory)[table["split"] == "test"]
    if test.empty:
        raise DatasetError(f"{dataset.name} has no Test folder. Name the nine-class set.")
    images = [reading.read_file(Path(path)) for path in test["path"]]
    return [row for model in models for row in _rows_of_model(model, test, images)]


def _rows_of_model(
    model: Model, test: pd.DataFrame, images: list[NDArray[np.uint8]]
) -> list[dict[str, Any]]:
    """Rows for the folder's own files and for the archives' files of the same photographs.

    A network that recognizes the archive from the file answers the two differently.
    """
    evaluation = held_out.evaluation(model.card.model_id)
    test = _with_groups(model, evaluation, test)
    own = np.array([predict.classify(model, image).probabilities.argmax() for image in images])
    position = {image_id: row for row, image_id in enumerate(evaluation.table["image_id"])}
    known = np.array([image_id in position for image_id in test["image_id"]])
    archives = evaluation.y_prob[
        [position[image_id] for image_id in test.loc[known, "image_id"]]
    ].argmax(axis=1)
    rows = []
    for part, selected in (
        (_PARTS[0], np.ones(len(test), bool)),
        (_PARTS[1], test["is_sound"].to_numpy(bool)),
    ):
        by_files = {
            _OWN: _figures(test[selected], own[selected]),
            _ARCHIVES: _figures(test[known & selected], archives[selected[known]]),
        }
        rows += [
            {"network": model.card.model_id, "part": part, "files": files, **figures}
            for files, figures in by_files.items()
        ]
    rows[0]["num_same_answer"] = int((own[known] == archives).sum())
    rows[0]["num_in_both"] = int(known.sum())
    return rows


def _with_groups(model: Model, evaluation: Evaluation, test: pd.DataFrame) -> pd.DataFrame:
    """The table with the groups and lesions of the model's evaluation.

    A photograph that only the nine-class set has, under two diagnoses, is in no split and no
    evaluation: it becomes its own group.

    Raises:
        ModelError: the model has some of the photographs in another split than test.
    """
    evaluated = evaluation.table.set_index("image_id").reindex(test["image_id"])
    if not evaluated["split"].dropna().eq("test").all():
        raise ModelError(
            f"“{model.card.model_id}” chose its thresholds on photographs of the Test folder. Name "
            "a model made with another split."
        )
    image_ids = test["image_id"].to_numpy()
    groups, lesions = (evaluated[name].to_numpy() for name in ("group_id", "lesion_id"))
    return test.assign(
        group_id=np.where(pd.isna(groups), image_ids, groups),
        lesion_id=np.where(pd.isna(lesions), image_ids, lesions),
    )


def _figures(part: pd.DataFrame, y_pred: NDArray[np.intp]) -> dict[str, Any]:
    y_true = np.array([CODES.index(code) for code in part["diagnosis"]])
    return {
        "num_hits": int((y_true == y_pred).sum()),
        "num_photographs": len(part),
        "accuracy": held_out.estimate(part, classification.accuracy, (y_true, y_pred)),
        "balanced_accuracy": held_out.estimate(
            part, classification.balanced_accuracy, (y_true, y_pred)
        ),
    }
