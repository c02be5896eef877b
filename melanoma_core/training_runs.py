"""What every training is wrapped in: its locks, its row in the journal, and how it ended."""

import contextlib
import getpass
from collections.abc import Callable
from pathlib import Path

from melanoma_core import journal, registry, run_locks, runs
from melanoma_core.errors import MelanomaError, RunError, RunStopped
from melanoma_core.journal import Event, Kind
from melanoma_core.paths import runs_dir
from melanoma_core.registry import Card
from melanoma_core.runs import RunPlan


def carry_out(
    plan: RunPlan,
    run_dir: Path,
    models_dir: Path,
    work: Callable[[], Card],
    by: str | None = None,
) -> Card:
    """Do the work of a run as the one training of this machine, and write down how it ended.

    Args:
        plan: what the run is to do; it is written into its folder.
        run_dir: the run's own folder; its name becomes the model's id.
        models_dir: where the candidate goes, and the journal lies.
        work: trains and gives the candidate's card.
        by: who asked for it; the system's name of the user by default.

    Raises:
        ModelError: a model of this name exists already, or no model can be called so.
        RunStopped: the run was asked to stop, and can be gone on with.
        RunError: another process is at work on the run, another training is running, the folder
            holds another run, or a file cannot be read or written (a full disk).
    """
    registry.check_new(models_dir, run_dir.name)  # now, not after hours of training
    by = user_name() if by is None else by
    with run_locks.lock(run_dir):
        runs.write_plan(run_dir, plan, by)
        runs.forget_stop(run_dir)
        try:
            with run_locks.only_training(runs_dir(), run_dir.name, by):
                journal.append(
                    models_dir, Event(Kind.TRAINING_STARTED, who=by, run_id=run_dir.name)
                )
                card = _journaled(run_dir, models_dir, work, by)
        except RunStopped as stopped:
            _write_end(run_dir, "stopped", stopped)
            raise
        except KeyboardInterrupt:
            _write_end(run_dir, "stopped", RunStopped("The run was stopped at once, as asked."))
            raise
        except MelanomaError as error:
            _write_end(run_dir, "failed", error)
            raise
        except OSError as error:
            problem = RunError(
                f"The run “{run_dir.name}” stopped at a file: {error.strerror or error}. Free "
                "room or mend its rights, and start it again with the same folder: it goes on "
                "after its last whole epoch."
            )
            _write_end(run_dir, "failed", problem)
            raise problem from error
        runs.write_status(run_dir, "finished", model_id=card.model_id)
        return card


def user_name() -> str:
    """The system's name of the user, for runs that nobody gave a name to."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number without a name
        return journal.NOT_GIVEN


def _journaled(run_dir: Path, models_dir: Path, work: Callable[[], Card], by: str) -> Card:
    """What the work gives; how it ended goes into the journal."""

    def write(kind: Kind, reason: str = "") -> None:
        with contextlib.suppress(MelanomaError):  # a full disk may take no row either
            journal.append(models_dir, Event(kind, who=by, run_id=run_dir.name, reason=reason))

    try:
        card = work()
    except (RunStopped, KeyboardInterrupt):
        write(Kind.TRAINING_STOPPED)
        raise
    except (MelanomaError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        write(Kind.TRAINING_FAILED, reason or "")
        raise
    journal.append(
        models_dir,
        Event(
            Kind.TRAINING_ENDED,
            who=by,
            model_id=card.model_id,
            card_sha256=registry.read_files(models_dir / card.model_id)[1],
            run_id=run_dir.name,
            datasets={use.name: use.sha256 for use in card.datasets},
        ),
    )
    return card


def _write_end(run_dir: Path, phase: str, reason: MelanomaError) -> None:
    with contextlib.suppress(OSError):  # a full disk may take no status either
        runs.write_status(run_dir, phase, reason=str(reason))
