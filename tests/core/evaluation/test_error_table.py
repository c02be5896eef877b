"""The list of errors: its counts are those of the confusion matrix."""

import numpy as np

from melanoma_core.diagnoses import BENIGN, BY_CODE, CODES
from melanoma_core.evaluation import error_table, subgroups
from tests.support.made_evaluations import drawn, made, spread

EVALUATION = drawn(300)
THRESHOLD = 0.3
TABLE = error_table.build(EVALUATION, THRESHOLD)


def test_counts_are_those_of_the_confusion_matrix():
    matrix = subgroups.confusion(EVALUATION)
    counts = error_table.count_confusions(TABLE)
    for row, true in enumerate(CODES):
        for column, likeliest in enumerate(CODES):
            expected = int(matrix[row, column]) if row != column else 0
            assert counts.get((true, likeliest), 0) == expected
    assert TABLE["is_confused"].sum() == matrix.sum() - np.trace(matrix) > 0
    assert list(counts.values()) == sorted(counts.values(), reverse=True)


def test_missed_and_needless_ones_are_those_of_the_threshold():
    is_referred = EVALUATION.melanoma_probability >= THRESHOLD
    missed = (EVALUATION.is_melanoma == 1) & ~is_referred
    assert TABLE["is_missed"].sum() == missed.sum() > 0
    benign = [BY_CODE[code].group == BENIGN for code in EVALUATION.table["diagnosis"]]
    assert TABLE["is_needless"].sum() == (benign & is_referred).sum() > 0
    assert TABLE[list(error_table.KINDS)].any(axis=1).all()
    assert TABLE["image_id"].is_unique


def test_the_most_certain_error_comes_first_and_what_is_right_is_left_out():
    y_prob = [spread("NV", 0.9), spread("MEL", 0.8), spread("NV", 0.6), spread("BCC", 0.7)]
    table = error_table.build(made(["NV", "NV", "MEL", "BCC"], y_prob), 0.5)
    assert list(table["image_id"]) == ["i1", "i2"]
    assert list(table["likeliest"]) == ["MEL", "NV"]
    np.testing.assert_allclose(table["probability"], [0.8, 0.6])
    assert table[list(error_table.KINDS)].to_numpy().tolist() == [
        [True, False, True], [True, True, False],
    ]  # fmt: skip
    assert error_table.count_confusions(table) == {("MEL", "NV"): 1, ("NV", "MEL"): 1}


def test_a_carcinoma_above_the_threshold_for_melanoma_is_not_needless():
    table = error_table.build(made(["BCC"], [spread("MEL", 0.8)]), 0.5)
    assert table[list(error_table.KINDS)].to_numpy().tolist() == [[True, False, False]]


def test_benign_without_a_name_is_an_error_only_above_the_threshold():
    y_prob = [spread("MEL", 0.8), spread("BCC", 0.9)]
    table = error_table.build(made(["BENIGN", "BENIGN"], y_prob), 0.5)
    assert list(table["image_id"]) == ["i0"]
    assert table[list(error_table.KINDS)].to_numpy().tolist() == [[False, False, True]]


def test_without_errors_the_table_is_empty():
    table = error_table.build(made(["NV"], [spread("NV", 0.9)]), 0.5)
    assert table.empty
    assert error_table.count_confusions(table) == {}
