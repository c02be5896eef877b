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

from melanoma_core.images import degradations, quality, reading
from melanoma_core.images.color_casts import Limits
from melanoma_core.metrics import calibration
from melanoma_core.metrics.calibration import Calibration
from melanoma_core.models import quality_checks
from melanoma_core.models.predict import Network
from melanoma_core.models.quality_checks import Judge, Limit

NUM_UNDEGRADED = 500  # photographs of each data set, as they are
NUM_MELANOMAS = 120  # that are degraded
MOST_SEVERE, MOST_WARNED = 0.012, 0.10  # of the photographs as they are, in the worst data set
MOST_MISSED = 0.02  # of degraded melanomas: below without a finding, beyond those undegraded
# Of HAM10000's expert outlines (700 of train and val) 3 % reach the warning and 1 % or less severe.
# Cut in half, a lesion has 0.3 of its edge on the frame and 10 % more of 105 melanomas fall below;
# with a quarter of it left, 0.37 and half of them. Shrunk, from 0.8 on half of them do.
OUTLINE_LIMITS = {"cut_off": Limit(0.25, 0.45), "small_lesion": Limit(0.82, 0.88)}
_CASTS = ("less_red", "more_red", "less_blue", "more_blue", "color_cast")
_FINDINGS = sorted({degradation.finding for degradation in degradations.DEGRADATIONS.values()})
# Below these, a measure is no finding whatever the photographs show: a lesion that is not above the
# threshold in balanced light, and a photograph of the network's own size.
_LEAST = {"color_cast": 1.0, "too_small": 1.0}
_PROPORTIONS = (0.02, 0.01, 0.007, 0.005, 0.004, 0.003, 0.002, 0.001, 0.0)
_WARNED_PROPORTIONS = (0.05, 0.04, 0.03, 0.025, 0.02, 0.015, 0.01, 0.005, 0.0)


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


def fit(
    judged: Judged, rows: pd.DataFrame, on_progress: Callable[[int, int], None], seed: int = 0
) -> dict[str, Limit]:
    """The limits of every measure, for the model's card.

    Args:
        judged: the network and its threshold for melanoma.
        rows: training and validation photographs: `path`, `source`, `image_id`, `is_melanoma`.
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
    severe = _largest_rate(
        undegraded, MOST_SEVERE, _PROPORTIONS,
        lambda proportion: {
            name: max(
                _tail(undegraded, name, proportion), _harmful_from(degraded, name, threshold)
            )
            for name in harmful
        },
    )  # fmt: skip
    warning = _largest_rate(
        undegraded, MOST_WARNED, _WARNED_PROPORTIONS,
        lambda proportion: {name: _tail(undegraded, name, proportion) for name in names},
    )  # fmt: skip
    fitted = {
        name: Limit(
            warning=min(warning[name], severe.get(name, math.inf)),
            severe=severe.get(name, math.nan),
            typical=float(undegraded[name].median()),
        )
        for name in names
    }
    return {**fitted, **OUTLINE_LIMITS}


def _sample(rows: pd.DataFrame, most: int, seed: int, *, by_source: bool) -> pd.DataFrame:
    """At most this many rows, of each data set or spread evenly over them."""
    parts = [part for _, part in rows.groupby("source", sort=True)]
    each = most if by_source else -(-most // max(1, len(parts)))
    taken = [part.sample(min(each, len(part)), random_state=seed) for part in parts]
    return pd.concat(taken, ignore_index=True) if taken else rows


def _undegraded(
    judged: Judged, rows: pd.DataFrame, report: Callable[[], None]
) -> Iterator[dict[str, object]]:
    for row in rows.itertuples():
        yield {"source": row.source, **judged.measure(reading.read_file(Path(str(row.path))))}
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
    """The value that at most this proportion of any data set exceeds, just beyond it."""
    values = max(part.quantile(1 - proportion) for _, part in undegraded.groupby("source")[name])
    return max(_LEAST.get(name, 0.0), float(np.nextafter(values, math.inf)))


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


def _largest_rate(
    undegraded: pd.DataFrame,
    most: float,
    proportions: Sequence[float],
    limits_of: Callable[[float], Mapping[str, float]],
) -> Mapping[str, float]:
    """The strictest limits that together fire on at most `most` of each data set.

    Args:
        undegraded: as `limits`.
        most: proportion of the photographs.
        proportions: for one measure alone, to be tried in this order.
        limits_of: the limits for one of them.
    """
    for proportion in proportions:
        tried = limits_of(proportion)
        fires = (undegraded[list(tried)] >= pd.Series(dict(tried))).any(axis=1)
        if fires.groupby(undegraded["source"]).mean().max() <= most:
            break
    return tried
