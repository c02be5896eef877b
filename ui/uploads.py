"""Ask for photographs, and drop their files once they are read."""

import re
from dataclasses import dataclass, field

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from starlette.formparsers import MultiPartParser
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.typing import UploadedFile

from melanoma_core.errors import ImageError
from melanoma_core.images import reading, synthetic
from ui import sessions
from ui.formats import small

TYPES = "JPEG, PNG, WebP or TIFF"  # what `reading.read` takes
# Stricter than `server.maxUploadSize`, which allows archives of data sets.
MAX_PHOTOGRAPH_MB = 20
_NAME_BYTES = 120  # of a file name; file systems allow 255
_UPLOADER, _CAMERA = "uploader", "camera"  # kinds of upload widgets
CAMERA = "Camera"
FILE = "File"


@dataclass(frozen=True)
class Upload:
    """An uploaded file, not yet checked."""

    data: bytes = field(repr=False)
    name: str = field(repr=False)  # for a refusal; never logged or written to disk


def ask(label: str) -> None:
    """Draw the uploader or the camera.

    Args:
        label: what to photograph, for screen readers and above the widget.
    """
    # Starlette writes larger uploads into a temporary file; its default is 1 MB.
    MultiPartParser.spool_max_size = 2**20 * (MAX_PHOTOGRAPH_MB + 1)
    source = st.segmented_control(
        "Source of the photograph", (FILE, CAMERA), default=FILE, required=True,
        format_func={
            FILE: ":material/upload_file: File", CAMERA: ":material/photo_camera: Camera"
        }.__getitem__,
        key="photograph_source", label_visibility="collapsed",
    )  # fmt: skip
    if source == CAMERA:
        st.camera_input(label, key=sessions.upload_key(_CAMERA))
    else:
        # Without a list of types: a file that the browser turned away would reach no server, and
        # the refusal of the file before would stay beside it.
        st.file_uploader(
            label,
            accept_multiple_files=True,
            max_upload_size=MAX_PHOTOGRAPH_MB,
            key=sessions.upload_key(_UPLOADER),
        )
    st.markdown(
        small(
            f"{TYPES}, at most {MAX_PHOTOGRAPH_MB} MB. Names, dates and places inside the file are "
            "removed; nothing is saved."
        )
    )


def uploaded() -> tuple[Upload, ...]:
    """The photographs uploaded just now, removed from their widget.

    Call it before `ask`. The same run then shows the result; the widget with the files is not drawn
    again, so Streamlit drops it at the end of the run.
    """
    files = st.session_state.get(sessions.upload_key(_UPLOADER)) or []
    photograph = st.session_state.get(sessions.upload_key(_CAMERA))
    if photograph is not None:
        files = [*files, photograph]
    if not files:
        return ()
    sessions.drop_uploads()
    return tuple(take(file) for file in files)


def read(upload: Upload) -> NDArray[np.uint8]:
    """The photograph (H, W, 3) in a file.

    Raises:
        ImageError: it is larger than `MAX_PHOTOGRAPH_MB`, or cannot be read.
    """
    if len(upload.data) > MAX_PHOTOGRAPH_MB * 2**20:  # browsers refuse this themselves
        raise ImageError(
            f"The photograph is larger than {MAX_PHOTOGRAPH_MB} MB, the limit. Export it as a "
            "JPEG file."
        )
    return reading.read(upload.data, upload.name)


def ask_example() -> None:
    """Draw the button for an example, which `example` returns on the next run."""
    st.subheader("No photograph at hand?", anchor=False)
    st.markdown(
        small(
            "An example shows how to read a result. It is computer-drawn, not a photograph, and "
            "says nothing about how well the model performs."
        )
    )
    st.button("Try an example lesion", icon=":material/draw:", on_click=sessions.request_example)


def example() -> NDArray[np.uint8] | None:
    """The synthetic lesion requested on the last run; None if none was."""
    number = sessions.take_example()
    if number is None:
        return None
    return synthetic.lesion(number, kind=synthetic.KINDS[number % len(synthetic.KINDS)])


def take(file: UploadedFile) -> Upload:
    """The file's content, deleted from Streamlit, which would keep it beyond the session."""
    upload = Upload(file.getvalue(), file.name)
    context = get_script_run_ctx()
    if context is not None and isinstance(context.uploaded_file_mgr, MemoryUploadedFileManager):
        context.uploaded_file_mgr.remove_file(context.session_id, file.file_id)
    return upload


def file_name(name: str) -> str:
    """The uploaded name, changed so that any file system accepts it."""
    plain = re.sub(r"[/\\\x00-\x1f]", "_", name).lstrip(".")
    return plain.encode()[-_NAME_BYTES:].decode(errors="ignore") or "archive.zip"
