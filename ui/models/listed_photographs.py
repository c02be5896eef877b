"""The photographs of a list beside it, where the data set that this session has read holds them."""

from collections.abc import Mapping

import streamlit as st

from ui import dataset_choice, paging, photographs
from ui.formats import literal, small

_THUMBNAIL = 300  # px, the long side


def show(captions: Mapping[str, str], page: str, size: int) -> None:
    """A page of them, each with its id and caption; where there are none, how to see them.

    Args:
        captions: by image id, in the order of the list.
        page: key of the session under which the page is kept.
        size: photographs a page.
    """
    paths_of = dataset_choice.paths_of(captions)
    if not paths_of:
        st.markdown(
            small("To see the photographs, open a data set that holds them on the page Explore.")
        )
        return
    held = [image_id for image_id in captions if image_id in paths_of]
    grid = st.grid(6, min_column_width=120)
    for image_id in held[paging.shown(page, len(held), size)]:
        with grid, st.container(gap=None):
            photographs.show(paths_of[image_id], _THUMBNAIL, f"{image_id}, {captions[image_id]}")
            st.markdown(f"{literal(image_id)}  \n{small(captions[image_id])}")
    paging.show(page, len(held), size)
