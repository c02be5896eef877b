"""Evidence maps by methods other than Grad-CAM, computed on request.

They stay in this visitor's session, under `sessions.OTHER_MAPS`, until the next lesion.
"""

import math
from dataclasses import dataclass, field

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from melanoma_core import paths
from melanoma_core.diagnoses import BY_CODE
from melanoma_core.errors import MelanomaError
from melanoma_core.models import attribution_jobs, grad_cam, store
from melanoma_core.models.attribution_jobs import METHODS, Job, Maps
from ui import errors, result_text, sessions
from ui.assessments import ShownPhotograph, ground_for_map
from ui.formats import percent, small

_GRAD_CAM = "grad_cam"
_PIXELWISE = "smooth_grad"  # the other methods have a coarse grid
_SECONDS = 1.0  # between two checks of a running computation
# A few pixels are far hotter than all others; the authors of SmoothGrad clip them too.
_PIXEL_PERCENTILE = 99

_MEANINGS = {
    _GRAD_CAM: "Where the network found evidence for {name}, minus the evidence against it. Drawn "
    "as on the evidence map, on the same scale for all diagnoses.",
    "grad_cam_plus_plus": "Like Grad-CAM, but without the evidence against {name}, so it is rarely "
    "empty, even where {name} is improbable.",
    "score_cam": "How high the score of {name} stays when the network sees only the regions that "
    "one of its features responds to, summed over all features.",
    "smooth_grad": "Single pixels where a change would alter the score of {name} most, up or down; "
    "averaged over slightly noisy copies of the photograph.",
}


@dataclass
class _Computations:
    """Finished and running computations for one photograph."""

    network_image: NDArray[np.uint8]  # the photograph
    model_id: str  # of the model that the maps explain
    maps: dict[str, Maps] = field(default_factory=dict)  # by diagnosis
    job: Job | None = None
    code: str = ""  # the diagnosis of the job
    problem: str = ""  # why the last job failed, in Markdown

    def collect(self) -> None:
        """Take the maps that are finished; of an ended job also the reason why it failed."""
        if self.job is None:
            return
        is_done = self.job.is_done  # before its maps are read: none comes after that
        self.maps.setdefault(self.code, {}).update(self.job.maps)
        if is_done:
            try:
                self.job.result()
            except MelanomaError as error:
                self.problem = errors.to_markdown(error)
            self.job = None

    def stop(self) -> None:
        """Cancel the running job, if any; its finished maps stay."""
        if self.job is not None:
            self.maps.setdefault(self.code, {}).update(self.job.maps)
            self.job.cancel()
            self.job = None


def show(photograph: ShownPhotograph, outline: NDArray[np.bool_] | None = None) -> None:
    """Draw the choice of a diagnosis, and a button or the maps of all methods.

    Args:
        photograph: on screen.
        outline: (H, W) of its photograph, True inside the lesion; None if it is not known.
    """
    if photograph.maps is None:
        st.markdown(small("This model has no evidence maps."))
        return
    computations = _computations_for(photograph)
    st.markdown(
        "Three other methods for the same network and photograph. If the maps disagree, rely on "
        "none of them; even if they agree, all may be wrong."
    )
    code = st.selectbox(
        "Evidence maps for", _codes(photograph), key="other_maps_for",
        format_func=lambda code: f"{BY_CODE[code].name}, "
        f"{percent(photograph.prediction.probability(code))}",
        disabled=computations.job is not None,
    )  # fmt: skip
    maps = computations.maps.get(code, {})
    if computations.job is not None:
        _watch()
    elif len(maps) < len(METHODS):
        _offer(computations.problem, code, is_begun=bool(maps))
    if maps:
        _show_maps(photograph, maps, code, outline)


def _computations_for(photograph: ShownPhotograph) -> _Computations:
    image = photograph.network_image
    computations = st.session_state.get(sessions.OTHER_MAPS)
    if not isinstance(computations, _Computations) or computations.network_image is not image:
        computations = _Computations(image, photograph.prediction.model_id)
        st.session_state[sessions.OTHER_MAPS] = computations
    return computations


def _codes(photograph: ShownPhotograph) -> list[str]:
    """Melanoma first, then the other diagnoses by probability."""
    prediction = photograph.prediction
    return sorted(prediction.codes, key=lambda code: (code != "MEL", -prediction.probability(code)))


def _offer(problem: str, code: str, *, is_begun: bool) -> None:
    shortage = attribution_jobs.shortage()
    if problem:
        errors.show(problem)
    st.button(
        f"Compute the {'missing' if is_begun else 'other'} maps", disabled=shortage is not None,
        on_click=_start, args=(code,),
    )  # fmt: skip
    st.markdown(
        small(
            shortage
            or "Takes some minutes, ten when the server is busy; the time left is shown. Each map "
            "appears as soon as it is finished. The maps are computed in a separate process on "
            "the server, kept in this session only, and deleted with New lesion."
        )
    )


# The callbacks and the fragment read the session themselves: Streamlit keeps their arguments, which
# would outlive the lesion.


def _start(code: str) -> None:
    computations: _Computations = st.session_state[sessions.OTHER_MAPS]
    computations.problem = ""
    try:
        directory = store.model_dir(paths.models_dir(), computations.model_id)
        finished = computations.maps.get(code, {})
        computations.job = attribution_jobs.start(
            directory,
            computations.network_image,
            code,
            [method for method in METHODS if method not in finished],
        )
        computations.code = code
    except MelanomaError as error:
        computations.problem = errors.to_markdown(error)


def _stop() -> None:
    st.session_state[sessions.OTHER_MAPS].stop()


@st.fragment(run_every=_SECONDS)
def _watch() -> None:
    """Draw the progress of the job; reruns the whole page for each map, and when it has ended."""
    computations: _Computations | None = st.session_state.get(sessions.OTHER_MAPS)
    if computations is None or computations.job is None:
        st.rerun()
    num_shown = len(computations.maps.get(computations.code, {}))
    computations.collect()
    if computations.job is None or len(computations.maps[computations.code]) > num_shown:
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/hourglass_top: {computations.job.progress}", width="content")
        st.button("Stop", icon=":material/stop:", on_click=_stop)


def _show_maps(
    photograph: ShownPhotograph, others: Maps, code: str, outline: NDArray[np.bool_] | None
) -> None:
    grad_cam_heat = photograph.maps[photograph.prediction.codes.index(code)]
    for row in ((_GRAD_CAM, "grad_cam_plus_plus"), ("smooth_grad", "score_cam")):
        for column, method in zip(st.columns(2, gap="medium"), row, strict=True):
            with column:
                heat = grad_cam_heat if method == _GRAD_CAM else others.get(method)
                if heat is None:
                    st.markdown(f"**{METHODS[method]}**  \n{small('Not computed yet.')}")
                    continue
                _show_map(photograph, method, code, heat)
                if outline is not None:
                    st.markdown(small(_inside(heat, outline)))
    if photograph.is_drawn:
        st.markdown(small(f":material/draw: {result_text.DRAWN}"))
    if outline is None:
        st.markdown(
            small(
                "The outline of the lesion is not known, so how much of the evidence lies inside "
                "it is not known either."
            )
        )
    st.markdown(
        small(
            "White line: half of the strongest evidence in that map. Grad-CAM++, Score-CAM and "
            "SmoothGrad each have their own scale, so their strengths cannot be compared."
        )
    )


def _show_map(
    photograph: ShownPhotograph, method: str, code: str, heat: NDArray[np.float32]
) -> None:
    title = "Grad-CAM" if method == _GRAD_CAM else METHODS[method]
    name = BY_CODE[code].name.lower()
    scale = _scale(photograph, method, heat)
    ground = ground_for_map(photograph.picture)
    picture = grad_cam.overlay(ground, heat, scale, has_line=method != _PIXELWISE)
    st.markdown(f"**{title}**")
    st.image(picture, alt=f"{title}: evidence map for {name}", width="stretch")
    if not grad_cam.is_outlined(heat, scale):
        st.markdown(small(result_text.map_caption(name, heat, scale)))
    st.markdown(small(_MEANINGS[method].format(name=name)))


def _scale(photograph: ShownPhotograph, method: str, heat: NDArray[np.float32]) -> float:
    """The heat that is drawn at full strength."""
    if method == _GRAD_CAM:
        return float(photograph.maps.max())
    return float(np.percentile(heat, _PIXEL_PERCENTILE) if method == _PIXELWISE else heat.max())


def _inside(heat: NDArray[np.float32], outline: NDArray[np.bool_]) -> str:
    proportion = grad_cam.heat_inside(heat, outline)
    if math.isnan(proportion):
        return "This map shows no evidence."
    return f"{percent(proportion)} of the evidence lies inside the lesion."
