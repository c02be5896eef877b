"""The data set on screen: the bundled one, an uploaded zip, or one on the server.

All pages about data sets share the choice. Each session has its own data set, and no cache keeps
any of it. An uploaded archive is unpacked into a temporary folder, which is removed on request,
when another data set is chosen, and with the session. (Streamlit keeps a session for two minutes
after its browser has left, and drops it when the next one leaves.)
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
BUNDLED = "Nine-class starting set (metadata only, no photographs)"
UPLOADED = "Upload a zip"
IMPORTED = "Imported earlier, for training or evaluation"
ON_SERVER = "On this server"

_OPEN = "dataset_open"
_REFUSAL = "dataset_refusal"
_ROUND = "dataset_upload_round"


class OpenDataset:
    """The data set that a session has read, and its temporary folder if it was uploaded."""

    def __init__(self, place: str, catalogue: Catalogue, folder: Path | None = None) -> None:
        self.place = place  # where it was read from, so that it is read only once
        self.catalogue = catalogue
        # The folder is removed when the session drops this object or the server ends.
        self._remove = folder and weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)

    def remove(self) -> None:
        """Remove the temporary folder now."""
        if self._remove:
            self._remove()


def choose() -> Catalogue | None:
    """Draw the choice; the chosen data set, or None until there is one."""
    server_dir = paths.server_data_dir()
    imported = [] if paths.is_demo() else server_folders.imported_names(paths.datasets_dir())
    choices = [BUNDLED, UPLOADED]
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
    return _read_once(BUNDLED, None)


def open_catalogue() -> Catalogue | None:
    """The data set that this session has read, if any."""
    opened = st.session_state.get(_OPEN)
    return opened.catalogue if isinstance(opened, OpenDataset) else None


def paths_of(image_ids: Iterable[str]) -> dict[str, str]:
    """Files of these photographs in the data set that this session has read, by image ID."""
    catalogue = open_catalogue()
    if catalogue is None or not catalogue.has_photographs:
        return {}
    table = catalogue.dataset.table
    table = table[table["image_id"].isin(set(image_ids)) & table["path"].notna()]
    return dict(zip(table["image_id"], table["path"], strict=True))


def _read_once(place: str, path: Path | None) -> Catalogue:
    opened = st.session_state.get(_OPEN)
    if isinstance(opened, OpenDataset) and opened.place == place:
        return opened.catalogue
    with st.spinner("Reading the data set"):
        dataset = bundled_set.read() if path is None else datasets.read(path)
        catalogue = catalogues.build(dataset)
    _close()
    st.session_state[_OPEN] = OpenDataset(place, catalogue)
    return catalogue


def _close() -> None:
    """Drop the data set, its examination and its temporary folder."""
    examinations.forget()
    opened = st.session_state.pop(_OPEN, None)
    if isinstance(opened, OpenDataset):
        opened.remove()


def _imported(names: list[str]) -> Catalogue | None:
    name = st.selectbox(
        "Imported data set", names, index=None, placeholder="Choose", key="dataset_imported",
        persist_state="session", help="Named after the zip, with the first digits of its SHA-256",
    )  # fmt: skip
    if name not in names:
        return None
    path = server_folders.resolve(paths.datasets_dir(), name)
    return _read_once(f"{IMPORTED}: {path}", path)


def _on_server(server_dir: Path) -> Catalogue | None:
    name = st.selectbox(
        "Folder or zip",
        server_folders.names(server_dir),
        index=None,
        placeholder="Choose, or type a path in the server’s folder",
        accept_new_options=True,
        key="dataset_path",
        persist_state="session",
    )
    if not name:
        return None
    path = server_folders.resolve(server_dir, name)
    return _read_once(f"{ON_SERVER}: {path}", path)


def _uploaded() -> Catalogue | None:
    file = st.file_uploader(
        "Zip of class folders, of HAM10000 or from ISIC (challenge or Archive) with its table",
        type="zip",
        # A file beyond the server's own limit would be refused without a reason.
        max_upload_size=min(MAX_ARCHIVE_MB, st.get_option("server.maxUploadSize")),
        key=f"dataset_upload_{st.session_state.get(_ROUND, 0)}",
    )
    st.markdown(
        small(
            "It is unpacked for this session only, and removed when you ask, when you choose "
            "another data set, or some minutes after you leave."
        )
    )
    if file is not None:
        _take(file)
        # The next run draws an empty uploader, or Streamlit would keep the archive in memory.
        st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1
        st.rerun()
    refusal = st.session_state.get(_REFUSAL)
    if refusal:
        errors.show(refusal)
    opened = st.session_state.get(_OPEN)
    if not isinstance(opened, OpenDataset) or opened.place != UPLOADED:
        return None
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"On screen: **{literal(opened.catalogue.dataset.name)}**", width="content")
        st.button("Remove now", icon=":material/delete:", on_click=_close)
    return opened.catalogue


def _take(file: UploadedFile) -> None:
    """Read an archive into this session; the next run shows a refusal."""
    upload = uploads.take(file)
    st.session_state.pop(_REFUSAL, None)
    _close()
    folder = Path(tempfile.mkdtemp(prefix="dataset-"))
    archive = folder / uploads.file_name(upload.name)
    try:
        with st.spinner("Unpacking and reading the archive"):
            archive.write_bytes(upload.data)
            catalogue = catalogues.build(datasets.read(archive, folder))
            archive.unlink()
    except MelanomaError as error:
        st.session_state[_REFUSAL] = errors.to_markdown(error)
        shutil.rmtree(folder, ignore_errors=True)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    else:
        st.session_state[_OPEN] = OpenDataset(UPLOADED, catalogue, folder)
