"""Which data sets a training is taught: imported, below the server's folder, uploaded, or drawn."""

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

DRAWN = "Lesions drawn by code, to try this page"
_NUM_DRAWN, _DRAWN_SIDE = 16, 96  # of each kind; px
_FOLDER = "train_folder"
_ROUND = "train_upload_round"
_REFUSAL = "train_upload_refusal"
_CHOSEN = "train_datasets"
_BROUGHT = "train_brought"  # chosen on the next run: it was brought on this one


class Folder:
    """A temporary folder of one session; it goes when the session forgets it."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="train-"))
        self._remove = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


@dataclass(frozen=True)
class _Place:
    name: str
    path: Path


def session_folder() -> Path:
    """A folder for what must not outlive this session."""
    if not isinstance(st.session_state.get(_FOLDER), Folder):
        st.session_state[_FOLDER] = Folder()
    folder: Folder = st.session_state[_FOLDER]
    return folder.path


def choose(*, is_sandbox: bool) -> tuple[Path, ...]:
    """Draw the choice; the folders and zips that were chosen.

    Args:
        is_sandbox: whether all that is trained, and brought for it, goes with the session.
    """
    places = {place.name: place.path for place in _places(is_sandbox=is_sandbox)}
    names = [*places, DRAWN]
    wanted = [*st.session_state.get(_CHOSEN, []), *st.session_state.pop(_BROUGHT, [])]
    st.session_state[_CHOSEN] = [name for name in dict.fromkeys(wanted) if name in names]
    chosen = st.multiselect(
        "Data sets", names, key=_CHOSEN, persist_state="session", placeholder="Choose one or more",
        help="What was unpacked on this server before, and what its operator offers by path",
    )  # fmt: skip
    with st.expander("Bring a zip", icon=":material/upload_file:", expanded=not places):
        _ask_zip(is_sandbox=is_sandbox)
    found = [places[name] for name in chosen if name in places]
    if DRAWN in chosen:
        found.append(_drawn(is_sandbox=is_sandbox))
    return tuple(found)


def _places(*, is_sandbox: bool) -> list[_Place]:
    roots = [session_folder() / "datasets"] if is_sandbox else []
    if not paths.is_demo():
        roots.append(paths.datasets_dir())
    found = [
        _Place(name, root / name)
        for root in roots
        for name in server_folders.imported(root)
        if name != _plain_drawn()
    ]
    server_dir = paths.server_data_dir()
    if server_dir is not None:
        with errors.shown():
            found += [
                _Place(f"{name} (on this server)", server_folders.below(server_dir, name))
                for name in server_folders.names(server_dir)
            ]
    return found


def _ask_zip(*, is_sandbox: bool) -> None:
    keeps = (
        "It is unpacked for this session alone, and goes with it."
        if is_sandbox
        else "It is unpacked into this server’s folder of data sets and **kept there**, because a "
        "training may take hours and be gone on with. Bring no names in file names."
    )
    with st.form("train_upload", border=False, enter_to_submit=False):
        file = st.file_uploader(
            "Zip of class folders, of HAM10000 or of an ISIC challenge set, with its CSV table",
            type="zip",
            max_upload_size=min(MAX_ARCHIVE_MB, st.get_option("server.maxUploadSize")),
            key=f"train_zip_{st.session_state.get(_ROUND, 0)}",
        )
        st.markdown(small(keeps))
        label = "Use it in this session" if is_sandbox else "Keep it on this machine"
        is_wanted = st.form_submit_button(label, icon=":material/save:")
    if is_wanted and file is not None:
        _take(file, session_folder() / "datasets" if is_sandbox else paths.datasets_dir())
        st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1
        st.rerun()
    refusal = st.session_state.get(_REFUSAL)
    if refusal:
        errors.show(refusal)


def _take(file: UploadedFile, target: Path) -> None:
    """Unpack an archive; a refusal is kept for the next run to show."""
    upload = uploads.take(file)
    st.session_state.pop(_REFUSAL, None)
    before = set(server_folders.imported(target))
    with tempfile.TemporaryDirectory(prefix="train-upload-") as folder:
        archive = Path(folder) / uploads.file_name(upload.name)
        try:
            with st.spinner("Unpacking and reading the archive"):
                archive.write_bytes(upload.data)
                datasets.read(archive, target)
        except MelanomaError as error:
            st.session_state[_REFUSAL] = errors.to_markdown(error)
            for name in set(server_folders.imported(target)) - before:
                shutil.rmtree(target / name, ignore_errors=True)
            return
    st.session_state[_BROUGHT] = sorted(set(server_folders.imported(target)) - before)


def _drawn(*, is_sandbox: bool) -> Path:
    """Class folders of drawn lesions, made once."""
    root = session_folder() if is_sandbox else paths.datasets_dir()
    target = root / _plain_drawn()
    if target.is_dir():
        return target
    root.mkdir(parents=True, exist_ok=True)
    with st.spinner("Drawing lesions"), tempfile.TemporaryDirectory(dir=root) as aside:
        for kind in synthetic.KINDS:
            (Path(aside) / "drawn" / kind).mkdir(parents=True)
            for seed in range(_NUM_DRAWN):
                image = synthetic.lesion(seed, (_DRAWN_SIDE, _DRAWN_SIDE), kind)
                name = f"{kind.replace(' ', '_')}_{seed:03d}.png"
                Image.fromarray(image).save(Path(aside) / "drawn" / kind / name)
        (Path(aside) / "drawn").rename(target)
    return target


def _plain_drawn() -> str:
    return "drawn-lesions"
