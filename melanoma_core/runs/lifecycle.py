"""A run around its work: locks, rows in the journal, and how it ended."""

import contextlib
import dataclasses
import getpass
from collections.abc import Callable
from pathlib import Path

from melanoma_core.errors import MelanomaError, ModelError, RunError, RunStopped
from melanoma_core.evaluation import comparisons, evaluate, shared_tests
from melanoma_core.evaluation.comparisons import Comparison
from melanoma_core.models import journal, store
from melanoma_core.models.cards import Card
from melanoma_core.models.journal import Event, Kind
from melanoma_core.paths import runs_dir
from melanoma_core.runs import locks, plans
from melanoma_core.runs.plans import RunPlan
from melanoma_core.runs.states import STARTING, State

PARENT_EVALUATION = "before.json"  # in the run's folder


def carry_out(
    plan: RunPlan,
    run_dir: Path,
    models_dir: Path,
    work: Callable[[], Card],
    author: str | None = None,
) -> Card:
    """Do the work of a run as the only training on this machine, and record how it ended.

    A run that was killed after its candidate was in its place, and before it could say so, ends
    with that candidate.

    Args:
        plan: what the run is to do; it is written into its folder.
        run_dir: the run's own folder; its name becomes the model's id.
        models_dir: where the candidate goes, and the journal lies.
        work: trains and gives the candidate's card.
        author: who asked for it; the system's user name by default.

    Raises:
        ModelError: a model of this name exists already, or no model can have it.
        RunStopped: the run was asked to stop, and can be resumed.
        RunError: another process is at work on the run, another training is running, the folder
            holds another run, or a file cannot be read or written (a full disk).
    """
    if not (models_dir / run_dir.name).exists():
        store.check_new(models_dir, run_dir.name)  # before anything is made
    author = user_name() if author is None else author
    with locks.lock(run_dir):
        phase = plans.read_status(run_dir).get("phase")
        if phase == State.FINISHED:
            store.check_new(models_dir, run_dir.name)  # its end stands
        plans.write_plan(run_dir, plan, author)
        try:
            if phase != STARTING:  # a run that has just been started may be asked to stop already
                plans.forget_stop(run_dir)
            with locks.only_training(runs_dir(), run_dir.name, author):
                card = _made_before(run_dir, models_dir)
                if card is None:
                    store.check_new(models_dir, run_dir.name)  # not after hours of training
                    journal.append(
                        models_dir, Event(Kind.TRAINING_STARTED, who=author, run_id=run_dir.name)
                    )
                    card = _journaled(run_dir, models_dir, work, author)
                _append_end(card, run_dir, models_dir, author)
            plans.write_status(run_dir, State.FINISHED, model_id=card.model_id)
        except RunStopped as stopped:
            _write_end(run_dir, State.STOPPED, stopped)
            raise
        except KeyboardInterrupt:
            _write_end(run_dir, State.STOPPED, RunStopped("The run was stopped at once, as asked."))
            raise
        except MelanomaError as error:
            _write_end(run_dir, State.FAILED, error)
            raise
        except OSError as error:
            problem = RunError(
                f"The run “{run_dir.name}” stopped at a file: {error.strerror or error}. Free "
                "disk space or fix its permissions, and start it again with the same folder: it "
                "resumes after its last finished epoch."
            )
            _write_end(run_dir, State.FAILED, problem)
            raise problem from error
        except Exception as error:  # a fault of this program: said, and not caught
            _write_end(run_dir, State.FAILED, _fault(error))
            raise
        return card


def user_name() -> str:
    """The system's name of the user, for runs that nobody gave a name to."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number without a name
        return journal.NOT_GIVEN


def _journaled(run_dir: Path, models_dir: Path, work: Callable[[], Card], author: str) -> Card:
    """What the work gives; how it ended goes into the journal."""

    def write(kind: Kind, reason: str = "") -> None:
        with contextlib.suppress(MelanomaError):  # a full disk may take no row either
            journal.append(models_dir, Event(kind, who=author, run_id=run_dir.name, reason=reason))

    try:
        return work()
    except (RunStopped, KeyboardInterrupt):
        write(Kind.TRAINING_STOPPED)
        raise
    except Exception as error:  # as in `carry_out`: written down, and not caught
        write(Kind.TRAINING_FAILED, _reason(error))
        raise


def _reason(error: Exception) -> str:
    """Why a training failed, without the name of a file: a row of the journal stays for good."""
    if isinstance(error, OSError):
        return error.strerror or ""
    return str(error if isinstance(error, MelanomaError) else _fault(error))


def _fault(error: Exception) -> RunError:
    return RunError(
        f"The training met a fault of this program ({type(error).__name__}: {error}). Its log says "
        "where; report it."
    )


def _made_before(run_dir: Path, models_dir: Path) -> Card | None:
    """The candidate of this very run, where the run was killed before it could say so."""
    told = [row.event.kind for row in journal.rows(models_dir) if row.event.run_id == run_dir.name]
    if not told or Kind.TRAINING_ENDED in told or not (models_dir / run_dir.name).is_dir():
        return None
    return store.read_card(models_dir / run_dir.name)


def _append_end(card: Card, run_dir: Path, models_dir: Path, author: str) -> None:
    journal.append(
        models_dir,
        Event(
            Kind.TRAINING_ENDED,
            who=author,
            model_id=card.model_id,
            card_sha256=store.read_files(models_dir / card.model_id)[1],
            run_id=run_dir.name,
            datasets={use.name: use.sha256 for use in card.datasets},
        ),
    )


def _write_end(run_dir: Path, phase: str, reason: MelanomaError) -> None:
    with contextlib.suppress(OSError):  # a full disk may take no status either
        plans.write_status(run_dir, phase, reason=str(reason))


def compared_with_parent(run_dir: Path, models_dir: Path, model_id: str) -> Comparison:
    """A candidate with a new last layer against its parent, on all of its test.

    Raises:
        ModelError: a file of either is damaged, or the test holds too little.
    """
    candidate = shared_tests.read(models_dir, model_id)
    before = shared_tests.read(models_dir, str(candidate.card.config["network_of"]))
    try:
        measured = evaluate.from_json((run_dir / PARENT_EVALUATION).read_bytes())
    except OSError as error:
        raise ModelError(
            f"What “{before.card.model_id}” says of the test of “{model_id}” was not kept "
            f"({error.strerror}). Train again."
        ) from error
    return comparisons.compare_models(dataclasses.replace(before, evaluation=measured), candidate)
