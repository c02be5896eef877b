"""The files of a training run, through which any process can watch it.

<run_id>/config.json     settings, data sets and parents; who asked for the run, and when
         status.json     phase, progress, time left
         history.jsonl   one line per finished epoch
         data.sha256     of the table that it is trained and measured on
         checkpoint/     what resuming needs
         log.txt         output of a run in the background
         .lock           held by the process that trains; see `locks`
         .stop           exists once the run was asked to stop after its epoch
"""

import dataclasses
import datetime
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from melanoma_core.errors import RunError
from melanoma_core.paths import write_atomic
from melanoma_core.runs.configs import TrainConfig

# Where no split file is given: the data sets' own splits, the rest drawn by lesion; all drawn by
# lesion; or as the photographs were divided for the parent model.
SPLIT_METHODS = ("given", "drawn", "model")
# What gives the network: training it, a new last layer on a parent's network, the ensemble of two
# parents, or a parent's network as it is.
RECIPES = ("full", "head", "ensemble", "recalibrate")


@dataclass(frozen=True)
class RunPlan:
    """What a run does; resuming reads it again."""

    config: TrainConfig
    datasets: tuple[str, ...]  # paths
    splits: str | None = None  # path of a split file; overrides `split_by`
    weights: str | None = None  # path of ImageNet weights of the backbone
    recipe: str = "full"  # one of `RECIPES`
    parents: tuple[str, ...] = ()  # ids of the models that the network comes from
    is_cleaned: bool = True  # trained on the audit's clean table, not on the files as they are
    split_by: str = "given"  # one of `SPLIT_METHODS`
    teacher_probs: str | None = None  # path of teacher probabilities
    outlines: str | None = None  # path of lesion outlines, from which a decoder is trained
    non_lesions: str | None = None  # folder of pictures that a model is to refuse

    def __post_init__(self) -> None:
        if self.recipe not in RECIPES:
            raise RunError(f"recipe is “{self.recipe}”; it must be one of: {', '.join(RECIPES)}.")
        if self.split_by not in SPLIT_METHODS:
            raise RunError(
                f"split_by is “{self.split_by}”; it must be one of: {', '.join(SPLIT_METHODS)}."
            )

    @property
    def parent(self) -> str | None:
        """The id of the first parent; None where there is none."""
        return next(iter(self.parents), None)

    @property
    def updates_weights(self) -> bool:
        """True if the run updates any weights."""
        return self.recipe in ("full", "head")

    @property
    def has_epochs(self) -> bool:
        """True if a network is trained, epoch by epoch."""
        return self.recipe == "full"

    def split_settings(self) -> dict[str, Any]:
        """What the division of the photographs depends on, for a card without other settings."""
        return {
            "split_by": self.split_by if self.splits is None else "file",
            "is_cleaned": self.is_cleaned,
            "seed": self.config.seed,
        }


def new_id(plan: RunPlan, moment: datetime.datetime | None = None) -> str:
    """A name for a run and the model it makes: what it is, the date and the time (UTC)."""
    moment = moment or datetime.datetime.now(datetime.UTC)
    network = plan.config.network.replace("_", "-")
    name = {
        "full": network,
        "head": f"{network}-head",
        "ensemble": "ensemble",  # the plan does not know the networks of its parents
        "recalibrate": "recalibrated",
    }[plan.recipe]
    return f"{name}-{moment:%Y-%m-%d-%H%M%S}"


def now() -> str:
    """Date and time in UTC, to the second, as in the files of a run."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def write_plan(run_dir: Path, plan: RunPlan, author: str = "") -> None:
    """Make the run's folder and write the plan; one that is there already stays.

    Args:
        run_dir: the run's own folder.
        plan: what it is to do.
        author: who asks for it.

    Raises:
        RunError: the folder holds a run that was asked to do something else, or it cannot be
            written to.
    """
    path = run_dir / "config.json"
    if path.exists():
        if read_plan(run_dir) != plan:
            raise RunError(
                f"The run “{run_dir.name}” was started with other settings or data. Resume it as "
                "it is, or start a run in another folder."
            )
        return
    config = json.loads(plan.config.to_json())
    record = {**asdict(plan), "config": config, "asked": now(), "author": author}
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
        write_atomic(path, json.dumps(record, indent=2).encode())
    except OSError as error:
        raise RunError(
            f"The run cannot be saved: {error.strerror}. Free disk space, or fix the permissions "
            "of the folder of runs."
        ) from error


def read_plan(run_dir: Path) -> RunPlan:
    """What the run was asked to do.

    Raises:
        RunError: there is no run here, or its file is damaged.
    """
    try:
        record = json.loads((run_dir / "config.json").read_bytes())
        # A run of an earlier version can be resumed: what it did not know has its default.
        fields = {
            field.name: record[field.name]
            for field in dataclasses.fields(RunPlan)
            if field.name in record or field.default is dataclasses.MISSING
        }
        fields["config"] = TrainConfig.from_json(json.dumps(fields["config"]))
        for name in ("datasets", "parents"):
            fields[name] = tuple(fields[name])
        return RunPlan(**fields)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"“{run_dir.name}” holds no training run that can be read ({error}). Give the folder "
            "of a run, or start a new one."
        ) from error


def write_status(run_dir: Path, phase: str, **facts: Any) -> None:
    """Write the state of the run: a phase in words, and facts as JSON values."""
    record = {"phase": phase, "updated": now(), **facts}
    write_atomic(run_dir / "status.json", json.dumps(record).encode())


def read_status(run_dir: Path) -> dict[str, Any]:
    """The last status; empty if none can be read."""
    return read_record(run_dir / "status.json")


def read_record(path: Path) -> dict[str, Any]:
    """The JSON object in a file of a run; empty if none can be read."""
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def check_same_data(run_dir: Path, data_sha256: str) -> None:
    """Note the data of a run; one that has finished epochs cannot continue on others.

    Args:
        run_dir: the run's own folder.
        data_sha256: of the table that it is trained and measured on.

    Raises:
        RunError: epochs were trained on other data, so the test may hold training photographs.
    """
    path = run_dir / "data.sha256"
    before = path.read_text() if path.exists() else None
    if before not in (None, data_sha256) and (run_dir / "history.jsonl").exists():
        raise RunError(
            f"The data of the run “{run_dir.name}” have changed since its first epochs: the test "
            "may now hold photographs that it was trained on. Put the data back as they were, or "
            "start a new run."
        )
    write_atomic(path, data_sha256.encode())


def write_history(run_dir: Path, epochs: Sequence[dict[str, Any]]) -> None:
    """Write the figures of all finished epochs, one line each."""
    lines = "".join(json.dumps(epoch) + "\n" for epoch in epochs)
    write_atomic(run_dir / "history.jsonl", lines.encode())


def ask_to_stop(run_dir: Path) -> None:
    """Ask the run to stop after its current epoch."""
    (run_dir / ".stop").touch()


def is_asked_to_stop(run_dir: Path) -> bool:
    """True if the run was asked to stop after its epoch."""
    return (run_dir / ".stop").exists()


def forget_stop(run_dir: Path) -> None:
    """Withdraw the request to stop."""
    (run_dir / ".stop").unlink(missing_ok=True)
