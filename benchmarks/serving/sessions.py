"""Many sessions at once, each assessing one photograph after the other, over HTTP and WebSocket.

Run as `python -m benchmarks.serving.sessions` from the project's root; needs Linux. The app is
started for each number of sessions, with the champion. A session does what a browser does on the
page Assess: it uploads a photograph, waits for the verdict, fetches the picture that is shown,
presses “New lesion”, thinks for a second, and takes the next photograph. All sessions are clients
in this one process, which draws nothing and so takes little processor time; that time is measured
separately. No upload starts after the last second; those in progress are waited for and counted.

The verdict is there once a finished script run shows the chart “Referral threshold”. Words on the
page are rounded, but the chart's Plotly JSON, which the server sends as `PlotlyChart.spec`, holds
the probability of melanoma in full as the place of its diamond. It is compared with what the same
model says of the same file in this process, one file after the other. No two photographs have
nearly the same probability, so an answer meant for another session is a wrong one.
"""

import argparse
import asyncio
import http.client
import itertools
import json
import os
import signal
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from http.cookies import SimpleCookie
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from streamlit.proto.Alert_pb2 import Alert
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Common_pb2 import FileURLs
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from benchmarks import records, tables
from benchmarks.accuracy import held_out
from benchmarks.data import made_photographs
from benchmarks.serving import latency, web_servers
from benchmarks.serving.web_servers import Server
from melanoma_core import paths
from melanoma_core.images import reading
from melanoma_core.models import predict, store
from melanoma_core.models.predict import Model

_NUM_PHOTOGRAPHS = 12
_TOLERANCE = 1e-5  # between an answer of the server and the serial one
_APART = 1e-3  # at least, between the probabilities of two photographs
_TIMEOUT_S = 120
_NUM_WARM_UP = 3
_NETWORK_RUNS = 120

# Bars of the largest number of sessions.
_P95_BAR = 25.0  # times the median of a single session
_LONGEST_BAR = 3.0  # times p95
_GROWTH_BAR_MB = 150.0

_UPLOADER = "Photograph of one lesion"
_CLEAR = "New lesion"
_MARK = "diamond"  # of the lesion, on the chart “Referral threshold”
_COOKIE = "_streamlit_xsrf"
_BOUNDARY = "photograph-of-one-lesion"


class SessionError(Exception):
    """The page did not do what a visitor asked for."""


_T = TypeVar("_T")
_FAILURES = (SessionError, OSError, http.client.HTTPException, WebSocketException)


@dataclass(frozen=True)
class Photograph:
    """A file to upload."""

    name: str
    data: bytes = field(repr=False)
    probability: float  # of melanoma, as computed here


@dataclass(frozen=True)
class Answer:
    """One assessment that got its verdict."""

    seconds: float  # from the start of the upload to the end of the script run with the verdict
    probability: float  # of melanoma, as the server gave it
    expected: float

    @property
    def is_wrong(self) -> bool:
        """Whether it is not the answer for this photograph."""
        return not abs(self.probability - self.expected) <= _TOLERANCE


@dataclass
class Load:
    """What one number of sessions did, and what it took."""

    num_sessions: int
    answers: list[Answer] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    seconds: float = 0.0  # until the last assessment was over
    server_cpu_s: float = 0.0
    client_cpu_s: float = 0.0
    others_cpu_s: float = 0.0  # of all other programs on the machine
    before_mb: float = 0.0
    after_mb: float = 0.0
    peak_mb: float = 0.0


def main() -> None:
    """Measure, print what was measured beside its bar, and record it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, nargs="+", default=[1, 10, 50])
    parser.add_argument("--seconds", type=float, default=60, help="in which uploads begin")
    parser.add_argument("--think", type=float, default=1, help="seconds between two photographs")
    parser.add_argument("--archive", type=Path, default=held_out.DATA / "ham10000.zip")
    held_out.add_splits_option(parser)
    records.add_option(parser)
    arguments = parser.parse_args()
    if not Path("/proc/self/status").exists():
        sys.exit("Skipped: memory is read from /proc, which only Linux has.")
    # Ended by another program, it still ends the app.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    packages = ("streamlit", "ai-edge-litert", "websockets")
    with records.recorded("sessions", arguments.results, *packages) as record:
        model, problem = predict.load_champion(paths.models_dir())
        if problem:
            sys.exit(problem)
        held_out.print_models([model])
        is_real = arguments.archive.exists() and arguments.splits.exists()
        files = _test_files(arguments.archive, arguments.splits) if is_real else _drawn_files()
        photographs = choose(model, files)
        kind = "of the HAM10000 test split" if is_real else "drawn by code"
        print(f"{len(photographs)} photographs {kind}")
        network_s = _network_cpu_seconds(model, photographs)
        loads = [
            asyncio.run(_measure(number, photographs, arguments.seconds, arguments.think))
            for number in arguments.sessions
        ]
        rows = figures(loads, network_s)
        _print(rows)
        record |= {
            "models": held_out.describe([model]),
            "photographs": [photograph.name for photograph in photographs],
            "network_cpu_ms": 1e3 * network_s,
            "rows": rows,
        }


# Photographs, and what they take in this process.


def _test_files(archive: Path, splits: Path) -> Iterator[tuple[str, bytes]]:
    """Photographs of the test split in the archive, always in the same order."""
    table = pd.read_csv(splits)
    test = set(table.loc[table["split"] == "test", "image_id"])
    with zipfile.ZipFile(archive) as content:
        names = [name for name in content.namelist() if PurePosixPath(name).stem in test]
        for name in np.random.default_rng(0).permutation(sorted(names)):
            yield PurePosixPath(name).name, content.read(name)


def _drawn_files() -> Iterator[tuple[str, bytes]]:
    for seed in range(10 * _NUM_PHOTOGRAPHS):
        yield f"drawn_{seed}.jpg", made_photographs.dermatoscope_jpeg(seed)


def choose(model: Model, files: Iterable[tuple[str, bytes]]) -> list[Photograph]:
    """The first photographs whose probabilities of melanoma lie apart."""
    chosen: list[Photograph] = []
    for name, data in files:
        probability = predict.classify(model, reading.read(data)).melanoma_probability
        if all(abs(probability - other.probability) >= _APART for other in chosen):
            chosen.append(Photograph(name, data, probability))
        if len(chosen) == _NUM_PHOTOGRAPHS:
            return chosen
    sys.exit(f"Only {len(chosen)} photographs with probabilities of their own were found.")


def _network_cpu_seconds(model: Model, photographs: Sequence[Photograph]) -> float:
    """Processor time that the network alone takes for a photograph, on one thread."""
    directory = store.model_dir(paths.models_dir(), model.card.model_id)
    run = latency.graph(directory, num_threads=1)
    squares = [
        reading.resize(reading.read(photograph.data), model.card.image_size)
        for photograph in photographs
    ]
    batches = [square[np.newaxis].astype(np.float32) for square in squares]
    for batch in batches:  # warm
        run(image=batch)
    before = time.process_time()
    for number in range(_NETWORK_RUNS):
        run(image=batches[number % len(batches)])
    return (time.process_time() - before) / _NETWORK_RUNS


# What a browser knows of the page.


class Page:
    """The elements that the latest script run has shown, each at its place on the page."""

    def __init__(self) -> None:
        self.elements: dict[tuple[int, ...], Element] = {}
        self.script_hash = ""

    def apply(self, message: ForwardMsg) -> bool:
        """Take a message of the server; whether it ends a script run that went to its end."""
        kind = message.WhichOneof("type")
        if kind == "new_session" and not message.metadata.run.fragment_ids:
            self.elements.clear()
        elif kind == "navigation":
            self.script_hash = message.navigation.page_script_hash
        elif kind == "delta" and not message.delta.HasField("new_transient"):
            place = tuple(message.metadata.delta_path)
            self._clear(place)
            if message.delta.HasField("new_element"):
                self.elements[place] = message.delta.new_element
        elif kind == "script_finished":
            return message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN
        return False

    def _clear(self, place: tuple[int, ...]) -> None:
        """Take away what stands at a place, and in it."""
        inside = [other for other in self.elements if other[: len(place)] == place]
        for other in inside:
            del self.elements[other]

    def of_kind(self, kind: str) -> list[Any]:
        """The elements of one kind, such as `button`."""
        return [
            getattr(element, kind)
            for element in self.elements.values()
            if element.WhichOneof("type") == kind
        ]

    def uploader(self) -> str | None:
        """The id of the place for a photograph; None where there is none."""
        found = (item for item in self.of_kind("file_uploader") if item.label.startswith(_UPLOADER))
        return next((item.id for item in found), None)

    def free_uploader(self) -> str | None:
        """The id of the uploader while no verdict is shown."""
        return self.uploader() if self.melanoma_probability() is None else None

    def button(self, label: str) -> str | None:
        """The id of a button."""
        return next((item.id for item in self.of_kind("button") if item.label == label), None)

    def melanoma_probability(self) -> float | None:
        """The probability behind the verdict, in full; None if no verdict is shown.

        The empty page has the same chart of an example, but no button to clear it.
        """
        if self.button(_CLEAR) is None:
            return None
        for chart in self.of_kind("plotly_chart"):
            for trace in json.loads(chart.spec)["data"]:
                if trace.get("marker", {}).get("symbol") == _MARK:
                    return float(trace["x"][0]) / 100
        return None

    def problem(self) -> str | None:
        """The first error that the page tells."""
        refusals = [item.body for item in self.of_kind("alert") if item.format == Alert.ERROR]
        faults = [f"{item.type}: {item.message}" for item in self.of_kind("exception")]
        return next(iter(faults + refusals), None)


# One visitor.


@dataclass(frozen=True)
class Reply:
    """What the server answered to an HTTP request."""

    status: int
    cookie: str
    body: bytes = field(repr=False)


def _request(
    address: str, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> Reply:
    host = address.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=_TIMEOUT_S)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return Reply(response.status, response.getheader("Set-Cookie") or "", response.read())
    finally:
        connection.close()


class Session:
    """A visitor of the page Assess."""

    def __init__(self, address: str, token: str, socket: ClientConnection) -> None:
        self._address = address
        self._token = token
        self._socket = socket
        self._page = Page()
        self._states: dict[str, WidgetState] = {}  # by id

    @classmethod
    async def open(cls, address: str) -> "Session":
        """Open the app; back once its uploader is there."""
        health = await asyncio.to_thread(_request, address, "GET", "/_stcore/health")
        token = SimpleCookie(health.cookie)[_COOKIE].value
        socket = await connect(
            f"{address.replace('http', 'ws', 1)}/_stcore/stream",
            subprotocols=[Subprotocol("streamlit"), Subprotocol(token)],
            additional_headers={"Cookie": f"{_COOKIE}={token}"},
            proxy=None, max_size=None, ping_interval=None, open_timeout=_TIMEOUT_S,
        )  # fmt: skip
        session = cls(address, token, socket)
        try:
            await session._run_until(Page.free_uploader)
        except BaseException:
            await session.close()
            raise
        return session

    async def assess(self, photograph: Photograph) -> Answer:
        """Upload a photograph, and read its verdict."""
        started = time.perf_counter()
        uploader = self._page.free_uploader()
        if uploader is None:
            raise SessionError("there is no room for a photograph")
        urls = await self._upload(photograph)
        state = WidgetState(id=uploader)
        state.file_uploader_state_value.uploaded_file_info.add(
            name=photograph.name, size=len(photograph.data), file_id=urls.file_id, file_urls=urls
        )
        self._states[uploader] = state
        probability = await self._run_until(Page.melanoma_probability)
        return Answer(time.perf_counter() - started, probability, photograph.probability)

    async def see(self) -> None:
        """Fetch the pictures that the page shows, as a browser does."""
        for shown in self._page.of_kind("imgs"):
            for image in shown.imgs:
                reply = await asyncio.to_thread(_request, self._address, "GET", image.url)
                if reply.status != HTTPStatus.OK:
                    raise SessionError(f"a picture was answered with status {reply.status}")

    async def clear(self) -> None:
        """Make room for the next photograph."""
        button = self._page.button(_CLEAR)
        if button is None:
            raise SessionError(f"there is no button “{_CLEAR}”")
        await self._run_until(Page.free_uploader, WidgetState(id=button, trigger_value=True))

    async def close(self) -> None:
        """Leave the app."""
        await self._socket.close()

    async def _upload(self, photograph: Photograph) -> FileURLs:
        message = BackMsg()
        message.file_urls_request.request_id = photograph.name
        message.file_urls_request.file_names.append(photograph.name)
        await self._socket.send(message.SerializeToString())
        async with asyncio.timeout(_TIMEOUT_S):
            while (received := await self._receive()).WhichOneof("type") != "file_urls_response":
                self._page.apply(received)
        urls = received.file_urls_response.file_urls[0]
        body = (
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; '
            f'filename="{photograph.name}"\r\nContent-Type: image/jpeg\r\n\r\n'
        ).encode() + photograph.data + f"\r\n--{_BOUNDARY}--\r\n".encode()  # fmt: skip
        headers = {
            "Content-Type": f"multipart/form-data; boundary={_BOUNDARY}",
            "Cookie": f"{_COOKIE}={self._token}",
            "X-Xsrftoken": self._token,
        }
        reply = await asyncio.to_thread(
            _request, self._address, "PUT", urls.upload_url, body, headers
        )
        if reply.status != HTTPStatus.NO_CONTENT:
            raise SessionError(f"the upload was answered with status {reply.status}")
        return urls

    async def _run_until(self, look: Callable[[Page], _T | None], *triggers: WidgetState) -> _T:
        """Ask for a script run; what `look` sees once a finished run has left it on the page."""
        message = BackMsg()
        message.rerun_script.page_script_hash = self._page.script_hash
        message.rerun_script.widget_states.widgets.extend([*self._states.values(), *triggers])
        await self._socket.send(message.SerializeToString())
        seen = None
        async with asyncio.timeout(_TIMEOUT_S):
            while seen is None:
                if self._page.apply(await self._receive()):
                    problem = self._page.problem()
                    if problem:
                        raise SessionError(problem)
                    seen = look(self._page)
        # A browser forgets a widget that is no longer on the page.
        here = self._page.uploader()
        self._states = {name: state for name, state in self._states.items() if name == here}
        return seen

    async def _receive(self) -> ForwardMsg:
        return ForwardMsg.FromString(await self._socket.recv(decode=False))


# All visitors.


async def _measure(
    num_sessions: int, photographs: Sequence[Photograph], seconds: float, think: float
) -> Load:
    """Start the app, warm it, and let so many sessions work on it."""
    # Requests wait in threads: no more than six would run at once by default.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(num_sessions))
    load = Load(num_sessions)
    with web_servers.start() as server:
        await _warm_up(server, photographs)
        load.before_mb = server.memory_mb("VmRSS")
        server.forget_peak()
        opened = await asyncio.gather(*(Session.open(server.address) for _ in range(num_sessions)))
        machine_cpu = _busy_seconds()
        server_cpu, client_cpu = server.cpu_seconds(), time.process_time()
        started = time.perf_counter()

        async def visit(number: int, session: Session) -> None:
            # Spread over the time to think: visitors do not begin at the same moment.
            await asyncio.sleep(think * number / num_sessions)
            order = itertools.islice(itertools.cycle(photographs), number, None)
            await _work(server, session, order, started + seconds, think, load)

        await asyncio.gather(*(visit(*item) for item in enumerate(opened)))
        load.seconds = time.perf_counter() - started
        load.server_cpu_s = server.cpu_seconds() - server_cpu
        load.client_cpu_s = time.process_time() - client_cpu
        in_all = _busy_seconds() - machine_cpu
        load.others_cpu_s = max(0.0, in_all - load.server_cpu_s - load.client_cpu_s)
        load.after_mb, load.peak_mb = server.memory_mb("VmRSS"), server.memory_mb("VmHWM")
    for error, times in Counter(load.errors).most_common():
        print(f"{num_sessions} sessions, {times} ×: {error}", file=sys.stderr)
    return load


def _busy_seconds() -> float:
    """Processor time that the whole machine has used since it was started."""
    first = Path("/proc/stat").read_text().splitlines()[0]
    user, nice, system, _idle, _waiting, irq, softirq, steal = map(int, first.split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


async def _warm_up(server: Server, photographs: Sequence[Photograph]) -> None:
    session = await Session.open(server.address)
    for photograph in photographs[:_NUM_WARM_UP]:
        await session.assess(photograph)
        await session.see()
        await session.clear()
    await session.close()


async def _work(
    server: Server,
    session: Session,
    photographs: Iterator[Photograph],
    deadline: float,
    think: float,
    load: Load,
) -> None:
    """Assess one photograph after the other; after an error, in a new session."""
    is_open = True
    while time.perf_counter() < deadline:
        try:
            if not is_open:
                session = await Session.open(server.address)
                is_open = True
            load.answers.append(await session.assess(next(photographs)))
            await session.see()
            await session.clear()
        except _FAILURES as error:
            load.errors.append(f"{type(error).__name__}: {error}")
            await session.close()
            is_open = False
        await asyncio.sleep(think)
    await session.close()


# Figures.


def figures(loads: Sequence[Load], network_s: float) -> list[dict[str, float | None]]:
    """A row for each load; what needs a single session or an answer is None where there is none.

    Args:
        loads: of one run of this command.
        network_s: processor time of the network alone for one photograph.
    """
    single = next((load for load in loads if load.num_sessions == 1 and load.answers), None)
    single_ms = None if single is None else 1e3 * float(np.median(_seconds(single)))
    return [_figures(load, single_ms, network_s) for load in loads]


def _figures(load: Load, single_ms: float | None, network_s: float) -> dict[str, float | None]:
    row: dict[str, float | None] = {
        "num_sessions": load.num_sessions,
        "num_errors": len(load.errors),
        "num_assessments": len(load.answers),
        "num_wrong": sum(answer.is_wrong for answer in load.answers),
        "seconds": load.seconds,
        "others_cores": load.others_cpu_s / load.seconds if load.seconds else None,
        "memory_before_mb": load.before_mb,
        "memory_after_mb": load.after_mb,
        "memory_peak_mb": load.peak_mb,
        "memory_growth_mb": load.peak_mb - load.before_mb,
    }
    if not load.answers:
        return row
    milliseconds = 1e3 * _seconds(load)
    p50, p95 = (float(np.percentile(milliseconds, share)) for share in (50, 95))
    server_ms = 1e3 * load.server_cpu_s / len(load.answers)
    return row | {
        "assessments_a_second": len(load.answers) / load.seconds,
        "p50_ms": p50,
        "p95_ms": p95,
        "longest_ms": float(milliseconds.max()),
        "p95_by_single": None if single_ms is None else p95 / single_ms,
        "longest_by_p95": float(milliseconds.max()) / p95,
        "largest_difference": max(abs(a.probability - a.expected) for a in load.answers),
        "server_cpu_ms": server_ms,
        "network_cpu_ms": 1e3 * network_s,
        "server_by_network": server_ms / (1e3 * network_s),
        "client_cpu_ms": 1e3 * load.client_cpu_s / len(load.answers),
    }


def _seconds(load: Load) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([answer.seconds for answer in load.answers])


_LINES: tuple[tuple[str, str, str, float | None], ...] = (
    ("errors", "num_errors", "{:.0f}", 0),
    ("answers that are not the photograph's own", "num_wrong", "{:.0f}", 0),
    ("  largest difference in a probability", "largest_difference", "{:.0e}", None),
    ("assessments", "num_assessments", "{:,.0f}", None),
    ("  a second", "assessments_a_second", "{:.2f}", None),
    ("from upload to verdict, median, ms", "p50_ms", "{:,.0f}", None),
    ("  95th percentile, ms", "p95_ms", "{:,.0f}", None),
    ("  longest, ms", "longest_ms", "{:,.0f}", None),
    ("  p95 ÷ median of a single session", "p95_by_single", "{:.1f}", _P95_BAR),
    ("  longest ÷ p95", "longest_by_p95", "{:.2f}", _LONGEST_BAR),
    ("processor time of the server for each, ms", "server_cpu_ms", "{:.1f}", None),
    ("  of the network alone, one thread, ms", "network_cpu_ms", "{:.1f}", None),
    ("  the server ÷ the network alone", "server_by_network", "{:.1f}", None),
    ("  of all clients for each, ms", "client_cpu_ms", "{:.1f}", None),
    ("cores that other programs kept busy", "others_cores", "{:.2f}", None),
    ("memory before, MB", "memory_before_mb", "{:.0f}", None),
    ("  after, MB", "memory_after_mb", "{:.0f}", None),
    ("  at its peak, MB", "memory_peak_mb", "{:.0f}", None),
    ("  growth to its peak, MB", "memory_growth_mb", "{:.0f}", _GROWTH_BAR_MB),
)


def _print(rows: Sequence[dict[str, float | None]]) -> None:
    """One column for each number of sessions; bars are those of the largest."""
    largest = max(rows, key=lambda row: row["num_sessions"] or 0)
    lines = []
    for name, key, form, limit in _LINES:
        values = [row.get(key) for row in rows]
        cells = ["n/a" if value is None else form.format(value) for value in values]
        measured = largest.get(key)
        is_held = limit is not None and measured is not None
        lines.append((name, *cells, *(tables.bar(measured, limit, "") if is_held else ("", ""))))
    columns = [f"{row['num_sessions']:.0f}" for row in rows]
    bar = f"bar of {largest['num_sessions']:.0f}"
    tables.print_table(("sessions at once", *columns, bar, ""), lines)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
