"""The tabs of the Models page, each for one model at one operating point."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from melanoma_core.diagnoses import BY_CODE, CODES
from melanoma_core.evaluation import model_cards
from melanoma_core.evaluation.evaluate import Evaluation
from melanoma_core.evaluation.formats import ENOUGH_LESIONS, cutoff
from melanoma_core.metrics import calibration
from melanoma_core.models.cards import OperatingPoint
from ui import (
    card_tables,
    case_details,
    model_charts,
    model_records,
    subgroup_charts,
    theme,
    training_charts,
)
from ui.formats import NOT_RECORDED, counted, day, literal, percent, small
from ui.model_records import Record
from ui.models import error_atlas, history, tables, threshold_explorer

ATTRIBUTES = {"Source": "source", "Sex": "sex", "Age": "age", "Body site": "site"}


def show_reliability(record: Record, point: OperatingPoint) -> None:
    """Predicted probabilities against observed proportions, before and after calibration."""
    before, after = model_records.before_calibration(record), record.test
    st.markdown(
        f"Of 100 photographs with a probability of {percent(0.3)}, 30 should turn out to be that "
        f"diagnosis; then the points lie on the dashed line. {_how_calibrated(record)}"
    )
    diagrams = {"melanoma": (_melanoma, 10), "the likeliest of seven diagnoses": (_likeliest, 15)}
    for column, (name, (event, num_bins)) in zip(
        st.columns(2, gap="medium"), diagrams.items(), strict=True
    ):
        diagram = model_charts.Diagram(
            name,
            calibration.reliability(*event(before)[1:], num_bins),
            calibration.reliability(*event(after)[1:], num_bins),
            model_records.observed_proportions(record, name, *event(after), num_bins),
        )
        with column, st.container(border=True):
            st.subheader(name.capitalize(), anchor=False)
            st.plotly_chart(
                model_charts.reliability(diagram, theme.current()),
                config=model_charts.CONFIG, key=f"reliability_{num_bins}",
                alt=model_charts.reliability_alt(diagram),
            )  # fmt: skip
            with st.expander("Numbers, after calibration"):
                st.table(tables.bins(diagram), hide_index=True, alt=f"Bins of {name}")
    st.markdown(
        small(
            f"Lines through the points: {_intervals()}. Hollow points: fewer than "
            f"{model_charts.ENOUGH_IN_BIN} photographs."
        )
    )
    st.table(
        tables.calibration(record.card, model_records.calibration_before(record)),
        hide_index=True, alt="ECE and Brier score before and after calibration",
    )  # fmt: skip
    st.markdown(
        small(f"For seven diagnoses, on {_basis(after.named)}; {_intervals()} in brackets.")
    )


def _how_calibrated(record: Record) -> str:
    temperature = f"{record.card.temperature:.2f}"
    if not record.card.class_bias:
        return (
            f"Calibration divides the network’s logits by one temperature, {temperature}, fitted "
            "on validation photographs; the order of the diagnoses does not change."
        )
    return (
        "Calibration adds a bias to the network’s logit of each diagnosis, so that none is "
        f"predicted too often or too rarely, and divides all by one temperature, {temperature}; "
        "both were fitted on validation photographs."
    )


def _melanoma(
    evaluation: Evaluation,
) -> tuple[Evaluation, NDArray[np.bool_], NDArray[np.float64]]:
    return evaluation, evaluation.is_melanoma == 1, evaluation.melanoma_probability


def _likeliest(
    evaluation: Evaluation,
) -> tuple[Evaluation, NDArray[np.bool_], NDArray[np.float64]]:
    """Whether the likeliest of seven is right, and its probability: in 15 bins, the ECE."""
    named = evaluation.named
    prob = named.seven_prob
    # Merged probabilities may sum to 1.0000000000000002.
    return named, prob.argmax(axis=1) == named.seven_true, np.minimum(prob.max(axis=1), 1.0)


def show_diagnoses(record: Record, point: OperatingPoint) -> None:
    """The confusion matrix, and each diagnosis against the rest."""
    counts = model_records.confusion(record)
    st.markdown(
        "Rows: true diagnosis, with its number of photographs. Columns: likeliest diagnosis. The "
        "darker a cell, the larger its proportion of the row; an empty cell is 0."
    )
    st.plotly_chart(
        subgroup_charts.confusion(counts, CODES, theme.current()),
        config=model_charts.CONFIG, key="confusion",
        alt=subgroup_charts.confusion_alt(counts, CODES),
    )  # fmt: skip
    st.markdown(small(f"{', '.join(f'{code}: {BY_CODE[code].name.lower()}' for code in CODES)}."))
    st.table(
        tables.diagnoses(model_records.by_diagnosis(record)),
        hide_index=True, alt="Figures of each diagnosis",
    )  # fmt: skip
    st.markdown(
        small(
            f"On {_basis(record.test.named)}; {_intervals()} in brackets. The likeliest diagnosis "
            "is not the verdict: the referral threshold also finds melanomas that are not the "
            "likeliest. Archives label the two keratoses differently, so use the figure for both "
            "together."
        )
    )


def show_groups(record: Record, point: OperatingPoint) -> None:
    """Sensitivity and specificity of the threshold by source, sex, age and site."""
    name = st.segmented_control(
        "Group the test photographs by", list(ATTRIBUTES), default="Source", required=True,
        key="grouped_by",
    )  # fmt: skip
    attribute = ATTRIBUTES[name]
    figures = model_records.by_attribute(record, attribute, point.threshold)
    measures = {
        f"{measure} at {cutoff(point.threshold)}": {
            group: estimates[measure.lower()] for group, estimates in figures.items()
        }
        for measure in ("Sensitivity", "Specificity")
    }
    overall = dict(zip(measures, (point.sensitivity.value, point.specificity.value), strict=True))
    st.plotly_chart(
        subgroup_charts.groups(measures, overall, ENOUGH_LESIONS, theme.current()),
        config=model_charts.CONFIG, key="groups",
        alt=subgroup_charts.groups_alt(name.lower(), measures, ENOUGH_LESIONS),
    )  # fmt: skip
    st.markdown(
        small(
            f"Lines through the points: {_intervals()}. Dotted line: all test photographs. Groups "
            f"with fewer than {ENOUGH_LESIONS} lesions are not shown."
        )
    )
    st.table(
        tables.groups(name, figures, ENOUGH_LESIONS), hide_index=True,
        alt=f"Figures by {name.lower()}",
    )  # fmt: skip
    st.markdown(
        f"**Skin tone: {NOT_RECORDED}** in the test photographs. How often the model is right on "
        "darker or lighter skin is not known."
    )


def show_training(record: Record, point: OperatingPoint) -> None:
    """The training curves and the settings of the run that made the model."""
    card = record.card
    lines = _lines(card.history, theme.current().ink)
    if lines:
        minutes = round(sum(epoch.get("seconds") or 0 for epoch in card.history) / 60)
        time = counted(minutes, "minute") if minutes else "less than a minute"
        st.markdown(f"{counted(len(card.history), 'epoch')} in {time}.")
        for column, (title, curves) in zip(
            st.columns(2, gap="medium"), lines.items(), strict=False
        ):
            with column, st.container(border=True):
                st.subheader(title, anchor=False)
                st.plotly_chart(
                    training_charts.curves(curves, theme.current()),
                    config=model_charts.CONFIG, key=f"curves_{title}",
                    alt=training_charts.curves_alt(title, curves),
                )  # fmt: skip
    else:
        st.markdown(
            model_cards.untrained_note(card)
            or "The curves of the run that made this model are **not recorded** on its card."
        )
    st.subheader("Settings", anchor=False)
    if card.config:
        st.table(card_tables.settings(card), hide_index=True, alt="Settings of the run")
    else:
        st.markdown(f"{NOT_RECORDED.capitalize()}.")


def _lines(history: tuple[dict[str, Any], ...], ink: str) -> dict[str, list[training_charts.Line]]:
    """The measures that the run recorded, by chart."""
    charts = {
        "Loss": (("training", "loss", ink), ("validation", "val_loss", model_charts.LINE_COLOR)),
        "AUROC on validation": (
            ("mean", "val_macro_auroc", ink),
            ("melanoma", "val_melanoma_auroc", model_charts.MELANOMA_COLOR),
        ),
    }
    lines: dict[str, list[training_charts.Line]] = {}
    for title, measures in charts.items():
        for name, key, color in measures:
            values = [math.nan if e.get(key) is None else float(e[key]) for e in history]
            if any(math.isfinite(value) for value in values):
                lines.setdefault(title, []).append(training_charts.Line(name, values, color))
    return lines


def show_card(record: Record, point: OperatingPoint) -> None:
    """The rest of the card, and the card as a file."""
    card = record.card
    with st.container(horizontal=True):
        st.download_button(
            "Download the card (JSON)", record.card_json, f"{card.model_id}.json",
            "application/json", icon=":material/download:", on_click="ignore",
        )  # fmt: skip
        st.download_button(
            "Download as a document (Markdown)",
            lambda: model_records.document(record),  # takes seconds, so only on request
            f"{card.model_id}.md", "text/markdown",
            icon=":material/description:", on_click="ignore",
        )  # fmt: skip
    st.markdown(
        f"Model {literal(card.model_id)}, made on {day(card.created)} in run "
        f"{literal(card.run_id)}: {literal(card.network)}, {card.image_size} × {card.image_size} "
        f"px. {literal(card.intended_use)}"
    )
    history.show_forced_promotions(card.model_id)
    st.markdown("Not for:\n" + "\n".join(f"- {literal(item)}" for item in card.not_for))
    for heading, table in (
        ("Data sets and their licenses", card_tables.data_sets(card)),
        ("Photographs of each diagnosis", card_tables.class_counts(card)),
        ("Referral thresholds", card_tables.operating_points(card)),
        ("Figures on the test photographs", card_tables.figures(card)),
        ("The differential", card_tables.differential(card)),
    ):
        st.subheader(heading, anchor=False)
        st.table(table, hide_index=True, alt=heading)
    st.subheader("What the model has seen", anchor=False)
    case_details.show_seen(card)
    if card.notes:
        with st.expander("How the labels were combined"):
            st.markdown("\n".join(f"- {literal(note)}" for note in card.notes))
    st.subheader("Versions and checksums", anchor=False)
    versions = ", ".join(f"{literal(name)} {literal(v)}" for name, v in card.versions.items())
    st.markdown(f"Made with {versions or 'versions that were not recorded'}.")
    st.code(card_tables.checksums(card, record.sha256), language=None)
    st.markdown(small(f"SHA-256 of the split of the photographs: {card.split_sha256}"))


def _basis(evaluation: Evaluation) -> str:
    photographs = counted(len(evaluation), "test photograph")
    return f"{photographs} of {counted(evaluation.num_lesions(), 'lesion')}"


def _intervals() -> str:
    return f"{percent(0.95)} intervals"


TABS: dict[str, Callable[[Record, OperatingPoint], None]] = {
    "Operating point": threshold_explorer.show,
    "Reliability": show_reliability,
    "Diagnoses": show_diagnoses,
    "By group": show_groups,
    "Errors": error_atlas.show,
    "Training": show_training,
    "Card": show_card,
    "History": history.show,
}
