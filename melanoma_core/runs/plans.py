"""The files of a training run, through which any process can watch it.

<run_id>/config.json     settings and data sets; who asked for the run, and when
         status.json     phase, progress, time left
         history.jsonl   one line a finished epoch
         data.sha256     of the table that it learns from and is measured on
         checkpoint/     what resuming needs
         log.txt         what a run that was started in the background printed
         .lock           held by the process that trains; see `locks`
         .stop           there once the run was asked to stop after its epoch
"""

import datetime
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from melanoma_core.errors import RunError
from melanoma_core.paths import write_atomic
from melanoma_core.runs.configs import TrainConfig

# How the photographs are divided where no split file does: as the data sets have them and the rest
# by lesion, all by lesion, or as they were for the model that training goes on from.
SPLIT_WAYS = ("given", "drawn", "model")


@dataclass(frozen=True)
class RunPlan:
    """What a run was asked to do; resuming reads it again."""

    config: TrainConfig
    datasets: tuple[str, ...]  # paths of the data sets
    splits: str | None  # path of a split file that overrides
    weights: str | None  # path of the backbone's weights
    from_model: str | None = None  # id of the model that training goes on from
    is_cleaned: bool = True  # the data doctor's clean table is taught, not the files as they are
    split_by: str = "given"  # of `SPLIT_WAYS`; `splits` overrides it
    is_quick: bool = False  # a new head on `from_model`'s network, without TensorFlow
    joined_with: str | None = None  # id of the model whose network is put beside `from_model`'s
    soft_targets: str | None = None  # path of what other networks say of the photographs
    is_recalibration: bool = False  # `from_model`'s network stays; it is calibrated anew

    @property
    def teaches(self) -> bool:
        """Whether anything is learned, be it a last layer only."""
        return self.joined_with is None and not self.is_recalibration

    @property
    def has_epochs(self) -> bool:
        """Whether a network is trained, epoch by epoch."""
        return self.teaches and not self.is_quick

    def how_divided(self) -> dict[str, Any]:
        """What the division of the photographs hangs on, for a card that has no other settings."""
        return {
            "split_by": self.split_by if self.splits is None else "file",
            "is_cleaned": self.is_cleaned,
            "seed": self.config.seed,
        }

    def __post_init__(self) -> None:
        if self.split_by not in SPLIT_WAYS:
            raise RunError(
                f"split_by is “{self.split_by}”; it must be one of: {', '.join(SPLIT_WAYS)}."
            )


def new_id(plan: RunPlan, moment: datetime.datetime | None = None) -> str:
    """A name for a run and the model it makes: the network, the date and the time (UTC).

    Of two models that are joined the plan does not know the networks.
    """
    moment = moment or datetime.datetime.now(datetime.UTC)
    if plan.joined_with is not None:
        name = "joined"
    elif plan.is_recalibration:
        name = "recalibrated"
    else:
        name = plan.config.network.replace("_", "-") + ("-quick" if plan.is_quick else "")
    return f"{name}-{moment:%Y-%m-%d-%H%M%S}"


def now() -> str:
    """Date and time, UTC, to the second, as the files of a run have them."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def write_plan(run_dir: Path, plan: RunPlan, by: str = "") -> None:
    """Make the run's folder and write what it is to do; a plan that stands there stays.

    Args:
        run_dir: the run's own folder.
        plan: what it is to do.
        by: who asks for it.

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
    record = {**asdict(plan), "config": config, "asked": now(), "by": by}
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
        write_atomic(path, json.dumps(record, indent=2).encode())
    except OSError as error:
        raise RunError(
            f"The run cannot be written down: {error.strerror}. Free room or mend the rights of "
            "the folder of runs."
        ) from error


def read_plan(run_dir: Path) -> RunPlan:
    """What the run was asked to do.

    Raises:
        RunError: there is no run here, or its file is damaged.
    """
    try:
        record = json.loads((run_dir / "config.json").read_bytes())
        return RunPlan(
            config=TrainConfig.from_json(json.dumps(record["config"])),
            datasets=tuple(record["datasets"]),
            splits=record["splits"],
            weights=record["weights"],
            # Runs of before had none of these, and were taught the files as they are.
            from_model=record.get("from_model"),
            is_cleaned=record.get("is_cleaned", False),
            split_by=record.get("split_by", "given"),
            is_quick=record.get("is_quick", False),
            joined_with=record.get("joined_with"),
            soft_targets=record.get("soft_targets"),
            is_recalibration=record.get("is_recalibration", False),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"“{run_dir.name}” holds no training run that can be read ({error}). Give the folder "
            "of a run, or start a new one."
        ) from error


def write_status(run_dir: Path, phase: str, **facts: Any) -> None:
    """Say where the run stands: a phase in words, and facts as JSON values."""
    record = {"phase": phase, "updated": now(), **facts}
    write_atomic(run_dir / "status.json", json.dumps(record).encode())


def read_status(run_dir: Path) -> dict[str, Any]:
    """What `write_status` wrote last; empty where there is nothing that can be read."""
    return read_record(run_dir / "status.json")


def read_record(path: Path) -> dict[str, Any]:
    """The JSON object in a file of a run; empty where there is none that can be read."""
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def hold_to_data(run_dir: Path, data_sha256: str) -> None:
    """Write down which data a run learns from; a run that has learnt goes on with no others.

    Args:
        run_dir: the run's own folder.
        data_sha256: of the table that is learnt from and measured on.

    Raises:
        RunError: epochs were learnt from other data, so what is measured on may have been taught.
    """
    path = run_dir / "data.sha256"
    before = path.read_text() if path.exists() else None
    if before not in (None, data_sha256) and (run_dir / "history.jsonl").exists():
        raise RunError(
            f"The data of the run “{run_dir.name}” have changed since its first epochs: what is to "
            "be measured on may have been taught. Put them back as they were, or start a new run."
        )
    write_atomic(path, data_sha256.encode())


def write_history(run_dir: Path, epochs: Sequence[dict[str, Any]]) -> None:
    """Write the figures of all finished epochs, a line each."""
    lines = "".join(json.dumps(epoch) + "\n" for epoch in epochs)
    write_atomic(run_dir / "history.jsonl", lines.encode())


def ask_to_stop(run_dir: Path) -> None:
    """Have the run stop after the epoch that it is at."""
    (run_dir / ".stop").touch()


def is_asked_to_stop(run_dir: Path) -> bool:
    """Whether the run was asked to stop after its epoch."""
    return (run_dir / ".stop").exists()


def forget_stop(run_dir: Path) -> None:
    """Let a run go on that was asked to stop before."""
    (run_dir / ".stop").unlink(missing_ok=True)
