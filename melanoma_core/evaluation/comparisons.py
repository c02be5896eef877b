"""Compare a candidate with the champion on the same test lesions.

Three metrics decide, because each model has its own threshold: a network that refers everybody
loses no sensitivity, but it ranks nothing (AUROC) and spares nobody (specificity). The other
metrics inform the person who decides.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from melanoma_core.diagnoses import CODES
from melanoma_core.errors import ModelError
from melanoma_core.evaluation import shared_tests
from melanoma_core.evaluation.evaluate import Evaluation
from melanoma_core.evaluation.shared_tests import EvaluatedModel
from melanoma_core.images import synthetic
from melanoma_core.metrics import classification, estimates
from melanoma_core.models import predict
from melanoma_core.models.predict import Model

# The largest losses allowed; each must be ruled out with 95 % certainty.
SENSITIVITY_MARGIN = 0.03  # 3 of 100 melanomas: a few hundred test melanomas cannot show less
AUROC_MARGIN = 0.02  # of 100 pairs of a melanoma and another lesion, 2 more ranked wrong
SPECIFICITY_MARGIN = 0.05  # 5 more referrals of 100 other lesions: visits, not melanomas missed
_ONE_SIDED = 0.90  # level of a two-sided interval whose lower end is a one-sided 95 % limit
_NUM_TIMED, _TIMED_SHAPE = 15, (450, 600)  # px, the size of HAM10000 photographs


@dataclass(frozen=True)
class Change:
    """A metric of the candidate minus that of the champion, on the same photographs."""

    name: str
    value: float
    lower_bound: float  # one-sided 95 % limit, bootstrapped over groups
    margin: float | None  # largest loss allowed; None: for information only
    before: float  # the champion's
    after: float  # the candidate's
    interval: classification.Interval  # 95 %, of the change

    @property
    def is_no_worse(self) -> bool:
        """True if a loss beyond the margin is ruled out."""
        return self.margin is None or self.lower_bound >= -self.margin

    def __str__(self) -> str:
        bound = self.lower_bound + 0.0  # -0.0 becomes 0.0
        return (
            f"{self.name} {self.value:+.3f} (lower limit {bound:+.3f}, allowed "
            f"{-(self.margin or 0):g})"
        )


@dataclass(frozen=True)
class Comparison:
    """Candidate against champion on the same test photographs, each at its own threshold."""

    champion_id: str
    candidate_id: str
    changes: tuple[Change, ...]  # sensitivity, melanoma AUROC, specificity: these decide
    others: tuple[Change, ...]  # balanced accuracy, calibration error (lower is better)
    notes: tuple[str, ...]  # what was left out and why, and what is not known
    # One row per photograph: image_id, lesion_id, source, diagnosis, champion_probability,
    # champion_refers, candidate_probability, candidate_refers.
    table: pd.DataFrame

    @property
    def num_photographs(self) -> int:
        """Photographs that both were evaluated on."""
        return len(self.table)

    @property
    def is_melanoma(self) -> NDArray[np.bool_]:
        """(N,) True where the photograph shows a melanoma."""
        return np.asarray(self.table["diagnosis"] == "MEL")

    @property
    def num_melanomas(self) -> int:
        """Photographs of melanomas."""
        return int(self.is_melanoma.sum())

    @property
    def is_no_worse(self) -> bool:
        """True if a loss beyond the margin is ruled out for every deciding metric."""
        return all(change.is_no_worse for change in self.changes)

    @property
    def disagreements(self) -> pd.DataFrame:
        """Rows of `table` that one model refers and the other does not."""
        return self.table[self.table["champion_refers"] != self.table["candidate_refers"]]

    @property
    def verdict(self) -> str:
        """Whether the candidate passes the safety check, in a sentence."""
        if not self.is_no_worse:
            return "Fails the safety check."
        sensitivity = self.changes[0]
        limit = round(100 * sensitivity.lower_bound, 1) + 0.0  # -0.0 becomes 0.0
        return (
            f"Passes the safety check: a loss of more than {100 * (sensitivity.margin or 0):g} "
            "points is ruled out (sensitivity for melanoma, one-sided 95 % limit "
            f"{f'{limit:.1f}'.replace('-', '−')})."
        )

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the candidate fails, one sentence per metric; empty if it passes."""
        num_referred_more = (
            self.table["candidate_refers"].astype(int) - self.table["champion_refers"]
        )
        losses = {
            "sensitivity": (-int(num_referred_more[self.is_melanoma].sum()), self.num_melanomas),
            "specificity": (
                int(num_referred_more[~self.is_melanoma].sum()),
                self.num_photographs - self.num_melanomas,
            ),
        }
        return tuple(
            _reason(change, *losses.get(change.name, (0, 0)))
            for change in self.changes
            if not change.is_no_worse
        )

    def __str__(self) -> str:
        return " ".join(
            (
                f"Compared with “{self.champion_id}” on {self.num_photographs:,} test photographs, "
                f"{self.num_melanomas:,} of them melanoma: {'; '.join(map(str, self.changes))}.",
                *self.notes,
            )
        )


def _reason(change: Change, num_lost: int, num_total: int) -> str:
    """Why this change fails the check.

    Args:
        change: that fails it.
        num_lost: photographs more that the candidate gets wrong; unused for an AUROC.
        num_total: photographs that the metric is measured on.
    """
    is_points = change.name != "melanoma AUROC"
    if change.name == "melanoma AUROC":
        what = f"It may rank lesions worse (AUROC for melanoma {_signed(change.value)})"
    elif change.name == "sensitivity" and num_lost > 0:
        what = f"It finds {num_lost:,} fewer of {num_total:,} melanoma photographs"
    elif change.name == "sensitivity":
        what = "It may find fewer melanomas"
    elif num_lost > 0:
        what = f"It refers {num_lost:,} more of {num_total:,} other photographs"
    else:
        what = "It may refer more other lesions"
    margin = change.margin or 0
    limit = f"the limit is {100 * margin:g}" if is_points else f"the limit is {margin:g}"
    if np.isnan(change.lower_bound):
        return f"{what}: how large the loss could be is not known; {limit}."
    loss = -change.lower_bound
    worst = f"{100 * loss:.1f} points" if is_points else f"{loss:.3f}"
    return f"{what}: the loss could be as large as {worst}; {limit}."


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def compare(models_dir: Path, champion_id: str, candidate_id: str) -> Comparison:
    """Compare a candidate with the champion.

    Raises:
        ModelError: they share no test photographs, or too few lesions with or without melanoma.
    """
    champion, candidate = (
        shared_tests.read(models_dir, model_id) for model_id in (champion_id, candidate_id)
    )
    return compare_models(champion, candidate)


def compare_models(champion: EvaluatedModel, candidate: EvaluatedModel) -> Comparison:
    """Like `compare`, for models that are already read."""
    shared = shared_tests.shared_test(champion, candidate)
    first, second = (
        _Verdicts(evaluation, model.card.operating_point().threshold)
        for evaluation, model in ((shared.first, champion), (shared.second, candidate))
    )
    is_melanoma = shared.first.is_melanoma == 1
    for name, rows in (("melanoma", is_melanoma), ("other", ~is_melanoma)):
        if len(set(shared.groups[rows])) < 2:
            raise ModelError(
                f"“{champion.card.model_id}” and “{candidate.card.model_id}” share "
                f"{int(rows.sum())} {name} test photographs; at least two lesions are needed to "
                "show that a candidate is no worse. Evaluate both on a larger test split."
            )
    columns = ["image_id", "lesion_id", "source", "diagnosis"]
    table = shared.first.table[columns].assign(
        champion_probability=first.score, champion_refers=first.is_referred,
        candidate_probability=second.score, candidate_refers=second.is_referred,
    )  # fmt: skip
    return Comparison(
        champion.card.model_id,
        candidate.card.model_id,
        _deciding(first, second, is_melanoma, shared.groups, is_whole=shared.is_whole),
        _others(first, second, shared.groups),
        shared.notes,
        table,
    )


def milliseconds_per_photograph(model: Model) -> float:
    """Time that the model takes per photograph on this machine; the median of 15 runs."""
    image = synthetic.lesion(0, _TIMED_SHAPE)
    seconds = []
    for _ in range(_NUM_TIMED):
        started = time.perf_counter()
        predict.classify(model, image)
        seconds.append(time.perf_counter() - started)
    return 1000 * float(np.median(seconds))


@dataclass(frozen=True)
class _Verdicts:
    """What one model says of the shared test photographs."""

    evaluation: Evaluation
    threshold: float

    @property
    def score(self) -> NDArray[np.float64]:
        return self.evaluation.melanoma_probability

    @property
    def is_referred(self) -> NDArray[np.bool_]:
        return self.score >= self.threshold


def _deciding(
    champion: _Verdicts,
    candidate: _Verdicts,
    is_melanoma: NDArray[np.bool_],
    groups: NDArray[np.int64],
    *,
    is_whole: bool,
) -> tuple[Change, ...]:
    """The changes of sensitivity, AUROC and specificity."""
    is_same = (champion.score == candidate.score) & (champion.threshold == candidate.threshold)
    is_same &= is_whole  # photographs that were left out may differ
    referred = [model.is_referred.astype(float) for model in (champion, candidate)]
    lost_melanomas, lost_others = (
        0.0 if is_same[rows].all() else _unseen_loss(groups[rows])
        for rows in (is_melanoma, ~is_melanoma)
    )
    return (
        _change(
            "sensitivity", SENSITIVITY_MARGIN, _mean, estimates.means, (),
            [rows[is_melanoma] for rows in referred], groups[is_melanoma], lost_melanomas,
        ),
        _change(
            "melanoma AUROC", AUROC_MARGIN, classification.auroc, estimates.aurocs,
            (is_melanoma.astype(float),),
            [model.score for model in (champion, candidate)],
            groups, max(lost_melanomas, lost_others),
        ),
        _change(
            "specificity", SPECIFICITY_MARGIN, _mean, estimates.means, (),
            [1 - rows[~is_melanoma] for rows in referred],
            groups[~is_melanoma], lost_others,
        ),
    )  # fmt: skip


def _others(
    champion: _Verdicts, candidate: _Verdicts, groups: NDArray[np.int64]
) -> tuple[Change, ...]:
    """The changes of balanced accuracy and calibration error, over the seven classes."""
    evaluations = [model.evaluation.named for model in (champion, candidate)]
    groups = groups[champion.evaluation.table["diagnosis"].isin(CODES).to_numpy()]
    true = evaluations[0].seven_true
    probs = [evaluation.seven_prob for evaluation in evaluations]
    likeliest = [prob.argmax(axis=1) for prob in probs]
    return (
        _change(
            "balanced accuracy", None, classification.balanced_accuracy,
            estimates.balanced_accuracies, (true,), likeliest, groups, 0.0,
        ),
        _change(
            "calibration error (ECE)", None, classification.ece, estimates.eces,
            (true,), probs, groups, 0.0,
        ),
    )  # fmt: skip


def _mean(values: NDArray[np.float64]) -> float:
    return float(np.mean(values))


def _change(
    name: str,
    margin: float | None,
    statistic: Callable[..., float],
    resampled: Callable[..., NDArray[np.float64]],
    shared: tuple[NDArray[np.float64] | NDArray[np.int64], ...],
    of_each: list[NDArray[np.float64]] | list[NDArray[np.int64]],
    groups: NDArray[np.int64],
    unseen_loss: float,
) -> Change:
    """A change with its lower limit and interval.

    Args:
        name: of the metric.
        margin: largest loss allowed; None: for information only.
        statistic: the metric, called as `statistic(*shared, array)`.
        resampled: the metric of every resample, called as `resampled(*shared, array, groups)`.
        shared: arrays of N rows that are the same for both models.
        of_each: one array of N rows for the champion, one for the candidate.
        groups: (N,) resampled as a whole.
        unseen_loss: the largest loss if no resample shows any change, for that proves nothing.
    """
    # Both are resampled by the same draws, so the differences are paired.
    drawn_before, drawn_after = (resampled(*shared, array, groups) for array in of_each)
    changes = drawn_after - drawn_before
    low, high = classification.percentile_interval(changes, _ONE_SIDED)
    if low == high == 0:
        low = -unseen_loss
    before, after = (statistic(*shared, array) for array in of_each)
    return Change(
        name,
        after - before,
        low,
        margin,
        before,
        after,
        classification.percentile_interval(changes),
    )


def _unseen_loss(groups: NDArray[np.int64]) -> float:
    """Proportion of lesions that may be lost although none in these groups was (Wilson)."""
    return classification.wilson_interval(0, len(set(groups)), level=_ONE_SIDED)[1]
