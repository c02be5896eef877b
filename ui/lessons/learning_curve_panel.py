"""What more training data would buy: figures against the lesions that a network was taught."""

import math

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
from ui.training_charts import parted

_EVERY = "AUROC of every diagnosis against the rest"
_SUMS = {"BKL": "Both keratoses", "AKIEC": "Actinic keratosis, SCC"}
_NAMES = {code: _SUMS[code] if code in _SUMS else BY_CODE[code].name for code in SEVEN_CLASSES}
_COLORS = {code: BY_CODE["SK" if code == "BKL" else nine[0]].color
           for code, nine in SEVEN_CLASSES.items()}  # fmt: skip
# What a name on screen is in the record, with the color of its line.
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
_LETTER = 7  # px of a letter, about


def show() -> None:
    """The question, the chart, the answer, and how it was measured."""
    st.header("What would more training data buy?", anchor=False)
    found = None
    with errors.shown():
        found = experiment_records.learning_curve(paths.records_dir())
        if found is None:
            views.show_absent(experiment_records.LEARNING_CURVE)
    if found is None:
        return
    choice = st.selectbox(
        "Figure", [_EVERY, *_CHOICES], key="learning_figure", width=330, persist_state="page"
    )
    ground = theme.current()
    if choice == _EVERY:
        drawn, words = by_class(found, ground), by_class_alt(found)
    else:
        name, color = _CHOICES[choice]
        drawn, words = one(found, name, color, ground), one_alt(found, name, choice)
    st.plotly_chart(drawn, config=model_charts.CONFIG, key="learning", alt=words)
    st.markdown(answer(found))
    _show_how(found)


def answer(found: LearningCurve) -> str:
    """What all lesions brought over a tenth, and what the last of them brought."""
    first, before, last = found.points[0], found.points[-2], found.points[-1]
    melanoma = [point.figures["melanoma_auroc"] for point in (first, before, last)]
    gains = {
        code: last.figures[name].value - before.figures[name].value
        for code, name in AUROC_OF.items()
    }
    most = max(gains, key=lambda code: gains[code])
    step = melanoma[2].value - melanoma[1].value
    is_small = abs(step) < (melanoma[2].high - melanoma[2].low) / 2
    return (
        f"From {count(first.num_lesions)} to {counted(last.num_lesions, 'training lesion')} the "
        f"AUROC for melanoma goes from {score_estimate(melanoma[0])} to "
        f"{score_estimate(melanoma[2])}; the last step, from {percent(before.fraction)} of them "
        f"to all, brings {step:+.3f}"
        f"{', less than its interval is wide' if is_small else ''}. That step brings most to "
        f"{_NAMES[most][0].lower()}{_NAMES[most][1:]} ({gains[most]:+.3f}), of which there are "
        f"{counted(last.class_lesions[most], 'training lesion')}."
    )


def one(found: LearningCurve, name: str, color: str, ground: Ground) -> Chart:
    """One figure against the lesions taught, with the band of its intervals."""
    lesions = [point.num_lesions for point in found.points]
    figures = [point.figures[name] for point in found.points]
    lows, highs = [figure.low for figure in figures], [figure.high for figure in figures]
    data: list[Spec] = [
        {
            "type": "scatter", "x": lesions + lesions[::-1], "y": highs + lows[::-1],
            "fill": "toself", "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip",
            "fillcolor": color, "opacity": 0.2,
        },
        {
            "type": "scatter", "x": lesions, "y": [figure.value for figure in figures],
            "mode": "lines+markers", "line": {"color": color, "width": 2.5}, "marker": {"size": 8},
            "customdata": [_written(name, figure) for figure in figures],
            "hovertemplate": "%{x:,} lesions: %{customdata}<extra></extra>",
        },
    ]  # fmt: skip
    notes = [
        {
            "x": math.log10(lesions[place]), "y": figures[place].value, "yshift": 15,
            "showarrow": False, "text": _written(name, figures[place]).split(" (")[0],
            "font": {"color": ground.ink, "size": 13},
        }
        for place in (0, -1)
    ]  # fmt: skip
    space = 0.15 * (max(highs) - min(lows))
    axis = model_charts.plain_axis(ground) | {
        "range": [min(lows) - space, max(highs) + space],
        "nticks": 6,
    }
    if name in PROPORTIONS:
        axis["tickformat"] = ".0%"
    return Chart(data, _layout(found, ground, 40) | {"yaxis": axis, "annotations": notes})


def one_alt(found: LearningCurve, name: str, words: str) -> str:
    """The points of the figure in words."""
    parts = [
        f"{counted(point.num_lesions, 'lesion')} {_written(name, point.figures[name])}"
        for point in found.points
    ]
    return f"{words} by training lesions: {'; '.join(parts)}."


def by_class(found: LearningCurve, ground: Ground) -> Chart:
    """AUROC of each of the seven classes against the lesions taught, named at its end."""
    lesions = [point.num_lesions for point in found.points]
    values = {
        code: [point.figures[name].value for point in found.points]
        for code, name in AUROC_OF.items()
    }
    low = min(map(min, values.values())) - 0.01
    high = max(map(max, values.values())) + 0.01
    room = _HEIGHT - 66  # px of the plot itself, about
    places = parted([(of[-1] - low) / (high - low) * room for of in values.values()])
    data: list[Spec] = []
    notes: list[Spec] = []
    for (code, of_class), place in zip(values.items(), places, strict=True):
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
                "showarrow": False, "y": low + place / room * (high - low),
                "font": {"color": ground.ink, "size": 13},
                "text": f'<span style="color:{_COLORS[code]}">■</span> {_NAMES[code]}',
            }
        )  # fmt: skip
    longest = max(map(len, _NAMES.values()))
    axis = model_charts.plain_axis(ground) | {"range": [low, high], "nticks": 6}
    layout = _layout(found, ground, 24 + _LETTER * longest)
    return Chart(data, layout | {"yaxis": axis, "annotations": notes})


def by_class_alt(found: LearningCurve) -> str:
    """First and last point of each class in words."""
    first, last = found.points[0], found.points[-1]
    parts = [
        f"{_NAMES[code]} from {score_estimate(first.figures[name])} to "
        f"{score_estimate(last.figures[name])}"
        for code, name in AUROC_OF.items()
    ]
    return (
        f"AUROC by diagnosis, from {count(first.num_lesions)} to "
        f"{counted(last.num_lesions, 'training lesion')}: {'; '.join(parts)}."
    )


def _written(name: str, figure: Estimate) -> str:
    return percent_estimate(figure) if name in PROPORTIONS else score_estimate(figure)


def _layout(found: LearningCurve, ground: Ground, right: int) -> Spec:
    """The layout with the axis of lesions, and `right` px of room for what is written there."""
    bare = model_charts.bare(_HEIGHT)
    lesions = {
        "type": "log", "tickvals": [point.num_lesions for point in found.points],
        "ticktext": [
            f"{count(point.num_lesions)}<br>{percent(point.fraction)}" for point in found.points
        ],
        "title": model_charts.axis_title("Lesions taught, and their share of all", ground),
    }  # fmt: skip
    return bare | {
        "margin": bare["margin"] | {"r": right},
        "xaxis": model_charts.plain_axis(ground) | lesions,
    }


def _show_how(found: LearningCurve) -> None:
    first = found.points[0]
    sentences = (
        "A fixed ImageNet network with a trained head: MobileNetV2 at "
        f"{found.image_size} × {found.image_size} px, whose own weights have seen no lesion and do "
        "not change, and a multinomial logistic regression on its embedding. A network that is "
        "trained as a whole reaches more and may gain more from data.",
        f"Each share below all is drawn {counted(first.num_draws, 'time')} by lesion and diagnosis "
        "(seeds from 0), its penalty chosen on validation; all are measured on "
        f"{counted(found.num_test, 'test photograph')} of "
        f"{counted(found.num_test_lesions, 'lesion')}, {count(found.num_test_melanomas)} of them "
        f"melanomas. {percent(0.95)} intervals are over draws and test lesions. Of seven classes: "
        "the two keratoses count as one, and so do actinic keratosis and squamous cell carcinoma.",
    )
    views.show_how(found.command, found.machine, sentences, "learning")
    with st.expander("Every figure with its interval", icon=":material/table:"):
        st.table(_table(found), hide_index=True, alt="Figures by training lesions")
        views.offer_table("learning-curve.csv", *figure_rows(found), "learning")


def _table(found: LearningCurve) -> dict[str, list[str]]:
    table = {"Figure": ["Training lesions", "of which melanomas", *_CHOICES]}
    for point in found.points:
        table[percent(point.fraction)] = [
            count(point.num_lesions),
            count(point.class_lesions["MEL"]),
            *(_written(name, point.figures[name]) for name, _ in _CHOICES.values()),
        ]
    return table


def figure_rows(found: LearningCurve) -> tuple[list[str], list[list[object]]]:
    """Every figure of every share: the header and the rows of a table."""
    rows: list[list[object]] = [
        [point.fraction, point.num_lesions, point.num_draws, name, f.value, f.low, f.high]
        for point in found.points
        for name, f in point.figures.items()
    ]
    return ["fraction", "training_lesions", "draws", "figure", "value", "low", "high"], rows
