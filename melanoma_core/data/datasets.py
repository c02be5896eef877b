"""Data sets of any layout as one table of photographs."""

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from melanoma_core import diagnoses, paths
from melanoma_core.data import archives, class_folders, file_trees, published_sets, schema
from melanoma_core.data.schema import COLUMNS, EXTRA_COLUMNS, FILE, PATIENT, PIXELS
from melanoma_core.errors import DatasetError

_NOTES = {
    "two tables": "Left out, because published tables disagree on the diagnosis: {:,}.",
    "two folders": "Left out, because they are in the folders of two diagnoses: {:,}.",
    "overruled": "Labeled by a published table against the name of their folder: {:,}.",
    "bowen": "“akiec” labeled Squamous cell carcinoma, as another data set has it: {:,}.",
    "copies": "Duplicate files of photographs, counted once: {:,}.",
}


@dataclass(frozen=True)
class Dataset:
    """Photographs and their metadata; unknown cells are None, an unknown age is NaN."""

    name: str
    table: (
        pd.DataFrame
    )  # `COLUMNS`, and `EXTRA_COLUMNS` if known; class-folder sets have one row per file
    notes: tuple[str, ...]  # what was translated, merged or left out, as text
    license: str
    sha256: str  # of rows, file sizes and a zip's bytes, but not file names
    is_official: bool = False  # labeled by a published table, not by folder names
    is_ak_with_bowen: bool = False  # AK is `akiec`, which includes Bowen's disease
    # In a combined set: the other data sets' files of the same photograph, by image id.
    further_files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    # Files of what is none of the nine classes, such as scars, by the name that its table gives it.
    other_files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def read(path: Path, cache_dir: Path | None = None) -> Dataset:
    """The data set in a folder or zip, whatever its layout.

    Args:
        path: class folders, HAM10000, an ISIC challenge set, or a download from the ISIC Archive,
            at any depth.
        cache_dir: where zips are unpacked, once per content; `paths.datasets_dir()` by default.

    Returns:
        The table as published: a class-folder set has one row per file, so that duplicates and
        contradictions can be found. `combine` returns one row per photograph.

    Raises:
        DatasetError: nothing is there, the archive is refused, or the files do not fit together.
            Nothing of a refused archive stays on disk.
    """
    root, archive_sha256 = archives.open_folder(path, cache_dir or paths.datasets_dir())
    try:
        tree = file_trees.scan(root, path.name)
        parsed = published_sets.read(tree) or class_folders.read(tree)
    except DatasetError:
        if archive_sha256:
            shutil.rmtree(root, ignore_errors=True)
        raise
    own_name = path.resolve().stem if path.is_file() else path.resolve().name
    name = parsed.name or archives.plain_name(own_name)
    records = [
        {
            "image_id": photograph.image_id,
            "diagnosis": photograph.diagnosis,
            "source": name,
            "path": str(root.absolute() / photograph.file),
            "split": photograph.split,
            **vars(photograph.metadata),
        }
        for photograph in parsed.photographs
    ]
    sizes = [photograph.num_bytes for photograph in parsed.photographs]
    return Dataset(
        name=name,
        table=_table(records),
        notes=parsed.notes,
        license=parsed.license,
        sha256=_sha256(archive_sha256, records, sizes),
        is_official=parsed.is_official,
        is_ak_with_bowen=parsed.is_ak_with_bowen,
        other_files={
            name: tuple(str(root.absolute() / file) for file in files)
            for name, files in parsed.other_files.items()
        },
    )


def combine(datasets: Sequence[Dataset]) -> Dataset:
    """One table for several data sets, with one row per photograph.

    A published table overrules a folder name, and a label that names a diagnosis one that only says
    “benign”. HAM10000's `akiec` becomes squamous cell carcinoma
    if that is the photograph's only class folder, else actinic keratosis. A photograph is left out
    if published tables disagree on it, or if class folders do and no table has it. The file of an
    official archive is preferred, because class-folder sets are often squashed and recompressed. A
    photograph that any of the sets holds out stays held out.

    Raises:
        DatasetError: there is no data set, no photograph is left, or two class-folder sets have
            the same name.
    """
    folder_sets = [dataset.name for dataset in datasets if not dataset.is_official]
    repeated = [name for name in folder_sets if folder_sets.count(name) > 1]
    if repeated:
        raise DatasetError(f"Two class-folder sets are called {repeated[0]}. Rename one of them.")
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
                # “1” is a different photograph in each set.
                record["image_id"] = schema.add_source(image_id, dataset.name)
            rows.setdefault(record["image_id"], []).append(record | flags)
    counts: Counter[str] = Counter()
    merged = [row for copies in rows.values() if (row := _merge(copies, counts))]
    further_files = {row["image_id"]: _further_files(rows[row["image_id"]]) for row in merged}
    if not merged:
        raise DatasetError("No photograph is left to combine. Choose at least one data set.")
    notes = [text.format(counts[key]) for key, text in _NOTES.items() if counts[key]]
    return Dataset(
        name="+".join(dict.fromkeys(dataset.name for dataset in datasets)),
        table=_table(merged),
        notes=(*(f"{d.name}: {note}" for d in datasets for note in d.notes), *notes),
        license="; ".join(dict.fromkeys(f"{d.name}: {d.license}" for d in datasets)),
        sha256=_sha256("".join(sorted(d.sha256 for d in datasets)), merged, [0] * len(merged)),
        is_official=all(dataset.is_official for dataset in datasets),
        other_files=_other_files(datasets),
        further_files={image_id: files for image_id, files in further_files.items() if files},
    )


def _other_files(datasets: Sequence[Dataset]) -> dict[str, tuple[str, ...]]:
    together: dict[str, tuple[str, ...]] = {}
    for dataset in datasets:
        for name, paths_of_name in dataset.other_files.items():
            together[name] = together.get(name, ()) + paths_of_name
    return together


def files(table: pd.DataFrame) -> list[str]:
    """Each row's file: its path, or its name within the data set if only facts are known."""
    return list(table[FILE] if has_facts_alone(table) else table["path"])


def has_facts_alone(table: pd.DataFrame) -> bool:
    """True if the rows have checksums of their pixels but no files."""
    return PIXELS in table and bool(table["path"].isna().all())


def _further_files(copies: list[dict[str, Any]]) -> tuple[str, ...]:
    """One file per data set after the first: copies within a data set have the same bytes."""
    path_by_source: dict[str, str] = {}
    for row in copies:
        path_by_source.setdefault(row["source"], row["path"])
    return tuple(path_by_source.values())[1:]


def _merge(copies: list[dict[str, Any]], counts: Counter[str]) -> dict[str, Any] | None:
    """One row for all rows of an image id, official ones first; None to leave it out."""
    official = {row["diagnosis"] for row in copies if row["is_official"]}
    folders = {row["diagnosis"] for row in copies if not row["is_official"]}
    precise = official - {"AK"} if _is_akiec_alone(copies) else official
    if official != precise and (precise or folders) == {"SCC"}:
        official = {"SCC"}
        counts["bowen"] += 1
    label = diagnoses.common_label(official or folders)
    if label is None:
        counts["two tables" if official else "two folders"] += 1
        return None
    most_precise = diagnoses.common_label({label, *folders})
    counts["overruled"] += most_precise is None
    label = most_precise or label
    counts["copies"] += len(copies) - 1
    merged = {
        column: next((row[column] for row in copies if _is_known(row.get(column))), None)
        for column in (*COLUMNS, *EXTRA_COLUMNS)
    }
    split = file_trees.strictest_split(row["split"] for row in copies)
    return merged | {"diagnosis": label, "split": split}


def _is_akiec_alone(copies: list[dict[str, Any]]) -> bool:
    """True if every table that says AK includes Bowen's disease in it."""
    return all(
        row["is_ak_with_bowen"] for row in copies if row["is_official"] and row["diagnosis"] == "AK"
    )


def _is_known(value: object) -> bool:
    return value is not None and value == value  # NaN is not equal to itself


def _table(records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The records as a table of objects, ages as numbers."""
    columns = _columns(records)
    rows = [[record[column] for column in columns] for record in records]
    table = pd.DataFrame(rows, columns=columns, dtype=object)
    return table.astype({"age_approx": "float64"})


def _columns(records: Sequence[Mapping[str, Any]]) -> list[str]:
    extra = (column for column in EXTRA_COLUMNS if any(record[column] for record in records))
    return [*COLUMNS, *extra]


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [dict(zip(table.columns, row, strict=True)) for row in table.to_numpy()]


def _sha256(prefix: str, records: Sequence[Mapping[str, Any]], sizes: Sequence[int]) -> str:
    # The same columns as before labels had a confirmation and a license, so that sets keep theirs.
    columns = [column for column in COLUMNS if column not in ("source", "path")]
    columns += [PATIENT] if any(record[PATIENT] for record in records) else []
    lines = sorted(
        "\t".join(str(record[column]) for column in columns) + f"\t{size}"
        for record, size in zip(records, sizes, strict=True)
    )
    return paths.sha256("\n".join([prefix, *lines]).encode())
