"""A data set's photographs on a page, reduced, each read when it is looked at."""

from pathlib import Path

import streamlit as st

from melanoma_core.errors import ImageError
from melanoma_core.images import reading
from ui.formats import literal, small


def show(path: str, longest: int, alt: str) -> None:
    """The photograph; in the place of one that was refused, the reason.

    Args:
        path: of its file.
        longest: px of its long side, at most.
        alt: what it is called for those who do not see it.
    """
    try:
        picture = reading.reduce(reading.read_file(Path(path)), longest)
    except ImageError as error:
        st.markdown(f":material/broken_image: {small(literal(str(error)))}")
    else:
        st.image(picture, alt=alt, width="stretch")
