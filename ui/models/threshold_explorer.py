"""The operating-point explorer: what another threshold would find, miss and refer for nothing."""

import streamlit as st

from melanoma_core.evaluation.formats import cutoff
from melanoma_core.models.cards import Card, OperatingPoint
from ui import clinical_impact_panel, model_charts, model_records, theme
from ui.card_tables import headline
from ui.formats import percent, small
from ui.model_charts import Mark
from ui.model_records import Record
from ui.models import views

# In thousandths: thresholds of a network lie near 5 %, where a step of 1 % is a large one.
_STEPS = (*range(1, 10), *range(10, 100, 2), *range(100, 300, 10), *range(300, 1000, 50))


@st.fragment  # or every step of the slider would draw the whole page again
def show(record: Record, point: OperatingPoint) -> None:
    """The ROC curve with the thresholds on the card, and one to move; the clinic goes along."""
    threshold = _ask_threshold(record, point)
    sensitivity, specificity = model_records.at_threshold(record, threshold)
    marks = _marks(record.card)
    left, right = st.columns([13, 10], gap="medium")
    left.plotly_chart(
        model_charts.roc(
            model_records.roc(record), marks, (sensitivity, specificity), theme.current()
        ),
        config=model_charts.CONFIG, key="roc",
        alt=model_charts.roc_alt(marks, (sensitivity, specificity)),
    )  # fmt: skip
    with right:
        for name, figure in (("Sensitivity", sensitivity), ("Specificity", specificity)):
            with st.container(border=True, gap=None):
                views.show_headline(headline(f"{name} at {cutoff(threshold)}", figure))
        st.markdown(
            small(
                "Diamonds: the thresholds on the card. Circle: the one you look at, with its "
                f"{percent(0.95)} intervals."
            )
        )
    clinical_impact_panel.show(sensitivity, specificity, key="explorer")


def _ask_threshold(record: Record, point: OperatingPoint) -> float:
    """The threshold to look at; it starts at the one that the page goes by."""
    key = f"explored_{record.sha256[:8]}_{point.target}"
    st.session_state.setdefault(key, point.threshold)
    threshold: float = st.select_slider(
        "Melanoma probability from which a lesion is referred", steps(record.card),
        format_func=cutoff, key=key,
    )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="center"):
        for shipped in sorted(record.card.operating_points, key=lambda p: -p.target):
            st.button(
                f"Set for {percent(shipped.target)}", key=f"set_for_{shipped.target}",
                on_click=_set, args=(key, shipped.threshold),
            )  # fmt: skip
    st.markdown(
        small(
            "Looking changes nothing in use: every page keeps the thresholds on the card. Those "
            "were chosen on validation photographs; one chosen here, on the test photographs "
            "themselves, would look better than it is."
        )
    )
    return threshold


def _marks(card: Card) -> list[Mark]:
    """The thresholds on the card; those that do the same have one mark between them."""
    names: dict[tuple[float, float], list[str]] = {}
    for point in card.operating_points:
        place = point.sensitivity.value, point.specificity.value
        names.setdefault(place, []).append(percent(point.target))
    return [Mark(f"for {' and '.join(of)}", *place) for place, of in names.items()]


def steps(card: Card) -> list[float]:
    """The thresholds to look at: those on the card and round ones that do not read like them."""
    shipped = {point.threshold for point in card.operating_points}
    labels = {cutoff(threshold) for threshold in shipped}
    rounded = {step / 1000 for step in _STEPS if cutoff(step / 1000) not in labels}
    return sorted(rounded | shipped)


def _set(key: str, threshold: float) -> None:
    st.session_state[key] = threshold
