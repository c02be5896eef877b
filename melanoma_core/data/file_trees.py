"""The files of a data set: photographs, tables, and what file names and tables say about them."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from melanoma_core.data import csv_tables
from melanoma_core.data.csv_tables import CsvTable
from melanoma_core.data.schema import SPLITS
from melanoma_core.errors import DatasetError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff"})


@dataclass(frozen=True)
class Metadata:
    """A photograph's metadata; None where no table has it."""

    patient_id: str | None = None
    lesion_id: str | None = None
    age_approx: float | None = None  # years
    sex: str | None = None
    anatom_site_general: str | None = None
    fitzpatrick_skin_type: str | None = None
    diagnosis_confirm_type: str | None = None
    copyright_license: str | None = None
    attribution: str | None = None


@dataclass(frozen=True)
class Photograph:
    """One labeled file of a data set."""

    image_id: str
    diagnosis: str  # one of `diagnoses.LABELS`
    file: PurePosixPath  # relative to the data set's folder
    num_bytes: int
    split: str | None  # as published
    metadata: Metadata


@dataclass(frozen=True)
class ParsedDataset:
    """The contents of a data set, read from its folder."""

    name: str | None  # None: use the name of the file or folder
    license: str
    photographs: tuple[Photograph, ...]
    notes: tuple[str, ...]  # what was translated, merged or left out, as text
    is_official: bool  # labeled by a published table, not by folder names
    is_ak_with_bowen: bool = False  # AK is `akiec`, which includes Bowen's disease
    # Files of what is none of the nine classes, by the name that the table gives it.
    other_files: Mapping[str, tuple[PurePosixPath, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class FileTree:
    """The files in a data set's folder, with paths relative to it."""

    name: str  # what the user calls the data set
    images: dict[PurePosixPath, int]  # file and its size in bytes, in order of paths
    empty_dirs: tuple[PurePosixPath, ...]
    tables: tuple[CsvTable, ...]
    license: str | None  # first line of a LICENSE file in a folder above all photographs


_DERIVED = re.compile(
    r"_(segmentation|superpixels|mask|attribute_\w+)$"
)  # annotations, not photographs
_COPY = re.compile(r"\s*\(\d+\)$")  # added by browsers and file managers to second copies
# British spelling too: "licence".
_LICENSE_NAMES = frozenset({"license", "licence", "license.txt", "licence.txt"})
_LICENSE_LENGTH = 200  # characters: a card names a license, it does not quote it
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
    "fitzpatrick_skin_type": "fitzpatrick_skin_type",
    "diagnosis_confirm_type": "diagnosis_confirm_type",
    "dx_type": "diagnosis_confirm_type",
    "copyright_license": "copyright_license",
    "attribution": "attribution",
}
# HAM10000 abbreviates how a diagnosis was confirmed; these are the words of the ISIC Archive.
_CONFIRM_TYPES = {
    "histo": "histopathology",
    "follow_up": "serial imaging showing no change",
    "consensus": "single image expert consensus",
    "confocal": "confocal microscopy with consensus dermoscopy",
}
_LICENSES = {"CC-0": "CC0", "CC-BY": "CC BY", "CC-BY-NC": "CC BY-NC"}  # and as people write them


def scan(root: Path, name: str) -> FileTree:
    """The files below a folder, without hidden files and masks.

    Args:
        root: the folder.
        name: what the user calls it, for error messages.

    Raises:
        DatasetError: there are no photographs, or a file or folder cannot be read.
    """
    try:
        tree = _walk(root, name)
    except OSError as error:
        raise DatasetError(
            f"{name}: {Path(error.filename or name).name} cannot be read: {error.strerror}. "
            "Check that it exists and that this user may read it."
        ) from error
    if not tree.images:
        raise DatasetError(
            f"{name} holds no photographs (JPEG, PNG, WebP or TIFF). "
            "If they are in zips of their own, unpack those into the same folder first."
        )
    return tree


def _walk(root: Path, name: str) -> FileTree:
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
            elif file_name.lower() in _LICENSE_NAMES and (line := _first_line(path)):
                licenses.setdefault(here, line)
        if not dir_names and len(images) == num_images:
            empty_dirs.append(here)
    common_licenses = (
        line
        for folder, line in licenses.items()
        if all(file.is_relative_to(folder) for file in images)
    )
    return FileTree(name, images, tuple(empty_dirs), tuple(tables), next(common_licenses, None))


def _raise(error: OSError) -> None:
    raise error  # os.walk skips what it cannot read


def _first_line(path: Path) -> str:
    """The first line that is not blank, printable and cut to `_LICENSE_LENGTH`."""
    with path.open("rb") as file:
        lines = file.read(4096).decode("utf-8-sig", "replace").splitlines()
    printable = ("".join(filter(str.isprintable, line)).strip() for line in lines)
    return next(filter(None, printable), "")[:_LICENSE_LENGTH]


def _is_photograph(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and not _DERIVED.search(path.stem)


def _is_table(path: Path) -> bool:
    if path.suffix.lower() not in (".csv", ".tab") and path.name != "HAM10000_metadata":
        return False
    with path.open("rb") as file:
        # Kaggle's HAM10000 includes tables of thumbnails: 30 MB in columns of this name.
        return b"pixel0000" not in file.read(4096)


def image_id_of(stem: str) -> str:
    """The image id in a file name, without the suffixes of copies and small versions.

    >>> image_id_of("ISIC_0025509 (1)")
    'ISIC_0025509'
    """
    return _COPY.sub("", stem).removesuffix("_downsampled")


def split_of(words: Sequence[str]) -> str | None:
    """The last split named by these words, such as the folders of a path.

    >>> split_of(["ISIC", "Training"])
    'train'
    """
    splits = [_SPLIT_NAMES[word.lower()] for word in words if word.lower() in _SPLIT_NAMES]
    return splits[-1] if splits else None


def strictest_split(splits: Iterable[str | None]) -> str | None:
    """Test before val before train before None: a photograph held out anywhere stays held out."""
    present = set(splits)
    return next((split for split in reversed(SPLITS) if split in present), None)


def id_column(table: CsvTable) -> str:
    """The name of the column of image ids.

    Raises:
        DatasetError: there is none.
    """
    for column in _ID_COLUMNS:
        if column in table.header:
            return column
    raise DatasetError(
        f"{table.name} has no column of image ids ({', '.join(_ID_COLUMNS)}); "
        f"its columns are {', '.join(table.header)}. Rename the column that has them."
    )


def metadata(tables: Iterable[CsvTable]) -> dict[str, Metadata]:
    """Metadata by image id; the first table that has a value counts.

    Raises:
        DatasetError: an age is negative or not a number.
    """
    known: dict[str, dict[str, Any]] = {}
    for table in tables:
        columns = [column for column in table.header if column in _METADATA_COLUMNS]
        if not columns or not set(_ID_COLUMNS) & set(table.header):
            continue
        ids = id_column(table)
        for line, cells in table.records():
            values = known.setdefault(image_id_of(cells[ids]), {})
            for column in columns:
                value = _parse_cell(column, cells[column], f"{table.name}, line {line}")
                if value is not None:
                    values.setdefault(_METADATA_COLUMNS[column], value)
    return {image_id: Metadata(**values) for image_id, values in known.items()}


def _parse_cell(column: str, text: str, where: str) -> str | float | None:
    field = _METADATA_COLUMNS[column]
    if field == "age_approx":
        age = csv_tables.parse_number(text, f"{where}, column {column}")
        if age is not None and age < 0:  # else training would only fail at its very end
            raise DatasetError(
                f"{where}, column {column}: the age “{text}” is below 0; it must be a number of "
                "years from 0. Correct it or leave it empty."
            )
        return age
    value = csv_tables.parse_text(text)
    if value is None or field in ("anatom_site_general", "sex"):
        return value
    if field == "diagnosis_confirm_type":
        return _CONFIRM_TYPES.get(value, value)
    return _LICENSES.get(text, text) if field == "copyright_license" else text
