"""The nine-class set's Test folder: all that it files, and without what it files twice.

Of its 118 photographs 18 are filed under another diagnosis too, in the folder to learn from. The
models are measured on the folder's own files, and by what their evaluations hold of the same
photographs as HAM10000 and ISIC 2017 published them; the figures of the starting project's network
are what `python -m benchmarks.lessons.starting_cnn` left in benchmarks/results.
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

_WAYS = {"before": "as its authors did", "after": "honestly"}
_PARTS = ("Test folder, as filed", "Test folder, sound labels")  # as `starting_cnn` calls them
_OWN, _ARCHIVES = "its own", "the archives’"


def rows(models: list[Model], dataset: Path, results_dir: Path) -> list[dict[str, Any]]:
    """Accuracy and balanced accuracy in nine classes, of the starting network and the models.

    Args:
        models: of nine diagnoses.
        dataset: the nine-class set, as folder or zip.
        results_dir: where the records of the starting network are; a way that was not trained
            has no row.
    """
    return [*_starting_rows(results_dir), *_model_rows(models, dataset)]


def print_rows(found: list[dict[str, Any]]) -> None:
    """The rows as one table."""
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
        for row in found
    ]
    headings = ("network", "measured on", "files", "right", "accuracy (95 %)")
    tables.print_table((*headings, "balanced accuracy (95 %)"), lines, num_texts=3)
    for row in found:
        if "num_in_both" in row:
            print(
                f"{row['network']} finds the same diagnosis likeliest in both files of "
                f"{row['num_same_answer']:,} of {row['num_in_both']:,} photographs."
            )


def _starting_rows(results_dir: Path) -> list[dict[str, Any]]:
    found = []
    for way, words in _WAYS.items():
        file = results_dir / f"starting_cnn_{way}.json"
        if not file.exists():
            continue
        for part, share in json.loads(file.read_text())["shares"].items():
            counts = {name: share[name] for name in ("num_hits", "num_photographs")}
            interval = (share["accuracy"], share["low"], share["high"])
            found.append(
                {
                    "network": f"starting_cnn, {words}",
                    "part": part,
                    "files": _OWN,
                    **counts,
                    # Wilson's; its record has neither groups nor lesions, so each file counts.
                    "accuracy": Estimate(
                        *interval, share["num_photographs"], share["num_photographs"]
                    ),
                    "balanced_accuracy": share["balanced_accuracy"],
                }
            )
    return found


def _model_rows(models: list[Model], dataset: Path) -> list[dict[str, Any]]:
    table = datasets.read(dataset).table
    is_contradictory = table.groupby("image_id")["diagnosis"].transform("nunique") > 1
    filed = table.assign(is_sound=~is_contradictory)[table["split"] == "test"]
    if filed.empty:
        raise DatasetError(f"{dataset.name} has no Test folder. Give the nine-class set.")
    images = [reading.read_file(Path(path)) for path in filed["path"]]
    return [row for model in models for row in _rows_of(model, filed, images)]


def _rows_of(
    model: Model, filed: pd.DataFrame, images: list[NDArray[np.uint8]]
) -> list[dict[str, Any]]:
    """Of the folder's own files, and of the archives' files of the same photographs.

    A network that reads the archive from the file answers the two differently.
    """
    measured = held_out.measured(model.card.model_id)
    part = _with_groups(model, measured, filed)
    own = np.array([predict.classify(model, image).probabilities.argmax() for image in images])
    place = {image_id: row for row, image_id in enumerate(measured.table["image_id"])}
    known = np.array([image_id in place for image_id in part["image_id"]])
    archives = measured.y_prob[[place[i] for i in part.loc[known, "image_id"]]].argmax(axis=1)
    found = []
    for name, is_wanted in (
        (_PARTS[0], np.ones(len(part), bool)),
        (_PARTS[1], part["is_sound"].to_numpy(bool)),
    ):
        ways = {
            _OWN: _figures(part[is_wanted], own[is_wanted]),
            _ARCHIVES: _figures(part[known & is_wanted], archives[is_wanted[known]]),
        }
        found += [
            {"network": model.card.model_id, "part": name, "files": way, **figures}
            for way, figures in ways.items()
        ]
    found[0]["num_same_answer"] = int((own[known] == archives).sum())
    found[0]["num_in_both"] = int(known.sum())
    return found


def _with_groups(model: Model, measured: Evaluation, filed: pd.DataFrame) -> pd.DataFrame:
    """The rows with the groups and lesions that the model's evaluation has for them.

    A photograph that only the folders have, under two diagnoses, is in no split and in no
    evaluation: it is a group of its own.

    Raises:
        ModelError: the model was not tested on some that it has in another split.
    """
    known = measured.table.set_index("image_id")
    of_model = known.reindex(filed["image_id"])
    if not of_model["split"].dropna().eq("test").all():
        raise ModelError(
            f"“{model.card.model_id}” chose its thresholds on photographs of the Test folder. Name "
            "a model of another split."
        )
    ids = filed["image_id"].to_numpy()
    groups, lesions = (of_model[name].to_numpy() for name in ("group_id", "lesion_id"))
    return filed.assign(
        group_id=np.where(pd.isna(groups), ids, groups),
        lesion_id=np.where(pd.isna(lesions), ids, lesions),
    )


def _figures(part: pd.DataFrame, called: NDArray[np.intp]) -> dict[str, Any]:
    y_true = np.array([CODES.index(code) for code in part["diagnosis"]])
    counts = len(part), part["lesion_id"].nunique()
    statistics = {
        "accuracy": classification.accuracy,
        "balanced_accuracy": classification.balanced_accuracy,
    }
    figures = {
        name: Estimate(
            statistic(y_true, called),
            *classification.bootstrap_interval(statistic, (y_true, called), part["group_id"]),
            *counts,
        )
        for name, statistic in statistics.items()
    }
    return {"num_hits": int((y_true == called).sum()), "num_photographs": len(part), **figures}
