"""Measure a network on photographs through the very path that serves it.

Figures are those of the seven classes of HAM10000, as sums of the nine: the two keratoses, and
actinic keratosis and Bowen's disease, are told apart by the archive more than by the lesion.
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

from melanoma_core.diagnoses import CODES, SEVEN_CLASSES
from melanoma_core.errors import DatasetError, ImageError, ModelError
from melanoma_core.images import reading
from melanoma_core.metrics import calibration, classification, conformal, estimates
from melanoma_core.metrics.conformal import LEVEL
from melanoma_core.metrics.estimates import Estimate
from melanoma_core.models.cards import Differential, OperatingPoint
from melanoma_core.models.predict import Model, Network

_ROW_FIELDS = ("image_id", "group_id", "lesion_id", "source", "split", "diagnosis")
_CASE_FIELDS = ("age_approx", "sex", "anatom_site_general")  # for the figures of subgroups
# Row k is the seven-class sum that the k-th of the nine diagnoses belongs to.
_TO_SEVEN = np.array([[code in nine for nine in SEVEN_CLASSES.values()] for code in CODES])
_KERATOSES = list(SEVEN_CLASSES).index("BKL")


@dataclass(frozen=True)
class Evaluation:
    """What a model says of photographs whose diagnosis is known; a row is a photograph."""

    table: pd.DataFrame  # image_id, group_id, lesion_id, source, split, diagnosis, age_approx, sex,
    # anatom_site_general; what is not recorded is None, an age NaN
    y_prob: NDArray[np.float64]  # (N, 9), calibrated, in the order of `CODES`

    def __len__(self) -> int:
        return len(self.table)

    @property
    def groups(self) -> NDArray[np.object_]:
        """(N,) what is resampled whole: the photographs of one lesion and their near copies."""
        return np.asarray(self.table["group_id"], dtype=object)

    @property
    def is_melanoma(self) -> NDArray[np.int64]:
        """(N,) 1 where the photograph shows a melanoma."""
        return np.asarray(self.table["diagnosis"] == "MEL", dtype=np.int64)

    @property
    def melanoma_probability(self) -> NDArray[np.float64]:
        """(N,) what is held against the referral threshold."""
        return self.y_prob[:, CODES.index("MEL")]

    @property
    def true(self) -> NDArray[np.int64]:
        """(N,) position in `CODES`."""
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
        """The part of it where `rows` (N,) is true."""
        return Evaluation(self.table[rows].reset_index(drop=True), self.y_prob[rows])

    def num_lesions(self, rows: NDArray[np.bool_] | None = None) -> int:
        """Number of lesions; a photograph of no known lesion counts as a lesion of its own."""
        table = self.table if rows is None else self.table[rows]
        return int(table["lesion_id"].fillna(table["image_id"]).nunique())


def score(
    network: Network,
    table: pd.DataFrame,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[NDArray[np.float64], pd.DataFrame, list[str]]:
    """Logits of every photograph of a table, one view each.

    Returns:
        logits (N, C); the rows that they belong to; a line for each photograph left out because
        it cannot be read.
    """
    logits, kept, refused = [], [], []
    for row, path in enumerate(map(Path, table["path"])):
        try:
            image = reading.read_file(path)
        except ImageError as error:
            refused.append(str(error))
        else:
            _, embedding = network.graph.run(reading.resize(image, network.graph.image_size))
            logits.append(network.logits(embedding))
            kept.append(row)
        if on_progress and (row % 50 == 49 or row + 1 == len(table)):
            on_progress(row + 1, len(table))
    if not logits:
        raise DatasetError(
            f"None of the {len(table)} photographs to be measured can be read. "
            f"{refused[0] if refused else 'Name a split that holds some: train, val or test.'}"
        )
    return np.array(logits), table.iloc[kept].reset_index(drop=True), refused


def from_table(table: pd.DataFrame, y_prob: NDArray[np.float64]) -> Evaluation:
    """The evaluation of these rows; of the table only what figures are made from is kept."""
    rows = table.loc[:, [*_ROW_FIELDS, *_CASE_FIELDS]].reset_index(drop=True)
    return Evaluation(rows.astype({"age_approx": "float64"}), y_prob)


def to_json(measured: Evaluation) -> str:
    """One row a photograph, as `evaluation.json` holds them."""
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
            measured.table.itertuples(index=False), measured.y_prob, strict=True
        )
    ]
    lines = ",\n".join(json.dumps(row) for row in rows)
    return f'{{"diagnoses": {json.dumps(CODES)}, "rows": [\n{lines}\n]}}\n'


def _text(cell: object) -> str | None:
    """The cell; None where it is not recorded, which pandas may turn into NaN."""
    return cell if isinstance(cell, str) else None


def from_json(text: str | bytes) -> Evaluation:
    """What `to_json` wrote.

    Raises:
        ModelError: the text is no evaluation, or one of other diagnoses.
    """
    try:
        record = json.loads(text)
        if tuple(record["diagnoses"]) != CODES:
            raise ValueError(f"it is of the diagnoses {', '.join(record['diagnoses'])}")
        table = pd.DataFrame(record["rows"])
        y_prob = np.array(table.pop("y_prob").tolist(), dtype=np.float64)
        table = table.rename(columns={"y_true": "diagnosis"})
        return from_table(table, y_prob.reshape(-1, len(CODES)))
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"The model’s evaluation cannot be read ({error}). Restore its folder from a copy."
        ) from error


def operating_point(val: Evaluation, test: Evaluation, target: float) -> OperatingPoint:
    """The threshold that is expected to find `target` of new melanomas, measured on test.

    Of n validation melanomas it finds (n + 1) · target / n, the share that the differential takes
    too: a threshold that found just `target` of those that it was chosen on would be expected to
    find fewer of others. Of fewer than 19 melanomas it finds all, and even so promises no 95 %.

    Raises:
        DatasetError: there is no melanoma to choose it on.
    """
    chosen_on = val.is_melanoma == 1
    if not chosen_on.any():
        raise DatasetError(
            "The validation split holds no melanoma, so no threshold can be chosen. Add some."
        )
    num_melanomas = int(chosen_on.sum())
    share = min(1.0, conformal.num_to_cover(num_melanomas, target) / num_melanomas)
    threshold = classification.threshold_at_sensitivity(
        val.is_melanoma, val.melanoma_probability, share
    )
    return OperatingPoint(
        target=target,
        threshold=threshold,
        val_photographs=num_melanomas,
        val_lesions=val.num_lesions(chosen_on),
        sensitivity=sensitivity(test, threshold),
        specificity=specificity(test, threshold),
    )


def differential(val: Evaluation, test: Evaluation, level: float = LEVEL) -> Differential:
    """The cutoffs of the conformal differential, chosen on validation and measured on test."""
    melanoma = CODES.index("MEL")
    cutoffs = conformal.choose_cutoffs(val.true, val.y_prob, melanoma, level)
    members = conformal.prediction_sets(test.y_prob, *cutoffs, melanoma)
    holds = members[np.arange(len(test)), test.true]
    everything = np.ones(len(test), bool)
    num_melanomas = int(val.is_melanoma.sum())
    return Differential(
        level=level,
        melanoma_cutoff=cutoffs[0],
        other_cutoff=cutoffs[1],
        val_photographs=len(val) - num_melanomas,
        val_melanomas=num_melanomas,
        coverage=proportion(test, everything, holds),
        melanoma_coverage=proportion(test, test.is_melanoma == 1, holds),
        mean_size=_with_interval(test, _mean, estimates.means, (members.sum(axis=1),)),
        review_share=proportion(test, everything, conformal.needs_review(members)),
    )


def before_calibration(
    measured: Evaluation, temperature: float, class_bias: Sequence[float] = ()
) -> Evaluation:
    """The same photographs with the probabilities as they were before calibration.

    Softmax of temperature · log p − bias: what was added to all logits of a row falls out.

    Args:
        measured: calibrated so.
        temperature: above 0, as on the card.
        class_bias: as on the card.
    """
    # Shares of the row's largest: p ** 20 alone could come to 0 for every diagnosis.
    powers = (measured.y_prob / measured.y_prob.max(axis=1, keepdims=True)) ** temperature
    if class_bias:
        powers = powers * np.exp(-np.asarray(class_bias))
    return replace(measured, y_prob=powers / powers.sum(axis=1, keepdims=True))


def sensitivity(measured: Evaluation, threshold: float) -> Estimate:
    """Share of the melanoma photographs at or above the threshold."""
    return proportion(
        measured, measured.is_melanoma == 1, measured.melanoma_probability >= threshold
    )


def specificity(measured: Evaluation, threshold: float) -> Estimate:
    """Share of the photographs of other lesions below the threshold."""
    return proportion(
        measured, measured.is_melanoma == 0, measured.melanoma_probability < threshold
    )


def figures(
    measured: Evaluation, class_counts: dict[str, int], threshold: float
) -> dict[str, Estimate]:
    """The figures of one source, each with its interval, bootstrapped over groups.

    Args:
        measured: the test photographs of one source, or all.
        class_counts: training photographs by diagnosis; the prior-adjusted figure is of the
            arg-max of the probabilities divided by these frequencies, which looks for rare
            diagnoses as hard as for common ones.
        threshold: melanoma probability from which a lesion is referred.

    Returns:
        accuracy, balanced_accuracy, prior_adjusted_balanced_accuracy, macro_auroc,
        melanoma_auroc, keratoses_auroc (both keratoses as one, against the rest), ece, brier (of
        the seven classes), sensitivity and specificity.
    """
    true, prob = measured.seven_true, measured.seven_prob
    frequency = np.array([class_counts.get(code, 0) for code in CODES], np.float64) @ _TO_SEVEN
    # A class that was never taught cannot be chosen.
    adjusted = np.divide(prob, frequency, out=np.zeros_like(prob), where=frequency > 0)
    likeliest = prob.argmax(axis=1)
    everything = np.ones(len(measured), bool)
    return {
        "accuracy": proportion(measured, everything, likeliest == true),
        "balanced_accuracy": _with_interval(
            measured,
            classification.balanced_accuracy,
            estimates.balanced_accuracies,
            (true, likeliest),
        ),
        "prior_adjusted_balanced_accuracy": _with_interval(
            measured,
            classification.balanced_accuracy,
            estimates.balanced_accuracies,
            (true, adjusted.argmax(axis=1)),
        ),
        "macro_auroc": _with_interval(
            measured, classification.macro_auroc, estimates.macro_aurocs, (true, prob)
        ),
        "melanoma_auroc": auroc(measured, measured.is_melanoma, measured.melanoma_probability),
        "keratoses_auroc": auroc(measured, true == _KERATOSES, prob[:, _KERATOSES]),
        **calibration_figures(measured),
        "sensitivity": sensitivity(measured, threshold),
        "specificity": specificity(measured, threshold),
    }


def calibration_figures(measured: Evaluation) -> dict[str, Estimate]:
    """Calibration error ("ece") and Brier score ("brier") of the seven classes."""
    true, prob = measured.seven_true, measured.seven_prob
    return {
        "ece": _around_value(
            _with_interval(measured, classification.ece, estimates.eces, (true, prob))
        ),
        "brier": _with_interval(measured, classification.brier, estimates.briers, (true, prob)),
    }


def figures_by_source(
    measured: Evaluation, class_counts: dict[str, int], threshold: float
) -> dict[str, dict[str, Estimate]]:
    """`figures` of all photographs ("all") and of each source apart."""
    parts = {"all": measured}
    for source in sorted(measured.table["source"].unique()):
        parts[source] = measured.where((measured.table["source"] == source).to_numpy())
    return {source: figures(part, class_counts, threshold) for source, part in parts.items()}


def validation_figures(logits: NDArray[Any], labels: NDArray[np.int64]) -> dict[str, float]:
    """What a training watches after each epoch, before calibration.

    Args:
        logits: (N, 9), in the order of `CODES`.
        labels: (N,) positions in `CODES`.

    Returns:
        val_loss, val_accuracy, val_balanced_accuracy, val_macro_auroc, val_melanoma_auroc.
    """
    y_prob = calibration.probabilities(logits)
    chosen = y_prob.argmax(axis=1)
    melanoma = CODES.index("MEL")
    return {
        "val_loss": log_loss(y_prob, labels),
        "val_accuracy": classification.accuracy(labels, chosen),
        "val_balanced_accuracy": classification.balanced_accuracy(labels, chosen),
        "val_macro_auroc": classification.macro_auroc(labels, y_prob),
        "val_melanoma_auroc": classification.auroc(labels == melanoma, y_prob[:, melanoma]),
    }


def log_loss(y_prob: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Mean negative logarithm of the probability (N, C) of what is true, labels (N,)."""
    likelihood = np.maximum(y_prob[np.arange(len(labels)), labels], 1e-12)
    return float(-np.log(likelihood).mean())


def check_diagnoses(model: Model) -> None:
    """Refuse a model whose outputs are not the nine diagnoses in their order.

    Raises:
        ModelError: it is one of other diagnoses.
    """
    if model.card.diagnoses != CODES:
        raise ModelError(
            f"The model “{model.card.model_id}” tells {', '.join(model.card.diagnoses)} apart; "
            f"figures are made for {', '.join(CODES)}."
        )


def proportion(
    measured: Evaluation, counted: NDArray[np.bool_], hits: NDArray[np.bool_]
) -> Estimate:
    """The share of hits among the photographs that are counted, with its interval over groups.

    Args:
        measured: gives groups and counts.
        counted: (N,) which photographs the share is of.
        hits: (N,) which of them are in the numerator.
    """
    part, hits = measured.where(counted), hits[counted]
    if len(part) == 0:
        return Estimate(math.nan, math.nan, math.nan, 0, 0, 0)
    if hits.all() or not hits.any():
        # Every resample would be the same: 9 of 9 is no proof of 100 %. A group counts once.
        num_groups = len(set(part.groups))
        low, high = classification.wilson_interval(num_groups * int(hits.all()), num_groups)
    else:
        low, high = estimates.share_interval(hits, part.groups)
    return Estimate(float(hits.mean()), low, high, len(part), part.num_lesions(), int(hits.sum()))


def _mean(values: NDArray[np.int64]) -> float:
    return float(np.mean(values))


def auroc(measured: Evaluation, y_true: NDArray[Any], y_score: NDArray[np.float64]) -> Estimate:
    """Area under the ROC curve of these photographs, with its interval over groups.

    Args:
        measured: gives groups and counts.
        y_true: (N,) of 0 and 1.
        y_score: (N,).
    """
    return _with_interval(measured, classification.auroc, estimates.aurocs, (y_true, y_score))


def _with_interval(
    measured: Evaluation,
    statistic: Callable[..., float],
    resampled: Callable[..., NDArray[np.float64]],
    arrays: tuple[NDArray[Any], ...],
) -> Estimate:
    low, high = classification.percentile_interval(resampled(*arrays, measured.groups))
    return Estimate(statistic(*arrays), low, high, len(measured), measured.num_lesions())


def _around_value(figure: Estimate) -> Estimate:
    """The figure with its interval moved around its value, and none of it below 0.

    Each resample adds chance to every bin, which lifts its calibration error: of calibrated
    probabilities half of the percentile intervals lay above the very value.
    """
    half = (figure.high - figure.low) / 2
    return replace(figure, low=max(0.0, figure.value - half), high=figure.value + half)
