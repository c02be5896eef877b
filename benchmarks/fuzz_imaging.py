"""Damages good photographs at random and reads them: promise 3, no crash and no hang.

Run as `python benchmarks/fuzz_imaging.py [--count 10000] [--seed 0]`. Ends with status 1 when a
file raised anything but `ImageError`, took longer than 10 s, or killed the process.
"""

import argparse
import os
import platform
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(PROJECT), str(PROJECT / "tests")]

import bad_images  # noqa: E402 - the project's root is on the path only now
import PIL  # noqa: E402

from melanoma_core import imaging  # noqa: E402

LIMIT_S = 10


def main() -> int:
    """Print the counts; give the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="files to read")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
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
            imaging.read(data, name)
            outcome = "read"
        except imaging.ImageError:
            outcome = "refused"
        except Exception as error:  # noqa: BLE001 - finding these is what this is for
            outcome = "UNCAUGHT"
            print(f"{arguments.seed}/{index} {name}: {type(error).__name__}: {error}")
        signal.alarm(0)
        slowest = max(slowest, time.perf_counter() - begun)
        counts[name, outcome] += 1
    print(f"Python {platform.python_version()}, Pillow {PIL.__version__}, {os.cpu_count()} cores")
    print(f"{'good file':<18}{'read':>8}{'refused':>9}{'uncaught':>10}")
    for name in files:
        row = [counts[name, outcome] for outcome in ("read", "refused", "UNCAUGHT")]
        print(f"{name:<18}{row[0]:>8,}{row[1]:>9,}{row[2]:>10,}")
    totals = [
        sum(number for (_, outcome), number in counts.items() if outcome == wanted)
        for wanted in ("read", "refused", "UNCAUGHT")
    ]
    print(f"{'all':<18}{totals[0]:>8,}{totals[1]:>9,}{totals[2]:>10,}")
    print(f"slowest file {slowest:.2f} s; {time.perf_counter() - started:.0f} s in all")
    return 1 if totals[2] else 0


def _too_long(signal_number: int, frame: object) -> None:
    raise TooLongError(f"reading took longer than {LIMIT_S} s")


class TooLongError(Exception):
    """Apart from Pillow's own errors, so that the reader does not take it for one of them."""


if __name__ == "__main__":
    sys.exit(main())
