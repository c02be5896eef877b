"""Where things are kept, and files that are written whole or not at all."""

import fcntl
import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROJECT_DIR = Path(__file__).resolve().parent.parent
# Where Streamlit Community Cloud puts an app and its Python; it sets no variable that names it.
_COMMUNITY_CLOUD = (Path("/mount/src"), Path("/home/adminuser/venv"))


def models_dir() -> Path:
    """One folder a model, and champion.json; `MELANOMA_MODELS` moves it."""
    return _dir_of("MELANOMA_MODELS", "models")


def datasets_dir() -> Path:
    """Unpacked data sets; `MELANOMA_DATASETS` moves it."""
    return _dir_of("MELANOMA_DATASETS", "datasets")


def runs_dir() -> Path:
    """One folder a training run; `MELANOMA_RUNS` moves it."""
    return _dir_of("MELANOMA_RUNS", "runs")


def records_dir() -> Path:
    """Records of experiments that pages show; `MELANOMA_RECORDS` moves it."""
    return _dir_of("MELANOMA_RECORDS", "melanoma_core/evaluation/records")


def is_demo() -> bool:
    """Whether this server is a public demo, on which strangers may do little.

    `MELANOMA_DEMO` says so; without it an app on Streamlit Community Cloud is one.
    """
    value = os.environ.get("MELANOMA_DEMO", "")
    return value.lower() not in ("0", "no", "false") if value else is_on_community_cloud()


def is_on_community_cloud() -> bool:
    """Whether this is Streamlit Community Cloud, whose disk is not kept."""
    places = (PROJECT_DIR, Path(sys.prefix))
    return any(
        place.is_relative_to(cloud) for place, cloud in zip(places, _COMMUNITY_CLOUD, strict=True)
    )


def server_data_dir() -> Path | None:
    """The one folder below which pages read data sets by path; None where there is none.

    `MELANOMA_SERVER_DATA` names it. A public demo has none, whatever that says.
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
    """Write `data` so that a reader, or a power cut, finds the old file or the new one whole."""
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(aside, 0o644)  # mkstemp makes 0600, which another user's server could not read
        os.replace(aside, path)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise
    sync_dir(path.parent)


@contextmanager
def locked(
    path: Path, *, creates: bool = False, is_shared: bool = False, waits: bool = True
) -> Iterator[int]:
    """Hold the system's lock of a file or folder; the lock of a killed process is free.

    Args:
        path: of a folder or a file.
        creates: open the file for appending and create it if missing; a network disk may lock no
            file that is open for reading only.
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
