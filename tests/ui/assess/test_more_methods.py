"""More methods: asked for on the page, watched, shown beside Grad-CAM, gone with the lesion."""

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
NO_OUTLINE = "The outline of the lesion is not known, nor the share of the evidence inside it."
WAITING = "import sys, time; sys.stderr.write('progress: Score-CAM, 3 of 16 channels\\n'); "
WAITING += "sys.stderr.flush(); time.sleep(100)"
# Heat in the right half alone; SmoothGrad with one pixel far above all others.
ANSWERING = """
import numpy as np, sys
sys.stdin.buffer.read()
half = np.float32([[0, 4], [0, 2]])
pixels = np.kron(half, np.ones((32, 32), np.float32))
pixels[0, -1] = 1000
np.savez(sys.stdout.buffer, grad_cam_plus_plus=half, score_cam=0 * half, smooth_grad=pixels)
"""


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
    """Has a child run the code that the test puts there; and the processes, to look at."""

    class Children(list):
        code = ANSWERING

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
    assert waited_for(lambda: not attribution_jobs._PLACE.locked())


def waited_for(is_so, seconds=60):
    end = time.monotonic() + seconds
    while not is_so() and time.monotonic() < end:
        time.sleep(0.05)
    return is_so()


def assessed():
    app = unfold(upload(open_app(), PHOTOGRAPH), OPEN)
    assert not app.exception
    return app


def computed(app):
    """The page once the computation that it asked for has ended."""
    button(app, COMPUTE).click().run()
    assert waited_for(lambda: not attribution_jobs._PLACE.locked())
    return app.run()


def alts(app):
    return [image.proto.imgs[0].alt for image in app.get("image")]


def labels(app):
    return [found.label for found in app.button]


def choose(app, key, value):
    return next(box for box in app.selectbox if box.key == key).set_value(value).run()


def test_diagnosis_is_melanoma_at_first_and_nothing_is_computed_unasked(models_dir, children):
    app = assessed()
    (box,) = [box for box in app.selectbox if box.key == "other_maps_for"]
    assert box.value == "MEL"
    assert box.options[0] == f"Melanoma, 31{NARROW}%"
    assert box.options[1] == f"Nevus, 49{NARROW}%"
    assert not button(app, COMPUTE).disabled
    assert not children


def test_maps_stand_beside_grad_cam_with_name_alt_and_what_they_are(models_dir, children):
    app = computed(assessed())
    assert not app.exception
    assert not app.error
    assert alts(app)[1:] == [
        "Grad-CAM: map of the evidence for melanoma",
        "Grad-CAM++: map of the evidence for melanoma",
        "Score-CAM: map of the evidence for melanoma",
        "SmoothGrad: map of the evidence for melanoma",
    ]
    page = text(app)
    for words in (
        "**Grad-CAM**", "**Grad-CAM++**", "**Score-CAM**", "**SmoothGrad**",
        "less what speaks against it",
        "without what speaks against melanoma",
        "sees only what one of its features responds to",
        "Single pixels whose change would change the score of melanoma most",
        "on a scale of their own",
        NO_OUTLINE,
    ):  # fmt: skip
        assert words in page, words
    assert page.count("No region of this photograph supports melanoma.") == 1  # Score-CAM’s
    assert COMPUTE not in labels(app)


def test_progress_is_shown_and_can_be_stopped(models_dir, children):
    children.code = WAITING
    app = assessed()
    button(app, COMPUTE).click().run()
    assert waited_for(lambda: "3 of 16" in text(app.run()))
    assert "Score-CAM, 3 of 16 channels" in text(app)
    assert COMPUTE not in labels(app)
    button(app, "Stop").click().run()
    assert waited_for(lambda: children[0].returncode is not None)
    app.run()
    assert not app.exception
    assert not app.error
    assert COMPUTE in labels(app)


def test_maps_of_another_diagnosis_are_asked_for_anew_and_those_before_are_kept(
    models_dir, children
):
    app = choose(computed(assessed()), "other_maps_for", "NV")
    assert COMPUTE in labels(app)
    app = computed(app)
    assert "Score-CAM: map of the evidence for nevus" in alts(app)
    app = choose(app, "other_maps_for", "MEL")
    assert "Score-CAM: map of the evidence for melanoma" in alts(app)
    assert len(children) == 2


def test_failure_is_told_and_can_be_tried_again(models_dir, children):
    children.code = "raise SystemExit(3)"
    app = computed(assessed())
    assert "ended with status 3" in app.error[0].value
    children.code = ANSWERING
    app = computed(app)
    assert not app.error
    assert "SmoothGrad: map of the evidence for melanoma" in alts(app)


def test_second_visitor_is_told_to_wait(models_dir, children):
    children.code = WAITING
    first, second = assessed(), assessed()
    button(first, COMPUTE).click().run()
    button(second, COMPUTE).click().run()
    assert "one at a time" in second.error[0].value
    assert COMPUTE in labels(second)
    assert len(children) == 1


def test_maps_go_with_the_lesion(models_dir, children):
    app = computed(assessed())
    button(app, "New lesion").click().run()
    assert "other_maps" not in app.session_state
    assert "network_image" not in repr(app.session_state._state._state)  # in no callback either
    app = unfold(upload(app, PHOTOGRAPH), OPEN)
    assert not any("Score-CAM" in alt for alt in alts(app))
    assert COMPUTE in labels(app)


def test_computation_ends_with_the_lesion(models_dir, children):
    children.code = WAITING
    app = assessed()
    button(app, COMPUTE).click().run()
    button(app, "New lesion").click().run()
    assert waited_for(lambda: children[0].returncode is not None)


def test_short_memory_switches_them_off_and_says_why(models_dir, children, monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 690_000_000)
    app = assessed()
    assert button(app, COMPUTE).disabled
    assert "needs 1.3 GB of memory, and 0.6 GB is free on the server" in text(app)


def test_network_without_maps_says_so(tmp_path, monkeypatch):
    stub_models.add(tmp_path, stub_models.card(has_saliency=False))
    stub_models.serve(monkeypatch, tmp_path)
    app = assessed()
    assert COMPUTE not in labels(app)
    assert text(app).count("The network of this model gives no evidence map.") == 2


def page_with_outline():
    import numpy as np
    import streamlit as st

    from ui import sessions
    from ui.assess import more_methods

    outline = np.zeros((60, 80), bool)
    outline[:30, 40:] = True  # the upper right quarter
    found = sessions.assessment()
    if found:
        more_methods.show(found, outline)
    st.write("drawn")


def test_each_map_says_its_share_inside_the_outline_when_there_is_one(models_dir, children):
    app = computed(assessed())
    alone = AppTest.from_function(page_with_outline, default_timeout=30)
    for key in ("assessment", "other_maps"):
        alone.session_state[key] = app.session_state[key]
    alone.run()
    assert not alone.exception
    page = text(alone)
    # Grad-CAM of the stub lies in the upper left; Grad-CAM++ has 4 of 6 in the quarter.
    assert f"0{NARROW}% of the evidence lies inside the lesion." in page
    assert f"67{NARROW}% of the evidence lies inside the lesion." in page
    assert "There is no evidence to lie inside the lesion." in page  # Score-CAM is empty
    assert NO_OUTLINE not in page


def test_one_hot_pixel_does_not_hide_all_others_of_smooth_grad(models_dir, children):
    app = computed(assessed())
    from ui.assess import more_methods

    found = app.session_state["assessment"]
    heat = app.session_state["other_maps"].maps["MEL"]["smooth_grad"]
    assert heat.max() == 1000
    assert more_methods._scale(found, "smooth_grad", heat) == 4


def test_tiny_model_gives_its_maps_from_a_real_child(models_in_use):
    app = computed(assessed())
    assert not app.exception
    assert not app.error
    assert "Score-CAM: map of the evidence for melanoma" in alts(app)
    found, kept = app.session_state["assessment"], app.session_state["other_maps"]
    # The network's own pixels were sent: Grad-CAM++ is never below the positive part of Grad-CAM.
    own = found.maps[found.prediction.codes.index("MEL")] * np.exp(found.prediction.logits[0])
    assert (kept.maps["MEL"]["grad_cam_plus_plus"] >= own - 1e-6).all()
