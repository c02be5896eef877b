"""The data sets of a training: imported, in the server's folder, uploaded, or synthetic."""

import shutil
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from PIL import Image
from streamlit.typing import UploadedFile

from melanoma_core import paths
from melanoma_core.data import datasets, server_folders
from melanoma_core.errors import MelanomaError
from melanoma_core.images import synthetic
from ui import errors, uploads
from ui.dataset_choice import MAX_ARCHIVE_MB
from ui.formats import small

DRAWN = "Synthetic lesions, to try this page"
_NUM_DRAWN, _DRAWN_SIDE = 16, 96  # of each kind; px
_DRAWN_NAME = "drawn-lesions"  # of their folder
_FOLDER = "train_folder"
_ROUND = "train_upload_round"
_REFUSAL = "train_upload_refusal"
_CHOSEN = "train_datasets"
_ADDED = "train_added"  # uploaded in this run, to be chosen in the next one


class Folder:
    """A temporary folder of one session, removed when the session drops this object."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="train-"))
        self._remove = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


@dataclass(frozen=True)
class _Place:
    name: str
    path: Path


def session_folder() -> Path:
    """The folder for files that must not outlive this session."""
    if not isinstance(st.session_state.get(_FOLDER), Folder):
        st.session_state[_FOLDER] = Folder()
    folder: Folder = st.session_state[_FOLDER]
    return folder.path


def choose(*, is_sandbox: bool) -> tuple[Path, ...]:
    """Draw the choice; the chosen folders and zips.

    Args:
        is_sandbox: True if uploads and models are removed with the session.
    """
    places = {place.name: place.path for place in _places(is_sandbox=is_sandbox)}
    names = [*places, DRAWN]
    chosen_names = [*st.session_state.get(_CHOSEN, []), *st.session_state.pop(_ADDED, [])]
    st.session_state[_CHOSEN] = [name for name in dict.fromkeys(chosen_names) if name in names]
    chosen = st.multiselect(
        "Data sets", names, key=_CHOSEN, persist_state="session", placeholder="Choose one or more",
        help="Data sets unpacked on this server earlier, and those that its operator offers",
    )  # fmt: skip
    with st.expander("Upload a zip", icon=":material/upload_file:", expanded=not places):
        _ask_zip(is_sandbox=is_sandbox)
    chosen_paths = [places[name] for name in chosen if name in places]
    if DRAWN in chosen:
        chosen_paths.append(_drawn(is_sandbox=is_sandbox))
    return tuple(chosen_paths)


def _places(*, is_sandbox: bool) -> list[_Place]:
    roots = [session_folder() / "datasets"] if is_sandbox else []
    if not paths.is_demo():
        roots.append(paths.datasets_dir())
    places = [
        _Place(name, root / name)
        for root in roots
        for name in server_folders.imported_names(root)
        if name != _DRAWN_NAME
    ]
    server_dir = paths.server_data_dir()
    if server_dir is not None:
        with errors.shown():
            places += [
                _Place(f"{name} (on this server)", server_folders.resolve(server_dir, name))
                for name in server_folders.names(server_dir)
            ]
    return places


def _ask_zip(*, is_sandbox: bool) -> None:
    storage = (
        "It is unpacked for this session only, and removed with it."
        if is_sandbox
        else "It is unpacked into this server’s folder of data sets and **kept there**, because "
        "training may take hours and can be resumed. Remove patient names from file names first."
    )
    with st.form("train_upload", border=False, enter_to_submit=False):
        file = st.file_uploader(
            "Zip of class folders, of HAM10000 or from ISIC (challenge or Archive) with its table",
            type="zip",
            max_upload_size=min(MAX_ARCHIVE_MB, st.get_option("server.maxUploadSize")),
            key=f"train_zip_{st.session_state.get(_ROUND, 0)}",
        )
        st.markdown(small(storage))
        label = "Use it in this session" if is_sandbox else "Keep it on this server"
        is_submitted = st.form_submit_button(label, icon=":material/save:")
    if is_submitted and file is not None:
        _take(file, session_folder() / "datasets" if is_sandbox else paths.datasets_dir())
        st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1
        st.rerun()
    refusal = st.session_state.get(_REFUSAL)
    if refusal:
        errors.show(refusal)


def _take(file: UploadedFile, target: Path) -> None:
    """Unpack an archive; the next run shows a refusal."""
    upload = uploads.take(file)
    st.session_state.pop(_REFUSAL, None)
    before = set(server_folders.imported_names(target))
    with tempfile.TemporaryDirectory(prefix="train-upload-") as folder:
        archive = Path(folder) / uploads.file_name(upload.name)
        try:
            with st.spinner("Unpacking and reading the archive"):
                archive.write_bytes(upload.data)
                datasets.read(archive, target)
        except MelanomaError as error:
            st.session_state[_REFUSAL] = errors.to_markdown(error)
            for name in set(server_folders.imported_names(target)) - before:
                shutil.rmtree(target / name, ignore_errors=True)
            return
    st.session_state[_ADDED] = sorted(set(server_folders.imported_names(target)) - before)


def _drawn(*, is_sandbox: bool) -> Path:
    """Class folders of synthetic lesions, made once."""
    root = session_folder() if is_sandbox else paths.datasets_dir()
    target = root / _DRAWN_NAME
    if target.is_dir():
        return target
    root.mkdir(parents=True, exist_ok=True)
    with st.spinner("Drawing synthetic lesions"), tempfile.TemporaryDirectory(dir=root) as aside:
        for kind in synthetic.KINDS:
            (Path(aside) / "drawn" / kind).mkdir(parents=True)
            for seed in range(_NUM_DRAWN):
                image = synthetic.lesion(seed, (_DRAWN_SIDE, _DRAWN_SIDE), kind)
                name = f"{kind.replace(' ', '_')}_{seed:03d}.png"
                Image.fromarray(image).save(Path(aside) / "drawn" / kind / name)
        (Path(aside) / "drawn").rename(target)
    return target
