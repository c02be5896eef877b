"""How much Grad-CAM heat lies inside the lesion's expert outline (HAM10000, test split).

Run as `python -m benchmarks.accuracy.heat_in_lesion [--model ID]…` from the project's root. A
meaningful map must beat uniform heat, a blob in the middle of the photograph as wide as the maps,
and maps of the same network with untrained weights.
"""

import argparse
import math
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import records, tables
from benchmarks.accuracy import held_out
from melanoma_core.data import outline_files
from melanoma_core.errors import DatasetError
from melanoma_core.images import outlines, reading
from melanoma_core.metrics.estimates import Estimate, to_record
from melanoma_core.models import grad_cam, predict
from melanoma_core.models.predict import Model, Network

_SOURCE = "ham10000"
_TRAINED = "the network"
_SHUFFLED = "last layer's weights shuffled"
_UNTRAINED = "untrained weights"
_BLOB = "a blob in the middle"
_UNIFORM = "uniform heat"


@dataclass
class HeatInside:
    """Fraction of heat inside the outline, one per photograph; NaN where a map is empty."""

    of_likeliest: dict[str, list[float]] = field(default_factory=dict)
    of_melanoma: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, likeliest: float, melanoma: float) -> None:
        """Add the fractions of one photograph."""
        self.of_likeliest.setdefault(name, []).append(likeliest)
        self.of_melanoma.setdefault(name, []).append(melanoma)


def main() -> None:
    """Measure each model and its baselines, print the tables, and record the figures."""
    arguments = _arguments()
    started = time.monotonic()
    name = "heat_in_lesion"
    with records.recorded(name, arguments.results, "ai-edge-litert", "keras") as record:
        models = [model for model in held_out.load(arguments) if model.card.has_saliency]
        table = held_out.photographs(arguments, [model.card.model_id for model in models])
        table = table[table["source"] == _SOURCE].reset_index(drop=True)
        num_all = len(table)
        if arguments.photographs:
            table = held_out.sample_groups(table, arguments.photographs, seed=0)
        masks = _outlines(arguments.outlines, table)
        held_out.print_models(models)
        print(f"{len(table):,} of {num_all:,} HAM10000 test photographs")
        rows = []
        for model in models:
            heat, blob_width = _measure(model, table, masks, arguments.seeds)
            rows += _print_heat(model, table, heat, blob_width)
        print(
            "\nMeans over photographs, intervals bootstrapped over groups; n counts photographs and"
            "\nlesions with a map that is not empty. Lead: how much more of the network's heat lies"
            f"\ninside, compared within each photograph. Untrained weights: mean of"
            f" {arguments.seeds} untrained\nnetworks, for the likeliest diagnosis of the trained"
            " one."
        )
        print(f"\n{time.monotonic() - started:,.0f} s in all")
        record |= {
            "models": held_out.describe(models),
            "num_photographs": len(table),
            "num_in_test_split": num_all,
            "untaught_networks": arguments.seeds,
            "rows": rows,
        }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    held_out.add_options(parser, "ham10000.zip")
    parser.add_argument(
        "--outlines",
        type=Path,
        default=held_out.DATA / "ham10000_masks.zip",
        help="folder or zip of <image id>_segmentation.png",
    )
    parser.add_argument("--photographs", type=int, help="a smaller sample, for a trial run")
    parser.add_argument("--seeds", type=int, default=3, help="untrained networks to average over")
    records.add_option(parser)
    return parser.parse_args()


def _outlines(path: Path, table: pd.DataFrame) -> list[NDArray[np.bool_]]:
    files = outline_files.find(path)
    missing = [image_id for image_id in table["image_id"] if image_id not in files]
    if missing:
        raise DatasetError(
            f"{path.name} lacks the outlines of {len(missing):,} photographs, such as "
            f"{missing[0]}. Use HAM10000’s own segmentations."
        )
    return [outlines.read_file(files[image_id]) for image_id in table["image_id"]]


def _measure(
    model: Model, table: pd.DataFrame, masks: list[NDArray[np.bool_]], num_seeds: int
) -> tuple[HeatInside, float]:
    """Heat inside the outlines, and the blob's width as a fraction of the map's side."""
    melanoma = model.card.diagnoses.index("MEL")
    kernel = model.network.kernel
    permuted = np.random.default_rng(0).permutation(kernel.ravel()).reshape(kernel.shape)
    shuffled = replace(model, network=replace(model.network, kernel=permuted))
    untrained = [
        replace(model, network=network) for network in _untrained_networks(model, num_seeds)
    ]
    heat, maps = HeatInside(), []
    for path, mask in zip(table["path"], masks, strict=True):
        image = reading.read_file(Path(path))
        prediction = predict.classify(model, image)
        cams = grad_cam.grad_cams(model, prediction)
        likeliest = int(prediction.probabilities.argmax())
        maps.append(cams[likeliest])
        maps_of = {
            _TRAINED: [cams],
            _UNIFORM: [np.ones_like(cams)],
            _SHUFFLED: [grad_cam.grad_cams(shuffled, prediction)],
            _UNTRAINED: [grad_cam.grad_cams(m, predict.classify(m, image)) for m in untrained],
        }
        for name, of_networks in maps_of.items():
            heat.add(name, *(_inside(of_networks, code, mask) for code in (likeliest, melanoma)))
    blob, width = _blob(np.array(maps))
    for mask in masks:
        inside = grad_cam.heat_inside(blob, mask)
        heat.add(_BLOB, inside, inside)
    return heat, width


def _inside(of_networks: list[NDArray[np.float32]], code: int, mask: NDArray[np.bool_]) -> float:
    """Fraction of a diagnosis' heat inside, averaged over the networks with a map not empty."""
    fractions = np.array([grad_cam.heat_inside(cams[code], mask) for cams in of_networks])
    defined = fractions[~np.isnan(fractions)]
    return float(defined.mean()) if defined.size else math.nan


def _blob(maps: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """A centered Gaussian as wide as the maps are on average, and that width.

    Args:
        maps: (N, h, w), not negative.

    Returns:
        (h, w), and the width as `_spread` measures it.
    """
    width = _spread(maps)
    rows, columns = ((np.arange(size) + 0.5) / size - 0.5 for size in maps.shape[1:])
    squares = rows[:, np.newaxis] ** 2 + columns**2
    narrow, wide = 1e-3, 1e3
    for _ in range(60):  # bisection, as the edges cut the Gaussian off and make its spread smaller
        middle = math.sqrt(narrow * wide)
        blob = np.exp(-squares / (2 * middle**2)).astype(np.float32)
        narrow, wide = (middle, wide) if _spread(blob[np.newaxis]) < width else (narrow, middle)
    return blob, width


def _spread(maps: NDArray[np.float32]) -> float:
    """Mean standard deviation of the heat in a map, as a fraction of its side."""
    heat = maps[maps.sum(axis=(1, 2)) > 0].astype(np.float64)
    total = heat.sum(axis=(1, 2))
    variances = []
    for axis, size in ((1, heat.shape[1]), (2, heat.shape[2])):
        weights = heat.sum(axis=3 - axis) / total[:, np.newaxis]
        positions = (np.arange(size) + 0.5) / size
        variances.append(weights @ positions**2 - (weights @ positions) ** 2)
    return float(np.sqrt(np.mean(variances)))


def _untrained_networks(model: Model, num_seeds: int) -> Iterator[Network]:
    """The same network with random weights, exported and loaded as a trained one."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from melanoma_core.networks import architectures
    from melanoma_core.training import fitting

    card = model.card
    for seed in range(num_seeds):
        fitting.make_repeatable(seed)
        network = architectures.build(
            card.network,
            card.image_size,
            len(card.diagnoses),
            color_cast_limits=card.color_cast_limits,
        )
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "network.tflite")
            architectures.export(network, path)
            yield Network(predict.Graph(path.read_bytes()), *architectures.head(network))


def _print_heat(
    model: Model, table: pd.DataFrame, heat: HeatInside, blob_width: float
) -> list[dict[str, Any]]:
    """Print the table of one model, and return its rows as JSON values."""
    is_melanoma = (table["diagnosis"] == "MEL").to_numpy()
    parts = {
        "likeliest diagnosis, all photographs": (heat.of_likeliest, np.ones(len(table), bool)),
        "melanoma, photographs of melanomas": (heat.of_melanoma, is_melanoma),
    }
    rows, lines = [], []
    for of, (fractions, selected) in parts.items():
        part = table[selected]
        trained = np.array(fractions[_TRAINED])[selected]
        for name in (_TRAINED, _BLOB, _UNIFORM, _SHUFFLED, _UNTRAINED):
            inside = np.array(fractions[name])[selected]
            mean, lead = _mean(part, inside), _mean(part, trained - inside)
            num_empty = int(np.isnan(inside).sum())
            difference = "" if name == _TRAINED else tables.difference(lead)
            counts = f"{mean.num_photographs:,}/{mean.num_lesions:,}"
            lines.append((of, name, tables.interval(mean), difference, counts, f"{num_empty:,}"))
            rows.append(
                {
                    "model_id": model.card.model_id,
                    "map_of": of,
                    "heat_of": name,
                    "inside": to_record(mean),
                    "lead_of_the_network": to_record(lead),
                    "num_empty": num_empty,
                }
            )
    print(f"\n{model.card.model_id}; the blob’s width is {blob_width:.2f} of the side", end="")
    tables.print_table(
        ("map of", "heat of", "inside (95 %)", "lead (95 %)", "n", "empty"), lines, num_texts=2
    )
    return rows


def _mean(table: pd.DataFrame, values: NDArray[np.float64]) -> Estimate:
    """Mean of the values that are not NaN."""
    defined = ~np.isnan(values)
    return held_out.estimate(table[defined], np.mean, (values[defined],))


if __name__ == "__main__":
    main()
