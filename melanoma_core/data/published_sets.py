"""HAM10000 and the ISIC challenge sets: a published table has the diagnoses."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from melanoma_core.data import csv_tables, file_trees
from melanoma_core.data.csv_tables import CsvTable
from melanoma_core.data.file_trees import FileTree, Metadata, ParsedDataset, Photograph
from melanoma_core.errors import DatasetError

# Labels in these tables, and their codes among the nine classes; None: not one of them. In HAM10000
# and ISIC 2018 `akiec` includes Bowen's disease; in all of them `bkl` is both keratoses.
_CODES = {
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
    "melanoma": "MEL",
    "seborrheic_keratosis": "SK",
    "neither": "NV",  # ISIC 2017 has three diagnoses
    "malignant": "MEL",  # ISIC 2016: every malignant lesion is a melanoma
    "benign": None,
}
_HAM10000_WORDS = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
_ONE_HOT_WORDS = frozenset({*_HAM10000_WORDS, "ak", "scc", "unk"})
_MALIGNANCIES = {"benign": "benign", "0.0": "benign", "malignant": "malignant", "1.0": "malignant"}
_NOTES = {
    "akiec": "“akiec” (actinic keratosis or Bowen's disease) is read as Actinic keratosis: {:,}.",
    "bkl": "“bkl” is read as Pigmented benign keratosis, though some are seborrheic: {:,}.",
    "unk": "“UNK”, which is not a diagnosis, is left out: {:,}.",
    "benign": "“benign”, which is not a diagnosis, is left out: {:,}.",
}
_LICENSES = {"2016": "CC0", "2017": "CC0", "2018": "CC BY-NC 4.0", "2019": "CC BY-NC 4.0"}
_YEAR = re.compile(r"IS(?:IC|BI)[-_ ]?(20\d\d)", re.IGNORECASE)
_SHOWN = 3  # ids that an error lists


def code(word: str) -> str | None:
    """The code of a label in a published table; None if it is not one of the nine.

    >>> code("bkl")
    'PBK'
    """
    return _CODES[word]


@dataclass(frozen=True)
class _Label:
    """One row of a published table: a photograph's label."""

    image_id: str
    word: str  # one of `_CODES`
    table: str
    line: int
    split: str | None

    @property
    def code(self) -> str | None:
        return code(self.word)

    @property
    def where(self) -> str:
        return f"{self.table}, line {self.line}"


_Labels = Iterator[_Label]


def read(tree: FileTree) -> ParsedDataset | None:
    """The photographs that published tables label; None without such a table.

    Raises:
        DatasetError: a table is damaged, or tables and image files do not fit together.
    """
    readers = [(_reader_of(table), table) for table in tree.tables]
    tables = [table for reader, table in readers if reader]
    if not tables:
        return None
    labels = _unique_labels(label for reader, table in readers if reader for label in reader(table))
    photographs, num_unlisted = _join(tree, labels)
    words = Counter(label.word for label in labels.values())
    notes = [text.format(words[word]) for word, text in _NOTES.items() if words[word]]
    if num_unlisted:
        notes.append(f"Image files that no table lists are left out: {num_unlisted:,}.")
    name, license = _name_and_license(tables)
    return ParsedDataset(
        name=name,
        license=license,
        photographs=photographs,
        notes=tuple(notes),
        is_official=True,
        is_ak_with_bowen="akiec" in words,
    )


def _name_and_license(tables: Iterable[CsvTable]) -> tuple[str | None, str]:
    if any("dx" in table.header for table in tables):
        return "ham10000", "CC BY-NC 4.0"
    years = sorted({year for table in tables for year in _YEAR.findall(table.name)})
    licenses = sorted({_LICENSES.get(year, "not stated") for year in years})
    return f"isic{years[0]}" if len(years) == 1 else None, ", ".join(licenses) or "not stated"


def _reader_of(table: CsvTable) -> Callable[[CsvTable], _Labels] | None:
    """The function that reads the table's diagnoses; None if it has none."""
    header = set(table.header)
    if "dx" in header:
        return _ham10000_labels
    if len(header & _ONE_HOT_WORDS) > 2:
        return _one_hot_labels
    if header & {"melanoma", "seborrheic_keratosis"}:
        return _binary_labels
    if len(table.first_row) == 2 and table.header[1] in _MALIGNANCIES:
        return _malignancy_labels
    return None


def _ham10000_labels(table: CsvTable) -> _Labels:
    """HAM10000: the diagnosis in one column."""
    table.require("lesion_id", "image_id", "dx")
    for line, cells in table.records():
        word = cells["dx"].lower()
        if word not in _HAM10000_WORDS:
            raise DatasetError(
                f"{table.name}, line {line}: “{cells['dx']}” is not a diagnosis of HAM10000; "
                f"those are {', '.join(_HAM10000_WORDS)}. Correct or remove the row."
            )
        yield _label(table, line, cells["image_id"], word)


def _one_hot_labels(table: CsvTable) -> _Labels:
    """2018 and 2019: one column per diagnosis, 1 in exactly one of them."""
    id_column = file_trees.id_column(table)
    words = [column for column in table.header if column in _ONE_HOT_WORDS]
    for line, cells in table.records():
        yield _label(table, line, cells[id_column], _marked(table, line, cells, words))


def _binary_labels(table: CsvTable) -> _Labels:
    """2017: melanoma or not, seborrheic keratosis or not; neither means nevus."""
    id_column = file_trees.id_column(table)
    words = ["melanoma", "seborrheic_keratosis"]
    table.require(*words)
    for line, cells in table.records():
        yield _label(table, line, cells[id_column], _marked(table, line, cells, words, "neither"))


def _malignancy_labels(table: CsvTable) -> _Labels:
    """2016: image name and label without a header; the test part has 0.0 and 1.0 as labels."""
    first = (table.first_line, table.first_row)
    for line, row in (first, *zip(table.lines, table.rows, strict=True)):
        if len(row) != 2 or row[1].lower() not in _MALIGNANCIES:
            raise DatasetError(
                f"{table.name}, line {line}: “{', '.join(row)}” where an image name and benign or "
                "malignant are expected. Use the table as it was published."
            )
        yield _label(table, line, row[0], _MALIGNANCIES[row[1].lower()])


def _marked(
    table: CsvTable, line: int, cells: dict[str, str], words: list[str], otherwise: str = ""
) -> str:
    """The label whose column is 1; `otherwise` if none is."""
    marked = []
    for word in words:
        where = f"{table.name}, line {line}, column {word}"
        value = csv_tables.parse_number(cells[word], where)
        if value not in (0, 1):
            raise DatasetError(f"{where}: “{cells[word]}” where 0 or 1 is expected. Correct it.")
        if value == 1:
            marked.append(word)
    if not marked and otherwise:
        return otherwise
    if len(marked) != 1:
        raise DatasetError(
            f"{table.name}, line {line}: one diagnosis must be marked with 1, not "
            f"{len(marked)} ({', '.join(marked) or 'none'}). Correct or remove the row."
        )
    return marked[0]


def _label(table: CsvTable, line: int, name: str, word: str) -> _Label:
    if not name:
        raise DatasetError(
            f"{table.name}, line {line}: the image's name is empty. Correct or remove the row."
        )
    split = file_trees.split_of(re.split("[^a-zA-Z]+", PurePosixPath(table.name).stem))
    return _Label(file_trees.image_id_of(name), word, table.name, line, split)


def _unique_labels(labels: Iterable[_Label]) -> dict[str, _Label]:
    """The labels by image id; repeated ids must agree in diagnosis."""
    by_id: dict[str, _Label] = {}
    for label in labels:
        first = by_id.setdefault(label.image_id, label)
        if first.code is None or label.code is None:
            by_id[label.image_id] = label if first.code is None else first
        elif first.code != label.code:
            raise DatasetError(
                f"{label.where}: {label.image_id} is “{label.word}” here and “{first.word}” in "
                f"{first.where}. Correct one of them, or remove both."
            )
        elif file_trees.strictest_split([first.split, label.split]) != first.split:
            by_id[label.image_id] = label
    return by_id


def _join(tree: FileTree, labels: dict[str, _Label]) -> tuple[tuple[Photograph, ...], int]:
    """The labeled photographs, and the number of files that no table lists."""
    files: dict[str, tuple[PurePosixPath, int]] = {}
    for file, num_bytes in tree.images.items():
        image_id = file_trees.image_id_of(file.stem)
        # Some sets have two sizes of a photograph; the larger file shows more.
        if image_id not in files or num_bytes > files[image_id][1]:
            files[image_id] = (file, num_bytes)
    _refuse_missing(tree, labels, files.keys())
    metadata = file_trees.metadata(tree.tables)
    photographs = tuple(
        Photograph(
            image_id, label.code, *files[image_id], label.split, metadata.get(image_id, Metadata())
        )
        for image_id, label in labels.items()
        if label.code
    )
    return photographs, len(files.keys() - labels.keys())


def _refuse_missing(tree: FileTree, labels: dict[str, _Label], file_ids: Iterable[str]) -> None:
    present = set(file_ids)
    missing = [label for label in labels.values() if label.code and label.image_id not in present]
    if missing:
        first = ", ".join(f"{label.image_id}" for label in missing[:_SHOWN])
        raise DatasetError(
            f"{missing[0].where}: {tree.name} has no image file for {len(missing):,} of "
            f"{len(labels):,} photographs ({first}{', …' if len(missing) > _SHOWN else ''}). "
            "Add the files to the same folder, or remove their rows."
        )
