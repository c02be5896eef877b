"""The model that every page uses, loaded once per process."""

import functools
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from melanoma_core import paths
from melanoma_core.models import predict, store
from melanoma_core.models.predict import Model
from melanoma_core.models.store import Champion
from ui import errors
from ui.formats import literal


@dataclass(frozen=True)
class Serving:
    """The model in use, or the one before it that answers instead."""

    model: Model
    champion: Champion  # the newest entry of champion.json; not `model` if `problem` is set
    problem: str | None  # why `model` answers instead of the champion


def serving() -> Serving | None:
    """The model that answers; None if no model was ever promoted.

    Raises:
        ModelError: neither the model in use nor an earlier one can be loaded.
    """
    models_dir = paths.models_dir()
    entries = _champions(models_dir, _stamp(models_dir / "champion.json"))
    return _load(str(models_dir), repr(entries), entries) if entries else None


def _stamp(file: Path) -> tuple[int, int, int] | None:
    """A value that changes when the file is replaced; None if there is no file."""
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


@functools.lru_cache(maxsize=8)
def _champions(models_dir: Path, stamp: tuple[int, int, int] | None) -> tuple[Champion, ...]:
    """The entries of champion.json, read again when its stamp changes. Errors are not cached.

    If the file is replaced between stamp and reading, this run already has the new entries, and
    the next run sees another stamp.
    """
    return () if stamp is None else store.champions(models_dir)


def serving_or_message() -> Serving | None:
    """Like `serving`, and a message on the page unless the model in use answers."""
    with errors.shown("The model in use failed its check, and no other can answer."):
        current = serving()
        if current is None:
            show_no_model()
        elif current.problem is not None:
            errors.show(
                "**The model in use failed its check and was not loaded.** The previous model is "
                f"answering: {literal(current.model.card.model_id)}. {literal(current.problem)}"
            )
        return current
    return None


def show_no_model() -> None:
    """How to train a model or promote a candidate, as commands."""
    st.info(
        "**No model is in use yet.** Train one on your data, or promote a candidate.",
        icon=":material/info:",
    )
    with st.container(horizontal=True):
        st.page_link(
            "pages/train.py", label="Train a model", icon=":material/model_training:",
            width="content",
        )  # fmt: skip
        st.page_link(
            "pages/models.py", label="Choose a model", icon=":material/inventory_2:",
            width="content",
        )  # fmt: skip
    cards, problems = store.list_cards(paths.models_dir())
    for problem in problems:
        errors.show(f"**A model that is not in use is damaged.** {literal(problem)}")
    candidates = [card.model_id for card in cards]
    st.markdown("To train a model, run this in the app’s folder (--help lists all options):")
    st.code(
        ".venv/bin/python -m melanoma_core train --dataset PHOTOGRAPHS --weights WEIGHTS",
        language="bash",
    )
    st.markdown(
        f"To promote a candidate, run this and reload the page. Candidates: "
        f"{', '.join(map(literal, candidates)) or 'none yet'}."
    )
    st.code(
        f".venv/bin/python -m melanoma_core promote {candidates[0] if candidates else 'MODEL_ID'}",
        language="bash",
    )


def _is_sound(loaded: Serving) -> bool:
    # While an earlier model answers, every run tries again, so that a repaired one is used at once.
    return loaded.problem is None


@st.cache_resource(
    show_spinner="Loading the model, a few seconds", max_entries=2, validate=_is_sound
)
def _load(models_dir: str, key: str, _entries: tuple[Champion, ...]) -> Serving:
    """Load the champion, cached by the entries of champion.json: a promotion shows on the next run.

    The key is the entries as text, which Streamlit hashes in a tenth of the time. The entries are
    passed along and not read again, because a promotion during loading must not be cached under
    the previous champion. All visitors share the cache; a model contains no patient data.
    """
    model, problem = predict.load_champion(Path(models_dir), _entries)
    return Serving(model, _entries[0], problem)
