"""The closest pairs of melanoma and nevus: side by side where there are photographs, else ids."""

from functools import partial

import pandas as pd
import streamlit as st

from melanoma_core.data import csv_tables
from melanoma_core.diagnoses import BY_CODE
from melanoma_core.evaluation.embedding_maps import EmbeddingMap
from ui import embedding_charts, photographs
from ui.formats import literal, small

NUM_SHOWN = 6  # as pictures; the table to take away has all
_PICTURE = 360  # px, the long side


def show(table: pd.DataFrame, made: EmbeddingMap) -> None:
    """The pairs of a data set.

    Args:
        table: of the data set that the map is of.
        made: the map.
    """
    if not made.pairs:
        return
    st.subheader("The closest pairs of melanoma and nevus", anchor=False)
    st.markdown(
        small(
            "Different lesions that look alike to the model, each in one pair only. Distance is "
            "one minus the cosine of the angle between embeddings; in the median a melanoma and a "
            f"nevus are {made.typical_distance:.2f} apart."
        )
    )
    rows = _rows(table, made)
    if table["path"].notna().any():
        _show_pictures(table, made)
    else:
        st.dataframe(rows, hide_index=True, width="stretch", alt="The closest pairs")
    st.download_button(
        f"Download {len(rows)} pairs (CSV)",
        partial(
            csv_tables.to_csv, list(rows.columns), list(rows.itertuples(index=False, name=None))
        ),
        "closest-pairs.csv", "text/csv", icon=":material/download:", on_click="ignore",
    )  # fmt: skip


def _show_pictures(table: pd.DataFrame, made: EmbeddingMap) -> None:
    grid = st.grid(3, min_column_width=250)
    for pair in made.pairs[:NUM_SHOWN]:
        with grid, st.container(border=True):
            st.markdown(f"Distance {_distance(pair.distance)}")
            left, right = st.columns(2, gap="small")
            with left:
                _show_one(table, made, pair.first)
            with right:
                _show_one(table, made, pair.second)


def _show_one(table: pd.DataFrame, made: EmbeddingMap, row: int) -> None:
    image_id, code, path = (table[name].iat[row] for name in ("image_id", "diagnosis", "path"))
    name = BY_CODE[code].name
    photographs.show(path, _PICTURE, f"{name}, {image_id}")
    st.markdown(f"**{name}**  \n{small(literal(str(image_id)))}  \n{small(_place(made, row))}")


def _place(made: EmbeddingMap, row: int) -> str:
    point = made.points.loc[row]
    return embedding_charts.place(point["split"], is_held_out=point["is_held_out"])


def _rows(table: pd.DataFrame, made: EmbeddingMap) -> pd.DataFrame:
    ids = table["image_id"]
    return pd.DataFrame(
        [
            {
                "Melanoma": ids.iloc[pair.first],
                "Melanoma in": _place(made, pair.first),
                "Nevus": ids.iloc[pair.second],
                "Nevus in": _place(made, pair.second),
                "Distance": _distance(pair.distance),
            }
            for pair in made.pairs
        ]
    )


def _distance(distance: float) -> str:
    return f"{distance:.3f}"
