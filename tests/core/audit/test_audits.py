"""An audit finds what was planted, says nothing of a sound set, and its clean table is sound."""

import dataclasses

import pytest

from benchmarks.data import planted_copies
from melanoma_core.audit import audits, findings
from melanoma_core.data import bundled_set, datasets
from melanoma_core.images import reading, synthetic
from tests.support import made_evidence

SPOILING = (findings.INVALIDATES_TEST, findings.INVALIDATES_LABELS)


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
def spoiled(tmp_path, pictures):
    """A set with one of each fault that needs photographs."""
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


def test_every_fault_is_found_once(spoiled):
    audit = audits.audit(spoiled)
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


def test_sound_set_is_not_blamed(tmp_path, pictures):
    sound = made(
        tmp_path / "set", {f"nevus/ISIC_000000{n}.jpg": data for n, data in enumerate(pictures)}
    )
    assert set(kinds(audits.audit(sound))) == {"small_classes"}


def test_clean_table_drops_what_spoils_and_says_why(spoiled):
    table, changes = audits.clean(spoiled, audits.audit(spoiled).findings)
    assert sorted(ids(table)) == [f"ISIC_00000{n}" for n in ("01", "02", "06", "07", "13")]
    reasons = {change.image_id: change.reason for change in changes}
    assert reasons == {
        "ISIC_0000001": "A copy of a photograph that stays.",
        "ISIC_0000003": "Its picture or its lesion is in test.",
        "ISIC_0000004": "Filed as Melanoma and Nevus; no published table says which.",
        "ISIC_0000005": "The file cannot be read.",
    }
    assert len(table) + sum(change.is_dropped for change in changes) == len(spoiled.table)


def test_clean_table_has_nothing_left_to_clean(spoiled):
    table, _ = audits.clean(spoiled, audits.audit(spoiled).findings)
    clean = dataclasses.replace(spoiled, table=table)
    again = audits.audit(clean)
    assert not [finding for finding in again.findings if finding.severity in SPOILING]
    assert audits.clean(clean, again.findings)[1] == ()


def found_in(dataset, references=()):
    """Findings on rows alone: every file holds its own pixels."""
    rows = dataset.table[["image_id", "diagnosis", "split", "lesion_id"]].to_numpy().tolist()
    evidence = made_evidence.of(*rows, references=references)
    return [found for check in audits.CHECKS if (found := check(evidence)) is not None]


def test_published_diagnosis_takes_the_place_of_a_folders():
    table = made_evidence.dataset(("a", "MEL"), ("b", "NV"), is_official=True)
    dataset = made_evidence.dataset(("a", "SK"), ("a", "MEL"), ("b", "MEL"), ("c", "SK"))
    cleaned, changes = audits.clean(dataset, found_in(dataset, [table]))
    assert list(zip(cleaned["image_id"], cleaned["diagnosis"], strict=True)) == [
        ("a", "MEL"), ("b", "NV"), ("c", "SK")]  # fmt: skip
    assert [(change.row, change.is_dropped) for change in changes] == [(0, True), (2, False)]
    assert changes[0].reason == "A copy of a photograph that stays."
    assert changes[0].kept_id == "a"
    assert changes[1].reason == "A published table says Nevus, not Melanoma."


def test_lesion_that_is_held_out_goes_from_training():
    dataset = made_evidence.dataset(
        ("a", "NV", "train", "L1"), ("b", "NV", "test", "L1"), ("c", "NV", "train", "L2")
    )
    cleaned, changes = audits.clean(dataset, found_in(dataset))
    assert ids(cleaned) == ["b", "c"]
    assert changes[0].reason == "Its picture or its lesion is in test."


def test_findings_that_are_left_out_change_nothing():
    dataset = made_evidence.dataset(
        ("a", "NV", "train"), ("a", "MEL", "train"), ("b", "NV", "test"), ("b", "NV", "train"),
        ("c", "NV", "train"), ("c (1)", "NV", "train"),
    )  # fmt: skip
    cleaned, changes = audits.clean(dataset, [])
    assert ids(cleaned) == ["a", "a", "b", "b", "c"]
    assert [change.row for change in changes] == [5]


def test_only_the_given_findings_are_acted_on():
    dataset = made_evidence.dataset(("a", "NV", "train", "L1"), ("b", "NV", "test", "L1"))
    cleaned, changes = audits.clean(dataset, [])
    assert ids(cleaned) == ["a", "b"]
    assert changes == ()


def test_reference_says_how_its_photographs_are_filed():
    table = made_evidence.dataset(("a", "AK"), ("b", "AK"), ("z", "NV"), name="ham10000")
    rows = [("a", "AK"), ("a(1)", "AK"), ("b", "NV"), ("c", "NV")]
    known = audits._known(made_evidence.of(*rows), table)
    assert (known.name, known.num_files, known.num_ids) == ("ham10000", 2, 2)
    assert known.filed == {("AK", "AK"): 1, ("AK", "NV"): 1}


def test_facts_alone_give_every_fault_that_needs_no_picture():
    """The figures that were counted by hand, with no photograph there."""
    nine = bundled_set.read()
    audit = audits.audit(nine, bundled_set.references(nine.table))
    found = kinds(audit)
    assert (audit.num_files, audit.num_ids) == (2359, 2202)
    assert found["two_classes"].count == 155
    assert sorted(found["two_classes"].parts.values()) == [3, 15, 62, 75]
    assert found["same_photograph_in_two_splits"].count == 18
    assert list(found["copied_classes"].parts.values()) == [78]
    assert {frozenset(pair) for pair in found["exact_copies"].pairs} == {
        frozenset(pair)
        for pair in (
            ("ISIC_0025509(1)", "ISIC_0025509"),
            ("ISIC_0025601(1)", "ISIC_0025601"),
            ("ISIC_0000279", "ISIC_0000280"),
            ("ISIC_0000477", "ISIC_0000512"),
        )
    }
    assert found["same_lesion_in_two_splits"].count == 39
    assert found["same_lesion_in_two_splits"].parts == {"held-out files of a known lesion": 69}
    assert audit.known[0].num_files == 1512
    assert [audit.known[0].filed["AK", code] for code in ("AK", "SCC", "NV")] == [128, 192, 76]
    assert "ISIC_0028619" in found["contradicts_table"].ids
    assert audit.known[1].filed["MEL", "SK"] == 22
    assert audit.class_counts["test"]["SK"] == 3
    assert not {"near_copies", "color_shift", "unreadable"} & found.keys()


def test_nine_class_set_gives_its_known_faults(research_data):
    """The figures that were counted by hand."""
    nine = datasets.read(research_data / "isic9.zip")
    ham = datasets.read(research_data / "ham10000.zip")
    isic2017 = datasets.read(research_data / "isic2017.zip")
    audit = audits.audit(nine, [ham, isic2017])
    found = kinds(audit)
    assert (audit.num_files, audit.num_ids) == (2359, 2202)
    assert found["same_photograph_in_two_splits"].count == 18
    assert found["two_classes"].parts == {
        "train Melanoma and train Seborrheic keratosis": 75,
        "train Nevus and train Actinic keratosis": 62,
        "train Nevus and test Actinic keratosis": 15,
        "train Melanoma and test Seborrheic keratosis": 3,
    }
    assert found["copied_classes"].parts == {
        "of 80 files of Seborrheic keratosis are also filed as Melanoma, "
        "not ISIC_0011118, ISIC_0011126": 78
    }
    assert set(found["exact_copies"].pairs) == {
        ("ISIC_0025509(1)", "ISIC_0025509"),
        ("ISIC_0025601(1)", "ISIC_0025601"),
        ("ISIC_0000279", "ISIC_0000280"),
        ("ISIC_0000477", "ISIC_0000512"),
    }
    assert {("ISIC_0000399", "ISIC_0001124"), ("ISIC_0000521", "ISIC_0010990")} <= set(
        found["near_copies"].pairs
    )
    assert found["same_lesion_in_two_splits"].count == 39
    assert found["same_lesion_in_two_splits"].parts == {"held-out files of a known lesion": 69}
    assert audit.known[0].num_files == 1512
    assert audit.known[0].filed["AK", "AK"] == 128
    assert audit.known[0].filed["AK", "SCC"] == 192
    assert audit.known[0].filed["AK", "NV"] == 76
    assert set(found["contradicts_table"].ids) - set(found["two_classes"].ids) >= {"ISIC_0028619"}
    assert audit.known[1].filed["MEL", "SK"] == 22
