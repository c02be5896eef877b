"""The models on disk: one folder each, written once, and the file that names the champion.

models/champion.json              every period of use, newest first; the first is the champion's
       <model_id>/card.json       what the model is, with the SHA-256 of every other file
                  network.tflite  LiteRT graph: image → last feature map, embedding
                  head.npz        kernel and bias of the dense layer that gives the logits
                  golden.npz      made-up inputs and the probabilities they must give
                  network.weights.h5  the network's weights as training left them
                  evaluation.json     one row per photograph
                  training_ids.npz    checksums of the ids that it was trained on
Models that have these parts:
                  outline.weights.h5  weights of the decoder that outlines the lesion
                  neighbors.npz       index of the training photographs, for similar cases
                  novelty.npz         what tells photographs of lesions from other pictures
"""

import contextlib
import dataclasses
import datetime
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from melanoma_core.errors import ModelError
from melanoma_core.models.cards import Card
from melanoma_core.models.journal import Kind
from melanoma_core.paths import locked, sha256, sync_dir, write_atomic

TRAINING_IDS = "training_ids.npz"
FILES = (
    "network.tflite", "head.npz", "golden.npz", "network.weights.h5", "evaluation.json",
    TRAINING_IDS,
)  # fmt: skip
OUTLINE_WEIGHTS = "outline.weights.h5"
NEIGHBORS = "neighbors.npz"
NOVELTY = "novelty.npz"
PARTS = (OUTLINE_WEIGHTS, NEIGHBORS, NOVELTY)  # a model may lack them
_REMEDY = (
    "Restore it from a copy, or delete it and promote a model again. If it was written before "
    "version 0.9, run: python -m melanoma_core upgrade"
)
_BUILDING = ".building-"  # how the folders are called in which models are built
_held: dict[Path, contextlib.ExitStack] = {}  # locks of the folders in which this process builds
_NUM_REMEMBERED = 6  # the model in use and five to go back to
CHAMPION_KINDS = (Kind.PROMOTED, Kind.OVERRULED, Kind.ROLLED_BACK)  # how a model becomes champion
_MODEL_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")


@dataclass(frozen=True)
class Champion:
    """The model that answers, or one that did; an entry is one period of use."""

    model_id: str
    since: str  # date and time, UTC
    sha256: str  # of its card.json
    author: str = ""  # who promoted it
    kind: str = ""  # as the journal calls it; empty: from before there was a journal
    reason: str = ""  # that was written
    against: str = ""  # what the comparison said against it, and was overruled


def champions(models_dir: Path) -> tuple[Champion, ...]:
    """The model in use and up to five others before it, newest first; empty when there is none.

    A model that was in use more than once has its newest period here.

    Raises:
        ModelError: champion.json cannot be read.
    """
    newest: dict[str, Champion] = {}
    for entry in periods(models_dir):
        newest.setdefault(entry.model_id, entry)
    return tuple(newest.values())[:_NUM_REMEMBERED]


def periods(models_dir: Path) -> tuple[Champion, ...]:
    """Every period of use in champion.json, newest first; empty when there is none.

    Raises:
        ModelError: champion.json cannot be read.
    """
    try:
        text = (models_dir / "champion.json").read_bytes()
        return tuple(_entry(fields) for fields in json.loads(text)["champions"])
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, TypeError, KeyError) as error:
        what = error.strerror if isinstance(error, OSError) else error
        raise ModelError(
            f"champion.json, which names the model in use, cannot be read ({what}). {_REMEDY}"
        ) from error


def _entry(fields: dict[str, Any]) -> Champion:
    """An entry of champion.json; a ValueError or TypeError says what it cannot hold."""
    entry = Champion(**fields)
    for name, value in dataclasses.asdict(entry).items():
        if not isinstance(value, str):
            raise ValueError(f"{name} is {value!r}; text was expected")
    if entry.kind not in ("", *CHAMPION_KINDS):
        raise ValueError(
            f"kind is {entry.kind!r}; {', '.join(CHAMPION_KINDS)} or none was expected"
        )
    return entry


def champion(models_dir: Path) -> Champion | None:
    """The model in use; None when there is none."""
    return next(iter(champions(models_dir)), None)


def set_champion(
    models_dir: Path,
    model_id: str,
    *,
    author: str = "",
    kind: str = "",
    reason: str = "",
    against: str = "",
) -> Champion:
    """Name `model_id` as the model in use, by one atomic rename.

    Whether it may be is decided before, in `promotion`, which also says by whom and why.
    """
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
    card = (model_dir(models_dir, model_id) / "card.json").read_bytes()
    newest = Champion(model_id, now, sha256(card), author, kind, reason, against)
    entries = [newest, *periods(models_dir)]
    record = {"champions": [_without_empty(entry) for entry in entries]}
    write_atomic(models_dir / "champion.json", json.dumps(record, indent=1).encode())
    return newest


def _without_empty(entry: Champion) -> dict[str, str]:
    return {name: value for name, value in dataclasses.asdict(entry).items() if value}


@contextmanager
def champion_lock(models_dir: Path) -> Iterator[None]:
    """Let one process at a time change the champion or upgrade models.

    Raises:
        ModelError: the folder cannot be written to.
    """
    try:
        with locked(models_dir / ".promotion.lock", creates=True):
            yield
    except OSError as error:
        raise ModelError(
            f"The model in use cannot be changed: {error.strerror}. Free disk space, or let the "
            "app write to the models folder."
        ) from error


def model_dir(models_dir: Path, model_id: str) -> Path:
    """The folder of a model.

    Raises:
        ModelError: there is no such model, or the id is none.
    """
    directory = models_dir / model_id
    if not _MODEL_ID.fullmatch(model_id) or not (directory / "card.json").is_file():
        known = ", ".join(_model_ids(models_dir)) or "none yet"
        raise ModelError(f"There is no model “{model_id}”. The models are: {known}.")
    return directory


def read_card(directory: Path) -> Card:
    """The card of the model in this folder.

    Raises:
        ModelError: the card cannot be read, or is another model's.
    """
    return _read_card(directory)[0]


def _read_card(directory: Path) -> tuple[Card, str]:
    """The card, and the SHA-256 of the bytes that it was read from."""
    try:
        text = (directory / "card.json").read_bytes()
    except OSError as error:
        raise ModelError(
            f"The model “{directory.name}” has no card that can be read. Restore its folder "
            "from a copy, or train again."
        ) from error
    card = Card.from_json(text)
    if card.model_id != directory.name:
        raise ModelError(
            f"The folder “{directory.name}” holds the card of “{card.model_id}”: models were "
            "swapped. Restore both folders from a copy."
        )
    return card, sha256(text)


def list_cards(models_dir: Path) -> tuple[list[Card], list[str]]:
    """The cards of all models, newest first; and what is wrong with those that cannot be read."""
    cards, problems = [], []
    for model_id in _model_ids(models_dir):
        try:
            cards.append(read_card(models_dir / model_id))
        except ModelError as error:
            problems.append(f"{model_id}: {error}")
    return sorted(cards, key=lambda card: (card.created, card.model_id), reverse=True), problems


def read_files(directory: Path) -> tuple[Card, str, dict[str, bytes]]:
    """The card, its SHA-256, and the bytes of every file of a model, each one checked.

    What is checked are the bytes that are returned, so nothing can be swapped in between.

    Raises:
        ModelError: a file is missing or differs from what the card says.
    """
    card, card_sha256 = _read_card(directory)
    contents = {}
    for name, expected in card.files.items():
        try:
            data = (directory / name).read_bytes()
        except OSError as error:
            raise ModelError(
                f"The model “{card.model_id}” lacks its file {name}. Restore the folder from a "
                "copy, or train again."
            ) from error
        if sha256(data) != expected:
            raise ModelError(
                f"The file {name} of the model “{card.model_id}” is not the one that was made in "
                "training: its SHA-256 differs from the card’s. Restore the folder from a copy, "
                "or train again."
            )
        contents[name] = data
    if set(contents) - set(PARTS) != set(FILES):
        raise ModelError(
            f"The card of “{card.model_id}” names {', '.join(sorted(contents)) or 'no files'}; "
            f"a model has {', '.join(FILES)}. Restore the folder from a copy, or train again."
        )
    return card, card_sha256, contents


def check_new(models_dir: Path, model_id: str) -> None:
    """Check that a new model may have this id.

    Raises:
        ModelError: the id is malformed, or a model of this id exists.
    """
    if not _MODEL_ID.fullmatch(model_id):
        raise ModelError(
            f"A model cannot be called “{model_id}”. Choose a name of at most 80 small letters, "
            "digits, points, hyphens and underscores that begins with a letter or digit."
        )
    if (models_dir / model_id).exists():
        raise ModelError(
            f"There can be no second model “{model_id}”: a model of this name exists. Choose "
            "another name."
        )


def building_dir(models_dir: Path) -> Path:
    """A new folder aside, in which a model is built before `add` moves it into place.

    It belongs to this process until that ends; what killed processes left is removed first.
    """
    models_dir.mkdir(parents=True, exist_ok=True)
    # Between being made and being locked a new folder looks like one that was left.
    with _locked_dir(models_dir, waits=True) as is_alone:
        if is_alone:
            _remove_left_buildings(models_dir)
        building = Path(tempfile.mkdtemp(prefix=_BUILDING, dir=models_dir))
        _hold(building)
    return building


def _remove_left_buildings(models_dir: Path) -> None:
    """Remove the folders that no living process builds in."""
    for left in models_dir.glob(f"{_BUILDING}*"):
        if left.is_symlink():
            continue
        with _locked_dir(left, waits=False) as is_left:
            if is_left:
                shutil.rmtree(left, ignore_errors=True)


def _hold(building: Path) -> None:
    """Lock a folder until this process ends, in whatever way."""
    for gone in [path for path in _held if not path.exists()]:
        _held.pop(gone).close()
    _held[building] = contextlib.ExitStack()
    with contextlib.suppress(OSError):  # as in `_locked_dir`
        _held[building].enter_context(locked(building))


@contextmanager
def _locked_dir(directory: Path, *, waits: bool) -> Iterator[bool]:
    """Lock the folder itself, so that no lock file stays in it; False where that cannot be.

    Some network disks lock no folders: there nothing is removed, and a model is built all the same.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked(directory, waits=waits))
            is_locked = True
        except OSError:
            is_locked = False
        yield is_locked


def add(models_dir: Path, building: Path, card: Card) -> Path:
    """Write the card beside the files and rename the folder whole; it never changes again.

    Args:
        models_dir: where models are kept.
        building: holds all of `FILES`, and any of `PARTS`; it is gone afterwards.
        card: its `files` are computed here.

    Raises:
        ModelError: a file is missing, the id is malformed, or a model of this id exists.
    """
    target = models_dir / card.model_id
    missing = [name for name in FILES if not (building / name).is_file()]
    try:
        if missing:
            raise ModelError(
                f"The model “{card.model_id}” was not added: it lacks {', '.join(missing)}."
            )
        check_new(models_dir, card.model_id)
    except ModelError:
        shutil.rmtree(building)
        raise
    files = {}
    for name in (*FILES, *(part for part in PARTS if (building / part).is_file())):
        with (building / name).open("rb") as file:
            os.fsync(file.fileno())  # or a power cut could leave a folder of empty files
            files[name] = sha256(file.read())
    record = dataclasses.replace(card, files=files).to_json()
    write_atomic(building / "card.json", record.encode())
    building.chmod(0o755)  # mkdtemp makes 0700
    os.rename(building, target)
    sync_dir(models_dir)
    return target


def _model_ids(models_dir: Path) -> list[str]:
    return sorted(path.parent.name for path in models_dir.glob("[!.]*/card.json"))
