"""How well a photograph's archive can be predicted from its embedding.

Run as `python -m benchmarks.accuracy.archive_probe [--model ID]…` from the project's root. A
network that recognizes the archive can answer by the camera instead of the lesion. A linear probe
(logistic regression on the embedding, cross-validated over groups) shows how much of the archive
the embedding reveals; the melanoma AUROC within each archive shows what is left without it.
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
from melanoma_core.data.schema import HELD_OUT
from melanoma_core.images import reading
from melanoma_core.metrics import classification
from melanoma_core.models import predict
from melanoma_core.models.predict import Model

_MAX_PER_ARCHIVE = 600  # photographs; about as many as ISIC 2017 has held out
_NUM_FOLDS = 5
_MIN_PER_ARCHIVE = 40  # photographs; smaller archives are left out
_SEED = 0
_PARTS = {
    "held out": ("val and test", HELD_OUT),
    "trained on": ("train", ("train",)),
}
_DIAGNOSES = {"all diagnoses": None, "nevus alone": "NV", "melanoma alone": "MEL"}


def main() -> None:
    """Fit the probes, print the tables, and record the figures."""
    arguments = _arguments()
    started = time.monotonic()
    name = "archive_probe"
    with records.recorded(name, arguments.results, "scikit-learn", "ai-edge-litert") as record:
        models = held_out.load(arguments)
        held_out.print_models(models)
        table = held_out.combined_with_splits(arguments)
        table = _without_unsure(models, table)
        samples = {
            part: _sample(table[table["split"].isin(split_names)], arguments.each)
            for part, (_, split_names) in _PARTS.items()
        }
        _print_samples(samples)
        rows = []
        for number, model in enumerate(models, start=1):
            rows += [
                {"model": number, "model_id": model.card.model_id, "part": part, **row}
                for part, sample in samples.items()
                for row in _probe(sample, _embeddings(model, sample))
            ]
        _print_probes(rows)
        within = _print_within(models)
        print(f"\n{time.monotonic() - started:,.0f} s in all")
        record |= {
            "models": held_out.describe(models),
            "seed": _SEED,
            "num_folds": _NUM_FOLDS,
            "probes": records.as_json(rows),
            "melanoma_auroc_within": records.as_json(within),
        }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    held_out.add_options(parser, "ham10000.zip", "isic2017.zip", "isic9.zip")
    held_out.add_splits_option(parser)
    parser.add_argument(
        "--each", type=int, default=_MAX_PER_ARCHIVE, help="most photographs per archive"
    )
    records.add_option(parser)
    return parser.parse_args()


def _sample(table: pd.DataFrame, num_each: int) -> pd.DataFrame:
    """Equally many photographs of each archive, in whole groups; small archives are left out."""
    parts = [
        held_out.sample_groups(part, num_each, _SEED)
        for _, part in table.groupby("source")
        if len(part) >= _MIN_PER_ARCHIVE
    ]
    return pd.concat(parts, ignore_index=True)


def _without_unsure(models: list[Model], table: pd.DataFrame) -> pd.DataFrame:
    """The table without validation and test rows that some model's evaluation does not have.

    For example a copy that the data doctor dropped before the model was trained.
    """
    evaluated = [held_out.evaluation(model.card.model_id).table for model in models]
    common = set.intersection(
        *(set(rows.loc[rows["split"].isin(HELD_OUT), "image_id"]) for rows in evaluated)
    )
    is_unsure = table["split"].isin(HELD_OUT) & ~table["image_id"].isin(common)
    print(f"left out because not held out from every model: {int(is_unsure.sum())}")
    return table[~is_unsure]


def _embeddings(model: Model, sample: pd.DataFrame) -> NDArray[np.float32]:
    """(N, K), computed as in the app."""
    return np.stack(
        [
            predict.classify(model, reading.read_file(Path(path))).embedding
            for path in sample["path"]
        ]
    )


def _probe(sample: pd.DataFrame, embeddings: NDArray[np.float32]) -> list[dict[str, Any]]:
    """Balanced accuracy and AUROC for the archive: all photographs, then one diagnosis each."""
    rows = []
    for name, code in _DIAGNOSES.items():
        is_any = np.ones(len(sample), bool)
        selected = is_any if code is None else (sample["diagnosis"] == code).to_numpy()
        sizes = sample.loc[selected, "source"].value_counts()
        is_large = sample["source"].isin(sizes.index[sizes >= _MIN_PER_ARCHIVE]).to_numpy()
        selected = selected & is_large
        part = sample[selected]
        archives, y_true = np.unique(part["source"], return_inverse=True)
        if len(archives) < 2:
            continue
        y_prob = _out_of_fold(embeddings[selected], y_true, part["group_id"])
        rows.append(
            {
                "of": name,
                "archives": [str(archive) for archive in archives],
                "counts": np.bincount(y_true).tolist(),
                "chance": 1 / len(archives),
                "balanced_accuracy": held_out.estimate(
                    part, classification.balanced_accuracy, (y_true, y_prob.argmax(axis=1))
                ),
                "auroc": held_out.estimate(part, classification.macro_auroc, (y_true, y_prob)),
            }
        )
    return rows


def _out_of_fold(
    embeddings: NDArray[np.float32], y_true: NDArray[np.intp], groups: pd.Series
) -> NDArray[np.float64]:
    """(N, A) probability of each archive, from probes fitted without the photograph's group."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    probe = make_pipeline(
        StandardScaler(), LogisticRegression(C=0.01, class_weight="balanced", max_iter=1000)
    )
    folds = StratifiedGroupKFold(_NUM_FOLDS, shuffle=True, random_state=_SEED)
    y_prob: NDArray[np.float64] = cross_val_predict(
        probe, embeddings, y_true, groups=groups, cv=folds, method="predict_proba"
    )
    return y_prob


def _print_samples(samples: dict[str, pd.DataFrame]) -> None:
    for part, sample in samples.items():
        counts = ", ".join(
            f"{held_out.source_name(source)} {len(rows):,}/{rows['group_id'].nunique():,}"
            for source, rows in sample.groupby("source")
        )
        print(f"{part} ({_PARTS[part][0]}), photographs/groups: {counts}")


def _print_probes(rows: list[dict[str, Any]]) -> None:
    lines = [
        (
            f"model {row['model']}, {row['part']}",
            row["of"],
            " / ".join(held_out.source_name(archive) for archive in row["archives"]),
            " / ".join(f"{count:,}" for count in row["counts"]),
            f"{row['chance']:.3f}",
            tables.interval(row["balanced_accuracy"]),
            tables.interval(row["auroc"]),
        )
        for row in rows
    ]
    headings = ("probe on", "of", "archives", "photographs", "chance", "balanced accuracy (95 %)")
    tables.print_table((*headings, "AUROC (95 %)"), lines, num_texts=3)
    print(
        "\nChance is for the balanced accuracy; for the AUROC it is 0.5. With all diagnoses, a"
        "\nprobe can also infer the archive from the diagnosis, because the archives differ in"
        "\ntheir case mix. Within one diagnosis it cannot."
    )


def _print_within(models: list[Model]) -> list[dict[str, Any]]:
    """Melanoma AUROC on the test split, over all archives and within each, from the cards."""
    rows = [
        {
            "model_id": model.card.model_id,
            "archive": source,
            "melanoma_auroc": figures["melanoma_auroc"],
        }
        for model in models
        for source, figures in model.card.figures.items()
    ]
    lines = [
        (
            row["model_id"],
            held_out.source_name(row["archive"]),
            f"{row['melanoma_auroc'].num_photographs:,}/{row['melanoma_auroc'].num_lesions:,}",
            tables.interval(row["melanoma_auroc"]),
        )
        for row in rows
    ]
    tables.print_table(
        ("model", "test photographs of", "n", "melanoma AUROC (95 %)"), lines, num_texts=2
    )
    return rows


if __name__ == "__main__":
    main()
