"""The web process: its start-up time, its memory, and whether ten sessions fit a small server.

Run as `python -m benchmarks.serving.web_process` from the project's root. It drives the app in
Chromium (Debian's package `chromium`), and is skipped with a message if there is none. First the
app runs without limits. Then it gets one core and 690 MB, the guarantee of Streamlit Community
Cloud, and ten sessions assess a photograph at the same time. Chromium runs on the other cores, if
there are any.
"""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

from playwright.async_api import Browser

from benchmarks import tables
from benchmarks.serving import web_servers, web_visitors

_LIMIT_MB = 690
Row = tuple[str, ...]


def main() -> None:
    """Measure, and print the figures and their bars."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=10, help="at the same time, with limits")
    arguments = parser.parse_args()
    chromium = web_visitors.chromium_or_skip()
    if not Path("/proc/self/status").exists():
        sys.exit("Skipped: memory is read from /proc, which only Linux has.")
    tables.print_heading("streamlit", "ai-edge-litert", "playwright")
    # When another program ends this one, still stop the app and delete the files.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    with web_visitors.photographs(arguments.sessions) as files:
        asyncio.run(_measure(chromium, files, arguments.sessions))


async def _measure(chromium: str, files: list[Path], num_sessions: int) -> None:
    core = min(os.sched_getaffinity(0))
    async with web_visitors.browser(chromium, away_from=core) as browser:
        rows, unused_mb = await _measure_unlimited(browser, files[:10], files[-1])
        tables.print_table(("web process without limits", "measured", "bar", ""), rows)
        with web_servers.memory_limit(_LIMIT_MB, unused_mb) as limit:
            rows = await _measure_limited(browser, files[:num_sessions], core, limit)
        headings = (f"limited to one core and {_LIMIT_MB} MB", "measured", "bar", "")
        tables.print_table(headings, rows)
        print(f"\nMemory was limited by {limit.description}.")


async def _measure_unlimited(
    browser: Browser, files: list[Path], phone: Path
) -> tuple[list[Row], float]:
    """Rows of the app without limits, and the MB that it maps but does not use."""
    # Open the tab before the app starts, so that the browser's own time is not counted.
    page = await web_visitors.tab(browser)
    with web_servers.start() as server:
        await web_visitors.visit(page, server)
        seconds, cpu = server.seconds(), server.cpu_seconds()
        before_mb = server.memory_mb("VmRSS")
        for file in files:
            await web_visitors.assess(page, file)
            after_mb = server.memory_mb("VmRSS")
            await web_visitors.clear(page)
        await web_visitors.assess(page, phone)
        phone_mb = server.memory_mb("VmRSS")
        libraries = server.libraries_of("tensorflow")
        bars = await web_visitors.seconds_to_bars(browser, server, files[0])
        rows = [
            _row("process start → page rendered, model loaded", seconds, 5, "s"),
            ("  processor time of the server for that", f"{cpu:.1f} s", "", ""),
            ("memory, page rendered", f"{before_mb:.0f} MB", "", ""),
            _row(f"memory after {len(files)} assessments", after_mb, 350, "MB"),
            ("memory after one more of 12 megapixels", f"{phone_mb:.0f} MB", "", ""),
            _row("upload → bars drawn, browser without a cache", bars, 1.2, "s"),
            ("TensorFlow libraries mapped", str(len(libraries)), *_none(len(libraries))),
        ]
        return rows, server.memory_mb("VmSize") - phone_mb


async def _measure_limited(
    browser: Browser, files: list[Path], core: int, limit: web_servers.MemoryLimit
) -> list[Row]:
    """Rows of the app with limits: a cold start, then all sessions at the same time."""
    first = await web_visitors.tab(browser)
    with web_servers.start(core, limit) as server:
        await web_visitors.visit(first, server)
        opened = server.seconds()
        await web_visitors.assess(first, files[0])
        answered = server.seconds()
        pages = [await web_visitors.tab(browser) for _ in files]
        for page in pages:
            await web_visitors.visit(page, server)
        cpu_before = server.cpu_seconds()
        waits = await asyncio.gather(
            *(web_visitors.assess(page, file) for page, file in zip(pages, files, strict=True)),
            return_exceptions=True,
        )
        cpu = server.cpu_seconds() - cpu_before
        seconds = [wait for wait in waits if isinstance(wait, float)]
        for failure in (wait for wait in waits if isinstance(wait, BaseException)):
            print(f"a session got no verdict: {failure}", file=sys.stderr)
        return [
            ("process start → page rendered, model loaded", f"{opened:.1f} s", "", ""),
            _row("process start → first verdict", answered, 30, "s"),
            (
                f"{len(files)} sessions at the same time: verdicts",
                f"{len(seconds)} of {len(files)}",
                *tables.bar(len(seconds), len(files), "", at_least=True),
            ),
            ("  shortest wait", f"{min(seconds, default=float('nan')):.2f} s", "", ""),
            ("  longest wait", f"{max(seconds, default=float('nan')):.2f} s", "", ""),
            ("  processor time of the server for all", f"{cpu:.2f} s", "", ""),
            _row("peak memory", server.memory_mb("VmHWM"), _LIMIT_MB, "MB"),
            ("answers afterwards", "yes" if server.is_alive() else "NO", "", ""),
        ]


def _row(name: str, measured: float, limit: float, unit: str) -> Row:
    digits = 0 if unit == "MB" else 1
    return name, f"{measured:.{digits}f} {unit}", *tables.bar(measured, limit, unit)


def _none(count: int) -> tuple[str, str]:
    return "none", "met" if count == 0 else "MISSED"


if __name__ == "__main__":
    main()
