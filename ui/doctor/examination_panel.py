"""Starting an examination with references, its progress, and its result in one sentence."""

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

INCLUDED = "HAM10000 and ISIC 2017, for the IDs of the nine-class set (included in the app)"
_SECONDS = 0.5  # between two updates of a running examination
_MEANING = (
    "Published tables of the same image IDs. They show which photographs are of one lesion, and "
    "correct wrong diagnoses."
)


def show(catalogue: Catalogue) -> Audit | None:
    """The audit of a data set; without one, the controls and progress of an examination."""
    if catalogue.has_photographs:
        with errors.shown():
            _ask(catalogue)
    examination = examinations.of(catalogue)
    if examination is None:
        return None
    if not examination.is_done:
        _watch()
        return None
    with errors.shown():
        audit = examination.audit()
        _show_outcome(catalogue, audit)
        return audit
    return None


def _ask(catalogue: Catalogue) -> None:
    """The choice of references, and the button."""
    server_dir = paths.server_data_dir()
    names = [] if server_dir is None else server_folders.names(server_dir)
    imported = [] if paths.is_demo() else server_folders.imported_names(paths.datasets_dir())
    with st.container(border=True):
        chosen = st.multiselect(
            "References", [INCLUDED, *names, *imported], default=[INCLUDED],
            key="doctor_references",
            accept_new_options=server_dir is not None, placeholder="None", persist_state="session",
        )  # fmt: skip
        on_server = " Any data set in the server’s folder can be used, by name or path."
        st.markdown(small(_MEANING + on_server * (server_dir is not None)))
        places = [
            server_folders.resolve(root, name)
            for name in chosen
            for root in [paths.datasets_dir() if name in imported else server_dir]
            if root is not None and name != INCLUDED
        ]
        examination = examinations.of(catalogue)
        is_repeat = examination is not None and examination.reference_names == tuple(chosen)
        is_running = examination is not None and not examination.is_done
        st.button(
            "Examine again" if is_repeat and not is_running else "Examine",
            icon=":material/fact_check:", type="secondary" if is_repeat else "primary",
            disabled=is_running, on_click=_start, args=(chosen, places),
        )  # fmt: skip


# The callback looks up the data set itself, as Streamlit keeps the arguments of callbacks alive.


def _start(chosen: Sequence[str], places: Sequence[Path]) -> None:
    catalogue = dataset_choice.open_catalogue()
    if catalogue is not None:
        examinations.start(catalogue, chosen, partial(_read, INCLUDED in chosen, places))


def _read(with_included: bool, places: Sequence[Path]) -> list[Dataset]:
    """The references; whole published tables before the excerpts in the app."""
    chosen = [datasets.read(place) for place in places]
    included = bundled_set.references(bundled_set.read().table) if with_included else ()
    return [*chosen, *included]


@st.fragment(run_every=_SECONDS)
def _watch() -> None:
    """The progress of the examination; the whole page runs again when it has ended."""
    examination = examinations.current()
    if examination is None or examination.is_done:
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(examination.fraction_done, examination.phase)
        st.button("Stop", icon=":material/stop:", on_click=examinations.forget)


def _show_outcome(catalogue: Catalogue, audit: Audit) -> None:
    """The one sentence, and what it is based on."""
    table, has_photographs = catalogue.dataset.table, catalogue.has_photographs
    sentence = finding_text.sentence(audit, table, has_photographs=has_photographs)
    if finding_text.is_invalid(audit):
        st.warning(sentence, icon=":material/warning:")
    else:
        st.info(sentence, icon=":material/info:")
    basis = f"Examined: {count(audit.num_files)} files with {count(audit.num_ids)} image IDs."
    if not has_photographs:
        basis += (
            " Only metadata were compared: pixel checksums, IDs, sizes and published tables. "
            "Near copies can be found only in photographs."
        )
    st.markdown(small(basis))


def show_scope(catalogue: Catalogue, audit: Audit) -> None:
    """Expanders: what was looked for, and what the references cover."""
    with st.expander(
        "What was looked for", icon=":material/checklist:", expanded=not audit.findings
    ):
        st.dataframe(
            finding_text.looked_for(
                audit, catalogue.dataset.table, has_photographs=catalogue.has_photographs
            ),
            hide_index=True, width="stretch", height="content", alt="What was looked for",
        )  # fmt: skip
    if audit.references:
        with st.expander("What the reference tables cover", icon=":material/menu_book:"):
            _show_coverage(audit)


def _show_coverage(audit: Audit) -> None:
    for reference in audit.references:
        st.markdown(
            f"**{literal(reference.name)}** covers {count(reference.num_files)} of the files "
            f"({count(reference.num_ids)} image IDs)."
        )
    rows = [
        (reference.name, BY_CODE[official].name, BY_CODE[here].name, num_files)
        for reference in audit.references
        for (official, here), num_files in reference.filed.items()
    ]
    columns = ("Reference", "Reference diagnosis", "Filed here as", "Files")
    if rows:
        st.dataframe(
            dict(zip(columns, zip(*rows, strict=True), strict=True)),
            hide_index=True, width="stretch", height="content",
            alt="Diagnoses of the references and of this data set",
        )  # fmt: skip
