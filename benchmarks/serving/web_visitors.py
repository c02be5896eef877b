"""Visitors of the app: a real browser that opens its pages and assesses made-up photographs."""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

from benchmarks.data import made_photographs
from benchmarks.serving.web_servers import Server

_TIMEOUT_MS = 120_000
_CHROMIUM_ARGUMENTS = (
    "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
_VERDICT = "the referral threshold for melanoma"


def chromium_or_skip() -> str:
    """Path of Chromium; if there is none, the benchmark ends with a message."""
    names = ("chromium", "chromium-browser", "google-chrome")
    chromium = next((path for name in names if (path := shutil.which(name))), None)
    if chromium is None:
        sys.exit("Skipped: Chromium was not found. Install Debian's package `chromium`.")
    return chromium


@contextmanager
def photographs(count: int) -> Iterator[list[Path]]:
    """Files of different photographs, at least ten, then one from a phone."""
    with tempfile.TemporaryDirectory(prefix="melanoma-benchmark-") as folder:
        files = [Path(folder, f"synthetic_{seed}.jpg") for seed in range(max(10, count))]
        for seed, file in enumerate(files):
            file.write_bytes(made_photographs.dermatoscope_jpeg(seed))
        phone = Path(folder, "phone.jpg")
        phone.write_bytes(made_photographs.phone_jpeg(len(files)))
        yield [*files, phone]


@asynccontextmanager
async def browser(chromium: str, away_from: int) -> AsyncIterator[Browser]:
    """Chromium on the other cores, so that it does not slow down a server limited to one."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores - {away_from} or cores)
    try:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=chromium, args=list(_CHROMIUM_ARGUMENTS)
            )
            os.sched_setaffinity(0, cores)
            yield browser
            await browser.close()
    finally:
        os.sched_setaffinity(0, cores)


async def tab(browser: Browser) -> Page:
    """An empty page without cookies or cache, like a new visitor's."""
    context = await browser.new_context()
    page = await context.new_page()
    page.set_default_timeout(_TIMEOUT_MS)
    return page


async def visit(page: Page, server: Server) -> None:
    """Open the app in a new session, and wait for its uploader."""
    await page.goto(server.address)
    await page.locator("input[type=file]").wait_for(state="attached")


async def assess(page: Page, file: Path) -> float:
    """Upload a photograph, and return the seconds until its verdict appears."""
    started = time.perf_counter()
    await page.locator("input[type=file]").set_input_files(file)
    await page.get_by_role("heading", name=_VERDICT).wait_for()
    return time.perf_counter() - started


async def seconds_to_bars(browser: Browser, server: Server, file: Path) -> float:
    """Seconds from the upload until the bars are drawn, in a browser without a cache."""
    page = await tab(browser)
    await visit(page, server)
    await page.locator(".js-plotly-plot .main-svg").first.wait_for()  # the example, before it
    started = time.perf_counter()
    await page.locator("input[type=file]").set_input_files(file)
    await page.locator(".js-plotly-plot .barlayer .point").first.wait_for(state="attached")
    seconds = time.perf_counter() - started
    await page.context.close()
    return seconds


async def clear(page: Page) -> None:
    """Remove the photograph, and wait for the uploader."""
    await page.get_by_role("button", name="New lesion").click()
    # The old verdict stays for a moment, and an upload before the page is ready would be lost.
    await page.get_by_role("heading", name=_VERDICT).wait_for(state="detached")
    await page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    await page.locator("input[type=file]").wait_for(state="attached")
