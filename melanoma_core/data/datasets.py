"""Data sets as one table of photographs, whatever layout they came in."""

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from melanoma_core import paths
from melanoma_core.data import archives, class_folders, file_trees, published_sets, schema
from melanoma_core.data.schema import COLUMNS, FILE, PATIENT, PIXELS
from melanoma_core.errors import DatasetError

_NOTES = {
    "two tables": "Left out, as published tables call them by two names: {:,}.",
    "two folders": "Left out, as folders alone call them by two names: {:,}.",
    "overruled": "Published tables were believed, not folders that say otherwise: {:,}.",
    "bowen": "“akiec” that another set calls Squamous cell carcinoma, and is so here: {:,}.",
    "copies": "Further files of photographs that are there already, not counted again: {:,}.",
}


@dataclass(frozen=True)
class Dataset:
    """Photographs and what is known of them; unknown cells are None, an unknown age NaN."""

    name: str
    table: pd.DataFrame  # COLUMNS, and maybe PATIENT; a class-folder set keeps one row a file
    notes: tuple[str, ...]  # what was translated, merged or left out, in words
    license: str
    sha256: str  # of rows, file sizes and a zip's bytes; not of names of files
    is_official: bool = False  # labels come from a published table, not from folder names
    is_ak_with_bowen: bool = False  # AK stands for `akiec`, which holds Bowen's disease too
    # Of a combined set, by image id: paths of what other sets made of the same photograph.
    further_files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def read(path: Path, cache_dir: Path | None = None) -> Dataset:
    """The data set in a folder or zip; its layout is recognized.

    Args:
        path: class folders, HAM10000, or an ISIC challenge set; wrapping folders do not matter.
        cache_dir: where zips are unpacked, once for each content; `paths.datasets_dir()` if None.

    Returns:
        The table as the files have it: a class-folder set keeps one row a file, so that copies
        and contradictions can be found. `combine` gives one row a photograph.

    Raises:
        DatasetError: nothing is there, the archive is refused, or the files do not fit together.
            Of a refused archive nothing stays unpacked.
    """
    root, archive_sha256 = archives.folder(path, cache_dir or paths.datasets_dir())
    try:
        tree = file_trees.scan(root, path.name)
        reading = published_sets.read(tree) or class_folders.read(tree)
    except DatasetError:
        if archive_sha256:
            shutil.rmtree(root, ignore_errors=True)
        raise
    own_name = path.resolve().stem if path.is_file() else path.resolve().name
    name = reading.name or archives.plain_name(own_name)
    records = [
        {
            "image_id": photograph.image_id,
            "diagnosis": photograph.diagnosis,
            "source": name,
            "path": str(root.absolute() / photograph.file),
            "split": photograph.split,
            **vars(photograph.metadata),
        }
        for photograph in reading.photographs
    ]
    sizes = [photograph.num_bytes for photograph in reading.photographs]
    return Dataset(
        name=name,
        table=_table(records),
        notes=reading.notes,
        license=reading.license,
        sha256=_sha256(archive_sha256, records, sizes),
        is_official=reading.is_official,
        is_ak_with_bowen=reading.is_ak_with_bowen,
    )


def combine(datasets: Sequence[Dataset]) -> Dataset:
    """One table of several data sets, one row a photograph.

    A published table beats a folder's name. What HAM10000 calls `akiec` is told apart by the
    class folders: squamous cell carcinoma where they say only that, else actinic keratosis. A
    photograph that published tables, or folders alone, call by two names is left out. Where an
    official archive has the photograph its file is taken: class-folder sets are often squashed
    and compressed once more. A photograph held out by any of the sets stays held out.

    Raises:
        DatasetError: there is no data set, nothing is left, or two class-folder sets have one
            name.
    """
    folder_sets = [dataset.name for dataset in datasets if not dataset.is_official]
    twice = [name for name in folder_sets if folder_sets.count(name) > 1]
    if twice:
        raise DatasetError(f"Two class-folder sets are called {twice[0]}. Rename one of them.")
    num_sets = Counter(i for dataset in datasets for i in set(dataset.table["image_id"]))
    rows: dict[str, list[dict[str, Any]]] = {}
    for dataset in sorted(datasets, key=lambda dataset: not dataset.is_official):
        flags = {
            "is_official": dataset.is_official,
            "is_ak_with_bowen": dataset.is_ak_with_bowen,
        }
        for record in _records(dataset.table):
            image_id = record["image_id"]
            if num_sets[image_id] > 1 and not class_folders.is_archive_id(image_id):
                # “1” is another one there.
                record["image_id"] = schema.with_set(image_id, dataset.name)
            rows.setdefault(record["image_id"], []).append(record | flags)
    counts: Counter[str] = Counter()
    kept = [row for copies in rows.values() if (row := _merged(copies, counts))]
    further_files = {row["image_id"]: _further_files(rows[row["image_id"]]) for row in kept}
    if not kept:
        raise DatasetError("No photograph is left to combine. Give at least one data set.")
    notes = [text.format(counts[key]) for key, text in _NOTES.items() if counts[key]]
    return Dataset(
        name="+".join(dict.fromkeys(dataset.name for dataset in datasets)),
        table=_table(kept),
        notes=(*(f"{d.name}: {note}" for d in datasets for note in d.notes), *notes),
        license="; ".join(dict.fromkeys(f"{d.name}: {d.license}" for d in datasets)),
        sha256=_sha256("".join(sorted(d.sha256 for d in datasets)), kept, [0] * len(kept)),
        is_official=all(dataset.is_official for dataset in datasets),
        further_files={image_id: files for image_id, files in further_files.items() if files},
    )


def files(table: pd.DataFrame) -> list[str]:
    """Each row's file: its path, or of a set of facts what the file is called in the set."""
    return list(table[FILE] if has_facts_alone(table) else table["path"])


def has_facts_alone(table: pd.DataFrame) -> bool:
    """Whether no row has a file, but a checksum of the file's pixels."""
    return PIXELS in table and bool(table["path"].isna().all())


def _further_files(copies: list[dict[str, Any]]) -> tuple[str, ...]:
    """One file of each set but that whose file is taken: within a set copies are the same bytes."""
    of_source: dict[str, str] = {}
    for row in copies:
        of_source.setdefault(row["source"], row["path"])
    return tuple(of_source.values())[1:]


def _merged(copies: list[dict[str, Any]], counts: Counter[str]) -> dict[str, Any] | None:
    """The one row for all rows of an image id, official ones first; None where it is left out."""
    official = {row["diagnosis"] for row in copies if row["is_official"]}
    folders = {row["diagnosis"] for row in copies if not row["is_official"]}
    precise = official - {"AK"} if _is_akiec_alone(copies) else official
    if official != precise and (precise or folders) == {"SCC"}:
        official = {"SCC"}
        counts["bowen"] += 1
    codes = official or folders
    if len(codes) > 1:
        counts["two tables" if official else "two folders"] += 1
        return None
    (code,) = codes
    counts["overruled"] += bool(official and folders - official)
    counts["copies"] += len(copies) - 1
    merged = {
        column: next((row[column] for row in copies if _is_known(row.get(column))), None)
        for column in (*COLUMNS, PATIENT)
    }
    split = file_trees.strictest(row["split"] for row in copies)
    return merged | {"diagnosis": code, "split": split}


def _is_akiec_alone(copies: list[dict[str, Any]]) -> bool:
    """Whether every table that says AK keeps Bowen's disease under it."""
    return all(
        row["is_ak_with_bowen"] for row in copies if row["is_official"] and row["diagnosis"] == "AK"
    )


def _is_known(value: object) -> bool:
    return value is not None and value == value  # NaN differs from itself


def _table(records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The records as a table; None stays None, and only an age is a number."""
    columns = _columns(records)
    rows = [[record[column] for column in columns] for record in records]
    table = pd.DataFrame(rows, columns=columns, dtype=object)
    return table.astype({"age_approx": "float64"})


def _columns(records: Sequence[Mapping[str, Any]]) -> list[str]:
    return [*COLUMNS, PATIENT] if any(record[PATIENT] for record in records) else list(COLUMNS)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [dict(zip(table.columns, row, strict=True)) for row in table.to_numpy()]


def _sha256(prefix: str, records: Sequence[Mapping[str, Any]], sizes: Sequence[int]) -> str:
    columns = [column for column in _columns(records) if column not in ("source", "path")]
    lines = sorted(
        "\t".join(str(record[column]) for column in columns) + f"\t{size}"
        for record, size in zip(records, sizes, strict=True)
    )
    return paths.sha256("\n".join([prefix, *lines]).encode())
