"""In a real browser: a candidate is promoted, answers, and is rolled back."""

import re
import shutil

import pytest

from tests.support import altered_models

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed.")

from playwright.sync_api import expect

from melanoma_core.models import journal, store
from melanoma_core.models.journal import Kind
from tests.support import made_browser


@pytest.fixture(scope="module")
def models_dir(trained_models, tmp_path_factory):
    """The tiny model in use, and a candidate that gives the same answers."""
    folder = tmp_path_factory.mktemp("promotion") / "models"
    shutil.copytree(trained_models, folder)
    altered_models.add(folder, "tiny-1", "tiny-2", {})
    return folder


@pytest.fixture(scope="module")
def promotion_server(chromium, models_dir, tmp_path_factory):
    """The app with these models, in a process of its own."""
    with made_browser.serve(models_dir, tmp_path_factory.mktemp("server")) as server:
        yield server


def test_a_candidate_is_promoted_answers_the_next_assessment_and_is_rolled_back(
    browser, promotion_server, models_dir
):
    with (
        made_browser.visits(browser, f"{promotion_server.url}/models") as visit,
        made_browser.visits(browser, promotion_server.url) as visit_clinic,
    ):
        clinic, page = visit_clinic(), visit()
        expect(clinic.get_by_test_id("stSidebar")).to_contain_text("tiny-1")
        expect(page.get_by_text("Passes the safety check")).to_be_visible()
        page.get_by_role("button", name="Promote").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Your name, for the journal").fill("Dr Li")
        dialog.get_by_role("button", name="Promote").click()
        expect(dialog.get_by_text("The reason has 0 characters")).to_be_visible()
        dialog.get_by_label("Reason, for the journal").fill("Same answers, for a test")
        dialog.get_by_role("button", name="Promote").click()
        expect(page.get_by_text("tiny-2 is in use now.")).to_be_visible()
        assert store.champion(models_dir).model_id == "tiny-2"

        # Another session that was already open: its next assessment uses the new model.
        clinic.get_by_role("button", name="Try an example lesion").click()
        expect(clinic.get_by_text(re.compile(r"tiny-2, threshold"))).to_be_visible()
        expect(clinic.get_by_test_id("stSidebar")).to_contain_text("tiny-2")

        page.get_by_role("button", name="Go back to an earlier model").click()
        dialog.get_by_label("Reason, for the journal").fill("The test is over")
        dialog.get_by_role("button", name="Go back to tiny-1").click()
        expect(page.get_by_text("tiny-1 is in use again.")).to_be_visible()
        # The result in the other session keeps the model that made it.
        expect(clinic.get_by_text(re.compile(r"tiny-2, threshold"))).to_be_visible()
        page.get_by_role("tab", name="History").click()
        expect(page.get_by_text(re.compile("rows, none changed"))).to_be_visible()
    events = [row.event for row in journal.rows(models_dir)][-2:]
    assert [(event.kind, event.model_id, event.who) for event in events] == [
        (Kind.PROMOTED, "tiny-2", "Dr Li"), (Kind.ROLLED_BACK, "tiny-1", "Dr Li"),
    ]  # fmt: skip
