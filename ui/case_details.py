"""The patient of a lesion, and whether the model has seen enough of such patients."""

from collections.abc import Mapping

import streamlit as st

from melanoma_core.data import coverage
from melanoma_core.data.coverage import NOT_RECORDED, CoverageGap
from melanoma_core.evaluation import formats
from melanoma_core.models.cards import Card
from ui import sessions
from ui.assessments import Patient
from ui.formats import count, counted, literal, small

_ADULT = 18  # years
_NOT_FOR_MINORS = "patients under 18"  # as registry.NOT_FOR says it
_AGE_BANDS = tuple(coverage.age_band(decade) for decade in range(0, 100, 10))
_PLACES = {
    "acral": "acral skin",
    "ear": "an ear",
    "foot": "a foot",
    "genital": "genital skin",
    "hand": "a hand",
    "lower extremity": "a lower extremity",
    "mucosa": "mucosa",
    "nail": "a nail",
    "upper extremity": "an upper extremity",
}
_KNOWN = {"age": _AGE_BANDS, "sex": coverage.SEXES, "site": coverage.SITES}
_HEADINGS = {
    "age": "Age in years",
    "sex": "Sex",
    "site": "Site",
    "source": "Data set",
    "skin_tone": "Skin tone",
}


def ask(card: Card) -> None:
    """Draw the fields for the patient; `sessions.patient` has what was entered."""
    with st.expander("About this patient (optional)", icon=":material/person:"):
        st.number_input(
            "Age in years", min_value=0, max_value=120, value=None, step=1,
            placeholder="Not given", key=sessions.PATIENT_AGE, persist_state="session",
        )  # fmt: skip
        for label, options, key in (
            ("Sex", coverage.SEXES, sessions.PATIENT_SEX),
            ("Site of the lesion", _kinds(card, "site"), sessions.PATIENT_SITE),
        ):
            st.selectbox(
                label, options, index=None, format_func=str.capitalize,
                placeholder="Not given", key=key, persist_state="session",
            )  # fmt: skip
        st.markdown(
            small(
                "Only held against what the model has seen; the probabilities do not change. "
                "Forgotten with New lesion."
            )
        )


def warning(card: Card, patient: Patient) -> str | None:
    """What of this patient lies outside what the model has seen or is for; None if nothing does."""
    facts = coverage.coverage_gaps(card.seen, patient.age, patient.sex, patient.site)
    parts = []
    if facts:
        parts.append("**Outside what this model has seen.**")
        parts += [_seldom_seen(fact, card.seen[fact.attribute]) for fact in facts]
    if patient.age is not None and patient.age < _ADULT and _NOT_FOR_MINORS in card.not_for:
        parts.append(f"**This model is not for {_NOT_FOR_MINORS}.**")
    return " ".join([*parts, "How often it is right there is not known."]) if parts else None


def _seldom_seen(fact: CoverageGap, counts: Mapping[str, int]) -> str:
    lesions = f"its {count(fact.num_all)} training lesions"
    verb = "is" if fact.num_lesions <= 1 else "are"
    how_many = f"Only {count(fact.num_lesions)}" if fact.num_lesions else "None"
    text = f"{how_many} of {lesions} {verb} from {_whence(fact)}"
    unknown = counts.get(NOT_RECORDED, 0)
    return f"{text} ({fact.attribute} not recorded in {count(unknown)})." if unknown else f"{text}."


def _whence(fact: CoverageGap) -> str:
    if fact.attribute == "age":
        return f"a patient aged {fact.value.replace('+', ' or over')}"
    if fact.attribute == "sex":
        return f"a {fact.value} patient"
    return _PLACES.get(fact.value, f"the {literal(fact.value)}")


def show_seen(card: Card) -> None:
    """Draw the tables of what the model has and has not seen."""
    num_lesions = sum(card.seen["skin_tone"].values())
    st.markdown(
        f"The model learned from {counted(num_lesions, 'lesion')}. A kind of which it saw "
        f"fewer than {coverage.MIN_LESIONS} counts as not seen: how often it is right there is not "
        "known. "
        f"{formats.uncounted_note(card)}"
    )
    for column, attributes in zip(
        st.columns(3), (("age",), ("site",), ("sex", "source", "skin_tone")), strict=True
    ):
        for attribute in attributes:
            column.markdown(seen_table(card, attribute))


def seen_table(card: Card, attribute: str) -> str:
    """Training lesions by one attribute as a table in Markdown, with the kinds it never saw.

    Not `st.table`, which would load pandas into a page that has no other need of it.
    """
    counts = card.seen[attribute]
    rows = [f"| {_HEADINGS[attribute]} | Lesions |", "| :-- | --: |"]
    for kind in [*_kinds(card, attribute), NOT_RECORDED]:
        number = counts.get(kind, 0)
        is_little = number < coverage.MIN_LESIONS and kind != NOT_RECORDED and attribute in _KNOWN
        shown = f"**{count(number)}**, too few" if is_little else count(number)
        rows.append(f"| {literal(kind)} | {shown} |")
    return "\n".join(rows)


def _kinds(card: Card, attribute: str) -> list[str]:
    """The kinds of a known vocabulary, then those that the training table has beside them.

    Archives have words of their own: to one that says "posterior torso", a back is unknown.
    """
    kinds = list(_KNOWN.get(attribute, ()))
    others = [kind for kind in card.seen[attribute] if kind not in (*kinds, NOT_RECORDED)]
    return kinds + others
