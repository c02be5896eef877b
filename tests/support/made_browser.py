"""A real server in a process of its own, and what the browser tests need to look at it."""

import base64
import contextlib
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Dialog, Locator, Page, expect

PROJECT = Path(__file__).resolve().parents[2]
SECONDS = 60  # a page on a machine that is busy with something else
CHROMIUM_ARGS = (
    "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)  # fmt: skip
_NOT_WRITTEN_BY_THE_APP = {".git", ".venv", ".mypy_cache", ".ruff_cache", ".pytest_cache"}


@dataclass(frozen=True)
class Server:
    """A running app, and every place where it could leave something of a photograph."""

    url: str
    log: Path  # all that it printed, at level DEBUG
    folders: tuple[Path, ...]  # models, temporary files, home, runs, data sets
    started: float  # seconds since the epoch


@contextlib.contextmanager
def serve(models_dir: Path, work_dir: Path) -> Iterator[Server]:
    """The app on a free port of this machine only, until the block ends."""
    places = {
        variable: work_dir / variable.lower()
        for variable in ("TMPDIR", "HOME", "MELANOMA_RUNS", "MELANOMA_DATASETS")
    }
    for place in places.values():
        place.mkdir(parents=True, exist_ok=True)  # a server that is started again finds them
    places["MELANOMA_MODELS"] = models_dir
    log, port, started = work_dir / "server.log", _free_port(), time.time()
    command = [
        sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true",
        "--server.address=127.0.0.1", f"--server.port={port}", "--server.fileWatcherType=none",
        "--logger.level=debug",
    ]  # fmt: skip
    environment = {**os.environ, **{name: str(place) for name, place in places.items()}}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=PROJECT, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_healthy(process, url, log)
        yield Server(url, log, tuple(places.values()), started)
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_healthy(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with (
            contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError),
            urllib.request.urlopen(f"{url}/_stcore/health", timeout=SECONDS),
        ):
            return
        time.sleep(0.05)
    raise AssertionError(f"The server did not start:\n{log.read_text()}")


@contextlib.contextmanager
def visits(browser: Browser, url: str, **defaults: object) -> Iterator[Callable[..., Page]]:
    """A function that opens the app as one more visitor; the end of the block judges all visits.

    No visitor's browser may ask another machine for anything, run into an uncaught error, or be
    shown a dialog.
    """
    complaints: list[str] = []
    contexts = []

    def dismiss(dialog: Dialog) -> None:
        complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def ask(address: str) -> None:
        parts = urlsplit(address)
        if parts.hostname != "127.0.0.1" and parts.scheme not in ("data", "blob"):
            complaints.append(f"request to {address}")

    def visit(**options: object) -> Page:
        context = browser.new_context(**{**defaults, **options})
        contexts.append(context)
        context.on("request", lambda request: ask(request.url))
        page = context.new_page()
        page.set_default_timeout(1000 * SECONDS)
        page.on("websocket", lambda websocket: ask(websocket.url))
        page.on("pageerror", lambda error: complaints.append(f"uncaught: {error}"))
        page.on("dialog", dismiss)
        page.goto(url)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert complaints == []


def upload(page: Page, data: bytes, name: str = "lesion.jpg", kind: str = "image/jpeg") -> None:
    """Put one file into the uploader that is on screen."""
    expect_one(uploader(page))
    uploader(page).locator("input[type=file]").set_input_files(
        {"name": name, "mimeType": kind, "buffer": data}
    )


def expect_one(found: Locator) -> None:
    """Wait until it is there once: until a run has ended, what it replaces is still there, too."""
    expect(found).to_have_count(1)
    expect(found).to_be_visible()


def expect_drawn(page: Page) -> None:
    """Wait until no run is at work: what is downloaded meanwhile may be gone from the server."""
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)


def uploader(page: Page) -> Locator:
    return page.get_by_test_id("stFileUploader")


def verdict(page: Page) -> Locator:
    return page.get_by_role(
        "heading", name=re.compile("(Above|Below) the referral threshold for melanoma")
    )


def photograph(page: Page) -> Locator:
    return page.get_by_role("img", name="Photograph of the lesion", exact=True)


def served(page: Page, picture: Locator) -> tuple[str, bytes]:
    """Where the browser got a picture from, and the file that it got."""
    expect_one(picture)
    # The element is there before its file is.
    expect(picture).to_have_js_property("complete", True)
    source = picture.evaluate("image => image.src")
    encoded = page.evaluate(
        """async source => {
            const file = await (await fetch(source)).blob()
            const reader = new FileReader()
            const read = new Promise(done => { reader.onload = done })
            reader.readAsDataURL(file)
            await read
            return reader.result.split(',')[1]
        }""",
        source,
    )
    return source, base64.b64decode(encoded)


def is_wider_than_the_window(page: Page) -> bool:
    """Whether a visitor would have to scroll sideways."""
    wide: bool = page.evaluate(
        """() => [document.documentElement, document.querySelector('[data-testid=stMain]')]
            .some(element => element.scrollWidth > element.clientWidth)"""
    )
    return wide


def all_that_a_page_holds(page: Page) -> bytes:
    """Its elements, what stands in its fields, its address and what it stored."""
    held: str = page.evaluate(
        """() => [
            document.documentElement.outerHTML, location.href, document.cookie,
            ...[...document.querySelectorAll('input, textarea')].map(field => field.value),
            JSON.stringify(localStorage), JSON.stringify(sessionStorage),
        ].join('\\n')"""
    )
    return held.encode()


def shoot(page: Page, name: str, scheme: str) -> None:
    """Write a picture of the window where `MELANOMA_SCREENSHOTS` says, if it says anything."""
    folder = os.environ.get("MELANOMA_SCREENSHOTS")
    if not folder:
        return
    expect_drawn(page)
    page.mouse.move(0, 0)
    page.screenshot(path=Path(folder) / f"{name}-{scheme}.png", animations="disabled")


def files_holding(server: Server, wanted: Sequence[bytes]) -> list[str]:
    """Files, in all places where this server may write, whose name or content holds any of it."""
    found = [server.log] if _holds(server.log, wanted) else []
    for folder in server.folders:
        found += [path for path in folder.rglob("*") if _holds(path, wanted)]
    for folder_name, subfolders, names in os.walk(PROJECT):
        subfolders[:] = [name for name in subfolders if name not in _NOT_WRITTEN_BY_THE_APP]
        for path in (Path(folder_name) / name for name in names):
            # Another program's file may go while this looks at it.
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime >= server.started - 1 and _holds(path, wanted):
                    found.append(path)
    return [str(path) for path in found]


def _holds(path: Path, wanted: Sequence[bytes]) -> bool:
    content = path.read_bytes() if path.is_file() else b""
    return any(part in content or part in os.fsencode(path) for part in wanted)
