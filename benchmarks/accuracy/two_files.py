"""One photograph in two files: what a model says of the archives' copy and of the nine-class set's.

Run as `python -m benchmarks.accuracy.two_files [--model ID]…` from the project's root. The nine-class set
holds photographs of HAM10000 and of ISIC 2017 once more, squashed and compressed in its own way. A
lesion is the same in both files, so all that changes between them is what a network makes of the
file. Photographs are those of both that were held out from the models (validation and test).
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
        held = [held_out.photographs(arguments, model_ids, split) for split in HELD_OUT]
        twins = datasets.read(arguments.nine_class).table.drop_duplicates("image_id")
        table = pd.concat(held, ignore_index=True)
        table = table[table["image_id"].isin(twins["image_id"])].reset_index(drop=True)
        table["twin"] = twins.set_index("image_id").loc[table["image_id"], "path"].to_numpy()
        held_out.print_models(models)
        rows = [row for model in models for row in _rows(model, table)]
        _print(rows)
        print(f"\n{time.monotonic() - started:,.0f} s in all")
        record |= {"models": held_out.describe(models), "rows": records.as_json(rows)}


def _rows(model: Model, table: pd.DataFrame) -> list[dict[str, Any]]:
    """A row for each of the two files, and one for their agreement."""
    said = {
        way: evaluate.from_table(table, _answers(model, table[column]))
        for way, column in ((_ARCHIVES, "path"), (_NINE, "twin"))
    }
    first, second = said.values()
    is_same = first.y_prob.argmax(axis=1) == second.y_prob.argmax(axis=1)
    everything = np.ones(len(table), bool)
    threshold = model.card.operating_point().threshold
    agreement = evaluate.proportion(first, everything, is_same)
    return [
        {
            "model_id": model.card.model_id,
            "files": way,
            "accuracy": evaluate.proportion(
                measured, everything, measured.seven_prob.argmax(axis=1) == measured.seven_true
            ),
            "melanoma_auroc": evaluate.auroc(
                measured, measured.is_melanoma, measured.melanoma_probability
            ),
            "sensitivity": evaluate.sensitivity(measured, threshold),
            "specificity": evaluate.specificity(measured, threshold),
            "same_likeliest_diagnosis": agreement,
        }
        for way, measured in said.items()
    ]


def _answers(model: Model, paths: pd.Series) -> NDArray[np.float64]:
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
        "specificity at the shipped threshold, which was chosen on those of the validation split;\n"
        "accuracy of the seven classes."
    )
    for row in rows:
        if row["files"] == _ARCHIVES:
            same = tables.interval(row["same_likeliest_diagnosis"])
            print(f"{row['model_id']} finds the same diagnosis likeliest in both: {same}")


if __name__ == "__main__":
    main()
