"""The page Train in a real browser: a quick training to its candidate, and a server's restart."""

import os
import shutil
import signal
import time
from dataclasses import replace

import pytest

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed.")

from playwright.sync_api import expect

from melanoma_core.runs import locks, processes, states
from tests.support import made_browser, made_models

# A training at the lowest priority gets no turn beside other tests: it took three minutes there.
pytestmark = pytest.mark.alone
SECONDS = 240  # for a training at the lowest priority on a busy machine


@pytest.fixture(scope="module")
def own_server(chromium, trained_models, tmp_path_factory):
    """A server of its own, as a training adds a candidate to its models."""
    work_dir = tmp_path_factory.mktemp("train")
    models_dir = shutil.copytree(trained_models, work_dir / "models")
    with made_browser.serve(models_dir, work_dir / "server") as server:
        yield server


def test_quick_training_is_started_watched_by_two_and_ends_in_a_candidate(browser, own_server):
    with made_browser.visits(browser, f"{own_server.url}/train") as visit:
        page = visit()
        field = page.get_by_role("combobox", name="Data sets")
        field.click()
        field.fill("Synthetic")
        page.get_by_role("option", name="Synthetic lesions").click()
        page.keyboard.press("Escape")
        start = page.get_by_role("button", name="Start training")
        expect(start).to_be_enabled()
        assert not made_browser.is_wider_than_the_window(page)
        made_browser.shoot(page, "train-idle", "light")
        start.click()
        expect(page.get_by_role("button", name="Stop now")).to_be_visible()
        # Another visitor, and one who reloads the page, see the same.
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


def test_the_state_of_a_run_is_shown_within_five_seconds_of_a_server_restart(
    browser, trained_models, tmp_path, monkeypatch
):
    """A training continues without the server, and a killed one is not shown as running."""
    monkeypatch.setattr(
        processes, "_NICENESS", 2
    )  # at the lowest priority it would wait for everything else
    models_dir = shutil.copytree(trained_models, tmp_path / "models")
    work_dir = tmp_path / "server"
    runs_dir = work_dir / "melanoma_runs"
    runs_dir.mkdir(parents=True)
    dataset = made_models.draw_class_folders(tmp_path / "drawn", num_each=8)
    plan = made_models.plan(dataset, replace(made_models.CONFIG, epochs=4000))
    with made_browser.serve(models_dir, work_dir):
        run_dir = processes.start(plan, runs_dir, "Ada", models_dir)
        deadline = time.monotonic() + SECONDS
        while not states.read(run_dir).num_done and time.monotonic() < deadline:
            time.sleep(0.2)
        assert states.read(run_dir).num_done
    try:
        with (
            made_browser.serve(models_dir, work_dir) as server,
            made_browser.visits(browser, f"{server.url}/train") as visit,
        ):
            page = visit()
            # Counted from when the page itself is there.
            expect(page.get_by_role("heading", name="Train", exact=True)).to_be_visible()
            stop = page.get_by_role("button", name="Stop now")
            expect(stop).to_be_visible(timeout=5000)
            expect(page.get_by_text(run_dir.name)).to_be_visible()
            os.kill(locks.worker(run_dir), signal.SIGKILL)
            # The page looks every two seconds.
            expect(page.get_by_role("button", name="Resume")).to_be_visible(timeout=5000)
            expect(stop).to_have_count(0)
    finally:
        pid = locks.worker(run_dir)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
