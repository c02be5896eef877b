"""The models on disk: one folder each, written once, and the file that names the one in use.

models/champion.json            the models in use, newest first
       <model_id>/card.json     what the model is, and the SHA-256 of every other file and of itself
                  network.tflite  LiteRT graph: image → last feature map, embedding
                  head.npz        kernel and bias of the dense layer that gives the logits
                  golden.npz      made-up inputs and the probabilities they must give
                  network.weights.h5  what full training goes on from
                  evaluation.json     one row a photograph
                  taught.npz      checksums of the ids that it was taught; not of older models
"""

import contextlib
import dataclasses
import datetime
import fcntl
import json
import math
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from melanoma_core.data.coverage import ATTRIBUTES
from melanoma_core.errors import ModelError
from melanoma_core.images.color_casts import Limits
from melanoma_core.models.journal import Kind
from melanoma_core.paths import sha256, sync_dir, write_atomic

INTENDED_USE = "Research and education; not a medical device; the decision is the clinician’s."
NOT_FOR = (
    "photographs taken without a dermatoscope",
    "nails, mucosa, palms and soles",
    "several lesions in one photograph",
    "patients under 18",
)
FILES = (
    "network.tflite", "head.npz", "golden.npz", "network.weights.h5", "evaluation.json",
)  # fmt: skip
TAUGHT = "taught.npz"  # models of before have none
_BUILDING = ".building-"  # how the folders are called in which models are built
_held: dict[Path, int] = {}  # open folders in which this process builds; each keeps its lock
_CHECKSUM = "card_sha256"
_NUM_REMEMBERED = 6  # the model in use and five to go back to
_KINDS = (Kind.PROMOTED, Kind.OVERRULED, Kind.ROLLED_BACK)  # how a model comes into use
_MODEL_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")


@dataclass(frozen=True)
class Figure:
    """A measured figure with its 95 % interval; NaN where it is not defined."""

    value: float
    low: float
    high: float
    num_photographs: int  # that it was measured on
    num_lesions: int
    num_hits: int | None = None  # of a share: photographs in the numerator


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold chosen on validation photographs, and what it did on test photographs."""

    target: float  # share of melanomas that it is placed to find
    threshold: float  # a lesion is referred when its melanoma probability reaches it
    val_photographs: int  # melanomas that it was chosen on
    val_lesions: int
    sensitivity: Figure
    specificity: Figure


@dataclass(frozen=True)
class Differential:
    """The cutoffs of a conformal differential, and what its sets held on test photographs."""

    level: float  # share of the cases whose true diagnosis it is to hold
    melanoma_cutoff: float  # melanoma joins from this probability on
    other_cutoff: float  # any other diagnosis joins from this one on
    val_photographs: int  # other than melanomas, that `other_cutoff` was chosen on
    val_melanomas: int  # photographs of melanomas, that `melanoma_cutoff` was chosen on
    coverage: Figure  # share of the photographs whose true diagnosis is in the set
    melanoma_coverage: Figure  # the same of melanomas
    mean_size: Figure  # diagnoses in a set
    review_share: Figure  # share of the photographs whose set is for review


@dataclass(frozen=True)
class DatasetUse:
    """A data set that a model was made with."""

    name: str
    licence: str
    sha256: str
    num_train: int  # photographs
    num_val: int
    num_test: int


@dataclass(frozen=True)
class Card:
    """All there is to know of a model; every figure comes from the run that made it."""

    model_id: str
    created: str  # date, UTC
    run_id: str
    network: str
    image_size: int  # pixels a side
    has_saliency: bool
    diagnoses: tuple[str, ...]  # codes, in the order of the outputs
    temperature: float
    operating_points: tuple[OperatingPoint, ...]
    differential: Differential
    figures: dict[str, dict[str, Figure]]  # by source, then by name, on the test split
    class_counts: dict[str, dict[str, int]]  # by split, then by diagnosis: photographs
    seen: dict[str, dict[str, int]]  # by `coverage.ATTRIBUTES`, then by value: training lesions
    datasets: tuple[DatasetUse, ...]  # of its own run
    split_sha256: str
    notes: tuple[str, ...]  # what was translated, merged or left out of the data
    config: dict[str, Any]
    history: tuple[dict[str, Any], ...]  # of each epoch, as `fitting.fit`; empty: not recorded
    versions: dict[str, str]
    intended_use: str
    not_for: tuple[str, ...]
    files: dict[str, str]  # SHA-256 by name
    # Those that only the models that it was made from were taught, as their cards count them.
    inherited_datasets: tuple[DatasetUse, ...] = ()
    # Of each diagnosis, what calibration added to the last layer's bias; empty: it added nothing.
    class_bias: tuple[float, ...] = ()
    colour_limits: Limits = ()  # that its network holds colour casts within; empty: it does not

    def operating_point(self, target: float = 0.95) -> OperatingPoint:
        """The operating point placed to find this share of the melanomas.

        Raises:
            ModelError: the model has none for it.
        """
        for point in self.operating_points:
            if math.isclose(point.target, target):
                return point
        known = ", ".join(f"{point.target:g}" for point in self.operating_points)
        raise ModelError(
            f"The model “{self.model_id}” has no threshold for a sensitivity of {target:g}; it "
            f"has {known or 'none'}."
        )

    def to_json(self) -> str:
        """The card as JSON, with a checksum of its own; NaN becomes null."""
        fields = _without_nan(dataclasses.asdict(self))
        record = {**fields, _CHECKSUM: _checksum(fields)}
        return json.dumps(record, indent=1, allow_nan=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Card":
        """The card that `to_json` wrote.

        Raises:
            ModelError: a field is missing, unknown or damaged.
        """
        try:
            fields = json.loads(text)
            if fields.pop(_CHECKSUM) != _checksum(fields):
                raise ValueError("it was changed after it was written")
            fields["operating_points"] = tuple(
                OperatingPoint(**_with_figures(point, "sensitivity", "specificity"))
                for point in fields["operating_points"]
            )
            measured = ("coverage", "melanoma_coverage", "mean_size", "review_share")
            fields["differential"] = Differential(
                **_with_figures(fields["differential"], *measured)
            )
            fields["figures"] = {
                source: {name: figure_of(figure) for name, figure in figures.items()}
                for source, figures in fields["figures"].items()
            }
            fields.setdefault("inherited_datasets", [])  # cards of before have none
            for name in ("datasets", "inherited_datasets"):
                fields[name] = tuple(DatasetUse(**use) for use in fields[name])
            fields["history"] = tuple(
                {name: math.nan if value is None else value for name, value in epoch.items()}
                for epoch in fields["history"]
            )
            for name in ("diagnoses", "notes", "not_for"):
                fields[name] = tuple(fields[name])
            for name in ("class_bias", "colour_limits"):
                fields[name] = tuple(fields.get(name, ()))
            lacking = [name for name in ATTRIBUTES if name not in fields["seen"]]
            if lacking:
                raise ValueError(f"what was seen lacks {', '.join(lacking)}")
            return cls(**fields)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ModelError(
                f"The model’s card cannot be read ({error}). Restore the model’s folder from a "
                "copy, or train again."
            ) from error


@dataclass(frozen=True)
class InUse:
    """The model that answers, or one that did."""

    model_id: str
    since: str  # date and time, UTC
    sha256: str  # of its card.json
    by: str = ""  # who put it into use
    kind: str = ""  # as the journal calls it; empty: from before there was a journal
    reason: str = ""  # that was written
    against: str = ""  # what the comparison said against it, and was overruled


def in_use(models_dir: Path) -> tuple[InUse, ...]:
    """The model in use and those before it, newest first; empty when there is none.

    Raises:
        ModelError: champion.json cannot be read.
    """
    try:
        text = (models_dir / "champion.json").read_bytes()
        return tuple(_entry(fields) for fields in json.loads(text)["in_use"])
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, TypeError, KeyError) as error:
        what = error.strerror if isinstance(error, OSError) else error
        raise ModelError(
            f"champion.json, which names the model in use, cannot be read ({what}). Restore it "
            "from a copy, or delete it and put a model into use again."
        ) from error


def _entry(fields: dict[str, Any]) -> InUse:
    """An entry of champion.json; a ValueError or TypeError says what it cannot hold."""
    entry = InUse(**fields)
    for name, value in dataclasses.asdict(entry).items():
        if not isinstance(value, str):
            raise ValueError(f"{name} is {value!r}; text was expected")
    if entry.kind not in ("", *_KINDS):
        raise ValueError(f"kind is {entry.kind!r}; {', '.join(_KINDS)} or none was expected")
    return entry


def champion(models_dir: Path) -> InUse | None:
    """The model in use; None when there is none."""
    return next(iter(in_use(models_dir)), None)


def put_into_use(
    models_dir: Path,
    model_id: str,
    *,
    by: str = "",
    kind: str = "",
    reason: str = "",
    against: str = "",
) -> InUse:
    """Name `model_id` as the model in use, by one atomic rename.

    Whether it may be is decided before, in `promotion`, which also says by whom and why.
    """
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
    card = (model_dir(models_dir, model_id) / "card.json").read_bytes()
    newest = InUse(model_id, now, sha256(card), by, kind, reason, against)
    entries = [newest, *(e for e in in_use(models_dir) if e.model_id != model_id)]
    record = {"in_use": [_without_empty(entry) for entry in entries[:_NUM_REMEMBERED]]}
    write_atomic(models_dir / "champion.json", json.dumps(record, indent=1).encode())
    return newest


def _without_empty(entry: InUse) -> dict[str, str]:
    return {name: value for name, value in dataclasses.asdict(entry).items() if value}


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
    if set(contents) - {TAUGHT} != set(FILES):
        raise ModelError(
            f"The card of “{card.model_id}” names {', '.join(sorted(contents)) or 'no files'}; "
            f"a model has {', '.join(FILES)}. Restore the folder from a copy, or train again."
        )
    return card, card_sha256, contents


def check_new(models_dir: Path, model_id: str) -> None:
    """Check that a model may be called so.

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
    with _locked_dir(models_dir, fcntl.LOCK_EX) as is_alone:
        if is_alone:
            _remove_left_buildings(models_dir)
        building = Path(tempfile.mkdtemp(prefix=_BUILDING, dir=models_dir))
        _hold(building)
    return building


def _remove_left_buildings(models_dir: Path) -> None:
    """Remove the folders that no living process builds in."""
    for left in models_dir.glob(f"{_BUILDING}*"):
        with _locked_dir(left, fcntl.LOCK_EX | fcntl.LOCK_NB) as is_left:
            if is_left:
                shutil.rmtree(left, ignore_errors=True)


def _hold(building: Path) -> None:
    """Lock a folder until this process ends, in whatever way."""
    for gone in [path for path in _held if not path.exists()]:
        os.close(_held.pop(gone))
    handle = _held[building] = os.open(building, os.O_RDONLY)
    with contextlib.suppress(OSError):  # as in `_locked_dir`
        fcntl.flock(handle, fcntl.LOCK_EX)


@contextmanager
def _locked_dir(directory: Path, how: int) -> Iterator[bool]:
    """Lock the folder itself, so that no file is left in it; False where that cannot be.

    Some network disks lock no folders: there nothing is removed, and a model is built all the same.
    """
    try:
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        yield False
        return
    try:
        try:
            fcntl.flock(handle, how)
            is_locked = True
        except OSError:
            is_locked = False
        yield is_locked
    finally:
        os.close(handle)


def add(models_dir: Path, building: Path, card: Card) -> Path:
    """Write the card beside the files and rename the folder whole; it never changes again.

    Args:
        models_dir: where models are kept.
        building: holds all of `FILES`, and `TAUGHT` where it is known; it is gone afterwards.
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
    for name in (*FILES, *([TAUGHT] if (building / TAUGHT).is_file() else [])):
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


def _checksum(fields: dict[str, Any]) -> str:
    return sha256(json.dumps(fields).encode())


def figure_record(figure: Figure) -> dict[str, Any]:
    """A figure as a JSON object; NaN becomes null."""
    record: dict[str, Any] = _without_nan(dataclasses.asdict(figure))
    return record


def figure_of(fields: dict[str, Any]) -> Figure:
    """The figure that `figure_record` wrote."""
    value, low, high = (
        math.nan if fields[name] is None else fields[name] for name in ("value", "low", "high")
    )
    return Figure(**{**fields, "value": value, "low": low, "high": high})


def _with_figures(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {**fields, **{name: figure_of(fields[name]) for name in names}}


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
