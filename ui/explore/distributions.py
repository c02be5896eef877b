"""Ages, sexes, sites and sizes of a data set's photographs; what is missing is a bar too."""

from collections.abc import Mapping

import numpy as np
import streamlit as st

from melanoma_core.data import catalogues, csv_tables
from melanoma_core.data.catalogues import CODES_BY_GROUP, Catalogue
from melanoma_core.data.coverage import NOT_RECORDED
from melanoma_core.diagnoses import BY_CODE
from melanoma_core.images import image_sizes
from ui import model_charts, subgroup_charts, theme
from ui.charts import OTHER_REFERRED_COLOR
from ui.formats import count, counted, percent, small
from ui.plots import Chart
from ui.theme import Ground

NUM_SIZES = 12  # that are shown by themselves
# A header takes about 0.1 ms from a warm disk; of larger sets as many are drawn.
MAX_HEADERS = 20_000
_SIZES = "explore_sizes"
_ROW_HEIGHT = 26  # px
_EVERY = "All diagnoses"


def show_age_and_sex(found: Catalogue) -> None:
    """Two charts side by side."""
    code = _ask_class(found, "age_and_sex")
    ages, sexes = st.columns([3, 2], gap="medium")
    with ages:
        _show(found, "age", "Age, years", code)
    with sexes:
        _show(found, "sex", "Sex", code)


def show_sites(found: Catalogue) -> None:
    """Where on the body the lesions are."""
    _show(found, "site", "Body site", _ask_class(found, "sites"))


def show_sizes(found: Catalogue) -> None:
    """Widths and heights of the files."""
    numbers, note = _sizes(found)
    _show_bars(numbers, "Width × height, pixels")
    st.markdown(small(note))


def show_skin_tones(found: Catalogue) -> None:
    """No table that is read has them, and that is said."""
    _show_bars({NOT_RECORDED: len(found)}, "Skin tone")
    st.markdown(
        small(
            "None of the tables that this app reads holds skin tones, so nothing measured here "
            "says how well a network does on one."
        )
    )


def _ask_class(found: Catalogue, key: str) -> str | None:
    present = catalogues.counts(found, "diagnosis")
    choice = st.selectbox(
        "Of", [_EVERY, *(code for code in CODES_BY_GROUP if code in present)],
        format_func=lambda code: code if code == _EVERY else BY_CODE[code].name,
        key=f"explore_of_{key}", width=300, persist_state="page",
    )  # fmt: skip
    return None if choice == _EVERY else str(choice)


def _show(found: Catalogue, attribute: str, title: str, code: str | None) -> None:
    column = found.kinds[attribute]
    rows = catalogues.matching(found, {"diagnosis": [code] if code else []})
    numbers = column.iloc[rows].value_counts(sort=False)
    values = {str(value): int(number) for value, number in numbers.items() if number}
    if attribute in ("sex", "site"):  # ages keep their order
        values = dict(sorted(values.items(), key=lambda item: (item[0] == NOT_RECORDED, -item[1])))
    _show_bars(values, title)


def _show_bars(numbers: Mapping[str, int], title: str) -> None:
    with st.container(border=True):
        st.subheader(title, anchor=False)
        st.plotly_chart(
            bars(numbers, theme.current()),
            config={"displayModeBar": False, "staticPlot": True}, key=f"explore_{title}",
            alt=bars_alt(numbers, title),
        )  # fmt: skip
        st.download_button(
            "Download (CSV)", csv_tables.written([title, "Photographs"], list(numbers.items())),
            f"{title.split(',')[0].lower().replace(' ', '-')}.csv", "text/csv",
            key=f"explore_csv_{title}", icon=":material/download:", on_click="ignore",
            type="tertiary",
        )  # fmt: skip


def bars(numbers: Mapping[str, int], ground: Ground) -> Chart:
    """A bar a value with its number and share; what is not recorded in the color of rest."""
    total = max(1, sum(numbers.values()))
    names = [subgroup_charts.plain_text(value) for value in numbers]
    bar = {
        "type": "bar", "x": list(numbers.values()), "y": names, "orientation": "h", "width": 0.62,
        "marker": {
            "color": [
                ground.rest if value == NOT_RECORDED else OTHER_REFERRED_COLOR for value in numbers
            ],
        },
        "text": [f"{count(number)} ({percent(number / total)})" for number in numbers.values()],
        "textposition": "outside", "textfont": {"color": ground.ink, "size": 13},
        "constraintext": "none", "cliponaxis": False,
    }  # fmt: skip
    largest = max(numbers.values(), default=1)
    layout = model_charts.bare(12 + _ROW_HEIGHT * max(1, len(numbers))) | {
        "margin": {"l": 0, "r": 4, "t": 2, "b": 0},
        "xaxis": {
            "range": [0, 1.75 * largest], "domain": [0.34, 1], "visible": False,
            "fixedrange": True,
        },
        "yaxis": {
            "type": "category", "autorange": "reversed", "showgrid": False, "zeroline": False,
            "fixedrange": True, "ticks": "", "automargin": False,
            "tickfont": {"color": ground.ink, "size": 13},
        },
    }  # fmt: skip
    return Chart([bar], layout)


def bars_alt(numbers: Mapping[str, int], title: str) -> str:
    """The bars in words."""
    return f"{title}: " + ", ".join(f"{value} {count(n)}" for value, n in numbers.items()) + "."


def _sizes(found: Catalogue) -> tuple[dict[str, int], str]:
    """Photographs by size, and what they were counted on; worked out once a data set."""
    kept = st.session_state.get(_SIZES)
    if kept is None or kept[0] != found.dataset.sha256:
        with st.spinner("Reading the sizes of the photographs"):
            kept = (found.dataset.sha256, *_counted_sizes(found))
        st.session_state[_SIZES] = kept
    return kept[1], kept[2]


def _counted_sizes(found: Catalogue) -> tuple[dict[str, int], str]:
    table = found.dataset.table
    if "width" in table:
        sizes = list(zip(table["width"], table["height"], strict=True))
    else:
        # Evenly over the table, so that no part of it is left out.
        num_read = min(len(table), MAX_HEADERS)
        rows = np.linspace(0, len(table) - 1, num_read).astype(int)
        sizes = image_sizes.read(table["path"].iloc[rows])
    shown, num_others = image_sizes.common(sizes, NUM_SIZES)
    numbers = {f"{width} × {height}": number for (width, height), number in shown.items()}
    if num_others:
        numbers["other sizes"] = num_others
    num_unread = sum(size is None for size in sizes)
    if num_unread:
        numbers["could not be read"] = num_unread
    of_all = "" if len(sizes) == len(table) else f", of {count(len(table))}"
    return numbers, f"Of {counted(len(sizes), 'photograph')}{of_all}, as the files say."
