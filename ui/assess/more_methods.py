"""Other methods than Grad-CAM for the photograph on screen, computed on request.

What they give stays in this visitor's session, under `sessions.OTHER_MAPS`, until the next lesion.
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
from ui.assessments import Assessment, ground_for_map
from ui.formats import percent, small

_GRAD_CAM = "grad_cam"
_OF_PIXELS = "smooth_grad"  # the others have a few cells a side
_SECONDS = 1.0  # between two looks at a running computation
# A few single pixels are far hotter than all others; the authors of SmoothGrad cut them off too.
_PIXEL_PERCENTILE = 99

_MEANINGS = {
    _GRAD_CAM: "What the network adds up for {name}, where it found it, less what speaks against "
    "it. Drawn as on the evidence map: on one scale with all other diagnoses.",
    "grad_cam_plus_plus": "The same without what speaks against {name}, so it is hardly ever "
    "empty, even where {name} is improbable.",
    "score_cam": "How high the score of {name} stays when the network sees only what one of its "
    "features responds to, added up over all of them.",
    "smooth_grad": "Single pixels whose change would change the score of {name} most, up or down; "
    "the mean over slightly noisy copies of the photograph.",
}


@dataclass
class _Kept:
    """What was computed for one photograph, and what is being computed."""

    network_image: NDArray[np.uint8]  # whose maps these are
    model_id: str  # of the model that they explain
    maps: dict[str, Maps] = field(default_factory=dict)  # by diagnosis
    job: Job | None = None
    code: str = ""  # the diagnosis that the job is about
    problem: str = ""  # why there are no maps, in Markdown

    def collect(self) -> None:
        """Take what a finished job gives: maps, or a reason why there are none."""
        if self.job is None:
            return
        try:
            self.maps[self.code] = self.job.result()
        except MelanomaError as error:
            self.problem = errors.to_markdown(error)
        self.job = None

    def stop(self) -> None:
        """End what is being computed."""
        if self.job is not None:
            self.job.cancel()
            self.job = None


def show(found: Assessment, outline: NDArray[np.bool_] | None = None) -> None:
    """A diagnosis to choose, a button, and the maps of every method beside Grad-CAM.

    Args:
        found: the lesion on screen.
        outline: (H, W) of its photograph, True inside the lesion; None where it is not known.
    """
    if found.maps is None:
        st.markdown(small("The network of this model gives no evidence map."))
        return
    kept = _kept(found)
    st.markdown(
        "Three other ways to ask the same network about the same photograph. Where the maps "
        "differ, rely on none of them; where they agree, they may still all be wrong."
    )
    code = st.selectbox(
        "Maps of the evidence for", _codes(found), key="other_maps_for",
        format_func=lambda code: f"{BY_CODE[code].name}, "
        f"{percent(found.prediction.probability(code))}",
        disabled=kept.job is not None,
    )  # fmt: skip
    if kept.job is not None:
        _watch()
    elif code in kept.maps:
        _show_maps(found, kept.maps[code], code, outline)
    else:
        _offer(kept.problem, code)


def _kept(found: Assessment) -> _Kept:
    kept = st.session_state.get(sessions.OTHER_MAPS)
    if not isinstance(kept, _Kept) or kept.network_image is not found.network_image:
        kept = _Kept(found.network_image, found.card.model_id)
        st.session_state[sessions.OTHER_MAPS] = kept
    return kept


def _codes(found: Assessment) -> list[str]:
    """Melanoma, then the others from the likeliest on."""
    probability = found.prediction.probability
    return sorted(found.prediction.codes, key=lambda code: (code != "MEL", -probability(code)))


def _offer(problem: str, code: str) -> None:
    shortage = attribution_jobs.shortage()
    if problem:
        errors.show(problem)
    st.button(
        "Compute the other maps", disabled=shortage is not None,
        on_click=_start, args=(code,),
    )  # fmt: skip
    st.markdown(
        small(
            shortage
            or "About a minute, longer when the server is busy. They are computed on the server "
            "in a process of their own, kept in this session only, and gone with the next lesion."
        )
    )


# The callbacks and the fragment find by themselves what is kept: Streamlit holds on to what they
# are given, and it would outlive the lesion.


def _start(code: str) -> None:
    kept: _Kept = st.session_state[sessions.OTHER_MAPS]
    kept.problem = ""
    try:
        directory = store.model_dir(paths.models_dir(), kept.model_id)
        kept.job = attribution_jobs.start(directory, kept.network_image, code)
        kept.code = code
    except MelanomaError as error:
        kept.problem = errors.to_markdown(error)


def _stop() -> None:
    st.session_state[sessions.OTHER_MAPS].stop()


@st.fragment(run_every=_SECONDS)
def _watch() -> None:
    """How far the computation is; the whole page runs again when it has ended."""
    kept: _Kept | None = st.session_state.get(sessions.OTHER_MAPS)
    if kept is None or kept.job is None or kept.job.is_done:
        if kept is not None:
            kept.collect()
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/hourglass_top: {kept.job.progress}", width="content")
        st.button("Stop", icon=":material/stop:", on_click=_stop)


def _show_maps(
    found: Assessment, others: Maps, code: str, outline: NDArray[np.bool_] | None
) -> None:
    own = found.maps[found.prediction.codes.index(code)]
    for row in ((_GRAD_CAM, "grad_cam_plus_plus"), ("score_cam", "smooth_grad")):
        for column, method in zip(st.columns(2, gap="medium"), row, strict=True):
            with column:
                heat = own if method == _GRAD_CAM else others[method]
                _show_map(found, method, code, heat)
                if outline is not None:
                    st.markdown(small(_inside(heat, outline)))
    if found.is_drawn:
        st.markdown(small(f":material/draw: {result_text.DRAWN}"))
    if outline is None:
        st.markdown(
            small(
                "The outline of the lesion is not known, nor the share of the evidence inside it."
            )
        )
    st.markdown(
        small(
            "White line: half of the strongest evidence in that map. Grad-CAM++, Score-CAM and "
            "SmoothGrad are each drawn on a scale of their own: how strong one looks says nothing "
            "beside another."
        )
    )


def _show_map(found: Assessment, method: str, code: str, heat: NDArray[np.float32]) -> None:
    title = "Grad-CAM" if method == _GRAD_CAM else METHODS[method]
    name = BY_CODE[code].name.lower()
    scale = _scale(found, method, heat)
    ground = ground_for_map(found.picture)
    picture = grad_cam.overlay(ground, heat, scale, has_line=method != _OF_PIXELS)
    st.markdown(f"**{title}**")
    st.image(picture, alt=f"{title}: map of the evidence for {name}", width="stretch")
    if not grad_cam.is_drawable(heat, scale):
        st.markdown(small(result_text.map_caption(name, heat, scale)))
    st.markdown(small(_MEANINGS[method].format(name=name)))


def _scale(found: Assessment, method: str, heat: NDArray[np.float32]) -> float:
    """Heat that is drawn at full strength."""
    if method == _GRAD_CAM:
        return float(found.maps.max())
    return float(np.percentile(heat, _PIXEL_PERCENTILE) if method == _OF_PIXELS else heat.max())


def _inside(heat: NDArray[np.float32], outline: NDArray[np.bool_]) -> str:
    share = grad_cam.heat_inside(heat, outline)
    if math.isnan(share):
        return "There is no evidence to lie inside the lesion."
    return f"{percent(share)} of the evidence lies inside the lesion."
