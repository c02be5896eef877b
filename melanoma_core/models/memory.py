"""How much memory a new process may use: what is free, within the limits of the container."""

from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
_CGROUPS = Path("/sys/fs/cgroup")
# Files of a control group, by interface version (kernel documentation, cgroup-v2.rst and
# cgroup-v1/memory.rst): limit, usage, and the line of memory.stat with reclaimable memory.
_VERSION_2 = ("memory.max", "memory.current", "inactive_file")
_VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def available(proc: Path = _PROC, cgroups: Path = _CGROUPS) -> int | None:
    """Bytes that a new process may use; None on a system that does not report it (not Linux).

    In a container the system reports the whole machine, so every limit that applies to this process
    is checked too, and the smallest value counts.
    """
    candidates = [*_system(proc), *_groups(proc, cgroups)]
    return min(candidates) if candidates else None


def _system(proc: Path) -> Iterator[int]:
    for line in _lines(proc / "meminfo"):
        if line.startswith("MemAvailable:"):
            yield 1024 * int(line.split()[1])


def _groups(proc: Path, cgroups: Path) -> Iterator[int]:
    """Bytes left in this process's control group, and in each of its parents."""
    for line in _lines(proc / "self" / "cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            root, names = cgroups, _VERSION_2
        elif "memory" in controllers.split(","):
            root, names = cgroups / "memory", _VERSION_1
        else:
            continue
        own = root / path.strip("/")
        for folder in (own, *own.parents):
            if folder.is_relative_to(root):
                yield from _left(folder, *names)


def _left(folder: Path, limit_name: str, used_name: str, cache_name: str) -> Iterator[int]:
    # The path is as seen outside the container; the folder may not be visible inside.
    limit, used = _lines(folder / limit_name), _lines(folder / used_name)
    if not limit or not used or limit[0] == "max":
        return
    cache = [
        int(line.split()[1])
        for line in _lines(folder / "memory.stat")
        if line.startswith(f"{cache_name} ")
    ]
    yield max(0, int(limit[0]) - int(used[0]) + sum(cache))


def _lines(path: Path) -> list[str]:
    """Lines of a system file; none if there is no such file."""
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
