"""What the eight flips and turns of a photograph, and several photographs of a lesion, are worth.

Run as `python -m benchmarks.accuracy.views [--model ID]` from the project's root, with one model
(by default the one in use). What is done with the views and with several photographs was chosen
on the validation photographs.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import records, tables
from benchmarks.accuracy import held_out
from melanoma_core.diagnoses import CODES
from melanoma_core.evaluation import evaluate
from melanoma_core.evaluation.evaluate import Evaluation
from melanoma_core.images import reading
from melanoma_core.metrics import calibration, classification, estimates
from melanoma_core.metrics.calibration import Calibration
from melanoma_core.metrics.estimates import Estimate
from melanoma_core.models import views
from melanoma_core.models.predict import Model

_MELANOMA = CODES.index("MEL")
_TARGET = 0.95  # sensitivity
_SECONDS_BAR = 0.3
_NUM_DRAWS = 20  # of one photograph of each lesion
_ONE = "the photograph"
# Which views are averaged; those of a quarter turn may show other artifacts of compression.
_MEANS = {
    _ONE: [0],
    "2 views: half turn": [0, 2],
    "4 views: turns": [0, 1, 2, 3],
    "8 views": list(range(views.NUM_VIEWS)),
}
_PROBABILITIES = "8 views, probabilities"  # averaged instead of the logits
_Scores = NDArray[np.float64]


@dataclass(frozen=True)
class _Part:
    """The photographs of a split, and the logits of their views."""

    table: pd.DataFrame
    logits: NDArray[np.float64]  # (N, 8, 9)
    seconds: float  # of the eight views of a photograph, median

    @property
    def true(self) -> NDArray[np.int64]:
        return np.array([CODES.index(code) for code in self.table["diagnosis"]], np.int64)


def main() -> None:
    """Measure views and several photographs, print the tables, and record the figures."""
    arguments = _arguments()
    started = time.monotonic()
    with records.recorded("views", arguments.results, "ai-edge-litert", "numpy") as record:
        arguments.model = held_out.model_ids(arguments)[:1]
        (model,) = held_out.load(arguments)
        held_out.print_models([model])
        parts = {split: _part(model, arguments, split) for split in ("val", "test")}
        seconds = parts["val"].seconds
        print(
            f"\nThe eight views of a photograph take {seconds:.3f} s, bar "
            + ": ".join(tables.bar(seconds, _SECONDS_BAR, "s"))
        )
        record |= {
            "models": held_out.describe([model]),
            "seconds": round(seconds, 4),
            "means": records.as_json(_means_of_views(parts)),
            "changes": _changes(model, parts),
            "several": records.as_json(_several_photographs(model, parts)),
        }
        print(f"\n{time.monotonic() - started:,.0f} s in all")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    held_out.add_options(parser, "ham10000.zip", "isic2017.zip", "isic9.zip")
    records.add_option(parser)
    return parser.parse_args()


def _part(model: Model, arguments: argparse.Namespace, split: str) -> _Part:
    table = held_out.photographs(arguments, [model.card.model_id], split)
    logits, seconds = [], []
    for image in held_out.each(table):
        square = reading.resize(image, model.network.graph.image_size)
        started = time.perf_counter()
        logits.append(views.view_logits(model.network, square))
        seconds.append(time.perf_counter() - started)
    return _Part(table, np.array(logits), float(np.median(seconds)))


def _means_of_views(parts: dict[str, _Part]) -> list[dict[str, Any]]:
    """Each mean of views, calibrated on validation, beside the photograph alone."""
    val = parts["val"]
    rows = []
    for name in (*_MEANS, _PROBABILITIES):
        fitted = calibration.fit(_mean_logits(val, name), val.true)
        of_val = evaluate.from_table(val.table, _probabilities(val, name, fitted))
        threshold = classification.threshold_at_sensitivity(
            of_val.is_melanoma, of_val.melanoma_probability, _TARGET
        )
        for split, part in parts.items():
            evaluation = evaluate.from_table(part.table, _probabilities(part, name, fitted))
            rows.append(
                {
                    "split": split,
                    "of": name,
                    "evaluation": evaluation,
                    "sensitivity": evaluate.sensitivity(evaluation, threshold),
                    "specificity": evaluate.specificity(evaluation, threshold),
                }
            )
    rows.sort(key=lambda row: row["split"], reverse=True)  # validation first
    alone = {row["split"]: row["evaluation"] for row in rows if row["of"] == _ONE}
    for row in rows:
        row |= _beside(row.pop("evaluation"), alone[row["split"]])
    names = ("melanoma_auroc", "macro_auroc", "log_loss")
    tables.print_table(
        ("split", "mean of", "MEL AUROC", "macro AUROC", "log loss", "sensitivity", "specificity"),
        [
            (
                row["split"], row["of"], *(tables.number(row[name].value) for name in names),
                tables.number(row["sensitivity"].value), tables.number(row["specificity"].value),
            )
            for row in rows
        ],
        2,
    )  # fmt: skip
    tables.print_table(
        ("split", "less the photograph alone", "MEL AUROC", "macro AUROC", "log loss"),
        [
            (
                row["split"],
                row["of"],
                *(tables.difference(row[f"{name}_difference"]) for name in names),
            )
            for row in rows
            if row["of"] != _ONE
        ],
        2,
    )
    return rows


def _mean_logits(part: _Part, name: str) -> NDArray[np.float64]:
    if name == _PROBABILITIES:  # calibrated as the photograph alone
        return part.logits[:, 0]
    return np.asarray(part.logits[:, _MEANS[name]].mean(axis=1))


def _probabilities(part: _Part, name: str, fitted: Calibration) -> NDArray[np.float64]:
    if name == _PROBABILITIES:
        return np.asarray(calibration.probabilities(part.logits, fitted).mean(axis=1))
    return calibration.probabilities(_mean_logits(part, name), fitted)


def _beside(evaluation: Evaluation, alone: Evaluation) -> dict[str, Any]:
    """Figures of all photographs, by how much they differ from those of `alone`, and by source."""
    figures: dict[str, Any] = {}
    for name, (value, resampled) in _FIGURES.items():
        both = [resampled(one) for one in (evaluation, alone)]
        for key, at, draws in (
            (name, value(evaluation), both[0]),
            (f"{name}_difference", value(evaluation) - value(alone), both[0] - both[1]),
        ):
            low, high = classification.percentile_interval(draws)
            figures[key] = Estimate(at, low, high, len(evaluation), evaluation.num_lesions())
    for source in sorted(evaluation.table["source"].unique()):
        part = evaluation.where((evaluation.table["source"] == source).to_numpy())
        figures[f"melanoma_auroc_{source}"] = evaluate.auroc(
            part, part.is_melanoma, part.melanoma_probability
        )
    return figures


def _surprise(evaluation: Evaluation) -> NDArray[np.float64]:
    """(N,) negative logarithm of the probability of the right one of the seven classes."""
    likelihood = evaluation.seven_prob[np.arange(len(evaluation)), evaluation.seven_true]
    return np.asarray(-np.log(np.maximum(likelihood, 1e-12)))


# The value of each figure, and its values in 1,000 resamples.
_FIGURES: dict[str, tuple[Callable[[Evaluation], float], Callable[[Evaluation], _Scores]]] = {
    "melanoma_auroc": (
        lambda e: classification.auroc(e.is_melanoma, e.melanoma_probability),
        lambda e: estimates.aurocs(e.is_melanoma, e.melanoma_probability, e.groups),
    ),
    "macro_auroc": (
        lambda e: classification.macro_auroc(e.seven_true, e.seven_prob),
        lambda e: estimates.macro_aurocs(e.seven_true, e.seven_prob, e.groups),
    ),
    "log_loss": (
        lambda e: float(_surprise(e).mean()),
        lambda e: estimates.means(_surprise(e), e.groups),
    ),
}


def _changes(model: Model, parts: dict[str, _Part]) -> list[dict[str, Any]]:
    """In how many photographs the side of the melanoma threshold changes in some views."""
    rows: list[dict[str, Any]] = []
    for point in model.card.operating_points:
        for split, part in parts.items():
            y_prob = calibration.probabilities(part.logits, model.card.calibration)
            is_above = y_prob[..., _MELANOMA] >= point.threshold
            num = np.array([views.num_changed(one.tolist()) for one in is_above])
            is_melanoma = part.true == _MELANOMA
            for at_least in (1, views.UNSTEADY_FROM, 3, 4):
                chosen = num >= at_least
                rows.append(
                    {
                        "sensitivity": point.target,
                        "split": split,
                        "views": at_least,
                        "photographs": int(chosen.sum()),
                        "share": round(float(chosen.mean()), 4),
                        "melanomas": int((chosen & is_melanoma).sum()),
                        "all_melanomas": int(is_melanoma.sum()),
                        "below_melanomas": int((chosen & is_melanoma & ~is_above[:, 0]).sum()),
                    }
                )
    tables.print_table(
        ("sensitivity", "split", "views that differ", "photographs", "of all", "melanomas",
         "of them below"),
        [
            (
                f"{row['sensitivity']:.0%}", row["split"], f"{row['views']} or more",
                f"{row['photographs']:,}", f"{row['share']:.1%}",
                f"{row['melanomas']} of {row['all_melanomas']}", str(row["below_melanomas"]),
            )
            for row in rows
        ],
        3,
    )  # fmt: skip
    return rows


def _several_photographs(model: Model, parts: dict[str, _Part]) -> list[dict[str, Any]]:
    """Lesions with several photographs: melanoma AUROC of one of them and of all together."""
    rows: list[dict[str, Any]] = []
    for split, part in parts.items():
        lesions, scores, verdicts_differ = _by_lesion(model, part)
        y_true = (lesions["diagnosis"] == "MEL").to_numpy()
        one = scores.pop(_ONE)
        rows.append(
            {
                "split": split,
                "of": "one of them",
                "auroc": held_out.estimate(lesions, _mean_auroc, (y_true, one)),
                "difference": None,
                "verdicts_differ": verdicts_differ,
            }
        )
        for name, score in scores.items():
            area = held_out.estimate(lesions, classification.auroc, (y_true, score))
            gain = held_out.estimate(lesions, _gain, (y_true, score, one))
            rows.append({"split": split, "of": name, "auroc": area, "difference": gain})
        print(
            f"\n{split}: {len(lesions):,} lesions with several photographs, {int(y_true.sum())} of "
            f"them melanomas; their single verdicts differ in {verdicts_differ}"
        )
    tables.print_table(
        ("split", "by", "MEL AUROC by lesion", "less one of them"),
        [
            (
                row["split"], row["of"], tables.interval(row["auroc"]),
                tables.difference(row["difference"]) if row["difference"] else "",
            )
            for row in rows
        ],
        2,
    )  # fmt: skip
    return rows


def _by_lesion(model: Model, part: _Part) -> tuple[pd.DataFrame, dict[str, _Scores], int]:
    """A row per lesion with several photographs, its scores, and how many have both verdicts."""
    y_prob = calibration.probabilities(part.logits[:, 0], model.card.calibration)[:, _MELANOMA]
    threshold = model.card.operating_point(_TARGET).threshold
    rng = np.random.default_rng(0)
    first, num_both = [], 0
    scores: dict[str, list[Any]] = {
        _ONE: [], "mean of logits": [], "mean of probabilities": [], "highest probability": [],
    }  # fmt: skip
    for rows in part.table.groupby("lesion_id").indices.values():
        if len(rows) < 2:
            continue
        first.append(rows[0])
        of_mean = calibration.probabilities(
            part.logits[rows, 0].mean(axis=0), model.card.calibration
        )
        scores[_ONE].append(rng.choice(y_prob[rows], _NUM_DRAWS))
        scores["mean of logits"].append(of_mean[_MELANOMA])
        scores["mean of probabilities"].append(y_prob[rows].mean())
        scores["highest probability"].append(y_prob[rows].max())
        num_both += len(set(y_prob[rows] >= threshold)) > 1
    lesions = part.table.iloc[first].reset_index(drop=True)
    return lesions, {name: np.array(values) for name, values in scores.items()}, num_both


def _mean_auroc(y_true: NDArray[np.bool_], draws: _Scores) -> float:
    """Mean over the draws (L, D) of one photograph of each lesion."""
    return float(np.mean([classification.auroc(y_true, draw) for draw in draws.T]))


def _gain(y_true: NDArray[np.bool_], score: _Scores, draws: _Scores) -> float:
    return classification.auroc(y_true, score) - _mean_auroc(y_true, draws)


if __name__ == "__main__":
    main()
