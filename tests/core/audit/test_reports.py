"""The audit on the command line: a JSON object or text, and clear errors."""

import json

import pytest
from click.testing import CliRunner

from melanoma_core.__main__ import main
from melanoma_core.images import reading, synthetic


def invoke(*arguments: object):
    return CliRunner().invoke(main, ["audit", *map(str, arguments)])


@pytest.fixture
def folder(tmp_path):
    """A nevus twice in training and once in test as melanoma; an empty file of hostile name."""
    pictures = [reading.jpeg(synthetic.lesion(seed, (90, 120))) for seed in range(3)]
    files = {
        "Train/nevus/ISIC_0000001.jpg": pictures[0],
        "Train/nevus/ISIC_0000002.jpg": pictures[0],
        "Train/nevus/ISIC_0000003.jpg": pictures[1],
        "Train/melanoma/\x1b[31mred.jpg": b"",
        "Test/melanoma/ISIC_0000001.jpg": pictures[0],
        "Test/melanoma/ISIC_0000004.jpg": pictures[2],
    }
    for name, data in files.items():
        path = tmp_path / "made" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "made"


@pytest.fixture
def reference(tmp_path):
    """A published table that labels the nevus correctly."""
    root = tmp_path / "ham"
    root.mkdir()
    rows = ["lesion_id,image_id,dx,dx_type,age,sex,localization", "L1,ISIC_0000001,nv,,,,"]
    (root / "HAM10000_metadata.csv").write_text("\n".join(rows))
    (root / "ISIC_0000001.jpg").write_bytes(reading.jpeg(synthetic.lesion(0, (90, 120))))
    return root


def test_json_has_counts_findings_and_the_clean_table(folder):
    result = invoke(folder, "--json")
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert (report["num_files"], report["num_ids"]) == (6, 5)
    assert report["class_counts"] == {"train": {"MEL": 1, "NV": 3}, "test": {"MEL": 2}}
    findings = {finding["kind"]: finding for finding in report["findings"]}
    assert findings["two_classes"]["count"] == 1
    assert findings["two_classes"]["ids"] == ["ISIC_0000001", "ISIC_0000002"]
    assert findings["same_photograph_in_two_splits"]["severity"] == "Invalidates the test"
    assert findings["exact_copies"]["pairs"] == [["ISIC_0000001", "ISIC_0000002"]]
    assert report["clean"]["num_photographs"] == 2
    assert report["clean"]["num_dropped"] == len(report["clean"]["changes"]) == 4


def test_a_reference_resolves_contradictory_folders(folder, reference):
    report = json.loads(invoke(folder, "--reference", reference, "--json").stdout)
    (overlap,) = report["references"]
    assert (overlap["name"], overlap["num_files"], overlap["num_ids"]) == ("ham10000", 2, 1)
    assert {"reference": "NV", "here": "MEL", "num_files": 1} in overlap["filed"]
    (contradicted,) = (f for f in report["findings"] if f["kind"] == "contradicts_table")
    assert contradicted["ids"] == ["ISIC_0000001"]
    # It is kept once, as a nevus, like the third and the fourth.
    assert report["clean"]["num_photographs"] == 3


def test_text_has_severity_count_and_examples(folder):
    result = invoke(folder)
    assert result.exit_code == 0
    assert "made: 6 files of 5 image ids" in result.stdout
    assert (
        "Invalidates the test\n  same photograph in two splits: 1 held-out files" in result.stdout
    )
    assert "test Melanoma and train Nevus" in result.stdout
    assert "Clean table: 2 photographs" in result.stdout
    assert "  3  Filed as Melanoma and Nevus; no published table says which" in result.stdout


def test_file_names_have_no_terminal_control_characters(folder):
    assert "\x1b" not in invoke(folder).stdout


def test_a_refused_set_is_named_and_exits_with_code_2(tmp_path):
    result = invoke(tmp_path / "nothing.zip", "--json")
    assert result.exit_code == 2
    record = json.loads(result.stdout)
    assert record["dataset"] == "nothing.zip"
    assert "no file or folder nothing.zip" in record["error"]
    assert "no file or folder nothing.zip" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_refused_reference_exits_with_code_2(folder, tmp_path):
    result = invoke(folder, "--reference", tmp_path / "gone.zip")
    assert result.exit_code == 2
    assert "gone.zip" in result.stderr
    assert result.stdout == ""
