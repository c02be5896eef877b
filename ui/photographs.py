"""A data set's photographs on a page, reduced in size, each read when shown."""

from pathlib import Path

import streamlit as st

from melanoma_core.errors import ImageError
from melanoma_core.images import reading
from ui.formats import literal, small


def show(path: str, longest: int, alt: str) -> None:
    """Show the photograph, or why it could not be read.

    Args:
        path: path of its file.
        longest: largest length of the long side, px.
        alt: its alternative text.
    """
    try:
        picture = reading.reduce(reading.read_file(Path(path)), longest)
    except ImageError as error:
        st.markdown(f":material/broken_image: {small(literal(str(error)))}")
    else:
        st.image(picture, alt=alt, width="stretch")
