"""A real server in its own process, and what the browser tests need to inspect its pages."""

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
SECONDS = 60  # for a page on a busy machine
CHROMIUM_ARGS = (
    "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)  # fmt: skip
_NOT_WRITTEN_BY_THE_APP = {".git", ".venv", ".mypy_cache", ".ruff_cache", ".pytest_cache"}


@dataclass(frozen=True)
class Server:
    """A running app, and every place where it could leave traces of a photograph."""

    url: str
    log: Path  # its output, at level DEBUG
    folders: tuple[Path, ...]  # models, temporary files, home, runs, data sets
    started: float  # seconds since the epoch


@contextlib.contextmanager
def serve(models_dir: Path, work_dir: Path) -> Iterator[Server]:
    """Serve the app on a free local port until the block ends."""
    places = {
        variable: work_dir / variable.lower()
        for variable in ("TMPDIR", "HOME", "MELANOMA_RUNS", "MELANOMA_DATASETS")
    }
    for place in places.values():
        place.mkdir(parents=True, exist_ok=True)  # a restarted server uses them again
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
    """A function that opens the app as a new visitor; the end of the block checks all visits.

    No visitor's browser may send a request to another machine, raise an uncaught error, or show a
    dialog.
    """
    complaints: list[str] = []
    contexts = []

    def dismiss(dialog: Dialog) -> None:
        complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def check_address(address: str) -> None:
        parts = urlsplit(address)
        if parts.hostname != "127.0.0.1" and parts.scheme not in ("data", "blob"):
            complaints.append(f"request to {address}")

    def visit(**options: object) -> Page:
        context = browser.new_context(**{**defaults, **options})
        contexts.append(context)
        context.on("request", lambda request: check_address(request.url))
        page = context.new_page()
        page.set_default_timeout(1000 * SECONDS)
        page.on("websocket", lambda websocket: check_address(websocket.url))
        page.on("pageerror", lambda error: complaints.append(f"uncaught: {error}"))
        page.on("dialog", dismiss)
        page.goto(url)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert complaints == []


def upload(page: Page, data: bytes, name: str = "lesion.jpg", kind: str = "image/jpeg") -> None:
    """Put one file into the page's uploader."""
    expect_one(uploader(page))
    uploader(page).locator("input[type=file]").set_input_files(
        {"name": name, "mimeType": kind, "buffer": data}
    )


def expect_one(element: Locator) -> None:
    """Wait until the element exists once; while a run is going on, its old version exists too."""
    expect(element).to_have_count(1)
    expect(element).to_be_visible()


def expect_drawn(page: Page) -> None:
    """Wait until no run is at work: what is downloaded meanwhile may be gone from the server."""
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)


def uploader(page: Page) -> Locator:
    return page.get_by_test_id("stFileUploader")


def verdict(page: Page) -> Locator:
    return page.get_by_role(
        "heading", name=re.compile("(Above|Below) (the|both) referral threshold|Cannot be judged")
    )


def photograph(page: Page) -> Locator:
    return page.get_by_role("img", name="Photograph of the lesion", exact=True)


def served(page: Page, picture: Locator) -> tuple[str, bytes]:
    """The address of a picture, and the file that the browser received."""
    expect_one(picture)
    # The element exists before its file is loaded.
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
    """True if a visitor would have to scroll sideways."""
    is_wider: bool = page.evaluate(
        """() => [document.documentElement, document.querySelector('[data-testid=stMain]')]
            .some(element => element.scrollWidth > element.clientWidth)"""
    )
    return is_wider


def all_that_a_page_holds(page: Page) -> bytes:
    """The page's elements, field values, address, cookies and storage."""
    content: str = page.evaluate(
        """() => [
            document.documentElement.outerHTML, location.href, document.cookie,
            ...[...document.querySelectorAll('input, textarea')].map(field => field.value),
            JSON.stringify(localStorage), JSON.stringify(sessionStorage),
        ].join('\\n')"""
    )
    return content.encode()


def shoot(page: Page, name: str, scheme: str) -> None:
    """Save a screenshot in the folder `MELANOMA_SCREENSHOTS`, if that is set."""
    folder = os.environ.get("MELANOMA_SCREENSHOTS")
    if not folder:
        return
    expect_drawn(page)
    page.mouse.move(0, 0)
    page.screenshot(path=Path(folder) / f"{name}-{scheme}.png", animations="disabled")


def files_holding(server: Server, traces: Sequence[bytes]) -> list[str]:
    """Files that this server may have written whose name or content has any of the traces."""
    paths = [server.log] if _contains(server.log, traces) else []
    for folder in server.folders:
        paths += [path for path in folder.rglob("*") if _contains(path, traces)]
    for folder_name, subfolders, names in os.walk(PROJECT):
        subfolders[:] = [name for name in subfolders if name not in _NOT_WRITTEN_BY_THE_APP]
        for path in (Path(folder_name) / name for name in names):
            # Another program may delete its file meanwhile.
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime >= server.started - 1 and _contains(path, traces):
                    paths.append(path)
    return [str(path) for path in paths]


def _contains(path: Path, traces: Sequence[bytes]) -> bool:
    content = path.read_bytes() if path.is_file() else b""
    return any(trace in content or trace in os.fsencode(path) for trace in traces)
