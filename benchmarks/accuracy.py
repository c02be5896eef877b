"""One table of accuracy: the model in use, the starting project's network, and public figures.

Run as `python -m benchmarks.accuracy [--model ID]` from the project's root. Nothing is measured
here: the model's figures are its card's, of the test split; the starting network's are those that
`python -m benchmarks.starting_cnn` left in benchmarks/results.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import tables
from melanoma_core import evaluate, metrics, paths, registry
from melanoma_core.diagnoses import CODES
from melanoma_core.errors import ModelError
from melanoma_core.registry import Card, Figure

_RESULTS_DIR = Path(__file__).resolve().parent / "results"
_SOURCES = {"all": "all", "ham10000": "HAM10000", "isic2017": "ISIC 2017 Part 3"}
_WAYS = {"before": "as its authors did", "after": "honestly"}
_SHOWN = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced",
    "macro_auroc": "macro AUROC",
    "melanoma_auroc": "MEL AUROC",
}
_ENOUGH_PHOTOGRAPHS = 50  # as on the pages: of fewer an interval says too little for a row
_UNKNOWN = "–"
_CARD = "its card"
Row = tuple[str, ...]

# As their authors give them, each on data and splits of its own; none was measured here.
# Phillips 2020: M. Phillips and others, "Detection of malignant melanoma using artificial
#   intelligence", Dermatol Pract Concept 10(1), e2020011, doi:10.5826/dpc.1001a11: the product
#   and, for comparison, a meta-analysis of 92 studies of dermatologists.
# Codella 2018: N. Codella and others, "Skin lesion analysis toward melanoma detection: a challenge
#   at the 2017 ISBI", arXiv:1710.05006, and its leader board.
# Codella 2019: the same on the challenge of 2018, arXiv:1902.03368, and its leader board; the
#   winner learned from private photographs too.
# Yang 2023: J. Yang and others, "MedMNIST v2", Scientific Data 10, 41.
# Abhishek 2025: K. Abhishek, A. Jain, G. Hamarneh, "Investigating the quality of DermaMNIST and
#   Fitzpatrick17k", Scientific Data 12, 196, arXiv:2401.14497.
# not published: read in public code when this project was planned, the address was not kept.
_PHILLIPS, _YANG, _ABHISHEK = "Phillips 2020", "Yang 2023", "Abhishek 2025"
_CODELLA_2017, _CODELLA_2018 = "Codella 2018", "Codella 2019"
_CODE = "not published"
_PUBLIC: tuple[Row, ...] = (
    ("honest public notebooks", "nine-class Test folder (118)", _CODE, "0.28–0.47",
     *[_UNKNOWN] * 3),
    ("a public repository, EfficientNet-B2", "HAM10000, by lesion", _CODE, "0.861",
     *[_UNKNOWN] * 3),
    ("DermaMNIST-C, ResNet-18, 224 px", "HAM10000, copies removed", _ABHISHEK, "0.836", _UNKNOWN,
     "0.953", _UNKNOWN),
    ("DermaMNIST-C, ResNet-50, 224 px", "HAM10000, copies removed", _ABHISHEK, "0.841", _UNKNOWN,
     "0.948", _UNKNOWN),
    ("DermaMNIST, best of eleven, 224 px", "HAM10000, leaks lesions", _YANG, "0.847", _UNKNOWN,
     "0.968", _UNKNOWN),
    ("ISIC 2017 challenge, best melanoma", "ISIC 2017 test (600)", _CODELLA_2017, *[_UNKNOWN] * 3,
     "0.874"),
    ("ISIC 2018 challenge, winner", "ISIC 2018 Task 3 test", _CODELLA_2018, _UNKNOWN, "0.885",
     *[_UNKNOWN] * 2),
)  # fmt: skip
_PUBLIC_OPERATING: tuple[Row, ...] = (
    ("a public repository, EfficientNet-B2", "HAM10000, by lesion", _CODE, "0.95", "0.627"),
    ("DERM, a product", "its own", _PHILLIPS, "0.95", "0.641"),
    ("dermatologists, meta-analysis", "92 studies", _PHILLIPS, "0.875", "0.814"),
)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="id; the model in use when left out")
    parser.add_argument("--results", type=Path, default=_RESULTS_DIR, help="folder of the JSONs")
    arguments = parser.parse_args()
    tables.print_heading()
    models_dir = paths.models_dir()
    directory = registry.model_dir(models_dir, arguments.model or _id_in_use(models_dir))
    card = registry.read_card(directory)
    measured = evaluate.from_json((directory / "evaluation.json").read_bytes())
    records = _records(arguments.results)

    rows = [*_card_rows(card), *_starting_rows(records)]
    rows += _on_test_folder(card, measured, records)
    headings = ("network", "measured on", "source", *_SHOWN.values())
    tables.print_table(headings, [*rows, *_PUBLIC], num_texts=3)
    tables.print_table(
        ("at its threshold", "measured on", "source", "sensitivity", "specificity"),
        [*_operating_rows(card), *_PUBLIC_OPERATING],
        num_texts=3,
    )
    print(
        "\nIn brackets 95 % intervals; n counts photographs/lesions. The card's figures are of the"
        "\nseven classes of HAM10000, sums of the nine. The nine-class folder is told apart in nine"
        "\nclasses. Rows without brackets are public figures, as their authors give them; the"
        "\nsources stand in full in benchmarks/accuracy.py."
        f"\nA data set of fewer than {_ENOUGH_PHOTOGRAPHS} test photographs has no row of its own:"
        f" {_left_out(card) or 'none here'}."
    )


def _id_in_use(models_dir: Path) -> str:
    champion = registry.champion(models_dir)
    if champion is None:
        raise ModelError("No model is in use yet. Train one, or name a candidate with --model.")
    return champion.model_id


def _records(results_dir: Path) -> dict[str, dict[str, Any]]:
    """What `starting_cnn` wrote, by way; a way that was not trained yet is not there."""
    files = {way: results_dir / f"starting_cnn_{way}.json" for way in _WAYS}
    return {way: json.loads(file.read_text()) for way, file in files.items() if file.exists()}


def _card_rows(card: Card) -> list[Row]:
    """The card's figures, of all test photographs and of each archive apart."""
    return [
        (
            card.network,
            f"{_SOURCES.get(source, source)}, test {_counts(figures['accuracy'])}",
            _CARD,
            *(_interval(figures[name]) for name in _SHOWN),
        )
        for source, figures in card.figures.items()
        if source == "all" or _is_large(figures)
    ]


def _is_large(figures: dict[str, Figure]) -> bool:
    return figures["accuracy"].num_photographs >= _ENOUGH_PHOTOGRAPHS


def _left_out(card: Card) -> str:
    """Names of the data sets without a row, each with its photographs and lesions."""
    return ", ".join(
        f"{_SOURCES.get(source, source)} {_counts(figures['accuracy'])}"
        for source, figures in card.figures.items()
        if source != "all" and not _is_large(figures)
    )


def _operating_rows(card: Card) -> list[Row]:
    """What the thresholds find and clear, over all sources and, for the first, in each apart."""
    rows = [
        (
            f"{card.network}, placed for {point.target:g}",
            f"all, test {_counts(point.sensitivity)} melanoma",
            _CARD,
            _interval(point.sensitivity),
            _interval(point.specificity),
        )
        for point in card.operating_points
    ]
    target = card.operating_points[0].target
    rows += [
        (
            f"{card.network}, placed for {target:g}",
            f"{_SOURCES.get(source, source)}, test {_counts(figures['sensitivity'])} melanoma",
            _CARD,
            _interval(figures["sensitivity"]),
            _interval(figures["specificity"]),
        )
        for source, figures in card.figures.items()
        if source != "all" and _is_large(figures)
    ]
    return rows


def _starting_rows(records: dict[str, dict[str, Any]]) -> list[Row]:
    rows = []
    for way, words in _WAYS.items():
        if way not in records:
            row = (f"starting_cnn, {words}", "not trained yet", _UNKNOWN, *[_UNKNOWN] * len(_SHOWN))
            rows.append(row)
            continue
        for name, share in records[way]["shares"].items():
            accuracy = f"{share['accuracy']:.3f} ({share['low']:.3f}–{share['high']:.3f})"
            on = f"nine-class {name} ({share['num_photographs']:,})"
            balanced = f"{share['balanced_accuracy']:.3f}"
            file = f"starting_cnn_{way}.json"
            name_of_row = f"starting_cnn, {words}"
            rows.append((name_of_row, on, file, accuracy, balanced, _UNKNOWN, _UNKNOWN))
    return rows


def _on_test_folder(
    card: Card, measured: evaluate.Evaluation, records: dict[str, dict[str, Any]]
) -> list[Row]:
    """The model on the Test folder's photographs, as far as they are in its test split.

    A photograph that only the folders have, under two diagnoses, is in no split and not counted.
    """
    if not records:
        return []
    filed = next(iter(records.values()))["test_folder"]
    is_test = (measured.table["split"] == "test").to_numpy()
    row_of = {
        image_id: row
        for row, image_id in enumerate(measured.table["image_id"])
        if is_test[row]
    }  # fmt: skip
    rows = []
    for name, is_wanted in (("as filed", True), ("sound labels", False)):
        known = [
            file for file in filed
            if file["image_id"] in row_of and (is_wanted or not file["is_contradictory"])
        ]  # fmt: skip
        if not known:
            continue
        called = measured.y_prob[[row_of[file["image_id"]] for file in known]].argmax(axis=1)
        labels = np.array([CODES.index(file["diagnosis"]) for file in known])
        num_hits = int((called == labels).sum())
        low, high = metrics.wilson_interval(num_hits, len(known))
        rows.append(
            (
                card.network,
                f"nine-class Test folder, {name} ({len(known):,})",
                "evaluation.json",
                f"{num_hits / len(known):.3f} ({low:.3f}–{high:.3f})",
                f"{metrics.balanced_accuracy(labels, called):.3f}",
                _UNKNOWN,
                _UNKNOWN,
            )
        )
    return rows


def _counts(figure: Figure) -> str:
    return f"({figure.num_photographs:,}/{figure.num_lesions:,})"


def _interval(figure: Figure) -> str:
    if np.isnan(figure.value):
        return "n/a"
    return f"{figure.value:.3f} ({figure.low:.3f}–{figure.high:.3f})"


if __name__ == "__main__":
    main()
