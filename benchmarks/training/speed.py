"""Images per second of a full training, beside a plain Keras fit of the same network.

Run as `python -m benchmarks.training.speed` from the project's root. By turns, in one process: an
epoch as `train` does it (photographs drawn, augmented and batched by this project, with its status
file), and `keras.Model.fit` on the same photographs as one array, neither drawn nor augmented. The
checkpoint that `train` writes after each epoch is timed apart: it takes the same time however long
an epoch is.
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
    """Time both ways by turns, print both and the ratio, and record them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photographs", type=int, default=640, help="of an epoch")
    parser.add_argument("--rounds", type=int, default=5, help="epochs of each way that are timed")
    parser.add_argument("--image-size", type=int, default=TrainConfig.image_size)
    records.add_option(parser)
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

    packages = ("tensorflow-cpu", "tensorflow", "keras")
    with records.recorded("training_speed", arguments.results, *packages) as record:
        config = TrainConfig(image_size=arguments.image_size, epochs=arguments.rounds + 1)
        images, labels = _photographs(arguments.photographs, config.image_size)
        print(f"{config.network}, {config.image_size} px, batches of {config.batch_size}")
        own, plain = _time_by_turns(images, labels, config)
        ratio = median(a / b for a, b in zip(own, plain, strict=True))
        wanted, verdict = tables.bar(ratio, _RATIO_BAR, "", at_least=True)
        rows = [
            ("as train does it", *_spread(own), "", ""),
            ("keras.Model.fit", *_spread(plain), "", ""),
            ("ratio, median of the pairs", f"{ratio:.3f}", "", wanted, verdict),
        ]
        tables.print_table(("photographs a second", "median", "range", "bar", ""), rows)
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
    """Drawn lesions (N, S, S, 3) and labels (N,), all diagnoses as often."""
    drawn = [
        reading.resize(synthetic.lesion(seed, kind=kind), image_size)
        for seed, kind in enumerate(synthetic.KINDS)
    ]
    rows = np.arange(number)
    return np.stack(drawn)[rows % len(drawn)], rows % len(CODES)


def _spread(per_second: list[float]) -> tuple[str, str]:
    """Median and range, as the table prints them."""
    return f"{median(per_second):.1f}", f"{min(per_second):.1f}–{max(per_second):.1f}"


def _time_by_turns(
    images: np.ndarray, labels: np.ndarray, config: TrainConfig
) -> tuple[list[float], list[float]]:
    """Photographs a second of each way, a number an epoch; the first, which compiles, left out."""
    from melanoma_core.networks import architectures
    from melanoma_core.training import fitting

    network = architectures.build(
        config.network, config.image_size, len(CODES), dropout=config.dropout
    )
    floats, one_hot = images.astype(np.float32), np.eye(len(CODES), dtype=np.float32)[labels]
    plain: list[float] = []

    def fit_plainly(line: str) -> None:
        if line.startswith("epoch "):  # an epoch has ended and its checkpoint is written
            epoch = _epoch_timer()
            network.fit(floats, one_hot, batch_size=config.batch_size, verbose=0, callbacks=[epoch])
            plain.append(len(images) / epoch.seconds)

    with tempfile.TemporaryDirectory() as folder:
        history = fitting.fit(
            network, (images, labels), (images[:0], labels[:0]), config, Path(folder), fit_plainly
        )
    own = [len(images) / row["seconds"] for row in history]
    return own[1:], plain[1:]


def _epoch_timer() -> Any:
    """A callback with the `seconds` of the last epoch.

    The whole call of `fit` would count too much: after an array's last batch it waits for
    tf.data's tuning thread, which sleeps for 10 ms, 20, 40 and so on and is not woken.
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
