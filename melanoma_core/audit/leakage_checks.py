"""Findings on splits: what stands on both sides of one, and how the sides differ."""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence

import numpy as np

from melanoma_core.audit.findings import INVALIDATES_TEST, WORTH_KNOWING, Evidence, Finding
from melanoma_core.data.row_groups import Rows, equal_rows
from melanoma_core.data.schema import SPLITS

MIN_PHOTOGRAPHS = 50  # of a split whose shift is worth measuring
MIN_SHARE_SHIFTED = 0.1  # of a split's photographs, beyond what chance makes
MIN_COLOR_SHIFT = 0.5  # standard deviations of the mean color


def same_photograph(evidence: Evidence) -> Finding | None:
    """Held-out files whose photograph, by image id or pixels, is in training too."""
    return _on_both_sides(
        evidence,
        evidence.photographs,
        "same_photograph_in_two_splits",
        "These held-out files are taught, some under another diagnosis: what is measured on them "
        "is memory, or is marked wrong for being remembered.",
    )


def near_copy(evidence: Evidence) -> Finding | None:
    """Held-out files of which training has a near copy."""
    return _on_both_sides(
        evidence,
        evidence.near_pairs,
        "near_copy_in_two_splits",
        "Training has these held-out pictures re-encoded, resized, rotated or mirrored: what is "
        "measured on them is memory.",
    )


def same_lesion(evidence: Evidence) -> Finding | None:
    """Held-out files that show a lesion of which training has a photograph."""
    found = _on_both_sides(
        evidence,
        equal_rows(evidence.lesions),
        "same_lesion_in_two_splits",
        "Training has a photograph of these held-out lesions, so the test asks about lesions that "
        "the network has seen.",
    )
    if found is None:
        return None
    held_out = [
        row
        for row, lesion in enumerate(evidence.lesions)
        if lesion and evidence.splits[row] not in (None, SPLITS[0])
    ]
    return Finding(**{**vars(found), "parts": {"held-out files of a known lesion": len(held_out)}})


def _on_both_sides(
    evidence: Evidence, groups: Iterable[Rows], kind: str, meaning: str
) -> Finding | None:
    """Rows in a stricter split than another of their group, each beside such a one."""
    beside: dict[int, int] = {}
    divided: list[Rows] = []
    for rows in groups:
        of_split = {evidence.splits[row]: row for row in reversed(rows)}
        given = [split for split in SPLITS if split in of_split]
        if len(given) > 1:
            divided.append(tuple(rows))
            for row in rows:
                if evidence.splits[row] in given[1:]:
                    beside.setdefault(row, of_split[given[0]])
    if not beside:
        return None
    return Finding(
        kind=kind,
        severity=INVALIDATES_TEST,
        count=len(beside),
        unit="held-out files",
        meaning=meaning,
        ids=tuple(dict.fromkeys(evidence.ids[row] for row in beside)),
        pairs=tuple((evidence.names[row], evidence.names[other]) for row, other in beside.items()),
        groups=tuple(divided),
    )


def size_shift(evidence: Evidence) -> Finding | None:
    """Held-out splits of other image sizes, to half an octave, or proportions than training."""
    sizes: list[Hashable] = []
    for height, width in evidence.found.sizes.tolist():
        octave = round(2 * np.log2(min(height, width))) if height else None
        sizes.append((octave, round(width / height, 1)) if height else None)
    return _share_shift(evidence, sizes, "size_shift", "image size")


def source_shift(evidence: Evidence) -> Finding | None:
    """Held-out splits from other archives than training."""
    return _share_shift(evidence, evidence.sources, "source_shift", "source")


def _share_shift(
    evidence: Evidence, values: Sequence[Hashable], kind: str, words: str
) -> Finding | None:
    parts = {}
    for split, rows in _comparable(evidence).items():
        if split == SPLITS[0]:
            continue
        share = shifted_share(
            [values[row] for row in _comparable(evidence)[SPLITS[0]]],
            [values[row] for row in rows],
        )
        if share >= MIN_SHARE_SHIFTED:
            parts[f"{split}: {100 * share:.0f} % would have to change their {words}"] = len(rows)
    return _shift(kind, words, parts)


def shifted_share(first: Sequence[Hashable], second: Sequence[Hashable]) -> float:
    """Share that would have to change for both to be alike, less what chance makes of it.

    The total variation distance. Each share of n photographs strays by sqrt(p (1 − p) / n), so
    the distance has a mean of its own where nothing is shifted, and that is taken off.

    >>> shifted_share(["a"] * 100, ["b"] * 100)
    1.0
    """
    of_first, of_second = Counter(first), Counter(second)
    distance, by_chance = 0.0, 0.0
    for value in of_first | of_second:
        shares = of_first[value] / len(first), of_second[value] / len(second)
        pooled = (of_first[value] + of_second[value]) / (len(first) + len(second))
        spread = np.sqrt(pooled * (1 - pooled) * (1 / len(first) + 1 / len(second)))
        distance += abs(shares[0] - shares[1]) / 2
        by_chance += spread * np.sqrt(2 / np.pi) / 2
    return 1.0 if distance == 1 else max(0.0, float(distance - by_chance))


def color_shift(evidence: Evidence) -> Finding | None:
    """Held-out splits whose mean color lies apart from that of training."""
    if not evidence.found.has_pictures:
        return None
    rows_of = _comparable(evidence)
    parts = {}
    for split, rows in rows_of.items():
        if split == SPLITS[0]:
            continue
        training, others = (evidence.found.colors[part] for part in (rows_of[SPLITS[0]], rows))
        spread = np.sqrt((training.var(axis=0) + others.var(axis=0)) / 2)
        apart = (others.mean(axis=0) - training.mean(axis=0)) / np.maximum(spread, 1e-6)
        chance = 3 * np.sqrt(1 / len(training) + 1 / len(others))
        channel = int(np.abs(apart).argmax())
        if abs(apart[channel]) >= max(MIN_COLOR_SHIFT, chance):
            side = "more" if apart[channel] > 0 else "less"
            color = ("red", "green", "blue")[channel]
            parts[f"{split}: {abs(apart[channel]):.1f} standard deviations {side} {color}"] = len(
                rows
            )
    return _shift("color_shift", "color", parts)


def _comparable(evidence: Evidence) -> dict[str, list[int]]:
    """Readable rows of each split with enough of them; nothing without training rows."""
    rows_of: dict[str, list[int]] = {}
    for row, split in enumerate(evidence.splits):
        if split is not None and row not in evidence.found.refused:
            rows_of.setdefault(split, []).append(row)
    enough = {split: rows for split, rows in rows_of.items() if len(rows) >= MIN_PHOTOGRAPHS}
    return enough if SPLITS[0] in enough else {}


def _shift(kind: str, words: str, parts: dict[str, int]) -> Finding | None:
    if not parts:
        return None
    return Finding(
        kind=kind,
        severity=WORTH_KNOWING,
        count=len(parts),
        unit="splits",
        meaning=f"Held-out photographs differ from training in {words}. A figure measured there "
        "mixes what the network has learnt with how it bears the difference.",
        parts=parts,
    )
