"""HAM10000, the ISIC challenge sets and the ISIC Archive: a published table has the diagnoses."""

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from melanoma_core import diagnoses
from melanoma_core.data import file_trees, published_labels
from melanoma_core.data.csv_tables import CsvTable
from melanoma_core.data.file_trees import FileTree, Metadata, ParsedDataset, Photograph
from melanoma_core.data.published_labels import Label
from melanoma_core.errors import DatasetError

_NOTES = {
    "akiec": "“akiec” (actinic keratosis or Bowen's disease) is read as Actinic keratosis: {:,}.",
    "bkl": "“bkl” is read as Pigmented benign keratosis, though some are seborrheic: {:,}.",
    "unk": "“UNK”, which is not a diagnosis, is left out: {:,}.",
    "Melanoma metastasis": "“Melanoma metastasis” is read as Melanoma: {:,}.",
}
_UNNAMED = "Benign, and no table names the diagnosis: {:,}."
_LICENSES = {
    "2016": "CC0",
    "2017": "CC0",
    "2018": "CC BY-NC 4.0",
    "2019": "CC BY-NC 4.0",
    "2020": "CC BY-NC 4.0",
}
_YEAR = re.compile(r"IS(?:IC|BI)[-_ ]?(20\d\d)", re.IGNORECASE)
_SHOWN = 3  # ids that an error lists


def read(tree: FileTree) -> ParsedDataset | None:
    """The photographs that published tables label; None without such a table.

    Raises:
        DatasetError: a table is damaged, or tables and image files do not fit together.
    """
    readers = [(published_labels.reader_of(table), table) for table in tree.tables]
    tables = [table for reader, table in readers if reader]
    if not tables:
        return None
    labels = _unique_labels(label for reader, table in readers if reader for label in reader(table))
    files = _files(tree)
    _refuse_missing(tree, labels, files.keys())
    metadata = file_trees.metadata(tree.tables)
    name, license = _name_and_license(tables)
    return ParsedDataset(
        name=name,
        license=_licenses_of_photographs(files.keys() & labels.keys(), metadata) or license,
        photographs=tuple(
            Photograph(
                *(image_id, label.code, *files[image_id], label.split),
                metadata.get(image_id, Metadata()),
            )
            for image_id, label in labels.items()
            if label.code
        ),
        notes=tuple(_notes(labels.values(), len(files.keys() - labels.keys()))),
        is_official=True,
        is_ak_with_bowen=any(label.word == "akiec" for label in labels.values()),
        other_files=_other_files(labels, files),
    )


def _notes(labels: Iterable[Label], num_unlisted: int) -> list[str]:
    """What was translated or left out."""
    words = Counter((label.word, label.code) for label in labels)
    notes = [
        text.format(num)
        for word, text in _NOTES.items()
        if (num := sum(words[pair] for pair in words if pair[0] == word))
    ]
    if num_unnamed := sum(
        num for (_, code), num in words.items() if code == diagnoses.UNNAMED.code
    ):
        notes.append(_UNNAMED.format(num_unnamed))
    others = Counter(
        {word: num for (word, code), num in words.items() if code is None and word not in _NOTES}
    )
    if others:
        counts = ", ".join(f"{word} {num:,}" for word, num in others.most_common())
        notes.append(f"Left out, as they are none of the nine classes: {counts}.")
    if num_unlisted:
        notes.append(f"Image files that no table lists are left out: {num_unlisted:,}.")
    return notes


def _name_and_license(tables: Iterable[CsvTable]) -> tuple[str | None, str]:
    if any("dx" in table.header for table in tables):
        return "ham10000", "CC BY-NC 4.0"
    years = sorted({year for table in tables for year in _YEAR.findall(table.name)})
    licenses = sorted({_LICENSES.get(year, "not stated") for year in years})
    return f"isic{years[0]}" if len(years) == 1 else None, ", ".join(licenses) or "not stated"


def _licenses_of_photographs(
    image_ids: Iterable[str], metadata: Mapping[str, Metadata]
) -> str | None:
    """The licenses in the photographs' own rows, counted; None if no row has one."""
    licenses = Counter(
        metadata.get(image_id, Metadata()).copyright_license or "not stated"
        for image_id in image_ids
    )
    if set(licenses) <= {"not stated"}:
        return None
    most_first = sorted(licenses.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{license} {num:,}" for license, num in most_first)


def _unique_labels(labels: Iterable[Label]) -> dict[str, Label]:
    """The labels by image id; repeated ids must agree in diagnosis."""
    by_id: dict[str, Label] = {}
    for label in labels:
        first = by_id.setdefault(label.image_id, label)
        if first.code is None or label.code is None:
            by_id[label.image_id] = label if first.code is None else first
            continue
        common = diagnoses.common_label([first.code, label.code])
        if common is None:
            raise DatasetError(
                f"{label.where}: {label.image_id} is “{label.word}” here and “{first.word}” in "
                f"{first.where}. Correct one of them, or remove both."
            )
        split = file_trees.strictest_split([first.split, label.split])
        by_id[label.image_id] = dataclasses.replace(
            first if first.code == common else label, split=split
        )
    return by_id


def _files(tree: FileTree) -> dict[str, tuple[PurePosixPath, int]]:
    """The file of each image id, and its size in bytes."""
    files: dict[str, tuple[PurePosixPath, int]] = {}
    for file, num_bytes in tree.images.items():
        image_id = file_trees.image_id_of(file.stem)
        # Some sets have two sizes of a photograph; the larger file shows more.
        if image_id not in files or num_bytes > files[image_id][1]:
            files[image_id] = (file, num_bytes)
    return files


def _other_files(
    labels: Mapping[str, Label], files: Mapping[str, tuple[PurePosixPath, int]]
) -> dict[str, tuple[PurePosixPath, ...]]:
    """The files of what is none of the nine classes, by its published name."""
    others: dict[str, tuple[PurePosixPath, ...]] = {}
    for image_id, label in labels.items():
        if label.code is None and image_id in files:
            others[label.word] = (*others.get(label.word, ()), files[image_id][0])
    return others


def _refuse_missing(tree: FileTree, labels: dict[str, Label], file_ids: Iterable[str]) -> None:
    present = set(file_ids)
    missing = [label for label in labels.values() if label.code and label.image_id not in present]
    if missing:
        first = ", ".join(f"{label.image_id}" for label in missing[:_SHOWN])
        raise DatasetError(
            f"{missing[0].where}: {tree.name} has no image file for {len(missing):,} of "
            f"{len(labels):,} photographs ({first}{', …' if len(missing) > _SHOWN else ''}). "
            "Add the files to the same folder, or remove their rows."
        )
