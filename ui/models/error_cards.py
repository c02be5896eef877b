"""A page of misjudged photographs: picture, evidence map, quality findings, similar cases."""

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from melanoma_core.diagnoses import BY_CODE
from melanoma_core.errors import ImageError
from melanoma_core.models import grad_cam
from melanoma_core.models.cards import OperatingPoint
from melanoma_core.models.predict import Model
from melanoma_core.models.quality_checks import SEVERE, Finding
from melanoma_core.models.similar_cases import Case
from ui import dataset_choice, photographs, result_text
from ui.assessments import ground_for_map
from ui.formats import literal, percent, small
from ui.model_records import Record
from ui.models import examined_photographs

LIKELIEST, TRUE = "the likeliest diagnosis", "the true diagnosis"
_PICTURE, _THUMBNAIL = 640, 160  # px, the long side


def show(record: Record, rows: pd.DataFrame, paths: dict[str, str], point: OperatingPoint) -> None:
    """Draw a card per photograph.

    Args:
        record: of the model.
        rows: of `error_table.build`, few.
        paths: files by image id; has every row.
        point: the threshold of the page.
    """
    model = examined_photographs.model_of(record)
    lacking = [
        name
        for name, is_lacking in (
            ("evidence maps", not record.card.has_saliency),
            ("quality checks", not record.card.quality_limits),
            ("index of similar reference lesions", model.index is None),
        )
        if is_lacking
    ]
    if lacking:
        st.markdown(small(f"This model has no {', no '.join(lacking)}."))
    evidence = LIKELIEST
    if record.card.has_saliency:
        evidence = st.segmented_control(
            "Evidence map for", (LIKELIEST, TRUE), default=LIKELIEST, required=True,
            format_func=str.capitalize, key="errors_evidence",
        )  # fmt: skip
    for row in rows.itertuples(index=False):
        code = str(row.diagnosis if evidence == TRUE else row.likeliest)
        with st.container(border=True):
            _show_card(record, model, row, paths[row.image_id], code, point)


def _show_card(
    record: Record, model: Model, row: object, path: str, code: str, point: OperatingPoint
) -> None:
    picture, evidence, facts = st.columns([3, 3, 4], gap="medium")
    with facts:
        st.markdown(_facts(row, point))
    try:
        examined = examined_photographs.examine(model, path, row.group_id, _PICTURE)
    except ImageError as error:
        with picture:
            st.markdown(f":material/broken_image: {small(literal(str(error)))}")
        return
    examined_photographs.known_findings(record)[row.image_id] = examined.problems
    with picture:
        st.image(examined.picture, alt=f"Photograph {row.image_id}", width="stretch")
    if examined.maps is not None:
        with evidence:
            _show_map(model, examined.picture, examined.maps, code, row.image_id)
    if model.card.quality_limits:
        facts.markdown(_quality(examined.problems))
    if examined.cases:
        _show_cases(examined.cases)


def _facts(row: object, point: OperatingPoint) -> str:
    true, likeliest = BY_CODE[row.diagnosis].name, BY_CODE[row.likeliest].name
    verdict = "above" if row.melanoma_probability >= point.threshold else "below"
    return (
        f"**{true}**, taken for {likeliest.lower()} ({percent(row.probability)})"
        if true != likeliest
        else f"**{true}**, the likeliest diagnosis ({percent(row.probability)})"
    ) + (
        f"  \nMelanoma {percent(row.melanoma_probability)}, {verdict} the threshold"
        f"  \n{small(f'{literal(row.image_id)}, {literal(row.source)}')}"
    )


def _show_map(
    model: Model, picture: NDArray[np.uint8], maps: NDArray[np.float32], code: str, image_id: str
) -> None:
    name = BY_CODE[code].name.lower()
    heat, scale = maps[model.card.diagnoses.index(code)], float(maps.max())
    overlay = grad_cam.overlay(ground_for_map(picture), heat, scale)
    st.image(overlay, alt=f"Evidence for {name} in {image_id}", width="stretch")
    if grad_cam.is_outlined(heat, scale):
        st.markdown(small(f"Evidence for {name}"))
    else:
        st.markdown(small(result_text.map_caption(name, heat, scale)))


def _quality(problems: tuple[Finding, ...]) -> str:
    if not problems:
        return ":gray[:material/check:] No finding on the quality of this photograph."
    return "  \n".join(
        f":{'red' if finding.severity == SEVERE else 'orange'}[:material/warning:] "
        + finding.message
        for finding in problems
    )


def _show_cases(cases: tuple[Case, ...]) -> None:
    st.markdown("**Most similar reference lesions**")
    paths = dataset_choice.paths_of(case.image_id for case in cases)
    grid = st.grid(len(cases), min_column_width=110)
    for case in cases:
        name = BY_CODE[case.diagnosis].name
        with grid, st.container(gap=None):
            if case.image_id in paths:
                photographs.show(paths[case.image_id], _THUMBNAIL, f"{name}, {case.image_id}")
            st.markdown(
                f"{name}  \n" + small(f"distance {case.distance:.1f}; {literal(case.image_id)}")
            )
