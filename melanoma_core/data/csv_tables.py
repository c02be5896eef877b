"""CSV files as rows that know their line, so that an error can name file and row."""

import csv
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from melanoma_core.errors import DatasetError

_DELIMITERS = (",", ";", "\t")  # as published; as spreadsheets save it; as Dataverse serves it
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")  # what spreadsheets compute
_UNKNOWN = frozenset({"", "unknown", "nan", "na", "n/a", "none", "null"})


@dataclass(frozen=True)
class CsvTable:
    """The cells of one CSV file, blanks around them cut off."""

    name: str  # as errors call it: relative to the data set
    header: tuple[str, ...]  # the first line; in lower case
    first_row: tuple[str, ...]  # the first line as it stands, for tables without a header
    first_line: int  # of the file, from 1
    rows: tuple[tuple[str, ...], ...]  # the lines after the first; empty lines are left out
    lines: tuple[int, ...]  # line of the file that each row ends in

    def require(self, *columns: str) -> None:
        """Check that these columns are there.

        Raises:
            DatasetError: some are not; names them and those that are.
        """
        missing = [column for column in columns if column not in self.header]
        if missing:
            raise DatasetError(
                f"{self.name} has no column {', '.join(missing)}; "
                f"its columns are {', '.join(self.header)}. "
                "Take the table as it was published, or rename its columns."
            )

    def records(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Line number and cells by column name, row by row.

        Raises:
            DatasetError: a row has more or fewer cells than the header.
        """
        for line, row in zip(self.lines, self.rows, strict=True):
            if len(row) != len(self.header):
                raise DatasetError(
                    f"{self.name}, line {line}: {len(row)} cells where the header has "
                    f"{len(self.header)}. Take the table as it was published."
                )
            yield line, dict(zip(self.header, row, strict=True))


def read(path: Path, name: str) -> CsvTable:
    """One CSV file; comma, semicolon or tab, whichever its first line has most of.

    Raises:
        DatasetError: it cannot be read, is not UTF-8 text, or holds nothing.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
        if "\0" in text:
            raise ValueError("a NUL")
    except OSError as error:
        raise DatasetError(f"{name} cannot be read: {error.strerror}.") from error
    except ValueError as error:  # of which UnicodeDecodeError is one
        raise DatasetError(f"{name} is not UTF-8 text. Save it as CSV (UTF-8).") from error
    delimiter = max(_DELIMITERS, key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows, lines = [], []
    try:
        for cells in reader:
            row = tuple(cell.strip() for cell in cells)
            if any(row):
                rows.append(row)
                lines.append(reader.line_num)
    except csv.Error as error:
        raise DatasetError(
            f"{name}, line {reader.line_num}: not a CSV table ({error}). "
            "Take the table as it was published."
        ) from error
    if not rows:
        raise DatasetError(f"{name} is empty. Take the table as it was published.")
    header = tuple(cell.lower() for cell in rows[0])
    return CsvTable(name, header, rows[0], lines[0], tuple(rows[1:]), tuple(lines[1:]))


def known(text: str) -> str | None:
    """The cell in lower case; None where it says that the value is not known."""
    value = text.lower()
    return None if value in _UNKNOWN else value


def number(text: str, where: str) -> float | None:
    """The cell as a number; None where it says that the value is not known.

    Raises:
        DatasetError: it is neither; `where` names file, line and column.
    """
    value = known(text)
    if value is None:
        return None
    try:
        result = float(value)
    except ValueError:
        result = math.nan
    if not math.isfinite(result):
        raise DatasetError(f"{where}: “{text}” is not a number. Correct it or leave it empty.")
    return result


def written(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A CSV file for people: UTF-8 with a mark that spreadsheets know, cells defused.

    Text that a spreadsheet would take for a formula gets an apostrophe before it; numbers stay
    numbers, and None is an empty cell.
    """
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow([defused(name) for name in header])
    writer.writerows([defused(cell) for cell in row] for row in rows)
    return file.getvalue().encode("utf-8-sig")


def defused(cell: object) -> object:
    """The cell so that no spreadsheet computes it; only text is changed, NaN becomes empty.

    >>> defused("=1+1"), defused(-1.5)
    ("'=1+1", -1.5)
    """
    if cell is None or cell != cell:
        return ""
    is_formula = isinstance(cell, str) and cell.lstrip(" ").startswith(_FORMULA_STARTS)
    return f"'{cell}" if is_formula else cell
