"""Save what a benchmark prints, and the same figures as JSON beside it."""

import argparse
import contextlib
import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import tables
from melanoma_core import paths
from melanoma_core.metrics.estimates import Estimate, to_record

RESULTS_DIR = Path(__file__).resolve().parent / "results"


def add_option(parser: argparse.ArgumentParser) -> None:
    """Add the option for the folder that the record is written to."""
    parser.add_argument(
        "--results", type=Path, default=RESULTS_DIR, help="folder that the record is written to"
    )


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """The option for the JSON of a record that the page Lessons shows."""
    parser.add_argument(
        "--records",
        type=Path,
        default=paths.records_dir(),
        help="folder of the JSON, which the page Lessons reads",
    )


@contextlib.contextmanager
def recorded(
    name: str, results_dir: Path, *packages: str, json_dir: Path | None = None
) -> Iterator[dict[str, Any]]:
    """Print the heading, then save all that is printed as NAME.txt and the dict as NAME.json.

    Both are written only if nothing fails, so a record always describes one complete run.

    Args:
        name: name of both files, without suffix.
        results_dir: folder of both files.
        packages: packages whose versions go into the heading.
        json_dir: folder of NAME.json; `results_dir` by default.

    Yields:
        A dict to fill with JSON values; the command and the machine are already in it.
    """
    printed = _Tee(sys.stdout)
    with contextlib.redirect_stdout(printed):
        tables.print_heading(*packages)
        record: dict[str, Any] = {"command": tables.command(), "machine": tables.machine(*packages)}
        yield record
    text = json.dumps(record, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    results_dir.mkdir(parents=True, exist_ok=True)
    paths.write_atomic(results_dir / f"{name}.txt", printed.getvalue().encode())
    json_dir = json_dir or results_dir
    json_dir.mkdir(parents=True, exist_ok=True)
    paths.write_atomic(json_dir / f"{name}.json", text.encode())


def as_json(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of estimates and JSON values, with the estimates turned into JSON values too."""
    return [
        {
            name: to_record(cell) if isinstance(cell, Estimate) else cell
            for name, cell in row.items()
        }
        for row in rows
    ]


class _Tee(io.StringIO):
    """Keeps what is written to it, and passes it on to another stream."""

    def __init__(self, stream: Any) -> None:
        super().__init__()
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(text)
        return super().write(text)

    def flush(self) -> None:
        self._stream.flush()
