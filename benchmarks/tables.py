"""How the benchmarks print: the command, the machine, then compact tables."""

import math
import os
import platform
import shlex
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from melanoma_core.metrics.estimates import Estimate


def print_heading(*packages: str) -> None:
    """The command that was given, the machine, and the versions of these packages where installed.

    The machine is its cores and its Python: no name and no path, so that what is printed can be
    recorded as it is.
    """
    print(f"$ {command()}\n")
    print(machine(*packages), flush=True)


def command() -> str:
    """The command that was given, as it would be typed again from the project's root."""
    return shlex.join(["python", "-m", f"benchmarks.{Path(sys.argv[0]).stem}", *sys.argv[1:]])


def machine(*packages: str) -> str:
    """Cores, Python, and the versions of these packages where installed."""
    installed = {package: _version(package) for package in packages}
    versions = "".join(f", {package} {number}" for package, number in installed.items() if number)
    return f"{os.cpu_count()} cores, Python {platform.python_version()}{versions}"


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]], num_texts: int = 1) -> None:
    """A table with its first `num_texts` columns to the left, the others to the right."""
    lines = [tuple(headings), *map(tuple, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    print()
    for line in lines:
        cells = [
            f"{cell:{'<' if column < num_texts else '>'}{width}}"
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())
    sys.stdout.flush()


def bar(measured: float, limit: float, unit: str, *, at_least: bool = False) -> tuple[str, str]:
    """A bar in words, and whether the figure keeps it.

    >>> bar(3.94, 15, "ms")
    ('≤ 15 ms', 'met')
    """
    is_met = measured >= limit if at_least else measured <= limit
    return f"{'≥' if at_least else '≤'} {limit:g} {unit}".strip(), "met" if is_met else "MISSED"


def number(value: float) -> str:
    """A share or an area with three decimals.

    >>> number(float("nan"))
    'n/a'
    """
    return "n/a" if math.isnan(value) else f"{value:.3f}"


def interval(figure: Estimate) -> str:
    """A figure with its interval; "n/a" where it is not defined."""
    if math.isnan(figure.value):
        return "n/a"
    return f"{number(figure.value)} ({number(figure.low)}–{number(figure.high)})"


def difference(figure: Estimate) -> str:
    """A difference with its interval, each with its sign; "n/a" where it is not defined."""
    if math.isnan(figure.value):
        return "n/a"
    return f"{figure.value:+.3f} ({figure.low:+.3f} to {figure.high:+.3f})"
