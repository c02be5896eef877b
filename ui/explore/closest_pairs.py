"""The closest pairs of melanoma and nevus: as photographs if there are any, else as IDs."""

from functools import partial

import pandas as pd
import streamlit as st

from melanoma_core.data import csv_tables
from melanoma_core.diagnoses import BY_CODE
from melanoma_core.evaluation.embedding_maps import EmbeddingMap
from ui import embedding_charts, photographs
from ui.formats import literal, small

NUM_SHOWN = 6  # as pictures; the download has all
_PICTURE = 360  # px, the long side


def show(table: pd.DataFrame, embedding_map: EmbeddingMap) -> None:
    """Show the pairs of a data set.

    Args:
        table: the table of the data set.
        embedding_map: its map.
    """
    if not embedding_map.pairs:
        return
    st.subheader("Closest pairs of melanoma and nevus", anchor=False)
    st.markdown(
        small(
            "Different lesions that look alike to the model; each is in one pair only. The "
            "distance is one minus the cosine similarity of the embeddings; its median over all "
            f"pairs of a melanoma and a nevus is {embedding_map.typical_distance:.2f}."
        )
    )
    rows = _rows(table, embedding_map)
    if table["path"].notna().any():
        _show_pictures(table, embedding_map)
    else:
        st.dataframe(
            rows, hide_index=True, width="stretch", alt="Closest pairs of melanoma and nevus"
        )
    st.download_button(
        f"Download {len(rows)} pairs (CSV)",
        partial(
            csv_tables.to_csv, list(rows.columns), list(rows.itertuples(index=False, name=None))
        ),
        "closest-pairs.csv", "text/csv", icon=":material/download:", on_click="ignore",
    )  # fmt: skip


def _show_pictures(table: pd.DataFrame, embedding_map: EmbeddingMap) -> None:
    grid = st.grid(3, min_column_width=250)
    for pair in embedding_map.pairs[:NUM_SHOWN]:
        with grid, st.container(border=True):
            st.markdown(f"Distance {_distance(pair.distance)}")
            left, right = st.columns(2, gap="small")
            with left:
                _show_photograph(table, embedding_map, pair.first)
            with right:
                _show_photograph(table, embedding_map, pair.second)


def _show_photograph(table: pd.DataFrame, embedding_map: EmbeddingMap, row: int) -> None:
    image_id, code, path = (table[name].iat[row] for name in ("image_id", "diagnosis", "path"))
    name = BY_CODE[code].name
    photographs.show(path, _PICTURE, f"{name}, {image_id}")
    st.markdown(
        f"**{name}**  \n{small(literal(str(image_id)))}  \n{small(_split_text(embedding_map, row))}"
    )


def _split_text(embedding_map: EmbeddingMap, row: int) -> str:
    point = embedding_map.points.loc[row]
    return embedding_charts.split_text(point["split"], is_held_out=point["is_held_out"])


def _rows(table: pd.DataFrame, embedding_map: EmbeddingMap) -> pd.DataFrame:
    ids = table["image_id"]
    return pd.DataFrame(
        [
            {
                "Melanoma": ids.iloc[pair.first],
                "Split of the melanoma": _split_text(embedding_map, pair.first),
                "Nevus": ids.iloc[pair.second],
                "Split of the nevus": _split_text(embedding_map, pair.second),
                "Distance": _distance(pair.distance),
            }
            for pair in embedding_map.pairs
        ]
    )


def _distance(distance: float) -> str:
    return f"{distance:.3f}"
