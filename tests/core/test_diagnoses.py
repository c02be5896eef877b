"""The table of diagnoses: order, groups and names."""

import pytest

from melanoma_core import diagnoses
from melanoma_core.diagnoses import CODES, DIAGNOSES, GROUPS, SEVEN_CLASSES
from melanoma_core.errors import DatasetError


def test_the_order_is_that_of_the_networks_outputs():
    assert CODES == ("MEL", "NV", "BCC", "AK", "SCC", "PBK", "SK", "DF", "VASC")


def test_malignant_and_pre_malignant_diagnoses():
    assert {d.group for d in DIAGNOSES} == set(GROUPS)
    assert diagnoses.MALIGNANT_CODES == ("MEL", "BCC", "SCC")
    assert [d.code for d in DIAGNOSES if d.group == diagnoses.PRE_MALIGNANT] == ["AK"]


def test_the_seven_classes_contain_each_of_the_nine_once():
    assert sorted(code for nine in SEVEN_CLASSES.values() for code in nine) == sorted(CODES)


def test_every_name_code_and_alias_is_understood():
    for diagnosis in DIAGNOSES:
        for name in (diagnosis.name, diagnosis.code, *diagnosis.aliases):
            assert diagnoses.parse(name) == diagnosis.code


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Seborrheic_Keratosis", "SK"),
        ("  basal-cell carcinoma ", "BCC"),
        ("Bowen's disease", "SCC"),
        ("MELANOMA", "MEL"),
    ],
)
def test_case_and_punctuation_are_ignored(name, code):
    assert diagnoses.parse(name) == code


@pytest.mark.parametrize("name", ["", "wart", "melanom", "nevus melanoma", "BKL"])
def test_an_unknown_name_is_refused_with_the_known_ones(name):
    with pytest.raises(DatasetError, match=rf"“{name}” is not a diagnosis.*Melanoma \(MEL\)"):
        diagnoses.parse(name)


def test_no_alias_belongs_to_two_diagnoses():
    aliases = [alias for diagnosis in DIAGNOSES for alias in diagnosis.aliases]
    assert len(aliases) == len(set(aliases))


def test_benign_without_a_name_may_be_any_benign_diagnosis_and_no_other():
    assert diagnoses.LABELS[:9] == CODES
    assert diagnoses.LABELS[9:] == ("BENIGN",)
    possible = dict(zip(diagnoses.LABELS, diagnoses.IS_POSSIBLE, strict=True))
    assert possible["NV"] == tuple(code == "NV" for code in CODES)
    is_benign = [diagnosis.group == diagnoses.BENIGN for diagnosis in DIAGNOSES]
    assert possible["BENIGN"] == tuple(is_benign)


@pytest.mark.parametrize(
    ("labels", "common"),
    [
        (["MEL"], "MEL"),
        (["BENIGN"], "BENIGN"),
        (["SK", "BENIGN", "SK"], "SK"),
        (["BENIGN", "MEL"], None),
        (["BENIGN", "AK"], None),
        (["SK", "NV", "BENIGN"], None),
    ],
)
def test_the_most_precise_label_holds_unless_labels_contradict(labels, common):
    assert diagnoses.common_label(labels) == common
