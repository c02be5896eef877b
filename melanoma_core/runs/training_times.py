"""How long a training will take, from what this machine has shown."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from melanoma_core.images import reading, synthetic
from melanoma_core.models.predict import Network
from melanoma_core.runs import states
from melanoma_core.runs.plans import RunPlan

_NUM_TIMED = 5
# Of one photograph through the serving graph, as training takes it forwards and backwards: 50
# photographs a second at 160 px where the graph answers in 2.3 ms, on two cores.
_TRAINING_FACTOR = 9
_QUICK_FITS = 10.0  # seconds for the fits of a quick training of 1,600 photographs, on two cores
_START = 15.0  # seconds until a process has loaded what it needs


@dataclass(frozen=True)
class Estimate:
    """How long a training may take, and why that is thought."""

    seconds: float
    reason: str


def estimate(
    plan: RunPlan, num_taught: int, num_files: int, runs_dir: Path, network: Network | None
) -> Estimate | None:
    """The time that a training may take; None where nothing is known of this machine.

    Args:
        plan: settings and data.
        num_taught: photographs an epoch.
        num_files: in the data sets.
        runs_dir: where runs are kept.
        network: of the model in use, to be timed now; None where there is none.
    """
    read = _seconds_to_read() * num_files * (2 if plan.is_cleaned else 1)
    if plan.has_epochs:
        for run in states.read_all(runs_dir):
            took = [float(row["seconds"]) for row in run.history if row.get("seconds")]
            if not run.plan or not run.plan.has_epochs or not took:
                continue
            theirs, ours = run.plan.config, plan.config
            if (theirs.network, theirs.image_size) == (ours.network, ours.image_size):
                epoch = statistics.median(took)
                return Estimate(
                    _START + read + ours.epochs * epoch,
                    f"an epoch of the run {run.run_id} took {epoch:.0f} s on this machine",
                )
    if network is None:
        return None
    answer = _seconds_to_answer(network)
    if plan.is_quick:
        seconds = _START / 3 + read + 1.3 * answer * num_files + _QUICK_FITS
    else:
        scale = (plan.config.image_size / network.graph.image_size) ** 2
        step = answer * scale * _TRAINING_FACTOR
        seconds = _START + read + plan.config.epochs * num_taught * step
    return Estimate(seconds, f"the model in use took {1000 * answer:.0f} ms a photograph just now")


def _seconds_to_answer(network: Network) -> float:
    size = network.graph.image_size
    image = reading.resize(synthetic.lesion(0), size)
    return _median_of(lambda: network.graph.run(image))


def _seconds_to_read() -> float:
    data = reading.png(synthetic.lesion(0, (180, 180)))
    return _median_of(lambda: reading.read(data))


def _median_of(act: Callable[[], object]) -> float:
    seconds = []
    for _ in range(_NUM_TIMED):
        started = time.perf_counter()
        act()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)
