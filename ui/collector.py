"""Garbage is collected beside the visitors' requests, not at the end of each.

Streamlit collects after every script run (`runner.postScriptGC`, switched off in config.toml). That
looks at some 300,000 objects that stay, which took half of the processor time of an assessment.
What is left in circles, uploads among it, is picked up here within seconds instead.

`gc.freeze` after the start would make a collection cheaper still, but what is frozen is never
collected: a photograph of a session that was open then would outlive it.
"""

import gc
import threading

SECONDS = 5.0  # between two looks: under load, a collection takes 1 % of them
_THREAD = "garbage collector"
_lock = threading.Lock()


def start() -> None:
    """Have a thread collect as long as the process lives; a second call changes nothing."""
    with _lock:
        if all(thread.name != _THREAD for thread in threading.enumerate()):
            threading.Thread(target=_collect_for_good, name=_THREAD, daemon=True).start()


def _collect_for_good() -> None:
    num_seen = num_young()
    pause = threading.Event()
    while not pause.wait(SECONDS):
        num_seen = collect_since(num_seen)


def num_young() -> int:
    """How often Python collected its middle generation: once for about 7,000 new objects."""
    return int(gc.get_stats()[1]["collections"])


def collect_since(num_seen: int) -> int:
    """Collect where the process has worked since `num_young` was that; what it is now."""
    now = num_young()
    if now != num_seen:
        gc.collect()
    return now
