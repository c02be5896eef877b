"""The app's folders, and atomic file writes."""

import fcntl
import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROJECT_DIR = Path(__file__).resolve().parent.parent
# Streamlit Community Cloud's folders for an app and its Python; no variable identifies it.
_COMMUNITY_CLOUD = (Path("/mount/src"), Path("/home/adminuser/venv"))


def models_dir() -> Path:
    """One folder per model, and champion.json; set by `MELANOMA_MODELS`."""
    return _dir_of("MELANOMA_MODELS", "models")


def datasets_dir() -> Path:
    """Unpacked data sets; set by `MELANOMA_DATASETS`."""
    return _dir_of("MELANOMA_DATASETS", "datasets")


def runs_dir() -> Path:
    """One folder per training run; set by `MELANOMA_RUNS`."""
    return _dir_of("MELANOMA_RUNS", "runs")


def records_dir() -> Path:
    """Records of experiments that pages show; set by `MELANOMA_RECORDS`."""
    return _dir_of("MELANOMA_RECORDS", "melanoma_core/evaluation/records")


def is_demo() -> bool:
    """True on a public demo, where visitors may do little.

    Set by `MELANOMA_DEMO`; without it, true on Streamlit Community Cloud.
    """
    value = os.environ.get("MELANOMA_DEMO", "")
    return value.lower() not in ("0", "no", "false") if value else is_on_community_cloud()


def is_on_community_cloud() -> bool:
    """True on Streamlit Community Cloud, whose disk is not persistent."""
    places = (PROJECT_DIR, Path(sys.prefix))
    return any(
        place.is_relative_to(cloud) for place, cloud in zip(places, _COMMUNITY_CLOUD, strict=True)
    )


def server_data_dir() -> Path | None:
    """The folder from which pages read data sets by path, or None.

    Set by `MELANOMA_SERVER_DATA`; always None on a public demo.
    """
    value = os.environ.get("MELANOMA_SERVER_DATA")
    return Path(value).expanduser() if value and not is_demo() else None


def _dir_of(variable: str, default: str) -> Path:
    value = os.environ.get(variable)
    return Path(value).expanduser() if value else PROJECT_DIR / default


def sha256(data: bytes) -> str:
    """SHA-256 as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def write_atomic(path: Path, data: bytes) -> None:
    """Replace a file so that readers, even after a power cut, find the whole old or new one."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # mkstemp makes 0600, which another user's server could not read
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_dir(path.parent)


@contextmanager
def locked(
    path: Path, *, creates: bool = False, is_shared: bool = False, waits: bool = True
) -> Iterator[int]:
    """Hold the system's lock on a file or folder; the system releases it if the process dies.

    Args:
        path: a folder or file.
        creates: open the file for appending and create it if missing; a network disk may
            refuse to lock a file that is open for reading only.
        is_shared: other shared locks may be held at the same time.
        waits: wait while another process holds the lock.

    Yields:
        The file descriptor.

    Raises:
        BlockingIOError: another process holds the lock, and `waits` is False.
        OSError: the path cannot be opened or locked.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT if creates else os.O_RDONLY
    how = fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX
    handle = os.open(path, flags, 0o666)
    try:
        fcntl.flock(handle, how if waits else how | fcntl.LOCK_NB)
        yield handle
    finally:
        os.close(handle)


def sync_dir(directory: Path) -> None:
    """Make renames inside `directory` durable."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
