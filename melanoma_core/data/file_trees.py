"""What lies in a data set's folder: photographs, tables, and what names and tables say of them."""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from melanoma_core.data import csv_tables
from melanoma_core.data.csv_tables import CsvTable
from melanoma_core.data.schema import SPLITS
from melanoma_core.errors import DatasetError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff"})


@dataclass(frozen=True)
class Metadata:
    """What a table knows of a photograph; None where it does not."""

    patient_id: str | None = None
    lesion_id: str | None = None
    age_approx: float | None = None  # years
    sex: str | None = None
    anatom_site_general: str | None = None


@dataclass(frozen=True)
class Photograph:
    """One labeled file of a data set."""

    image_id: str
    diagnosis: str  # code of one of the nine classes
    file: PurePosixPath  # relative to the data set's folder
    num_bytes: int
    split: str | None  # as published
    metadata: Metadata


@dataclass(frozen=True)
class Reading:
    """What a reader found in a folder of its layout."""

    name: str | None  # None: the layout does not say, so the file's or folder's name serves
    license: str
    photographs: tuple[Photograph, ...]
    notes: tuple[str, ...]  # what was translated, merged or left out, in words
    is_official: bool  # labels come from a published table, not from folder names
    is_ak_with_bowen: bool = False  # AK stands for `akiec`, which holds Bowen's disease too


@dataclass(frozen=True)
class FileTree:
    """What lies in a data set's folder; all paths are relative to it."""

    name: str  # what the user calls the data set
    images: dict[PurePosixPath, int]  # file and its size in bytes, in order of paths
    empty_dirs: tuple[PurePosixPath, ...]
    tables: tuple[CsvTable, ...]
    license: str | None  # first line of the file LICENSE that lies above all photographs


_DERIVED = re.compile(r"_(segmentation|superpixels|mask|attribute_\w+)$")  # drawn, not photographs
_COPY = re.compile(r"\s*\(\d+\)$")  # what a browser or file manager adds to a second copy
_LICENCE_NAMES = frozenset({"license", "license.txt"})
_LICENCE_LENGTH = 200  # characters: a card names a license, it does not hold one
_SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
_ID_COLUMNS = ("image_id", "image", "image_name", "isic_id")
_METADATA_COLUMNS = {
    "patient_id": "patient_id",
    "lesion_id": "lesion_id",
    "age": "age_approx",
    "age_approx": "age_approx",
    "age_approximate": "age_approx",
    "sex": "sex",
    "localization": "anatom_site_general",
    "anatom_site_general": "anatom_site_general",
    "anatom_site_general_challenge": "anatom_site_general",
}


def scan(root: Path, name: str) -> FileTree:
    """What lies in a folder and below; hidden files and masks are passed over.

    Args:
        root: the folder.
        name: what the user calls it; stands in messages.

    Raises:
        DatasetError: there are no photographs, or a file or folder cannot be read.
    """
    try:
        tree = _walked(root, name)
    except OSError as error:
        raise DatasetError(
            f"{name}: {Path(error.filename or name).name} cannot be read: {error.strerror}. "
            "Check that it is there and that this user may read it."
        ) from error
    if not tree.images:
        raise DatasetError(
            f"{name} holds no photographs (JPEG, PNG, WebP or TIFF). "
            "Where they lie in zips of their own, unpack those into the same folder first."
        )
    return tree


def _walked(root: Path, name: str) -> FileTree:
    images: dict[PurePosixPath, int] = {}
    empty_dirs: list[PurePosixPath] = []
    tables: list[CsvTable] = []
    licenses: dict[PurePosixPath, str] = {}  # by folder, the outermost first
    for directory, dir_names, file_names in os.walk(root, onerror=_raise):
        dir_names[:] = sorted(d for d in dir_names if not d.startswith((".", "__MACOSX")))
        here = PurePosixPath(Path(directory).relative_to(root).as_posix())
        num_images = len(images)
        for file_name in sorted(f for f in file_names if not f.startswith(".")):
            path = Path(directory, file_name)
            if _is_photograph(path):
                images[here / file_name] = path.stat().st_size
            elif _is_table(path):
                tables.append(csv_tables.read(path, str(here / file_name)))
            elif file_name.lower() in _LICENCE_NAMES and (line := _first_line(path)):
                licenses.setdefault(here, line)
        if not dir_names and len(images) == num_images:
            empty_dirs.append(here)
    of_all = (
        line
        for folder, line in licenses.items()
        if all(file.is_relative_to(folder) for file in images)
    )
    return FileTree(name, images, tuple(empty_dirs), tuple(tables), next(of_all, None))


def _raise(error: OSError) -> None:
    raise error  # os.walk would pass over what it cannot read


def _first_line(path: Path) -> str:
    """The first line that holds anything, cut to a length and freed of what cannot be shown."""
    with path.open("rb") as file:
        lines = file.read(4096).decode("utf-8-sig", "replace").splitlines()
    shown = ("".join(filter(str.isprintable, line)).strip() for line in lines)
    return next(filter(None, shown), "")[:_LICENCE_LENGTH]


def _is_photograph(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and not _DERIVED.search(path.stem)


def _is_table(path: Path) -> bool:
    if path.suffix.lower() not in (".csv", ".tab") and path.name != "HAM10000_metadata":
        return False
    with path.open("rb") as file:
        # Kaggle's HAM10000 brings tables of thumbnails along, 30 MB of columns of this name.
        return b"pixel0000" not in file.read(4096)


def image_id_of(stem: str) -> str:
    """The image id in a file's or table's name, without what copies and small versions add.

    >>> image_id_of("ISIC_0025509 (1)")
    'ISIC_0025509'
    """
    return _COPY.sub("", stem).removesuffix("_downsampled")


def split_of(words: Sequence[str]) -> str | None:
    """The split that the last of these words names, such as a path's folders.

    >>> split_of(["ISIC", "Training"])
    'train'
    """
    named = [_SPLIT_NAMES[word.lower()] for word in words if word.lower() in _SPLIT_NAMES]
    return named[-1] if named else None


def strictest(splits: Iterable[str | None]) -> str | None:
    """Test before val before train before none: what is held out anywhere stays held out."""
    given = set(splits)
    return next((split for split in reversed(SPLITS) if split in given), None)


def id_column(table: CsvTable) -> str:
    """The column that holds the image ids.

    Raises:
        DatasetError: there is none.
    """
    for column in _ID_COLUMNS:
        if column in table.header:
            return column
    raise DatasetError(
        f"{table.name} has no column of image ids ({', '.join(_ID_COLUMNS)}); "
        f"its columns are {', '.join(table.header)}. Rename the column that holds them."
    )


def metadata(tables: Iterable[CsvTable]) -> dict[str, Metadata]:
    """What the tables know of each image id; where two tables know, the first is believed.

    Raises:
        DatasetError: an age is not a number or below 0; names file, line and column.
    """
    known: dict[str, dict[str, Any]] = {}
    for table in tables:
        columns = [column for column in table.header if column in _METADATA_COLUMNS]
        if not columns or not set(_ID_COLUMNS) & set(table.header):
            continue
        ids = id_column(table)
        for line, cells in table.records():
            of_image = known.setdefault(image_id_of(cells[ids]), {})
            for column in columns:
                value = _translated(column, cells[column], f"{table.name}, line {line}")
                if value is not None:
                    of_image.setdefault(_METADATA_COLUMNS[column], value)
    return {image_id: Metadata(**values) for image_id, values in known.items()}


def _translated(column: str, text: str, where: str) -> str | float | None:
    field = _METADATA_COLUMNS[column]
    if field == "age_approx":
        age = csv_tables.number(text, f"{where}, column {column}")
        if age is not None and age < 0:  # or a training would find it at its very end
            raise DatasetError(
                f"{where}, column {column}: the age “{text}” is below 0; it must be a number of "
                "years from 0. Correct it or leave it empty."
            )
        return age
    if field.endswith("_id"):
        return text if csv_tables.known(text) else None
    return csv_tables.known(text)
