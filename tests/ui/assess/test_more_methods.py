"""More methods: requested on the page, watched, shown beside Grad-CAM, deleted with the lesion."""

import subprocess
import sys
import time

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from melanoma_core.images import reading, synthetic
from melanoma_core.models import attribution_jobs, memory
from tests.support import stub_models
from tests.support.made_pages import button, open_app, text, unfold, upload

NARROW = "\u202f"
PHOTOGRAPH = reading.jpeg(synthetic.lesion(3, (120, 160)))
OPEN = "more_methods_open"
COMPUTE = "Compute the other maps"
NO_OUTLINE = "The outline of the lesion is not known"
WAITING = "import sys, time; sys.stderr.write('progress: Score-CAM, 3 of 16 channels\\n'); "
WAITING += "sys.stderr.flush(); time.sleep(100)"
# Heat only in the right half; SmoothGrad with one pixel far above all others.
ANSWERING = """
import numpy as np, sys, time
from melanoma_core.models.attribution_jobs import npy
sys.stdin.buffer.read()
half = np.float32([[0, 4], [0, 2]])
pixels = np.kron(half, np.ones((32, 32), np.float32))
pixels[0, -1] = 1000
maps = {"grad_cam_plus_plus": half, "smooth_grad": pixels, "score_cam": 0 * half}
for name in sys.argv[4:]:
    sys.stdout.buffer.write(f"{name} {len(npy(maps[name]))}\\n".encode() + npy(maps[name]))
    sys.stdout.buffer.flush()
    if LAST == name:
        sys.stderr.write("progress: Score-CAM, 3 of 16 channels\\n")
        sys.stderr.flush()
        time.sleep(100)
"""
MISSING = "Compute the missing maps"


@pytest.fixture(autouse=True)
def _enough_memory(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 2_000_000_000)


@pytest.fixture
def models_dir(tmp_path, monkeypatch):
    stub_models.add(tmp_path)
    stub_models.serve(monkeypatch, tmp_path)
    return tmp_path


@pytest.fixture
def children(monkeypatch):
    """The child processes; each runs `code`, which a test may replace."""

    class Children(list):
        code = f"LAST = ''\n{ANSWERING}"

    started = Children()

    def launch(*arguments):
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", started.code, *arguments],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )
        )  # fmt: skip
        return started[-1]

    monkeypatch.setattr(attribution_jobs, "_launch", launch)
    yield started
    for process in started:
        process.kill()
    assert wait_for(lambda: not attribution_jobs._PLACE.locked())


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


def assess():
    app = unfold(upload(open_app(), PHOTOGRAPH), OPEN)
    assert not app.exception
    return app


def compute(app):
    """Ask for the maps; returns the page once they are computed."""
    button(app, COMPUTE).click().run()
    assert wait_for(lambda: not attribution_jobs._PLACE.locked())
    return app.run()


def alts(app):
    return [image.proto.imgs[0].alt for image in app.get("image")]


def labels(app):
    return [button.label for button in app.button]


def choose(app, key, value):
    return next(box for box in app.selectbox if box.key == key).set_value(value).run()


def test_melanoma_is_the_first_choice_and_nothing_is_computed_unasked(models_dir, children):
    app = assess()
    (box,) = [box for box in app.selectbox if box.key == "other_maps_for"]
    assert box.value == "MEL"
    assert box.options[0] == f"Melanoma, 31{NARROW}%"
    assert box.options[1] == f"Nevus, 49{NARROW}%"
    assert not button(app, COMPUTE).disabled
    assert not children


def test_maps_are_shown_beside_grad_cam_with_name_alt_text_and_explanation(models_dir, children):
    app = compute(assess())
    assert not app.exception
    assert not app.error
    assert alts(app)[1:] == [
        "Grad-CAM: evidence map for melanoma",
        "Grad-CAM++: evidence map for melanoma",
        "SmoothGrad: evidence map for melanoma",
        "Score-CAM: evidence map for melanoma",
    ]
    page = text(app)
    for phrase in (
        "**Grad-CAM**", "**Grad-CAM++**", "**Score-CAM**", "**SmoothGrad**",
        "minus the evidence against it",
        "without the evidence against melanoma",
        "sees only the regions that one of its features responds to",
        "Single pixels where a change would alter the score of melanoma most",
        "each have their own scale",
        NO_OUTLINE,
    ):  # fmt: skip
        assert phrase in page, phrase
    assert page.count("No region of this photograph supports melanoma.") == 1  # Score-CAM’s
    assert COMPUTE not in labels(app)


def test_progress_is_shown_and_can_be_stopped(models_dir, children):
    children.code = WAITING
    app = assess()
    button(app, COMPUTE).click().run()
    assert wait_for(lambda: "3 of 16" in text(app.run()))
    assert "Score-CAM, 3 of 16 channels" in text(app)
    assert COMPUTE not in labels(app)
    button(app, "Stop").click().run()
    assert wait_for(lambda: children[0].returncode is not None)
    app.run()
    assert not app.exception
    assert not app.error
    assert COMPUTE in labels(app)


def test_maps_are_shown_as_they_are_finished_and_stay_when_the_rest_is_stopped(
    models_dir, children
):
    children.code = f"LAST = 'smooth_grad'\n{ANSWERING}"
    app = assess()
    button(app, COMPUTE).click().run()
    assert wait_for(lambda: "SmoothGrad: evidence map for melanoma" in alts(app.run()))
    assert "Score-CAM, 3 of 16 channels" in text(app)  # still at work
    assert "**Score-CAM**  \n:small[:gray[Not computed yet.]]" in text(app)
    button(app, "Stop").click().run()
    assert wait_for(lambda: not attribution_jobs._PLACE.locked())
    app.run()
    assert not app.error
    assert "SmoothGrad: evidence map for melanoma" in alts(app)
    del children.code
    button(app, MISSING).click().run()
    assert wait_for(lambda: not attribution_jobs._PLACE.locked())
    app.run()
    assert "Score-CAM: evidence map for melanoma" in alts(app)
    assert not {COMPUTE, MISSING} & set(labels(app))
    assert children[1].args[-1] == "score_cam"
    assert "smooth_grad" not in children[1].args


def test_each_diagnosis_needs_its_own_request_and_earlier_maps_are_kept(models_dir, children):
    app = choose(compute(assess()), "other_maps_for", "NV")
    assert COMPUTE in labels(app)
    app = compute(app)
    assert "Score-CAM: evidence map for nevus" in alts(app)
    app = choose(app, "other_maps_for", "MEL")
    assert "Score-CAM: evidence map for melanoma" in alts(app)
    assert len(children) == 2


def test_a_failure_is_reported_and_can_be_retried(models_dir, children):
    children.code = "raise SystemExit(3)"
    app = compute(assess())
    assert "ended with status 3" in app.error[0].value
    del children.code
    app = compute(app)
    assert not app.error
    assert "SmoothGrad: evidence map for melanoma" in alts(app)


def test_a_second_visitor_is_asked_to_wait(models_dir, children):
    children.code = WAITING
    first, second = assess(), assess()
    button(first, COMPUTE).click().run()
    button(second, COMPUTE).click().run()
    assert "one at a time" in second.error[0].value
    assert COMPUTE in labels(second)
    assert len(children) == 1


def test_maps_are_deleted_with_the_lesion(models_dir, children):
    app = compute(assess())
    button(app, "New lesion").click().run()
    assert "other_maps" not in app.session_state
    assert "network_image" not in repr(app.session_state._state._state)  # in no callback either
    app = unfold(upload(app, PHOTOGRAPH), OPEN)
    assert not any("Score-CAM" in alt for alt in alts(app))
    assert COMPUTE in labels(app)


def test_computation_ends_with_the_lesion(models_dir, children):
    children.code = WAITING
    app = assess()
    button(app, COMPUTE).click().run()
    button(app, "New lesion").click().run()
    assert wait_for(lambda: children[0].returncode is not None)


def test_with_too_little_memory_they_are_disabled_with_the_reason(
    models_dir, children, monkeypatch
):
    monkeypatch.setattr(memory, "available", lambda: 690_000_000)
    app = assess()
    assert button(app, COMPUTE).disabled
    assert "needs 1.7 GB of memory, and 0.6 GB is free on the server" in text(app)


def test_a_model_without_maps_says_so(tmp_path, monkeypatch):
    stub_models.add(tmp_path, stub_models.card(has_saliency=False))
    stub_models.serve(monkeypatch, tmp_path)
    app = assess()
    assert COMPUTE not in labels(app)
    assert text(app).count("This model has no evidence maps.") == 1


def page_with_outline():
    import numpy as np
    import streamlit as st

    from ui import sessions
    from ui.assess import more_methods

    outline = np.zeros((60, 80), bool)
    outline[:30, 40:] = True  # the upper right quarter
    assessment = sessions.assessment()
    if assessment:
        more_methods.show(assessment.photographs[0], outline)
    st.write("drawn")


def test_each_map_says_how_much_evidence_lies_inside_a_known_outline(models_dir, children):
    app = compute(assess())
    alone = AppTest.from_function(page_with_outline, default_timeout=30)
    for key in ("assessment", "other_maps"):
        alone.session_state[key] = app.session_state[key]
    alone.run()
    assert not alone.exception
    page = text(alone)
    # Grad-CAM of the stub is in the upper left; Grad-CAM++ has 4 of 6 in the quarter.
    assert f"0{NARROW}% of the evidence lies inside the lesion." in page
    assert f"67{NARROW}% of the evidence lies inside the lesion." in page
    assert "This map shows no evidence." in page  # Score-CAM is empty
    assert NO_OUTLINE not in page


def test_one_hot_pixel_does_not_hide_all_others_in_smooth_grad(models_dir, children):
    app = compute(assess())
    from ui.assess import more_methods

    assessment = app.session_state["assessment"]
    heat = app.session_state["other_maps"].maps["MEL"]["smooth_grad"]
    assert heat.max() == 1000
    assert more_methods._scale(assessment, "smooth_grad", heat) == 4


def test_the_tiny_model_gets_its_maps_from_a_real_child_process(models_in_use):
    app = compute(assess())
    assert not app.exception
    assert not app.error
    assert "Score-CAM: evidence map for melanoma" in alts(app)
    assessment, computations = app.session_state["assessment"], app.session_state["other_maps"]
    # The network's own input was sent: Grad-CAM++ is never below the positive part of Grad-CAM.
    prediction = assessment.prediction
    maps = assessment.photographs[0].maps
    grad_cam = maps[prediction.codes.index("MEL")] * np.exp(prediction.logits[0])
    assert (computations.maps["MEL"]["grad_cam_plus_plus"] >= grad_cam - 1e-6).all()
