"""Asking the data doctor to examine a data set, with references, and how far it is."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import streamlit as st

from melanoma_core import paths
from melanoma_core.audit.audits import Audit
from melanoma_core.data import bundled_set, datasets, server_folders
from melanoma_core.data.catalogues import Catalogue
from melanoma_core.data.datasets import Dataset
from melanoma_core.diagnoses import BY_CODE
from ui import dataset_choice, errors, examinations, finding_text
from ui.formats import count, literal, small

CARRIED = "HAM10000 and ISIC 2017, for the ids of the nine-class set (carried by the app)"
_SECONDS = 0.5  # between two looks at a running examination
_MEANING = (
    "Published tables of the same image ids. They tell which photographs show one lesion, and "
    "deny diagnoses that are wrong."
)


def show(found: Catalogue) -> Audit | None:
    """The audit of a data set; until it is there, what it takes to get it."""
    if found.has_photographs:
        with errors.shown():
            _show_order(found)
    examination = examinations.of(found)
    if examination is None:
        return None
    if not examination.is_done:
        _watch()
        return None
    with errors.shown():
        audit = examination.audit()
        _show_outcome(found, audit)
        return audit
    return None


def _show_order(found: Catalogue) -> None:
    """The references to choose, and the button."""
    server_dir = paths.server_data_dir()
    names = [] if server_dir is None else server_folders.names(server_dir)
    imported = [] if paths.is_demo() else server_folders.imported_names(paths.datasets_dir())
    with st.container(border=True):
        chosen = st.multiselect(
            "References", [CARRIED, *names, *imported], default=[CARRIED], key="doctor_references",
            accept_new_options=server_dir is not None, placeholder="None", persist_state="session",
        )  # fmt: skip
        on_server = " Any data set below the server’s folder serves, by name or path."
        st.markdown(small(_MEANING + on_server * (server_dir is not None)))
        places = [
            server_folders.resolve(root, name)
            for name in chosen
            for root in [paths.datasets_dir() if name in imported else server_dir]
            if root is not None and name != CARRIED
        ]
        examination = examinations.of(found)
        is_asked = examination is not None and examination.reference_names == tuple(chosen)
        is_under_way = examination is not None and not examination.is_done
        st.button(
            "Examine again" if is_asked and not is_under_way else "Examine",
            icon=":material/fact_check:", type="secondary" if is_asked else "primary",
            disabled=is_under_way, on_click=_start, args=(chosen, places),
        )  # fmt: skip


# The callback finds the data set by itself: Streamlit holds on to what it is given.


def _start(chosen: Sequence[str], places: Sequence[Path]) -> None:
    found = dataset_choice.kept_catalogue()
    if found is not None:
        examinations.start(found, chosen, partial(_read, CARRIED in chosen, places))


def _read(is_carried_wanted: bool, places: Sequence[Path]) -> list[Dataset]:
    """The references; whole published tables before what the app carries of them."""
    read = [datasets.read(place) for place in places]
    carried = bundled_set.references(bundled_set.read().table) if is_carried_wanted else ()
    return [*read, *carried]


@st.fragment(run_every=_SECONDS)
def _watch() -> None:
    """How far the examination is; the whole page runs again when it has ended."""
    examination = examinations.kept()
    if examination is None or examination.is_done:
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(examination.share_done, examination.phase)
        st.button("Stop", icon=":material/stop:", on_click=examinations.forget)


def _show_outcome(found: Catalogue, audit: Audit) -> None:
    """The one sentence, and what was looked at to say it."""
    table, has_photographs = found.dataset.table, found.has_photographs
    words = finding_text.sentence(audit, table, has_photographs=has_photographs)
    if finding_text.is_spoilt(audit):
        st.warning(words, icon=":material/warning:")
    else:
        st.info(words, icon=":material/info:")
    read = f"Examined: {count(audit.num_files)} files of {count(audit.num_ids)} image ids."
    if not has_photographs:
        read += (
            " Facts alone were compared: checksums of the pixels, ids, sizes and official tables. "
            "Near copies need the photographs."
        )
    st.markdown(small(read))


def show_scope(found: Catalogue, audit: Audit) -> None:
    """What was looked for and, to open, what the references know."""
    with st.expander(
        "What was looked for", icon=":material/checklist:", expanded=not audit.findings
    ):
        st.dataframe(
            finding_text.looked_for(
                audit, found.dataset.table, has_photographs=found.has_photographs
            ),
            hide_index=True, width="stretch", height="content", alt="What was looked for",
        )  # fmt: skip
    if audit.references:
        with st.expander("What the references know", icon=":material/menu_book:"):
            _show_known(audit)


def _show_known(audit: Audit) -> None:
    for known in audit.references:
        st.markdown(
            f"**{literal(known.name)}** knows {count(known.num_files)} of the files "
            f"({count(known.num_ids)} image ids)."
        )
    rows = [
        (known.name, BY_CODE[official].name, BY_CODE[here].name, num_files)
        for known in audit.references
        for (official, here), num_files in known.filed.items()
    ]
    columns = ("Reference", "Diagnosis there", "Filed here as", "Files")
    if rows:
        st.dataframe(
            dict(zip(columns, zip(*rows, strict=True), strict=True)),
            hide_index=True, width="stretch", height="content", alt="How known files are filed",
        )  # fmt: skip
