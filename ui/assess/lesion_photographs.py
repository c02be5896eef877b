"""The photographs of the lesion on screen: take new ones in, remove one, redraw an outline."""

import dataclasses

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from melanoma_core.errors import ImageError, MelanomaError
from melanoma_core.models.assessments import RefusedError
from melanoma_core.models.predict import Model
from ui import assessments, errors, sessions, uploads
from ui.assessments import Assessment, ShownPhotograph
from ui.formats import literal
from ui.sessions import Rejection
from ui.uploads import Upload

MOST = 8  # of one lesion; each takes 3 MB of memory as long as the session


_REPLACED = (
    "**The model was replaced since the first photograph.** Their results cannot be combined. "
    "Choose New lesion, and add all photographs again."
)


def receive(model: Model) -> None:
    """Assess what was uploaded just now, or the example that was asked for.

    Further photographs join the lesion on screen. One that is refused or cannot be read leaves the
    lesion as it was, and the reason is kept in `sessions.rejections`.
    """
    files, example = uploads.uploaded(), uploads.example()
    if example is not None:
        drawn = assessments.examine(model, example, is_drawn=True)
        sessions.set_assessment(assessments.combine(model, [drawn]))
    elif files:
        with st.spinner("Assessing the photograph"):  # Streamlit waits half a second with it
            before = sessions.assessment()
            _add(model, files)
            if before is not None and sessions.assessment() is before:
                _say_unchanged()


def _add(model: Model, files: tuple[Upload, ...]) -> None:
    before = sessions.assessment()
    if before is not None and before.card.model_id != model.card.model_id:
        sessions.set_rejections([Rejection(_REPLACED)])
        return
    photographs = [] if before is None else list(before.photographs)
    num_before = len(photographs)
    rejections = []
    for file in files:
        try:
            if len(photographs) == MOST:
                raise ImageError(
                    f"“{file.name}” was not added: a lesion has at most {MOST} photographs here."
                )
            photographs.append(assessments.examine(model, uploads.read(file)))
        except RefusedError as error:
            name = f"{literal(f'“{file.name}”')}: " if len(files) > 1 else ""
            rejections.append(Rejection(name + refusal_text(error), is_refusal=True))
        except MelanomaError as error:
            rejections.append(Rejection(errors.to_markdown(error)))
    if len(photographs) > num_before:
        assessment = assessments.combine(model, photographs)
        if before is None:
            sessions.set_assessment(assessment)
        else:
            sessions.update_assessment(assessment)
        sessions.show_photograph(len(photographs) - 1 if before else 0)
    sessions.set_rejections(rejections)


def _say_unchanged() -> None:
    """Add to each rejection that the result, which was there before, still holds."""
    sessions.set_rejections(
        [
            dataclasses.replace(rejection, text=f"{rejection.text} The result is unchanged.")
            for rejection in sessions.rejections()
        ]
    )


def refusal_text(error: RefusedError) -> str:
    """Why a picture is not assessed, in Markdown, without any number of the model."""
    return (
        "**This does not look like a dermoscopic photograph of a skin lesion.** The system gives "
        f"no result for it. {literal(error.refusal.message)}"
    )


def shown(assessment: Assessment) -> int:
    """The number of the photograph on screen, from 0."""
    number: int = st.session_state.get(sessions.SHOWN) or 0
    return min(number, len(assessment.photographs) - 1)


def remove_shown(model: Model) -> None:
    """Remove the photograph on screen from the lesion, which keeps at least one."""
    assessment = sessions.assessment()
    if assessment is None or len(assessment.photographs) == 1:
        return
    number = shown(assessment)
    photographs = list(assessment.photographs)
    del photographs[number]
    sessions.update_assessment(assessments.combine(model, photographs))
    sessions.set_rejections(())
    sessions.show_photograph(min(number, len(photographs) - 1))


def redraw_outline(outline: NDArray[np.bool_] | None) -> None:
    """Use this outline (h, w) for the photograph on screen; None: the one that was found."""
    assessment = sessions.assessment()
    if assessment is None:
        return
    number = shown(assessment)
    photographs: list[ShownPhotograph] = list(assessment.photographs)
    photographs[number] = dataclasses.replace(
        photographs[number],
        outline=photographs[number].examined.outline if outline is None else outline,
    )
    sessions.update_assessment(dataclasses.replace(assessment, photographs=tuple(photographs)))
