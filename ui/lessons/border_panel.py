"""Melanoma and nevus as a network sees them: the map of the nine-class set, and close pairs."""

import streamlit as st

from melanoma_core.data import bundled_set
from melanoma_core.diagnoses import BY_CODE
from melanoma_core.evaluation import embedding_maps
from melanoma_core.evaluation.embedding_maps import BORDER, EmbeddingMap, Overlap
from ui import embedding_charts, model_charts, theme
from ui.formats import count, counted, literal, percent, percent_range, small
from ui.lessons import views


def show() -> None:
    """The map, how often a melanoma's neighbors are nevi, and the closest pairs."""
    expander = st.expander(
        "Melanoma and nevus as the network sees them, and the closest pairs",
        icon=":material/scatter_plot:",
        key="border", on_change="rerun",
    )  # fmt: skip
    if not expander.open:  # a second of work that most visitors do not need
        return
    with expander:
        embedding_map = _read()
        points = embedding_map.points[embedding_map.points["diagnosis"].isin(BORDER)]
        st.plotly_chart(
            embedding_charts.embedding_map(points, theme.current()),
            config=model_charts.CONFIG, key="border_map",
            alt=embedding_charts.embedding_map_alt(points),
        )  # fmt: skip
        st.markdown(answer(embedding_map, _mix()))
        st.table(
            _table(embedding_map), hide_index=True, alt="Closest pairs of a melanoma and a nevus"
        )
        st.markdown(
            small(
                "The melanomas and nevi of the nine-class set by the embedding of model "
                f"{literal(embedding_map.model_id)}; outlined points were held out from it. "
                "Distances are cosine distances of embeddings. To see photographs, open a data set "
                "that has them on the page Explore."
            )
        )
        views.offer_table(
            "closest-pairs.csv",
            ["melanoma", "nevus", "distance"],
            pair_rows(embedding_map),
            "pairs",
        )


@st.cache_data(show_spinner=False)
def _read() -> EmbeddingMap:
    return embedding_maps.read()


@st.cache_data(show_spinner=False)
def _mix() -> Overlap:
    points = _read().points
    # The network has learned to separate the photographs that it was trained on.
    return embedding_maps.overlap(points, *BORDER, asked=points["is_held_out"].to_numpy(bool))


def answer(embedding_map: EmbeddingMap, mix: Overlap) -> str:
    """How often a melanoma's neighbors are nevi, in a sentence."""
    of, among = (BY_CODE[code].name.lower() for code in BORDER)
    proportion = mix.proportion
    return (
        f"Of the {count(embedding_map.num_neighbors)} nearest neighbors from other lesions of each "
        f"of {counted(proportion.num_photographs, f'{of} photograph')} that the network was not "
        f"trained on, {percent(proportion.value)} "
        f"({percent_range(proportion.low, proportion.high)}) show a {among}; by chance it would "
        f"be {percent(mix.chance)}."
    )


def pair_rows(embedding_map: EmbeddingMap) -> list[list[object]]:
    """Image IDs and distance of the closest pairs, the melanoma first."""
    ids = bundled_set.read().table["image_id"]
    return [[ids[pair.first], ids[pair.second], pair.distance] for pair in embedding_map.pairs]


def _table(embedding_map: EmbeddingMap) -> dict[str, list[str]]:
    rows = pair_rows(embedding_map)
    return {
        "Melanoma": [literal(str(melanoma)) for melanoma, _, _ in rows],
        "Nevus": [literal(str(nevus)) for _, nevus, _ in rows],
        f"Distance (median of all pairs: {embedding_map.typical_distance:.2f})": [
            f"{distance:.3f}" for _, _, distance in rows
        ],
    }
