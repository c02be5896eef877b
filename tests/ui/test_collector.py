"""Garbage goes without a collection in each script run."""

import gc
import threading
import tomllib
import weakref
from pathlib import Path

import pytest

from ui import collector

CONFIG = Path(__file__).resolve().parents[2] / ".streamlit" / "config.toml"


class Circle:
    def __init__(self):
        self.itself = self


@pytest.fixture
def circle():
    """A reference to an object that refers to itself, which only a full collection frees."""
    gc.collect()
    gc.disable()
    left = Circle()
    gc.collect()  # now it is of the oldest generation
    reference = weakref.ref(left)
    del left
    yield reference
    gc.enable()


def test_what_is_left_in_circles_goes_once_the_process_has_worked(circle):
    before = collector.num_young()
    gc.collect(1)  # as new objects bring about
    assert circle() is not None
    assert collector.collect_since(before) == before + 1
    assert circle() is None


def test_an_idle_process_is_left_alone(circle):
    before = collector.num_young()
    assert collector.collect_since(before) == before
    assert circle() is not None


def test_a_process_has_one_collector_however_often_a_script_starts_it():
    for _ in range(3):
        collector.start()
    threads = [thread for thread in threading.enumerate() if thread.name == "garbage collector"]
    assert len(threads) == 1
    assert threads[0].daemon  # or the process would never end


def test_the_collector_works_by_itself(circle, monkeypatch):
    monkeypatch.setattr(collector, "SECONDS", 0.01)
    freed = threading.Event()
    weakref.finalize(circle(), freed.set)
    threading.Thread(target=collector._collect_for_good, daemon=True).start()
    for _ in range(100):
        gc.collect(1)
        if freed.wait(0.1):
            break
    assert freed.is_set()


def test_streamlit_itself_does_not_collect_after_every_script_run():
    assert tomllib.loads(CONFIG.read_text())["runner"]["postScriptGC"] is False
