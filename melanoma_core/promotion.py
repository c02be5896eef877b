"""Put a candidate into use, only when it is shown to be no worse.

Three figures are compared, because each model goes by its own threshold: a network that refers
everybody loses no sensitivity, but it orders nothing (AUROC) and spares nobody (specificity).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from melanoma_core import evaluate, metrics, predict, registry
from melanoma_core.errors import ModelError
from melanoma_core.evaluate import Evaluation

# The largest losses that are allowed; each must be ruled out with 95 % certainty.
SENSITIVITY_MARGIN = 0.03  # 3 melanomas of 100: some hundred test melanomas cannot show less
AUROC_MARGIN = 0.02  # of 100 pairs of a melanoma and another lesion, 2 in the wrong order
SPECIFICITY_MARGIN = 0.05  # 5 referrals more of 100 other lesions: visits, not missed melanomas
_LEVEL = 0.90  # both sides of an interval; its lower end is then a one-sided 95 % bound


@dataclass(frozen=True)
class Change:
    """One figure of the candidate minus that of the champion, on the same photographs."""

    name: str
    value: float
    lower_bound: float  # one-sided 95 %, bootstrapped over groups
    margin: float  # largest loss allowed

    @property
    def is_no_worse(self) -> bool:
        """Whether a loss beyond the margin is ruled out."""
        return self.lower_bound >= -self.margin

    def __str__(self) -> str:
        return (
            f"{self.name} {self.value:+.3f} (at worst {self.lower_bound:+.3f}, "
            f"{-self.margin:g} is allowed)"
        )


@dataclass(frozen=True)
class Comparison:
    """Candidate against champion on the same test photographs, at their own thresholds."""

    champion_id: str
    num_photographs: int
    num_melanomas: int
    changes: tuple[Change, ...]  # sensitivity, melanoma AUROC, specificity

    @property
    def is_no_worse(self) -> bool:
        """Whether a loss beyond its margin is ruled out for every figure."""
        return all(change.is_no_worse for change in self.changes)

    def __str__(self) -> str:
        return (
            f"On {self.num_photographs} test photographs, {self.num_melanomas} of melanoma, "
            f"against “{self.champion_id}”: {'; '.join(map(str, self.changes))}."
        )


@dataclass(frozen=True)
class Promotion:
    """A model that was put into use."""

    in_use: registry.InUse
    comparison: Comparison | None  # None: there was no sound model to compare it with
    problems: tuple[str, ...]  # of models that were in use and are damaged, in words


@dataclass(frozen=True)
class _Part:
    """The test photographs of one model, in the order of their ids."""

    measured: Evaluation
    threshold: float

    @property
    def score(self) -> NDArray[np.float64]:
        return self.measured.melanoma_probability

    @property
    def is_referred(self) -> NDArray[np.bool_]:
        return self.score >= self.threshold


def compare(models_dir: Path, champion_id: str, candidate_id: str) -> Comparison:
    """Hold a candidate against the champion.

    Raises:
        ModelError: the two were not measured on the same test photographs, or these hold too few
            lesions with or without melanoma.
    """
    champion, candidate = (
        _test_part(models_dir, model_id) for model_id in (champion_id, candidate_id)
    )
    first, second = (
        part.measured.table[["image_id", "diagnosis"]].to_numpy().tolist()
        for part in (champion, candidate)
    )
    if first != second:
        raise ModelError(
            f"“{candidate_id}” and “{champion_id}” were not measured on the same test "
            "photographs with the same diagnoses, so neither can be shown to be no worse. Train "
            "the candidate with the data and the split file of the model in use."
        )
    is_melanoma = champion.measured.is_melanoma == 1
    for name, rows in (("melanoma", is_melanoma), ("other", ~is_melanoma)):
        if len(set(champion.measured.groups[rows])) < 2:
            raise ModelError(
                f"The test photographs of “{champion_id}” hold {int(rows.sum())} {name}; two "
                "lesions at least are needed to show that a candidate is no worse. Measure both "
                "on a larger test split."
            )
    return Comparison(
        champion_id, len(first), int(is_melanoma.sum()), _changes(champion, candidate, is_melanoma)
    )


def promote(models_dir: Path, model_id: str) -> Promotion:
    """Put a model into use; against a champion only when it is no worse.

    It is compared with the newest model in `registry.in_use` that still passes its file checks: a
    damaged champion must not keep its own replacement out.

    Raises:
        ModelError: the model fails its checks, is in use already, or may be worse.
    """
    predict.load(registry.model_dir(models_dir, model_id))
    problems: list[str] = []
    for entry in registry.in_use(models_dir):
        try:
            _check_files(models_dir, entry)
        except ModelError as error:
            problems.append(str(error))
            continue
        if entry.model_id == model_id and not problems:
            raise ModelError(f"“{model_id}” is in use already, since {entry.since}.")
        comparison = compare(models_dir, entry.model_id, model_id)
        if not comparison.is_no_worse:
            raise ModelError(
                f"“{model_id}” was not put into use: it may be worse. {comparison} "
                f"“{entry.model_id}” goes on answering."
            )
        break
    else:
        comparison = None
    return Promotion(registry.put_into_use(models_dir, model_id), comparison, tuple(problems))


def _check_files(models_dir: Path, entry: registry.InUse) -> None:
    """Raise a ModelError where a file of a model that was put into use is not what it was."""
    _, sha256, _ = registry.read_files(registry.model_dir(models_dir, entry.model_id))
    predict.check_card(entry, sha256)


def _changes(
    champion: _Part, candidate: _Part, is_melanoma: NDArray[np.bool_]
) -> tuple[Change, ...]:
    """The three changes, each from the photographs that it is measured on."""
    groups = champion.measured.groups
    is_same = (champion.score == candidate.score) & (champion.threshold == candidate.threshold)
    referred_more = candidate.is_referred.astype(float) - champion.is_referred
    lost_melanomas, lost_others = (
        0.0 if is_same[rows].all() else _unseen_loss(groups[rows])
        for rows in (is_melanoma, ~is_melanoma)
    )
    return (
        _change(
            "sensitivity", SENSITIVITY_MARGIN, np.mean, (referred_more[is_melanoma],),
            groups[is_melanoma], lost_melanomas,
        ),
        _change(
            "melanoma AUROC", AUROC_MARGIN, _auroc_change,
            (is_melanoma.astype(float), champion.score, candidate.score),
            groups, max(lost_melanomas, lost_others),
        ),
        _change(
            "specificity", SPECIFICITY_MARGIN, np.mean, (-referred_more[~is_melanoma],),
            groups[~is_melanoma], lost_others,
        ),
    )  # fmt: skip


def _change(
    name: str,
    margin: float,
    statistic: Callable[..., float],
    arrays: tuple[NDArray[np.float64], ...],
    groups: NDArray[np.object_],
    unseen_loss: float,
) -> Change:
    """A change with its bound.

    Args:
        name: of the figure.
        margin: largest loss allowed.
        statistic: of the resampled arrays; the change.
        arrays: each with N rows.
        groups: (N,) what is resampled whole.
        unseen_loss: the bound where every resample shows the same: that no change was seen is no
            proof that there is none.
    """
    low, high = metrics.bootstrap_interval(statistic, arrays, groups, level=_LEVEL)
    if low == high == 0:
        low = -unseen_loss
    return Change(name, float(statistic(*arrays)), low, margin)


def _unseen_loss(groups: NDArray[np.object_]) -> float:
    """Share of lesions that may be lost although none of these groups was (Wilson)."""
    return metrics.wilson_interval(0, len(set(groups)), level=_LEVEL)[1]


def _auroc_change(
    is_melanoma: NDArray[np.float64], before: NDArray[np.float64], after: NDArray[np.float64]
) -> float:
    return metrics.auroc(is_melanoma, after) - metrics.auroc(is_melanoma, before)


def _test_part(models_dir: Path, model_id: str) -> _Part:
    card, _, contents = registry.read_files(registry.model_dir(models_dir, model_id))
    measured = evaluate.from_json(contents["evaluation.json"])
    order = np.argsort(measured.table["image_id"].to_numpy(dtype=str), kind="stable")
    measured = Evaluation(measured.table.iloc[order].reset_index(drop=True), measured.y_prob[order])
    is_test = (measured.table["split"] == "test").to_numpy()
    return _Part(measured.where(is_test), card.operating_point().threshold)
