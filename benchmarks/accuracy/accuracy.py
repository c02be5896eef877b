"""One table of accuracy: the models beside published figures.

Run as `python -m benchmarks.accuracy.accuracy [--model ID]…` from the project's root. Nothing is
measured here: the models' figures are those on their cards, for the test split.
"""

import argparse

from benchmarks import records, tables
from benchmarks.accuracy import held_out
from melanoma_core.metrics.estimates import Estimate, to_record
from melanoma_core.models.cards import Card

_COLUMNS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced",
    "macro_auroc": "macro AUROC",
    "melanoma_auroc": "MEL AUROC",
}
_ENOUGH_PHOTOGRAPHS = 50  # as on the pages: with fewer, an interval says too little for a row
_UNKNOWN = "–"
_CARD = "its card"
Row = tuple[str, ...]

# As published, each on its own data and splits; none was measured here.
# Phillips 2020: M. Phillips and others, "Detection of malignant melanoma using artificial
#   intelligence", Dermatol Pract Concept 10(1), e2020011, doi:10.5826/dpc.1001a11: the product
#   and, for comparison, a meta-analysis of 92 studies of dermatologists.
# Codella 2018: N. Codella and others, "Skin lesion analysis toward melanoma detection: a challenge
#   at the 2017 ISBI", arXiv:1710.05006, and its leader board.
# Codella 2019: the same on the challenge of 2018, arXiv:1902.03368, and its leader board; the
#   winner also trained on private photographs.
# Yang 2023: J. Yang and others, "MedMNIST v2", Scientific Data 10, 41.
# Abhishek 2025: K. Abhishek, A. Jain, G. Hamarneh, "Investigating the quality of DermaMNIST and
#   Fitzpatrick17k", Scientific Data 12, 196, arXiv:2401.14497.
# not published: seen in public code when this project was planned; the address was not kept.
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
    """Print the tables, and record the models' figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    held_out.add_model_option(parser)
    records.add_option(parser)
    arguments = parser.parse_args()
    with records.recorded("accuracy", arguments.results) as record:
        models = held_out.load(arguments)
        cards = [model.card for model in models]
        tables.print_table(
            ("network", "measured on", "source", *_COLUMNS.values()),
            [*(row for card in cards for row in _card_rows(card)), *_PUBLIC],
            num_texts=3,
        )
        tables.print_table(
            ("at its threshold", "measured on", "source", "sensitivity", "specificity"),
            [*(row for card in cards for row in _operating_rows(card)), *_PUBLIC_OPERATING],
            num_texts=3,
        )
        print(
            "\nIn brackets: 95 % intervals, or photographs/lesions. The cards' figures are for the"
            "\nseven classes of HAM10000, which are sums of the nine. Rows without intervals are"
            "\npublished figures; benchmarks/accuracy/accuracy.py lists their sources in full."
            f"\nA data set with fewer than {_ENOUGH_PHOTOGRAPHS} test photographs has no row of its"
            f" own: {_small_sources(cards[0]) or 'none here'}."
        )
        record |= {
            "models": held_out.describe(models),
            "figures": {
                card.model_id: {
                    source: {name: to_record(estimate) for name, estimate in figures.items()}
                    for source, figures in card.figures.items()
                }
                for card in cards
            },
        }


def _card_rows(card: Card) -> list[Row]:
    """The card's figures for all test photographs and for each archive."""
    return [
        (
            card.model_id,
            f"{held_out.source_name(source)}, test {_counts(figures['accuracy'])}",
            _CARD,
            *(tables.interval(figures[name]) for name in _COLUMNS),
        )
        for source, figures in card.figures.items()
        if source == "all" or _is_large(figures)
    ]


def _is_large(figures: dict[str, Estimate]) -> bool:
    return figures["accuracy"].num_photographs >= _ENOUGH_PHOTOGRAPHS


def _small_sources(card: Card) -> str:
    """Names of the data sets too small for a row, with their photographs and lesions."""
    return ", ".join(
        f"{held_out.source_name(source)} {_counts(figures['accuracy'])}"
        for source, figures in card.figures.items()
        if source != "all" and not _is_large(figures)
    )


def _operating_rows(card: Card) -> list[Row]:
    """Sensitivity and specificity of each threshold on all sources, of the first on each one."""
    rows = [
        (
            f"{card.model_id}, target {point.target:g}",
            f"all, test {_counts(point.sensitivity)} melanoma",
            _CARD,
            tables.interval(point.sensitivity),
            tables.interval(point.specificity),
        )
        for point in card.operating_points
    ]
    target = card.operating_points[0].target
    rows += [
        (
            f"{card.model_id}, target {target:g}",
            f"{held_out.source_name(source)}, test {_counts(figures['sensitivity'])} melanoma",
            _CARD,
            tables.interval(figures["sensitivity"]),
            tables.interval(figures["specificity"]),
        )
        for source, figures in card.figures.items()
        if source != "all" and _is_large(figures)
    ]
    return rows


def _counts(estimate: Estimate) -> str:
    return f"({estimate.num_photographs:,}/{estimate.num_lesions:,})"


if __name__ == "__main__":
    main()
