"""Pictures of the app for README and docs: `python -m docs.pictures`, from the project's root.

It lies beside what it writes, for it measures nothing and is no part of the app. It serves the app
with the shipped models in a process of its own and drives it in Chromium (Debian's package
`chromium`), with lesions drawn by code and the bundled table of facts: no photograph is in any
picture. Run it again after a page has changed, and look at what it wrote.
"""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from benchmarks.serving import web_visitors
from melanoma_core import paths
from tests.support import made_browser

FOLDER = Path(__file__).parent
WIDTH = 1280  # px of the window, a common laptop's
MAX_BYTES = 300_000  # a file
SETTLED_MS = 1500  # without a run, so that charts have drawn themselves


@dataclass(frozen=True)
class Shot:
    """One picture: of which page, after what, how high."""

    name: str
    page: str  # its address below the app's
    height: int  # px of the window
    scheme: str = "light"
    prepare: Callable[[Page], None] | None = None


def show_example(page: Page) -> None:
    """Assess a lesion drawn by code; a result is there once another lesion can be begun."""
    page.get_by_role("button", name="example").first.click()
    page.get_by_role("button", name="New lesion").wait_for()


def choose_synthetic_set(page: Page) -> None:
    """Choose the synthetic lesions as what to train on."""
    field = page.get_by_role("combobox", name="Data set").first
    field.click()
    field.fill("Synthetic")
    page.get_by_role("option", name="Synthetic").first.click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Start training")).to_be_enabled()


SHOTS = (
    Shot("assess-light", "", 1100, prepare=show_example),
    Shot("assess-dark", "", 1100, "dark", prepare=show_example),
    Shot("explore", "explore", 1030),
    Shot("doctor", "doctor", 1000),
    Shot("train", "train", 1010, prepare=choose_synthetic_set),
    Shot("models", "models", 1120),
    Shot("lessons", "lessons", 900),
)


def settle(page: Page) -> None:
    """Wait until the page's run has ended and nothing started another one."""
    page.get_by_test_id("stHeading").first.wait_for()
    done = page.locator("[data-testid=stApp][data-test-script-state=notRunning]")
    done.wait_for()
    made_browser.expect_drawn(page)
    page.wait_for_timeout(SETTLED_MS)
    done.wait_for()


def shoot(visit: Callable[..., Page], url: str, shot: Shot) -> Path:
    """Open a page as a new visitor, and write its picture."""
    page = visit(color_scheme=shot.scheme, viewport={"width": WIDTH, "height": shot.height})
    page.goto(f"{url}/{shot.page}")
    settle(page)
    if shot.prepare:
        shot.prepare(page)
        settle(page)
    path = FOLDER / f"{shot.name}.png"
    page.mouse.move(0, 0)
    page.screenshot(path=path, animations="disabled")
    with Image.open(path) as picture:
        # 256 colors are within 9 of 255 levels for 99.9 % of the pixels, at 0.4 of the bytes.
        reduced = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE, kmeans=1)
    reduced.save(path, optimize=True)
    return path


@click.command()
@click.option(
    "--only",
    multiple=True,
    type=click.Choice([shot.name for shot in SHOTS]),
    help="One of the pictures. Repeatable; all by default.",
)
def main(only: tuple[str, ...]) -> None:
    """Write pictures of the app's pages into docs/pictures."""
    chromium = web_visitors.chromium_or_skip()
    expect.set_options(timeout=1000 * made_browser.SECONDS)
    with tempfile.TemporaryDirectory(prefix="melanoma-pictures-") as folder:
        models_dir = Path(folder, "models")
        shutil.copytree(  # the journal of this machine is not for show
            paths.PROJECT_DIR / "models", models_dir, ignore=shutil.ignore_patterns("journal.*")
        )
        with (
            made_browser.serve(models_dir, Path(folder, "server")) as server,
            sync_playwright() as driver,
        ):
            browser = driver.chromium.launch(
                executable_path=chromium, args=list(made_browser.CHROMIUM_ARGS)
            )
            with made_browser.visits(browser, server.url) as visit:
                for shot in SHOTS:
                    if only and shot.name not in only:
                        continue
                    path = shoot(visit, server.url, shot)
                    num_bytes = path.stat().st_size
                    click.echo(f"{path.name}: {num_bytes:,} bytes")
                    if num_bytes > MAX_BYTES:
                        raise click.ClickException(
                            f"{path.name} has {num_bytes:,} bytes; at most {MAX_BYTES:,} are "
                            "wanted. Make its window lower in docs/pictures/__main__.py."
                        )


if __name__ == "__main__":
    main(prog_name="python -m docs.pictures")
