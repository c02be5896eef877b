"""Print what every benchmark prints: its command, the machine, then compact tables."""

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
    """Print the command, the machine, and the versions of these packages where installed.

    The machine is described by its cores and its Python only, without names or paths, so the
    output can be published as it is.
    """
    print(f"$ {command()}\n")
    print(machine(*packages), flush=True)


def command() -> str:
    """The command line that repeats this run from the project's root."""
    spec = sys.modules["__main__"].__spec__  # None unless started with `python -m`
    module = spec.name if spec else Path(sys.argv[0]).stem
    return shlex.join(["python", "-m", module, *sys.argv[1:]])


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
    """Print a table; the first `num_texts` columns are aligned left, the others right."""
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
    """The bar as text, and whether the figure meets it.

    >>> bar(3.94, 15, "ms")
    ('≤ 15 ms', 'met')
    """
    is_met = measured >= limit if at_least else measured <= limit
    return f"{'≥' if at_least else '≤'} {limit:g} {unit}".strip(), "met" if is_met else "MISSED"


def number(value: float) -> str:
    """A proportion or an area with three decimals.

    >>> number(float("nan"))
    'n/a'
    """
    return "n/a" if math.isnan(value) else f"{value:.3f}"


def interval(estimate: Estimate) -> str:
    """An estimate with its interval; "n/a" if it is undefined."""
    if math.isnan(estimate.value):
        return "n/a"
    return f"{number(estimate.value)} ({number(estimate.low)}–{number(estimate.high)})"


def difference(estimate: Estimate) -> str:
    """A difference with its interval, all signed; "n/a" if it is undefined."""
    if math.isnan(estimate.value):
        return "n/a"
    return f"{estimate.value:+.3f} ({estimate.low:+.3f} to {estimate.high:+.3f})"
