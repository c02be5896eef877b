"""Twelve augmented views of one photograph, made by the function that training calls."""

import dataclasses
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from melanoma_core.data.catalogues import LABELS_BY_GROUP, Catalogue, matching_rows, value_counts
from melanoma_core.diagnoses import BY_CODE
from melanoma_core.images import reading, synthetic
from melanoma_core.images.augmentations import AUGMENTATIONS, augment
from melanoma_core.runs.configs import TrainConfig
from ui import errors
from ui.formats import literal, small

NUM_VIEWS = 12
_NUMBER = "explore_augmented"  # which photograph of the class is shown
_NAMES = {"strong": "Strong", "mild": "Mild", "none": "None"}


def show(catalogue: Catalogue) -> None:
    """One photograph, and twelve views of it at the chosen strength."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.segmented_control(
            "Augmentation", list(_NAMES), default="strong", required=True,
            format_func=_NAMES.__getitem__, key="explore_augment", persist_state="session",
        )  # fmt: skip
        code = _ask_class(catalogue) if catalogue.has_photographs else None
        st.button("Another photograph", icon=":material/refresh:", on_click=_next)
    number = st.session_state.get(_NUMBER, 0)
    size = TrainConfig().image_size
    with errors.shown("This photograph cannot be read; training would leave it out."):
        photograph, title = _photograph(catalogue, code, number)
        square = reading.resize(photograph, size)
        left, right = st.columns([1, 3], gap="medium")
        with left:
            st.image(square, alt=f"{title}, original", width="stretch")
            st.markdown(small(literal(title)))
        with right:
            grid = st.grid(6, min_column_width=76, gap="small")
            config = AUGMENTATIONS[str(name)]
            for index in range(NUM_VIEWS):
                view = augment(square, (number, 0, index), config)
                with grid:
                    st.image(view, alt=f"Augmented view {index + 1}", width="stretch")
        st.markdown(
            small(
                f"Resized to {size} × {size} px, the default input size of a network. Training "
                "draws new views in every epoch; validation and test photographs never change."
            )
        )
        _show_settings(str(name))


def _ask_class(catalogue: Catalogue) -> str:
    present = value_counts(catalogue, "diagnosis")
    codes = [code for code in LABELS_BY_GROUP if code in present]
    return st.selectbox(
        "Diagnosis", codes, format_func=lambda code: BY_CODE[code].name, width=260,
        key="explore_augment_class", persist_state="page",
    )  # fmt: skip


def _photograph(
    catalogue: Catalogue, code: str | None, number: int
) -> tuple[NDArray[np.uint8], str]:
    """The photograph with this number, starting over after the last one, and its caption."""
    if code is None:
        kind = synthetic.KINDS[number % len(synthetic.KINDS)]
        return synthetic.lesion(number, kind=kind), "Synthetic lesion, not a photograph"
    rows = matching_rows(catalogue, {"diagnosis": [code]})
    row = catalogue.dataset.table.iloc[int(rows[number % len(rows)])]
    return reading.read_file(Path(row["path"])), f"{row['image_id']}, {BY_CODE[code].name}"


def _show_settings(name: str) -> None:
    with st.expander("Augmentation settings", icon=":material/tune:"):
        settings = {key: dataclasses.asdict(config) for key, config in AUGMENTATIONS.items()}
        st.table(
            {
                "Setting": [key.replace("_", " ") for key in settings[name]],
                **{
                    label: [_value(value) for value in settings[key].values()]
                    for key, label in _NAMES.items()
                },
            },
            hide_index=True, alt="Augmentation settings",
        )  # fmt: skip
        st.code(f"python -m melanoma_core train --dataset … --augment {name}", language="bash")


def _value(value: float) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else f"{value:g}"


def _next() -> None:
    st.session_state[_NUMBER] = st.session_state.get(_NUMBER, 0) + 1
