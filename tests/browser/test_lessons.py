"""The page Lessons in a real browser: with the records that ship, wide and narrow."""

import os
import re

import pytest

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed.")

from playwright.sync_api import expect

from tests.support import made_browser
from tests.support.made_browser import shoot

SCHEMES = ("light", "dark") if os.environ.get("MELANOMA_SCREENSHOTS") else ("light",)
CHARTS = (
    "Copies made before the split: ", "Copies made after the split: ",
    "Clean table, divided by lesion: ", "Width of the", "AUROC by diagnosis", "Likeliest diagnosis",
)  # fmt: skip


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", [1280, 768])
def test_every_story_fits_the_window(browser, server, scheme, width):
    window = {"width": width, "height": 2700}
    with made_browser.visits(
        browser, f"{server.url}/lessons", color_scheme=scheme, viewport=window
    ) as visit:
        page = visit()
        for alt in CHARTS:
            expect(page.get_by_role("figure", name=re.compile(alt))).to_be_visible()
        assert not made_browser.is_wider_than_the_window(page)
        shoot(page, f"lessons-{width}", scheme)


def test_the_target_width_changes_the_number(browser, server):
    with made_browser.visits(browser, f"{server.url}/lessons") as visit:
        page = visit()
        chart = page.get_by_role("figure", name=re.compile("Width of the"))
        before = chart.get_attribute("aria-label")
        field = page.get_by_label("Target width of the interval")
        field.fill("20")
        field.press("Enter")
        expect(chart).not_to_have_attribute("aria-label", before)
        page.get_by_text("How it was measured").first.click()
        expect(page.get_by_text("python -m benchmarks.lessons.leakage")).to_be_visible()
