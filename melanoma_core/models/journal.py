"""Who did what to the models, and when: rows that cannot be changed without being found out.

models/journal.jsonl       a row a line; each holds the SHA-256 of the line before it
       journal.head.json   how many rows there are, and the SHA-256 of the last one

A row edited, deleted, moved or put in breaks the chain; rows deleted at the end are missed by the
second file. There is no secret in it: whoever may write in the folder can add rows that are not
true, and leaves no trace here by rewriting every later row and both files. Against that helps a
SHA-256 that was noted elsewhere (`verify` gives it, and takes it). A row whose writer was killed
before it wrote the second file can be changed unseen until the next row is written. Where the
second file was missing, a row says so before the next one, and `verify` tells of it for good.
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
_BEFORE_THE_FIRST = "0" * 64
_MOST_LETTERS = {"who": 80, "reason": 2000, "against": 4000}
_NUM_LOOKS = 5


class Kind(StrEnum):
    """What happened."""

    TRAINING_STARTED = "training started"
    TRAINING_ENDED = "training ended"  # with a candidate
    TRAINING_FAILED = "training failed"
    TRAINING_STOPPED = "training stopped"
    PROMOTED = "promoted"
    OVERRULED = "overruled"  # put into use against the comparison, with a reason
    ROLLED_BACK = "rolled back"
    UPGRADED = "upgraded"  # its files were brought to a new form
    RECOUNTED = "recounted"  # journal.head.json was missing and was made anew


@dataclass(frozen=True)
class Event:
    """What happened to which model or run, and by whom."""

    kind: Kind
    who: str = ""  # a name that was typed, or the sign-in
    model_id: str = ""
    card_sha256: str = ""
    run_id: str = ""
    datasets: Mapping[str, str] = field(default_factory=dict)  # SHA-256 by name
    reason: str = ""  # of a promotion, of an overruling, of a failure
    against: str = ""  # what was overruled
    when: str = ""  # date and time, UTC; now, where it is not given


@dataclass(frozen=True)
class Row:
    """An event as it stands in the journal."""

    number: int  # from 1
    event: Event
    sha256: str  # of its line


@dataclass(frozen=True)
class Check:
    """What `verify` found."""

    num_rows: int
    sha256: str  # of the last row; note it elsewhere to find out even a rewritten journal
    problems: tuple[str, ...]  # what was changed, or may have been


@dataclass(frozen=True)
class _Journal:
    """Both files as they lie on disk."""

    lines: tuple[bytes, ...]  # whole ones, without their line ends
    torn: bytes  # what follows the last line end
    head: tuple[int, str] | None  # number of rows and SHA-256 of the last; None: cannot be read
    why_no_head: str  # why it cannot be read

    @property
    def last(self) -> tuple[int, str]:
        """Number of whole lines and SHA-256 of the last one."""
        return len(self.lines), sha256(self.lines[-1]) if self.lines else _BEFORE_THE_FIRST

    @property
    def is_as_counted(self) -> bool:
        """Whether the lines are those that the second file counted, and one more at the most."""
        if self.head is None:
            return not self.lines
        number, expected = self.head
        before = sha256(self.lines[number - 1]) if 0 < number <= len(self.lines) else None
        is_there = before == expected if number else expected == _BEFORE_THE_FIRST
        return is_there and len(self.lines) - number in (0, 1)


def append(models_dir: Path, event: Event) -> Row:
    """Write down what happened; it is on the disk when this returns.

    What a killed process left of its row is dropped: it was never a row. A journal that was
    tampered with is gone on from where it stood before, so that the gap stays in it for good.

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
            f"The journal of the models cannot be written ({error.strerror}). Free room, or let "
            "the app write in the folder of the models, and do it again."
        ) from error


def rows(models_dir: Path) -> tuple[Row, ...]:
    """The rows that can be read, oldest first; whether they are whole is for `verify` to say.

    Raises:
        JournalError: the journal cannot be read.
    """
    found = []
    for line in _read_or_words(models_dir).lines:
        with contextlib.suppress(ValueError):
            number, _, event = _record(line)
            found.append(Row(number, event, sha256(line)))
    return tuple(found)


def verify(models_dir: Path, noted: str | None = None) -> Check:
    """Look for rows that were edited, deleted, moved or put in, and write nothing.

    Args:
        models_dir: where models are kept.
        noted: SHA-256 of a row, as an earlier check gave it; a row must still have it.

    Raises:
        JournalError: the journal cannot be read.
    """
    journal = _read_or_words(models_dir)
    problems, previous = [], _BEFORE_THE_FIRST
    for place, line in enumerate(journal.lines, 1):
        try:
            number, expected, event = _record(line)
        except ValueError as error:
            problems.append(
                f"Line {place} is no row of the journal ({error}): it was edited or damaged. "
                "Restore the journal from a copy."
            )
        else:
            if event.kind is Kind.RECOUNTED:
                problems.append(
                    f"Row {number} says that the rows were counted anew at {event.when}, as {HEAD} "
                    "was missing or damaged: rows that ended the journal before it may have been "
                    "deleted. Compare it with a copy, or with a SHA-256 noted earlier."
                )
            if expected != previous:
                problems.append(
                    f"Line {place} (row {number}) does not follow the line before it: a row was "
                    "edited, deleted, moved or put in there."
                )
            elif number != place:
                problems.append(f"Line {place} calls itself row {number}.")
        previous = sha256(line)
    problems += _end_problems(journal)
    if noted is not None and noted not in map(sha256, journal.lines):
        problems.append(f"No row has the SHA-256 that was noted, {noted}: rows were rewritten.")
    return Check(len(journal.lines), previous, tuple(problems))


def _end_problems(journal: _Journal) -> list[str]:
    """What the second file says against the end of the journal."""
    num_lines = len(journal.lines)
    if journal.head is None:
        if not num_lines:
            return []
        return [
            f"{HEAD} is missing or damaged ({journal.why_no_head}): whether rows are missing at "
            "the end cannot be told. Restore it from a copy, or compare the journal with a SHA-256 "
            "noted earlier."
        ]
    number, _ = journal.head
    if number > num_lines:
        return [f"The journal had {number} rows and has {num_lines}: the last were deleted."]
    if num_lines > number + 1:
        return [f"The journal has {num_lines} rows, of which {HEAD} knows {number}."]
    if not journal.is_as_counted:
        return [f"Row {number} is not the one that {HEAD} knows as the last: it was edited."]
    return []


def record(row: Row) -> dict[str, Any]:
    """A row as a JSON object, with its own SHA-256."""
    return {"number": row.number, **dataclasses.asdict(row.event), "sha256": row.sha256}


def _write(models_dir: Path, journal: _Journal, event: Event) -> Row:
    """Add a row behind those that are there, and count it."""
    # After a deletion at the end the chain goes on from the row that is gone.
    is_sound = journal.head is None or journal.is_as_counted
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
        # Before the first row, so that rows without the second file are always a sign.
        _write_head(models_dir, 0, _BEFORE_THE_FIRST)
    with path.open("r+b" if path.exists() else "x+b") as file:
        end = file.seek(0, os.SEEK_END)
        if journal.torn:
            if is_sound:
                end -= len(journal.torn)
            else:  # evidence: it stays, on a line of its own
                line = b"\n" + line
        file.truncate(end)
        file.seek(end)
        try:
            file.write(line + b"\n")
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            file.truncate(end)  # a full disk may have taken a part
            raise
    line = line.lstrip(b"\n")
    _write_head(models_dir, number + 1, sha256(line))
    return Row(number + 1, event, sha256(line))


def _write_head(models_dir: Path, number: int, line_sha256: str) -> None:
    record = {"num_rows": number, "sha256": line_sha256}
    write_atomic(models_dir / HEAD, json.dumps(record).encode())


def _cut(text: str, name: str) -> str:
    """The text on one line, without what cannot be seen, and no longer than it may be."""
    seen = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(seen.split())[: _MOST_LETTERS[name]]


def _canonical(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(
        fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def _read_or_words(models_dir: Path) -> _Journal:
    try:
        journal = _read(models_dir)
        for _ in range(_NUM_LOOKS):
            if journal.is_as_counted:
                break
            journal = _read(models_dir)  # rows may have been added between the two files
        return journal
    except OSError as error:
        raise JournalError(
            f"The journal of the models cannot be read ({error.strerror}). Mend the rights of "
            f"{ROWS} and {HEAD} in the folder of the models."
        ) from error


def _read(models_dir: Path) -> _Journal:
    # The second file first: a row that is added meanwhile is one that it does not know yet.
    counted, why = None, ""
    try:
        counted = _counted((models_dir / HEAD).read_bytes())
    except FileNotFoundError:
        why = "there is no such file"
    except ValueError as error:
        why = str(error)
    try:
        *lines, torn = (models_dir / ROWS).read_bytes().split(b"\n")
    except FileNotFoundError:
        lines, torn = [], b""
    return _Journal(tuple(lines), torn, counted, why)


def _counted(text: bytes) -> tuple[int, str]:
    """Number of rows and SHA-256 of the last, as the second file holds them, or a ValueError."""
    fields = _fields(text)
    return _whole_number(fields, "num_rows"), _text(fields, "sha256")


def _record(line: bytes) -> tuple[int, str, Event]:
    """Number, SHA-256 of the line before, and event of a line.

    Raises:
        ValueError: it is no row; says what came and what was expected.
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
        raise ValueError(f"it has {', '.join(unknown)}, which no row has")
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
