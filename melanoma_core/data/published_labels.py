"""Labels in published tables: HAM10000, the ISIC challenges and the ISIC Archive."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from melanoma_core.data import archive_diagnoses, csv_tables, file_trees
from melanoma_core.data.csv_tables import CsvTable
from melanoma_core.diagnoses import UNNAMED
from melanoma_core.errors import DatasetError

# Words of these tables, and the label that each is read as; None: none of the nine classes. In
# HAM10000 and ISIC 2018 `akiec` includes Bowen's disease; in all of them `bkl` is both keratoses.
_LABELS = {
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
    "benign": UNNAMED.code,
}
_HAM10000_WORDS = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
_ONE_HOT_WORDS = frozenset({*_HAM10000_WORDS, "ak", "scc", "unk"})
_MALIGNANCIES = {"benign": "benign", "0.0": "benign", "malignant": "malignant", "1.0": "malignant"}
_IMAGE_TYPE = "image_type"


def label_of_word(word: str) -> str | None:
    """The label that a word of HAM10000 or of a challenge until 2019 is read as.

    >>> label_of_word("bkl")
    'PBK'
    """
    return _LABELS[word]


@dataclass(frozen=True)
class Label:
    """One row of a published table: a photograph's label."""

    image_id: str
    word: str  # as published
    code: str | None  # one of `diagnoses.LABELS`; None: none of the nine classes
    table: str
    line: int
    split: str | None

    @property
    def where(self) -> str:
        """Table and line, for an error message."""
        return f"{self.table}, line {self.line}"


_Labels = Iterator[Label]


def reader_of(table: CsvTable) -> Callable[[CsvTable], _Labels] | None:
    """The function that reads the table's labels; None if it has none."""
    header = set(table.header)
    if "dx" in header:
        return _ham10000_labels
    if archive_diagnoses.LEVELS[0] in header:
        return _archive_labels
    if {"diagnosis", "benign_malignant"} <= header:
        return _isic2020_labels
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
        yield _label(table, line, cells["image_id"], word, label_of_word(word))


def _one_hot_labels(table: CsvTable) -> _Labels:
    """2018 and 2019: one column per diagnosis, 1 in exactly one of them."""
    id_column = file_trees.id_column(table)
    words = [column for column in table.header if column in _ONE_HOT_WORDS]
    for line, cells in table.records():
        word = _marked(table, line, cells, words)
        yield _label(table, line, cells[id_column], word, label_of_word(word))


def _binary_labels(table: CsvTable) -> _Labels:
    """2017: melanoma or not, seborrheic keratosis or not; neither means nevus."""
    id_column = file_trees.id_column(table)
    words = ["melanoma", "seborrheic_keratosis"]
    table.require(*words)
    for line, cells in table.records():
        word = _marked(table, line, cells, words, "neither")
        yield _label(table, line, cells[id_column], word, label_of_word(word))


def _malignancy_labels(table: CsvTable) -> _Labels:
    """2016: image name and label without a header; the test part has 0.0 and 1.0 as labels."""
    first = (table.first_line, table.first_row)
    for line, row in (first, *zip(table.lines, table.rows, strict=True)):
        if len(row) != 2 or row[1].lower() not in _MALIGNANCIES:
            raise DatasetError(
                f"{table.name}, line {line}: “{', '.join(row)}” where an image name and benign or "
                "malignant are expected. Use the table as it was published."
            )
        word = _MALIGNANCIES[row[1].lower()]
        yield _label(table, line, row[0], word, label_of_word(word))


def _isic2020_labels(table: CsvTable) -> _Labels:
    """2020: a diagnosis in words, and benign or malignant beside it."""
    id_column = file_trees.id_column(table)
    for line, cells in table.records():
        word = cells["diagnosis"]
        if csv_tables.parse_text(word) is None:  # “unknown”
            word = cells["benign_malignant"]
            # Malignant and not named: nothing says that it is a melanoma.
            code = UNNAMED.code if word.lower() == "benign" else None
        else:
            code = archive_diagnoses.label_of_name(word)
        yield _label(table, line, cells[id_column], word, code)


def _archive_labels(table: CsvTable) -> _Labels:
    """A download from the ISIC Archive: a diagnosis in up to five levels."""
    id_column = file_trees.id_column(table)
    levels = [level for level in archive_diagnoses.LEVELS if level in table.header]
    for line, cells in table.records():
        image_type = cells.get(_IMAGE_TYPE, "")
        if image_type.lower() in ("", "dermoscopic"):
            word, code = archive_diagnoses.translate([cells[level] for level in levels])
        else:
            word, code = image_type, None
        yield _label(table, line, cells[id_column], word, code)


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


def _label(table: CsvTable, line: int, name: str, word: str, code: str | None) -> Label:
    if not name:
        raise DatasetError(
            f"{table.name}, line {line}: the image's name is empty. Correct or remove the row."
        )
    split = file_trees.split_of(re.split("[^a-zA-Z]+", PurePosixPath(table.name).stem))
    return Label(file_trees.image_id_of(name), word, code, table.name, line, split)
