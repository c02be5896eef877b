"""The patient of a lesion against what the model has seen, and the tables of what it has."""

import pytest

from melanoma_core.data import coverage
from melanoma_core.models import cards
from tests.support.stub_models import card
from ui.assessments import Patient
from ui.case_details import seen_table, warning

NOT_KNOWN = "How often it is right there is not known."
OUTSIDE = "**Outside what this model has seen.**"


def rows(table):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.split("\n")]


def test_nothing_is_said_of_a_patient_of_whom_nothing_is_said():
    assert warning(card(), Patient()) is None


def test_nothing_is_said_where_twenty_lesions_or_more_were_seen():
    seen = {**card().seen, "site": {"back": 20, "foot": 19}}
    made = card(seen=seen)
    assert warning(made, Patient(45, "female", "back")) is None
    assert warning(made, Patient(site="foot")) == (
        f"{OUTSIDE} Only 19 of its 39 training lesions are from a foot. {NOT_KNOWN}"
    )


def test_one_lesion_is_one_lesion():
    made = card(seen={**card().seen, "site": {"back": 20, "ear": 1}})
    assert "Only 1 of its 21 training lesions is from an ear." in warning(made, Patient(site="ear"))


def test_each_fact_outside_has_its_sentence_and_says_what_was_not_recorded():
    assert warning(card(), Patient(93, "male", "nail")) == (
        f"{OUTSIDE} Only 4 of its 3,106 training lesions are from a patient aged 90 or over (age "
        "not recorded in 90). None of its 3,106 training lesions is from a nail (site not recorded "
        f"in 1,827). {NOT_KNOWN}"
    )


def test_a_sex_that_was_not_seen_is_outside():
    made = card(seen={**card().seen, "sex": {"female": 50}})
    assert "None of its 50 training lesions is from a male patient." in warning(
        made, Patient(sex="male")
    )


@pytest.mark.parametrize("site", coverage.SITES)
def test_every_site_has_its_words(site):
    made = card(seen={**card().seen, "site": {"elsewhere": 40}})
    said = warning(made, Patient(site=site))
    assert site in said
    assert "training lesions is from " in said


def test_who_the_model_is_not_for_is_outside_however_many_were_seen():
    assert "patients under 18" in cards.NOT_FOR
    made = card(seen={**card().seen, "age": {"10–19": 500}})
    said = f"**This model is not for patients under 18.** {NOT_KNOWN}"
    assert warning(made, Patient(17)) == said
    assert warning(made, Patient(18)) is None
    for_all = card(seen=made.seen, not_for=("nails",))
    assert warning(for_all, Patient(17)) is None


def test_the_tables_hold_the_kinds_that_were_never_seen_and_what_was_not_recorded():
    ages = rows(seen_table(card(), "age"))
    assert ages[0] == ["Age in years", "Lesions"]
    assert [age for age, _ in ages[2:]] == [
        "0–9", "10–19", "20–29", "30–39", "40–49", "50–59", "60–69", "70–79", "80–89", "90+",
        "not recorded",
    ]  # fmt: skip
    by_age = dict(ages)
    assert by_age["0–9"] == "**12**, too few"
    assert by_age["10–19"] == "**0**, too few"
    assert by_age["40–49"] == "2,100"
    assert by_age["not recorded"] == "90"
    sites = dict(rows(seen_table(card(), "site")))
    assert sites["nail"] == "**0**, too few"
    assert sites["genital"] == "**19**, too few"
    assert sites["not recorded"] == "1,827"
    assert set(coverage.SITES) <= set(sites)


def test_a_kind_of_no_known_vocabulary_has_a_row_of_its_own_as_it_is_written():
    made = card(seen={**card().seen, "site": {"back": 40, "left|knee": 25}})
    assert "| left\\|knee | 25 |" in seen_table(made, "site")
    assert "| my\\*set\\* | 40 |" in seen_table(made, "source")


def test_what_is_wholly_not_recorded_is_said_to_be():
    assert rows(seen_table(card(), "skin_tone"))[2:] == [["not recorded", "3,106"]]
