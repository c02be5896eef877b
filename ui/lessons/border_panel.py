"""Where melanomas and nevi lie to a network: the map of the nine-class set, and close pairs."""

import streamlit as st

from melanoma_core.data import bundled_set
from melanoma_core.diagnoses import BY_CODE
from melanoma_core.evaluation import embedding_maps
from melanoma_core.evaluation.embedding_maps import BORDER, EmbeddingMap, Overlap
from ui import embedding_charts, model_charts, theme
from ui.formats import count, counted, literal, percent, percent_range, small
from ui.lessons import views


def show() -> None:
    """The map, the share of nevi among a melanoma's neighbors, and the closest pairs."""
    opened = st.expander(
        "The border as the network sees it, and the closest pairs", icon=":material/scatter_plot:",
        key="border", on_change="rerun",
    )  # fmt: skip
    if not opened.open:  # a second of work that most visitors do not ask for
        return
    with opened:
        found = _read()
        points = found.points[found.points["diagnosis"].isin(BORDER)]
        st.plotly_chart(
            embedding_charts.embedding_map(points, theme.current()),
            config=model_charts.CONFIG, key="border_map",
            alt=embedding_charts.embedding_map_alt(points),
        )  # fmt: skip
        st.markdown(answer(found, _mix()))
        st.table(_table(found), hide_index=True, alt="Closest pairs of a melanoma and a nevus")
        st.markdown(
            small(
                f"The melanomas and nevi of the nine-class set by the embedding of model "
                f"{literal(found.model_id)}; those edged in ink were held out from it. Distances "
                "are cosine distances of embeddings. To see photographs, open a data set that has "
                "them on the page Explore."
            )
        )
        views.offer_table(
            "closest-pairs.csv", ["melanoma", "nevus", "distance"], pair_rows(found), "pairs"
        )


@st.cache_data(show_spinner=False)
def _read() -> EmbeddingMap:
    return embedding_maps.read()


@st.cache_data(show_spinner=False)
def _mix() -> Overlap:
    points = _read().points
    # The embedding has learnt to part those that it was taught.
    return embedding_maps.overlap(points, *BORDER, asked=points["is_held_out"].to_numpy(bool))


def answer(found: EmbeddingMap, mix: Overlap) -> str:
    """How mixed the border is, as a share of neighbors."""
    of, among = (BY_CODE[code].name.lower() for code in BORDER)
    share = mix.share
    return (
        f"Of the {count(found.num_neighbors)} photographs of other lesions nearest to each of "
        f"{counted(share.num_photographs, f'{of} photograph')} that the network was not taught, "
        f"{percent(share.value)} ({percent_range(share.low, share.high)}) show a {among}; by "
        f"chance it would be {percent(mix.chance)}."
    )


def pair_rows(found: EmbeddingMap) -> list[list[object]]:
    """Ids and distance of each of the closest pairs, the melanoma first."""
    ids = bundled_set.read().table["image_id"]
    return [[ids[pair.first], ids[pair.second], pair.distance] for pair in found.pairs]


def _table(found: EmbeddingMap) -> dict[str, list[str]]:
    rows = pair_rows(found)
    return {
        "Melanoma": [literal(str(melanoma)) for melanoma, _, _ in rows],
        "Nevus": [literal(str(nevus)) for _, nevus, _ in rows],
        f"Distance (half of all pairs: {found.typical_distance:.2f} or more)": [
            f"{distance:.3f}" for _, _, distance in rows
        ],
    }
