"""A candidate held against the model in use, on the same test lesions.

Three figures decide, because each model goes by its own threshold: a network that refers everybody
loses no sensitivity, but it orders nothing (AUROC) and spares nobody (specificity). The others are
for the person who decides.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from melanoma_core.errors import ModelError
from melanoma_core.evaluation import shared_tests
from melanoma_core.evaluation.evaluate import Evaluation
from melanoma_core.evaluation.shared_tests import Measured
from melanoma_core.images import synthetic
from melanoma_core.metrics import classification, estimates
from melanoma_core.models import predict
from melanoma_core.models.predict import Model

# The largest losses that are allowed; each must be ruled out with 95 % certainty.
SENSITIVITY_MARGIN = 0.03  # 3 melanomas of 100: some hundred test melanomas cannot show less
AUROC_MARGIN = 0.02  # of 100 pairs of a melanoma and another lesion, 2 in the wrong order
SPECIFICITY_MARGIN = 0.05  # 5 referrals more of 100 other lesions: visits, not missed melanomas
_ONE_SIDED = 0.90  # both sides of an interval; its lower end is then a one-sided 95 % bound
_NUM_TIMED, _TIMED_SHAPE = 15, (450, 600)  # px, as the photographs of HAM10000


@dataclass(frozen=True)
class Change:
    """One figure of the candidate minus that of the champion, on the same photographs."""

    name: str
    value: float
    lower_bound: float  # one-sided 95 %, bootstrapped over groups
    margin: float | None  # largest loss allowed; None: it decides nothing
    before: float  # of the champion
    after: float  # of the candidate
    interval: classification.Interval  # 95 %, of the change

    @property
    def is_no_worse(self) -> bool:
        """Whether a loss beyond the margin is ruled out."""
        return self.margin is None or self.lower_bound >= -self.margin

    def __str__(self) -> str:
        return (
            f"{self.name} {self.value:+.3f} (at worst {self.lower_bound:+.3f}, "
            f"{-(self.margin or 0):g} is allowed)"
        )


@dataclass(frozen=True)
class Comparison:
    """Candidate against champion on the same test photographs, at their own thresholds."""

    champion_id: str
    candidate_id: str
    changes: tuple[Change, ...]  # sensitivity, melanoma AUROC, specificity: they decide
    others: tuple[Change, ...]  # balanced accuracy, calibration error (less is better)
    notes: tuple[str, ...]  # what was left out and why, and what is not known
    table: pd.DataFrame  # a row a photograph: image_id, lesion_id, source, diagnosis, and of each
    # model champion_probability, champion_refers, candidate_probability, candidate_refers

    @property
    def num_photographs(self) -> int:
        """That both were measured on."""
        return len(self.table)

    @property
    def is_melanoma(self) -> NDArray[np.bool_]:
        """(N,) which of them show a melanoma."""
        return np.asarray(self.table["diagnosis"] == "MEL")

    @property
    def num_melanomas(self) -> int:
        """Photographs of melanomas among them."""
        return int(self.is_melanoma.sum())

    @property
    def is_no_worse(self) -> bool:
        """Whether a loss beyond its margin is ruled out for every figure."""
        return all(change.is_no_worse for change in self.changes)

    @property
    def disagreements(self) -> pd.DataFrame:
        """The rows of `table` that one model refers and the other does not."""
        return self.table[self.table["champion_refers"] != self.table["candidate_refers"]]

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the candidate may be worse, a sentence a figure; empty where it is no worse."""
        more = self.table["candidate_refers"].astype(int) - self.table["champion_refers"]
        lost = {
            "sensitivity": (-int(more[self.is_melanoma].sum()), self.num_melanomas),
            "specificity": (
                int(more[~self.is_melanoma].sum()),
                self.num_photographs - self.num_melanomas,
            ),
        }
        return tuple(
            _reason(change, *lost.get(change.name, (0, 0)))
            for change in self.changes
            if not change.is_no_worse
        )

    def __str__(self) -> str:
        return " ".join(
            (
                f"On {self.num_photographs} test photographs, {self.num_melanomas} of melanoma, "
                f"against “{self.champion_id}”: {'; '.join(map(str, self.changes))}.",
                *self.notes,
            )
        )


def _reason(change: Change, num_lost: int, num_of: int) -> str:
    worst = "cannot be told" if np.isnan(change.lower_bound) else None
    if change.name == "melanoma AUROC":
        what = f"It may order lesions worse: AUROC for melanoma {change.value:+.3f}, and "
        return (
            what
            + (worst or f"{change.lower_bound:+.3f} is not ruled out")
            + (f"; {-(change.margin or 0):g} is allowed.")
        )
    nouns = {
        "sensitivity": (
            "It finds {n} melanoma photographs of {of} fewer",
            "It may find fewer melanomas",
        ),
        "specificity": (
            "It refers {n} of {of} other photographs more",
            "It may refer more other lesions",
        ),
    }
    counted, feared = nouns[change.name]
    what = counted.format(n=f"{num_lost:,}", of=f"{num_of:,}") if num_lost > 0 else feared
    loss = worst or f"a loss of {-100 * change.lower_bound:.1f} points is not ruled out"
    return f"{what}: {loss}, {100 * (change.margin or 0):g} are allowed."


def compare(models_dir: Path, champion_id: str, candidate_id: str) -> Comparison:
    """Hold a candidate against the champion.

    Raises:
        ModelError: the two were not measured on the same test photographs, or these hold too few
            lesions with or without melanoma.
    """
    champion, candidate = (
        shared_tests.read(models_dir, model_id) for model_id in (champion_id, candidate_id)
    )
    return of_measured(champion, candidate)


def of_measured(champion: Measured, candidate: Measured) -> Comparison:
    """As `compare`, of two models that were read."""
    shared = shared_tests.common(champion, candidate)
    first, second = (
        _Part(evaluation, model.card.operating_point().threshold)
        for evaluation, model in ((shared.first, champion), (shared.second, candidate))
    )
    is_melanoma = shared.first.is_melanoma == 1
    for name, rows in (("melanoma", is_melanoma), ("other", ~is_melanoma)):
        if len(set(shared.groups[rows])) < 2:
            raise ModelError(
                f"The test photographs that “{champion.card.model_id}” and "
                f"“{candidate.card.model_id}” share hold {int(rows.sum())} {name}; two lesions at "
                "least are needed to show that a candidate is no worse. Measure both on a larger "
                "test split."
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


def milliseconds_a_photograph(model: Model) -> float:
    """How long the model takes for a photograph on this machine; the median of some turns."""
    image = synthetic.lesion(0, _TIMED_SHAPE)
    seconds = []
    for _ in range(_NUM_TIMED):
        started = time.perf_counter()
        predict.classify(model, image)
        seconds.append(time.perf_counter() - started)
    return 1000 * float(np.median(seconds))


@dataclass(frozen=True)
class _Part:
    """The shared test photographs as one model sees them."""

    measured: Evaluation
    threshold: float

    @property
    def score(self) -> NDArray[np.float64]:
        return self.measured.melanoma_probability

    @property
    def is_referred(self) -> NDArray[np.bool_]:
        return self.score >= self.threshold


def _deciding(
    champion: _Part,
    candidate: _Part,
    is_melanoma: NDArray[np.bool_],
    groups: NDArray[np.int64],
    *,
    is_whole: bool,
) -> tuple[Change, ...]:
    """The three changes, each from the photographs that it is measured on."""
    is_same = (champion.score == candidate.score) & (champion.threshold == candidate.threshold)
    is_same &= is_whole  # what was left out may differ
    referred = [part.is_referred.astype(float) for part in (champion, candidate)]
    lost_melanomas, lost_others = (
        0.0 if is_same[rows].all() else _unseen_loss(groups[rows])
        for rows in (is_melanoma, ~is_melanoma)
    )
    return (
        _change(
            "sensitivity", SENSITIVITY_MARGIN, _mean, estimates.means, (),
            [of_model[is_melanoma] for of_model in referred], groups[is_melanoma], lost_melanomas,
        ),
        _change(
            "melanoma AUROC", AUROC_MARGIN, classification.auroc, estimates.aurocs,
            (is_melanoma.astype(float),),
            [part.score for part in (champion, candidate)],
            groups, max(lost_melanomas, lost_others),
        ),
        _change(
            "specificity", SPECIFICITY_MARGIN, _mean, estimates.means, (),
            [1 - of_model[~is_melanoma] for of_model in referred],
            groups[~is_melanoma], lost_others,
        ),
    )  # fmt: skip


def _others(champion: _Part, candidate: _Part, groups: NDArray[np.int64]) -> tuple[Change, ...]:
    """Balanced accuracy and calibration error, of the seven classes."""
    true = champion.measured.seven_true
    probs = [part.measured.seven_prob for part in (champion, candidate)]
    likeliest = [prob.argmax(axis=1) for prob in probs]
    return (
        _change(
            "balanced accuracy", None, classification.balanced_accuracy, estimates.balanced_accuracies,
            (true,), likeliest, groups, 0.0,
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
    """A change with its bound.

    Args:
        name: of the figure.
        margin: largest loss allowed.
        statistic: called as `statistic(*shared, of_champion)`, and of the candidate.
        resampled: the same of every resample, called with the groups after them.
        shared: arrays with N rows that both are held against.
        of_each: of the champion and of the candidate, with N rows each.
        groups: (N,) what is resampled whole.
        unseen_loss: the bound where every resample shows the same: that no change was seen is no
            proof that there is none.
    """
    # The draws are the same for both, so a change is of one resample.
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
    """Share of lesions that may be lost although none of these groups was (Wilson)."""
    return classification.wilson_interval(0, len(set(groups)), level=_ONE_SIDED)[1]
