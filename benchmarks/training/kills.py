"""Kill trainings, go on with them, and compare their weights with those of an unbroken run.

Run as `python -m benchmarks.training.kills` from the project's root; it takes some ten minutes. The network
is the tiny one, on drawn lesions. Three quarters of the kills come at random moments of the
training, one quarter inside the write of a checkpoint.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
from PIL import Image

from benchmarks import records, tables
from melanoma_core.images import synthetic
from melanoma_core.paths import PROJECT_DIR, sha256
from melanoma_core.runs import plans, states
from melanoma_core.runs.configs import TrainConfig
from melanoma_core.runs.plans import RunPlan
from melanoma_core.runs.states import State

_CONFIG = TrainConfig(
    network="tiny", image_size=32, epochs=8, batch_size=8, learning_rate=1e-2, dropout=0.5, seed=3
)
_NUM_EACH = 24
_SECONDS = 600
# A training that kills itself half-way through the write of its n-th file of checkpoints.
_KILLED_IN_WRITE = """
import os, signal, sys
from melanoma_core import checkpoints
from melanoma_core.__main__ import main
left, write = int(sys.argv[1]), checkpoints._write_synced
def killed(path, data):
    global left
    left -= 1
    if left == 0:
        path.write_bytes(data[: len(data) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    write(path, data)
checkpoints._write_synced = killed
main(["train", "--run-dir", sys.argv[2]])
"""


def main() -> None:
    """Kill, resume, compare, record; exit code 1 where any run ended otherwise."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    records.add_option(parser)
    options = parser.parse_args()
    moments = random.Random(options.seed)
    with (
        records.recorded("kills", options.results, "tensorflow", "keras") as record,
        tempfile.TemporaryDirectory(prefix="kills-") as folder,
    ):
        work_dir = Path(folder)
        plan = RunPlan(_CONFIG, (str(_drawn(work_dir / "drawn")),), None, None)
        run_dir = _planned(work_dir, "unbroken", plan)
        _finish(run_dir)
        expected, seconds = _weights(work_dir, run_dir), _seconds_of_epochs(run_dir)
        rows = []
        for number in range(options.kills):
            run_dir = _planned(work_dir, f"killed-{number:02d}", plan)
            if number % 4 == 3:
                nth = moments.randint(1, 2 * _CONFIG.epochs)  # two files a checkpoint
                moment = f"in file {nth} of its checkpoints"
                _run([sys.executable, "-c", _KILLED_IN_WRITE, str(nth), str(run_dir)], work_dir)
            else:
                num_epochs, share = moments.randint(0, _CONFIG.epochs - 2), moments.random()
                moment = f"{share:.2f} of an epoch after {num_epochs}"
                _kill(run_dir, num_epochs, share * seconds / _CONFIG.epochs)
            finished = states.read(run_dir)
            assert finished.state == State.INTERRUPTED, finished
            _finish(run_dir)
            epochs = [row["epoch"] for row in states.read(run_dir).history]
            is_same = _weights(work_dir, run_dir) == expected
            is_once = epochs == list(range(1, _CONFIG.epochs + 1))
            rows.append(
                {
                    "moment": moment, "epochs_done": finished.num_done,
                    "same_weights": is_same, "each_epoch_once": is_once,
                }
            )  # fmt: skip
        tables.print_table(
            ("killed", "epochs done", "same weights", "each epoch once"),
            [
                (
                    str(row["moment"]), str(row["epochs_done"]),
                    *("yes" if row[key] else "NO" for key in ("same_weights", "each_epoch_once")),
                )
                for row in rows
            ],
        )  # fmt: skip
        num_good = sum(bool(row["same_weights"] and row["each_epoch_once"]) for row in rows)
        print(f"\n{num_good} of {len(rows)} ended in the weights of the unbroken run.")
        print(f"SHA-256 of the weights: {expected}")
        record.update(kills=rows, num_good=num_good, weights_sha256=expected)
    sys.exit(num_good != len(rows))


def _drawn(target: Path) -> Path:
    for kind in synthetic.KINDS[:4]:
        (target / kind).mkdir(parents=True)
        for seed in range(_NUM_EACH):
            name = f"{kind.replace(' ', '_')}_{seed:03d}.png"
            Image.fromarray(synthetic.lesion(seed, (64, 64), kind)).save(target / kind / name)
    return target


def _planned(work_dir: Path, name: str, plan: RunPlan) -> Path:
    run_dir = work_dir / "runs" / name
    plans.write_plan(run_dir, plan)
    return run_dir


def _command(run_dir: Path) -> list[str]:
    return [sys.executable, "-m", "melanoma_core", "train", "--run-dir", str(run_dir)]


def _environment(work_dir: Path) -> dict[str, str]:
    return {
        **os.environ,
        "MELANOMA_RUNS": str(work_dir / "runs"),
        "MELANOMA_MODELS": str(work_dir / "models"),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }


def _run(command: list[str], work_dir: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command, cwd=PROJECT_DIR, env=_environment(work_dir), capture_output=True, timeout=_SECONDS
    )


def _finish(run_dir: Path) -> None:
    done = _run(_command(run_dir), run_dir.parent.parent)
    assert done.returncode == 0, done.stderr.decode()


def _kill(run_dir: Path, num_epochs: int, delay: float) -> None:
    """Start a run and kill it so many seconds after so many epochs of it are done."""
    process = subprocess.Popen(
        _command(run_dir), cwd=PROJECT_DIR, env=_environment(run_dir.parent.parent),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline:
            found = states.read(run_dir)
            if found.num_done >= num_epochs and found.phase.startswith(("compiling", "epoch")):
                break
            time.sleep(0.01)
        time.sleep(delay)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def _seconds_of_epochs(run_dir: Path) -> float:
    lines = (run_dir / "history.jsonl").read_text().splitlines()
    return sum(json.loads(line)["seconds"] for line in lines)


def _weights(work_dir: Path, run_dir: Path) -> str:
    """SHA-256 of every array of the candidate's weights."""
    arrays: list[bytes] = []
    with h5py.File(work_dir / "models" / run_dir.name / "network.weights.h5") as file:
        file.visititems(
            lambda name, item: (
                arrays.append(name.encode() + item[()].tobytes())
                if isinstance(item, h5py.Dataset)
                else None
            )
        )
    return sha256(b"".join(arrays))


if __name__ == "__main__":
    main()
