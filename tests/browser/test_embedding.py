"""The tab Map in a real browser: a map of an uploaded set, made with the model in use."""

import io
import zipfile

import pytest

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed.")

from playwright.sync_api import expect

from tests.support import made_browser
from tests.support.made_models import draw_class_folders


def test_a_map_is_made_in_a_real_browser(browser, server, tmp_path):
    drawn = draw_class_folders(tmp_path / "drawn", num_each=6)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for path in sorted(drawn.rglob("*.png")):
            archive.write(path, path.relative_to(drawn))
    with made_browser.visits(browser, f"{server.url}/explore") as visit:
        page = visit()
        page.get_by_role("combobox").first.click()
        page.get_by_role("option", name="Upload a zip").click()
        made_browser.upload(page, file.getvalue(), "drawn.zip", "application/zip")
        page.get_by_role("tab", name="Map", exact=True).click()
        page.get_by_role("button", name="Make the map").click()
        expect(page.get_by_role("figure", name="Map of the embeddings")).to_be_visible()
        expect(page.get_by_role("button", name="Make the map")).to_have_count(0)
        assert not made_browser.is_wider_than_the_window(page)
