"""Run the app as a child process, optionally limited to one core and to an amount of memory."""

import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from melanoma_core.paths import PROJECT_DIR

_CGROUPS = Path("/sys/fs/cgroup")
_START_TIMEOUT_S = 120


@dataclass(frozen=True)
class MemoryLimit:
    """A memory limit; `apply` runs in the child process before the app starts."""

    description: str
    apply: Callable[[], None]


@dataclass(frozen=True)
class Server:
    """A running app."""

    process: subprocess.Popen[bytes]
    address: str
    started: float  # time.perf_counter() just before the process was made

    def seconds(self) -> float:
        """Time since the process was started."""
        return time.perf_counter() - self.started

    def memory_mb(self, field: str) -> float:
        """A field of /proc/<pid>/status, such as VmRSS, in MB of 1024 × 1024 bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith(f"{field}:"))
        return int(line.split()[1]) / 1024

    def forget_peak(self) -> None:
        """Let VmHWM count from now on."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def cpu_seconds(self) -> float:
        """Processor time used so far, user and system."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text()
        fields = stat.rpartition(")")[2].split()  # the process name may contain spaces
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def libraries_of(self, package: str) -> set[str]:
        """Files of an installed package that the process has mapped."""
        maps = Path(f"/proc/{self.process.pid}/maps").read_text()
        paths = {line.split(maxsplit=5)[5] for line in maps.splitlines() if line.count("/")}
        return {path for path in paths if f"/site-packages/{package}/" in path}

    def is_alive(self) -> bool:
        """True if the process runs and accepts connections."""
        return self.process.poll() is None and _is_listening(self.address)


@contextmanager
def start(core: int | None = None, limit: MemoryLimit | None = None) -> Iterator[Server]:
    """Run `streamlit run app.py` on a free port; wait until it accepts connections; stop on exit.

    Args:
        core: the only core that it may use; all if None.
        limit: of its memory; no limit if None.
    """

    def apply_limits() -> None:
        if core is not None:
            os.sched_setaffinity(0, {core})
        if limit is not None:
            limit.apply()

    port = _free_port()
    command = [
        sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true",
        "--server.address=127.0.0.1", f"--server.port={port}", "--server.showEmailPrompt=false",
    ]  # fmt: skip
    with tempfile.TemporaryFile() as log:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=PROJECT_DIR, stdout=log, stderr=log, preexec_fn=apply_limits
        )
        server = Server(process, f"http://127.0.0.1:{port}", started)
        try:
            while not _is_listening(server.address):
                if process.poll() is not None or server.seconds() > _START_TIMEOUT_S:
                    log.seek(0)
                    sys.exit(f"The app did not start:\n{log.read().decode(errors='replace')}")
                time.sleep(0.02)
            yield server
        finally:
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()


@contextmanager
def memory_limit(megabytes: int, unused_mb: float) -> Iterator[MemoryLimit]:
    """A limit that the kernel enforces: a memory cgroup, as hosting services use, if possible.

    A cgroup needs root. Without it, RLIMIT_AS limits the address space instead. Libraries, thread
    stacks and allocator arenas reserve far more of that than they use, so `unused_mb` is added:
    what the app without limits had mapped beyond its resident memory.
    """
    folder = _memory_cgroup()
    if folder is None:
        size = int((megabytes + unused_mb) * 1024**2)
        yield MemoryLimit(
            f"RLIMIT_AS of {size / 1024**2:.0f} MB, including {unused_mb:.0f} MB for mappings that "
            "the app without limits did not use (no memory cgroup could be created)",
            lambda: resource.setrlimit(resource.RLIMIT_AS, (size, size)),
        )
        return

    def enter() -> None:
        (folder / "cgroup.procs").write_text(str(os.getpid()))

    try:
        # The first file exists in cgroups version 1, the second in version 2.
        files = (folder / "memory.limit_in_bytes", folder / "memory.max")
        next(file for file in files if file.exists()).write_text(str(megabytes * 1024**2))
        yield MemoryLimit(
            f"a memory cgroup of {megabytes} MB, as on hosting services (page cache counts too; "
            "above it the kernel kills the process)",
            enter,
        )
    finally:
        folder.rmdir()


def _memory_cgroup() -> Path | None:
    """A new, empty cgroup that can limit memory; None if none can be created."""
    for parent in (_CGROUPS / "memory", _CGROUPS):
        if not (parent / "cgroup.procs").exists():
            continue
        folder = parent / f"melanoma-benchmark-{os.getpid()}"
        try:
            folder.mkdir()
        except OSError:
            continue
        if any((folder / name).exists() for name in ("memory.limit_in_bytes", "memory.max")):
            return folder
        folder.rmdir()
    return None


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _is_listening(address: str) -> bool:
    host, port = address.removeprefix("http://").split(":")
    with socket.socket() as client:
        return client.connect_ex((host, int(port))) == 0
