"""The model that answers on every page, loaded once a process."""

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
    """The model that answers."""

    model: Model
    champion: Champion  # the newest entry of champion.json; not `model` if `problem` is set
    problem: str | None  # why `model` answers instead of the champion


def serving() -> Serving | None:
    """The model that answers, or None when none was put into use yet.

    Raises:
        ModelError: there is a model in use, but neither it nor the one before can answer.
    """
    models_dir = paths.models_dir()
    entries = _champions(models_dir, _stamp(models_dir / "champion.json"))
    return _load(str(models_dir), repr(entries), entries) if entries else None


def _stamp(file: Path) -> tuple[int, int, int] | None:
    """What is another one after the file was replaced; None where there is none."""
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


@functools.lru_cache(maxsize=8)
def _champions(models_dir: Path, stamp: tuple[int, int, int] | None) -> tuple[Champion, ...]:
    """What champion.json says; read anew when its stamp is another. An error is not kept.

    Where the file is replaced between the stamp and the reading, this run has the new entries
    already; the next one finds another stamp.
    """
    return store.champions(models_dir)


def serving_or_message() -> Serving | None:
    """The model that answers; the page says why where it is none, or not the one in use."""
    with errors.shown("The model in use failed its check, and no other can answer."):
        found = serving()
        if found is None:
            show_no_model()
        elif found.problem is not None:
            errors.show(
                "**The model in use failed its check and was not loaded.** The previous model is "
                f"answering: {literal(found.model.card.model_id)}. {literal(found.problem)}"
            )
        return found
    return None


def show_no_model() -> None:
    """What to do when no model is in use: the commands, with the candidates there are."""
    st.info(
        "**No model is in use yet.** Train one on your data, or put a candidate into use.",
        icon=":material/info:",
    )
    cards, problems = store.list_cards(paths.models_dir())
    for problem in problems:
        errors.show(f"**A model that is not in use is damaged.** {literal(problem)}")
    candidates = [card.model_id for card in cards]
    st.markdown("Train one, in the folder of this app; the option --help names all others:")
    st.code(
        ".venv/bin/python -m melanoma_core train --dataset PHOTOGRAPHS --weights WEIGHTS",
        language="bash",
    )
    st.markdown(
        f"Put a candidate into use, then open this page again. Candidates: "
        f"{', '.join(map(literal, candidates)) or 'none yet'}."
    )
    st.code(
        f".venv/bin/python -m melanoma_core promote {candidates[0] if candidates else 'MODEL_ID'}",
        language="bash",
    )


def _is_sound(loaded: Serving) -> bool:
    # A stand-in is looked at again on every run, so that a repaired model answers at once.
    return loaded.problem is None


@st.cache_resource(
    show_spinner="Loading the model, a few seconds", max_entries=2, validate=_is_sound
)
def _load(models_dir: str, key: str, _entries: tuple[Champion, ...]) -> Serving:
    """Cached by what champion.json says: another model in use is served on the next run.

    The key is the entries as text, which takes Streamlit a tenth of the time to hash. The entries
    are those that were read with the key: a model that comes into use while this loads
    must not be kept under the name of the one before. The cache is shared by all visitors; a model
    holds nothing of a patient.
    """
    model, problem = predict.load_champion(Path(models_dir), _entries)
    return Serving(model, _entries[0], problem)
