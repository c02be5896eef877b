"""The tab Map: a data set as the network sees it, and how far melanoma and nevus lie mixed."""

from functools import partial

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from melanoma_core import paths
from melanoma_core.data import bundled_set, csv_tables
from melanoma_core.data.catalogues import CODES_BY_GROUP, Catalogue
from melanoma_core.diagnoses import BY_CODE
from melanoma_core.evaluation import embedding_maps, formats
from melanoma_core.evaluation.embedding_maps import BORDER, EmbeddingMap
from melanoma_core.metrics.estimates import Estimate
from melanoma_core.models import store
from melanoma_core.models.predict import Model
from ui import embedding_charts, errors, serving, theme
from ui.explore import closest_pairs
from ui.formats import count, counted, literal, percent, percent_estimate, percent_range, small

_KEPT = "explore_map"
_WANTED = "explore_map_wanted"
_EVERY_DIAGNOSIS = "All diagnoses"
_BORDER_ONLY = "Melanoma and nevus"
_ALL, _HELD_OUT, _OTHERS = "All", "Held out from the model", "The others"
_STEP = 20  # photographs between two words of progress


def show(found: Catalogue) -> None:
    """The map, its figures and the closest pairs; or what is needed to make it."""
    is_embedded = found.dataset.name == bundled_set.NAME
    made = _shipped() if is_embedded else _made(found)
    if made is None:
        return
    asked = _show_chart(made)
    _show_words(made, is_embedded)
    if set(BORDER) <= set(made.points["diagnosis"]):
        _show_border(made, is_embedded)
    _show_shares(made, asked)
    closest_pairs.show(found.dataset.table, made)


@st.cache_resource(max_entries=1)
def _shipped() -> EmbeddingMap:
    """Facts, alike for every visitor."""
    return embedding_maps.read()


def _made(found: Catalogue) -> EmbeddingMap | None:
    """The map that this session has made of the data set, or the button that makes it."""
    if not found.has_photographs:
        st.info("This data set holds no photographs to make a map of.", icon=":material/info:")
        return None
    if len(found) < embedding_maps.MIN_PHOTOGRAPHS:
        st.info(
            f"A map needs at least {embedding_maps.MIN_PHOTOGRAPHS} photographs; this data set "
            f"has {count(len(found))}.",
            icon=":material/info:",
        )
        return None
    answering = serving.serving_or_message()
    if answering is None:
        return None
    model = answering.model
    key = (found.dataset.sha256, model.card.model_id)
    kept = st.session_state.get(_KEPT)
    if kept is not None and kept[0] == key:
        made: EmbeddingMap = kept[1]
        return made
    num_read = min(len(found), embedding_maps.MAX_PHOTOGRAPHS)
    st.markdown(
        f"The model in use reads {counted(num_read, 'photograph')}"
        + ("" if num_read == len(found) else f", a sample of {count(len(found))},")
        + " and a map shows which of them look alike to it. The map stays in this session."
    )
    if st.session_state.pop(_WANTED, False):
        with errors.shown("No map could be made."):
            st.session_state[_KEPT] = key, _make(found, model)
            st.rerun()
    else:
        st.button("Make the map", type="primary", icon=":material/scatter_plot:", on_click=_want)
    return None


def _want() -> None:
    """Ask for the map: the run that follows shows progress in the place of the button."""
    st.session_state[_WANTED] = True


def _make(found: Catalogue, model: Model) -> EmbeddingMap:
    bar = st.progress(0.0, "Reading photographs")

    def report(num_done: int, num_all: int) -> None:
        if num_done == num_all:
            bar.progress(1.0, "Laying out the map, up to a minute")
        elif num_done % _STEP == 0:
            words = f"Reading photographs, {count(num_done)} of {count(num_all)}"
            bar.progress(num_done / num_all, words)

    held_out = embedding_maps.held_out_ids(
        paths.models_dir(), model.card.model_id, found.dataset.name
    )
    return embedding_maps.of_dataset(model, found.dataset, held_out, report)


def _show_chart(made: EmbeddingMap) -> NDArray[np.bool_]:
    """The chart with its two choices; which photographs were chosen."""
    points = made.points
    is_held_out = points["is_held_out"].to_numpy(bool)
    parts = {
        _ALL: np.ones(len(points), bool), _HELD_OUT: is_held_out, _OTHERS: ~is_held_out,
    }  # fmt: skip
    highlighted: tuple[str, ...] = ()
    part = _ALL
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if set(BORDER) <= set(points["diagnosis"]):
            shown = st.segmented_control(
                "Show", (_EVERY_DIAGNOSIS, _BORDER_ONLY), default=_EVERY_DIAGNOSIS, required=True,
                key="explore_map_show", persist_state="session",
            )  # fmt: skip
            highlighted = BORDER if shown == _BORDER_ONLY else ()
        if is_held_out.any() and not is_held_out.all():
            part = st.segmented_control(
                "Photographs", list(parts), default=_ALL, required=True,
                key="explore_map_part", persist_state="session",
            )  # fmt: skip
    chosen = points[parts[str(part)]]
    with st.container(border=True):
        st.plotly_chart(
            embedding_charts.embedding_map(chosen, theme.current(), highlighted),
            config={"displayModeBar": False}, key="embedding_map",
            alt=embedding_charts.embedding_map_alt(chosen, highlighted),
        )  # fmt: skip
    return parts[str(part)]


def _show_words(made: EmbeddingMap, is_embedded: bool) -> None:
    """Which model made it, of how much, and how it is to be read."""
    words = [
        f"Made by the model {literal(made.model_id)}: photographs that it finds alike lie near "
        "each other (t-SNE of the embedding); wide distances mean nothing."
    ]
    in_use = store.champion(paths.models_dir()) if is_embedded else None
    if in_use is not None and in_use.model_id != made.model_id:
        words.append(
            f"The model in use is another one, {literal(in_use.model_id)}; "
            "`python -m benchmarks.data.bundled_map` makes its map."
        )
    num_held_out = int(made.points["is_held_out"].sum())
    if num_held_out:
        words.append(
            f"An edge marks the {count(num_held_out)} that were held out from the model; those "
            "that a model was taught can lie better apart than new ones."
        )
    else:
        words.append(
            "None of them is known to have been held out from the model; those that a model was "
            "taught can lie better apart than new ones."
        )
    if len(made.points) + made.num_refused < made.num_photographs:
        num_drawn = count(len(made.points) + made.num_refused)
        words.append(f"A sample of {num_drawn} of {count(made.num_photographs)} photographs.")
    if made.num_refused:
        words.append(f"{counted(made.num_refused, 'photograph')} could not be read.")
    if made.num_contradictory:
        words.append(
            f"{counted(made.num_contradictory, 'photograph')} filed under two diagnoses: drawn, "
            "but left out of the figures."
        )
    st.markdown(small(" ".join(words)))


def _show_border(made: EmbeddingMap, is_embedded: bool) -> None:
    """How many of the nearest others of a melanoma are nevi, and the other way round."""
    points = made.points
    is_held_out = points["is_held_out"].to_numpy(bool)
    others = "Taught to the model" if is_embedded else _OTHERS
    parts: dict[str, NDArray[np.bool_] | None] = {_ALL: None}
    if is_held_out.any() and not is_held_out.all():
        parts = {_HELD_OUT: is_held_out, others: ~is_held_out, _ALL: None}
    st.subheader("Melanoma and nevus: how far they lie mixed", anchor=False)
    mixes = {
        name: [
            embedding_maps.overlap(points, of, among, asked) for of, among in (BORDER, BORDER[::-1])
        ]
        for name, asked in parts.items()
    }
    (melanoma, _) = next(iter(mixes.values()))
    held_out = " that was held out from the model" if _HELD_OUT in mixes else ""
    if formats.is_enough(melanoma.share):
        st.markdown(
            f"Of the {made.num_neighbors} nearest others of each melanoma{held_out}, "
            f"**{percent(melanoma.share.value)} are nevi** (95{formats.NARROW_SPACE}% interval "
            f"{percent_range(melanoma.share.low, melanoma.share.high)}); by chance it would be "
            f"{percent(melanoma.chance)}."
        )
    rows = [
        {
            "Photographs": name,
            "Neighbors of": f"{BY_CODE[of].name} ({count(mix.share.num_photographs)})",
            "That are": BY_CODE[among].name,
            "Share": _share(mix.share),
            "By chance": percent(mix.chance),
        }
        for name, pair in mixes.items()
        for mix, (of, among) in zip(pair, (BORDER, BORDER[::-1]), strict=True)
    ]
    st.table(
        pd.DataFrame(rows), hide_index=True,
        alt="Shares of mixed neighbors of melanoma and nevus",
    )  # fmt: skip
    st.markdown(
        small(
            f"The {made.num_neighbors} nearest by the angle between embeddings, among all "
            "photographs, never one of the same lesion. In brackets the 95"
            f"{formats.NARROW_SPACE}% interval, bootstrapped over lesions. By chance: drawn from "
            "all other photographs."
        )
    )


def _share(figure: Estimate) -> str:
    return percent_estimate(figure) if formats.is_enough(figure) else formats.too_few(figure)


def _show_shares(made: EmbeddingMap, asked: NDArray[np.bool_]) -> None:
    """The neighbors of every diagnosis, of the photographs that were chosen above the chart."""
    shares = embedding_maps.neighbor_proportions(made.points, asked)
    present = [code for code in CODES_BY_GROUP if code in shares.index]
    title = "The neighbors of every diagnosis, and the map as a table"
    with st.expander(title, icon=":material/table:"):
        st.dataframe(
            {
                "Of": [BY_CODE[code].name for code in present],
                **{
                    f"{code}, %": (100 * shares.loc[present, code]).round(1).tolist()
                    for code in CODES_BY_GROUP
                },
            },
            hide_index=True, width="stretch", height="content",
            alt="Share of each diagnosis among the nearest others of each diagnosis",
        )  # fmt: skip
        st.download_button(
            f"Download {counted(len(made.points), 'point')} (CSV)",
            partial(points_csv, made.points), "embedding-map.csv", "text/csv",
            icon=":material/download:", on_click="ignore",
        )  # fmt: skip


def points_csv(points: pd.DataFrame) -> bytes:
    """The points for a spreadsheet."""
    table = points.astype(object).where(points.notna(), None)
    return csv_tables.written(list(table.columns), table.itertuples(index=False, name=None))
