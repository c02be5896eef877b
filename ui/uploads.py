"""Asking for one photograph, and forgetting its file as soon as it was read."""

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
from melanoma_core.images import synthetic
from ui import errors, sessions
from ui.formats import small

TYPES = ("jpg", "jpeg", "png", "webp", "tif", "tiff")
# The server lets archives of data sets through, which are larger (`server.maxUploadSize`).
MAX_PHOTOGRAPH_MB = 20
_NAME_BYTES = 120  # of a file's name; systems take 255
_UPLOADER, _CAMERA = "uploader", "camera"  # kinds of upload widgets
CAMERA = "Camera"
FILE = "File"


@dataclass(frozen=True)
class Upload:
    """A photograph as it came: bytes nobody has looked at yet."""

    data: bytes = field(repr=False)
    name: str = field(repr=False)  # for a refusal to name; never logged or written


def ask() -> None:
    """Draw the uploader or the camera, and the refusal of the photograph before, if any."""
    # What exceeds this while a file arrives, 1 MB otherwise, would go into a temporary file.
    MultiPartParser.spool_max_size = 2**20 * (MAX_PHOTOGRAPH_MB + 1)
    st.subheader("Add a dermoscopic photograph", anchor=False)
    source = st.segmented_control(
        "Where the photograph comes from", (FILE, CAMERA), default=FILE, required=True,
        format_func={
            FILE: ":material/upload_file: File", CAMERA: ":material/photo_camera: Camera"
        }.__getitem__,
        key="photograph_source", label_visibility="collapsed",
    )  # fmt: skip
    if source == CAMERA:
        st.camera_input(
            "Photograph of one lesion, through the dermatoscope",
            key=sessions.upload_key(_CAMERA),
        )
    else:
        st.file_uploader(
            "Photograph of one lesion, through the dermatoscope",
            type=TYPES,
            max_upload_size=MAX_PHOTOGRAPH_MB,
            key=sessions.upload_key(_UPLOADER),
        )
    refused = sessions.refusal()
    if refused:
        errors.show(refused)
    st.markdown(small("Names, dates and places inside the file are removed; nothing is saved."))


def uploaded() -> Upload | None:
    """The photograph that this run was started for, taken out of its widget; None without one.

    Called before `ask`, so that the run which brings a photograph can show its result: the widget
    with the file is not drawn again, and Streamlit forgets it at the end of this run.

    Raises:
        ImageError: it is larger than a photograph may be.
    """
    files = (st.session_state.get(sessions.upload_key(kind)) for kind in (_UPLOADER, _CAMERA))
    file = next((file for file in files if file is not None), None)
    if file is None:
        return None
    sessions.drop_uploads()
    upload = take(file)
    if len(upload.data) > MAX_PHOTOGRAPH_MB * 2**20:  # which a browser does not send by itself
        raise ImageError(
            f"The photograph is larger than {MAX_PHOTOGRAPH_MB} MB. Export it as a JPEG file."
        )
    return upload


def ask_example() -> None:
    """Draw the button for an example; `example` has it in the run that follows."""
    st.subheader("No photograph at hand?", anchor=False)
    st.markdown(
        small(
            "An example shows how a result is read. It is drawn by code, not a photograph, and "
            "says nothing of how well the model does."
        )
    )
    st.button("Try an example lesion", icon=":material/draw:", on_click=sessions.request_example)


def example() -> NDArray[np.uint8] | None:
    """The lesion drawn by code that this run was started for; None without one."""
    number = sessions.take_example()
    if number is None:
        return None
    return synthetic.lesion(number, kind=synthetic.KINDS[number % len(synthetic.KINDS)])


def take(file: UploadedFile) -> Upload:
    """The file's content; Streamlit, which keeps uploads past the session, loses it here."""
    upload = Upload(file.getvalue(), file.name)
    context = get_script_run_ctx()
    if context is not None and isinstance(context.uploaded_file_mgr, MemoryUploadedFileManager):
        context.uploaded_file_mgr.remove_file(context.session_id, file.file_id)
    return upload


def file_name(name: str) -> str:
    """The uploaded name as one that any file system takes."""
    plain = re.sub(r"[/\\\x00-\x1f]", "_", name).lstrip(".")
    return plain.encode()[-_NAME_BYTES:].decode(errors="ignore") or "archive.zip"
