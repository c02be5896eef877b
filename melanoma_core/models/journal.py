"""A tamper-evident journal of who did what to the models, and when.

models/journal.jsonl       one row per line, each with the SHA-256 of the line before it
       journal.head.json   the number of rows and the SHA-256 of the last one

Editing, deleting, moving or inserting a row breaks the chain; the head file shows that rows are
missing at the end. There is no secret: whoever may write in the folder can add false rows, or
rewrite all later rows and both files without a trace here. A SHA-256 that was kept elsewhere
detects that (`verify` returns it, and checks it). A row whose writer was killed before it wrote the
head file can be changed unnoticed until the next row is written. If the head file was missing, a
row says so before the next one, and `verify` reports it from then on.
"""

import contextlib
import dataclasses
import datetime
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from melanoma_core.errors import JournalError
from melanoma_core.paths import locked, sha256, write_atomic

ROWS, HEAD = "journal.jsonl", "journal.head.json"
NOT_GIVEN = "not given"
_LOCK = ".journal.lock"
_NO_ROW = "0" * 64
_MAX_LENGTHS = {"who": 80, "reason": 2000, "against": 4000}
_NUM_READS = 5


class Kind(StrEnum):
    """What happened."""

    TRAINING_STARTED = "training started"
    TRAINING_ENDED = "training ended"  # with a candidate
    TRAINING_FAILED = "training failed"
    TRAINING_STOPPED = "training stopped"
    PROMOTED = "promoted"
    OVERRULED = "overruled"  # promoted although it failed the safety check, with a reason
    ROLLED_BACK = "rolled back"
    UPGRADED = "upgraded"  # its files were converted to a new format
    RECOUNTED = "recounted"  # journal.head.json was missing and was written again


@dataclass(frozen=True)
class Event:
    """What happened to which model or run, and by whom."""

    kind: Kind
    who: str = ""  # a typed name, or the signed-in user
    model_id: str = ""
    card_sha256: str = ""
    run_id: str = ""
    datasets: Mapping[str, str] = field(default_factory=dict)  # SHA-256 by name
    reason: str = ""  # of a promotion, a rollback or a failure
    against: str = ""  # the objection that was overruled
    when: str = ""  # date and time, UTC; empty: now


@dataclass(frozen=True)
class Row:
    """An event in the journal."""

    number: int  # from 1
    event: Event
    sha256: str  # of its line


@dataclass(frozen=True)
class Check:
    """The result of `verify`."""

    num_rows: int
    sha256: str  # of the last row; kept elsewhere, it detects even a rewritten journal
    problems: tuple[str, ...]  # what was changed, or may have been


@dataclass(frozen=True)
class _Journal:
    """Both files as they are on disk."""

    lines: tuple[bytes, ...]  # complete ones, without line ends
    torn: bytes  # what follows the last line end
    head: tuple[int, str] | None  # number of rows and SHA-256 of the last; None: unreadable
    head_problem: str  # why it is unreadable

    @property
    def last(self) -> tuple[int, str]:
        """Number of complete lines and SHA-256 of the last one."""
        return len(self.lines), sha256(self.lines[-1]) if self.lines else _NO_ROW

    @property
    def matches_head(self) -> bool:
        """True if the lines are those that the head file counts, and at most one more."""
        if self.head is None:
            return not self.lines
        number, expected = self.head
        actual = sha256(self.lines[number - 1]) if 0 < number <= len(self.lines) else None
        has_last = actual == expected if number else expected == _NO_ROW
        return has_last and len(self.lines) - number in (0, 1)


def append(models_dir: Path, event: Event) -> Row:
    """Add a row; it is on the disk when this returns.

    The part of a row that a killed process left is dropped. A journal that was tampered with is
    continued from its last known row, so that the gap stays visible.

    Raises:
        JournalError: the journal cannot be written.
    """
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        with locked(models_dir / _LOCK, creates=True):
            journal = _read(models_dir)
            if journal.head is None and journal.lines:
                _write(models_dir, journal, Event(Kind.RECOUNTED))
                journal = _read(models_dir)
            return _write(models_dir, journal, event)
    except OSError as error:
        raise JournalError(
            f"The journal of the models cannot be written ({error.strerror}). Free disk space, or "
            "let the app write to the models folder, and try again."
        ) from error


def rows(models_dir: Path) -> tuple[Row, ...]:
    """The readable rows, oldest first; `verify` says whether they are all and unchanged.

    Raises:
        JournalError: the journal cannot be read.
    """
    readable = []
    for line in _read_settled(models_dir).lines:
        with contextlib.suppress(ValueError):
            number, _, event = _record(line)
            readable.append(Row(number, event, sha256(line)))
    return tuple(readable)


def verify(models_dir: Path, expected_sha256: str | None = None) -> Check:
    """Look for rows that were edited, deleted, moved or inserted; write nothing.

    Args:
        models_dir: where models are kept.
        expected_sha256: of a row, from an earlier check; a row must still have it.

    Raises:
        JournalError: the journal cannot be read.
    """
    journal = _read_settled(models_dir)
    problems, previous = [], _NO_ROW
    for place, line in enumerate(journal.lines, 1):
        try:
            number, expected, event = _record(line)
        except ValueError as error:
            problems.append(
                f"Line {place} is not a row of the journal ({error}): it was edited or damaged. "
                "Restore the journal from a copy."
            )
        else:
            if event.kind is Kind.RECOUNTED:
                problems.append(
                    f"Row {number} says that the rows were counted again at {event.when}, because "
                    f"{HEAD} was missing or damaged: rows just before it may have been deleted. "
                    "Compare the journal with a copy, or with a SHA-256 from an earlier check."
                )
            if expected != previous:
                problems.append(
                    f"Line {place} (row {number}) does not follow the line before it: a row was "
                    "edited, deleted, moved or inserted there."
                )
            elif number != place:
                problems.append(f"Line {place} has the row number {number}.")
        previous = sha256(line)
    problems += _end_problems(journal)
    if expected_sha256 is not None and expected_sha256 not in map(sha256, journal.lines):
        problems.append(f"No row has the SHA-256 {expected_sha256}: rows were rewritten.")
    return Check(len(journal.lines), previous, tuple(problems))


def _end_problems(journal: _Journal) -> list[str]:
    """What the head file shows to be wrong with the end of the journal."""
    num_lines = len(journal.lines)
    if journal.head is None:
        if not num_lines:
            return []
        return [
            f"{HEAD} is missing or damaged ({journal.head_problem}), so rows may be missing at the "
            "end. Restore it from a copy, or compare the journal with a SHA-256 from an earlier "
            "check."
        ]
    number, _ = journal.head
    if number > num_lines:
        return [f"The journal had {number} rows and has {num_lines}: the last ones were deleted."]
    if num_lines > number + 1:
        return [f"The journal has {num_lines} rows, but {HEAD} counts {number}."]
    if not journal.matches_head:
        return [f"Row {number} is not the last row that {HEAD} names: it was edited."]
    return []


def record(row: Row) -> dict[str, Any]:
    """A row as a JSON object, with its own SHA-256."""
    return {"number": row.number, **dataclasses.asdict(row.event), "sha256": row.sha256}


def _write(models_dir: Path, journal: _Journal, event: Event) -> Row:
    """Add a row at the end, and count it."""
    # After a deletion at the end, the chain continues from the deleted row.
    is_sound = journal.head is None or journal.matches_head
    number, previous = journal.last if is_sound or journal.head is None else journal.head
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
    event = dataclasses.replace(
        event,
        who=_cut(event.who, "who") or NOT_GIVEN,
        reason=_cut(event.reason, "reason"),
        against=_cut(event.against, "against"),
        when=event.when or now,
    )
    fields = {"number": number + 1, "previous": previous, **dataclasses.asdict(event)}
    line = _canonical(fields)
    path = models_dir / ROWS
    if not journal.lines and journal.head is None:
        # Written before the first row, so that rows without a head file are always suspicious.
        _write_head(models_dir, 0, _NO_ROW)
    with path.open("r+b" if path.exists() else "x+b") as file:
        end = file.seek(0, os.SEEK_END)
        if journal.torn:
            if is_sound:
                end -= len(journal.torn)
            else:  # evidence: it is kept, on a line of its own
                line = b"\n" + line
        file.truncate(end)
        file.seek(end)
        try:
            file.write(line + b"\n")
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            file.truncate(end)  # a part may have been written to a full disk
            raise
    line = line.lstrip(b"\n")
    _write_head(models_dir, number + 1, sha256(line))
    return Row(number + 1, event, sha256(line))


def _write_head(models_dir: Path, number: int, line_sha256: str) -> None:
    record = {"num_rows": number, "sha256": line_sha256}
    write_atomic(models_dir / HEAD, json.dumps(record).encode())


def _cut(text: str, name: str) -> str:
    """The text on one line, without invisible characters, cut to its maximum length."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())[: _MAX_LENGTHS[name]]


def _canonical(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(
        fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def _read_settled(models_dir: Path) -> _Journal:
    """Both files, read again while a row is being added."""
    try:
        journal = _read(models_dir)
        for _ in range(_NUM_READS):
            if journal.matches_head:
                break
            journal = _read(models_dir)  # rows may be added between reading the two files
        return journal
    except OSError as error:
        raise JournalError(
            f"The journal of the models cannot be read ({error.strerror}). Fix the permissions of "
            f"{ROWS} and {HEAD} in the models folder."
        ) from error


def _read(models_dir: Path) -> _Journal:
    # The head file first: a row that is added meanwhile is not counted in it yet.
    head, problem = None, ""
    try:
        head = _head((models_dir / HEAD).read_bytes())
    except FileNotFoundError:
        problem = "there is no such file"
    except ValueError as error:
        problem = str(error)
    try:
        *lines, torn = (models_dir / ROWS).read_bytes().split(b"\n")
    except FileNotFoundError:
        lines, torn = [], b""
    return _Journal(tuple(lines), torn, head, problem)


def _head(text: bytes) -> tuple[int, str]:
    """Number of rows and SHA-256 of the last one, from the head file.

    Raises:
        ValueError: it is damaged; says how.
    """
    fields = _fields(text)
    return _whole_number(fields, "num_rows"), _text(fields, "sha256")


def _record(line: bytes) -> tuple[int, str, Event]:
    """Number, SHA-256 of the line before, and event of a line.

    Raises:
        ValueError: it is not a row; says what came and what was expected.
    """
    fields = _fields(line)
    number, previous = _whole_number(fields, "number"), _text(fields, "previous")
    datasets = fields.get("datasets", {})
    if not isinstance(datasets, dict):
        raise ValueError(f"its datasets are {datasets!r}; SHA-256 by name were expected")
    for name in datasets:
        _text(datasets, name)
    known = [field.name for field in dataclasses.fields(Event)]
    unknown = sorted(fields.keys() - {*known, "number", "previous"})
    if unknown:
        raise ValueError(f"it has unknown fields: {', '.join(unknown)}")
    texts = {
        name: _text(fields, name)
        for name in known
        if name in fields and name not in ("kind", "datasets")
    }
    return number, previous, Event(Kind(_text(fields, "kind")), datasets=datasets, **texts)


def _fields(text: bytes) -> dict[str, Any]:
    fields = json.loads(text)
    if not isinstance(fields, dict):
        raise ValueError(f"it is {fields!r}; an object in braces was expected")
    return fields


def _whole_number(fields: Mapping[str, Any], name: str) -> int:
    value = fields.get(name)
    if type(value) is not int:  # 1e999 is infinite, and true is an int to isinstance
        raise ValueError(f"its {name} is {value!r}; a whole number was expected")
    return value


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise ValueError(f"its {name} is {value!r}; text was expected")
    return value
