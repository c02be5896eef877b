"""The threshold explorer: what another threshold would find, miss and refer needlessly."""

import streamlit as st

from melanoma_core.evaluation.formats import cutoff
from melanoma_core.models.cards import Card, OperatingPoint
from ui import clinical_impact_panel, model_charts, model_records, theme
from ui.card_tables import headline
from ui.formats import percent, small
from ui.model_charts import Mark
from ui.model_records import Record
from ui.models import views

# In thousandths: useful thresholds are near 5 %, where a step of 1 % is large.
_STEPS = (*range(1, 10), *range(10, 100, 2), *range(100, 300, 10), *range(300, 1000, 50))


@st.fragment  # otherwise every step of the slider would redraw the whole page
def show(record: Record, point: OperatingPoint) -> None:
    """The ROC curve, a threshold to choose, and the clinic panel for that threshold."""
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
        for name, estimate in (("Sensitivity", sensitivity), ("Specificity", specificity)):
            with st.container(border=True, gap=None):
                views.show_headline(headline(f"{name} at {cutoff(threshold)}", estimate))
        st.markdown(
            small(
                "Diamonds: the thresholds on the card. Circle: the selected threshold, with "
                f"{percent(0.95)} intervals."
            )
        )
    clinical_impact_panel.show(sensitivity, specificity, key="explorer")


def _ask_threshold(record: Record, point: OperatingPoint) -> float:
    """The threshold to explore, at first that of the page."""
    key = f"explored_{record.sha256[:8]}_{point.target}"
    st.session_state.setdefault(key, point.threshold)
    threshold: float = st.select_slider(
        "Refer lesions from this melanoma probability", steps(record.card),
        format_func=cutoff, key=key, persist_state="session",
    )  # fmt: skip
    st.button(
        f"Back to {cutoff(point.threshold)}, the threshold of this page", key="explorer_back",
        disabled=threshold == point.threshold, on_click=_set, args=(key, point.threshold),
    )  # fmt: skip
    st.markdown(
        small(
            "This changes nothing in use: every page keeps the thresholds on the card, which were "
            "chosen on validation photographs. A threshold chosen here, on the test photographs, "
            "would look better than it is."
        )
    )
    return threshold


def _marks(card: Card) -> list[Mark]:
    """The thresholds on the card; those with the same results share a mark."""
    targets: dict[tuple[float, float], list[str]] = {}
    for point in card.operating_points:
        position = point.sensitivity.value, point.specificity.value
        targets.setdefault(position, []).append(percent(point.target))
    return [Mark(f"for {' and '.join(names)}", *position) for position, names in targets.items()]


def steps(card: Card) -> list[float]:
    """The card's thresholds, and round ones whose labels differ from theirs."""
    card_thresholds = {point.threshold for point in card.operating_points}
    labels = {cutoff(threshold) for threshold in card_thresholds}
    round_thresholds = {step / 1000 for step in _STEPS if cutoff(step / 1000) not in labels}
    return sorted(round_thresholds | card_thresholds)


def _set(key: str, threshold: float) -> None:
    st.session_state[key] = threshold
