"""Evidence maps by methods other than Grad-CAM, computed by a child process with TensorFlow.

The web process never loads TensorFlow (530 MB, 5 s and more), so this module starts `attributions`
as a child. It sends the pixels through stdin as .npy and receives the maps through stdout, each as
soon as it is computed: a line with the method and a number of bytes, then that many bytes of .npy.
So nothing of a photograph is written to disk. Lines on the child's stderr report progress.
"""

import contextlib
import io
import logging
import os
import subprocess
import sys
import threading
import weakref
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from melanoma_core.errors import MelanomaError, ModelError
from melanoma_core.models import memory
from melanoma_core.paths import PROJECT_DIR

Maps = dict[str, NDArray[np.float32]]  # by method: (h, w), not negative, each on its own scale

# In the order in which they are computed: the fastest first.
METHODS = {
    "grad_cam_plus_plus": "Grad-CAM++",
    "smooth_grad": "SmoothGrad",
    "score_cam": "Score-CAM",
}
# Measured: at most 1,580 MB for an ensemble of MobileNetV2 and EfficientNet-Lite0 at 192 px. The
# rest is for what the server itself takes meanwhile.
NEEDED_BYTES = 1_700_000_000
# That ensemble takes 116 s of processor time: 10 minutes on two cores shared by sixteen processes.
# Whoever waits sees the time left and may stop.
LIMIT_SECONDS = 1800.0
# Prefixes of the child's lines on stderr; all other lines are TensorFlow's.
PROGRESS = "progress: "
REFUSAL = "refused: "

_NICENESS = 10  # assessments of other visitors come first
_LOG = logging.getLogger(__name__)
_PLACE = threading.Lock()  # one child per server: ten visitors must not exhaust its memory


@dataclass
class _Outcome:
    """The state of a child; written by the threads that serve it."""

    progress: str = "Loading TensorFlow"
    is_late: bool = False
    is_cancelled: bool = False
    maps: Maps = field(default_factory=dict)  # those received so far
    error: MelanomaError | None = None
    log: deque[str] = field(default_factory=lambda: deque(maxlen=20))
    done: threading.Event = field(default_factory=threading.Event)


class Job:
    """A child that computes the maps of one photograph; it ends when its job is discarded."""

    def __init__(self, process: subprocess.Popen[bytes], outcome: _Outcome) -> None:
        self._process = process
        self._outcome = outcome
        weakref.finalize(self, _cancel, process, outcome)

    @property
    def progress(self) -> str:
        """What the child is doing, such as "Score-CAM, 128 of 1,280 channels"."""
        return self._outcome.progress

    @property
    def maps(self) -> Maps:
        """The maps that are finished so far; they stay when the child is canceled or dies."""
        return dict(self._outcome.maps)

    @property
    def is_done(self) -> bool:
        """True once there is a result or an error."""
        return self._outcome.done.is_set()

    def cancel(self) -> None:
        """End the child now."""
        _cancel(self._process, self._outcome)

    def result(self) -> Maps:
        """The map of every requested method; waits for it.

        Raises:
            ModelError: the model is damaged, or has no maps.
            MelanomaError: the child was canceled, was too slow, or died.
        """
        self._outcome.done.wait()
        if self._outcome.error is not None:
            raise self._outcome.error
        return self.maps


def shortage() -> str | None:
    """A sentence if there is not enough memory for a child, else None.

    A system that does not report its memory is assumed to have enough.
    """
    available = memory.available()
    if available is None or available >= NEEDED_BYTES:
        return None
    # Rounded down: 1.28 GB must not be shown as the needed 1.3.
    free = f"{available // 10**8 / 10:.1f} GB"
    return (
        f"Other maps cannot be computed now: TensorFlow needs {NEEDED_BYTES / 1e9:.1f} GB of "
        f"memory, and {free} is free on the server. Try again later, or run the app on a computer "
        "with more memory."
    )


def start(
    directory: Path,
    image: NDArray[np.uint8],
    code: str,
    methods: Sequence[str] = tuple(METHODS),
    limit_seconds: float = LIMIT_SECONDS,
) -> Job:
    """Start a child that computes maps for one photograph and one diagnosis.

    Args:
        directory: folder of the model.
        image: (H, W, 3) RGB, as fed to the model.
        code: of the diagnosis.
        methods: keys of `METHODS`.
        limit_seconds: after which the child is killed.

    Raises:
        MelanomaError: memory is short, another child is running, or the child cannot be started.
    """
    reason = shortage()
    if reason is not None:
        raise MelanomaError(reason)
    if not _PLACE.acquire(blocking=False):
        raise MelanomaError(
            "The maps of another photograph are being computed, one at a time. Try again in a "
            "minute."
        )
    outcome = _Outcome()
    with contextlib.ExitStack() as undo:
        undo.callback(_PLACE.release)
        try:
            process = _launch("melanoma_core.networks.attributions", str(directory), code, *methods)
        except OSError as error:
            raise MelanomaError(
                f"The process that computes the maps cannot be started: {error.strerror}. Try "
                "again later."
            ) from error
        undo.callback(process.kill)
        threading.Thread(
            target=_attend,
            args=(process, npy(image), methods, limit_seconds, outcome),
            daemon=True,
        ).start()
        undo.pop_all()  # from here on the thread does both
    return Job(process, outcome)


def _launch(module: str, *arguments: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=PROJECT_DIR,
        env={**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    niceness = max(_NICENESS, os.getpriority(os.PRIO_PROCESS, 0))
    os.setpriority(os.PRIO_PROCESS, process.pid, niceness)
    return process


def _attend(
    process: subprocess.Popen[bytes],
    question: bytes,
    methods: Sequence[str],
    limit_seconds: float,
    outcome: _Outcome,
) -> None:
    """Send the child its pixels, receive its maps, and kill it if it is late; run in a thread."""
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    listener = threading.Thread(target=_listen, args=(process.stderr, outcome), daemon=True)
    listener.start()
    alarm = threading.Timer(limit_seconds, _end_late, (process, outcome))
    alarm.daemon = True
    alarm.start()
    try:
        with process:
            try:
                with process.stdin:
                    process.stdin.write(question)
            except BrokenPipeError:
                pass  # the child died; its exit status says more
            problem = _receive(process.stdout, outcome)
            if problem:
                process.kill()
            process.wait()
            listener.join()  # before its pipe is closed
        missing = [METHODS[name] for name in methods if name not in outcome.maps]
        if process.returncode == 0 and missing:
            problem = problem or f"{', '.join(missing)} missing"
        _conclude(process.returncode, problem, outcome)
    finally:
        alarm.cancel()
        _PLACE.release()
        outcome.done.set()


def _listen(stderr: IO[bytes], outcome: _Outcome) -> None:
    for raw in stderr:
        line = raw.decode(errors="replace").rstrip()
        if line.startswith(PROGRESS):
            outcome.progress = line.removeprefix(PROGRESS)
        elif line.startswith(REFUSAL):
            outcome.error = ModelError(line.removeprefix(REFUSAL))
        else:
            outcome.log.append(line)


def _cancel(process: subprocess.Popen[bytes], outcome: _Outcome) -> None:
    outcome.is_cancelled = True
    process.kill()


def _end_late(process: subprocess.Popen[bytes], outcome: _Outcome) -> None:
    outcome.is_late = True
    process.kill()


def _receive(stdout: IO[bytes], outcome: _Outcome) -> str:
    """Keep each map as it comes, until the child closes its output; what is wrong with it, if any.

    A child that dies in the middle of a map has an exit status, which says more.
    """
    while header := stdout.readline():
        try:
            name, num_bytes = header.decode().split()
            content = stdout.read(int(num_bytes))
            if len(content) < int(num_bytes):
                return ""
            outcome.maps[name] = _read(name, content)
        except (OSError, EOFError, ValueError) as error:
            return str(error)
    return ""


def _conclude(status: int, problem: str, outcome: _Outcome) -> None:
    """Set an error that says what to do, unless all maps have come."""
    if status == 0 and not problem:
        return
    if outcome.error is not None:  # reported by the child itself
        return
    at = f"at: {outcome.progress}"
    if outcome.is_cancelled:
        outcome.error = MelanomaError(f"The computation of the maps was stopped {at}.")
    elif outcome.is_late:
        outcome.error = MelanomaError(
            f"The computation of the maps took too long and was stopped {at}. Try again when the "
            "server is less busy."
        )
    elif problem:
        outcome.error = MelanomaError(
            f"The computed maps cannot be read ({problem}). Compute them again."
        )
    else:
        _LOG.error("The maps were not computed (%d): %s", status, "\n".join(outcome.log))
        outcome.error = MelanomaError(
            f"The process that computes the maps ended with status {status} {at}. If memory was "
            "short, close other programs and try again. The server’s log has its last output."
        )


def npy(array: NDArray[Any]) -> bytes:
    """The array as a .npy file."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def _read(name: str, content: bytes) -> NDArray[np.float32]:
    """A map from its .npy file; a ValueError says what is wrong with it."""
    if name not in METHODS:
        raise ValueError(f"{name!r} is no method")
    heat: NDArray[np.float32] = np.load(io.BytesIO(content), allow_pickle=False)
    if heat.ndim != 2 or not heat.size or not np.isfinite(heat).all() or heat.min() < 0:
        raise ValueError(f"{METHODS[name]} gave no valid map")
    return heat
