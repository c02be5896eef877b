"""Details of the patient, and whether the model was trained on enough similar lesions."""

import streamlit as st

from melanoma_core.data import coverage
from melanoma_core.data.coverage import NOT_RECORDED, CoverageGap
from melanoma_core.evaluation import formats
from melanoma_core.models.cards import Card
from ui import sessions
from ui.assessments import Patient
from ui.formats import count, counted, literal, small

_ADULT = 18  # years
_NOT_FOR_MINORS = "patients under 18"  # the words of cards.NOT_FOR
_AGE_BANDS = tuple(coverage.age_band(decade) for decade in range(0, 100, 10))
_PALMS_AND_SOLES, _ACRAL = "palms/soles", "acral"  # in the ISIC Archive; in HAM10000
_NOT_FOR_SITES = {_PALMS_AND_SOLES: "palms and soles", "nail": "nails", "mucosa": "mucosa"}
_LABELS = {
    _PALMS_AND_SOLES: "palms and soles",
    "foot": "foot, not the sole",
    "hand": "hand, not the palm",
}
_PLACES = {
    "ear": "an ear",
    "foot": "a foot",
    "genital": "genital skin",
    "hand": "a hand",
    "lower extremity": "a lower extremity",
    "mucosa": "mucosa",
    "nail": "a nail",
    _PALMS_AND_SOLES: "a palm or sole",
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
    """Draw the fields for the patient; `sessions.patient` returns what was entered."""
    with st.expander("About this patient", icon=":material/person:"):
        st.number_input(
            "Age in years", min_value=0, max_value=120, value=None, step=1,
            placeholder="Not recorded", key=sessions.PATIENT_AGE, persist_state="session",
        )  # fmt: skip
        for label, options, key in (
            ("Sex", coverage.SEXES, sessions.PATIENT_SEX),
            ("Site of the lesion", _groups(card, "site"), sessions.PATIENT_SITE),
        ):
            st.selectbox(
                label, options, index=None, format_func=lambda value: _label(value).capitalize(),
                placeholder="Not recorded", key=key, persist_state="session",
            )  # fmt: skip
        st.markdown(
            small(
                "Used only to check whether the model has seen similar patients; it does not "
                "change the result. Cleared with New lesion."
            )
        )


def warning(card: Card, patient: Patient) -> str | None:
    """Why this patient is outside the training data or the intended use, in Markdown, or None."""
    seen = _seen(card)
    facts = coverage.coverage_gaps(seen, patient.age, patient.sex, patient.site)
    parts = []
    if facts:
        parts.append("**Outside what this model has seen.**")
        parts += [_rarely_seen(fact) for fact in facts]
    if patient.age is not None and patient.age < _ADULT and _NOT_FOR_MINORS in card.not_for:
        parts.append(f"**This model is not for {_NOT_FOR_MINORS}.**")
    place = _NOT_FOR_SITES.get(patient.site or "")
    if place and any(place in item for item in card.not_for):
        parts.append(f"**This model is not for {place}.**")
    return " ".join([*parts, "How often it is right there is not known."]) if parts else None


def _seen(card: Card) -> dict[str, dict[str, int]]:
    """The training lesions as on the card, with palms and soles under one name."""
    sites = dict(card.seen["site"])
    num_acral = sites.pop(_ACRAL, 0)
    if num_acral:
        sites[_PALMS_AND_SOLES] = sites.get(_PALMS_AND_SOLES, 0) + num_acral
    return {**card.seen, "site": sites}


def _label(value: str) -> str:
    return _LABELS.get(value, value)


def _rarely_seen(fact: CoverageGap) -> str:
    lesions = f"its {count(fact.num_all)} training lesions"
    verb = "is" if fact.num_lesions <= 1 else "are"
    how_many = f"Only {count(fact.num_lesions)}" if fact.num_lesions else "None"
    return f"{how_many} of {lesions} {verb} from {_origin(fact)}."


def _origin(fact: CoverageGap) -> str:
    if fact.attribute == "age":
        return f"a patient aged {fact.value.replace('+', ' or over')}"
    if fact.attribute == "sex":
        return f"a {fact.value} patient"
    return _PLACES.get(fact.value, f"the {literal(fact.value)}")


def show_seen(card: Card) -> None:
    """Draw the tables of the training lesions by age, sex, site, data set and skin tone."""
    num_lesions = sum(card.seen["skin_tone"].values())
    st.markdown(
        f"The model was trained on {counted(num_lesions, 'lesion')}. Groups with fewer than "
        f"{coverage.MIN_LESIONS} training lesions are treated as unseen; accuracy there is "
        "unknown. "
        f"{formats.uncounted_note(card)}"
    )
    for column, attributes in zip(
        st.columns(3), (("age",), ("site",), ("sex", "source", "skin_tone")), strict=True
    ):
        for attribute in attributes:
            column.markdown(seen_table(card, attribute))


def seen_table(card: Card, attribute: str) -> str:
    """Training lesions by one attribute as a Markdown table, including groups without any.

    Not `st.table`, which would load pandas into a page that does not need it otherwise.
    """
    counts = _seen(card)[attribute]
    rows = [f"| {_HEADINGS[attribute]} | Lesions |", "| :-- | --: |"]
    for group in [*_groups(card, attribute), NOT_RECORDED]:
        number = counts.get(group, 0)
        is_unseen = number < coverage.MIN_LESIONS and group != NOT_RECORDED and attribute in _KNOWN
        cell = f"**{count(number)}**, too few" if is_unseen else count(number)
        rows.append(f"| {literal(_label(group))} | {cell} |")
    return "\n".join(rows)


def _groups(card: Card, attribute: str) -> list[str]:
    """The groups of the standard vocabulary, then others that the training data use.

    Some archives have their own terms: one that says "posterior torso" has no "back".
    """
    groups = list(_KNOWN.get(attribute, ()))
    others = [group for group in _seen(card)[attribute] if group not in (*groups, NOT_RECORDED)]
    return groups + others
