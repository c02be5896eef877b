"""Where things are kept, and files that are written whole or not at all."""

import hashlib
import os
import tempfile
from pathlib import Path

PROJECT_DIR = Path(__file__).resolve().parent.parent


def models_dir() -> Path:
    """One folder a model, and champion.json; `MELANOMA_MODELS` moves it."""
    return _dir_of("MELANOMA_MODELS", "models")


def datasets_dir() -> Path:
    """Unpacked data sets; `MELANOMA_DATASETS` moves it."""
    return _dir_of("MELANOMA_DATASETS", "datasets")


def runs_dir() -> Path:
    """One folder a training run; `MELANOMA_RUNS` moves it."""
    return _dir_of("MELANOMA_RUNS", "runs")


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


def sync_dir(directory: Path) -> None:
    """Make renames inside `directory` durable."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
