"""Warnings about patients unlike the training data, and the tables of the training data."""

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


def test_no_warning_about_a_patient_without_details():
    assert warning(card(), Patient()) is None


def test_no_warning_with_twenty_training_lesions_or_more():
    seen = {**card().seen, "site": {"back": 20, "foot": 19}}
    model_card = card(seen=seen)
    assert warning(model_card, Patient(45, "female", "back")) is None
    assert warning(model_card, Patient(site="foot")) == (
        f"{OUTSIDE} Only 19 of its 39 training lesions are from a foot. {NOT_KNOWN}"
    )


def test_a_single_lesion_is_in_the_singular():
    model_card = card(seen={**card().seen, "site": {"back": 20, "ear": 1}})
    assert "Only 1 of its 21 training lesions is from an ear." in warning(
        model_card, Patient(site="ear")
    )


def test_each_fact_outside_has_a_sentence():
    assert warning(card(), Patient(93, "male", "nail")) == (
        f"{OUTSIDE} Only 4 of its 3,106 training lesions are from a patient aged 90 or over. "
        f"None of its 3,106 training lesions is from a nail. **This model is not for nails.** "
        f"{NOT_KNOWN}"
    )


def test_a_sex_without_training_lesions_is_outside():
    model_card = card(seen={**card().seen, "sex": {"female": 50}})
    assert "None of its 50 training lesions is from a male patient." in warning(
        model_card, Patient(sex="male")
    )


@pytest.mark.parametrize("site", coverage.SITES)
def test_every_site_has_its_own_sentence(site):
    model_card = card(seen={**card().seen, "site": {"elsewhere": 40}})
    sentence = warning(model_card, Patient(site=site))
    assert (site if site != "palms/soles" else "a palm or sole") in sentence
    assert "training lesions is from " in sentence


def test_minors_get_a_warning_however_many_training_lesions_there_are():
    assert "patients under 18" in cards.NOT_FOR
    model_card = card(seen={**card().seen, "age": {"10–19": 500}})
    expected = f"**This model is not for patients under 18.** {NOT_KNOWN}"
    assert warning(model_card, Patient(17)) == expected
    assert warning(model_card, Patient(18)) is None
    for_all = card(seen=model_card.seen, not_for=("nails",))
    assert warning(for_all, Patient(17)) is None


@pytest.mark.parametrize("name", ["acral", "palms/soles"])
def test_palms_and_soles_are_one_site_and_not_for_this_model(name):
    """HAM10000 and the ISIC Archive have a name each."""
    model_card = card(seen={**card().seen, "site": {"back": 40, "foot": 150, name: 25}})
    sites = dict(rows(seen_table(model_card, "site")))
    assert (sites["palms and soles"], sites["foot, not the sole"]) == ("25", "150")
    assert not {"acral", "palms/soles"} & set(sites)
    patient = Patient(site="palms/soles")
    assert warning(model_card, patient) == f"**This model is not for palms and soles.** {NOT_KNOWN}"
    few = card(seen={**card().seen, "site": {"back": 40, name: 2}})
    assert "Only 2 of its 42 training lesions are from a palm or sole." in warning(few, patient)
    assert warning(card(seen=model_card.seen, not_for=("several lesions",)), patient) is None


def test_the_tables_include_unseen_groups_and_what_was_not_recorded():
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
    labels = {"palms/soles": "palms and soles"} | {
        site: f"{site}, not the {part}" for site, part in (("foot", "sole"), ("hand", "palm"))
    }
    assert {labels.get(site, site) for site in coverage.SITES} <= set(sites)


def test_a_group_outside_the_vocabulary_has_its_own_literal_row():
    model_card = card(seen={**card().seen, "site": {"back": 40, "left|knee": 25}})
    assert "| left\\|knee | 25 |" in seen_table(model_card, "site")
    assert "| my\\*set\\* | 40 |" in seen_table(model_card, "source")


def test_an_attribute_never_recorded_is_shown_as_not_recorded():
    assert rows(seen_table(card(), "skin_tone"))[2:] == [["not recorded", "3,106"]]
