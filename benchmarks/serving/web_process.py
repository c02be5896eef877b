"""What the web process takes: time to start, memory, and whether ten sessions fit a small server.

Run as `python -m benchmarks.serving.web_process` from the project's root; drives the app in Chromium
(Debian's package `chromium`) and skips, saying so, where there is none. First the app runs free.
Then it is held to one core and 690 MB, what Streamlit Community Cloud guarantees, and ten
sessions assess a photograph at the same time. Chromium runs on the other cores, where there are.
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

_HELD_MB = 690
Row = tuple[str, ...]


def main() -> None:
    """Measure, and print what was measured beside its bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=10, help="held: at the same time")
    arguments = parser.parse_args()
    chromium = web_visitors.chromium_or_skip()
    if not Path("/proc/self/status").exists():
        sys.exit("Skipped: memory is read from /proc, which only Linux has.")
    tables.print_heading("streamlit", "ai-edge-litert", "playwright")
    # Ended by another program, it still ends the app and takes its files away.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    with web_visitors.photographs(arguments.sessions) as files:
        asyncio.run(_measure(chromium, files, arguments.sessions))


async def _measure(chromium: str, files: list[Path], num_sessions: int) -> None:
    core = min(os.sched_getaffinity(0))
    async with web_visitors.browser(chromium, away_from=core) as browser:
        rows, idle_mb = await _free(browser, files[:10], files[-1])
        tables.print_table(("the web process, free", "measured", "bar", ""), rows)
        with web_servers.memory_limit(_HELD_MB, idle_mb) as limit:
            rows = await _held(browser, files[:num_sessions], core, limit)
        tables.print_table((f"held to one core and {_HELD_MB} MB", "measured", "bar", ""), rows)
        print(f"\nMemory was held by {limit.description}.")


async def _free(browser: Browser, files: list[Path], phone: Path) -> tuple[list[Row], float]:
    """Rows of the unheld app, and the MB that it maps without using."""
    # Before the start: the browser's own time is not the app's.
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
        rows = [
            _row("process start → page rendered, model loaded", seconds, 5, "s"),
            ("  the server's own processor time of it", f"{cpu:.1f} s", "", ""),
            ("memory, page rendered", f"{before_mb:.0f} MB", "", ""),
            _row(f"memory after {len(files)} assessments", after_mb, 350, "MB"),
            ("memory after one of 12 megapixels more", f"{phone_mb:.0f} MB", "", ""),
            ("TensorFlow libraries mapped", str(len(libraries)), *_none(len(libraries))),
        ]
        return rows, server.memory_mb("VmSize") - phone_mb


async def _held(
    browser: Browser, files: list[Path], core: int, limit: web_servers.MemoryLimit
) -> list[Row]:
    """Rows of the held app: one answer from a cold start, then all sessions at the same time."""
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
                f"{len(files)} sessions at once: verdicts",
                f"{len(seconds)} of {len(files)}",
                *tables.bar(len(seconds), len(files), "", at_least=True),
            ),
            ("  shortest wait", f"{min(seconds, default=float('nan')):.2f} s", "", ""),
            ("  longest wait", f"{max(seconds, default=float('nan')):.2f} s", "", ""),
            ("  the server's own processor time for all", f"{cpu:.2f} s", "", ""),
            _row("peak memory", server.memory_mb("VmHWM"), _HELD_MB, "MB"),
            ("answers afterwards", "yes" if server.is_alive() else "NO", "", ""),
        ]


def _row(name: str, measured: float, limit: float, unit: str) -> Row:
    digits = 0 if unit == "MB" else 1
    return name, f"{measured:.{digits}f} {unit}", *tables.bar(measured, limit, unit)


def _none(count: int) -> tuple[str, str]:
    return "none", "met" if count == 0 else "MISSED"


if __name__ == "__main__":
    main()
