"""How long a clinician waits for an assessment while a training runs on the same machine.

Run as `python -m benchmarks.serving.while_training` from the project's root. It drives the app in
Chromium (Debian's package `chromium`), and is skipped with a message if there is none. One visitor
assesses one photograph after another, first with the machine idle, then during a training started
as the page Train starts one: the starting project's network on synthetic lesions. The app, the
browser and the training share all cores.
"""

import argparse
import asyncio
import itertools
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from playwright.async_api import Error, Page

from benchmarks import records, tables
from benchmarks.serving import web_servers, web_visitors
from benchmarks.serving.web_servers import Server
from melanoma_core.data.schema import SPLITS
from melanoma_core.images import reading, synthetic
from melanoma_core.runs import processes, states
from melanoma_core.runs.configs import TrainConfig
from melanoma_core.runs.plans import RunPlan
from melanoma_core.runs.states import State

_NETWORK = "starting_cnn"
_CLASSES = ("melanoma", "nevus")
_FILES_PER_CLASS = {"train": 400, "val": 40, "test": 40}
_EPOCHS = 10_000  # more than will run: the training is stopped
_P95_BAR = 3.0  # times idle
_GROWTH_BAR_MB = 50.0
_TRAINING_TIMEOUT_S = 600


def main() -> None:
    """Measure, print the figures and their bars, and record them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assessments", type=int, default=300, help="in each part")
    records.add_option(parser)
    arguments = parser.parse_args()
    chromium = web_visitors.chromium_or_skip()
    packages = ("streamlit", "ai-edge-litert", "tensorflow-cpu", "tensorflow", "playwright")
    with (
        records.recorded("serving_while_training", arguments.results, *packages) as record,
        tempfile.TemporaryDirectory(prefix="melanoma-benchmark-") as folder,
        web_visitors.photographs(10) as files,
    ):
        plan = _plan(Path(folder))
        record |= asyncio.run(
            _measure(chromium, files[:-1], plan, Path(folder), arguments.assessments)
        )


def _plan(folder: Path) -> RunPlan:
    """A training on class folders of synthetic lesions, all different."""
    dataset_dir = folder / "synthetic"
    seeds = itertools.count()
    for split in SPLITS:
        for name in _CLASSES:
            class_dir = dataset_dir / split / name
            class_dir.mkdir(parents=True)
            for number in range(_FILES_PER_CLASS[split]):
                image = synthetic.lesion(next(seeds), (150, 200), synthetic.KINDS[number % 2])
                (class_dir / f"{split}_{name}_{number}.jpg").write_bytes(reading.jpeg(image))
    config = TrainConfig(network=_NETWORK, image_size=180, epochs=_EPOCHS)
    return RunPlan(config, (str(dataset_dir),), is_cleaned=False)


async def _measure(
    chromium: str, files: list[Path], plan: RunPlan, folder: Path, num_assessments: int
) -> dict[str, object]:
    """Print the tables, and return their figures."""
    async with web_visitors.browser(chromium, away_from=-1) as browser:
        page = await web_visitors.tab(browser)
        with web_servers.start() as server:
            await web_visitors.visit(page, server)
            await _assess_all(page, files, 20)  # warm
            idle = await _part(page, server, files, num_assessments)
            run_dir = processes.start(plan, folder / "runs", "benchmark", folder / "models")
            try:
                await _wait_for_first_epoch(run_dir)
                training = await _part(page, server, files, num_assessments)
                state = states.read(run_dir)
            finally:
                processes.stop_now(run_dir)
                await _wait_for_end(run_dir)
    ratio = training["p95_ms"] / idle["p95_ms"]
    growth = training["memory_mb"] - idle["memory_mb"]
    print(f"Training: {_NETWORK}, {plan.config.image_size} px, {state.num_done} epochs completed.")
    rows = [
        (
            name,
            *(f"{part[figure]:.0f} ms" for figure in ("median_ms", "p95_ms", "longest_ms")),
            f"{part['num_answers']:.0f} of {num_assessments}",
            f"{part['memory_mb']:.0f} MB",
        )
        for name, part in (("idle", idle), ("while training", training))
    ]
    headings = ("from upload to verdict", "median", "p95", "longest", "answers", "web process")
    tables.print_table(headings, rows)
    answers, libraries = training["num_answers"], training["num_libraries"]
    all_answered = tables.bar(answers, num_assessments, "", at_least=True)
    bars = [
        ("p95, times idle", f"{ratio:.2f}", *tables.bar(ratio, _P95_BAR, "")),
        ("answers while training", f"{answers:.0f}", *all_answered),
        ("growth of the web process, MB", f"{growth:.0f}", *tables.bar(growth, _GROWTH_BAR_MB, "")),
        ("TensorFlow libraries in it", f"{libraries:.0f}", *tables.bar(libraries, 0, "")),
    ]
    tables.print_table(("", "measured", "bar", ""), bars)
    return {"idle": idle, "training": training, "p95_ratio": ratio, "growth_mb": growth}


async def _part(
    page: Page, server: Server, files: list[Path], num_assessments: int
) -> dict[str, float]:
    """Times of one part, and the web process's memory and libraries at its end."""
    seconds = np.array(await _assess_all(page, files, num_assessments))
    return {
        "num_answers": len(seconds),
        "median_ms": 1e3 * float(np.median(seconds)),
        "p95_ms": 1e3 * float(np.percentile(seconds, 95)),
        "longest_ms": 1e3 * float(seconds.max()),
        "memory_mb": server.memory_mb("VmRSS"),
        "num_libraries": len(server.libraries_of("tensorflow")),
    }


async def _assess_all(page: Page, files: list[Path], number: int) -> list[float]:
    """Seconds of each assessment with a verdict; failures are printed."""
    seconds = []
    for _, file in zip(range(number), itertools.cycle(files), strict=False):
        try:
            seconds.append(await web_visitors.assess(page, file))
            await web_visitors.clear(page)
        except Error as error:
            print(f"no verdict: {error}")
            await page.reload()
    return seconds


async def _wait_for_first_epoch(run_dir: Path) -> None:
    deadline = time.monotonic() + _TRAINING_TIMEOUT_S
    while not states.read(run_dir).history:
        state = states.read(run_dir)
        if state.state != State.RUNNING or time.monotonic() > deadline:
            raise SystemExit(f"The training did not start: {state.reason} {' '.join(state.log)}")
        await asyncio.sleep(1)


async def _wait_for_end(run_dir: Path) -> None:
    while states.read(run_dir).state == State.RUNNING:
        await asyncio.sleep(0.5)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
