"""Groups of rows in a table: rows that share a value, and groups that share a row."""

from collections.abc import Hashable, Iterable, Sequence

Rows = tuple[int, ...]  # row numbers, from 0


def equal_rows(values: Sequence[Hashable | None]) -> list[Rows]:
    """Groups of two or more rows that share a value; None matches nothing.

    >>> equal_rows(["a", "b", None, "a", None])
    [(0, 3)]
    """
    rows: dict[Hashable, list[int]] = {}
    for row, value in enumerate(values):
        if value is not None:
            rows.setdefault(value, []).append(row)
    return [tuple(group) for group in rows.values() if len(group) > 1]


def connected(num_rows: int, groups: Iterable[Sequence[int]]) -> list[Rows]:
    """All rows, with groups that share a row merged (connected components).

    >>> connected(5, [(0, 3), (3, 4)])
    [(0, 3, 4), (1,), (2,)]
    """
    parent = list(range(num_rows))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for group in groups:
        for row in group[1:]:
            low, high = sorted((root(group[0]), root(row)))
            parent[high] = low
    members: dict[int, list[int]] = {}
    for row in range(num_rows):
        members.setdefault(root(row), []).append(row)
    return [tuple(rows) for rows in members.values()]
