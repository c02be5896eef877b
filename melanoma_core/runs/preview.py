"""What is known about a training before it starts: its classes, its time, and what prevents it."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from melanoma_core.audit.cleaning import Cleaned
from melanoma_core.data.datasets import Dataset
from melanoma_core.data.schema import SPLITS
from melanoma_core.diagnoses import BY_CODE, CODES
from melanoma_core.errors import MelanomaError
from melanoma_core.images import reading, synthetic
from melanoma_core.models.cards import Card
from melanoma_core.models.predict import Network
from melanoma_core.runs import states, training_data
from melanoma_core.runs.plans import RunPlan
from melanoma_core.runs.provenance import Parent
from melanoma_core.runs.training_data import TrainingData

_FEW_MELANOMAS = 30  # with fewer, one or two photographs decide a threshold for 95 %


@dataclass(frozen=True)
class Outlook:
    """A training as far as its data sets show, before they are audited."""

    counts: Mapping[str, NDArray[np.int64]]  # (10,) photographs by split, in the order of `LABELS`
    num_files: int
    renamed: Mapping[str, str]  # what folders are called, and the diagnosis that each is read as
    refusals: tuple[str, ...]  # why it cannot be started
    warnings: tuple[str, ...]  # what a trainer should know


def outlook(plan: RunPlan, parents: Sequence[Parent], card: Card | None) -> Outlook:
    """What a run would be trained and measured on.

    Files are listed and tables read, no photograph is decoded.

    Args:
        plan: settings and data.
        parents: models that the network comes from.
        card: of the parent, or of the champion.

    Raises:
        DatasetError: a data set cannot be read: it has a class that is no diagnosis, for one.
    """
    sets = training_data.read_datasets(plan)
    data = training_data.divide(plan, Cleaned(sets, (), ()), parents)
    counts = {split: training_data.counts(data.split(split)) for split in SPLITS}
    return Outlook(
        counts=counts,
        num_files=sum(len(dataset.table) for dataset in sets),
        renamed=_renamed(sets),
        refusals=tuple(_refusals(plan, data, parents)),
        warnings=tuple(_warnings(counts, card)),
    )


def _refusals(plan: RunPlan, data: TrainingData, parents: Sequence[Parent]) -> list[str]:
    try:
        training_data.check(plan, data, parents)
    except MelanomaError as error:
        return [str(error)]
    return []


def _renamed(sets: Sequence[Dataset]) -> dict[str, str]:
    """Class folders with another name than their diagnosis."""
    renamed: dict[str, str] = {}
    for dataset in sets:
        if dataset.is_official:
            continue
        for path, code in dataset.table[["path", "diagnosis"]].to_numpy():
            folder, name = PurePath(path).parent.name, BY_CODE[code].name
            if folder.lower().replace("_", " ") != name.lower():
                renamed[folder] = name
    return renamed


def _warnings(counts: Mapping[str, NDArray[np.int64]], card: Card | None) -> list[str]:
    train, val, test = (counts[split][: len(CODES)] > 0 for split in SPLITS)
    warnings = []
    if card is not None:
        known = np.array([card.class_counts["train"].get(code, 0) > 0 for code in CODES])
        if (train & ~known).any():
            # Its card counts no diagnoses of the data sets that only its parents were trained on.
            itself = " itself" if card.inherited_datasets else ""
            warnings.append(
                f"“{card.model_id}” was not{itself} trained on: {_names(train & ~known)}."
            )
        if (known & ~train).any():
            warnings.append(
                f"“{card.model_id}” was trained on diagnoses of which these data have no training "
                f"photographs; the candidate will hardly ever name them: {_names(known & ~train)}."
            )
    if (train & ~val).any():
        warnings.append(
            "No validation photographs, so neither calibration nor the differential uses them: "
            f"{_names(train & ~val)}."
        )
    if (train & ~test).any():
        warnings.append(f"No test photographs, so not measured: {_names(train & ~test)}.")
    if ((val | test) & ~train).any():
        warnings.append(
            f"In validation or test, but not in training: {_names((val | test) & ~train)}."
        )
    num_melanomas = int(counts["val"][CODES.index("MEL")])
    if 0 < num_melanomas < _FEW_MELANOMAS:
        warnings.append(
            f"Validation has {num_melanomas} melanoma photographs: a referral threshold chosen on "
            "so few may find far fewer or far more melanomas than its target."
        )
    return warnings


def _names(is_named: NDArray[np.bool_]) -> str:
    return ", ".join(BY_CODE[code].name for code, it in zip(CODES, is_named, strict=True) if it)


_NUM_TIMED = 5
# Of one photograph through the serving graph, as training takes it forwards and backwards: 50
# photographs a second at 160 px where the graph answers in 2.3 ms, on two cores.
_TRAINING_FACTOR = 9
_HEAD_FITS = 10.0  # seconds for the fits of a last layer on 1,600 photographs, on two cores
_START = 15.0  # seconds until a process has loaded what it needs


@dataclass(frozen=True)
class Duration:
    """How long a training may take, and the reason for that estimate."""

    seconds: float
    reason: str


def duration(
    plan: RunPlan, num_drawn: int, num_files: int, runs_dir: Path, network: Network | None
) -> Duration | None:
    """The time that a training may take; None if nothing is known about this machine.

    Args:
        plan: settings and data.
        num_drawn: photographs per epoch.
        num_files: in the data sets.
        runs_dir: where runs are kept.
        network: of the champion, to be timed now; None if there is none.
    """
    read = _seconds_to_read() * num_files
    if plan.has_epochs:
        for run in states.read_all(runs_dir):
            took = [float(row["seconds"]) for row in run.history if row.get("seconds")]
            if not run.plan or not run.plan.has_epochs or not took:
                continue
            theirs, ours = run.plan.config, plan.config
            if (theirs.network, theirs.image_size) == (ours.network, ours.image_size):
                epoch = statistics.median(took)
                return Duration(
                    _START + read + ours.epochs * epoch,
                    f"an epoch of the run {run.run_id} took {epoch:.0f} s on this machine",
                )
    if network is None:
        return None
    answer = _seconds_to_answer(network)
    if plan.recipe == "head":
        seconds = _START / 3 + read + 1.3 * answer * num_files + _HEAD_FITS
    else:
        scale = (plan.config.image_size / network.graph.image_size) ** 2
        step = answer * scale * _TRAINING_FACTOR
        seconds = _START + read + plan.config.epochs * num_drawn * step
    return Duration(seconds, f"the model in use took {1000 * answer:.0f} ms a photograph just now")


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
