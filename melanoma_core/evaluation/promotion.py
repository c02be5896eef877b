"""Put a candidate into use, only when it is shown to be no worse; and go back.

A model in use changes by one rename of champion.json, whose newest entry says who did what and
why. After it the journal gets its row; where the process was killed in between, the next change
writes the row down first (`settle`). So whatever is killed when, a champion answers, and the
journal says of every one who put it there.
"""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from melanoma_core import paths
from melanoma_core.errors import JournalError, ModelError
from melanoma_core.evaluation import comparisons
from melanoma_core.evaluation.comparisons import Comparison
from melanoma_core.models import journal, predict, store
from melanoma_core.models.journal import Event, Kind
from melanoma_core.models.store import Champion

FEWEST_LETTERS = 10  # of a reason to overrule
_LOCK = ".promotion.lock"


@dataclass(frozen=True)
class Promotion:
    """A model that was put into use."""

    in_use: Champion
    comparison: Comparison | None  # None: there was no sound model to compare it with
    problems: tuple[str, ...]  # of models that were in use and are damaged, of the journal


def promote(
    models_dir: Path,
    model_id: str,
    *,
    by: str = "",
    reason: str = "",
    overrules: bool = False,
) -> Promotion:
    """Put a model into use; against a champion only when it is no worse, or a person overrules.

    It is compared with the newest model in `store.in_use` that still passes its file checks: a
    damaged champion must not keep its own replacement out.

    Args:
        models_dir: where models are kept.
        model_id: of the candidate.
        by: who does it.
        reason: why; kept with the model in use and in the journal.
        overrules: put it into use although it may be worse or cannot be compared; needs a reason.
            What fails its own checks is never put into use.

    Raises:
        ModelError: the model fails its checks, is in use already, or may be worse; or a reason to
            overrule is missing.
        JournalError: what an earlier promotion left to be written down cannot be.
    """
    if overrules:
        _check_reason(reason)
    with _alone(models_dir):
        _settle(models_dir)
        predict.load(store.model_dir(models_dir, model_id))
        rival, problems = _rival(models_dir, model_id)
        comparison, against = None, ""
        if rival is not None:
            comparison, against = _held_against(models_dir, rival, model_id)
        if against and not overrules:
            raise ModelError(f"{against} “{rival}” goes on answering.")
        newest, more = _change(
            models_dir,
            model_id,
            Kind.OVERRULED if against else Kind.PROMOTED,
            by=by,
            reason=reason,
            against=against,
        )
        return Promotion(newest, comparison, (*problems, *more))


def roll_back(
    models_dir: Path, model_id: str | None = None, *, by: str = "", reason: str = ""
) -> tuple[Champion, tuple[str, ...]]:
    """Go back to a model that was in use; to the one before by default.

    Nothing is compared: it was in use. All its files must be those of then, and the golden set
    must give the probabilities that it gave in training.

    Returns:
        The entry of the model in use, and what is wrong with the journal, if anything is.

    Raises:
        ModelError: there is no such model to go back to, or it fails its checks.
        JournalError: what an earlier promotion left to be written down cannot be.
    """
    with _alone(models_dir):
        _settle(models_dir)
        entry = _earlier(models_dir, model_id)
        model = predict.load(store.model_dir(models_dir, entry.model_id))
        predict.check_card(entry, model.sha256)
        return _change(models_dir, entry.model_id, Kind.ROLLED_BACK, by=by, reason=reason)


def settle(models_dir: Path) -> None:
    """Write down in the journal the last change of the model in use, if it is not there yet.

    Where nothing is left to be written down, nothing is written: the folder may be read-only.

    Raises:
        ModelError: champion.json cannot be read, or no lock can be made beside it.
        JournalError: the journal cannot be written.
    """
    if unwritten(models_dir) is not None:
        with _alone(models_dir):  # a change that is under way writes its own row
            _settle(models_dir)


def unwritten(models_dir: Path) -> Champion | None:
    """The model in use, where the journal has no row of how it came into use.

    Raises:
        ModelError: champion.json cannot be read.
        JournalError: the journal cannot be read.
    """
    newest = store.champion(models_dir)
    return newest if newest is not None and _lacks_row(models_dir, newest) else None


def lost_rows(models_dir: Path) -> tuple[str, ...]:
    """What champion.json says against the journal: changes that must have had a row there.

    Every change settles the one before it, so only the newest may be without one. It cannot find
    out a journal that was deleted together with champion.json, or before a second change.

    Raises:
        ModelError: champion.json cannot be read.
        JournalError: the journal cannot be read.
    """
    return tuple(
        f"“{entry.model_id}” was {entry.kind} at {entry.since}, as champion.json says, and the "
        "journal has no row of it: the row, or the whole journal, was deleted. Restore the journal "
        "from a copy."
        for entry in store.champions(models_dir)[1:]
        if _lacks_row(models_dir, entry)
    )


def _settle(models_dir: Path) -> None:
    """As `settle`, for who has the lock."""
    newest = unwritten(models_dir)
    if newest is not None:
        journal.append(models_dir, _event(models_dir, newest))


def _lacks_row(models_dir: Path, entry: Champion) -> bool:
    """Whether an entry of champion.json should have a row in the journal, and has none."""
    if not entry.kind:  # put into use before there was a journal
        return False
    return not any(
        (row.event.kind, row.event.model_id, row.event.when)
        == (entry.kind, entry.model_id, entry.since)
        for row in journal.rows(models_dir)
    )


def _check_reason(reason: str) -> None:
    if len(reason.strip()) < FEWEST_LETTERS:
        raise ModelError(
            f"The reason to overrule has {len(reason.strip())} letters; {FEWEST_LETTERS} at least "
            "are needed. Write why the model is to be used although it may be worse."
        )


def _rival(models_dir: Path, model_id: str) -> tuple[str | None, list[str]]:
    """The sound model that a candidate is held against, and what is wrong with newer ones."""
    problems: list[str] = []
    for entry in store.champions(models_dir):
        try:
            _check_files(models_dir, entry)
        except ModelError as error:
            problems.append(str(error))
            continue
        if entry.model_id == model_id and not problems:
            raise ModelError(f"“{model_id}” is in use already, since {entry.since}.")
        return entry.model_id, problems
    return None, problems


def _check_files(models_dir: Path, entry: Champion) -> None:
    """Raise a ModelError where a file of a model that was put into use is not what it was."""
    _, sha256, _ = store.read_files(store.model_dir(models_dir, entry.model_id))
    predict.check_card(entry, sha256)


def _held_against(models_dir: Path, rival: str, model_id: str) -> tuple[Comparison | None, str]:
    """The comparison where there can be one, and what speaks against the candidate."""
    try:
        comparison = comparisons.compare(models_dir, rival, model_id)
    except ModelError as error:
        return None, f"“{model_id}” was not put into use: {error}"
    if comparison.is_no_worse:
        return comparison, ""
    return comparison, f"“{model_id}” was not put into use: it may be worse. {comparison}"


def _earlier(models_dir: Path, model_id: str | None) -> Champion:
    """The entry to go back to."""
    newest, *earlier = store.champions(models_dir) or (None,)
    known = ", ".join(entry.model_id for entry in earlier) or "none"
    if newest is not None and model_id == newest.model_id:
        raise ModelError(f"“{model_id}” is in use already, since {newest.since}.")
    for entry in earlier:
        if model_id in (None, entry.model_id):
            return entry
    what = "no model" if model_id is None else f"no model “{model_id}”"
    raise ModelError(f"There is {what} to go back to. Models that were in use before: {known}.")


def _change(
    models_dir: Path, model_id: str, kind: Kind, *, by: str, reason: str, against: str = ""
) -> tuple[Champion, tuple[str, ...]]:
    """Put a model into use and write it down; what the journal could not take, in words."""
    newest = store.set_champion(
        models_dir, model_id, by=by, kind=kind, reason=reason, against=against
    )
    try:
        journal.append(models_dir, _event(models_dir, newest))
    except JournalError as error:
        # It answers already; the next change writes it down.
        return newest, (str(error),)
    return newest, ()


def _event(models_dir: Path, entry: Champion) -> Event:
    """What the journal says of an entry of champion.json."""
    event = Event(
        Kind(entry.kind),
        who=entry.by,
        model_id=entry.model_id,
        card_sha256=entry.sha256,
        reason=entry.reason,
        against=entry.against,
        when=entry.since,
    )
    try:
        card = store.read_card(store.model_dir(models_dir, entry.model_id))
    except ModelError:  # damaged since; what the entry says is written down all the same
        return event
    return dataclasses.replace(
        event, run_id=card.run_id, datasets={use.name: use.sha256 for use in card.datasets}
    )


@contextmanager
def _alone(models_dir: Path) -> Iterator[None]:
    """Change the model in use from one process at a time: what was compared must still answer."""
    try:
        with paths.locked(models_dir / _LOCK):
            yield
    except OSError as error:
        raise ModelError(
            f"The model in use cannot be changed: {error.strerror}. Free room, or let the app "
            "write in the folder of the models."
        ) from error
