"""The child that computes other maps: end to end, and every way in which it can fail."""

import gc
import logging
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from melanoma_core.errors import MelanomaError, ModelError
from melanoma_core.images import reading, synthetic
from melanoma_core.models import attribution_jobs, memory

IMAGE = reading.resize(synthetic.lesion(21, (90, 120), "melanoma"), 32)
SLEEP = "import time; time.sleep(100)"
SENDING = """
import io, sys, time, numpy as np
from melanoma_core.models.attribution_jobs import npy
image = np.load(io.BytesIO(sys.stdin.buffer.read()))
def send(name, heat):
    sys.stdout.buffer.write(f"{name} {len(npy(heat))}\\n".encode() + npy(heat))
    sys.stdout.buffer.flush()
"""


@pytest.fixture(autouse=True)
def _enough_memory(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 2_000_000_000)


@pytest.fixture
def child(monkeypatch, tmp_path):
    """A function that starts a job whose child runs the given code, and the started processes."""
    processes = []

    def start(code, **options):
        def launch(*arguments):
            processes.append(
                subprocess.Popen(
                    [sys.executable, "-c", code, *arguments],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                )
            )  # fmt: skip
            return processes[-1]

        monkeypatch.setattr(attribution_jobs, "_launch", launch)
        return attribution_jobs.start(tmp_path, IMAGE, "MEL", **options)

    yield start, processes
    for process in processes:
        process.kill()
        process.wait()
    waited_for(lambda: not attribution_jobs._PLACE.locked())


def waited_for(is_so, seconds=10):
    """Wait until it is so; True if it is in the end."""
    end = time.monotonic() + seconds
    while not is_so() and time.monotonic() < end:
        time.sleep(0.02)
    return is_so()


def answering(maps):
    """Code of a child that reads its pixels and returns these maps, each given as an expression."""
    return SENDING + "".join(f"send({name!r}, np.float32({heat}))\n" for name, heat in maps.items())


FLAT = dict.fromkeys(attribution_jobs.METHODS, "[[1, 2]]")


def test_child_returns_the_maps_of_the_methods(trained_models, tmp_path, monkeypatch):
    from melanoma_core.networks import attributions

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    seen = set()
    job = attribution_jobs.start(trained_models / "tiny-1", IMAGE, "NV")
    while not job.is_done:
        seen.add(job.progress)
        time.sleep(0.01)
    network, codes = attributions.load(trained_models / "tiny-1", IMAGE)
    expected = dict(attributions.compute(network, IMAGE, codes.index("NV"), lambda words: None))
    assert job.result().keys() == expected.keys()
    for name, heat in job.result().items():
        np.testing.assert_allclose(heat, expected[name], rtol=1e-4, err_msg=name)
    assert "Loading TensorFlow" in seen
    assert job.progress == "Score-CAM, 0 of 16 channels"
    assert not list(tmp_path.iterdir())


def test_damaged_model_is_reported_by_the_child(models_in_use):
    path = models_in_use / "tiny-1" / "network.weights.h5"
    path.write_bytes(path.read_bytes()[:-1])
    job = attribution_jobs.start(models_in_use / "tiny-1", IMAGE, "MEL")
    with pytest.raises(ModelError, match=r"network\.weights\.h5 of the model “tiny-1” is not the"):
        job.result()


def test_child_receives_pixels_model_and_diagnosis(child, tmp_path):
    start, _ = child
    job = start(
        f"{SENDING}"
        "assert sys.argv[1] == 'melanoma_core.networks.attributions' and sys.argv[3] == 'MEL'\n"
        f"assert sys.argv[2] == {str(tmp_path)!r}\n"
        "assert sys.argv[4:] == ['grad_cam_plus_plus', 'smooth_grad', 'score_cam']\n"
        "for name in sys.argv[4:]:\n"
        "    send(name, np.float32(image[..., 0]))\n"
    )
    for heat in job.result().values():
        np.testing.assert_array_equal(heat, IMAGE[..., 0])


def test_killed_child_is_reported_with_its_progress_and_its_output_is_logged(child, caplog):
    start, processes = child
    job = start(
        "import sys, time\n"
        "sys.stderr.write('Some words of TensorFlow\\nprogress: Score-CAM, 3 of 16 channels\\n')\n"
        "sys.stderr.flush()\ntime.sleep(100)"
    )
    assert waited_for(lambda: job.progress == "Score-CAM, 3 of 16 channels")
    os.kill(processes[0].pid, signal.SIGKILL)
    with (
        caplog.at_level(logging.ERROR),
        pytest.raises(MelanomaError, match="status -9 at: Score-CAM, 3 of 16 channels"),
    ):
        job.result()
    assert "Some words of TensorFlow" in caplog.text


def test_child_that_dies_before_reading_its_pixels_is_reported(child):
    start, _ = child
    with pytest.raises(MelanomaError, match="ended with status 3 at: Loading TensorFlow"):
        start("raise SystemExit(3)").result()


@pytest.mark.parametrize(
    "maps",
    [
        {**FLAT, "score_cam": "[[1, np.nan]]"},
        {**FLAT, "score_cam": "[[1, -1]]"},
        {**FLAT, "score_cam": "[1, 2]"},
        {**FLAT, "score_cam": "np.zeros((0, 0))"},
        {"score_cam": "[[1, 2]]"},
    ],
)
def test_invalid_maps_are_refused(child, maps):
    start, _ = child
    with pytest.raises(MelanomaError, match="computed maps cannot be read"):
        start(answering(maps)).result()


def test_answer_without_maps_is_refused(child):
    start, _ = child
    with pytest.raises(MelanomaError, match="computed maps cannot be read"):
        start("print('Epoch 1/1')").result()


def test_late_child_is_killed(child):
    start, processes = child
    job = start(SLEEP, limit_seconds=0.3)
    with pytest.raises(MelanomaError, match="took too long and was stopped"):
        job.result()
    assert processes[0].returncode == -signal.SIGKILL


def test_canceled_child_is_killed(child):
    start, processes = child
    job = start(SLEEP)
    assert not job.is_done
    job.cancel()
    with pytest.raises(MelanomaError, match="was stopped"):
        job.result()
    assert processes[0].returncode == -signal.SIGKILL


def test_child_of_a_discarded_job_is_killed(child, caplog):
    start, processes = child
    job = start(SLEEP)
    assert processes[0].poll() is None
    del job
    gc.collect()
    assert waited_for(lambda: processes[0].returncode == -signal.SIGKILL)
    assert not caplog.records


@pytest.mark.parametrize("ending", ["canceled", "killed", "late"])
def test_maps_that_are_finished_stay_when_the_child_ends_early(child, ending):
    start, processes = child
    code = answering({"grad_cam_plus_plus": "[[1, 2]]"}) + "time.sleep(100)"
    job = start(code, limit_seconds=5 if ending == "late" else 60)
    assert waited_for(lambda: job.maps)
    assert not job.is_done
    if ending == "canceled":
        job.cancel()
    elif ending == "killed":
        os.kill(processes[0].pid, signal.SIGKILL)
    with pytest.raises(MelanomaError, match=r"was stopped|took too long|status -9"):
        job.result()
    assert {name: heat.tolist() for name, heat in job.maps.items()} == {
        "grad_cam_plus_plus": [[1, 2]]
    }


def test_only_the_requested_methods_are_computed(trained_models):
    job = attribution_jobs.start(trained_models / "tiny-1", IMAGE, "NV", ["grad_cam_plus_plus"])
    assert list(job.result()) == ["grad_cam_plus_plus"]


def test_second_child_is_refused_until_the_first_has_ended(child):
    start, processes = child
    first = start(SLEEP)
    with pytest.raises(MelanomaError, match="one at a time"):
        start(SLEEP)
    assert len(processes) == 1
    first.cancel()
    assert waited_for(lambda: first.is_done)
    assert start(answering(FLAT)).result().keys() == attribution_jobs.METHODS.keys()


def test_a_child_that_cannot_be_started_does_not_block_the_next(child, monkeypatch, tmp_path):
    start, _ = child

    def launch(*arguments):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(attribution_jobs, "_launch", launch)
    with pytest.raises(MelanomaError, match="cannot be started: Resource temporarily"):
        attribution_jobs.start(tmp_path, IMAGE, "MEL")
    assert start(answering(FLAT)).result()


def test_child_is_killed_if_no_thread_can_be_started(child, monkeypatch):
    start, processes = child
    with monkeypatch.context() as patch:

        def refuse(thread):
            raise RuntimeError("can't start new thread")

        patch.setattr(attribution_jobs.threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            start(SLEEP)
    assert processes[0].wait() == -signal.SIGKILL
    assert start(answering(FLAT)).result()
    for pipe in (processes[0].stdin, processes[0].stdout, processes[0].stderr):
        pipe.close()


def test_short_memory_is_explained_and_nothing_is_started(child, monkeypatch):
    start, processes = child
    monkeypatch.setattr(memory, "available", lambda: attribution_jobs.NEEDED_BYTES - 1)
    reason = attribution_jobs.shortage()
    assert "needs 1.7 GB of memory, and 1.6 GB is free on the server" in reason
    with pytest.raises(MelanomaError, match=r"needs 1\.7 GB"):
        start(SLEEP)
    assert not processes


@pytest.mark.parametrize("available", [None, attribution_jobs.NEEDED_BYTES])
def test_enough_or_unreported_memory_is_accepted(monkeypatch, available):
    monkeypatch.setattr(memory, "available", lambda: available)
    assert attribution_jobs.shortage() is None
