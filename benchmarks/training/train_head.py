"""Time and peak memory to train the head on the nine-class set.

Run as `python -m benchmarks.training.train_head` from the project's root. It starts the same child
process as the page Train, `python -m melanoma_core train-head`, with an empty folder of runs and
a copy of the models, and waits for the candidate. As on the page, the archive is unpacked
beforehand, and the time includes the data doctor's audit.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import records, tables
from benchmarks.accuracy import held_out
from melanoma_core import paths
from melanoma_core.data import datasets
from melanoma_core.models import store

_SECONDS_BAR = 120.0
_RUN_ID = "quick-benchmark"


def main() -> None:
    """Train once, print time, memory and the numbers of photographs, and record them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--dataset", type=Path, default=held_out.DATA / "isic9.zip", help="folder or zip"
    )
    records.add_option(parser)
    arguments = parser.parse_args()
    packages = ("ai-edge-litert", "scikit-learn")
    with (
        records.recorded("quick_training", arguments.results, *packages) as record,
        tempfile.TemporaryDirectory(prefix="melanoma-benchmark-") as folder,
    ):
        models_dir = Path(folder, "models")
        shutil.copytree(paths.models_dir(), models_dir)
        num_files = len(datasets.read(arguments.dataset).table)
        seconds, peak_mb, log = _train(arguments.dataset, Path(folder), models_dir)
        champion = store.champion(models_dir)
        (candidate,) = (card for card in store.list_cards(models_dir)[0] if card.run_id == _RUN_ID)
        print(f"{num_files:,} files; network of {champion.model_id if champion else 'none'}")
        num_train, num_test = (
            sum(candidate.class_counts[split].values()) for split in ("train", "test")
        )
        rows = [
            (
                "seconds, start to candidate",
                f"{seconds:.0f}",
                *tables.bar(seconds, _SECONDS_BAR, "s"),
            ),
            ("peak memory of the child, MB", f"{peak_mb:.0f}", "", ""),
            ("training photographs", f"{num_train:,}", "", ""),
            ("test photographs", f"{num_test:,}", "", ""),
        ]
        tables.print_table(("training the head", "measured", "bar", ""), rows)
        record |= {
            "num_files": num_files,
            "seconds": seconds,
            "peak_mb": peak_mb,
            "class_counts": candidate.class_counts,
            "log": log,
        }


def _train(dataset: Path, folder: Path, models_dir: Path) -> tuple[float, float, list[str]]:
    """Seconds, peak memory in MB of 1024 × 1024 bytes, and the child's output."""
    command = [
        sys.executable, "-m", "melanoma_core", "train-head", "--dataset", str(dataset),
        "--run-dir", str(folder / "runs" / _RUN_ID),
    ]  # fmt: skip
    environment = {**os.environ, "MELANOMA_MODELS": str(models_dir)}
    started = time.perf_counter()
    child = subprocess.run(
        command, cwd=paths.PROJECT_DIR, env=environment, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - started
    if child.returncode:
        sys.exit(f"The training failed:\n{child.stdout}\n{child.stderr}")
    # This covers all ended children, and there was only one. Linux counts in kilobytes.
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    log = child.stdout.replace(str(folder), "FOLDER").splitlines()
    return seconds, peak_mb, log


if __name__ == "__main__":
    main()
