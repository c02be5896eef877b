"""Checks of labels and lesions: contradictions with published tables, and small classes."""

from collections import Counter

from melanoma_core import diagnoses
from melanoma_core.audit.findings import INVALIDATES_LABELS, WORTH_KNOWING, Evidence, Finding
from melanoma_core.data.row_groups import equal_rows
from melanoma_core.data.schema import SPLITS
from melanoma_core.metrics import sample_size

SENSITIVITY = 0.8  # at which interval widths are stated
MAX_INTERVAL_WIDTH = 0.2  # needs 60 lesions


def contradictions(evidence: Evidence) -> Finding | None:
    """Photographs whose diagnosis a published table contradicts."""
    filed: dict[str, set[str]] = {}
    rows_of: dict[str, list[int]] = {}
    for row, (image_id, code) in enumerate(zip(evidence.ids, evidence.codes, strict=True)):
        filed.setdefault(image_id, set()).add(code)
        rows_of.setdefault(image_id, []).append(row)
    parts: Counter[str] = Counter()
    labels = {}
    for image_id in filter(evidence.reference_records.__contains__, filed):
        record = evidence.reference_records[image_id]
        wrong = sorted(filter(record.contradicts, filed[image_id]))
        if not wrong:
            continue
        labels[image_id] = record.diagnosis
        also = "also" if filed[image_id] - set(wrong) else "only"
        for code in wrong:
            parts[f"{_name(record.diagnosis)} by {record.source}, {also} {_name(code)} here"] += 1
    if not labels:
        return None
    ids = [image_id for image_id in filed if image_id in labels]
    return Finding(
        kind="contradicts_table",
        severity=INVALIDATES_LABELS,
        count=len(ids),
        unit="photographs",
        meaning="A published table has a different diagnosis for these photographs. The table is "
        "used, not the folder.",
        ids=tuple(ids),
        parts=dict(parts.most_common()),
        groups=tuple(tuple(rows_of[image_id]) for image_id in ids),
        labels={image_id: labels[image_id] for image_id in ids},
    )


def several_photographs(evidence: Evidence) -> Finding | None:
    """Lesions with more than one photograph."""
    groups = [
        rows
        for rows in equal_rows(evidence.lesions)
        if len({evidence.ids[row] for row in rows}) > 1
    ]
    if not groups:
        return None
    return Finding(
        kind="several_photographs",
        severity=WORTH_KNOWING,
        count=len(groups),
        unit="lesions",
        meaning="These lesions have several photographs. Divide the data by lesion, and base "
        "intervals on lesions, not photographs.",
        ids=tuple(dict.fromkeys(evidence.ids[row] for rows in groups for row in rows)),
        groups=tuple(groups),
    )


def small_classes(evidence: Evidence) -> Finding | None:
    """Classes with too few lesions for a narrow (Wilson) interval.

    Counted in the test split, else the validation split, else the whole set. A photograph without
    a known lesion counts as a lesion.
    """
    present = set(evidence.splits)
    measured = next((split for split in reversed(SPLITS) if split in present), None)
    lesions: dict[str, set[str]] = {}
    for row, code in enumerate(evidence.codes):
        if (measured is None or evidence.splits[row] == measured) and (
            row not in evidence.fingerprints.refused
        ):
            lesions.setdefault(code, set()).add(evidence.lesions[row] or evidence.ids[row])
    parts = {}
    for code in (code for code in diagnoses.CODES if code in set(evidence.codes)):
        num_lesions = len(lesions.get(code, ()))
        width = sample_size.interval_width(SENSITIVITY, num_lesions)
        if width > MAX_INTERVAL_WIDTH:
            parts[f"{_name(code)}: interval {100 * width:.0f} percentage points wide"] = num_lesions
    if not parts:
        return None
    return Finding(
        kind="small_classes",
        severity=WORTH_KNOWING,
        count=len(parts),
        unit="classes",
        meaning=f"Too few lesions{f' in {measured}' if measured else ''} to measure these: at a "
        f"sensitivity of {100 * SENSITIVITY:.0f}\u202f% the 95\u202f% interval is wider than "
        f"{100 * MAX_INTERVAL_WIDTH:.0f} percentage points.",
        parts=parts,
    )


def _name(code: str) -> str:
    return diagnoses.BY_CODE[code].name
