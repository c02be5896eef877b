"""Collect garbage in a background thread, not after every script run.

Streamlit collects after every script run (`runner.postScriptGC`, switched off in config.toml). It
visits some 300,000 permanent objects, which took half of the processor time of an assessment. Here
reference cycles, which may include uploads, are freed within seconds instead.

`gc.freeze` after startup would make a collection cheaper still, but frozen objects are never
collected: a photograph in a session open at that moment would outlive the session.
"""

import gc
import threading

SECONDS = 5.0  # between two checks; under load, a collection takes 1 % of that time
_THREAD = "garbage collector"
_lock = threading.Lock()


def start() -> None:
    """Start the collector thread, which runs as long as the process; a second call does nothing."""
    with _lock:
        if all(thread.name != _THREAD for thread in threading.enumerate()):
            threading.Thread(target=_collect_forever, name=_THREAD, daemon=True).start()


def _collect_forever() -> None:
    num_seen = num_young()
    pause = threading.Event()
    while not pause.wait(SECONDS):
        num_seen = collect_since(num_seen)


def num_young() -> int:
    """Number of collections of Python's middle generation, one per about 7,000 new objects."""
    return int(gc.get_stats()[1]["collections"])


def collect_since(num_seen: int) -> int:
    """Collect if `num_young` has changed since it was `num_seen`, and return its value."""
    now = num_young()
    if now != num_seen:
        gc.collect()
    return now
