"""Age, sex, body site and size of a data set's photographs; missing values get a bar too."""

from collections.abc import Mapping

import numpy as np
import streamlit as st

from melanoma_core.data import catalogues, csv_tables
from melanoma_core.data.catalogues import LABELS_BY_GROUP, Catalogue
from melanoma_core.data.coverage import NOT_RECORDED
from melanoma_core.diagnoses import BY_CODE
from melanoma_core.images import image_sizes
from ui import model_charts, subgroup_charts, theme
from ui.charts import OTHER_REFERRED_COLOR
from ui.formats import count, counted, percent, small
from ui.plots import Chart
from ui.theme import Ground

NUM_SIZES = 12  # sizes with a bar of their own
# Reading a header takes about 0.1 ms from a warm disk; larger sets are sampled.
MAX_HEADERS = 20_000
_SIZES = "explore_sizes"
_ROW_HEIGHT = 26  # px
_ALL = "All diagnoses"


def show_age_and_sex(catalogue: Catalogue) -> None:
    """Age and sex, side by side."""
    code = _ask_class(catalogue, "age_and_sex")
    ages, sexes = st.columns([3, 2], gap="medium")
    with ages:
        _show(catalogue, "age", "Age, years", code)
    with sexes:
        _show(catalogue, "sex", "Sex", code)


def show_sites(catalogue: Catalogue) -> None:
    """Where on the body the lesions are."""
    _show(catalogue, "site", "Body site", _ask_class(catalogue, "sites"))


def show_sizes(catalogue: Catalogue) -> None:
    """Widths and heights of the files."""
    counts, note = _sizes(catalogue)
    _show_bars(counts, "Width × height, pixels")
    st.markdown(small(note))


def show_skin_tones(catalogue: Catalogue) -> None:
    """Fitzpatrick skin types, which downloads from the ISIC Archive alone record."""
    counts = catalogues.value_counts(catalogue, "skin_tone")
    _show_bars(counts, "Skin tone")
    if counts.keys() <= {NOT_RECORDED}:
        note = (
            "This data set does not record skin tone, so accuracy by skin tone cannot be measured."
        )
    else:
        note = "Fitzpatrick skin type, I to VI."
    st.markdown(small(note))


def _ask_class(catalogue: Catalogue, key: str) -> str | None:
    present = catalogues.value_counts(catalogue, "diagnosis")
    choice = st.selectbox(
        "Diagnosis", [_ALL, *(code for code in LABELS_BY_GROUP if code in present)],
        format_func=lambda code: code if code == _ALL else BY_CODE[code].name,
        key=f"explore_of_{key}", width=300, persist_state="page",
    )  # fmt: skip
    return None if choice == _ALL else str(choice)


def _show(catalogue: Catalogue, attribute: str, title: str, code: str | None) -> None:
    column = catalogue.values[attribute]
    rows = catalogues.matching_rows(catalogue, {"diagnosis": [code] if code else []})
    value_counts = column.iloc[rows].value_counts(sort=False)
    counts = {str(value): int(number) for value, number in value_counts.items() if number}
    if attribute in ("sex", "site"):  # ages stay in their own order
        counts = dict(sorted(counts.items(), key=lambda item: (item[0] == NOT_RECORDED, -item[1])))
    _show_bars(counts, title)


def _show_bars(counts: Mapping[str, int], title: str) -> None:
    with st.container(border=True):
        st.subheader(title, anchor=False)
        st.plotly_chart(
            bars(counts, theme.current()),
            config={"displayModeBar": False, "staticPlot": True}, key=f"explore_{title}",
            alt=bars_alt(counts, title),
        )  # fmt: skip
        st.download_button(
            "Download (CSV)", csv_tables.to_csv([title, "Photographs"], list(counts.items())),
            f"{title.split(',')[0].lower().replace(' ', '-')}.csv", "text/csv",
            key=f"explore_csv_{title}", icon=":material/download:", on_click="ignore",
            type="tertiary",
        )  # fmt: skip


def bars(counts: Mapping[str, int], ground: Ground) -> Chart:
    """One bar per value with its count and percentage; “not recorded” in the neutral color."""
    total = max(1, sum(counts.values()))
    names = [subgroup_charts.plain_text(value) for value in counts]
    bar = {
        "type": "bar", "x": list(counts.values()), "y": names, "orientation": "h", "width": 0.62,
        "marker": {
            "color": [
                ground.rest if value == NOT_RECORDED else OTHER_REFERRED_COLOR for value in counts
            ],
        },
        "text": [f"{count(number)} ({percent(number / total)})" for number in counts.values()],
        "textposition": "outside", "textfont": {"color": ground.ink, "size": 13},
        "constraintext": "none", "cliponaxis": False,
    }  # fmt: skip
    largest = max(counts.values(), default=1)
    layout = model_charts.bare(12 + _ROW_HEIGHT * max(1, len(counts))) | {
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


def bars_alt(counts: Mapping[str, int], title: str) -> str:
    """The bars in words."""
    return f"{title}: " + ", ".join(f"{value} {count(n)}" for value, n in counts.items()) + "."


def _sizes(catalogue: Catalogue) -> tuple[dict[str, int], str]:
    """Photographs by size, and a note on how many were read; computed once per data set."""
    cached = st.session_state.get(_SIZES)
    if cached is None or cached[0] != catalogue.dataset.sha256:
        with st.spinner("Reading image sizes"):
            cached = (catalogue.dataset.sha256, *_counted_sizes(catalogue))
        st.session_state[_SIZES] = cached
    return cached[1], cached[2]


def _counted_sizes(catalogue: Catalogue) -> tuple[dict[str, int], str]:
    table = catalogue.dataset.table
    if "width" in table:
        sizes = list(zip(table["width"], table["height"], strict=True))
    else:
        # Spread over the whole table, as neighboring rows are alike.
        num_read = min(len(table), MAX_HEADERS)
        rows = np.linspace(0, len(table) - 1, num_read).astype(int)
        sizes = image_sizes.read(table["path"].iloc[rows])
    shown, num_others = image_sizes.most_common(sizes, NUM_SIZES)
    counts = {f"{width} × {height}": number for (width, height), number in shown.items()}
    if num_others:
        counts["other sizes"] = num_others
    num_unread = sum(size is None for size in sizes)
    if num_unread:
        counts["could not be read"] = num_unread
    of_all = "" if len(sizes) == len(table) else f", a sample of {count(len(table))}"
    return counts, f"Sizes of {counted(len(sizes), 'photograph')}{of_all}."
