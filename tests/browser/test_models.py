"""The page Models in a real browser: every tab, in a wide and a narrow window."""

import os
import re

import pytest

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed.")

from playwright.sync_api import expect

from tests.support import made_browser
from tests.support.made_browser import shoot

SCHEMES = ("light", "dark") if os.environ.get("MELANOMA_SCREENSHOTS") else ("light",)
# Alt text of a chart in each tab.
CHARTS = {
    "Operating point": "ROC curve for melanoma",
    "Reliability": "Reliability of the probability of melanoma",
    "Diagnoses": "Likeliest diagnosis of each true diagnosis",
    "By group": "By source",
    "Training": "Loss: training from",
}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", [1280, 768])
def test_every_tab_fits_into_the_window(browser, server, scheme, width):
    window = {"width": width, "height": 1000}
    with made_browser.visits(
        browser, f"{server.url}/models", color_scheme=scheme, viewport=window
    ) as visit:
        page = visit()
        for tab, alt in CHARTS.items():
            page.get_by_role("tab", name=tab).click()
            expect(page.get_by_role("figure", name=re.compile(alt))).to_be_visible()
            assert not made_browser.is_wider_than_the_window(page)
            shoot(page, f"models-{tab.lower().replace(' ', '-')}-{width}", scheme)
        page.get_by_role("tab", name="Card").click()
        expect(page.get_by_text("network.tflite")).to_be_visible()
        assert not made_browser.is_wider_than_the_window(page)


def test_buttons_and_slider_change_the_explorer_and_the_clinic_panel(browser, server):
    with made_browser.visits(browser, f"{server.url}/models") as visit:
        page = visit()
        slider = page.get_by_role("slider").first
        initial_value = slider.get_attribute("aria-valuetext")
        squares = page.get_by_role("figure", name=re.compile(r"Of 1,000 lesions"))
        initial_alt = squares.get_attribute("aria-label")
        slider.press("Home")
        expect(page.get_by_text(re.compile(r"Sensitivity at 0\.1"))).to_be_visible()
        expect(squares).not_to_have_attribute("aria-label", initial_alt)
        page.get_by_role("button", name="the threshold of this page").click()
        expect(slider).to_have_attribute("aria-valuetext", initial_value)
        expect(squares).to_have_attribute("aria-label", initial_alt)


def test_the_chosen_threshold_stays_when_the_page_is_left(browser, server):
    with made_browser.visits(browser, f"{server.url}/models") as visit:
        page = visit()
        page.get_by_test_id("stPopoverButton").click()
        page.get_by_test_id("stRadio").get_by_text(re.compile("^90")).click()
        chosen = page.get_by_text(re.compile("You chose the threshold for 90"))
        expect(chosen).to_be_visible()
        page.keyboard.press("Escape")
        for name in ("Assess", "About", "Models"):
            page.get_by_role("link", name=name).click()
            expect(page.get_by_role("heading", level=1)).to_contain_text(name)
            if name != "About":
                expect(chosen).to_be_visible()
