"""The layouts in which people have lesion photographs, recognised and read from a folder.

HAM10000 is known by a table with a `dx` column, an ISIC challenge set by its ground-truth table;
what has neither is taken for class folders. Foreign column names end here.
"""

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from melanoma_core import csv_tables, diagnoses
from melanoma_core.csv_tables import CsvTable
from melanoma_core.errors import DatasetError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff"})


@dataclass(frozen=True)
class Photograph:
    """One file of a data set, in this project's words; None where a value is not known."""

    image_id: str
    diagnosis: str
    file: PurePosixPath  # relative to the data set's folder
    num_bytes: int
    lesion_id: str | None = None
    age_approx: float | None = None
    sex: str | None = None
    anatom_site_general: str | None = None
    split: str | None = None  # "train", "val" or "test", as published


@dataclass(frozen=True)
class Reading:
    """What a reader found in one folder."""

    name: str | None  # None: the layout does not say, so the file's or folder's name serves
    licence: str
    photographs: tuple[Photograph, ...]
    notes: tuple[str, ...]
    is_official: bool  # labels come from a published table, not from folder names
    is_ak_with_bowen: bool = False  # AK stands for `akiec`, which holds Bowen's disease too


@dataclass(frozen=True)
class Tree:
    """What lies in a data set's folder; all paths are relative to it."""

    root: Path
    name: str  # what the user calls it
    images: dict[PurePosixPath, int]  # file and its size in bytes, sorted
    empty_dirs: tuple[PurePosixPath, ...]
    tables: tuple[CsvTable, ...]


_COPY = re.compile(r"\s*\(\d+\)$")  # what a browser or file manager adds to a second copy
_SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
_HELD_OUT = ("test", "val", "train", None)  # the earlier wins where two copies disagree
_ID_COLUMNS = ("image_id", "image", "image_name", "isic_id")
_METADATA_COLUMNS = {
    "lesion_id": "lesion_id",
    "age": "age_approx",
    "age_approx": "age_approx",
    "age_approximate": "age_approx",
    "sex": "sex",
    "localization": "anatom_site_general",
    "anatom_site_general": "anatom_site_general",
    "anatom_site_general_challenge": "anatom_site_general",
}
_ONE_HOT = {
    "mel": "MEL",
    "nv": "NV",
    "bcc": "BCC",
    "ak": "AK",
    "akiec": "AK",
    "bkl": "PBK",
    "df": "DF",
    "vasc": "VASC",
    "scc": "SCC",
    "unk": None,
}
_HAM_DX = {code: _ONE_HOT[code] for code in ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")}
_ISIC_LICENCES = {
    "2016": "CC0",
    "2017": "CC0",
    "2018": "CC BY-NC 4.0",
    "2019": "CC BY-NC 4.0",
}
_MALIGNANCIES = {"benign": None, "0.0": None, "malignant": "MEL", "1.0": "MEL"}
_YEAR = re.compile(r"IS(?:IC|BI)[-_ ]?(20\d\d)", re.IGNORECASE)
_DERIVED = re.compile(r"_(segmentation|superpixels|mask|attribute_\w+)$")  # drawn, not photographs
_SHOWN = 3  # ids that an error names before it gives the count


def read(root: Path, name: str) -> Reading:
    """The photographs of the data set in a folder, whichever layout it has.

    Args:
        root: the folder; wrapping folders inside it make no difference.
        name: what the user calls it; stands in messages.

    Raises:
        DatasetError: no layout is recognised, or what there is does not fit together.
    """
    tree = _scan(root, name)
    if not tree.images:
        raise DatasetError(
            f"{name} holds no photographs (JPEG, PNG, WebP or TIFF). "
            "Where they lie in zips of their own, unpack those into the same folder first."
        )
    ham_tables = [table for table in tree.tables if "dx" in table.header]
    truth_tables = [table for table in tree.tables if _truth_reader(table)]
    if ham_tables:
        return _read_ham10000(tree, ham_tables)
    if truth_tables:
        return _read_isic_challenge(tree, truth_tables)
    return _read_class_folders(tree)


def _scan(root: Path, name: str) -> Tree:
    images: dict[PurePosixPath, int] = {}
    empty_dirs: list[PurePosixPath] = []
    tables: list[CsvTable] = []
    for directory, dir_names, file_names in os.walk(root, onerror=_refuse_unreadable):
        dir_names[:] = sorted(d for d in dir_names if not d.startswith((".", "__MACOSX")))
        here = PurePosixPath(Path(directory).relative_to(root).as_posix())
        num_images = 0
        for file_name in sorted(file_names):
            path = Path(directory, file_name)
            if file_name.startswith(".") or _DERIVED.search(path.stem):
                continue
            if path.suffix.lower() in IMAGE_SUFFIXES:
                images[here / file_name] = path.stat().st_size
                num_images += 1
            elif path.suffix.lower() in (".csv", ".tab") and not _is_pixel_table(path):
                tables.append(csv_tables.read(path, str(here / file_name)))
        if not num_images and not dir_names:
            empty_dirs.append(here)
    return Tree(root, name, images, tuple(empty_dirs), tuple(tables))


def _refuse_unreadable(error: OSError) -> None:
    raise DatasetError(
        f"The folder {Path(error.filename or '').name} cannot be read: {error.strerror}."
    ) from error


def _is_pixel_table(path: Path) -> bool:
    """Whether it is one of the tables of thumbnails that Kaggle's HAM10000 brings along."""
    with path.open("rb") as file:
        return b"pixel0000" in file.read(4096)


# HAM10000 and the ISIC challenges: a published table gives the diagnoses


@dataclass(frozen=True)
class _Label:
    """What one row of a published table says of one photograph."""

    image_id: str
    code: str | None  # None: none of the nine, so the photograph is left out
    where: str  # file and line
    split: str | None


def _read_ham10000(tree: Tree, tables: Sequence[CsvTable]) -> Reading:
    labels, num_akiec, num_bkl = [], 0, 0
    for table in tables:
        table.require("lesion_id", "image_id", "dx")
        split = _split_in_name(table.name) if len(tables) > 1 else None
        for line, cells in table.records():
            where = f"{table.name}, line {line}"
            dx = cells["dx"].lower()
            if dx not in _HAM_DX:
                raise DatasetError(
                    f"{where}: “{cells['dx']}” is not a diagnosis of HAM10000; "
                    f"those are {', '.join(_HAM_DX)}. Correct the row or take it out."
                )
            num_akiec += dx == "akiec"
            num_bkl += dx == "bkl"
            labels.append(_Label(_id_of(cells["image_id"]), _HAM_DX[dx], where, split))
    photographs, notes = _join(tree, labels)
    return Reading(
        name="ham10000",
        licence="CC BY-NC 4.0",
        photographs=photographs,
        notes=(*_merged_class_notes("akiec", num_akiec, "bkl", num_bkl), *notes),
        is_official=True,
        is_ak_with_bowen=True,
    )


def _read_isic_challenge(tree: Tree, tables: Sequence[CsvTable]) -> Reading:
    labels: list[_Label] = []
    notes: list[str] = []
    for table in tables:
        reader = _truth_reader(table)
        assert reader is not None  # the caller chose the tables by it
        labels += reader(table)
    num_left_out = sum(label.code is None for label in labels)
    if num_left_out:
        notes.append(
            f"{num_left_out:,} photographs whose table gives no diagnosis of the nine "
            "(“UNK”, or “benign” without more) are left out."
        )
    is_merged = any("akiec" in table.header for table in tables)
    if any("bkl" in table.header for table in tables):
        notes += _merged_class_notes(
            "AKIEC",
            sum(label.code == "AK" for label in labels) if is_merged else 0,
            "BKL",
            sum(label.code == "PBK" for label in labels),
        )
    photographs, more_notes = _join(tree, labels)
    years = sorted({year for table in tables for year in _YEAR.findall(table.name)})
    licences = sorted({_ISIC_LICENCES.get(year, "not stated") for year in years})
    return Reading(
        name=f"isic{years[0]}" if len(years) == 1 else None,
        licence=", ".join(licences) or "not stated",
        photographs=photographs,
        notes=(*notes, *more_notes),
        is_official=True,
        is_ak_with_bowen=is_merged,
    )


def _merged_class_notes(ak: str, num_ak: int, pbk: str, num_pbk: int) -> list[str]:
    notes = []
    if num_ak:
        notes.append(
            f"{num_ak:,} photographs of “{ak}” (actinic keratosis or Bowen's disease) are read as "
            "Actinic keratosis; a class-folder set beside it can tell Bowen's disease apart."
        )
    if num_pbk:
        notes.append(
            f"{num_pbk:,} photographs of “{pbk}” are read as Pigmented benign keratosis, "
            "though some are seborrheic keratoses."
        )
    return notes


def _truth_reader(table: CsvTable) -> Callable[[CsvTable], list[_Label]] | None:
    """How an ISIC ground-truth table is read; None where it is not one."""
    header = set(table.header)
    if len(header & _ONE_HOT.keys()) > 2:
        return _one_hot_labels
    if header & {"melanoma", "seborrheic_keratosis"}:
        return _binary_labels
    if len(table.first_row) == 2 and table.header[1] in _MALIGNANCIES and "2016" in table.name:
        return _malignancy_labels
    return None


def _one_hot_labels(table: CsvTable) -> list[_Label]:
    """2018 and 2019: a column a diagnosis, 1 in exactly one of them."""
    id_column = _id_column(table)
    columns = [column for column in table.header if column in _ONE_HOT]
    split = _split_in_name(table.name)
    labels = []
    for line, cells in table.records():
        where = f"{table.name}, line {line}"
        chosen = [column for column in columns if _is_one(cells[column], where, column)]
        if len(chosen) != 1:
            raise DatasetError(
                f"{where}: {len(chosen)} diagnoses are marked where there must be one "
                f"({', '.join(chosen).upper() or 'none'}). Correct the row or take it out."
            )
        labels.append(_Label(_id_of(cells[id_column]), _ONE_HOT[chosen[0]], where, split))
    return labels


def _binary_labels(table: CsvTable) -> list[_Label]:
    """2017: melanoma or not, seborrheic keratosis or not; what is neither is a nevus."""
    id_column = _id_column(table)
    table.require("melanoma", "seborrheic_keratosis")
    split = _split_in_name(table.name)
    labels = []
    for line, cells in table.records():
        where = f"{table.name}, line {line}"
        is_melanoma = _is_one(cells["melanoma"], where, "melanoma")
        is_keratosis = _is_one(cells["seborrheic_keratosis"], where, "seborrheic_keratosis")
        if is_melanoma and is_keratosis:
            raise DatasetError(
                f"{where}: melanoma and seborrheic_keratosis are both 1. "
                "Correct the row or take it out."
            )
        code = "MEL" if is_melanoma else "SK" if is_keratosis else "NV"
        labels.append(_Label(_id_of(cells[id_column]), code, where, split))
    return labels


def _malignancy_labels(table: CsvTable) -> list[_Label]:
    """2016: no header; malignant is melanoma, benign says no diagnosis and is left out."""
    split = _split_in_name(table.name)
    labels = []
    rows = [(1, table.first_row), *zip(table.lines, table.rows, strict=True)]
    for line, row in rows:
        where = f"{table.name}, line {line}"
        if len(row) != 2 or row[1].lower() not in _MALIGNANCIES:
            raise DatasetError(
                f"{where}: expected an image name and benign or malignant, not {', '.join(row)}. "
                "Take the table as it was published."
            )
        labels.append(_Label(_id_of(row[0]), _MALIGNANCIES[row[1].lower()], where, split))
    return labels


def _is_one(text: str, where: str, column: str) -> bool:
    value = csv_tables.number(text, f"{where}, column {column}")
    if value not in (0, 1):
        raise DatasetError(f"{where}, column {column}: “{text}” where 0 or 1 is expected.")
    return value == 1


def _join(tree: Tree, labels: Iterable[_Label]) -> tuple[tuple[Photograph, ...], tuple[str, ...]]:
    """Labels, files and metadata of one data set, joined by image id; and what to note."""
    by_id = _one_label_an_id(labels)
    files = _files_by_id(tree)
    missing = [label for image_id, label in by_id.items() if label.code and image_id not in files]
    if missing:
        first = ", ".join(label.image_id for label in missing[:_SHOWN])
        raise DatasetError(
            f"{missing[0].where}: {missing[0].image_id} has no image file in {tree.name}; "
            f"{len(missing):,} of {len(by_id):,} photographs are missing ({first}"
            f"{', …' if len(missing) > _SHOWN else ''}). "
            "Put the image files beside the table, or take their rows out."
        )
    metadata = _metadata(tree.tables)
    photographs = tuple(
        replace(
            Photograph(image_id, label.code, *files[image_id], split=label.split),
            **metadata.get(image_id, {}),
        )
        for image_id, label in by_id.items()
        if label.code
    )
    num_unlisted = len(files.keys() - by_id.keys())
    notes = [f"{num_unlisted:,} image files are in no table and are left out."]
    return photographs, tuple(notes if num_unlisted else ())


def _one_label_an_id(labels: Iterable[_Label]) -> dict[str, _Label]:
    by_id: dict[str, _Label] = {}
    for label in labels:
        before = by_id.get(label.image_id, label)
        if before.code != label.code:
            raise DatasetError(
                f"{label.where}: {label.image_id} is {label.code or 'unknown'} here and "
                f"{before.code or 'unknown'} in {before.where}. Correct one of them."
            )
        by_id[label.image_id] = min(before, label, key=lambda row: _HELD_OUT.index(row.split))
    return by_id


def _files_by_id(tree: Tree) -> dict[str, tuple[PurePosixPath, int]]:
    """One file an id: the largest, where a set brings two sizes of one photograph."""
    files: dict[str, tuple[PurePosixPath, int]] = {}
    for file, num_bytes in tree.images.items():
        image_id = _id_of(file.stem)
        if image_id not in files or num_bytes > files[image_id][1]:
            files[image_id] = (file, num_bytes)
    return files


def _metadata(tables: Sequence[CsvTable]) -> dict[str, dict[str, str | float]]:
    """What is known of each image id, in `Photograph`'s words; the first table wins."""
    metadata: dict[str, dict[str, str | float]] = {}
    for table in tables:
        columns = [column for column in table.header if column in _METADATA_COLUMNS]
        if not columns or not set(_ID_COLUMNS) & set(table.header):
            continue
        id_column = _id_column(table)
        for line, cells in table.records():
            of_image = metadata.setdefault(_id_of(cells[id_column]), {})
            for column in columns:
                value = _translated(column, cells[column], f"{table.name}, line {line}")
                if value is not None:
                    of_image.setdefault(_METADATA_COLUMNS[column], value)
    return metadata


def _translated(column: str, text: str, where: str) -> str | float | None:
    field = _METADATA_COLUMNS[column]
    if field == "age_approx":
        return csv_tables.number(text, f"{where}, column {column}")
    if field == "lesion_id":
        return text if csv_tables.known(text) else None
    return csv_tables.known(text)


def _id_column(table: CsvTable) -> str:
    for column in _ID_COLUMNS:
        if column in table.header:
            return column
    table.require(_ID_COLUMNS[0])
    raise AssertionError("require() raises for a column that is not there")


def _id_of(stem: str) -> str:
    """The image id in a file's or table's name, without what copies and small versions add.

    >>> _id_of("ISIC_0025509 (1)")
    'ISIC_0025509'
    """
    return _COPY.sub("", stem).removesuffix("_downsampled")


def _split_in_name(name: str) -> str | None:
    words = re.split("[^a-z]+", PurePosixPath(name).stem.lower())
    return next((_SPLIT_NAMES[word] for word in words if word in _SPLIT_NAMES), None)


# Class folders: the name of the folder gives the diagnosis


def _read_class_folders(tree: Tree) -> Reading:
    codes = _class_codes(tree)
    photographs = []
    for file, num_bytes in tree.images.items():
        parts = [part.lower() for part in file.parts[:-2]]
        split = next((_SPLIT_NAMES[p] for p in reversed(parts) if p in _SPLIT_NAMES), None)
        photographs.append(
            Photograph(_id_of(file.stem), codes[file.parent], file, num_bytes, split=split)
        )
    metadata = _metadata(tree.tables)
    return Reading(
        name=None,
        licence="not stated",
        photographs=tuple(replace(p, **metadata.get(p.image_id, {})) for p in photographs),
        notes=(),
        is_official=False,
    )


def _class_codes(tree: Tree) -> dict[PurePosixPath, str]:
    """The diagnosis of each folder that holds photographs."""
    folders = list(dict.fromkeys(file.parent for file in tree.images))
    if len(folders) == 1 and not _is_class(folders[0]):
        raise DatasetError(
            f"{tree.name} has no table of diagnoses and no class folders: all photographs lie in "
            f"one folder, and its name is not a diagnosis. Give a HAM10000 set, an ISIC challenge "
            "set, or one folder a diagnosis, named after it."
        )
    for folder in tree.empty_dirs:
        if _is_class(folder):
            raise DatasetError(
                f"{tree.name}: the class folder “{folder}” holds no photographs. "
                "Fill it or take it out."
            )
    codes = {}
    for folder in folders:
        try:
            codes[folder] = diagnoses.parse(folder.name)
        except DatasetError as error:
            num_images = sum(file.parent == folder for file in tree.images)
            raise DatasetError(
                f"{tree.name}, folder “{folder}” ({num_images:,} photographs): {error}"
            ) from error
    return codes


def _is_class(folder: PurePosixPath) -> bool:
    try:
        diagnoses.parse(folder.name)
    except DatasetError:
        return False
    return True
