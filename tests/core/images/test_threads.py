"""Threads that stop when their caller does."""

import threading

import pytest

from melanoma_core.images import threads


def test_work_is_done_in_order_by_several_threads():
    with threads.pool() as pool:
        assert list(pool.map(lambda number: number**2, range(50))) == [k**2 for k in range(50)]


def test_what_waits_is_left_undone_when_the_caller_leaves_by_an_exception(monkeypatch):
    """Every thread is busy until the caller has failed; of a thousand tasks those few are done."""
    has_failed, started = threading.Event(), []

    def work(number):
        started.append(number)
        if number:
            has_failed.wait(10)

    def look(pool):
        results = pool.map(work, range(1000))  # kept by the traceback, so nothing closes it
        next(results)
        raise ZeroDivisionError

    shutdown = threads.ThreadPoolExecutor.shutdown

    def fail_then_shut_down(pool, *args, **options):
        threading.Timer(0.2, has_failed.set).start()  # after what waits was taken back
        shutdown(pool, *args, **options)

    monkeypatch.setattr(threads.ThreadPoolExecutor, "shutdown", fail_then_shut_down)
    with pytest.raises(ZeroDivisionError), threads.pool() as pool:
        look(pool)
    assert 1 <= len(started) <= pool._max_workers + 1
    with pytest.raises(RuntimeError, match="shutdown"):
        pool.submit(work, 0)


def test_no_thread_is_left_when_the_caller_has_gone_on():
    with threads.pool() as pool:
        list(pool.map(str, range(10)))
        workers = list(pool._threads)
    assert workers
    assert not any(worker.is_alive() for worker in workers)
