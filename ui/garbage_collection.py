"""Collect garbage in a background thread, not after every script run.

Streamlit collects after every script run (`runner.postScriptGC`, switched off in config.toml). It
visits some 300,000 permanent objects, which took half of the processor time of an assessment. Here
reference cycles, which may include uploads, are freed within seconds while the app is busy, and
within a minute when the last visitor has left.

`gc.freeze` after startup would make a collection cheaper still, but frozen objects are never
collected: a photograph in a session open at that moment would outlive the session.
"""

import gc
import threading
import time

SECONDS = 10.0  # between two checks; a collection takes 1 % of that time
MAX_SECONDS = 60.0  # between two collections, however little the process does
_THREAD = "garbage collector"
_lock = threading.Lock()


def start() -> None:
    """Start the collector thread, which runs as long as the process; a second call does nothing."""
    with _lock:
        if all(thread.name != _THREAD for thread in threading.enumerate()):
            threading.Thread(target=_collect_forever, name=_THREAD, daemon=True).start()


def _collect_forever() -> None:
    num_seen, collected = num_young(), time.monotonic()
    pause = threading.Event()
    while not pause.wait(SECONDS):
        if is_due(num_seen, time.monotonic() - collected):
            num_seen, collected = num_young(), time.monotonic()
            gc.collect()


def num_young() -> int:
    """Number of collections of Python's middle generation, one per about 7,000 new objects."""
    return int(gc.get_stats()[1]["collections"])


def is_due(num_seen: int, seconds: float) -> bool:
    """True if the process has worked since `num_young` was `num_seen`, or after `MAX_SECONDS`."""
    return num_young() != num_seen or seconds >= MAX_SECONDS
