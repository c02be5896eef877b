"""The photographs of a list, if the data set open in this session contains them."""

from collections.abc import Mapping

import streamlit as st

from ui import dataset_choice, paging, photographs
from ui.formats import literal, small

_THUMBNAIL = 300  # px, the long side


def show(captions: Mapping[str, str], page: str, size: int) -> None:
    """Draw a page of photographs with ids and captions, or how to make them available.

    Args:
        captions: by image id, in the order of the list.
        page: session key of the page number.
        size: photographs per page.
    """
    paths_of = dataset_choice.paths_of(captions)
    if not paths_of:
        st.markdown(
            small("To see the photographs, open a data set that contains them on the page Explore.")
        )
        return
    available = [image_id for image_id in captions if image_id in paths_of]
    grid = st.grid(6, min_column_width=120)
    for image_id in available[paging.shown(page, len(available), size)]:
        with grid, st.container(gap=None):
            photographs.show(paths_of[image_id], _THUMBNAIL, f"{image_id}, {captions[image_id]}")
            st.markdown(f"{literal(image_id)}  \n{small(captions[image_id])}")
    paging.show(page, len(available), size)
