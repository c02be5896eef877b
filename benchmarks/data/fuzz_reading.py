"""Damages good photographs at random and reads them: promise 3, no crash and no hang.

Run as `python -m benchmarks.data.fuzz_reading [--count 10000] [--seed 0]` from the project's root. Ends
with status 1 when a file raised anything but `ImageError`, took longer than 10 s, or killed the
process.
"""

import argparse
import random
import signal
import sys
import time
from collections import Counter

from benchmarks import tables
from melanoma_core import paths
from melanoma_core.images import reading

sys.path.append(str(paths.PROJECT_DIR / "tests"))  # where the damage is made
from tests.support import bad_images

LIMIT_S = 10


def main() -> int:
    """Print the counts; give the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="files to read")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    tables.print_heading("pillow")
    files = {name: make() for name, make in bad_images.FORMATS.items()}
    counts: Counter[tuple[str, str]] = Counter()
    slowest = 0.0
    started = time.perf_counter()
    signal.signal(signal.SIGALRM, _too_long)
    for index in range(arguments.count):
        # Each file has a seed of its own, so that a finding can be made again alone.
        rng = random.Random(f"{arguments.seed}/{index}")
        name = rng.choice(list(files))
        data = bad_images.mutated(files[name], rng)
        begun = time.perf_counter()
        signal.alarm(LIMIT_S)
        try:
            reading.read(data, name)
            outcome = "read"
        except reading.ImageError:
            outcome = "refused"
        except Exception as error:  # noqa: BLE001 - finding these is what this is for
            outcome = "UNCAUGHT"
            print(f"{arguments.seed}/{index} {name}: {type(error).__name__}: {error}")
        signal.alarm(0)
        slowest = max(slowest, time.perf_counter() - begun)
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


def _too_long(signal_number: int, frame: object) -> None:
    raise TooLongError(f"reading took longer than {LIMIT_S} s")


class TooLongError(Exception):
    """Apart from Pillow's own errors, so that the reader does not take it for one of them."""


if __name__ == "__main__":
    sys.exit(main())
