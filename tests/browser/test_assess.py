"""The page Assess in a real browser, with the server in a separate process.

If `MELANOMA_SCREENSHOTS` names a folder, every test runs in light and dark and saves screenshots
there.
"""

import csv
import io
import os
import re
import secrets
import zipfile

import numpy as np
import pytest
from PIL import Image

from tests.support import bad_images, telling_photographs

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed.")

from playwright.sync_api import expect

from melanoma_core.diagnoses import DIAGNOSES
from melanoma_core.images import reading, synthetic
from melanoma_core.models import store
from tests.support import made_browser
from tests.support.made_browser import (
    expect_one,
    photograph,
    served,
    shoot,
    upload,
    uploader,
    verdict,
)

LESION = reading.jpeg(synthetic.lesion(3, (450, 600)))
SCHEMES = ("light", "dark") if os.environ.get("MELANOMA_SCREENSHOTS") else ("light",)
# What no user should see: a traceback, a module, a path of more than one folder.
INSIDES = re.compile(r"Traceback|\.py\b|site-packages|(?:/[\w.-]+){2,}|\w:\\")
PHONE = "Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36"
EMPTY = "Add a dermoscopic photograph"
MAP = re.compile("Where the network found support for")
CAPTION = re.compile("White line: half of the strongest|No region of this|is too faint to draw")


@pytest.fixture(params=SCHEMES)
def scheme(request):
    return request.param


@pytest.fixture
def visit(browser, server, scheme):
    window = {"width": 1280, "height": 800}
    with made_browser.visits(browser, server.url, color_scheme=scheme, viewport=window) as visit:
        yield visit


def refusal(page):
    return page.get_by_test_id("stAlert")


def bar_names(page):
    chart = page.get_by_role("figure", name=re.compile("Probability of each diagnosis"))
    return chart.locator(".ytick")


def expect_empty(page):
    expect(page.get_by_role("heading", name=EMPTY)).to_be_visible()
    expect_one(uploader(page))
    expect(verdict(page)).to_have_count(0)


def expect_result(page):
    expect(verdict(page)).to_be_in_viewport()
    expect(bar_names(page)).to_have_count(9)
    assert sorted(bar_names(page).all_text_contents()) == sorted(
        diagnosis.name for diagnosis in DIAGNOSES
    )


def expect_map(page):
    page.get_by_role("radio", name="Evidence map").click()
    expect_one(page.get_by_role("img", name=MAP))
    expect_one(page.get_by_text(CAPTION))


def shows(page, file):
    """Whether the picture on screen is the one in `file`; both are 4:3 photographs."""
    _, sent = served(page, photograph(page))
    on_screen, expected = (
        np.asarray(Image.open(io.BytesIO(data)).convert("RGB").resize((60, 45)), int)
        for data in (sent, file)
    )
    return np.abs(on_screen - expected).mean() < 3


def test_a_photograph_has_verdict_bars_and_map_and_new_lesion_clears_them(visit, scheme):
    page = visit()
    expect_empty(page)
    shoot(page, "empty", scheme)
    upload(page, LESION)
    expect_result(page)
    assert shows(page, LESION)
    shoot(page, "result", scheme)
    expect_map(page)
    shoot(page, "map", scheme)
    page.get_by_role("button", name="New lesion").click()
    expect_empty(page)
    expect(page.get_by_role("img", name=MAP)).to_have_count(0)


def tops(page):
    """Where the verdict and the checks begin, px from the top of the page."""
    place = """heading => heading.getBoundingClientRect().top
        + heading.closest('[data-testid=stMain]').scrollTop"""
    checks = page.get_by_role("heading", name="Checks on this photograph")
    return [element.evaluate(place) for element in (verdict(page), checks)]


def test_no_choice_on_the_page_moves_the_verdict(visit):
    page = visit()
    upload(page, LESION)
    expect_result(page)
    expect_one(page.get_by_text("rotated and mirrored"))
    before = pytest.approx(tops(page), abs=1)  # px
    expect_map(page)
    assert tops(page) == before
    page.get_by_role("combobox", name="Evidence for").click()
    page.get_by_role("option", name=re.compile("vascular")).click()
    expect_one(page.get_by_role("img", name="Where the network found support for vascular lesion"))
    assert tops(page) == before
    page.get_by_text("About this patient").click()
    age = page.get_by_label("Age in years")
    age.fill("97")
    age.press("Enter")
    expect_one(refusal(page).filter(has_text="Outside what this model has seen."))
    assert tops(page) == before


def test_photographs_of_one_lesion_are_uploaded_together_and_one_by_one(visit, scheme):
    page = visit()
    others = [reading.jpeg(synthetic.lesion(number, (450, 600))) for number in (4, 5)]
    uploader(page).locator("input[type=file]").set_input_files(
        [
            {"name": f"{number}.jpg", "mimeType": "image/jpeg", "buffer": data}
            for number, data in enumerate((LESION, others[0]))
        ]
    )
    expect_result(page)
    expect_one(page.get_by_text(re.compile("Mean of 2 photographs; melanoma")))
    page.get_by_role("button", name="Add another photograph of this lesion").click()
    upload(page, others[1], "third.jpg")
    expect_one(page.get_by_text(re.compile("Mean of 3 photographs; melanoma")))
    expect(uploader(page)).to_have_count(0)  # the popover has closed
    shoot(page, "several", scheme)
    page.get_by_role("radio", name="1", exact=True).click()
    expect(page.get_by_role("radio", name="1", exact=True)).to_be_checked()
    page.get_by_test_id("stButton").filter(has_text="delete").get_by_role("button").click()
    expect_one(page.get_by_text(re.compile("Mean of 2 photographs; melanoma")))


def test_an_outline_is_drawn_by_hand(visit, scheme):
    page = visit()
    upload(page, LESION)
    expect_result(page)
    page.get_by_role("button", name="the outline").click()
    dialog = page.get_by_role("dialog")
    area = dialog.locator(".nsewdrag")
    expect_one(area)
    box = area.bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(middle[0] + 100, middle[1])
    page.mouse.down()
    for step in range(1, 25):
        angle = step / 4
        page.mouse.move(middle[0] + 100 * np.cos(angle), middle[1] + 80 * np.sin(angle))
    page.mouse.up()
    use = dialog.get_by_role("button", name="Use this outline")
    expect(use).to_be_enabled()
    shoot(page, "outline", scheme)
    use.click()
    expect(dialog).to_have_count(0)
    page.get_by_text("Outline", exact=True).click()
    expect_one(page.get_by_role("img", name="Photograph of the lesion, outlined"))
    page.get_by_text("Shape and color in numbers (ABCD)").click()
    expect_one(page.get_by_text(re.compile("of its convex hull is not lesion")))
    shoot(page, "outlined", scheme)


def test_a_drawn_example_says_that_it_is_drawn(visit, scheme):
    page = visit()
    page.get_by_role("button", name="Try an example lesion").click()
    expect(verdict(page)).to_be_in_viewport()
    expect(page.get_by_text("Computer-drawn, not a photograph.")).to_be_visible()
    shoot(page, "example", scheme)


def test_the_charts_are_loaded_before_a_photograph_comes(visit):
    page = visit()
    expect_one(page.get_by_role("figure", name=re.compile("^Example: ")).locator(".main-svg").first)
    scripts = """() => performance.getEntriesByType('resource').map(entry => entry.name)
        .filter(name => /PlotlyChart.*js$/.test(name))"""
    loaded = page.evaluate(scripts)
    assert len(loaded) == 1
    upload(page, LESION)
    expect_result(page)
    assert page.evaluate(scripts) == loaded


def test_the_training_data_are_shown_when_the_expander_is_opened(visit, scheme):
    page = visit()
    upload(page, LESION)
    expect_result(page)
    expect(page.get_by_text("The model was trained on")).to_have_count(0)
    page.get_by_text("What the model has and has not seen").click()
    expect_one(page.get_by_text("The model was trained on"))
    shoot(page, "seen", scheme)
    page.get_by_text("What the model has and has not seen").click()
    expect(page.get_by_text("The model was trained on")).to_be_hidden()
    page.get_by_role("button", name="New lesion").click()
    expect_empty(page)


def test_no_metadata_from_a_phone_is_kept_anywhere(visit, server, scheme):
    canary = secrets.token_hex(8)
    data = telling_photographs.phone_jpeg(canary)
    assert 1_000_000 < len(data) < 20_000_000
    assert all(part in data for part in telling_photographs.telling_bytes(canary))
    traces = telling_photographs.traces(canary)

    page = visit()
    upload(page, data, f"{canary}.jpg")
    expect_result(page)
    source, sent = served(page, photograph(page))
    assert photograph(page).evaluate("image => image.naturalHeight > image.naturalWidth")
    with Image.open(io.BytesIO(sent)) as picture:
        assert not picture.getexif()
        assert telling_photographs.has_pen_mark_at_upper_left(np.asarray(picture))
    assert not [trace for trace in traces if trace in sent]
    shoot(page, "phone", scheme)
    content = made_browser.all_that_a_page_holds(page)
    assert b"referral threshold" in content
    assert not [trace for trace in traces if trace in content]

    page.get_by_role("button", name="New lesion").click()
    expect_empty(page)
    # The server also deletes the picture once no page shows it.
    page.wait_for_function("async source => (await fetch(source)).status === 404", arg=source)
    content = made_browser.all_that_a_page_holds(page)
    assert not [trace for trace in traces if trace in content]
    assert "Runtime state:" in server.log.read_text()  # logged by Streamlit at DEBUG only
    assert made_browser.files_holding(server, traces) == []


def test_bad_files_are_refused_with_their_reason_and_the_app_continues(visit, scheme):
    page = visit()
    for name, data, kind, reason in (
        (
            "cut.jpg",
            LESION[: len(LESION) // 2],
            "image/jpeg",
            "the file ends before the picture is complete",
        ),
        ("page.jpg", b"<!DOCTYPE html><html></html>", "image/jpeg", "a web page"),
        ("scan.bmp", b"BM" + bytes(100), "image/bmp", "a BMP"),
        ("huge.png", bad_images.png(50_000, 50_000, 8, 2), "image/png", "50,000×50,000 px"),
    ):
        upload(page, data, name, kind)
        expect_one(refusal(page).filter(has_text=re.compile(f"“{name}” is .*{reason}")))
        expect(refusal(page)).to_have_count(1)
        expect_empty(page)
        assert not INSIDES.search(page.locator("body").inner_text())
        shoot(page, f"refused-{name.partition('.')[0]}", scheme)
    upload(page, LESION)
    expect(verdict(page)).to_be_visible()
    expect(refusal(page).filter(has_text="“")).to_have_count(0)


def test_hostile_names_are_shown_literally(visit, scheme):
    page = visit()
    upload(page, b"no picture", "name.jpg")
    expect_one(refusal(page).filter(has_text="“name.jpg” is not a picture"))
    elements = "alert => [...alert.querySelectorAll('*')].map(element => element.tagName)"
    harmless = refusal(page).evaluate(elements)
    for name, part in (
        ("<img src=x onerror=window.pwned=1>.jpg", "img"),
        ("**bold** [x](javascript:alert(1)).jpg", "bold"),
        ("$\\alpha$ :red[x].jpg", "alpha"),
        ("a\u202egpj.exe.jpg", "gpj"),
    ):
        upload(page, b"no picture", name)
        expect_one(refusal(page).filter(has_text=part))
        expect(refusal(page)).to_have_count(1)
        # Invisible word joiners may separate what would be Markdown together.
        shown = refusal(page).inner_text().replace("\u2060", "")
        assert "“" + name.replace("\u202e", "�") + "” is" in shown
        assert refusal(page).evaluate(elements) == harmless, name
        shoot(page, f"hostile-{part}", scheme)
    assert page.evaluate("window.pwned") is None


def test_no_visitor_sees_the_lesion_of_another(visit):
    other_lesion = reading.jpeg(synthetic.lesion(1, (450, 600), "vascular lesion"))
    first, second = visit(), visit()
    upload(first, LESION)
    expect(verdict(first)).to_be_visible()
    expect_empty(second)
    upload(second, other_lesion)
    expect(verdict(second)).to_be_visible()
    expect_empty(visit())
    expect_map(first)  # reruns the first session after the second
    first.get_by_role("radio", name="Photograph").click()
    assert shows(first, LESION)
    assert not shows(first, other_lesion)
    assert shows(second, other_lesion)


def test_the_clinic_panel_follows_its_slider_and_is_hidden_outside_the_training_data(visit, scheme):
    page = visit()
    upload(page, LESION)
    expect_result(page)
    squares = page.get_by_role("figure", name=re.compile("^Of 1,000 lesions: "))
    expect_one(squares)
    alt_for_50 = squares.get_attribute("aria-label")
    page.get_by_role("slider", name=re.compile("Melanomas among 1,000")).press("End")
    expect(squares).not_to_have_attribute("aria-label", alt_for_50)
    shoot(page, "clinic", scheme)
    page.get_by_text("About this patient").click()
    age = page.get_by_label("Age in years")
    age.fill("97")
    age.press("Enter")
    expect_one(refusal(page).filter(has_text="Outside what this model has seen."))
    expect(squares).to_have_count(0)
    expect(age).to_be_visible()  # a warning above must not close the expander
    shoot(page, "outside", scheme)


@pytest.mark.parametrize(("scheme", "width"), [("dark", 768), ("light", 390)])
def test_narrow_windows_need_no_horizontal_scrolling(visit, scheme, width):
    agent = {"user_agent": PHONE} if width < 640 else {}
    page = visit(viewport={"width": width, "height": 1024}, **agent)
    expect_empty(page)
    ground = page.get_by_test_id("stApp").evaluate("app => getComputedStyle(app).backgroundColor")
    assert ground == ("rgb(18, 26, 35)" if scheme == "dark" else "rgb(255, 255, 255)")
    assert not made_browser.is_wider_than_the_window(page)
    shoot(page, f"empty-{width}", scheme)
    upload(page, LESION)
    expect_result(page)
    assert not made_browser.is_wider_than_the_window(page)
    shoot(page, f"result-{width}", scheme)
    expect_map(page)
    assert not made_browser.is_wider_than_the_window(page)


def test_a_phone_has_the_verdict_first(visit, scheme):
    page = visit(viewport={"width": 390, "height": 844}, user_agent=PHONE)
    upload(page, LESION)
    expect_result(page)
    order = [
        verdict(page), photograph(page),
        page.get_by_role("heading", name="Checks on this photograph"),
        page.get_by_role("heading", name="All diagnoses"),
    ]  # fmt: skip
    heights = [element.bounding_box()["y"] for element in order]
    assert heights == sorted(heights)
    assert not made_browser.is_wider_than_the_window(page)
    shoot(page, "phone-result", scheme)


def test_the_about_page_opens_by_its_link(visit, scheme):
    page = visit()
    page.get_by_test_id("stSidebar").get_by_role("link", name="About").click()
    expect(page.get_by_role("heading", name="About", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", name="Report a problem")).to_be_visible()
    assert page.url.endswith("/about")
    shoot(page, "about", scheme)


def test_the_shipped_model_assesses_a_real_photograph(
    browser, research_data, scheme, tmp_path_factory
):
    models_dir = made_browser.PROJECT / "models"
    if store.champion(models_dir) is None:
        pytest.skip("No model is shipped yet: models/ has no champion.")
    data = _test_photograph(research_data)
    window = {"width": 1280, "height": 800}
    with (
        made_browser.serve(models_dir, tmp_path_factory.mktemp("shipped")) as server,
        made_browser.visits(browser, server.url, color_scheme=scheme, viewport=window) as visit,
    ):
        page = visit()
        upload(page, data)
        expect_result(page)
        assert shows(page, data)
        shoot(page, "real-result", scheme)
        expect_map(page)
        shoot(page, "real-map", scheme)


def _test_photograph(research_data):
    """The first HAM10000 photograph of the test split."""
    archive, splits = research_data / "ham10000.zip", research_data / "splits.csv"
    if not (archive.is_file() and splits.is_file()):
        pytest.skip("HAM10000 and its splits are not at ../shared/data.")
    with zipfile.ZipFile(archive) as ham, splits.open(newline="") as rows:
        members = set(ham.namelist())
        for row in csv.DictReader(rows):
            member = f"HAM10000_images/{row['image_id']}.jpg"
            if row["split"] == "test" and member in members:
                return ham.read(member)
    raise AssertionError("The split file names no test photograph of HAM10000.")
