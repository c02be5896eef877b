"""The data doctor: known faults and planted leaks found, false alarms, time and memory.

Run as `python -m benchmarks.data.audit` from the project's root.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import records, tables
from benchmarks.data import planted_copies
from melanoma_core.audit import audits, duplicate_checks
from melanoma_core.data import datasets, splits
from melanoma_core.data.datasets import Dataset
from melanoma_core.images import fingerprints, near_duplicates

_ARCHIVES = ("isic9", "ham10000", "isic2017")
_MAX_SECONDS, _MAX_MB = 90, 1000  # for HAM10000
_NUM_PLANTED, _MIN_FOUND = 100, 98
_NUM_PAIRS, _MAX_FALSE_ALARMS = 1000, 0.01
_NUM_HASHES = (1_000, 3_000, 10_000, 30_000, 100_000)
_KNOWN_COPIES = (
    ("ISIC_0012127", "ISIC_0012970"),
    ("ISIC_0000399", "ISIC_0001124"),
    ("ISIC_0000521", "ISIC_0010990"),
)
# Counted by hand in the nine-class set, its folders and the published tables.
_ALONE = {
    "files": 2359,
    "image ids": 2202,
    "photographs in two classes": 155,
    "train Melanoma and train Seborrheic keratosis": 75,
    "train Nevus and train Actinic keratosis": 62,
    "train Nevus and test Actinic keratosis": 15,
    "train Melanoma and test Seborrheic keratosis": 3,
    "test photographs that are taught": 18,
    "keratosis files that are melanomas too": 78,
    "same pixels under two names": 4,
    "near copies named before": 2,
    "training melanomas": 438,
    "test melanomas": 16,
}
_WITH_TABLES = {
    "files that HAM10000 has": 1512,
    "test files of a known lesion": 69,
    "of them, lesion taught": 39,
    "akiec filed as actinic keratosis": 128,
    "akiec filed as squamous cell carcinoma": 192,
    "akiec filed as nevus": 76,
    "of them, also as actinic keratosis": 75,
    "melanomas filed as seborrheic keratosis": 22,
}


def main() -> None:
    """Measure, print the figures and their bars, and record them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the archives")
    records.add_option(parser)
    arguments = parser.parse_args()
    with records.recorded("audit", arguments.results, "numpy", "pillow") as record:
        sets = {name: datasets.read(arguments.data / f"{name}.zip") for name in _ARCHIVES}
        record["ham10000"] = _print_cost_of_audit(arguments.data / "ham10000.zip")
        record["known_faults"] = _print_known_faults(sets)
        record["planted"] = _print_planted(sets["ham10000"])
        record["false_alarms"] = _print_false_alarms(sets["ham10000"])
        record["across_archives"] = _print_across_archives(sets, arguments.data / "splits.csv")
        record["hashes"] = _print_cost_of_hashes()


def _print_cost_of_audit(zip_path: Path) -> dict[str, float]:
    """Time and memory of a whole audit on the command line; the zip is already unpacked."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "melanoma_core", "audit", str(zip_path), "--json"],
        env=os.environ | {"OMP_NUM_THREADS": "2"},
        stdout=subprocess.PIPE,
        check=True,
    )
    seconds = time.perf_counter() - start
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    num_files = json.loads(done.stdout)["num_files"]
    print(f"\nHAM10000, {num_files:,} photographs, on the command line")
    rows = [
        ("time, s", f"{seconds:.0f}", f"≤ {_MAX_SECONDS}", _met(seconds <= _MAX_SECONDS)),
        ("peak memory, MB", f"{peak_mb:.0f}", f"≤ {_MAX_MB}", _met(peak_mb <= _MAX_MB)),
    ]
    tables.print_table(("", "measured", "bar", ""), rows)
    return {"num_files": num_files, "seconds": seconds, "peak_mb": peak_mb}


def _print_known_faults(sets: dict[str, Dataset]) -> dict[str, int]:
    alone = audits.audit(sets["isic9"])
    with_tables = audits.audit(sets["isic9"], [sets["ham10000"], sets["isic2017"]])
    counts = _count_alone(alone) | _count_with_tables(with_tables)
    print("\nThe nine-class set: faults counted by hand, and by the audit")
    rows = [
        (name, f"{known:,}", f"{counts[name]:,}", _met(known == counts[name]))
        for name, known in (_ALONE | _WITH_TABLES).items()
    ]
    tables.print_table(("alone, then with both tables", "by hand", "audit", ""), rows)
    return counts


def _count_alone(audit: audits.Audit) -> dict[str, int]:
    of_kind = {finding.kind: finding for finding in audit.findings}
    return {
        "files": audit.num_files,
        "image ids": audit.num_ids,
        "photographs in two classes": of_kind["two_classes"].count,
        **of_kind["two_classes"].parts,
        "test photographs that are taught": of_kind["same_photograph_in_two_splits"].count,
        "keratosis files that are melanomas too": sum(of_kind["copied_classes"].parts.values()),
        "same pixels under two names": of_kind["exact_copies"].count,
        "near copies named before": len(set(_KNOWN_COPIES) & set(of_kind["near_copies"].pairs)),
        "training melanomas": audit.class_counts["train"]["MEL"],
        "test melanomas": audit.class_counts["test"]["MEL"],
    }


def _count_with_tables(audit: audits.Audit) -> dict[str, int]:
    of_kind = {finding.kind: finding for finding in audit.findings}
    lesions, contradicted = of_kind["same_lesion_in_two_splits"], of_kind["contradicts_table"]
    ham10000, isic2017 = audit.references
    return {
        "files that HAM10000 has": ham10000.num_files,
        "test files of a known lesion": sum(lesions.parts.values()),
        "of them, lesion taught": lesions.count,
        "akiec filed as actinic keratosis": ham10000.filed["AK", "AK"],
        "akiec filed as squamous cell carcinoma": ham10000.filed["AK", "SCC"],
        "akiec filed as nevus": ham10000.filed["AK", "NV"],
        "of them, also as actinic keratosis": contradicted.parts[
            "Actinic keratosis by ham10000, also Nevus here"
        ],
        "melanomas filed as seborrheic keratosis": isic2017.filed["MEL", "SK"],
    }


def _one_per_lesion(ham10000: Dataset, num_lesions: int) -> pd.DataFrame:
    table = ham10000.table.drop_duplicates("lesion_id")
    return table.sample(num_lesions, random_state=0)


def _print_planted(ham10000: Dataset) -> list[dict[str, Any]]:
    """How many copies of training photographs are found in the test folder of a made-up set."""
    table = _one_per_lesion(ham10000, 2 * _NUM_PLANTED)
    kinds = [planted_copies.KINDS[n % len(planted_copies.KINDS)] for n in range(_NUM_PLANTED)]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "planted")
        for split in ("Train", "Test"):
            (root / split / "nevus").mkdir(parents=True)
        for number, path in enumerate(table["path"]):
            data = Path(path).read_bytes()
            (root / "Train" / "nevus" / f"ISIC_{number}.jpg").write_bytes(data)
            if number < _NUM_PLANTED:
                copy = planted_copies.copy(data, kinds[number])
                (root / "Test" / "nevus" / f"ISIC_9{number:06}.jpg").write_bytes(copy)
        audit = audits.audit(datasets.read(root))
    leaks = ("same_photograph_in_two_splits", "near_copy_in_two_splits")
    pairs = {pair for finding in audit.findings if finding.kind in leaks for pair in finding.pairs}
    is_found = [(f"ISIC_9{n:06}", f"ISIC_{n}") in pairs for n in range(_NUM_PLANTED)]
    rows = [
        {
            "kind": kind,
            "planted": kinds.count(kind),
            "found": sum(hit for hit, of in zip(is_found, kinds, strict=True) if of == kind),
        }
        for kind in planted_copies.KINDS
    ]
    print("\nLeaks planted in the test folder of a set of 200 lesions")
    lines = [(row["kind"], str(row["planted"]), str(row["found"]), "", "") for row in rows]
    total = ("all", str(len(is_found)), str(sum(is_found)), f"≥ {_MIN_FOUND}")
    lines.append((*total, _met(sum(is_found) >= _MIN_FOUND)))
    tables.print_table(("copy", "planted", "found", "bar", ""), lines)
    return rows


def _print_false_alarms(ham10000: Dataset) -> dict[str, Any]:
    """Pairs of distinct lesions reported as copies: in all pairs, and in the most similar ones."""
    table = _one_per_lesion(ham10000, _NUM_PAIRS)
    prints = fingerprints.of_files([Path(path) for path in table["path"]])
    reported = {(copy.first, copy.second) for copy in near_duplicates.find(prints)}
    num_similar = len(reported & _most_similar(prints.thumbnails, _NUM_PAIRS))
    num_pairs = len(table) * (len(table) - 1) // 2
    ids = table["image_id"].to_numpy()
    print(f"\nDistinct lesions of HAM10000 reported as copies, {len(table):,} photographs")
    rows = [
        (
            f"{_NUM_PAIRS:,} pairs that are most similar when blurred",
            str(num_similar),
            f"≤ {_MAX_FALSE_ALARMS:.0%}",
            _met(num_similar <= _MAX_FALSE_ALARMS * _NUM_PAIRS),
        ),
        (f"all {num_pairs:,} pairs", str(len(reported)), "", ""),
    ]
    tables.print_table(("", "reported", "bar", ""), rows)
    id_pairs = [sorted((ids[first], ids[second])) for first, second in sorted(reported)]
    for pair in id_pairs:
        print(f"  {pair[0]} = {pair[1]}")
    return {
        "of_most_alike": num_similar,
        "of_all": len(reported),
        "num_pairs": num_pairs,
        "ids": id_pairs,
    }


def _most_similar(thumbnails: NDArray[np.uint8], num_pairs: int) -> set[tuple[int, int]]:
    """Pairs with the highest correlation over the eight orientations, at 16 × 16 px."""
    small = thumbnails.reshape(-1, 16, 4, 16, 4).mean((2, 4))
    small -= small.mean((1, 2), keepdims=True)
    small /= np.linalg.norm(small, axis=(1, 2), keepdims=True)
    flat = small.reshape(len(small), -1)
    highest = np.full((len(flat), len(flat)), -1.0)
    for oriented in _orientations(small):
        np.maximum(highest, flat @ oriented.reshape(len(flat), -1).T, out=highest)
    first, second = np.triu_indices(len(flat), 1)
    best = np.argsort(-highest[first, second])[:num_pairs]
    return set(zip(first[best].tolist(), second[best].tolist(), strict=True))


def _orientations(images: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    for num_turns in range(4):
        rotated = np.rot90(images, num_turns, axes=(1, 2))
        yield rotated
        yield rotated[:, :, ::-1]


def _print_across_archives(sets: dict[str, Dataset], splits_csv: Path) -> dict[str, Any]:
    """Near copies across all archives, compared with the groups of an exhaustive search."""
    table = datasets.combine(list(sets.values())).table
    start = time.perf_counter()
    pairs = duplicate_checks.near_copy_ids(table)
    seconds = time.perf_counter() - start
    unique = {tuple(sorted(pair)) for pair in pairs}
    group_of = splits.assign(table, copies=pairs).set_index("image_id")["group_id"]
    expected = pd.read_csv(splits_csv).query("lesion_id.isna()")
    expected = expected[expected["image_id"].isin(group_of.index)]
    groups = expected.groupby("group_id")["image_id"].agg(list)
    groups = groups[groups.str.len() > 1]
    missed = [ids for ids in groups if group_of[ids].nunique() > 1]
    num_grouped = len(groups) - len(missed)
    print(f"\nAll three archives, {len(table):,} photographs, {seconds:.0f} s")
    # A photograph that has two ids only in the class folders is in no split, so it cannot leak.
    known = [pair for pair in _KNOWN_COPIES if set(pair) <= set(table["image_id"])]
    rows = [(" = ".join(pair), "found" if pair in unique else "MISSED") for pair in known]
    rows.append(("pairs of image ids in all", f"{len(unique):,}"))
    rows.append(("groups of splits.csv without a lesion", f"{num_grouped} of {len(groups)}"))
    tables.print_table(("near copies", ""), rows)
    for ids in missed:
        print(f"  not grouped: {', '.join(ids)}")
    return {
        "num_photographs": len(table), "seconds": seconds, "num_pairs": len(unique),
        "known": len(known),
        "known_found": sum(pair in unique for pair in known),
        "groups_joined": num_grouped, "groups": len(groups), "not_joined": missed,
    }  # fmt: skip


def _print_cost_of_hashes() -> list[dict[str, float]]:
    """Time to search made-up hashes, of which 1 % are noisy copies of others."""
    rng = np.random.default_rng(0)
    rows = []
    for num_hashes in _NUM_HASHES:
        size = (num_hashes, near_duplicates.FREQUENCIES, near_duplicates.FREQUENCIES)
        hashes = rng.normal(size=size).astype(np.float32)
        num_copies = num_hashes // 100
        noise = rng.normal(0, 0.1, (num_copies, *size[1:])).astype(np.float32)
        hashes[-num_copies:] = hashes[:num_copies].transpose(0, 2, 1) + noise  # on its diagonal
        start = time.perf_counter()
        pairs = near_duplicates.candidates(hashes)
        seconds = time.perf_counter() - start
        proposed = set(map(tuple, pairs[:, :2].tolist()))
        num_found = sum((n, num_hashes - num_copies + n) in proposed for n in range(num_copies))
        rows.append(
            {"num_hashes": num_hashes, "seconds": seconds, "proposed": len(pairs),
             "copies": num_copies, "found": num_found}
        )  # fmt: skip
    print("\nSearch of made-up hashes")
    lines = [
        (
            f"{row['num_hashes']:,}",
            f"{row['seconds']:.2f}",
            f"{1000 * row['seconds'] / row['num_hashes']:.2f}",
            f"{row['proposed']:,}",
            f"{row['found']:,} of {row['copies']:,}",
        )
        for row in rows
    ]
    tables.print_table(("hashes", "s", "ms each", "pairs proposed", "copies found"), lines, 0)
    return rows


def _met(is_met: bool) -> str:
    return "met" if is_met else "MISSED"


if __name__ == "__main__":
    main()
