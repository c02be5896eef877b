"""Time from a photograph's bytes to its probabilities and maps, compared with Keras.

Run as `python -m benchmarks.serving.latency [--model ID]` from the project's root. The serving code
is timed first, in a process that has not loaded TensorFlow. Then the same process runs the same
network with Keras `predict()` and one Grad-CAM map by tf-keras-vis.
"""

import argparse
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter, SignatureRunner
from numpy.typing import NDArray

from benchmarks import tables
from benchmarks.data import made_photographs
from melanoma_core import paths
from melanoma_core.images import reading
from melanoma_core.metrics import calibration
from melanoma_core.models import grad_cam, predict, store
from melanoma_core.models.cards import Card
from melanoma_core.models.predict import Model

_NUM_PHOTOGRAPHS = 8  # used in rotation
_WARM_UP = 10
Milliseconds = NDArray[np.float64]


def main() -> None:
    """Measure, and print the times and their bars."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="id (default: the model in use)")
    parser.add_argument("--runs", type=int, default=300, help="repetitions of each step")
    arguments = parser.parse_args()
    models_dir = paths.models_dir()
    if arguments.model:
        model = predict.load(store.model_dir(models_dir, arguments.model))
    else:
        model, _ = predict.load_champion(models_dir)
    directory = store.model_dir(models_dir, model.card.model_id)

    tables.print_heading("ai-edge-litert", "tensorflow-cpu", "tensorflow", "keras", "tf-keras-vis")
    card = model.card
    print(f"Model {card.model_id}: {card.network}, {card.image_size} × {card.image_size} px")
    files = [made_photographs.dermatoscope_jpeg(seed) for seed in range(_NUM_PHOTOGRAPHS)]
    served = _print_served(model, files, arguments.runs)
    _print_threads(directory, arguments.runs)
    _print_keras(model, directory, files, served)


def _print_served(model: Model, files: list[bytes], num_runs: int) -> float:
    """Print the times of the serving code; return the small photograph's median in ms."""
    phone = made_photographs.phone_jpeg(0)
    whole = _times(lambda run: _serve(model, files[run % len(files)]), num_runs)
    steps = _steps(model, files, num_runs)
    large = _times(lambda run: _serve(model, phone), max(20, num_runs // 10))
    large_read = _times(lambda run: reading.read(phone), max(20, num_runs // 10))
    kilobytes = np.mean([len(file) for file in files]) / 1e3
    rows = [
        _row(f"600 × 450 JPEG ({kilobytes:.0f} kB) → 9 probabilities, 9 maps", whole, 15),
        _row("  read: bytes → upright RGB", steps["read"]),
        _row("  resize to the network's square", steps["resize"]),
        _row("  network", steps["network"], 8),
        _row("  probabilities and all maps", steps["maps"]),
        _row(f"12-megapixel phone JPEG ({len(phone) / 1e6:.1f} MB, EXIF)", large, 250),
        _row("  read: bytes → upright RGB", large_read),
    ]
    headings = ("warm, LiteRT, no TensorFlow", "runs", "median ms", "p95 ms", "bar", "")
    tables.print_table(headings, rows)
    return float(np.median(whole))


def _serve(model: Model, data: bytes) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """(C,) probabilities and (C, h, w) maps, computed as the page does for an upload."""
    prediction = predict.classify(model, reading.read(data))
    return prediction.probabilities, grad_cam.grad_cams(model, prediction)


def _steps(model: Model, files: list[bytes], num_runs: int) -> dict[str, Milliseconds]:
    """Times of each step, run on the output of the step before it."""
    images = [reading.read(file) for file in files]
    squares = [reading.resize(image, model.card.image_size) for image in images]
    predictions = [predict.classify(model, image) for image in images]

    def maps(run: int) -> None:
        prediction = predictions[run % len(files)]
        logits = model.network.logits(prediction.embedding)
        calibration.probabilities(logits, model.card.calibration)
        grad_cam.grad_cams(model, prediction)

    steps: dict[str, Callable[[int], object]] = {
        "read": lambda run: reading.read(files[run % len(files)]),
        "resize": lambda run: reading.resize(images[run % len(files)], model.card.image_size),
        "network": lambda run: model.network.graph.run(squares[run % len(files)]),
        "maps": maps,
    }
    return {name: _times(step, num_runs) for name, step in steps.items()}


def graph(directory: Path, num_threads: int) -> SignatureRunner:
    """The bare network of a model, to be called with `image`, on so many threads."""
    content = (directory / "network.tflite").read_bytes()
    interpreter = Interpreter(model_content=content, num_threads=num_threads)
    interpreter.allocate_tensors()
    return interpreter.get_signature_runner()


def _print_threads(directory: Path, num_runs: int) -> None:
    """Print the times of the graph alone with one thread and with two."""
    rows = []
    for num_threads in (1, 2):
        runner = graph(directory, num_threads)
        size = runner.get_input_details()["image"]["shape"]
        batch = np.random.default_rng(0).uniform(0, 255, size).astype(np.float32)
        times = _times(lambda run, r=runner, b=batch: r(image=b), num_runs)
        rows.append(_row(f"the graph alone, {num_threads} thread{'s'[: num_threads - 1]}", times))
    tables.print_table(("interpreter threads", "runs", "median ms", "p95 ms", "bar", ""), rows)


def _print_keras(model: Model, directory: Path, files: list[bytes], served: float) -> None:
    """Print the times of Keras and tf-keras-vis for the same photographs, and the ratio."""
    classify = _keras_classifier(model.card, store.read_files(directory)[2])
    num_runs = 30
    times = _times(lambda run: classify(files[run % len(files)]), num_runs, warm_up=3)
    rows = [_row("600 × 450 JPEG → predict(), one tf-keras-vis map", times)]
    headings = ("warm, Keras in the same run", "runs", "median ms", "p95 ms", "bar", "")
    tables.print_table(headings, rows)
    ratio = float(np.median(times)) / served
    bar, verdict = tables.bar(ratio, 50, "times", at_least=True)
    print(f"\n9 maps by LiteRT are {ratio:.0f} times faster than one map by Keras; {bar} {verdict}")

    probabilities, maps = _serve(model, files[0])
    melanoma = model.card.diagnoses.index("MEL")
    keras_probabilities, keras_map = classify(files[0])
    print(
        "Largest difference between LiteRT and Keras: "
        f"{np.abs(probabilities - keras_probabilities).max():.1g} in a probability, "
        f"{np.abs(maps[melanoma] - keras_map).max():.1g} in the melanoma map "
        f"(its largest heat: {maps[melanoma].max():.2g})"
    )


def _keras_classifier(
    card: Card, files: Mapping[str, bytes]
) -> Callable[[bytes], tuple[NDArray[np.float64], NDArray[np.float32]]]:
    """A function from bytes to (C,) probabilities and the (h, w) melanoma map, in usual Keras."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.utils.scores import CategoricalScore

    from melanoma_core.networks import architectures

    network = architectures.of_card(card, files)
    gradcam = Gradcam(network, clone=False)
    score = CategoricalScore(card.diagnoses.index("MEL"))

    def classify(data: bytes) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        square = reading.resize(reading.read(data), card.image_size)
        batch = square[np.newaxis].astype(np.float32)
        logits = network.predict(batch, verbose=0)[0]
        maps = gradcam(
            score, batch, penultimate_layer="features", seek_penultimate_conv_layer=False,
            expand_cam=False, normalize_cam=False,
        )  # fmt: skip
        return calibration.probabilities(logits, card.calibration), np.asarray(maps[0])

    return classify


def _times(
    step: Callable[[int], object], num_runs: int, *, warm_up: int = _WARM_UP
) -> Milliseconds:
    """(num_runs,) duration of each call of `step(run)`, after the warm-up."""
    for run in range(warm_up):
        step(run)
    seconds = np.empty(num_runs)
    for run in range(num_runs):
        started = time.perf_counter()
        step(run)
        seconds[run] = time.perf_counter() - started
    return seconds * 1e3


def _row(name: str, times: Milliseconds, limit: float | None = None) -> tuple[str, ...]:
    """Median and 95th percentile, and the bar for the median."""
    bar, verdict = ("", "") if limit is None else tables.bar(np.median(times), limit, "ms")
    median, p95 = np.median(times), np.percentile(times, 95)
    return name, str(len(times)), f"{median:.2f}", f"{p95:.2f}", bar, verdict


if __name__ == "__main__":
    main()
