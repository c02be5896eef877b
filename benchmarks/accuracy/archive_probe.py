"""How well the archive that a photograph is from can be read from what the network makes of it.

Run as `python -m benchmarks.accuracy.archive_probe [--model ID]…` from the project's root. A network that
knows the archive can answer by the camera instead of the lesion. A linear probe (logistic
regression on the embedding) is cross-validated over groups, and says how much of the archive is
there to be used; the melanoma AUROC within each archive says what is left without it.
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
from melanoma_core.metrics.estimates import Estimate
from melanoma_core.models import predict
from melanoma_core.models.predict import Model

_NUM_EACH = 600  # photographs of an archive at most: about as many as ISIC 2017 has held out
_NUM_FOLDS = 5
_FEWEST = 40  # photographs of an archive from which it takes part
_SEED = 0
_NAMES = {"ham10000": "HAM10000", "isic2017": "ISIC 2017 Part 3", "isic9": "nine-class set alone"}
_PARTS = {
    "held out": ("val and test: not taught", HELD_OUT),
    "taught": ("train: the network was taught these", ("train",)),
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
        table = held_out.divided(arguments)
        table = _of_all(models, table)
        samples = {
            part: _sample(table[table["split"].isin(wanted)], arguments.each)
            for part, (_, wanted) in _PARTS.items()
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
        "--each", type=int, default=_NUM_EACH, help="photographs of an archive at most"
    )
    records.add_option(parser)
    return parser.parse_args()


def _sample(table: pd.DataFrame, num_each: int) -> pd.DataFrame:
    """As many photographs of each archive, by whole groups; archives with too few are left out."""
    parts = [
        held_out.some_lesions(part, num_each, _SEED)
        for _, part in table.groupby("source")
        if len(part) >= _FEWEST
    ]
    return pd.concat(parts, ignore_index=True)


def _of_all(models: list[Model], table: pd.DataFrame) -> pd.DataFrame:
    """The rows without those that a split holds out, and that were not held out from every model.

    A copy that the data doctor dropped before one of them was made is such a one.
    """
    of_each = [held_out.measured(model.card.model_id).table for model in models]
    common = set.intersection(
        *(set(known.loc[known["split"].isin(HELD_OUT), "image_id"]) for known in of_each)
    )
    is_unsure = table["split"].isin(HELD_OUT) & ~table["image_id"].isin(common)
    print(f"left out, as not held out from every model: {int(is_unsure.sum())}")
    return table[~is_unsure]


def _embeddings(model: Model, sample: pd.DataFrame) -> NDArray[np.float32]:
    """(N, K), through the path that serves."""
    return np.stack(
        [
            predict.classify(model, reading.read_file(Path(path))).embedding
            for path in sample["path"]
        ]
    )


def _probe(sample: pd.DataFrame, embeddings: NDArray[np.float32]) -> list[dict[str, Any]]:
    """Balanced accuracy and AUROC of the archive: of all photographs, and of one diagnosis."""
    rows = []
    for name, code in _DIAGNOSES.items():
        counted = np.ones(len(sample), bool) if code is None else (sample["diagnosis"] == code)
        part, of_part = sample[counted], embeddings[counted]
        sizes = part["source"].value_counts()
        wanted = part["source"].isin(sizes.index[sizes >= _FEWEST]).to_numpy()
        part, of_part = part[wanted], of_part[wanted]
        archives, y_true = np.unique(part["source"], return_inverse=True)
        if len(archives) < 2:
            continue
        y_prob = _out_of_fold(of_part, y_true, part["group_id"])
        rows.append(
            {
                "of": name,
                "archives": [str(archive) for archive in archives],
                "counts": np.bincount(y_true).tolist(),
                "chance": 1 / len(archives),
                "balanced_accuracy": _figure(
                    part, classification.balanced_accuracy, (y_true, y_prob.argmax(axis=1))
                ),
                "auroc": _figure(part, classification.macro_auroc, (y_true, y_prob)),
            }
        )
    return rows


def _out_of_fold(
    embeddings: NDArray[np.float32], y_true: NDArray[np.intp], groups: pd.Series
) -> NDArray[np.float64]:
    """(N, A) probability of each archive, by probes that saw no photograph of the same group."""
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


def _figure(part: pd.DataFrame, statistic: Any, arrays: tuple[NDArray[Any], ...]) -> Estimate:
    low, high = classification.bootstrap_interval(statistic, arrays, part["group_id"])
    num_lesions = int(part["lesion_id"].fillna(part["image_id"]).nunique())
    return Estimate(statistic(*arrays), low, high, len(part), num_lesions)


def _print_samples(samples: dict[str, pd.DataFrame]) -> None:
    for part, sample in samples.items():
        counts = ", ".join(
            f"{_NAMES.get(source, source)} {len(rows):,}/{rows['group_id'].nunique():,}"
            for source, rows in sample.groupby("source")
        )
        print(f"{part} ({_PARTS[part][0]}), photographs/groups: {counts}")


def _print_probes(rows: list[dict[str, Any]]) -> None:
    lines = [
        (
            f"model {row['model']}, {row['part']}",
            row["of"],
            " / ".join(_NAMES.get(archive, archive) for archive in row["archives"]),
            " / ".join(f"{count:,}" for count in row["counts"]),
            f"{row['chance']:.3f}",
            tables.interval(row["balanced_accuracy"]),
            tables.interval(row["auroc"]),
        )
        for row in rows
    ]
    headings = ("probe on", "of", "told apart", "photographs", "chance", "balanced accuracy (95 %)")
    tables.print_table((*headings, "AUROC (95 %)"), lines, num_texts=3)
    print(
        "\nChance is that of the balanced accuracy; of the AUROC it is 0.5. With all diagnoses a"
        "\nprobe can also read the archive from the diagnosis, as the archives hold them in other"
        "\nshares: within one diagnosis it cannot."
    )


def _print_within(models: list[Model]) -> list[dict[str, Any]]:
    """The melanoma AUROC of the test split, over all archives and within each, from the cards."""
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
            _NAMES.get(row["archive"], row["archive"]),
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
