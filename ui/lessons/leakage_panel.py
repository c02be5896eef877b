"""The first story: copies of a photograph on both sides of a split inflate validation."""

import streamlit as st

from melanoma_core import paths
from melanoma_core.evaluation import experiment_records
from melanoma_core.evaluation.experiment_records import PARTS, Leakage, Way
from ui import errors, model_charts, theme
from ui.charts import BELOW_COLOR
from ui.formats import count, counted, literal, percent, percent_estimate, small
from ui.lessons import views
from ui.plots import Chart, Spec
from ui.theme import Ground
from ui.training_charts import spread_labels

_TITLES = {
    "before": "Copies made before the split",
    "after": "Copies made after the split",
    "clean": "Clean table, divided by lesion",
}
_PART_NAMES = {"training": "training", "validation": "validation", "test": "clean test"}
_HEIGHT = 270  # px
_LABEL_HEIGHT = 34  # px of two lines
_TOP = 104  # %, the end of the axis


def show() -> None:
    """The question, three charts, the answer, and how it was measured."""
    record = None
    with errors.shown():
        record = experiment_records.leakage(paths.records_dir())
        if record is None:
            st.header("Why was accuracy on new patients lower than on validation?", anchor=False)
            views.show_absent(experiment_records.LEAKAGE)
    if record is None:
        return
    before = record.ways["before"]
    st.header(
        f"Why was accuracy {percent(before.validation.value)} on validation but "
        f"{percent(before.test.value)} on new patients?",
        anchor=False,
    )
    st.markdown(
        "Accuracy after each epoch of one network trained in three ways: on its training "
        "photographs, on its validation photographs, and on a clean test."
    )
    for place, way in zip(st.columns(3, gap="small"), record.ways.values(), strict=True):
        with place, st.container(border=True):
            st.subheader(_TITLES[way.way], anchor=False)
            st.plotly_chart(
                chart(way, theme.current()), config=model_charts.CONFIG,
                key=f"leakage_{way.way}", alt=alt(way),
            )  # fmt: skip
    st.markdown(answer(record))
    _show_how(record)


def answer(record: Leakage) -> str:
    """Two sentences that explain the gap between validation and test."""
    before, after, clean = (record.ways[way] for way in experiment_records.WAYS)
    lowest = min(way.test.value for way in record.ways.values())
    highest = max(way.test.value for way in record.ways.values())
    is_alike = max(way.test.low for way in record.ways.values()) <= min(
        way.test.high for way in record.ways.values()
    )
    first = (
        "With copies made before the split, copies of one photograph are on both sides, so "
        "validation tests pictures that the network has already seen: accuracy is "
        f"{percent(before.validation.value)} there and {percent_estimate(before.test)} on a clean "
        f"test of {counted(record.num_test, 'photograph')}."
    )
    second = (
        "With copies made after the split, accuracy on validation is "
        f"{percent(after.validation.value)}, and with the clean table divided by lesion "
        f"{percent(clean.validation.value)}, while accuracy on the clean test "
    )
    if is_alike:
        second += (
            f"stays between {percent(lowest)} and {percent(highest)}, too close for so few "
            "photographs to distinguish: what changed most is the figure on validation, not the "
            "network."
        )
    else:
        second += f"goes from {percent(before.test.value)} to {percent(clean.test.value)}."
    return f"{first} {second}"


def chart(way: Way, ground: Ground) -> Chart:
    """Accuracy on the three parts after each epoch, each line named at its end."""
    colors = {"training": ground.soft, "validation": BELOW_COLOR, "test": ground.ink}
    curves = {part: 100 * way.mean_curve(part) for part in PARTS}
    num_epochs = len(curves["test"])
    room = _HEIGHT - 62  # px of the plot itself, about
    ends = [float(curves[part][-1]) / _TOP * room for part in PARTS]
    positions = spread_labels(ends, _LABEL_HEIGHT)
    data: list[Spec] = []
    notes: list[Spec] = []
    for part, position in zip(PARTS, positions, strict=True):
        data.append(
            {
                "type": "scatter", "x": list(range(1, num_epochs + 1)),
                "y": curves[part].tolist(), "mode": "lines" if num_epochs > 1 else "markers",
                "line": {"color": colors[part], "width": 2.5,
                         "dash": "dot" if part == "training" else "solid"},
                "hovertemplate": f"Epoch %{{x}}: {_PART_NAMES[part]} %{{y:.0f}} %<extra></extra>",
            }
        )  # fmt: skip
        notes.append(
            {
                "x": 1, "xref": "paper", "xanchor": "left", "xshift": 10,
                "y": position / room * _TOP, "yanchor": "middle", "align": "left",
                "showarrow": False, "font": {"color": ground.ink, "size": 13},
                "text": f'<span style="color:{colors[part]}">■</span> {_PART_NAMES[part]}<br>'
                f"{percent(float(curves[part][-1]) / 100)}",
            }
        )  # fmt: skip
    data.append(
        {
            "type": "scatter", "x": [num_epochs], "y": [100 * way.test.value], "mode": "markers",
            "hoverinfo": "skip", "marker": {"color": ground.ink, "size": 6},
            "error_y": {
                "symmetric": False, "array": [100 * (way.test.high - way.test.value)],
                "arrayminus": [100 * (way.test.value - way.test.low)], "color": ground.ink,
                "thickness": 1.5, "width": 4,
            },
        }
    )  # fmt: skip
    epochs = {"title": model_charts.axis_title("Epoch", ground), "tickformat": "d", "nticks": 5}
    layout = model_charts.bare(_HEIGHT) | {
        "margin": {"l": 2, "r": 92, "t": 6, "b": 0},
        "xaxis": model_charts.plain_axis(ground) | epochs,
        "yaxis": model_charts.percent_axis("", ground),
        "annotations": notes,
    }
    return Chart(data, layout)


def alt(way: Way) -> str:
    """The last values of the three lines, in words."""
    return (
        f"{_TITLES[way.way]}: after {counted(len(way.mean_curve('test')), 'epoch')} accuracy is "
        f"{percent(way.training)} on training, {percent(way.validation.value)} on validation and "
        f"{percent_estimate(way.test)} on the clean test."
    )


def _show_how(record: Leakage) -> None:
    seeds = ", ".join(str(run.seed) for run in record.ways["before"].runs)
    sentences = (
        "The starting project’s network, from random weights, on photographs of "
        f"{record.image_size} × {record.image_size} px; {count(record.num_copies)} augmented "
        f"copies of each class, {counted(record.epochs, 'epoch')}, seeds: {seeds}. Lines are means "
        "over the seeds; training accuracy is measured during the epoch, with dropout.",
        f"The clean test has {counted(record.num_test, 'photograph')} of "
        f"{counted(record.num_test_lesions, 'lesion')} out of the Test folder’s "
        f"{count(record.num_test_folder)} photographs: those with one diagnosis, of lesions that "
        f"are in none of the three training sets. The bar at its end is the {percent(0.95)} "
        "interval.",
        *map(literal, record.notes),
    )
    views.show_how(record.command, record.machine, sentences, "leakage")
    with st.expander("Accuracy after the last epoch, in numbers", icon=":material/table:"):
        st.table(_table(record), hide_index=True, alt="Accuracy after the last epoch")
        st.markdown(
            small(
                "Balanced accuracy gives every diagnosis the same weight, however frequent it is: "
                "if the two balanced figures agree, the rest of the gap comes from the mix of "
                "diagnoses."
            )
        )
        views.offer_table("leakage.csv", *curve_rows(record), "leakage")


def _table(record: Leakage) -> dict[str, list[str]]:
    ways = record.ways.values()
    return {
        "Method": [_TITLES[way.way] for way in ways],
        "Training": [percent(way.training) for way in ways],
        "Validation": [percent_estimate(way.validation) for way in ways],
        "Clean test": [percent_estimate(way.test) for way in ways],
        "Validation, balanced": [percent_estimate(way.validation_balanced) for way in ways],
        "Clean test, balanced": [percent_estimate(way.test_balanced) for way in ways],
        "Training photographs": [count(way.runs[0].num_training) for way in ways],
        "Validation photographs": [count(way.runs[0].num_validation) for way in ways],
    }


def curve_rows(record: Leakage) -> tuple[list[str], list[list[object]]]:
    """Every epoch of every run, as the header and rows of a table."""
    rows: list[list[object]] = [
        [way.way, run.seed, epoch + 1, *(float(run.curves[part][epoch]) for part in PARTS)]
        for way in record.ways.values()
        for run in way.runs
        for epoch in range(record.epochs)
    ]
    return ["way", "seed", "epoch", *(f"{part}_accuracy" for part in PARTS)], rows
