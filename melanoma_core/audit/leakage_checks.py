"""Checks of splits: photographs and lesions in two splits, and shifts between splits."""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence

import numpy as np

from melanoma_core.audit.findings import INVALIDATES_TEST, WORTH_KNOWING, Evidence, Finding
from melanoma_core.data.row_groups import Rows, equal_rows
from melanoma_core.data.schema import SPLITS

MIN_PHOTOGRAPHS = 50  # a smaller split is not checked for shifts
MIN_SHIFT = 0.1  # proportion of photographs, beyond chance
MIN_COLOR_SHIFT = 0.5  # standard deviations of the mean color


def same_photograph(evidence: Evidence) -> Finding | None:
    """Held-out files whose photograph (by image id or pixels) is also in training."""
    return _in_two_splits(
        evidence,
        evidence.photographs,
        "same_photograph_in_two_splits",
        "These held-out files are also in the training set, some under another diagnosis. The test "
        "then measures memory, not skill.",
    )


def near_copy(evidence: Evidence) -> Finding | None:
    """Held-out files with a near copy in training."""
    return _in_two_splits(
        evidence,
        evidence.near_pairs,
        "near_copy_in_two_splits",
        "The training set has these held-out pictures re-encoded, resized, rotated or mirrored. "
        "The test then measures memory, not skill.",
    )


def same_lesion(evidence: Evidence) -> Finding | None:
    """Held-out files of a lesion that is also in training."""
    finding = _in_two_splits(
        evidence,
        equal_rows(evidence.lesions),
        "same_lesion_in_two_splits",
        "The training set has other photographs of these held-out lesions, so the test includes "
        "lesions that the network has seen.",
    )
    if finding is None:
        return None
    held_out = [
        row
        for row, lesion in enumerate(evidence.lesions)
        if lesion and evidence.splits[row] not in (None, SPLITS[0])
    ]
    return Finding(
        **{**vars(finding), "parts": {"held-out files of a known lesion": len(held_out)}}
    )


def _in_two_splits(
    evidence: Evidence, groups: Iterable[Rows], kind: str, meaning: str
) -> Finding | None:
    """A finding on groups with rows in several splits; its files are those in stricter splits."""
    leaked_from: dict[int, int] = {}  # row in the least strict split, by row in a stricter one
    divided: list[Rows] = []
    for rows in groups:
        row_of = {evidence.splits[row]: row for row in reversed(rows)}
        present = [split for split in SPLITS if split in row_of]
        if len(present) > 1:
            divided.append(tuple(rows))
            for row in rows:
                if evidence.splits[row] in present[1:]:
                    leaked_from.setdefault(row, row_of[present[0]])
    if not leaked_from:
        return None
    return Finding(
        kind=kind,
        severity=INVALIDATES_TEST,
        count=len(leaked_from),
        unit="held-out files",
        meaning=meaning,
        ids=tuple(dict.fromkeys(evidence.ids[row] for row in leaked_from)),
        pairs=tuple(
            (evidence.names[row], evidence.names[other]) for row, other in leaked_from.items()
        ),
        groups=tuple(divided),
    )


def size_shift(evidence: Evidence) -> Finding | None:
    """Held-out splits with other image sizes (by half octaves) or aspect ratios than training."""
    sizes: list[Hashable] = []
    for height, width in evidence.fingerprints.sizes.tolist():
        octave = round(2 * np.log2(min(height, width))) if height else None
        sizes.append((octave, round(width / height, 1)) if height else None)
    return _category_shift(evidence, sizes, "size_shift", "image size")


def source_shift(evidence: Evidence) -> Finding | None:
    """Held-out splits from other archives than training."""
    return _category_shift(evidence, evidence.sources, "source_shift", "source")


def _category_shift(
    evidence: Evidence, values: Sequence[Hashable], kind: str, attribute: str
) -> Finding | None:
    parts = {}
    for split, rows in _comparable(evidence).items():
        if split == SPLITS[0]:
            continue
        proportion = shifted_proportion(
            [values[row] for row in _comparable(evidence)[SPLITS[0]]],
            [values[row] for row in rows],
        )
        if proportion >= MIN_SHIFT:
            text = f"{split}: {100 * proportion:.0f} % would have to change their {attribute}"
            parts[text] = len(rows)
    return _shift(kind, attribute, parts)


def shifted_proportion(first: Sequence[Hashable], second: Sequence[Hashable]) -> float:
    """Proportion that would have to change to make both distributions equal, beyond chance.

    The total variation distance less its mean without a shift, which is not 0: a proportion p of
    n photographs has a standard deviation of sqrt(p (1 − p) / n).

    >>> shifted_proportion(["a"] * 100, ["b"] * 100)
    1.0
    """
    counts_first, counts_second = Counter(first), Counter(second)
    distance, by_chance = 0.0, 0.0
    for value in counts_first | counts_second:
        proportions = counts_first[value] / len(first), counts_second[value] / len(second)
        pooled = (counts_first[value] + counts_second[value]) / (len(first) + len(second))
        spread = np.sqrt(pooled * (1 - pooled) * (1 / len(first) + 1 / len(second)))
        distance += abs(proportions[0] - proportions[1]) / 2
        by_chance += spread * np.sqrt(2 / np.pi) / 2
    return 1.0 if distance == 1 else max(0.0, float(distance - by_chance))


def color_shift(evidence: Evidence) -> Finding | None:
    """Held-out splits whose mean color differs from that of training."""
    if not evidence.fingerprints.has_pictures:
        return None
    rows_of = _comparable(evidence)
    parts = {}
    for split, rows in rows_of.items():
        if split == SPLITS[0]:
            continue
        training, others = (
            evidence.fingerprints.colors[part] for part in (rows_of[SPLITS[0]], rows)
        )
        spread = np.sqrt((training.var(axis=0) + others.var(axis=0)) / 2)
        difference = (others.mean(axis=0) - training.mean(axis=0)) / np.maximum(spread, 1e-6)
        chance = 3 * np.sqrt(1 / len(training) + 1 / len(others))
        channel = int(np.abs(difference).argmax())
        if abs(difference[channel]) >= max(MIN_COLOR_SHIFT, chance):
            direction = "more" if difference[channel] > 0 else "less"
            color = ("red", "green", "blue")[channel]
            size = f"{abs(difference[channel]):.1f} standard deviations"
            parts[f"{split}: {size} {direction} {color}"] = len(rows)
    return _shift("color_shift", "color", parts)


def _comparable(evidence: Evidence) -> dict[str, list[int]]:
    """Readable rows of each split that has enough of them; empty without training rows."""
    rows_of: dict[str, list[int]] = {}
    for row, split in enumerate(evidence.splits):
        if split is not None and row not in evidence.fingerprints.refused:
            rows_of.setdefault(split, []).append(row)
    enough = {split: rows for split, rows in rows_of.items() if len(rows) >= MIN_PHOTOGRAPHS}
    return enough if SPLITS[0] in enough else {}


def _shift(kind: str, attribute: str, parts: dict[str, int]) -> Finding | None:
    if not parts:
        return None
    return Finding(
        kind=kind,
        severity=WORTH_KNOWING,
        count=len(parts),
        unit="splits",
        meaning=f"Held-out photographs differ from training in {attribute}. Metrics on them also "
        "reflect how well the network copes with that difference.",
        parts=parts,
    )
