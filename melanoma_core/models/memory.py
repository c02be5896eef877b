"""How much memory a new process may take: what the system has left, and its container allows."""

from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
_CGROUPS = Path("/sys/fs/cgroup")
# The files of a control group, by version of its interface (kernel documentation, cgroup-v2.rst
# and cgroup-v1/memory.rst): limit, use, and the line of memory.stat that can be given back.
_VERSION_2 = ("memory.max", "memory.current", "inactive_file")
_VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def available(proc: Path = _PROC, cgroups: Path = _CGROUPS) -> int | None:
    """Bytes that a new process may take; None on a system that does not say (not Linux).

    In a container the system's own figure is that of the whole machine, so the room under every
    limit that holds for this process is looked at too, and the least counts.
    """
    rooms = [*_system(proc), *_groups(proc, cgroups)]
    return min(rooms) if rooms else None


def _system(proc: Path) -> Iterator[int]:
    for line in _lines(proc / "meminfo"):
        if line.startswith("MemAvailable:"):
            yield 1024 * int(line.split()[1])


def _groups(proc: Path, cgroups: Path) -> Iterator[int]:
    """Room under the limit of this process's control group, and of each one above it."""
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
                yield from _room(folder, *names)


def _room(folder: Path, limit_name: str, used_name: str, cache_name: str) -> Iterator[int]:
    # The path is that outside of the container, where this folder may not be seen.
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
    """Lines of a file of the system; none where it has no such file."""
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
