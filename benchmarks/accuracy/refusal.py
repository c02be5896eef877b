"""Which pictures are refused as no dermoscopic lesion: `python -m benchmarks.accuracy.refusal`.

The pictures are those of `benchmarks.data.non_lesions`; sources under OUT_DIR/report were never
fitted on. A model without a novelty detector gets one fitted here, on the training and validation
photographs of the data sets.
"""

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from benchmarks import records, tables
from benchmarks.accuracy import held_out, skins_by_outline
from melanoma_core import paths
from melanoma_core.data import outline_files
from melanoma_core.images import non_lesions as drawings
from melanoma_core.images import outlines, reading
from melanoma_core.models import assessments, novelty, predict, store
from melanoma_core.models.novelty import Novelty
from melanoma_core.models.predict import Model
from melanoma_core.training import novelty_fitting

_FIRST_UNSEEN = 10_000  # seed of the drawings, beyond those fitted on
_NUM_DRAWINGS = 15  # of each kind
_NUM_OUTLINED = 400  # photographs that skin and clinical views are made of
_MADE_BY_CODE = "made by code, other seeds"
_SKIN = "skin and clinical views"


def main() -> None:
    """Measure one model, print the table, record it."""
    arguments = _arguments()
    (model_id, *_) = held_out.model_ids(arguments)
    model = predict.load(store.model_dir(paths.models_dir(), model_id))
    table = held_out.combined_with_splits(arguments)
    with records.recorded("refusal", arguments.results, "scikit-learn") as record:
        print(f"\nModel: {model_id}")
        fitted = _detector(model, table, arguments)
        test = table[table["split"] == "test"].reset_index(drop=True)
        photographs = _judged(
            model, fitted, zip(test["source"], _squares(model, test), strict=True)
        )
        others = pd.concat(
            [
                _judged(model, fitted, _pictures(arguments.pictures / "report", model)),
                _judged(model, fitted, _drawings(model)).assign(source=_MADE_BY_CODE),
                _judged(model, fitted, _skins(model, test, arguments)).assign(source=_SKIN),
            ]
        )
        record |= {"models": held_out.describe([model]), **_print_tables(photographs, others)}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    held_out.add_options(
        parser, "ham10000.zip", "isic2017.zip", "isic2020.zip", "isic_archive_acral.zip"
    )
    held_out.add_splits_option(parser)
    parser.add_argument("pictures", type=Path, help="OUT_DIR of benchmarks.data.non_lesions")
    parser.add_argument("--outlines", type=Path, default=held_out.DATA / "ham10000_masks.zip")
    parser.add_argument(
        "--made-up-alone", action="store_true", help="fit without the collected pictures"
    )
    records.add_option(parser)
    return parser.parse_args()


def _squares(model: Model, table: pd.DataFrame) -> list[NDArray[np.uint8]]:
    size = model.card.image_size
    return [reading.resize(reading.read_file(Path(path)), size) for path in table["path"]]


def _detector(model: Model, table: pd.DataFrame, arguments: argparse.Namespace) -> Novelty:
    """The model's own; where it has none, or another one is asked for, one fitted here."""
    path = store.model_dir(paths.models_dir(), model.card.model_id) / "novelty.npz"
    if path.exists() and not arguments.made_up_alone:
        return novelty.from_bytes(path.read_bytes())
    train, val = (table[table["split"] == split] for split in ("train", "val"))
    train = train.sample(frac=1, random_state=0)[: novelty_fitting.NUM_PHOTOGRAPHS]
    pictures = None if arguments.made_up_alone else arguments.pictures / "fit"
    print(f"Fitted here on {len(train):,} photographs; further pictures: {pictures or 'none'}.")
    photographs = _squares(model, train)
    embeddings = np.array([model.network.graph.run(square).embedding for square in photographs])
    return novelty_fitting.fit(
        model.network,
        photographs,
        embeddings,
        _squares(model, val),
        pictures,
        list(val["source"]),
    )


def _judged(
    model: Model, fitted: Novelty, pictures: Iterable[tuple[str, NDArray[np.uint8]]]
) -> pd.DataFrame:
    """Columns source, kind (what follows a slash), score, is_refused, reason and is_stopped.

    Stopped is what is refused or has a severe finding, so that no “below” stands.
    """
    rows, model = [], replace(model, novelty=fitted)
    for name, square in pictures:
        values = novelty.numbers(square, model.network.graph.run(square).embedding)
        score = float(novelty.score(novelty.evidence(fitted, values)))
        source, _, kind = name.partition("/")
        try:
            reason, is_severe = "", bool(assessments.examine(model, square).severe)
        except assessments.RefusedError as error:
            reason, is_severe = error.refusal.kind, False
        is_refused = bool(reason)
        rows.append((source, kind or source, score, is_refused, reason, is_refused or is_severe))
    names = ["source", "kind", "score", "is_refused", "reason", "is_stopped"]
    return pd.DataFrame(rows, columns=names)


def _pictures(directory: Path, model: Model) -> Iterable[tuple[str, NDArray[np.uint8]]]:
    for path in sorted(directory.rglob("*.png")):
        with Image.open(path) as file:
            picture = np.array(file.convert("RGB"))
        name = f"{path.parent.parent.name}/{path.parent.name}"
        yield name, reading.resize(picture, model.card.image_size)


def _drawings(model: Model) -> Iterable[tuple[str, NDArray[np.uint8]]]:
    for kind in drawings.KINDS:
        for seed in range(_FIRST_UNSEEN, _FIRST_UNSEEN + _NUM_DRAWINGS):
            yield f"/{kind}", drawings.made_up(seed, kind, model.card.image_size)


def _skins(
    model: Model, test: pd.DataFrame, arguments: argparse.Namespace
) -> Iterable[tuple[str, NDArray[np.uint8]]]:
    """Made of test photographs with experts' outlines."""
    rng, size, files = (
        np.random.default_rng(0),
        model.card.image_size,
        outline_files.find(arguments.outlines),
    )
    outlined = test[test["image_id"].isin(files)]
    for row in outlined.sample(min(_NUM_OUTLINED, len(outlined)), random_state=0).itertuples():
        photograph = reading.read_file(Path(str(row.path)))
        mask = Image.fromarray(outlines.read_file(files[str(row.image_id)]))
        inside = np.array(mask.resize(photograph.shape[1::-1]))
        ground = drawings.made_up(_FIRST_UNSEEN + int(row.Index), "cloth", size)
        for kind, square in skins_by_outline.made(rng, photograph, inside, size, ground):
            yield f"/{kind}", square


def _print_tables(photographs: pd.DataFrame, others: pd.DataFrame) -> dict[str, Any]:
    """Print the tables; give their rows, and the figures below them, as JSON values."""
    print("\nTest photographs of lesions that are refused", end="")
    lesion_rows = _print_rates(photographs, ["source"])
    print("\nOther pictures that are refused", end="")
    kind_rows = _print_rates(others, ["source", "kind"])
    foreign = others[~others["source"].isin([_MADE_BY_CODE, _SKIN])]
    skin = others[others["source"] == _SKIN]
    worst = min(row["refused"] for row in kind_rows if row["source"] in set(foreign["source"]))
    # At the score that 95 % of the lesions stay below, as novelty detection is often compared.
    accepted = float((foreign["score"] <= photographs["score"].quantile(0.95)).mean())
    figures = {
        "lesions refused": (float(photographs["is_refused"].mean()), 0.01, False),
        "worst source of lesions": (max(row["refused"] for row in lesion_rows), 0.02, False),
        "sources never fitted on": (float(foreign["is_refused"].mean()), 0.98, True),
        "their worst kind": (worst, 0.90, True),
        "skin and clinical views, or severe": (float(skin["is_stopped"].mean()), 0.90, True),
    }
    lines = [
        (name, f"{value:.4f}", *tables.bar(value, limit, "", at_least=is_least))
        for name, (value, limit, is_least) in figures.items()
    ]
    tables.print_table(("figure", "measured", "bar", ""), lines, num_texts=1)
    print(f"\nAccepted of sources never fitted on where 95 % of the lesions are: {accepted:.4f}")
    return {
        "photographs": lesion_rows,
        "others": kind_rows,
        "figures": {name: value for name, (value, _, _) in figures.items()},
        "accepted_at_95_percent_of_lesions": accepted,
    }


def _print_rates(judged: pd.DataFrame, columns: Sequence[str]) -> list[dict[str, Any]]:
    rows = []
    for names, part in judged.groupby(list(columns)):
        reasons = part.loc[part["is_refused"], "reason"].value_counts().to_dict()
        rate = float(part["is_refused"].mean())
        rows.append(
            dict(zip(columns, names, strict=True))
            | {"n": len(part), "refused": rate, "stopped": float(part["is_stopped"].mean())}
            | {"reasons": reasons}
        )
    tables.print_table(
        (*columns, "n", "refused", "or severe", *novelty.KINDS[1:]),
        [
            (*(row[column] for column in columns), f"{row['n']:,}", f"{row['refused']:.3f}",
             f"{row['stopped']:.3f}",
             *(str(row["reasons"].get(kind, 0)) for kind in novelty.KINDS[1:]))
            for row in rows
        ],
        num_texts=len(columns),
    )  # fmt: skip
    return rows


if __name__ == "__main__":
    main()
