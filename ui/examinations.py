"""What the data doctor finds in the data set on screen, for this session only.

An examination of photographs runs in a thread beside the page, which can be left and come back to.
One runs at a time on a server, so that assessing stays quick. It ends with the session, or when
its data set goes.
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

# Read when the examination runs, which takes seconds for a zip.
ReadReferences = Callable[[], Sequence[Dataset]]

_KEPT = "dataset_examination"
_TURN = threading.Lock()


class _StoppedError(Exception):
    """Nobody waits for the examination any more."""


@dataclass
class _Progress:
    """What the thread and the page tell each other."""

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
            else "Looking for copies among them"
        )


class Examination:
    """One examination of one data set: waiting, under way, or done."""

    def __init__(self, catalogue: Catalogue, reference_names: Sequence[str]) -> None:
        self.catalogue = catalogue
        self.reference_names = tuple(reference_names)
        self.is_clean_wanted = False  # once it was asked for, the clean table stays on screen
        self._progress = _Progress()
        self._audit: Future[Audit] = Future()
        self._cleaned: tuple[frozenset[str], pd.DataFrame, tuple[Change, ...]] | None = None
        # When the session forgets this, the thread stops at the next photograph.
        self.stop = weakref.finalize(self, self._progress.is_stopped.set)

    def start(self, read_references: ReadReferences) -> None:
        """Examine in a thread of its own."""
        arguments = (self.catalogue.dataset, read_references, self._progress, self._audit)
        threading.Thread(target=_run_in_turn, args=arguments, daemon=True).start()

    def run(self, read_references: ReadReferences) -> None:
        """Examine now and wait for no other, which facts alone allow: it takes 0.1 s."""
        _run(self.catalogue.dataset, read_references, self._progress, self._audit)

    @property
    def is_done(self) -> bool:
        """Whether there is an audit, or a reason why there is none."""
        return self._audit.done()

    @property
    def phase(self) -> str:
        """What it is doing, in words."""
        return self._progress.phase

    @property
    def share_done(self) -> float:
        """Of the photographs, 0 to 1."""
        return self._progress.num_done / max(1, self._progress.num_all)

    def audit(self, seconds: float = 0) -> Audit:
        """What was found, after waiting for so many seconds at most.

        Raises:
            MelanomaError: a reference was refused.
            TimeoutError: it is not done.
        """
        return self._audit.result(seconds)

    def clean(self, kinds: Collection[str]) -> tuple[pd.DataFrame, tuple[Change, ...]]:
        """The clean table and its changes, acting on findings of these kinds."""
        wanted = frozenset(kinds)
        if self._cleaned is None or self._cleaned[0] != wanted:
            acted_on = [found for found in self.audit().findings if found.kind in wanted]
            self._cleaned = (wanted, *audits.clean(self.catalogue.dataset, acted_on))
        return self._cleaned[1:]


def _run_in_turn(*arguments: Any) -> None:
    with _TURN:
        _run(*arguments)


def _run(
    dataset: Dataset,
    read_references: ReadReferences,
    progress: _Progress,
    audit: Future[Audit],
) -> None:
    """Hold no examination: a session that has gone must be able to forget it."""
    try:
        progress.enter("Reading the references")
        found = audits.audit(dataset, read_references(), progress.report)
        # The findings name rows; 4 kB a photograph need not stay.
        thumbnails = found.fingerprints.thumbnails[:0].copy()
        bare = dataclasses.replace(found.fingerprints, thumbnails=thumbnails)
        audit.set_result(dataclasses.replace(found, fingerprints=bare))
    except Exception as error:  # noqa: BLE001 - the page that asks for the result raises it
        audit.set_exception(error)


def of(found: Catalogue) -> Examination | None:
    """This session's examination of a data set; None before one was asked for.

    Facts alone are examined at once, with the official words that come with them.
    """
    examination = kept()
    if examination is not None and examination.catalogue is found:
        return examination
    if found.has_photographs:
        return None
    references = bundled_set.references(found.dataset.table)
    examination = Examination(found, [reference.name for reference in references])
    examination.run(lambda: references)
    st.session_state[_KEPT] = examination
    return examination


def ended(found: Catalogue) -> Examination | None:
    """This session's examination of a data set once there is an audit; None until then."""
    examination = of(found)
    if examination is None or not examination.is_done:
        return None
    try:
        examination.audit()
    except MelanomaError:  # the data doctor's page says why
        return None
    return examination


def kept() -> Examination | None:
    """The examination that this session keeps, of whatever data set."""
    examination = st.session_state.get(_KEPT)
    return examination if isinstance(examination, Examination) else None


def start(
    found: Catalogue, reference_names: Sequence[str], read_references: ReadReferences
) -> None:
    """Begin to examine a data set, in the place of the examination before, if any."""
    forget()
    examination = Examination(found, reference_names)
    examination.start(read_references)
    st.session_state[_KEPT] = examination


def forget() -> None:
    """Stop what is under way, and let go of what was found."""
    examination = kept()
    if examination is not None:
        examination.stop()
        del st.session_state[_KEPT]
