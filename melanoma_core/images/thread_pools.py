"""Threads for work on many photographs."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def pool() -> Iterator[ThreadPoolExecutor]:
    """Threads that are given no further work once the caller has left, an exception included.

    `ThreadPoolExecutor` itself would first finish all that is waiting: ten thousand photographs of
    an audit that nobody looks at any more.
    """
    executor = ThreadPoolExecutor()
    try:
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)
