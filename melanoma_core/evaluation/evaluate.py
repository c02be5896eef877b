"""Evaluate a network on photographs, through the same path that serves it.

Figures are for the seven classes of HAM10000, which are sums of the nine diagnoses: the two
keratoses, and actinic keratosis and Bowen's disease, differ more by archive than by lesion.

A photograph whose label only says “benign” counts for the figures of melanoma (sensitivity,
specificity, AUROC) and for no other: which diagnosis is right there, nobody knows.
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from melanoma_core.diagnoses import CODES, IS_POSSIBLE, SEVEN_CLASSES
from melanoma_core.errors import DatasetError, ImageError, ModelError
from melanoma_core.images import reading
from melanoma_core.metrics import calibration, classification, conformal, estimates
from melanoma_core.metrics.conformal import LEVEL
from melanoma_core.metrics.estimates import Estimate
from melanoma_core.models.cards import Differential
from melanoma_core.models.predict import Model, Network

_ROW_FIELDS = ("image_id", "group_id", "lesion_id", "source", "split", "diagnosis")
_CASE_FIELDS = ("age_approx", "sex", "anatom_site_general")  # for subgroups
# Row k marks the class of the seven that the k-th of the nine diagnoses belongs to.
_TO_SEVEN = np.array([[code in nine for nine in SEVEN_CLASSES.values()] for code in CODES])
_KERATOSES = list(SEVEN_CLASSES).index("BKL")


@dataclass(frozen=True)
class Evaluation:
    """A model's probabilities for photographs with known labels, one row per photograph."""

    # image_id, group_id, lesion_id, source, split, diagnosis, age_approx, sex,
    # anatom_site_general; missing values are None, a missing age is NaN.
    table: pd.DataFrame
    y_prob: NDArray[np.float64]  # (N, 9), calibrated, in the order of `CODES`

    def __len__(self) -> int:
        return len(self.table)

    @property
    def groups(self) -> NDArray[np.object_]:
        """(N,) resampled as a whole: the photographs of one lesion and their near-duplicates."""
        return np.asarray(self.table["group_id"], dtype=object)

    @property
    def is_melanoma(self) -> NDArray[np.int64]:
        """(N,) 1 where the photograph shows a melanoma."""
        return np.asarray(self.table["diagnosis"] == "MEL", dtype=np.int64)

    @property
    def melanoma_probability(self) -> NDArray[np.float64]:
        """(N,) compared with the referral threshold."""
        return self.y_prob[:, CODES.index("MEL")]

    @property
    def named(self) -> "Evaluation":
        """The photographs whose diagnosis is known by name, not only as benign."""
        return self.where(self.table["diagnosis"].isin(CODES).to_numpy())

    @property
    def true(self) -> NDArray[np.int64]:
        """(N,) position in `CODES`, where every diagnosis is named."""
        return np.array([CODES.index(code) for code in self.table["diagnosis"]], np.int64)

    @property
    def seven_true(self) -> NDArray[np.int64]:
        """(N,) position in `SEVEN_CLASSES`."""
        return np.asarray(_TO_SEVEN.argmax(axis=1)[self.true], dtype=np.int64)

    @property
    def seven_prob(self) -> NDArray[np.float64]:
        """(N, 7) sums of the nine probabilities."""
        return np.asarray(self.y_prob @ _TO_SEVEN, dtype=np.float64)

    def where(self, rows: NDArray[np.bool_]) -> "Evaluation":
        """The rows where `rows` (N,) is True."""
        return Evaluation(self.table[rows].reset_index(drop=True), self.y_prob[rows])

    def num_lesions(self, rows: NDArray[np.bool_] | None = None) -> int:
        """Number of lesions; a photograph without a lesion id counts as a lesion of its own."""
        table = self.table if rows is None else self.table[rows]
        return int(table["lesion_id"].fillna(table["image_id"]).nunique())


def score(
    network: Network,
    table: pd.DataFrame,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[NDArray[np.float64], pd.DataFrame, list[str]]:
    """Logits of every photograph in a table.

    Returns:
        logits (N, C); their rows of the table; the reason for each photograph that cannot be read.

    Raises:
        DatasetError: no photograph can be read.
    """
    logits, rows, refused = [], [], []
    for row, path in enumerate(map(Path, table["path"])):
        try:
            image = reading.read_file(path)
        except ImageError as error:
            refused.append(str(error))
        else:
            square = reading.resize(image, network.graph.image_size)
            logits.append(network.logits(network.graph.run(square).embedding))
            rows.append(row)
        if on_progress and (row % 50 == 49 or row + 1 == len(table)):
            on_progress(row + 1, len(table))
    if not logits:
        raise DatasetError(
            f"None of the {len(table)} photographs can be read. "
            f"{refused[0] if refused else 'Choose a split that has some: train, val or test.'}"
        )
    return np.array(logits), table.iloc[rows].reset_index(drop=True), refused


def from_table(table: pd.DataFrame, y_prob: NDArray[np.float64]) -> Evaluation:
    """The evaluation of a table's rows, with only the columns that it needs."""
    rows = table.loc[:, [*_ROW_FIELDS, *_CASE_FIELDS]].reset_index(drop=True)
    return Evaluation(rows.astype({"age_approx": "float64"}), y_prob)


def to_json(evaluation: Evaluation) -> str:
    """The content of `evaluation.json`: one row per photograph."""
    rows = [
        {
            "image_id": row.image_id,
            "group_id": row.group_id,
            "lesion_id": _text(row.lesion_id),
            "source": row.source,
            "split": row.split,
            "age_approx": None if math.isnan(row.age_approx) else row.age_approx,
            "sex": _text(row.sex),
            "anatom_site_general": _text(row.anatom_site_general),
            "y_true": row.diagnosis,
            "y_prob": [round(float(p), 6) for p in probabilities],
        }
        for row, probabilities in zip(
            evaluation.table.itertuples(index=False), evaluation.y_prob, strict=True
        )
    ]
    lines = ",\n".join(json.dumps(row) for row in rows)
    return f'{{"diagnoses": {json.dumps(CODES)}, "rows": [\n{lines}\n]}}\n'


def _text(cell: object) -> str | None:
    """The cell, or None if it is missing, which pandas may turn into NaN."""
    return cell if isinstance(cell, str) else None


def from_json(text: str | bytes) -> Evaluation:
    """The evaluation that `to_json` wrote.

    Raises:
        ModelError: the text is something else, or has other diagnoses.
    """
    try:
        record = json.loads(text)
        if tuple(record["diagnoses"]) != CODES:
            raise ValueError(f"its diagnoses are {', '.join(record['diagnoses'])}")
        table = pd.DataFrame(record["rows"])
        y_prob = np.array(table.pop("y_prob").tolist(), dtype=np.float64)
        table = table.rename(columns={"y_true": "diagnosis"})
        return from_table(table, y_prob.reshape(-1, len(CODES)))
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"The model’s evaluation cannot be read ({error}). Restore its folder from a copy."
        ) from error


def differential(val: Evaluation, test: Evaluation, level: float = LEVEL) -> Differential:
    """The conformal differential: cutoffs chosen on validation, with their test results.

    Photographs whose diagnosis is not named are left out.
    """
    melanoma = CODES.index("MEL")
    val, test = val.named, test.named
    cutoffs = conformal.choose_cutoffs(val.true, val.y_prob, melanoma, level)
    members = conformal.prediction_sets(test.y_prob, *cutoffs, melanoma)
    is_included = members[np.arange(len(test)), test.true]
    everything = np.ones(len(test), bool)
    num_melanomas = int(val.is_melanoma.sum())
    return Differential(
        level=level,
        melanoma_cutoff=cutoffs[0],
        other_cutoff=cutoffs[1],
        val_photographs=len(val) - num_melanomas,
        val_melanomas=num_melanomas,
        coverage=proportion(test, everything, is_included),
        melanoma_coverage=proportion(test, test.is_melanoma == 1, is_included),
        mean_size=_bootstrapped(test, _mean, estimates.means, (members.sum(axis=1),)),
        review_share=proportion(test, everything, conformal.needs_review(members)),
    )


def before_calibration(
    evaluation: Evaluation, temperature: float, class_bias: Sequence[float] = ()
) -> Evaluation:
    """The same photographs with the probabilities before calibration.

    These are softmax(temperature · log p − class_bias); a prior shift stays in.

    Args:
        evaluation: calibrated.
        temperature: above 0, from the card.
        class_bias: from the card.
    """
    # Relative to the row's largest: p ** 20 alone could be 0 for every diagnosis.
    powers = (evaluation.y_prob / evaluation.y_prob.max(axis=1, keepdims=True)) ** temperature
    if class_bias:
        powers = powers * np.exp(-np.asarray(class_bias))
    return replace(evaluation, y_prob=powers / powers.sum(axis=1, keepdims=True))


def sensitivity(evaluation: Evaluation, threshold: float) -> Estimate:
    """Proportion of the melanoma photographs at or above the threshold."""
    return proportion(
        evaluation, evaluation.is_melanoma == 1, evaluation.melanoma_probability >= threshold
    )


def specificity(evaluation: Evaluation, threshold: float) -> Estimate:
    """Proportion of the photographs of other lesions below the threshold."""
    return proportion(
        evaluation, evaluation.is_melanoma == 0, evaluation.melanoma_probability < threshold
    )


def figures(
    evaluation: Evaluation, class_counts: dict[str, int], threshold: float
) -> dict[str, Estimate]:
    """The figures of one data set, each with its interval, bootstrapped over groups.

    Args:
        evaluation: the test photographs of one data set, or of all.
        class_counts: training photographs by diagnosis; the prior-adjusted balanced accuracy
            divides the probabilities by these, so that rare diagnoses count as much as common
            ones.
        threshold: lesions are referred from this melanoma probability on.

    Returns:
        accuracy, balanced_accuracy, prior_adjusted_balanced_accuracy, macro_auroc,
        melanoma_auroc, keratoses_auroc (both keratoses together, against the rest), ece, brier
        (both over the seven classes), sensitivity and specificity. All but those of melanoma are
        of the photographs whose diagnosis is named.
    """
    named = evaluation.named
    true, prob = named.seven_true, named.seven_prob
    frequency = np.array([class_counts.get(code, 0) for code in CODES], np.float64) @ _TO_SEVEN
    # A class without training photographs cannot be chosen.
    adjusted = np.divide(prob, frequency, out=np.zeros_like(prob), where=frequency > 0)
    likeliest = prob.argmax(axis=1)
    everything = np.ones(len(named), bool)
    return {
        "accuracy": proportion(named, everything, likeliest == true),
        "balanced_accuracy": _bootstrapped(
            named,
            classification.balanced_accuracy,
            estimates.balanced_accuracies,
            (true, likeliest),
        ),
        "prior_adjusted_balanced_accuracy": _bootstrapped(
            named,
            classification.balanced_accuracy,
            estimates.balanced_accuracies,
            (true, adjusted.argmax(axis=1)),
        ),
        "macro_auroc": _bootstrapped(
            named, classification.macro_auroc, estimates.macro_aurocs, (true, prob)
        ),
        "melanoma_auroc": auroc(
            evaluation, evaluation.is_melanoma, evaluation.melanoma_probability
        ),
        "keratoses_auroc": auroc(named, true == _KERATOSES, prob[:, _KERATOSES]),
        **calibration_figures(named),
        "sensitivity": sensitivity(evaluation, threshold),
        "specificity": specificity(evaluation, threshold),
    }


def calibration_figures(evaluation: Evaluation) -> dict[str, Estimate]:
    """Calibration error ("ece") and Brier score ("brier") of the seven classes.

    Photographs whose diagnosis is not named are left out.
    """
    evaluation = evaluation.named
    true, prob = evaluation.seven_true, evaluation.seven_prob
    return {
        "ece": _centered(
            _bootstrapped(evaluation, classification.ece, estimates.eces, (true, prob))
        ),
        "brier": _bootstrapped(evaluation, classification.brier, estimates.briers, (true, prob)),
    }


def figures_by_source(
    evaluation: Evaluation, class_counts: dict[str, int], threshold: float
) -> dict[str, dict[str, Estimate]]:
    """`figures` of all photographs ("all") and of each data set."""
    parts = {"all": evaluation}
    for source in sorted(evaluation.table["source"].unique()):
        parts[source] = evaluation.where((evaluation.table["source"] == source).to_numpy())
    return {source: figures(part, class_counts, threshold) for source, part in parts.items()}


def validation_figures(logits: NDArray[Any], labels: NDArray[np.int64]) -> dict[str, float]:
    """The validation figures after an epoch, before calibration.

    Args:
        logits: (N, 9), in the order of `CODES`.
        labels: (N,) positions in `LABELS`; those without a name count for the loss, and as no
            melanoma.

    Returns:
        val_loss, val_accuracy, val_balanced_accuracy, val_macro_auroc, val_melanoma_auroc.
    """
    y_prob = calibration.probabilities(logits)
    melanoma = CODES.index("MEL")
    named, named_prob = labels[labels < len(CODES)], y_prob[labels < len(CODES)]
    chosen = named_prob.argmax(axis=1)
    return {
        "val_loss": log_loss(y_prob, labels),
        "val_accuracy": classification.accuracy(named, chosen),
        "val_balanced_accuracy": classification.balanced_accuracy(named, chosen),
        "val_macro_auroc": classification.macro_auroc(named, named_prob),
        "val_melanoma_auroc": classification.auroc(labels == melanoma, y_prob[:, melanoma]),
    }


def log_loss(y_prob: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Mean negative logarithm of the labels' (N,) probabilities in (N, C).

    The probability of a label without a name is the sum of the diagnoses that it may be.
    """
    likelihood = (y_prob * possible(labels)[:, : y_prob.shape[1]]).sum(axis=1)
    return float(-np.log(np.maximum(likelihood, 1e-12)).mean())


def possible(labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(N, 9) True for the diagnoses that each label, a position in `LABELS`, may be."""
    return np.array(IS_POSSIBLE)[labels]


def check_diagnoses(model: Model) -> None:
    """Refuse a model whose outputs are not the nine diagnoses in the order of `CODES`.

    Raises:
        ModelError: it has other diagnoses.
    """
    if model.card.diagnoses != CODES:
        raise ModelError(
            f"The model “{model.card.model_id}” has the diagnoses "
            f"{', '.join(model.card.diagnoses)}; evaluation needs {', '.join(CODES)}."
        )


def proportion(
    evaluation: Evaluation, counted: NDArray[np.bool_], hits: NDArray[np.bool_]
) -> Estimate:
    """The proportion of hits among some photographs, with its interval over groups.

    Args:
        evaluation: of N photographs.
        counted: (N,) True for photographs in the denominator.
        hits: (N,) True for those of them in the numerator.
    """
    part, hits = evaluation.where(counted), hits[counted]
    if len(part) == 0:
        return Estimate(math.nan, math.nan, math.nan, 0, 0, 0)
    if hits.all() or not hits.any():
        # Every resample would be the same, but 9 of 9 does not prove 100 %. A group counts once.
        num_groups = len(set(part.groups))
        low, high = classification.wilson_interval(num_groups * int(hits.all()), num_groups)
    else:
        low, high = estimates.share_interval(hits, part.groups)
    return Estimate(float(hits.mean()), low, high, len(part), part.num_lesions(), int(hits.sum()))


def _mean(values: NDArray[np.int64]) -> float:
    return float(np.mean(values))


def auroc(evaluation: Evaluation, y_true: NDArray[Any], y_score: NDArray[np.float64]) -> Estimate:
    """Area under the ROC curve of these photographs, with its interval over groups.

    Args:
        evaluation: of N photographs.
        y_true: (N,) of 0 and 1.
        y_score: (N,).
    """
    return _bootstrapped(evaluation, classification.auroc, estimates.aurocs, (y_true, y_score))


def _bootstrapped(
    evaluation: Evaluation,
    statistic: Callable[..., float],
    resampled: Callable[..., NDArray[np.float64]],
    arrays: tuple[NDArray[Any], ...],
) -> Estimate:
    if len(evaluation) == 0:
        return Estimate(math.nan, math.nan, math.nan, 0, 0)
    low, high = classification.percentile_interval(resampled(*arrays, evaluation.groups))
    return Estimate(statistic(*arrays), low, high, len(evaluation), evaluation.num_lesions())


def _centered(estimate: Estimate) -> Estimate:
    """The estimate with its interval moved to be centered on its value, but not below 0.

    Resampling adds noise to every bin and so raises the calibration error: for calibrated
    probabilities, half of the percentile intervals were entirely above the value.
    """
    half = (estimate.high - estimate.low) / 2
    return replace(estimate, low=max(0.0, estimate.value - half), high=estimate.value + half)
