"""Damage good photographs at random and read them: no file may crash or hang the reader.

Run as `python -m benchmarks.data.fuzz_reading [--count 10000] [--seed 0]` from the project's root.
Exits with 1 if a file raises anything but `ImageError`, takes longer than 10 s, or kills the
process.
"""

import argparse
import random
import signal
import sys
import time
from collections import Counter

from benchmarks import tables
from melanoma_core.errors import ImageError
from melanoma_core.images import reading
from tests.support import bad_images

_TIMEOUT_S = 10


def main() -> int:
    """Print the counts, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="files to read")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    tables.print_heading("pillow")
    files = {name: make() for name, make in bad_images.FORMATS.items()}
    counts: Counter[tuple[str, str]] = Counter()
    slowest = 0.0
    started = time.perf_counter()
    signal.signal(signal.SIGALRM, _raise_timeout)
    for index in range(arguments.count):
        # Each file has its own seed, so that a failure can be reproduced alone.
        rng = random.Random(f"{arguments.seed}/{index}")
        name = rng.choice(list(files))
        data = bad_images.mutated(files[name], rng)
        file_started = time.perf_counter()
        signal.alarm(_TIMEOUT_S)
        try:
            reading.read(data, name)
            outcome = "read"
        except ImageError:
            outcome = "refused"
        except Exception as error:  # noqa: BLE001 - these are what the benchmark looks for
            outcome = "UNCAUGHT"
            print(f"{arguments.seed}/{index} {name}: {type(error).__name__}: {error}")
        signal.alarm(0)
        slowest = max(slowest, time.perf_counter() - file_started)
        counts[name, outcome] += 1
    outcomes = ("read", "refused", "UNCAUGHT")
    rows = {name: [counts[name, outcome] for outcome in outcomes] for name in files}
    rows["all"] = [sum(column) for column in zip(*rows.values(), strict=True)]
    tables.print_table(
        ("good file", "read", "refused", "uncaught"),
        [(name, *(f"{number:,}" for number in row)) for name, row in rows.items()],
    )
    print(f"slowest file {slowest:.2f} s; {time.perf_counter() - started:.0f} s in all")
    return 1 if rows["all"][2] else 0


def _raise_timeout(signal_number: int, frame: object) -> None:
    raise ReadTimeoutError(f"reading took longer than {_TIMEOUT_S} s")


class ReadTimeoutError(Exception):
    """Not one of Pillow's errors, so that the reader does not handle it."""


if __name__ == "__main__":
    sys.exit(main())
