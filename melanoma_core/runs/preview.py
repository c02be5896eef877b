"""What can be said of a training before it starts: its classes, and what stands in its way."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from melanoma_core.audit.cleaning import Cleaned
from melanoma_core.data.datasets import Dataset
from melanoma_core.data.schema import SPLITS
from melanoma_core.diagnoses import BY_CODE, CODES
from melanoma_core.errors import MelanomaError
from melanoma_core.images import reading, synthetic
from melanoma_core.models.cards import Card
from melanoma_core.models.predict import Network
from melanoma_core.runs import states, tables
from melanoma_core.runs.plans import RunPlan
from melanoma_core.runs.provenance import Lineage

_FEW_MELANOMAS = 30  # of fewer a threshold for 95 % is placed by one or two photographs


@dataclass(frozen=True)
class Outlook:
    """A training as its data sets promise it, before the data doctor has looked at them."""

    counts: Mapping[str, NDArray[np.int64]]  # (9,) photographs by split, in the order of `CODES`
    num_files: int
    renamed: Mapping[str, str]  # what folders are called, and the diagnosis that each is read as
    refusals: tuple[str, ...]  # why it cannot be started
    warnings: tuple[str, ...]  # what a trainer should know


def outlook(plan: RunPlan, lineage: Lineage | None, card: Card | None) -> Outlook:
    """What a training would learn from and be measured on.

    Files are listed and tables read, no photograph is decoded.

    Args:
        plan: settings and data.
        lineage: of the model that training goes on from; None where there is none.
        card: of that model, or of the one in use.

    Raises:
        DatasetError: a data set cannot be read: it has a class that is no diagnosis, for one.
    """
    read = tables.read_datasets(plan)
    found = tables.divided(plan, Cleaned(read, (), ()), lineage)
    counts = _counts(found.rows)
    refusals = _refusals(plan, found, lineage)
    return Outlook(
        counts=counts,
        num_files=sum(len(dataset.table) for dataset in read),
        renamed=_renamed(read),
        refusals=tuple(refusals),
        warnings=tuple(_warnings(counts, card)),
    )


def _counts(rows: pd.DataFrame) -> dict[str, NDArray[np.int64]]:
    return {
        split: np.bincount(tables.labels(rows[rows["split"] == split]), minlength=len(CODES))
        for split in SPLITS
    }


def _refusals(plan: RunPlan, found: tables.TrainingTable, lineage: Lineage | None) -> list[str]:
    try:
        tables.check(found.rows)
        if lineage is not None:
            tables.check_lineage(plan, found, lineage)
    except MelanomaError as error:
        return [str(error)]
    return []


def _renamed(read: Sequence[Dataset]) -> dict[str, str]:
    """Class folders that are called otherwise than their diagnosis."""
    renamed: dict[str, str] = {}
    for dataset in read:
        if dataset.is_official:
            continue
        for path, code in dataset.table[["path", "diagnosis"]].to_numpy():
            folder, name = PurePath(path).parent.name, BY_CODE[code].name
            if folder.lower().replace("_", " ") != name.lower():
                renamed[folder] = name
    return renamed


def _warnings(counts: Mapping[str, NDArray[np.int64]], card: Card | None) -> list[str]:
    taught, val, test = (counts[split] > 0 for split in SPLITS)
    warnings = []
    if card is not None:
        known = np.array([card.class_counts["train"].get(code, 0) > 0 for code in CODES])
        if (taught & ~known).any():
            # Its card counts no diagnoses of what the models were taught that it was made from.
            how = "not taught them by itself" if card.inherited_datasets else "never taught them"
            warnings.append(
                f"New to “{card.model_id}”, which was {how}: {_names(taught & ~known)}."
            )
        if (known & ~taught).any():
            warnings.append(
                f"“{card.model_id}” knows them and these data have none to learn from, so the "
                f"candidate will hardly ever name them: {_names(known & ~taught)}."
            )
    if (taught & ~val).any():
        warnings.append(
            "Without a photograph in validation, so that neither calibration nor the differential "
            f"is chosen on them: {_names(taught & ~val)}."
        )
    if (taught & ~test).any():
        warnings.append(
            f"Without a photograph in the test, so not measured: {_names(taught & ~test)}."
        )
    if ((val | test) & ~taught).any():
        warnings.append(f"Measured on but never taught: {_names((val | test) & ~taught)}.")
    num_melanomas = int(counts["val"][CODES.index("MEL")])
    if 0 < num_melanomas < _FEW_MELANOMAS:
        warnings.append(
            f"Validation holds {num_melanomas} melanoma photographs: a referral threshold chosen "
            "on so few may find far fewer melanomas, or far more, than it is placed for."
        )
    return warnings


def _names(is_named: NDArray[np.bool_]) -> str:
    return ", ".join(BY_CODE[code].name for code, it in zip(CODES, is_named, strict=True) if it)


_NUM_TIMED = 5
# Of one photograph through the serving graph, as training takes it forwards and backwards: 50
# photographs a second at 160 px where the graph answers in 2.3 ms, on two cores.
_TRAINING_FACTOR = 9
_QUICK_FITS = 10.0  # seconds for the fits of a quick training of 1,600 photographs, on two cores
_START = 15.0  # seconds until a process has loaded what it needs


@dataclass(frozen=True)
class Duration:
    """How long a training may take, and why that is thought."""

    seconds: float
    reason: str


def duration(
    plan: RunPlan, num_taught: int, num_files: int, runs_dir: Path, network: Network | None
) -> Duration | None:
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
                return Duration(
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
