"""Photographs per second of a full training, compared with a plain Keras fit.

Run as `python -m benchmarks.training.speed` from the project's root. One process alternates between
an epoch as `train` runs it (sampling, augmentation and batching by this project, with its status
file) and `keras.Model.fit` of the same network on the same photographs as one array, without
sampling or augmentation. The checkpoint after each epoch is not timed, because it takes the same
time however long an epoch is.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks import records, tables
from melanoma_core.diagnoses import CODES
from melanoma_core.images import reading, synthetic
from melanoma_core.runs.configs import TrainConfig

_RATIO_BAR = 0.95


def main() -> None:
    """Time both in alternation, print both and the ratio, and record them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photographs", type=int, default=640, help="per epoch")
    parser.add_argument("--rounds", type=int, default=5, help="timed epochs of each")
    parser.add_argument("--image-size", type=int, default=TrainConfig.image_size)
    records.add_option(parser)
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

    packages = ("tensorflow-cpu", "tensorflow", "keras")
    with records.recorded("training_speed", arguments.results, *packages) as record:
        config = TrainConfig(image_size=arguments.image_size, epochs=arguments.rounds + 1)
        images, labels = _photographs(arguments.photographs, config.image_size)
        print(f"{config.network}, {config.image_size} px, batches of {config.batch_size}")
        own, plain = _time_alternately(images, labels, config)
        ratio = median(a / b for a, b in zip(own, plain, strict=True))
        bar, verdict = tables.bar(ratio, _RATIO_BAR, "", at_least=True)
        rows = [
            ("train", *_median_and_range(own), "", ""),
            ("keras.Model.fit", *_median_and_range(plain), "", ""),
            ("ratio, median of the pairs", f"{ratio:.3f}", "", bar, verdict),
        ]
        tables.print_table(("photographs per second", "median", "range", "bar", ""), rows)
        record |= {
            "network": config.network,
            "image_size": config.image_size,
            "batch_size": config.batch_size,
            "num_photographs": len(images),
            "own_per_second": own,
            "plain_per_second": plain,
            "ratio": ratio,
        }


def _photographs(number: int, image_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Synthetic lesions (N, S, S, 3) and labels (N,), all diagnoses equally often."""
    lesions = [
        reading.resize(synthetic.lesion(seed, kind=kind), image_size)
        for seed, kind in enumerate(synthetic.KINDS)
    ]
    rows = np.arange(number)
    return np.stack(lesions)[rows % len(lesions)], rows % len(CODES)


def _median_and_range(per_second: list[float]) -> tuple[str, str]:
    return f"{median(per_second):.1f}", f"{min(per_second):.1f}–{max(per_second):.1f}"


def _time_alternately(
    images: np.ndarray, labels: np.ndarray, config: TrainConfig
) -> tuple[list[float], list[float]]:
    """Photographs per second of both, one number per epoch without the first, which compiles."""
    from melanoma_core.networks import architectures
    from melanoma_core.training import fitting

    network = architectures.build(
        config.network, config.image_size, len(CODES), dropout=config.dropout
    )
    floats, one_hot = images.astype(np.float32), np.eye(len(CODES), dtype=np.float32)[labels]
    plain: list[float] = []

    def fit_plain(line: str) -> None:
        if line.startswith("epoch "):  # an epoch has ended and its checkpoint is written
            epoch = _epoch_timer()
            network.fit(floats, one_hot, batch_size=config.batch_size, verbose=0, callbacks=[epoch])
            plain.append(len(images) / epoch.seconds)

    with tempfile.TemporaryDirectory() as folder:
        history = fitting.fit(
            network, (images, labels), (images[:0], labels[:0]), config, Path(folder), fit_plain
        )
    own = [len(images) / row["seconds"] for row in history]
    return own[1:], plain[1:]


def _epoch_timer() -> Any:
    """A callback that measures the `seconds` of the last epoch.

    Timing the whole call of `fit` would measure too much: after the last batch of an array it
    waits for tf.data's tuning thread, which sleeps for 10 ms, 20, 40 and so on without waking.
    """
    import keras

    class EpochTimer(keras.callbacks.Callback):
        seconds = float("nan")

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self._started = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.seconds = time.perf_counter() - self._started

    return EpochTimer()


if __name__ == "__main__":
    main()
