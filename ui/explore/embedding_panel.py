"""The tab Map: a data set as the network sees it, and how much melanoma and nevus overlap."""

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

_MAP = "explore_map"
_REQUESTED = "explore_map_requested"
_ALL_DIAGNOSES = "All diagnoses"
_BORDER_ONLY = "Melanoma and nevus"
_ALL, _HELD_OUT, _OTHERS = "All", "Held out from the model", "Others"
_STEP = 20  # photographs between two updates of the progress


def show(catalogue: Catalogue) -> None:
    """The map, its figures and the closest pairs; or what is needed to make the map."""
    is_bundled = catalogue.dataset.name == bundled_set.NAME
    embedding_map = _bundled_map() if is_bundled else _map_of_session(catalogue)
    if embedding_map is None:
        return
    is_selected = _show_chart(embedding_map)
    _show_caption(embedding_map, is_bundled)
    if set(BORDER) <= set(embedding_map.points["diagnosis"]):
        _show_overlap(embedding_map, is_bundled)
    _show_neighbors(embedding_map, is_selected)
    closest_pairs.show(catalogue.dataset.table, embedding_map)


@st.cache_resource(max_entries=1)
def _bundled_map() -> EmbeddingMap:
    """The map that ships with the app, the same for every visitor."""
    return embedding_maps.read()


def _map_of_session(catalogue: Catalogue) -> EmbeddingMap | None:
    """The map that this session made of the data set, or None and the button that makes it."""
    if not catalogue.has_photographs:
        st.info("This data set has no photographs to map.", icon=":material/info:")
        return None
    if len(catalogue) < embedding_maps.MIN_PHOTOGRAPHS:
        st.info(
            f"A map needs at least {embedding_maps.MIN_PHOTOGRAPHS} photographs; this data set "
            f"has {count(len(catalogue))}.",
            icon=":material/info:",
        )
        return None
    served = serving.serving_or_message()
    if served is None:
        return None
    model = served.model
    key = (catalogue.dataset.sha256, model.card.model_id)
    cached = st.session_state.get(_MAP)
    if cached is not None and cached[0] == key:
        embedding_map: EmbeddingMap = cached[1]
        return embedding_map
    num_read = min(len(catalogue), embedding_maps.MAX_PHOTOGRAPHS)
    st.markdown(
        f"The model in use will read {counted(num_read, 'photograph')}"
        + ("" if num_read == len(catalogue) else f", a sample of {count(len(catalogue))},")
        + " and map which of them look alike to it. The map is kept for this session only."
    )
    if st.session_state.pop(_REQUESTED, False):
        with errors.shown("The map could not be made."):
            st.session_state[_MAP] = key, _make(catalogue, model)
            st.rerun()
    else:
        st.button("Make the map", type="primary", icon=":material/scatter_plot:", on_click=_request)
    return None


def _request() -> None:
    """Request the map: the next run shows its progress in place of the button."""
    st.session_state[_REQUESTED] = True


def _make(catalogue: Catalogue, model: Model) -> EmbeddingMap:
    bar = st.progress(0.0, "Reading photographs")

    def report(num_done: int, num_all: int) -> None:
        if num_done == num_all:
            bar.progress(1.0, "Laying out the map (up to a minute)")
        elif num_done % _STEP == 0:
            text = f"Reading photographs, {count(num_done)} of {count(num_all)}"
            bar.progress(num_done / num_all, text)

    held_out = embedding_maps.held_out_ids(
        paths.models_dir(), model.card.model_id, catalogue.dataset.name
    )
    return embedding_maps.of_dataset(model, catalogue.dataset, held_out, report)


def _show_chart(embedding_map: EmbeddingMap) -> NDArray[np.bool_]:
    """The chart with its two choices; (N,) which photographs were selected."""
    points = embedding_map.points
    is_held_out = points["is_held_out"].to_numpy(bool)
    masks = {
        _ALL: np.ones(len(points), bool), _HELD_OUT: is_held_out, _OTHERS: ~is_held_out,
    }  # fmt: skip
    highlighted: tuple[str, ...] = ()
    part = _ALL
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if set(BORDER) <= set(points["diagnosis"]):
            shown = st.segmented_control(
                "Show", (_ALL_DIAGNOSES, _BORDER_ONLY), default=_ALL_DIAGNOSES, required=True,
                key="explore_map_show", persist_state="session",
            )  # fmt: skip
            highlighted = BORDER if shown == _BORDER_ONLY else ()
        if is_held_out.any() and not is_held_out.all():
            part = st.segmented_control(
                "Photographs", list(masks), default=_ALL, required=True,
                key="explore_map_part", persist_state="session",
            )  # fmt: skip
    is_selected = masks[str(part)]
    selected = points[is_selected]
    with st.container(border=True):
        st.plotly_chart(
            embedding_charts.embedding_map(selected, theme.current(), highlighted),
            config={"displayModeBar": False}, key="embedding_map",
            alt=embedding_charts.embedding_map_alt(selected, highlighted),
        )  # fmt: skip
    return is_selected


def _show_caption(embedding_map: EmbeddingMap, is_bundled: bool) -> None:
    """Which model made the map, of how many photographs, and how to read it."""
    sentences = [
        f"Made with the model {literal(embedding_map.model_id)}. Photographs that look alike to it "
        "lie close together (t-SNE of the embeddings); large distances mean nothing."
    ]
    in_use = store.champion(paths.models_dir()) if is_bundled else None
    if in_use is not None and in_use.model_id != embedding_map.model_id:
        sentences.append(
            f"The model in use is a different one, {literal(in_use.model_id)}; "
            "`python -m benchmarks.data.bundled_map` makes its map."
        )
    num_held_out = int(embedding_map.points["is_held_out"].sum())
    if num_held_out:
        sentences.append(
            f"The {count(num_held_out)} outlined points were held out from the model; photographs "
            "that it was trained on can look better separated than new ones."
        )
    else:
        sentences.append(
            "No photograph is known to have been held out from the model; photographs that it was "
            "trained on can look better separated than new ones."
        )
    if len(embedding_map.points) + embedding_map.num_refused < embedding_map.num_photographs:
        num_drawn = count(len(embedding_map.points) + embedding_map.num_refused)
        sentences.append(
            f"A sample of {num_drawn} of {count(embedding_map.num_photographs)} photographs."
        )
    if embedding_map.num_refused:
        sentences.append(f"{counted(embedding_map.num_refused, 'photograph')} could not be read.")
    if embedding_map.num_contradictory:
        sentences.append(
            f"{counted(embedding_map.num_contradictory, 'photograph')} with two diagnoses: on the "
            "map, but left out of the figures."
        )
    st.markdown(small(" ".join(sentences)))


def _show_overlap(embedding_map: EmbeddingMap, is_bundled: bool) -> None:
    """How many of a melanoma's nearest neighbors are nevi, and the other way round."""
    points = embedding_map.points
    is_held_out = points["is_held_out"].to_numpy(bool)
    others = "Used to train the model" if is_bundled else _OTHERS
    masks: dict[str, NDArray[np.bool_] | None] = {_ALL: None}
    if is_held_out.any() and not is_held_out.all():
        masks = {_HELD_OUT: is_held_out, others: ~is_held_out, _ALL: None}
    st.subheader("Melanoma and nevus: how much they overlap", anchor=False)
    mixes = {
        name: [
            embedding_maps.overlap(points, of, among, mask) for of, among in (BORDER, BORDER[::-1])
        ]
        for name, mask in masks.items()
    }
    melanoma, _ = next(iter(mixes.values()))
    held_out = " held out from the model" if _HELD_OUT in mixes else ""
    nevi = melanoma.proportion
    if formats.is_enough(nevi):
        st.markdown(
            f"Of the {embedding_map.num_neighbors} nearest neighbors of each melanoma{held_out}, "
            f"**{percent(nevi.value)} are nevi** (95{formats.NARROW_SPACE}% interval "
            f"{percent_range(nevi.low, nevi.high)}); by chance it would be "
            f"{percent(melanoma.chance)}."
        )
    rows = [
        {
            "Photographs": name,
            "Neighbors of": f"{BY_CODE[of].name} ({count(mix.proportion.num_photographs)})",
            "Diagnosis of the neighbors": BY_CODE[among].name,
            "Percentage": _percentage(mix.proportion),
            "Expected by chance": percent(mix.chance),
        }
        for name, pair in mixes.items()
        for mix, (of, among) in zip(pair, (BORDER, BORDER[::-1]), strict=True)
    ]
    st.table(
        pd.DataFrame(rows), hide_index=True,
        alt="How often melanoma and nevus are neighbors",
    )  # fmt: skip
    st.markdown(
        small(
            f"Neighbors: the {embedding_map.num_neighbors} nearest by cosine distance among all "
            "photographs, never of the same lesion. In brackets: 95"
            f"{formats.NARROW_SPACE}% interval, bootstrapped over lesions. Expected by chance: "
            "neighbors drawn at random from all other photographs."
        )
    )


def _percentage(proportion: Estimate) -> str:
    if not formats.is_enough(proportion):
        return formats.too_few(proportion)
    return percent_estimate(proportion)


def _show_neighbors(embedding_map: EmbeddingMap, is_selected: NDArray[np.bool_]) -> None:
    """The neighbors of the selected photographs by diagnosis, and the points as a download."""
    proportions = embedding_maps.neighbor_proportions(embedding_map.points, is_selected)
    present = [code for code in CODES_BY_GROUP if code in proportions.index]
    title = "Neighbors by diagnosis, and the map as a table"
    with st.expander(title, icon=":material/table:"):
        st.dataframe(
            {
                "Diagnosis": [BY_CODE[code].name for code in present],
                **{
                    f"{code}, %": (100 * proportions.loc[present, code]).round(1).tolist()
                    for code in CODES_BY_GROUP
                },
            },
            hide_index=True, width="stretch", height="content",
            alt="How often each diagnosis is among the nearest neighbors of each diagnosis",
        )  # fmt: skip
        st.download_button(
            f"Download {counted(len(embedding_map.points), 'point')} (CSV)",
            partial(points_csv, embedding_map.points), "embedding-map.csv", "text/csv",
            icon=":material/download:", on_click="ignore",
        )  # fmt: skip


def points_csv(points: pd.DataFrame) -> bytes:
    """The points as CSV for a spreadsheet."""
    table = points.astype(object).where(points.notna(), None)
    return csv_tables.to_csv(list(table.columns), table.itertuples(index=False, name=None))
