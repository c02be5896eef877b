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


def test_a_collection_is_due_once_the_process_has_worked():
    before = garbage_collection.num_young()
    assert not garbage_collection.is_due(before, 0)
    gc.collect(1)  # as new objects cause it
    assert garbage_collection.is_due(before, 0)


def test_an_idle_process_is_left_alone_for_a_minute():
    gc.disable()
    before = garbage_collection.num_young()
    assert not garbage_collection.is_due(before, 59)
    assert garbage_collection.is_due(before, 60)
    gc.enable()


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


def test_what_the_last_visitor_left_is_freed_without_further_work(cycle, monkeypatch):
    monkeypatch.setattr(garbage_collection, "SECONDS", 0.01)
    monkeypatch.setattr(garbage_collection, "MAX_SECONDS", 0.05)
    freed = threading.Event()
    weakref.finalize(cycle(), freed.set)
    threading.Thread(target=garbage_collection._collect_forever, daemon=True).start()
    assert freed.wait(10)


def test_streamlit_does_not_collect_after_every_script_run():
    assert tomllib.loads(CONFIG.read_text())["runner"]["postScriptGC"] is False
