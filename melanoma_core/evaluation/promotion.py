"""Promote a candidate if it is shown to be no worse than the champion, and roll back.

The champion changes by one rename of champion.json, whose newest entry says who did what and why.
The journal gets its row afterwards; if the process is killed in between, the next change writes
that row first (`settle`). So a champion always answers, and the journal says of each one who
promoted it.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from melanoma_core.errors import JournalError, ModelError
from melanoma_core.evaluation import comparisons
from melanoma_core.evaluation.comparisons import Comparison
from melanoma_core.models import journal, predict, store
from melanoma_core.models.journal import Event, Kind
from melanoma_core.models.store import Champion

MIN_REASON_LENGTH = 10  # characters


@dataclass(frozen=True)
class Promotion:
    """What a promotion did."""

    champion: Champion
    comparison: Comparison | None  # None: there was no undamaged model to compare it with
    problems: tuple[str, ...]  # damaged earlier champions; a journal that cannot be written


def promote(
    models_dir: Path,
    model_id: str,
    *,
    author: str,
    reason: str,
    force: bool = False,
) -> Promotion:
    """Make a model the champion if it passes the safety check, or if it is forced.

    It is compared with the newest of `store.champions` whose files are undamaged: a damaged
    champion must not block its own replacement.

    Args:
        models_dir: where models are kept.
        model_id: of the candidate.
        author: who does it.
        reason: why; kept in champion.json and in the journal.
        force: promote it although it may be worse or cannot be compared. A model with damaged
            files is never promoted.

    Raises:
        ModelError: there is no author or no reason; or the model is damaged, is the champion
            already, or may be worse.
        JournalError: the row of an earlier promotion is missing and cannot be written.
    """
    _check_signed(author, reason)
    with store.champion_lock(models_dir):
        _settle(models_dir)
        predict.load(store.model_dir(models_dir, model_id))
        rival_id, problems = _rival(models_dir, model_id)
        comparison, objection = None, ""
        if rival_id is not None:
            comparison, objection = _compare(models_dir, rival_id, model_id)
        if objection and not force:
            raise ModelError(f"{objection} “{rival_id}” stays in use.")
        champion, journal_problems = _set_champion(
            models_dir,
            model_id,
            Kind.OVERRULED if objection else Kind.PROMOTED,
            author=author,
            reason=reason,
            objection=objection,
        )
        return Promotion(champion, comparison, (*problems, *journal_problems))


def roll_back(
    models_dir: Path, model_id: str | None = None, *, author: str, reason: str
) -> tuple[Champion, tuple[str, ...]]:
    """Go back to an earlier champion; to the previous one by default.

    Nothing is compared. Its files are checked to be unchanged and to give the same answers.

    Args:
        models_dir: where models are kept.
        model_id: of an earlier champion.
        author: who does it.
        reason: why; kept in champion.json and in the journal.

    Returns:
        The new champion, and what is wrong with the journal.

    Raises:
        ModelError: there is no author or no reason, there is no such model to go back to, or it is
            damaged.
        JournalError: the row of an earlier promotion is missing and cannot be written.
    """
    _check_signed(author, reason)
    with store.champion_lock(models_dir):
        _settle(models_dir)
        entry = _earlier(models_dir, model_id)
        model = predict.load(store.model_dir(models_dir, entry.model_id))
        predict.check_card(entry, model.sha256)
        return _set_champion(
            models_dir, entry.model_id, Kind.ROLLED_BACK, author=author, reason=reason
        )


def settle(models_dir: Path) -> None:
    """Add the row of the last change of the champion to the journal, if it is missing.

    If no row is missing, nothing is written: the folder may be read-only.

    Raises:
        ModelError: champion.json cannot be read, or no lock can be made beside it.
        JournalError: the journal cannot be written.
    """
    if unwritten(models_dir) is not None:
        with store.champion_lock(models_dir):  # a change in progress writes its own row
            _settle(models_dir)


def unwritten(models_dir: Path) -> Champion | None:
    """The champion, if the journal lacks the row of its promotion; else None.

    Raises:
        ModelError: champion.json cannot be read.
        JournalError: the journal cannot be read.
    """
    champion = store.champion(models_dir)
    return champion if champion is not None and _lacks_row(models_dir, champion) else None


def lost_rows(models_dir: Path) -> tuple[str, ...]:
    """Changes in champion.json whose rows are missing from the journal, one sentence each.

    Every change settles the one before it, so only the newest may lack its row. This cannot detect
    a journal that was deleted together with champion.json, or before a second change.

    Raises:
        ModelError: champion.json cannot be read.
        JournalError: the journal cannot be read.
    """
    return tuple(
        f"The journal has no row for “{entry.model_id}”, which was {entry.kind} at {entry.since} "
        "according to champion.json: the row, or the whole journal, was deleted. Restore the "
        "journal from a copy."
        for entry in store.periods(models_dir)[1:]
        if _lacks_row(models_dir, entry)
    )


def periods_of_use(models_dir: Path) -> tuple[Champion, ...]:
    """Every period in which a model was in use, newest first: from champion.json and the journal.

    Either may lack some: the journal those from before it was kept, champion.json those that
    versions before 0.10 dropped.

    Raises:
        ModelError: champion.json cannot be read.
        JournalError: the journal cannot be read.
    """
    recorded = store.periods(models_dir)
    known = {(entry.model_id, entry.since) for entry in recorded}
    journaled = (
        Champion(
            event.model_id, event.when, event.card_sha256, event.who, event.kind, event.reason,
            event.against,
        )
        for event in (row.event for row in journal.rows(models_dir))
        if event.kind in store.CHAMPION_KINDS and (event.model_id, event.when) not in known
    )  # fmt: skip
    return tuple(sorted((*recorded, *journaled), key=lambda entry: entry.since, reverse=True))


def _settle(models_dir: Path) -> None:
    """Like `settle`, for a caller that holds the lock."""
    champion = unwritten(models_dir)
    if champion is not None:
        journal.append(models_dir, _event(models_dir, champion))


def _lacks_row(models_dir: Path, entry: Champion) -> bool:
    """True if an entry of champion.json should have a row in the journal and has none."""
    if not entry.kind:  # promoted without a journal
        return False
    return not any(
        (row.event.kind, row.event.model_id, row.event.when)
        == (entry.kind, entry.model_id, entry.since)
        for row in journal.rows(models_dir)
    )


def _check_signed(author: str, reason: str) -> None:
    """Raise a ModelError unless a change of the champion has a name and a reason."""
    if not author.strip():
        raise ModelError(
            "The name is empty. Say who changes the model in use: it stays in the journal."
        )
    if len(reason.strip()) < MIN_REASON_LENGTH:
        raise ModelError(
            f"The reason has {len(reason.strip())} characters; at least {MIN_REASON_LENGTH} are "
            "needed. Say why the model in use is changed: it stays in the journal."
        )


def _rival(models_dir: Path, model_id: str) -> tuple[str | None, list[str]]:
    """The newest undamaged champion to compare with, and what is wrong with newer ones."""
    problems: list[str] = []
    for entry in store.champions(models_dir):
        try:
            _check_files(models_dir, entry)
        except ModelError as error:
            problems.append(str(error))
            continue
        if entry.model_id == model_id and not problems:
            raise ModelError(f"“{model_id}” is already in use, since {entry.since}.")
        return entry.model_id, problems
    return None, problems


def _check_files(models_dir: Path, entry: Champion) -> None:
    """Raise a ModelError if a file of a champion has changed since its promotion."""
    _, sha256, _ = store.read_files(store.model_dir(models_dir, entry.model_id))
    predict.check_card(entry, sha256)


def _compare(models_dir: Path, rival_id: str, model_id: str) -> tuple[Comparison | None, str]:
    """The comparison, if there can be one, and the objection to the candidate, if there is one."""
    try:
        comparison = comparisons.compare(models_dir, rival_id, model_id)
    except ModelError as error:
        return None, f"“{model_id}” fails the safety check. {error}"
    if comparison.is_no_worse:
        return comparison, ""
    return comparison, f"“{model_id}” fails the safety check: it may be worse. {comparison}"


def _earlier(models_dir: Path, model_id: str | None) -> Champion:
    """The entry to go back to."""
    champion, *earlier = store.champions(models_dir) or (None,)
    if champion is not None and model_id == champion.model_id:
        raise ModelError(f"“{model_id}” is already in use, since {champion.since}.")
    for entry in earlier:
        if model_id in (None, entry.model_id):
            return entry
    what = "no model" if model_id is None else f"no model “{model_id}”"
    names = ", ".join(entry.model_id for entry in earlier) or "none"
    raise ModelError(f"There is {what} to go back to. Models that were in use before: {names}.")


def _set_champion(
    models_dir: Path, model_id: str, kind: Kind, *, author: str, reason: str, objection: str = ""
) -> tuple[Champion, tuple[str, ...]]:
    """Change the champion and the journal; the champion, and why the journal has no row."""
    champion = store.set_champion(
        models_dir, model_id, author=author, kind=kind, reason=reason, against=objection
    )
    try:
        journal.append(models_dir, _event(models_dir, champion))
    except JournalError as error:
        # The champion answers already; the next change writes the row.
        return champion, (str(error),)
    return champion, ()


def _event(models_dir: Path, entry: Champion) -> Event:
    """The journal's event for an entry of champion.json."""
    event = Event(
        Kind(entry.kind),
        who=entry.author,
        model_id=entry.model_id,
        card_sha256=entry.sha256,
        reason=entry.reason,
        against=entry.against,
        when=entry.since,
    )
    try:
        card = store.read_card(store.model_dir(models_dir, entry.model_id))
    except ModelError:  # damaged since; the row is written without run and data sets
        return event
    return dataclasses.replace(
        event, run_id=card.run_id, datasets={use.name: use.sha256 for use in card.datasets}
    )
