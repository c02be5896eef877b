"""The data doctor's examination of the data set on screen, for this session only.

Photographs are examined in a background thread, so the visitor can leave the page and come back.
One examination runs at a time on a server, so that assessing stays quick. It ends with the session
or with its data set.
"""

import dataclasses
import threading
import weakref
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import streamlit as st

from melanoma_core.audit import audits
from melanoma_core.audit.audits import Audit, Change
from melanoma_core.data import bundled_set
from melanoma_core.data.catalogues import Catalogue
from melanoma_core.data.datasets import Dataset
from melanoma_core.errors import MelanomaError
from ui.formats import count

# Called when the examination runs, as reading a zip takes seconds.
ReadReferences = Callable[[], Sequence[Dataset]]

_EXAMINATION = "dataset_examination"
_LOCK = threading.Lock()


class _StoppedError(Exception):
    """The session no longer needs the examination."""


@dataclass
class _Progress:
    """What the thread and the page share."""

    phase: str = "Waiting for another examination on this server"
    num_done: int = 0
    num_all: int = 0
    is_stopped: threading.Event = field(default_factory=threading.Event)

    def enter(self, phase: str) -> None:
        if self.is_stopped.is_set():
            raise _StoppedError
        self.phase = phase

    def report(self, num_done: int, num_all: int) -> None:
        self.num_done, self.num_all = num_done, num_all
        self.enter(
            f"Comparing photographs, {count(num_done)} of {count(num_all)}"
            if num_done < num_all
            else "Looking for copies"
        )


class Examination:
    """One examination of one data set: waiting, running or done."""

    def __init__(self, catalogue: Catalogue, reference_names: Sequence[str]) -> None:
        self.catalogue = catalogue
        self.reference_names = tuple(reference_names)
        self.is_clean_table_shown = False  # from the first request on
        self._progress = _Progress()
        self._audit: Future[Audit] = Future()
        self._cleaned: tuple[frozenset[str], pd.DataFrame, tuple[Change, ...]] | None = None
        # When the session drops this object, the thread stops at the next photograph.
        self.stop = weakref.finalize(self, self._progress.is_stopped.set)

    def start(self, read_references: ReadReferences) -> None:
        """Examine in a background thread."""
        arguments = (self.catalogue.dataset, read_references, self._progress, self._audit)
        threading.Thread(target=_run_in_turn, args=arguments, daemon=True).start()

    def run(self, read_references: ReadReferences) -> None:
        """Examine now, without waiting for other examinations; metadata alone take 0.1 s."""
        _run(self.catalogue.dataset, read_references, self._progress, self._audit)

    @property
    def is_done(self) -> bool:
        """True if there is an audit, or an error instead."""
        return self._audit.done()

    @property
    def phase(self) -> str:
        """What it is doing, for the page."""
        return self._progress.phase

    @property
    def fraction_done(self) -> float:
        """The fraction of photographs read, 0 to 1."""
        return self._progress.num_done / max(1, self._progress.num_all)

    def audit(self, seconds: float = 0) -> Audit:
        """The audit, after waiting for at most this many seconds.

        Raises:
            MelanomaError: a reference cannot be read.
            TimeoutError: it is not done.
        """
        return self._audit.result(seconds)

    def clean(self, kinds: Collection[str]) -> tuple[pd.DataFrame, tuple[Change, ...]]:
        """The clean table and its changes, correcting these kinds of findings."""
        key = frozenset(kinds)
        if self._cleaned is None or self._cleaned[0] != key:
            findings = [finding for finding in self.audit().findings if finding.kind in key]
            self._cleaned = (key, *audits.clean(self.catalogue.dataset, findings))
        return self._cleaned[1:]


def _run_in_turn(*arguments: Any) -> None:
    with _LOCK:
        _run(*arguments)


def _run(
    dataset: Dataset,
    read_references: ReadReferences,
    progress: _Progress,
    future: Future[Audit],
) -> None:
    """Run without a reference to the examination, so that it is freed with its session."""
    try:
        progress.enter("Reading the references")
        audit = audits.audit(dataset, read_references(), progress.report)
        # Findings refer to rows, so the thumbnails (4 kB per photograph) are dropped.
        thumbnails = audit.fingerprints.thumbnails[:0].copy()
        bare = dataclasses.replace(audit.fingerprints, thumbnails=thumbnails)
        future.set_result(dataclasses.replace(audit, fingerprints=bare))
    except Exception as error:  # noqa: BLE001 - raised again where the result is read
        future.set_exception(error)


def of(catalogue: Catalogue) -> Examination | None:
    """This session's examination of a data set; None before one was requested.

    A data set without photographs is examined here, with the references that ship with the app.
    """
    examination = current()
    if examination is not None and examination.catalogue is catalogue:
        return examination
    if catalogue.has_photographs:
        return None
    references = bundled_set.references(catalogue.dataset.table)
    examination = Examination(catalogue, [reference.name for reference in references])
    examination.run(lambda: references)
    st.session_state[_EXAMINATION] = examination
    return examination


def finished(catalogue: Catalogue) -> Examination | None:
    """This session's examination of a data set if it has an audit, else None."""
    examination = of(catalogue)
    if examination is None or not examination.is_done:
        return None
    try:
        examination.audit()
    except MelanomaError:  # the page Data doctor shows it
        return None
    return examination


def current() -> Examination | None:
    """This session's examination, of any data set."""
    examination = st.session_state.get(_EXAMINATION)
    return examination if isinstance(examination, Examination) else None


def start(
    catalogue: Catalogue, reference_names: Sequence[str], read_references: ReadReferences
) -> None:
    """Start to examine a data set, replacing the previous examination."""
    forget()
    examination = Examination(catalogue, reference_names)
    examination.start(read_references)
    st.session_state[_EXAMINATION] = examination


def forget() -> None:
    """Stop and drop this session's examination."""
    examination = current()
    if examination is not None:
        examination.stop()
        del st.session_state[_EXAMINATION]
