"""Which data set is looked at: the embedded one, an uploaded zip, or one that lies on the server.

All pages that look at data sets share the choice. A session keeps what it reads for itself. An
uploaded archive is unpacked into a temporary folder that goes when the visitor says so, when
another data set takes its place, and with the session (which Streamlit keeps for two minutes after
the browser has left, and forgets when the next one leaves); no cache holds any of it.
"""

import shutil
import tempfile
import weakref
from collections.abc import Iterable
from pathlib import Path

import streamlit as st
from streamlit.typing import UploadedFile

from melanoma_core import paths
from melanoma_core.data import bundled_set, catalogues, datasets, server_folders
from melanoma_core.data.catalogues import Catalogue
from melanoma_core.errors import MelanomaError
from ui import errors, examinations, uploads
from ui.formats import literal, small

MAX_ARCHIVE_MB = 200
EMBEDDED = "Nine-class set the project started from (facts, no photographs)"
UPLOADED = "Upload a zip"
IMPORTED = "Imported before, for training or measuring"
ON_SERVER = "On this server"

_KEPT = "dataset_kept"
_REFUSAL = "dataset_refusal"
_ROUND = "dataset_upload_round"


class Kept:
    """A data set that this session has read, and the temporary folder that it lies in, if any."""

    def __init__(self, place: str, catalogue: Catalogue, folder: Path | None = None) -> None:
        self.place = place  # where it came from, so that it is read once
        self.catalogue = catalogue
        # When the session forgets this, or the server ends, the folder goes.
        self._remove = folder and weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)

    def remove(self) -> None:
        """Remove the temporary folder now."""
        if self._remove:
            self._remove()


def choose() -> Catalogue | None:
    """Draw the choice; the data set that was chosen, or None until there is one."""
    server_dir = paths.server_data_dir()
    imported = [] if paths.is_demo() else server_folders.imported(paths.datasets_dir())
    choices = [EMBEDDED, UPLOADED]
    choices += [IMPORTED] if imported else []
    choices += [ON_SERVER] if server_dir is not None else []
    choice = st.selectbox("Data set", choices, key="dataset_source", persist_state="session")
    if choice == UPLOADED:
        return _uploaded()
    if choice == IMPORTED:
        with errors.shown():
            return _imported(imported)
        return None
    if choice == ON_SERVER and server_dir is not None:
        with errors.shown():
            return _on_server(server_dir)
        return None
    return _kept_or_read(EMBEDDED, None)


def kept_catalogue() -> Catalogue | None:
    """The data set that this session has read, if any."""
    kept = st.session_state.get(_KEPT)
    return kept.catalogue if isinstance(kept, Kept) else None


def paths_of(image_ids: Iterable[str]) -> dict[str, str]:
    """Files of these photographs in the data set that this session has read, by their ids."""
    found = kept_catalogue()
    if found is None or not found.has_photographs:
        return {}
    table = found.dataset.table
    table = table[table["image_id"].isin(set(image_ids)) & table["path"].notna()]
    return dict(zip(table["image_id"], table["path"], strict=True))


def _kept_or_read(place: str, path: Path | None) -> Catalogue:
    kept = st.session_state.get(_KEPT)
    if isinstance(kept, Kept) and kept.place == place:
        return kept.catalogue
    with st.spinner("Reading the data set"):
        dataset = bundled_set.read() if path is None else datasets.read(path)
        found = catalogues.catalogue(dataset)
    _forget()
    st.session_state[_KEPT] = Kept(place, found)
    return found


def _forget() -> None:
    """Let go of what was read before, with what was found in it and the folder it lies in."""
    examinations.forget()
    kept = st.session_state.pop(_KEPT, None)
    if isinstance(kept, Kept):
        kept.remove()


def _imported(names: list[str]) -> Catalogue | None:
    name = st.selectbox(
        "Imported data set", names, index=None, placeholder="Choose", key="dataset_imported",
        persist_state="session", help="Each is called after its zip, with the start of its SHA-256",
    )  # fmt: skip
    if name not in names:
        return None
    path = server_folders.below(paths.datasets_dir(), name)
    return _kept_or_read(f"{IMPORTED}: {path}", path)


def _on_server(server_dir: Path) -> Catalogue | None:
    given = st.selectbox(
        "Folder or zip",
        server_folders.names(server_dir),
        index=None,
        placeholder="Choose, or type a path below the server’s folder",
        accept_new_options=True,
        key="dataset_path",
        persist_state="session",
    )
    if not given:
        return None
    path = server_folders.below(server_dir, given)
    return _kept_or_read(f"{ON_SERVER}: {path}", path)


def _uploaded() -> Catalogue | None:
    file = st.file_uploader(
        "Zip of class folders, of HAM10000 or of an ISIC challenge set, with its CSV table",
        type="zip",
        # More than the server takes it would refuse without a word of why.
        max_upload_size=min(MAX_ARCHIVE_MB, st.get_option("server.maxUploadSize")),
        key=f"dataset_upload_{st.session_state.get(_ROUND, 0)}",
    )
    st.markdown(
        small(
            "It is unpacked for this session alone, and removed when you say so, when you look at "
            "another data set, or some minutes after you have left."
        )
    )
    if file is not None:
        _take(file)
        # The next run draws an empty uploader: Streamlit would hold the archive in memory.
        st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1
        st.rerun()
    refusal = st.session_state.get(_REFUSAL)
    if refusal:
        errors.show(refusal)
    kept = st.session_state.get(_KEPT)
    if not isinstance(kept, Kept) or kept.place != UPLOADED:
        return None
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"On screen: **{literal(kept.catalogue.dataset.name)}**", width="content")
        st.button("Remove it now", icon=":material/delete:", on_click=_forget)
    return kept.catalogue


def _take(file: UploadedFile) -> None:
    """Read an archive into this session; a refusal is kept for the next run to show."""
    upload = uploads.take(file)
    st.session_state.pop(_REFUSAL, None)
    _forget()
    folder = Path(tempfile.mkdtemp(prefix="dataset-"))
    archive = folder / uploads.file_name(upload.name)
    try:
        with st.spinner("Unpacking and reading the archive"):
            archive.write_bytes(upload.data)
            found = catalogues.catalogue(datasets.read(archive, folder))
            archive.unlink()
    except MelanomaError as error:
        st.session_state[_REFUSAL] = errors.to_markdown(error)
        shutil.rmtree(folder, ignore_errors=True)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    else:
        st.session_state[_KEPT] = Kept(UPLOADED, found, folder)
