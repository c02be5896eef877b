"""The page Train in a real browser: a quick training from the start to a candidate."""

import shutil

import pytest

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed.")

import made_browser
from playwright.sync_api import expect

SECONDS = 240  # for a training at the lowest priority on a machine that is busy


@pytest.fixture(scope="module")
def own_server(chromium, trained_models, tmp_path_factory):
    """A server of its own: a training puts its candidate beside the model in use."""
    work_dir = tmp_path_factory.mktemp("train")
    models_dir = shutil.copytree(trained_models, work_dir / "models")
    with made_browser.serve(models_dir, work_dir / "server") as server:
        yield server


def test_quick_training_is_started_watched_by_two_and_ends_in_a_candidate(browser, own_server):
    with made_browser.visits(browser, f"{own_server.url}/train") as visit:
        page = visit()
        field = page.get_by_role("combobox", name="Data sets")
        field.click()
        field.fill("drawn by")
        page.get_by_role("option", name="Lesions drawn by code").click()
        page.keyboard.press("Escape")
        start = page.get_by_role("button", name="Start training")
        expect(start).to_be_enabled()
        assert not made_browser.is_wider_than_the_window(page)
        made_browser.shoot(page, "train-idle", "light")
        start.click()
        expect(page.get_by_role("button", name="Stop now")).to_be_visible()
        # Another visitor, and one who comes back, see the same.
        other = visit(viewport={"width": 768, "height": 900})
        expect(other.get_by_role("button", name="Start training")).to_have_count(0)
        page.reload()
        for each in (page, other):
            expect(each.get_by_text("is ready. It is not in use.")).to_be_visible(
                timeout=1000 * SECONDS
            )
            assert not made_browser.is_wider_than_the_window(each)
        made_browser.shoot(other, "train-ended-768", "light")
        page.get_by_role("link", name="Compare it with the model in use").click()
        expect(page.get_by_role("heading", name="Models", exact=True)).to_be_visible()
