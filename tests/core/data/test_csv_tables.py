"""CSV files in their usual variants, and errors that name file and line."""

import pytest

from melanoma_core.data import csv_tables
from melanoma_core.errors import DatasetError


def read(tmp_path, data: bytes) -> csv_tables.CsvTable:
    path = tmp_path / "table.csv"
    path.write_bytes(data)
    return csv_tables.read(path, "set/table.csv")


@pytest.mark.parametrize(
    "data",
    [
        b"image,age\na,40\n\nb,50\n",
        b"\xef\xbb\xbfImage,Age\r\na,40\r\n\r\nb,50",
        b"image;age\na;40\n;\nb;50\n",
        b"image\tage\na\t40\n\nb\t50\n",
        b'image,age\n"a", 40\n,\nb ,50\n',
    ],
)
def test_separators_quotes_blanks_and_byte_order_marks_make_no_difference(tmp_path, data):
    table = read(tmp_path, data)
    assert list(table.records()) == [
        (2, {"image": "a", "age": "40"}),
        (4, {"image": "b", "age": "50"}),
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "set/table.csv is empty"),
        (b"\n,,\n", "set/table.csv is empty"),
        (b"image,sex\na,m\xe4nnlich\n", "set/table.csv is not UTF-8 text"),
        (b'image,sex\na,"male\n', "set/table.csv, line 2: not a CSV table"),
        (b"image,sex\na\x00,male\n", "set/table.csv is not UTF-8 text"),
    ],
)
def test_an_unreadable_table_is_named(tmp_path, data, message):
    with pytest.raises(DatasetError, match=message):
        read(tmp_path, data)


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"set/table.csv cannot be read: No such file"):
        csv_tables.read(tmp_path / "table.csv", "set/table.csv")


@pytest.mark.parametrize(("row", "num_cells"), [("b", 1), ("b,40,male", 3)])
def test_a_row_with_too_few_or_too_many_cells_is_named(tmp_path, row, num_cells):
    table = read(tmp_path, f"image,age\na,40\n{row}\n".encode())
    with pytest.raises(DatasetError, match=f"table.csv, line 3: {num_cells} cells where the heade"):
        list(table.records())


def test_missing_columns_are_named_with_the_existing_ones(tmp_path):
    table = read(tmp_path, b"image,age\n")
    table.require("image", "age")
    with pytest.raises(DatasetError, match=r"no column sex, site; its columns are image, age"):
        table.require("sex", "age", "site")


@pytest.mark.parametrize("text", ["", "unknown", "Unknown", "NaN", "NA", "None"])
def test_unknown_values_are_none(text):
    assert csv_tables.parse_text(text) is None
    assert csv_tables.parse_number(text, "here") is None


def test_a_number_is_read_or_named():
    assert csv_tables.parse_number("40.0", "here") == 40
    for text in ("forty", "inf", "4,5"):
        with pytest.raises(DatasetError, match=f"t.csv, line 2, column age: “{text}” is not a"):
            csv_tables.parse_number(text, "t.csv, line 2, column age")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\0", "  ="])
def test_formulas_are_escaped(start):
    assert csv_tables.escape_formula(f"{start}1+1") == f"'{start}1+1"


def test_numbers_and_plain_text_are_written_unchanged():
    file = csv_tables.to_csv(
        ["image_id", "age", "note"], [["ISIC_1", -4.5, None], ["=cmd()", float("nan"), 'a "b", c']]
    )
    assert file.decode("utf-8-sig") == (
        'image_id,age,note\r\nISIC_1,-4.5,\r\n\'=cmd(),,"a ""b"", c"\r\n'
    )
