"""Teacher probabilities: what a file gives, how labels are mixed in, and what is refused."""

import numpy as np
import pytest

from melanoma_core.diagnoses import CODES
from melanoma_core.errors import DatasetError, RunError
from melanoma_core.training import soft_targets

HEADER = "image_id," + ",".join(CODES)
MELANOMA = "a,0.7,0.2,0.1" + ",0" * 6


def written(tmp_path, *rows, header=HEADER):
    path = tmp_path / "soft.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_targets_are_the_weighted_mean_of_label_and_teacher_probabilities(tmp_path):
    found = soft_targets.read(written(tmp_path, MELANOMA, "b,0,1" + ",0" * 7))
    targets, num_without = found.mix(["a", "b", "a", "c"], [0, 0, 1, 2], 0.4)
    assert targets.dtype == np.float32
    expected = np.zeros((4, 10))
    expected[0, :3] = 0.6 + 0.4 * 0.7, 0.4 * 0.2, 0.4 * 0.1
    expected[1, :2] = 0.6, 0.4
    expected[2, :3] = 0.4 * 0.7, 0.6 + 0.4 * 0.2, 0.4 * 0.1
    expected[3, 2] = 1
    np.testing.assert_allclose(targets, expected, atol=1e-6)
    assert num_without == 1


def test_columns_are_found_by_name_and_rounded_rows_add_up_to_one(tmp_path):
    header = "image_id," + ",".join(reversed([code.lower() for code in CODES]))
    path = written(tmp_path, "a" + ",0" * 7 + ",0.2985,0.6965", header=header)
    (row,), _ = soft_targets.read(path).mix(["a"], [3], 1.0)
    assert row[:2] == pytest.approx([0.7, 0.3], abs=1e-6)
    assert row.sum() == pytest.approx(1)


def test_no_photograph_of_the_file_leaves_the_labels(tmp_path):
    found = soft_targets.read(written(tmp_path, MELANOMA))
    targets, num_without = found.mix(["x", "y"], [4, 0], 0.9)
    np.testing.assert_array_equal(targets, np.eye(10)[[4, 0]])
    assert num_without == 2


def test_photograph_that_is_held_out_must_not_be_named(tmp_path):
    found = soft_targets.read(written(tmp_path, MELANOMA))
    found.check_held_out(["b", "c"])
    with pytest.raises(
        RunError, match=r"soft\.csv names 1 photographs .*first is a.*this division"
    ):
        found.check_held_out(["b", "a"])


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([MELANOMA, MELANOMA], "line 3: a is listed twice"),
        (["a,0.7,0.2" + ",0" * 7], "line 2: the probabilities of a sum to 0.9"),
        (["a,1.2,-0.2" + ",0" * 7], "or one is missing or below 0. Give nine"),
        (["a,1," + ",0" * 7], "line 2: the probabilities of a sum to nan"),
        (["a,much,0.2" + ",0" * 7], "line 2, mel: “much” is not a number"),
        (["a,1,0"], "3 cells where the header has 10"),
    ],
)
def test_what_is_no_probabilities_is_refused(tmp_path, rows, words):
    with pytest.raises(DatasetError, match=words):
        soft_targets.read(written(tmp_path, *rows))


def test_missing_diagnosis_is_named(tmp_path):
    header = HEADER.replace(",VASC", "")
    with pytest.raises(DatasetError, match="has no column vasc"):
        soft_targets.read(written(tmp_path, "a,1" + ",0" * 7, header=header))


def test_benign_without_a_name_is_blended_with_the_teacher_too(tmp_path):
    found = soft_targets.read(written(tmp_path, MELANOMA))
    (row,), _ = found.mix(["a"], [9], 0.4)
    assert row[9] == pytest.approx(0.6)
    assert row[:3] == pytest.approx([0.4 * 0.7, 0.4 * 0.2, 0.4 * 0.1], abs=1e-6)
