"""Compare a model's answers for two files of one photograph.

Run as `python -m benchmarks.accuracy.two_files [--model ID]…` from the project's root. The
nine-class set repeats photographs of HAM10000 and ISIC 2017, squashed and compressed in its own
way. Both files show the same lesion, so any difference between the answers comes from the file.
Photographs are those in both that were held out from the models (validation and test).
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import records, tables
from benchmarks.accuracy import held_out
from melanoma_core.data import datasets
from melanoma_core.data.schema import HELD_OUT
from melanoma_core.evaluation import evaluate
from melanoma_core.images import reading
from melanoma_core.models import predict
from melanoma_core.models.predict import Model

_ARCHIVES, _NINE = "the archives’", "the nine-class set’s"


def main() -> None:
    """Measure both files of each photograph, print the table, and record the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    held_out.add_options(parser, "ham10000.zip", "isic2017.zip")
    parser.add_argument("--nine-class", type=Path, default=held_out.DATA / "isic9.zip")
    records.add_option(parser)
    arguments = parser.parse_args()
    started = time.monotonic()
    with records.recorded("two_files", arguments.results, "ai-edge-litert") as record:
        models = held_out.load(arguments)
        model_ids = [model.card.model_id for model in models]
        by_split = [held_out.photographs(arguments, model_ids, split) for split in HELD_OUT]
        nine_class = datasets.read(arguments.nine_class).table.drop_duplicates("image_id")
        table = pd.concat(by_split, ignore_index=True)
        table = table[table["image_id"].isin(nine_class["image_id"])].reset_index(drop=True)
        second_paths = nine_class.set_index("image_id").loc[table["image_id"], "path"]
        table["second_path"] = second_paths.to_numpy()
        held_out.print_models(models)
        rows = [row for model in models for row in _rows(model, table)]
        _print(rows)
        print(f"\n{time.monotonic() - started:,.0f} s in all")
        record |= {"models": held_out.describe(models), "rows": records.as_json(rows)}


def _rows(model: Model, table: pd.DataFrame) -> list[dict[str, Any]]:
    """One row for each of the two files, both with how often the two agree."""
    evaluations = {
        files: evaluate.from_table(table, _probabilities(model, table[column]))
        for files, column in ((_ARCHIVES, "path"), (_NINE, "second_path"))
    }
    first, second = evaluations.values()
    is_same = first.y_prob.argmax(axis=1) == second.y_prob.argmax(axis=1)
    everything = np.ones(len(table), bool)
    threshold = model.card.operating_point().threshold
    agreement = evaluate.proportion(first, everything, is_same)
    return [
        {
            "model_id": model.card.model_id,
            "files": files,
            "accuracy": evaluate.proportion(
                evaluation.named,
                np.ones(len(evaluation.named), bool),
                evaluation.named.seven_prob.argmax(axis=1) == evaluation.named.seven_true,
            ),
            "melanoma_auroc": evaluate.auroc(
                evaluation, evaluation.is_melanoma, evaluation.melanoma_probability
            ),
            "sensitivity": evaluate.sensitivity(evaluation, threshold),
            "specificity": evaluate.specificity(evaluation, threshold),
            "same_likeliest_diagnosis": agreement,
        }
        for files, evaluation in evaluations.items()
    ]


def _probabilities(model: Model, paths: pd.Series) -> NDArray[np.float64]:
    return np.array(
        [predict.classify(model, reading.read_file(Path(path))).probabilities for path in paths]
    )


def _print(rows: list[dict[str, Any]]) -> None:
    names = ("accuracy", "melanoma_auroc", "sensitivity", "specificity")
    lines = [
        (row["model_id"], row["files"], *(tables.interval(row[name]) for name in names))
        for row in rows
    ]
    headings = ("model", "files", "accuracy (95 %)", "MEL AUROC (95 %)")
    tables.print_table((*headings, "sensitivity (95 %)", "specificity (95 %)"), lines, num_texts=2)
    first = rows[0]
    melanomas, others = first["sensitivity"], first["specificity"]
    print(
        f"\nn (photographs/lesions): {melanomas.num_photographs:,}/{melanomas.num_lesions:,} "
        f"melanoma, {others.num_photographs:,}/{others.num_lesions:,} other; sensitivity and\n"
        "specificity at the shipped threshold, which was chosen on the validation photographs;\n"
        "accuracy for the seven classes."
    )
    for row in rows:
        if row["files"] == _ARCHIVES:
            agreement = tables.interval(row["same_likeliest_diagnosis"])
            print(f"{row['model_id']}, same likeliest diagnosis for both files: {agreement}")


if __name__ == "__main__":
    main()
