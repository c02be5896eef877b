"""An audit finds planted faults, has no findings on a good set, and its clean table is good."""

import dataclasses

import pytest

from benchmarks.data import planted_copies
from melanoma_core.audit import audits, findings
from melanoma_core.data import bundled_set, datasets
from melanoma_core.images import reading, synthetic
from tests.support import made_evidence

SEVERE = (findings.INVALIDATES_TEST, findings.INVALIDATES_LABELS)


def made(root, files):
    """A class-folder set of files by path below `root`."""
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return datasets.read(root)


@pytest.fixture(scope="module")
def pictures():
    return [reading.jpeg(synthetic.lesion(seed, (120, 160))) for seed in range(8)]


@pytest.fixture
def faulty(tmp_path, pictures):
    """A set with each of the faults that need photographs."""
    rotated = planted_copies.copy(pictures[3], "rotated 90°")
    return made(
        tmp_path / "set",
        {
            "Train/nevus/ISIC_0000001.jpg": pictures[1],
            "Train/nevus/ISIC_0000001 (1).jpg": pictures[1],
            "Train/nevus/ISIC_0000002.jpg": pictures[2],
            "Train/nevus/ISIC_0000003.jpg": pictures[3],
            "Train/melanoma/ISIC_0000004.jpg": pictures[4],
            "Train/melanoma/ISIC_0000005.jpg": b"",
            "Train/melanoma/ISIC_0000006.jpg": pictures[6],
            "Test/nevus/ISIC_0000013.jpg": rotated,
            "Test/nevus/ISIC_0000004.jpg": pictures[4],
            "Test/melanoma/ISIC_0000007.jpg": pictures[7],
        },
    )


def kinds(audit):
    return {finding.kind: finding for finding in audit.findings}


def ids(table):
    return list(table["image_id"])


def test_every_fault_is_found_once(faulty):
    audit = audits.audit(faulty)
    counts = {kind: finding.count for kind, finding in kinds(audit).items()}
    assert counts == {
        "same_photograph_in_two_splits": 1,
        "near_copy_in_two_splits": 1,
        "two_classes": 1,
        "unreadable": 1,
        "exact_copies": 1,
        "near_copies": 1,
        "small_classes": 2,
    }
    assert (audit.num_files, audit.num_ids) == (10, 8)
    assert audit.class_counts == {"train": {"MEL": 3, "NV": 4}, "test": {"MEL": 1, "NV": 2}}


def test_a_good_set_has_no_severe_findings(tmp_path, pictures):
    good = made(
        tmp_path / "set", {f"nevus/ISIC_000000{n}.jpg": data for n, data in enumerate(pictures)}
    )
    assert set(kinds(audits.audit(good))) == {"small_classes"}


def test_the_clean_table_drops_faulty_rows_with_reasons(faulty):
    table, changes = audits.clean(faulty, audits.audit(faulty).findings)
    assert sorted(ids(table)) == [f"ISIC_00000{n}" for n in ("01", "02", "06", "07", "13")]
    reasons = {change.image_id: change.reason for change in changes}
    assert reasons == {
        "ISIC_0000001": "Duplicate of a photograph that was kept",
        "ISIC_0000003": "The same picture or lesion is in test",
        "ISIC_0000004": "Filed as Melanoma and Nevus; no published table says which",
        "ISIC_0000005": "The file cannot be read",
    }
    assert len(table) + sum(change.is_dropped for change in changes) == len(faulty.table)


def test_the_clean_table_needs_no_further_cleaning(faulty):
    table, _ = audits.clean(faulty, audits.audit(faulty).findings)
    clean = dataclasses.replace(faulty, table=table)
    again = audits.audit(clean)
    assert not [finding for finding in again.findings if finding.severity in SEVERE]
    assert audits.clean(clean, again.findings)[1] == ()


def findings_on(dataset, references=()):
    """Findings on rows whose files all have different pixels."""
    rows = dataset.table[["image_id", "diagnosis", "split", "lesion_id"]].to_numpy().tolist()
    evidence = made_evidence.of(*rows, references=references)
    return [finding for check in audits.CHECKS if (finding := check(evidence)) is not None]


def test_a_published_diagnosis_replaces_a_folder_name():
    table = made_evidence.dataset(("a", "MEL"), ("b", "NV"), is_official=True)
    dataset = made_evidence.dataset(("a", "SK"), ("a", "MEL"), ("b", "MEL"), ("c", "SK"))
    cleaned, changes = audits.clean(dataset, findings_on(dataset, [table]))
    assert list(zip(cleaned["image_id"], cleaned["diagnosis"], strict=True)) == [
        ("a", "MEL"), ("b", "NV"), ("c", "SK")]  # fmt: skip
    assert [(change.row, change.is_dropped) for change in changes] == [(0, True), (2, False)]
    assert changes[0].reason == "Duplicate of a photograph that was kept"
    assert changes[0].kept_id == "a"
    assert changes[1].reason == "A published table says Nevus, not Melanoma"


def test_a_held_out_lesion_is_dropped_from_training():
    dataset = made_evidence.dataset(
        ("a", "NV", "train", "L1"), ("b", "NV", "test", "L1"), ("c", "NV", "train", "L2")
    )
    cleaned, changes = audits.clean(dataset, findings_on(dataset))
    assert ids(cleaned) == ["b", "c"]
    assert changes[0].reason == "The same picture or lesion is in test"


def test_without_findings_only_identical_rows_are_merged():
    dataset = made_evidence.dataset(
        ("a", "NV", "train"), ("a", "MEL", "train"), ("b", "NV", "test"), ("b", "NV", "train"),
        ("c", "NV", "train"), ("c (1)", "NV", "train"),
    )  # fmt: skip
    cleaned, changes = audits.clean(dataset, [])
    assert ids(cleaned) == ["a", "a", "b", "b", "c"]
    assert [change.row for change in changes] == [5]


def test_findings_that_are_not_passed_are_not_fixed():
    dataset = made_evidence.dataset(("a", "NV", "train", "L1"), ("b", "NV", "test", "L1"))
    cleaned, changes = audits.clean(dataset, [])
    assert ids(cleaned) == ["a", "b"]
    assert changes == ()


def test_the_overlap_counts_how_a_references_photographs_are_filed():
    table = made_evidence.dataset(("a", "AK"), ("b", "AK"), ("z", "NV"), name="ham10000")
    rows = [("a", "AK"), ("a(1)", "AK"), ("b", "NV"), ("c", "NV")]
    overlap = audits._overlap(made_evidence.of(*rows), table)
    assert (overlap.name, overlap.num_files, overlap.num_ids) == ("ham10000", 2, 2)
    assert overlap.filed == {("AK", "AK"): 1, ("AK", "NV"): 1}


def test_facts_show_every_fault_that_needs_no_picture():
    """Counts made by hand, without photographs."""
    nine = bundled_set.read()
    audit = audits.audit(nine, bundled_set.references(nine.table))
    by_kind = kinds(audit)
    assert (audit.num_files, audit.num_ids) == (2359, 2202)
    assert by_kind["two_classes"].count == 155
    assert sorted(by_kind["two_classes"].parts.values()) == [3, 15, 62, 75]
    assert by_kind["same_photograph_in_two_splits"].count == 18
    assert list(by_kind["copied_classes"].parts.values()) == [78]
    assert {frozenset(pair) for pair in by_kind["exact_copies"].pairs} == {
        frozenset(pair)
        for pair in (
            ("ISIC_0025509(1)", "ISIC_0025509"),
            ("ISIC_0025601(1)", "ISIC_0025601"),
            ("ISIC_0000279", "ISIC_0000280"),
            ("ISIC_0000477", "ISIC_0000512"),
        )
    }
    assert by_kind["same_lesion_in_two_splits"].count == 39
    assert by_kind["same_lesion_in_two_splits"].parts == {"held-out files of a known lesion": 69}
    assert audit.references[0].num_files == 1512
    assert [audit.references[0].filed["AK", code] for code in ("AK", "SCC", "NV")] == [128, 192, 76]
    assert "ISIC_0028619" in by_kind["contradicts_table"].ids
    assert audit.references[1].filed["MEL", "SK"] == 22
    assert audit.class_counts["test"]["SK"] == 3
    assert not {"near_copies", "color_shift", "unreadable"} & by_kind.keys()


def test_the_nine_class_set_has_its_known_faults(research_data):
    """Counts made by hand."""
    nine = datasets.read(research_data / "isic9.zip")
    ham = datasets.read(research_data / "ham10000.zip")
    isic2017 = datasets.read(research_data / "isic2017.zip")
    audit = audits.audit(nine, [ham, isic2017])
    by_kind = kinds(audit)
    assert (audit.num_files, audit.num_ids) == (2359, 2202)
    assert by_kind["same_photograph_in_two_splits"].count == 18
    assert by_kind["two_classes"].parts == {
        "train Melanoma and train Seborrheic keratosis": 75,
        "train Nevus and train Actinic keratosis": 62,
        "train Nevus and test Actinic keratosis": 15,
        "train Melanoma and test Seborrheic keratosis": 3,
    }
    assert by_kind["copied_classes"].parts == {
        "of 80 files of Seborrheic keratosis are also filed as Melanoma, "
        "not ISIC_0011118, ISIC_0011126": 78
    }
    assert set(by_kind["exact_copies"].pairs) == {
        ("ISIC_0025509(1)", "ISIC_0025509"),
        ("ISIC_0025601(1)", "ISIC_0025601"),
        ("ISIC_0000279", "ISIC_0000280"),
        ("ISIC_0000477", "ISIC_0000512"),
    }
    assert {("ISIC_0000399", "ISIC_0001124"), ("ISIC_0000521", "ISIC_0010990")} <= set(
        by_kind["near_copies"].pairs
    )
    assert by_kind["same_lesion_in_two_splits"].count == 39
    assert by_kind["same_lesion_in_two_splits"].parts == {"held-out files of a known lesion": 69}
    assert audit.references[0].num_files == 1512
    assert audit.references[0].filed["AK", "AK"] == 128
    assert audit.references[0].filed["AK", "SCC"] == 192
    assert audit.references[0].filed["AK", "NV"] == 76
    assert set(by_kind["contradicts_table"].ids) - set(by_kind["two_classes"].ids) >= {
        "ISIC_0028619"
    }
    assert audit.references[1].filed["MEL", "SK"] == 22
