"""Data sets on the server: in the folder that its operator chose, or uploaded to it."""

from pathlib import Path

from melanoma_core.errors import DatasetError

_MAX_NAMES = 200  # a longer list is no use on a page


def names(root: Path) -> list[str]:
    """Sorted names of the folders and zips directly in `root`, without hidden ones.

    Raises:
        DatasetError: the folder cannot be read.
    """
    try:
        entries = [
            path.name
            for path in root.iterdir()
            if not path.name.startswith(".") and (path.is_dir() or path.suffix.lower() == ".zip")
        ]
    except OSError as error:
        raise DatasetError(
            f"The server’s folder of data sets cannot be read: {error.strerror}. "
            "Ask the operator of this server to correct MELANOMA_SERVER_DATA."
        ) from error
    return sorted(entries)[:_MAX_NAMES]


def imported_names(datasets_dir: Path) -> list[str]:
    """Names of the data sets that were uploaded and unpacked on this server.

    Raises:
        DatasetError: the folder exists and cannot be read.
    """
    if not datasets_dir.is_dir():
        return []
    return [name for name in names(datasets_dir) if (datasets_dir / name).is_dir()]


def resolve(root: Path, name: str) -> Path:
    """The folder or zip at a relative path below `root`, following links.

    Raises:
        DatasetError: it does not exist, or is outside `root`.
    """
    refusal = DatasetError(
        f"“{name}” is not a folder or zip in the server’s folder of data sets. "
        "Choose one from the list, or enter a path that starts with one of its folders."
    )
    try:
        top = root.resolve(strict=True)
        path = (top / name).resolve(strict=True)
    except (OSError, ValueError) as error:  # ValueError: a NUL; OSError: links in a circle
        raise refusal from error
    if not name.strip() or path == top or not path.is_relative_to(top):
        raise refusal
    return path
