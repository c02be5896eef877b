"""Data sets that lie on the server: below one folder that its operator named, or unpacked here."""

from pathlib import Path

from melanoma_core.errors import DatasetError

_MAX_NAMES = 200  # more than a list to choose from can hold


def names(root: Path) -> list[str]:
    """The folders and zips right below `root`, by name; hidden ones are left out.

    Raises:
        DatasetError: the folder cannot be read.
    """
    try:
        found = [
            path.name
            for path in root.iterdir()
            if not path.name.startswith(".") and (path.is_dir() or path.suffix.lower() == ".zip")
        ]
    except OSError as error:
        raise DatasetError(
            f"The server’s folder of data sets cannot be read: {error.strerror}. "
            "Ask who runs this server to put MELANOMA_SERVER_DATA right."
        ) from error
    return sorted(found)[:_MAX_NAMES]


def imported(datasets_dir: Path) -> list[str]:
    """The data sets that were unpacked on this server, by the names of their folders.

    Raises:
        DatasetError: the folder is there and cannot be read.
    """
    if not datasets_dir.is_dir():
        return []
    return [name for name in names(datasets_dir) if (datasets_dir / name).is_dir()]


def below(root: Path, given: str) -> Path:
    """The folder or zip that a path below `root` names, links followed.

    Raises:
        DatasetError: nothing is there, or it lies outside `root`.
    """
    refusal = DatasetError(
        f"“{given}” is no folder or zip below the server’s folder of data sets. "
        "Choose one of the list, or give a path that starts with one of its folders."
    )
    try:
        top = root.resolve(strict=True)
        path = (top / given).resolve(strict=True)
    except (OSError, ValueError) as error:  # a NUL is a ValueError, a circle of links an OSError
        raise refusal from error
    if not given.strip() or path == top or not path.is_relative_to(top):
        raise refusal
    return path
