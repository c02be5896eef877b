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

from melanoma_core.images import synthetic
from ui import errors, sessions
from ui.formats import small

TYPES = ("jpg", "jpeg", "png", "webp", "tif", "tiff")
# The server lets archives of data sets through, which are larger (`server.maxUploadSize`).
MAX_PHOTOGRAPH_MB = 20
_NAME_BYTES = 120  # of a file's name; systems take 255
CAMERA = "Camera"
FILE = "File"


@dataclass(frozen=True)
class Upload:
    """A photograph as it came: bytes nobody has looked at yet."""

    data: bytes = field(repr=False)
    name: str = field(repr=False)  # for a refusal to name; never logged or written


def ask() -> Upload | None:
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
        file = st.camera_input(
            "Photograph of one lesion, through the dermatoscope",
            key=sessions.upload_key("camera"),
        )
    else:
        file = st.file_uploader(
            "Photograph of one lesion, through the dermatoscope",
            type=TYPES,
            max_upload_size=MAX_PHOTOGRAPH_MB,
            key=sessions.upload_key("uploader"),
        )
    refused = sessions.refusal()
    if refused:
        errors.show(refused)
    st.markdown(small("Names, dates and places inside the file are removed; nothing is saved."))
    if file is None:
        return None
    upload = take(file)
    if len(upload.data) > MAX_PHOTOGRAPH_MB * 2**20:  # which a browser does not send by itself
        sessions.refuse(
            f"**The photograph is larger than {MAX_PHOTOGRAPH_MB} MB.** Export it as a JPEG file."
        )
        sessions.drop_uploads()
        st.rerun()
    return upload


def ask_example() -> NDArray[np.uint8] | None:
    """Draw the button for an example; the lesion drawn by code once it was pressed."""
    st.subheader("No photograph at hand?", anchor=False)
    st.markdown(
        small(
            "An example shows how a result is read. It is drawn by code, not a photograph, and "
            "says nothing of how well the model does."
        )
    )
    st.button("Try an example lesion", icon=":material/draw:", on_click=sessions.want_example)
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
