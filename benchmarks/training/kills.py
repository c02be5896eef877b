"""Kill training runs, resume them, and compare their weights with those of an uninterrupted run.

Run as `python -m benchmarks.training.kills` from the project's root; it takes about ten minutes.
The tiny network is trained on synthetic lesions. Three quarters of the kills come at random
moments, one quarter while a checkpoint is being written.
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
_NUM_PER_CLASS = 24
_TIMEOUT_S = 600
# A training run that kills itself halfway through writing its n-th checkpoint file.
_KILLED_IN_WRITE = """
import os, signal, sys
from melanoma_core.__main__ import main
from melanoma_core.training import checkpoints
num_left, write = int(sys.argv[1]), checkpoints._write_synced
def write_or_die(path, data):
    global num_left
    num_left -= 1
    if num_left == 0:
        path.write_bytes(data[: len(data) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    write(path, data)
checkpoints._write_synced = write_or_die
main(["resume", sys.argv[2]])
"""


def main() -> None:
    """Kill, resume, compare and record; exit with 1 if any run ends differently."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the random moments")
    records.add_option(parser)
    options = parser.parse_args()
    moments = random.Random(options.seed)
    with (
        records.recorded("kills", options.results, "tensorflow", "keras") as record,
        tempfile.TemporaryDirectory(prefix="kills-") as folder,
    ):
        work_dir = Path(folder)
        plan = RunPlan(_CONFIG, (str(_write_dataset(work_dir / "synthetic")),))
        run_dir = _write_plan(work_dir, "uninterrupted", plan)
        _finish(run_dir)
        expected, seconds = _weights(work_dir, run_dir), _seconds_of_epochs(run_dir)
        rows = []
        for number in range(options.kills):
            run_dir = _write_plan(work_dir, f"killed-{number:02d}", plan)
            if number % 4 == 3:
                nth = moments.randint(1, 2 * _CONFIG.epochs)  # two files per checkpoint
                moment = f"while writing checkpoint file {nth}"
                _run([sys.executable, "-c", _KILLED_IN_WRITE, str(nth), str(run_dir)], work_dir)
            else:
                num_epochs, fraction = moments.randint(0, _CONFIG.epochs - 2), moments.random()
                moment = f"{fraction:.2f} of an epoch after {num_epochs}"
                _kill(run_dir, num_epochs, fraction * seconds / _CONFIG.epochs)
            interrupted = states.read(run_dir)
            assert interrupted.state == State.INTERRUPTED, interrupted
            _finish(run_dir)
            epochs = [row["epoch"] for row in states.read(run_dir).history]
            is_same = _weights(work_dir, run_dir) == expected
            is_once = epochs == list(range(1, _CONFIG.epochs + 1))
            rows.append(
                {
                    "moment": moment, "epochs_done": interrupted.num_done,
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
        print(f"\n{num_good} of {len(rows)} ended with the weights of the uninterrupted run.")
        print(f"SHA-256 of the weights: {expected}")
        record.update(kills=rows, num_good=num_good, weights_sha256=expected)
    sys.exit(num_good != len(rows))


def _write_dataset(dataset_dir: Path) -> Path:
    for kind in synthetic.KINDS[:4]:
        (dataset_dir / kind).mkdir(parents=True)
        for seed in range(_NUM_PER_CLASS):
            name = f"{kind.replace(' ', '_')}_{seed:03d}.png"
            Image.fromarray(synthetic.lesion(seed, (64, 64), kind)).save(dataset_dir / kind / name)
    return dataset_dir


def _write_plan(work_dir: Path, name: str, plan: RunPlan) -> Path:
    run_dir = work_dir / "runs" / name
    plans.write_plan(run_dir, plan)
    return run_dir


def _command(run_dir: Path) -> list[str]:
    return [sys.executable, "-m", "melanoma_core", "resume", str(run_dir)]


def _environment(work_dir: Path) -> dict[str, str]:
    return {
        **os.environ,
        "MELANOMA_RUNS": str(work_dir / "runs"),
        "MELANOMA_MODELS": str(work_dir / "models"),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }


def _run(command: list[str], work_dir: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command,
        cwd=PROJECT_DIR,
        env=_environment(work_dir),
        capture_output=True,
        timeout=_TIMEOUT_S,
    )


def _finish(run_dir: Path) -> None:
    done = _run(_command(run_dir), run_dir.parent.parent)
    assert done.returncode == 0, done.stderr.decode()


def _kill(run_dir: Path, num_epochs: int, delay: float) -> None:
    """Start a run, and kill it `delay` seconds after its first `num_epochs` epochs."""
    process = subprocess.Popen(
        _command(run_dir), cwd=PROJECT_DIR, env=_environment(run_dir.parent.parent),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + _TIMEOUT_S
        while time.monotonic() < deadline:
            state = states.read(run_dir)
            if state.num_done >= num_epochs and state.phase.startswith(("compiling", "epoch")):
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
    """SHA-256 of all arrays of the candidate's weights."""
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
