"""CSV files as rows with line numbers, so that errors can name file and line."""

import csv
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from melanoma_core.errors import DatasetError

_DELIMITERS = (",", ";", "\t")  # as published, as saved by spreadsheets, as served by Dataverse
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")  # spreadsheets run these as formulas
_UNKNOWN = frozenset({"", "unknown", "nan", "na", "n/a", "none", "null"})


@dataclass(frozen=True)
class CsvTable:
    """The cells of a CSV file, without surrounding blanks."""

    name: str  # in error messages: the path within the data set
    header: tuple[str, ...]  # the first line, in lower case
    first_row: tuple[str, ...]  # the first line unchanged, for tables without a header
    first_line: int  # its line number in the file, from 1
    rows: tuple[tuple[str, ...], ...]  # the lines after the first, without empty ones
    lines: tuple[int, ...]  # line number that each row ends on

    def require(self, *columns: str) -> None:
        """Check that the table has these columns.

        Raises:
            DatasetError: some are missing.
        """
        missing = [column for column in columns if column not in self.header]
        if missing:
            raise DatasetError(
                f"{self.name} has no column {', '.join(missing)}; "
                f"its columns are {', '.join(self.header)}. "
                "Use the table as it was published, or rename its columns."
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
                    f"{len(self.header)}. Use the table as it was published."
                )
            yield line, dict(zip(self.header, row, strict=True))


def read(path: Path, name: str) -> CsvTable:
    """A CSV file, separated by whichever of comma, semicolon and tab is most frequent in line 1.

    Raises:
        DatasetError: it cannot be read, is not UTF-8 text, or is empty.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
        if "\0" in text:
            raise ValueError("a NUL")
    except OSError as error:
        raise DatasetError(f"{name} cannot be read: {error.strerror}.") from error
    except ValueError as error:  # UnicodeDecodeError is one
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
            "Use the table as it was published."
        ) from error
    if not rows:
        raise DatasetError(f"{name} is empty. Use the table as it was published.")
    header = tuple(cell.lower() for cell in rows[0])
    return CsvTable(name, header, rows[0], lines[0], tuple(rows[1:]), tuple(lines[1:]))


def parse_text(text: str) -> str | None:
    """The cell in lower case; None if it is empty or says that the value is unknown."""
    value = text.lower()
    return None if value in _UNKNOWN else value


def parse_number(text: str, where: str) -> float | None:
    """The cell as a number; None if it is empty or says that the value is unknown.

    Args:
        text: the cell.
        where: file, line and column, for the error message.

    Raises:
        DatasetError: it is not a number.
    """
    value = parse_text(text)
    if value is None:
        return None
    try:
        result = float(value)
    except ValueError:
        result = math.nan
    if not math.isfinite(result):
        raise DatasetError(f"{where}: “{text}” is not a number. Correct it or leave it empty.")
    return result


def to_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A CSV file for spreadsheets: UTF-8 with a byte order mark, formulas escaped.

    None and NaN become empty cells.
    """
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow([escape_formula(name) for name in header])
    writer.writerows([escape_formula(cell) for cell in row] for row in rows)
    return file.getvalue().encode("utf-8-sig")


def escape_formula(cell: object) -> object:
    """The cell, with an apostrophe before text that a spreadsheet would run as a formula.

    >>> escape_formula("=1+1"), escape_formula(-1.5)
    ("'=1+1", -1.5)
    """
    if cell is None or cell != cell:
        return ""
    is_formula = isinstance(cell, str) and cell.lstrip(" ").startswith(_FORMULA_STARTS)
    return f"'{cell}" if is_formula else cell
