"""What more training data would buy: results by number of training lesions."""

import math

import numpy as np
import streamlit as st

from melanoma_core import paths
from melanoma_core.diagnoses import BY_CODE, SEVEN_CLASSES
from melanoma_core.evaluation import experiment_records
from melanoma_core.evaluation.experiment_records import AUROC_OF, LearningCurve
from melanoma_core.evaluation.formats import PROPORTIONS, SCORES
from melanoma_core.metrics.estimates import Estimate
from ui import errors, model_charts, theme
from ui.charts import BELOW_COLOR
from ui.formats import count, counted, percent, percent_estimate, score_estimate
from ui.lessons import views
from ui.plots import Chart, Spec
from ui.theme import Ground
from ui.training_charts import spread_labels

_ALL = "AUROC of every diagnosis against the rest"
_MERGED_NAMES = {"BKL": "Both keratoses", "AKIEC": "Actinic keratosis, SCC"}
_NAMES = {
    code: _MERGED_NAMES[code] if code in _MERGED_NAMES else BY_CODE[code].name
    for code in SEVEN_CLASSES
}
_COLORS = {code: theme.DIAGNOSIS_COLORS["SK" if code == "BKL" else nine[0]]
           for code, nine in SEVEN_CLASSES.items()}  # fmt: skip
# The name in the record and the color of the line, by the name on screen.
_CHOICES = {
    "AUROC, melanoma": ("melanoma_auroc", _COLORS["MEL"]),
    **{SCORES["macro_auroc"]: ("macro_auroc", BELOW_COLOR)},
    **{PROPORTIONS[name]: (name, BELOW_COLOR) for name in ("balanced_accuracy", "accuracy")},
    **{
        f"AUROC, {_NAMES[code][0].lower()}{_NAMES[code][1:]}": (name, _COLORS[code])
        for code, name in AUROC_OF.items()
        if code != "MEL"
    },
}
_HEIGHT = 320  # px
_CLOSEST_TICKS = 0.2  # of the axis; numbers closer than this would overlap on a phone
_LETTER = 7  # px, the approximate width of a letter


def show() -> None:
    """The question, the chart, the answer, and how it was measured."""
    st.header("What would more training data buy?", anchor=False)
    curve = None
    with errors.shown():
        curve = experiment_records.learning_curve(paths.records_dir())
        if curve is None:
            views.show_absent(experiment_records.LEARNING_CURVE)
    if curve is None:
        return
    choice = st.selectbox(
        "Measure", [_ALL, *_CHOICES], key="learning_figure", width=330, persist_state="page"
    )
    ground = theme.current()
    if choice == _ALL:
        drawn, alt = by_class(curve, ground), by_class_alt(curve)
    else:
        name, color = _CHOICES[choice]
        drawn, alt = one(curve, name, color, ground), one_alt(curve, name, choice)
    st.plotly_chart(drawn, config=model_charts.CONFIG, key="learning", alt=alt)
    st.markdown(answer(curve))
    _show_how(curve)


def answer(curve: LearningCurve) -> str:
    """The gain from the smallest subset to all lesions, and in the last step."""
    first, before, last = curve.points[0], curve.points[-2], curve.points[-1]
    melanoma = [point.figures["melanoma_auroc"] for point in (first, before, last)]
    gains = {
        code: last.figures[name].value - before.figures[name].value
        for code, name in AUROC_OF.items()
    }
    most = max(gains, key=lambda code: gains[code])
    step = melanoma[2].value - melanoma[1].value
    is_small = abs(step) < (melanoma[2].high - melanoma[2].low) / 2
    return (
        f"From {count(first.num_lesions)} to {counted(last.num_lesions, 'training lesion')}, the "
        f"AUROC for melanoma goes from {score_estimate(melanoma[0])} to "
        f"{score_estimate(melanoma[2])}; the last step, from {percent(before.fraction)} of them "
        f"to all, adds {step:+.3f}"
        f"{', less than half the width of its interval' if is_small else ''}. That step adds most "
        f"for {_NAMES[most][0].lower()}{_NAMES[most][1:]} ({gains[most]:+.3f}), with "
        f"{counted(last.class_lesions[most], 'training lesion')}."
    )


def one(curve: LearningCurve, name: str, color: str, ground: Ground) -> Chart:
    """One measure by number of training lesions, with a band of its intervals."""
    lesions = [point.num_lesions for point in curve.points]
    estimates = [point.figures[name] for point in curve.points]
    lows = [estimate.low for estimate in estimates]
    highs = [estimate.high for estimate in estimates]
    data: list[Spec] = [
        {
            "type": "scatter", "x": lesions + lesions[::-1], "y": highs + lows[::-1],
            "fill": "toself", "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip",
            "fillcolor": color, "opacity": 0.2,
        },
        {
            "type": "scatter", "x": lesions, "y": [estimate.value for estimate in estimates],
            "mode": "lines+markers", "line": {"color": color, "width": 2.5}, "marker": {"size": 8},
            "customdata": [_format(name, estimate) for estimate in estimates],
            "hovertemplate": "%{x:,} lesions: %{customdata}<extra></extra>",
        },
    ]  # fmt: skip
    notes = [
        {
            "x": math.log10(lesions[index]), "y": estimates[index].value, "yshift": 15,
            "showarrow": False, "text": _format(name, estimates[index]).split(" (")[0],
            "font": {"color": ground.ink, "size": 13},
        }
        for index in (0, -1)
    ]  # fmt: skip
    space = 0.15 * (max(highs) - min(lows))
    axis = model_charts.plain_axis(ground) | {
        "range": [min(lows) - space, max(highs) + space],
        "nticks": 6,
    }
    if name in PROPORTIONS:
        axis["tickformat"] = ".0%"
    return Chart(data, _layout(curve, ground, 40) | {"yaxis": axis, "annotations": notes})


def one_alt(curve: LearningCurve, name: str, title: str) -> str:
    """The points of a measure in words."""
    parts = [
        f"{counted(point.num_lesions, 'lesion')} {_format(name, point.figures[name])}"
        for point in curve.points
    ]
    return f"{title} by training lesions: {'; '.join(parts)}."


def by_class(curve: LearningCurve, ground: Ground) -> Chart:
    """AUROC of the seven classes by number of training lesions, each line named at its end."""
    lesions = [point.num_lesions for point in curve.points]
    values = {
        code: [point.figures[name].value for point in curve.points]
        for code, name in AUROC_OF.items()
    }
    low = min(map(min, values.values())) - 0.01
    high = max(map(max, values.values())) + 0.01
    room = _HEIGHT - 66  # px of the plot itself, about
    positions = spread_labels(
        [(of_class[-1] - low) / (high - low) * room for of_class in values.values()]
    )
    data: list[Spec] = []
    notes: list[Spec] = []
    for (code, of_class), position in zip(values.items(), positions, strict=True):
        data.append(
            {
                "type": "scatter", "x": lesions, "y": of_class, "mode": "lines+markers",
                "marker": {"size": 6}, "line": {"color": _COLORS[code], "width": 2.5},
                "hovertemplate": f"{_NAMES[code]}, %{{x:,}} lesions: %{{y:.3f}}<extra></extra>",
            }
        )  # fmt: skip
        notes.append(
            {
                "x": 1, "xref": "paper", "xanchor": "left", "xshift": 8, "yanchor": "middle",
                "showarrow": False, "y": low + position / room * (high - low),
                "font": {"color": ground.ink, "size": 13},
                "text": f'<span style="color:{_COLORS[code]}">■</span> {_NAMES[code]}',
            }
        )  # fmt: skip
    longest = max(map(len, _NAMES.values()))
    axis = model_charts.plain_axis(ground) | {"range": [low, high], "nticks": 6}
    layout = _layout(curve, ground, 24 + _LETTER * longest)
    return Chart(data, layout | {"yaxis": axis, "annotations": notes})


def by_class_alt(curve: LearningCurve) -> str:
    """The first and last point of each class, in words."""
    first, last = curve.points[0], curve.points[-1]
    parts = [
        f"{_NAMES[code]} from {score_estimate(first.figures[name])} to "
        f"{score_estimate(last.figures[name])}"
        for code, name in AUROC_OF.items()
    ]
    return (
        f"AUROC by diagnosis, from {count(first.num_lesions)} to "
        f"{counted(last.num_lesions, 'training lesion')}: {'; '.join(parts)}."
    )


def _format(name: str, estimate: Estimate) -> str:
    return percent_estimate(estimate) if name in PROPORTIONS else score_estimate(estimate)


def _layout(curve: LearningCurve, ground: Ground, right: int) -> Spec:
    """The layout with the axis of lesions and a right margin of `right` px for labels."""
    bare = model_charts.bare(_HEIGHT)
    positions = [math.log10(point.num_lesions) for point in curve.points]
    closest = _CLOSEST_TICKS * (positions[-1] - positions[0])
    spaces = [*np.diff(positions), math.inf]
    lesions = {
        "type": "log", "tickvals": [point.num_lesions for point in curve.points],
        "ticktext": [
            f"{count(point.num_lesions)}<br>{percent(point.fraction)}" if space >= closest else ""
            for point, space in zip(curve.points, spaces, strict=True)
        ],
        "tickangle": 0, "title": model_charts.axis_title("Training lesions (% of all)", ground),
    }  # fmt: skip
    return bare | {
        "margin": bare["margin"] | {"r": right},
        "xaxis": model_charts.plain_axis(ground) | lesions,
    }


def _show_how(curve: LearningCurve) -> None:
    first = curve.points[0]
    sentences = (
        "A fixed ImageNet network with a trained head: MobileNetV2 at "
        f"{curve.image_size} × {curve.image_size} px, whose own weights were never trained on "
        "lesions and do not change, and a multinomial logistic regression on its embedding. A "
        "network trained as a whole performs better and may gain more from data.",
        f"Each subset is drawn {counted(first.num_draws, 'time')} by lesion and diagnosis "
        "(seeds from 0), with its penalty chosen on validation; all are tested on "
        f"{counted(curve.num_test, 'test photograph')} of "
        f"{counted(curve.num_test_lesions, 'lesion')}, {count(curve.num_test_melanomas)} of them "
        f"melanomas. {percent(0.95)} intervals are over draws and test lesions. There are seven "
        "classes: the two keratoses count as one, as do actinic keratosis and squamous cell "
        "carcinoma.",
    )
    views.show_how(curve.command, curve.machine, sentences, "learning")
    with st.expander("Every figure with its interval", icon=":material/table:"):
        st.table(_table(curve), hide_index=True, alt="Results by training lesions")
        views.offer_table("learning-curve.csv", *figure_rows(curve), "learning")


def _table(curve: LearningCurve) -> dict[str, list[str]]:
    table = {"Measure": ["Training lesions", "of which melanomas", *_CHOICES]}
    for point in curve.points:
        table[percent(point.fraction)] = [
            count(point.num_lesions),
            count(point.class_lesions["MEL"]),
            *(_format(name, point.figures[name]) for name, _ in _CHOICES.values()),
        ]
    return table


def figure_rows(curve: LearningCurve) -> tuple[list[str], list[list[object]]]:
    """Every figure at every number of lesions, as the header and rows of a table."""
    rows: list[list[object]] = [
        [point.fraction, point.num_lesions, point.num_draws, name, e.value, e.low, e.high]
        for point in curve.points
        for name, e in point.figures.items()
    ]
    return ["fraction", "training_lesions", "draws", "figure", "value", "low", "high"], rows
