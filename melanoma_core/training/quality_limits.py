"""From which value on a measure of quality is a finding, for one network.

Real melanoma photographs are degraded, and the network is asked again. Severe is where melanomas
that it finds begin to fall below the threshold; but no measure may fire on more than a few of the
photographs as they are. Both are counted in each data set by itself, because data sets differ in
sharpness, light and frame.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from melanoma_core.images import degradations, outlines, quality, reading
from melanoma_core.images.color_casts import Limits
from melanoma_core.metrics import calibration
from melanoma_core.metrics.calibration import Calibration
from melanoma_core.models import quality_checks
from melanoma_core.models.predict import Network
from melanoma_core.models.quality_checks import Judge, Limit

NUM_UNDEGRADED = 500  # photographs of each data set, as they are
NUM_MELANOMAS = 120  # that are degraded
MOST_SEVERE, MOST_WARNED = 0.008, 0.10  # of the photographs as they are, in the worst data set
MOST_MISSED = 0.02  # of degraded melanomas: below without a finding, beyond those undegraded
# Of HAM10000's expert outlines (700 of train and val) 3 % reach the warning and 1 % or less severe.
# Cut in half, a lesion has 0.3 of its edge on the frame and 10 % more of 105 melanomas fall below;
# with a quarter of it left, 0.37 and half of them. Shrunk, from 0.8 on half of them do.
# Network outlines are less sure of lesions that fill the frame, so neither limit may be lower, nor
# severe on more of any data set than this.
MOST_SEVERE_OUTLINES = 0.002
OUTLINE_LIMITS = {"cut_off": Limit(0.25, 0.45), "small_lesion": Limit(0.82, 0.88)}
_CASTS = ("less_red", "more_red", "less_blue", "more_blue", "color_cast")
_FINDINGS = sorted({degradation.finding for degradation in degradations.DEGRADATIONS.values()})
# Below these, a measure is no finding whatever the photographs show: a lesion that is not above the
# threshold in balanced light, a photograph of the network's own size, and darkness, noise and
# compression that 5 % of the photographs of each of four data sets show.
_LEAST = {"color_cast": 1.0, "too_small": 1.0, "dark": 0.28, "noise": 1.0, "compression": 0.5}
_PROPORTIONS = (0.0, 0.001, 0.002, 0.003, 0.004, 0.006, 0.008, 0.01, 0.012)  # one measure alone
# A faint lesion looks like a photograph of low contrast: its findings get what the others leave.
_FAINT = "low contrast"
_FEW = 200  # photographs of a data set, below which its extremes are no bound
_WARNED_PROPORTIONS = (0.05, 0.04, 0.03, 0.025, 0.02, 0.015, 0.0125, 0.01, 0.0075, 0.005, 0.0)
# These are common and well recognized, so they may take more of the warnings than the others.
_WARNED_MORE = {"hair": 3, "ruler": 3}


@dataclass(frozen=True)
class Judged:
    """A network with all that turns its answer into "below" or not."""

    network: Network
    calibration: Calibration
    melanoma: int  # position of melanoma among its outputs
    threshold: float
    cast_limits: Limits  # empty: it does not clamp color casts

    def probability(self, image: NDArray[np.uint8]) -> float:
        """Of melanoma, calibrated; the image has any size."""
        square = reading.resize(image, self.network.graph.image_size)
        logits = self.network.logits(self.network.graph.run(square)[1])
        return float(calibration.probabilities(logits, self.calibration)[self.melanoma])

    def measure(self, image: NDArray[np.uint8]) -> dict[str, float]:
        """Every measure of the photograph, and `probability`."""
        probability = self.probability(image)
        measures = {**quality.measure(image), "probability": probability}
        if self.cast_limits:
            judge = Judge(self.cast_limits, self.threshold, probability, self.probability)
            measures |= quality_checks.cast_measures(image, judge)
        return measures

    def measure_outline(self, image: NDArray[np.uint8]) -> dict[str, float]:
        """Every measure of the outline; NaN: not found; empty: the network draws none."""
        square = reading.resize(image, self.network.graph.image_size)
        logits = self.network.graph.run(square).outline
        if logits is None:
            return {}
        mask = outlines.mask(logits, *square.shape[:2])
        return dict.fromkeys(OUTLINE_LIMITS, math.nan) if mask is None else (
            quality.measure_outline(mask)
        )  # fmt: skip


def fit(
    judged: Judged, rows: pd.DataFrame, on_progress: Callable[[int, int], None], seed: int = 0
) -> dict[str, Limit]:
    """The limits of every measure, for the model's card.

    Args:
        judged: the network and its threshold for melanoma.
        rows: training and validation photographs: `path`, `source`, `image_id`, `split`,
            `is_melanoma`. Those of validation are taken first: what the network was trained on, it
            is surer of than of what is to come.
        on_progress: told how many photographs of how many are done.
        seed: of the samples.
    """
    undegraded_rows = _sample(rows, NUM_UNDEGRADED, seed, by_source=True)
    melanoma_rows = _sample(rows[rows["is_melanoma"]], NUM_MELANOMAS, seed, by_source=False)
    total = len(undegraded_rows) + len(melanoma_rows)
    done = itertools.count(1)

    def report() -> None:
        on_progress(next(done), total)

    undegraded = pd.DataFrame(list(_undegraded(judged, undegraded_rows, report)))
    degraded = pd.DataFrame(list(_degraded(judged, melanoma_rows, report)))
    return limits(undegraded, degraded, judged.threshold)


def limits(undegraded: pd.DataFrame, degraded: pd.DataFrame, threshold: float) -> dict[str, Limit]:
    """The limits from measured photographs.

    Args:
        undegraded: `source`, and a column for each measure.
        degraded: melanomas that are above the threshold as they are: `kind`, `strength`,
            `probability`, and a column for each measure; may be empty.
        threshold: for melanoma.
    """
    names = [name for name in undegraded.columns if name not in ("source", "probability")]
    harmful = [name for name in names if name in (*_FINDINGS, *_CASTS)]
    of_outlines = {
        name: max(least.severe, _tail(undegraded, name, MOST_SEVERE_OUTLINES))
        for name, least in OUTLINE_LIMITS.items()
        if name in names
    }
    severe = _severe(undegraded, degraded, harmful, threshold, of_outlines)
    warning = _warnings(undegraded, names)
    fitted = {
        name: Limit(
            warning=min(warning[name], severe.get(name, math.inf)),
            severe=severe.get(name, math.nan),
            typical=float(undegraded[name].median()),
        )
        for name in names
    }
    return fitted


def _sample(rows: pd.DataFrame, most: int, seed: int, *, by_source: bool) -> pd.DataFrame:
    """At most this many rows, of each data set or spread evenly over them."""
    parts = [part for _, part in rows.groupby("source", sort=True)]
    each = most if by_source else -(-most // max(1, len(parts)))
    taken = [
        part.sample(frac=1, random_state=seed).sort_values("split", ascending=False, kind="stable")
        for part in parts
    ]  # "val" before "train"
    taken = [part.head(each) for part in taken]
    return pd.concat(taken, ignore_index=True) if taken else rows


def _undegraded(
    judged: Judged, rows: pd.DataFrame, report: Callable[[], None]
) -> Iterator[dict[str, object]]:
    for row in rows.itertuples():
        image = reading.read_file(Path(str(row.path)))
        yield {"source": row.source, **judged.measure(image), **judged.measure_outline(image)}
        report()


def _degraded(
    judged: Judged, rows: pd.DataFrame, report: Callable[[], None]
) -> Iterator[dict[str, object]]:
    """The melanomas that are above the threshold, in every degradation."""
    for row in rows.itertuples():
        image = reading.read_file(Path(str(row.path)))
        if judged.probability(image) >= judged.threshold:
            for kind, strength in itertools.product(
                degradations.DEGRADATIONS, degradations.STRENGTHS
            ):
                changed = degradations.degrade(image, kind, strength, str(row.image_id))
                yield {"kind": kind, "strength": strength, **judged.measure(changed)}
        report()


def _tail(undegraded: pd.DataFrame, name: str, proportion: float) -> float:
    """The value that at most this proportion of any data set exceeds, just beyond it.

    The highest of a few values is no bound of what is to come, so it is moved further out.
    """
    bounds = []
    for _, values in undegraded.groupby("source")[name]:
        bound = float(values.quantile(1 - proportion))
        distance = max(0.0, bound - float(values.median()))
        bounds.append(bound + distance * max(0.0, 1 - len(values) / _FEW))
    least = OUTLINE_LIMITS[name].warning if name in OUTLINE_LIMITS else _LEAST.get(name, 0.0)
    return max(least, float(np.nextafter(max(bounds), math.inf)))


def _harmful_from(degraded: pd.DataFrame, name: str, threshold: float) -> float:
    """The highest limit that leaves few degraded melanomas below without a finding.

    0 where no limit does, or where no degradation is known to do harm.
    """
    if degraded.empty or name in _CASTS:
        return 0.0
    highest = math.inf
    kinds = [k for k, d in degradations.DEGRADATIONS.items() if d.finding == name]
    of_name = degraded[degraded["kind"].isin(kinds)]
    for _, part in of_name.groupby(["kind", "strength"]):
        missed = np.sort(part.loc[part["probability"] < threshold, name])
        num_allowed = int(MOST_MISSED * len(part))
        if len(missed) > num_allowed:
            highest = min(highest, float(missed[num_allowed]))
    return 0.0 if math.isinf(highest) else highest


def _severe(
    undegraded: pd.DataFrame,
    degraded: pd.DataFrame,
    names: Sequence[str],
    threshold: float,
    fixed: Mapping[str, float],
) -> dict[str, float]:
    """Limits that leave the fewest degraded melanomas missed, and still fire on few photographs.

    All measures together may fire on `MOST_SEVERE` of a data set. They start where none fires, and
    the step that saves the most melanomas is taken until none may be taken any more. The `fixed`
    limits fire too.
    """
    steps = {name: [limit] * len(_PROPORTIONS) for name, limit in fixed.items()}
    degraded = degraded.reindex(columns=[*degraded.columns, *fixed])
    for name in names:
        harmful = _harmful_from(degraded, name, threshold)
        steps[name] = [max(_tail(undegraded, name, p), harmful) for p in _PROPORTIONS]
    if degraded.empty:
        by_step = (
            {name: steps[name][step] for name in steps}
            for step in reversed(range(len(_PROPORTIONS)))
        )
        return next(tried for tried in by_step if _rate(undegraded, tried) <= MOST_SEVERE)
    chosen = {name: steps[name][0] for name in steps}
    sizes = degraded.groupby(["kind", "strength"])["kind"].transform("size")
    is_below = degraded["probability"] < threshold
    for is_counted in (is_below & (degraded["kind"] != _FAINT), is_below):
        missed = degraded[is_counted].assign(weight=1 / sizes[is_counted])
        while better := _best_step(undegraded, missed, steps, chosen):
            chosen |= better
    return chosen


def _best_step(
    undegraded: pd.DataFrame,
    missed: pd.DataFrame,
    steps: Mapping[str, Sequence[float]],
    chosen: Mapping[str, float],
) -> dict[str, float]:
    """The stricter limit that saves most for each step further; empty if none may be taken."""
    now = _unflagged(missed, chosen)
    best: dict[str, float] = {}
    best_gain = 0.0
    for name, limits_of_name in steps.items():
        stricter = [limit for limit in limits_of_name if limit < chosen[name]]
        for num_steps, limit in enumerate(stricter, start=1):
            tried = {**chosen, name: limit}
            if _rate(undegraded, tried) > MOST_SEVERE:
                break
            gain = (now - _unflagged(missed, tried)) / num_steps
            if gain > best_gain:
                best, best_gain = {name: limit}, gain
    return best


def _warnings(undegraded: pd.DataFrame, names: Sequence[str]) -> dict[str, float]:
    """The strictest limits, a like tail of each measure, that fire on at most `MOST_WARNED`."""
    allowed = (
        {name: _tail(undegraded, name, proportion * _WARNED_MORE.get(name, 1)) for name in names}
        for proportion in _WARNED_PROPORTIONS
    )
    return next(tried for tried in allowed if _rate(undegraded, tried) <= MOST_WARNED)


def _rate(undegraded: pd.DataFrame, limits: Mapping[str, float]) -> float:
    """Proportion of photographs on which one of the limits fires, in the worst data set."""
    fires = (undegraded[list(limits)].to_numpy() >= np.array(list(limits.values()))).any(axis=1)
    return float(pd.Series(fires).groupby(undegraded["source"].to_numpy()).mean().max())


def _unflagged(missed: pd.DataFrame, limits: Mapping[str, float]) -> float:
    """Sum of the weights of the photographs on which none of the limits fires."""
    fires = (missed[list(limits)].to_numpy() >= np.array(list(limits.values()))).any(axis=1)
    return float(missed["weight"].to_numpy()[~fires].sum())
