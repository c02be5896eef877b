"""Garbage is collected in a background thread."""

import gc
import threading
import tomllib
import weakref
from pathlib import Path

import pytest

from ui import garbage_collection

CONFIG = Path(__file__).resolve().parents[2] / ".streamlit" / "config.toml"


class Cycle:
    def __init__(self):
        self.itself = self


@pytest.fixture
def cycle():
    """A weak reference to an object in a reference cycle; only a full collection frees it."""
    gc.collect()
    gc.disable()
    cycle = Cycle()
    gc.collect()  # moves it to the oldest generation
    reference = weakref.ref(cycle)
    del cycle
    yield reference
    gc.enable()


def test_reference_cycles_are_freed_once_the_process_has_worked(cycle):
    before = garbage_collection.num_young()
    gc.collect(1)  # as new objects cause it
    assert cycle() is not None
    assert garbage_collection.collect_since(before) == before + 1
    assert cycle() is None


def test_an_idle_process_is_left_alone(cycle):
    before = garbage_collection.num_young()
    assert garbage_collection.collect_since(before) == before
    assert cycle() is not None


def test_a_process_has_one_collector_however_often_it_is_started():
    for _ in range(3):
        garbage_collection.start()
    threads = [thread for thread in threading.enumerate() if thread.name == "garbage collector"]
    assert len(threads) == 1
    assert threads[0].daemon  # otherwise the process would never end


def test_the_collector_works_by_itself(cycle, monkeypatch):
    monkeypatch.setattr(garbage_collection, "SECONDS", 0.01)
    freed = threading.Event()
    weakref.finalize(cycle(), freed.set)
    threading.Thread(target=garbage_collection._collect_forever, daemon=True).start()
    for _ in range(100):
        gc.collect(1)
        if freed.wait(0.1):
            break
    assert freed.is_set()


def test_streamlit_does_not_collect_after_every_script_run():
    assert tomllib.loads(CONFIG.read_text())["runner"]["postScriptGC"] is False
