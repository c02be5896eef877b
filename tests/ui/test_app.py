"""The frame: navigation, the notice in the sidebar, and pages opened directly."""

from PIL import Image
from streamlit.runtime.pages_manager import PagesManager

from melanoma_core.models import store
from tests.support import stub_models
from tests.support.made_pages import open_app, text
from ui import frame


def sidebar(app):
    return "\n".join(markdown.value for markdown in app.sidebar.markdown)


def test_the_app_opens_on_assess(empty_models):
    app = open_app()
    assert not app.exception
    assert app.title[0].value == "Assess a lesion"


def test_every_page_in_the_navigation_opens(empty_models):
    for page, title in (
        ("pages/assess.py", "Assess a lesion"),
        ("pages/explore.py", "Explore"),
        ("pages/doctor.py", "Data doctor"),
        ("pages/models.py", "Models"),
        ("pages/lessons.py", "Lessons"),
        ("pages/about.py", "About"),
    ):
        app = open_app(page)
        assert not app.exception
        assert app.title[0].value == title


def test_the_notice_names_the_model_in_use_and_says_what_happens_to_photographs(
    tmp_path, monkeypatch
):
    stub_models.add(tmp_path)
    stub_models.serve(monkeypatch, tmp_path)
    sha256 = store.champion(tmp_path).sha256
    for page in ("pages/assess.py", "pages/about.py"):
        notice = sidebar(open_app(page))
        assert "nine-2026-11-14" in notice
        assert f"SHA-256 {sha256[:8]}" in notice
        assert "in use since" in notice
        assert frame.PRIVACY in notice


def test_the_notice_says_when_there_is_no_model(empty_models):
    assert "none yet" in sidebar(open_app())


def test_a_promoted_model_answers_on_the_next_run(tmp_path, monkeypatch):
    stub_models.add(tmp_path)
    stub_models.serve(monkeypatch, tmp_path)
    app = open_app()
    assert "nine-2026-11-14" in sidebar(app)
    stub_models.add(tmp_path, stub_models.card("nine-2026-11-20"))
    app.run()
    assert "nine-2026-11-20" in sidebar(app)
    assert "nine-2026-11-20" in text(app)


def test_the_chosen_threshold_stays_when_the_page_is_left(tmp_path, monkeypatch):
    stub_models.add(tmp_path)
    stub_models.serve(monkeypatch, tmp_path)
    app = open_app()
    assert "You chose the threshold" not in text(app)
    app.radio(key="target").set_value(0.90).run()
    for page in ("pages/about.py", "pages/assess.py"):
        app.switch_page(page).run()
    assert app.radio(key="target").value == 0.90
    assert "**You chose the threshold for 90" in text(app)


def test_a_page_opened_directly_after_a_restart_still_has_its_frame(empty_models):
    # AppTest starts every run like a new process: with Streamlit's older kind of pages on.
    app = open_app("pages/about.py")
    PagesManager.uses_pages_directory = None
    app.run()
    assert frame.PRIVACY in sidebar(app)
    assert app.title[0].value == "About"


def test_the_icons_are_local_files():
    for name in ("logo.svg", "icon.svg", "icon.png"):
        assert (frame.ASSETS / name).is_file()
    with Image.open(frame.ASSETS / "icon.png") as icon:
        assert icon.size == (128, 128)
